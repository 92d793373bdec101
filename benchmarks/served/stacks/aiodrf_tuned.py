"""django-aiodrf in the "tuned profile" of its documentation; the settings are in ``benchmarks.served.settings``."""

from aiodrf.response import DataResponse

from benchmarks.served.stacks.aiodrf import urls

urlpatterns = urls(DataResponse)
