from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import override_settings


@pytest.fixture(autouse=True)
def _apps() -> Iterator[None]:
    """The packages' apps, which nothing but these tests needs."""
    apps = [*settings.INSTALLED_APPS, "django_filters", "drf_spectacular", "rest_framework_simplejwt"]
    with override_settings(INSTALLED_APPS=apps):
        yield
