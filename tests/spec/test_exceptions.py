"""The section "Exception handling"."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import rest_framework.views
from django.core.exceptions import PermissionDenied
from django.core.signals import got_request_exception
from django.http import Http404
from rest_framework import exceptions
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.response import Response

from restflow.views import AsyncAPIView
from tests.site import Site

HEADERLESS = SessionAuthentication


def raising(parent: Any, make: Callable[[], Exception], **attributes: Any) -> Any:
    """A view of ``parent``, in its colour, that raises."""
    if issubclass(parent, AsyncAPIView):

        async def get(self: Any, request: Any) -> Any:
            raise make()

    else:

        def get(self: Any, request: Any) -> Any:
            raise make()

    return type("View", (parent,), {"get": get, **attributes})


def served(view: Any, **settings: Any) -> Any:
    with Site({"": view.as_view()}, **settings) as site:
        return site.send("GET", "/")


@pytest.mark.parametrize("authenticators", [[BasicAuthentication], [HEADERLESS], [HEADERLESS, BasicAuthentication], []])
@pytest.mark.parametrize(
    "make",
    [
        exceptions.NotAuthenticated,
        exceptions.AuthenticationFailed,
        exceptions.PermissionDenied,
        exceptions.NotFound,
        exceptions.ParseError,
        lambda: exceptions.MethodNotAllowed("GET"),
        lambda: exceptions.ValidationError({"name": ["Too short."]}),
        lambda: exceptions.ValidationError(["Too short."]),
        lambda: exceptions.Throttled(wait=7),
        exceptions.APIException,
        Http404,
        PermissionDenied,
        ZeroDivisionError,
    ],
)
def test_ahandle_exception_answers_as_drfs_handle_exception_does(make: Any, authenticators: list[Any]) -> None:
    theirs, ours = (
        served(raising(parent, make, authentication_classes=authenticators))
        for parent in (rest_framework.views.APIView, AsyncAPIView)
    )
    assert (ours.status, ours.headers, ours.body) == (theirs.status, theirs.headers, theirs.body)


@pytest.mark.parametrize("kind", [exceptions.NotAuthenticated, exceptions.AuthenticationFailed])
@pytest.mark.parametrize("colour_of_getter", ["sync", "async"])
def test_an_authentication_error_gets_the_header_of_get_authenticate_header(kind: Any, colour_of_getter: str) -> None:
    async def aget_authenticate_header(self: Any, request: Any) -> str:
        return 'Shop realm="books"'

    getter = {
        "sync": {"get_authenticate_header": lambda self, request: 'Shop realm="books"'},
        "async": {"aget_authenticate_header": aget_authenticate_header},
    }[colour_of_getter]
    answer = served(raising(AsyncAPIView, kind, **getter))
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Shop realm="books"')


@pytest.mark.parametrize("kind", [exceptions.NotAuthenticated, exceptions.AuthenticationFailed])
@pytest.mark.parametrize("authenticators", [[], [HEADERLESS]])
def test_without_a_header_the_status_is_403(kind: Any, authenticators: list[Any]) -> None:
    answer = served(raising(AsyncAPIView, kind, authentication_classes=authenticators))
    assert answer.status == 403
    assert "WWW-Authenticate" not in answer.headers


def teapot(exc: Exception, context: Any) -> Any:
    return Response({"seen": type(exc).__name__, "in": type(context["view"]).__name__}, status=418)


async def async_teapot(exc: Exception, context: Any) -> Any:
    await asyncio.sleep(0)
    return teapot(exc, context)


def ignoring(exc: Exception, context: Any) -> None:
    return None


async def async_ignoring(exc: Exception, context: Any) -> None:
    await asyncio.sleep(0)


def test_the_handler_of_get_exception_handler_is_invoked() -> None:
    answer = served(raising(AsyncAPIView, KeyError, get_exception_handler=lambda self: teapot))
    assert (answer.status, answer.json()) == (418, {"seen": "KeyError", "in": "View"})


def test_what_an_async_exception_handler_gives_is_awaited() -> None:
    answer = served(raising(AsyncAPIView, KeyError, get_exception_handler=lambda self: async_teapot))
    assert (answer.status, answer.json()) == (418, {"seen": "KeyError", "in": "View"})


@pytest.mark.parametrize("handler", [ignoring, async_ignoring])
def test_after_none_raise_uncaught_exception_raises_it_again(handler: Any) -> None:
    error = KeyError("the same")
    asked: list[Exception] = []
    reported: list[Any] = []

    class View(AsyncAPIView):
        def get_exception_handler(self) -> Any:
            return handler

        def raise_uncaught_exception(self, exc: Exception) -> None:
            asked.append(exc)
            super().raise_uncaught_exception(exc)

        async def get(self, request: Any) -> Any:
            raise error

    def report(**kwargs: Any) -> None:
        import sys

        reported.append(sys.exception())

    got_request_exception.connect(report)
    try:
        answer = served(View)
    finally:
        got_request_exception.disconnect(report)
    assert asked == [error]
    assert reported == [error]
    assert answer.status == 500


def test_another_response_is_marked_and_returned() -> None:
    class View(raising(AsyncAPIView, exceptions.NotFound)):  # type: ignore[misc]
        async def ahandle_exception(self, exc: Exception) -> Any:
            response = await super().ahandle_exception(exc)
            response.data = {"marked": response.exception}
            return response

    answer = served(View)
    assert (answer.status, answer.json()) == (404, {"marked": True})


@pytest.mark.parametrize("handler", [teapot, async_teapot])
def test_the_exception_handler_setting_customises(handler: Any) -> None:
    setting = {"EXCEPTION_HANDLER": f"{__name__}.{handler.__name__}"}
    answer = served(raising(AsyncAPIView, KeyError), REST_FRAMEWORK=setting)
    assert (answer.status, answer.json()) == (418, {"seen": "KeyError", "in": "View"})


def test_an_override_of_ahandle_exception_customises_and_calls_super() -> None:
    class View(raising(AsyncAPIView, exceptions.NotFound)):  # type: ignore[misc]
        async def ahandle_exception(self, exc: Exception) -> Any:
            response = await super().ahandle_exception(exc)
            response["X-Error"] = type(exc).__name__
            return response

    answer = served(View)
    assert (answer.status, answer.json(), answer.headers["X-Error"]) == (404, {"detail": "Not found."}, "NotFound")
