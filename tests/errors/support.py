"""Views over each base class that raise what a test gives them, asked on each entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.renderers import JSONRenderer
from rest_framework.views import APIView as DRFAPIView

from restflow.views import APIView, AsyncAPIView
from tests.site import ENTRIES, Answer, Site

HANDLER = "restflow.exceptions.exception_handler"

colours = pytest.mark.parametrize("base", [DRFAPIView, APIView, AsyncAPIView], ids=["DRF", "sync", "async"])
ours = pytest.mark.parametrize("base", [APIView, AsyncAPIView], ids=["sync", "async"])
entries = pytest.mark.parametrize("entry", ENTRIES)


def raising(base: Any, make: Callable[[], Exception], **attributes: Any) -> Any:
    """A view of ``base``, in its colour, that raises."""

    def get(self: Any, request: Any) -> Any:
        raise make()

    async def aget(self: Any, request: Any) -> Any:
        raise make()

    attributes = {"renderer_classes": [JSONRenderer], "authentication_classes": [BasicAuthentication], **attributes}
    return type("View", (base,), {"get": aget if issubclass(base, AsyncAPIView) else get, **attributes})


WITHOUT_HEADER = [SessionAuthentication]


def asked(view: Any, *, entry: str = "django", form: str | None = None, accept: str = "*/*", **settings: Any) -> Answer:
    """Ask a view under restflow's exception handler.

    Args:
        form: the setting ``ERROR_FORMAT``.
        settings: further settings of restflow's.
    """
    chosen = {"ERROR_FORMAT": form, **settings}
    with Site(
        {"a/": view.as_view()}, entry=entry, REST_FRAMEWORK={"EXCEPTION_HANDLER": HANDLER}, RESTFLOW=chosen
    ) as site:
        return site.send("GET", "/a/", headers={"accept": accept})
