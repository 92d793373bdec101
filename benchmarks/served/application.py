"""What a server is told to serve: a function for each entry, which makes the application."""

import os
from importlib import import_module
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.served.settings")


def wsgi() -> Any:
    """Django's for WSGI."""
    return import_module("django.core.wsgi").get_wsgi_application()


def django() -> Any:
    """Django's for ASGI."""
    return import_module("django.core.asgi").get_asgi_application()


def restflow() -> Any:
    """restflow's."""
    return import_module("restflow.asgi").get_asgi_application()


def aiodrf() -> Any:
    """django-aiodrf's, which keeps its threads."""
    return import_module("aiodrf.asgi").get_asgi_application()
