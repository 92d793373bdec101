"""The Django app; a project needs it in ``INSTALLED_APPS`` only for the system checks."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core import checks


class RestflowConfig(AppConfig):
    """The app ``"restflow"`` for ``INSTALLED_APPS``: makes ``manage.py check`` check the project's views."""

    name = "restflow"

    def ready(self) -> None:
        """Register the system checks."""
        checks.register(_check_views, "restflow")


def _check_views(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    # Imported late: DRF's views import the classes that its settings name, and these may import models.
    from restflow.checks import check_views

    return check_views(app_configs, **kwargs)
