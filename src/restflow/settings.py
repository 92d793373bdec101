"""restflow's settings, from the Django setting ``RESTFLOW``.

Read once, and again when Django's settings change.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from rest_framework.settings import APISettings

DEFAULTS: Any = {
    "THROTTLE_STORAGE": "memory://",
    "THROTTLE_STORAGE_OPTIONS": {},
    "THROTTLE_FAILS_OPEN": False,
    "THROTTLE_HEADERS": True,
    "WORKER_THREADS": 40,
    "WORKER_QUEUE": 1000,
    "WORKER_LEASES": 1000,
    "RELEASE_AFTER": 0.05,
    "STREAMS_LEAVE_THREADS": False,
    "FAST_VERSIONS": True,
    "ERROR_FORMAT": None,
    "PROBLEM_TYPE": "about:blank",
    "IDEMPOTENCY_CACHE": "default",
    "IDEMPOTENCY_LIFETIME": 86400,
    "IDEMPOTENCY_LOCK": 60,
}


class Settings(APISettings):
    """The settings as attributes; each is read once from ``RESTFLOW``, or has its default."""

    @property
    def user_settings(self) -> dict[str, Any]:
        """The settings of the project.

        Returns:
            The Django setting ``RESTFLOW``.

        Raises:
            ImproperlyConfigured: it has an unknown name, which would be ignored.
        """
        chosen: dict[str, Any] = getattr(django_settings, "RESTFLOW", {})
        if unknown := sorted(chosen.keys() - self.defaults.keys()):
            raise ImproperlyConfigured(
                f"RESTFLOW has no setting {unknown[0]!r}. It has: {', '.join(sorted(self.defaults))}."
            )
        return chosen


settings = Settings(None, DEFAULTS, ())


def _reload(*, setting: str, **kwargs: Any) -> None:
    if setting == "RESTFLOW":
        settings.reload()


setting_changed.connect(_reload)
