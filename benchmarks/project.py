"""The Django project that is measured: no middleware, JSON only, everything else as Django and DRF have it."""

from __future__ import annotations

import django
from django.conf import settings
from django.core.asgi import get_asgi_application

from benchmarks.client import Application


def application() -> Application:
    """Set Django up and return its stock ASGI handler."""
    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        # A view that fails ends the run with its traceback, where Django would answer 500.
        DEBUG_PROPAGATE_EXCEPTIONS=True,
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
        MIDDLEWARE=[],
        REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
        ROOT_URLCONF="benchmarks.urls",
        SECRET_KEY="benchmarks",
        USE_TZ=True,
    )
    django.setup()
    return get_asgi_application()
