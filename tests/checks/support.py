"""Projects with these URLs, and what the system checks say of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import CheckMessage, run_checks
from django.test import override_settings
from django.urls import path
from rest_framework import throttling
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from restflow.views import ActionConfig, AsyncModelViewSet, ModelViewSet
from tests.shop.models import Book


@contextmanager
def project(urlpatterns: Any, **given: Any) -> Iterator[None]:
    """A project with these URLs and restflow among its apps."""
    apps = [*settings.INSTALLED_APPS, "restflow"]
    with override_settings(ROOT_URLCONF=tuple(urlpatterns), INSTALLED_APPS=apps, **given):
        yield


def routed(viewset: Any) -> Any:
    router = SimpleRouter()
    router.register("books", viewset, basename="book")
    return router.urls


def messages(urlpatterns: Any, **given: Any) -> list[CheckMessage]:
    with project(urlpatterns, **given):
        return run_checks(tags=["restflow"])


def said(urlpatterns: Any, **given: Any) -> list[tuple[str, str, str]]:
    return [
        (str(message.id).split(".")[1], message.msg, str(message.hint)) for message in messages(urlpatterns, **given)
    ]


def at(view: Any) -> Any:
    return [path("x/", view.as_view())]


class Books(AsyncModelViewSet):
    queryset = Book.objects.all()


class SyncBooks(ModelViewSet):
    queryset = Book.objects.all()


COLOURS = pytest.mark.parametrize("base", [Books, SyncBooks])


def of(base: Any, **attributes: Any) -> Any:
    return type("View", (base,), {"__module__": __name__, **attributes})


def misconfigured(base: Any) -> Any:
    """A viewset with a config of a method that is no action, unless a route names it."""
    return of(base, shelve=lambda self, request: Response(), action_configs={"shelve": ActionConfig()})


class AsyncAllow(throttling.BaseThrottle):
    async def allow_request(self, request: Any, view: Any) -> bool:  # type: ignore[override]
        return True
