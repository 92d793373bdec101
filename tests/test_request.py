"""The request: authentication and parsing, where they may run."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import request as drf
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.response import Response

from restflow.request import Request
from restflow.views import APIView, AsyncAPIView
from tests.safety.support import ask, here


class Named:
    is_authenticated = True

    def __init__(self, name: str) -> None:
        self.name = name


@pytest.mark.parametrize("base", [drf.Request, Request], ids=["DRF's", "ours"])
@pytest.mark.parametrize("view", [APIView, AsyncAPIView], ids=["sync", "async"])
def test_a_user_property_of_a_requests_own_class_is_read_in_the_worker_thread_before_the_handler(
    view: type, base: type
) -> None:
    log: list[str] = []

    class Theirs(base):  # type: ignore[misc]
        @property
        def user(self) -> Named:
            if not hasattr(self, "_named"):
                log.append(here())
                self._named = Named("theirs")
            return self._named

    def initialize_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        return Theirs(request)

    def get(self: Any, request: Any) -> Response:
        log.append("handler")
        return Response(request.user.name)

    async def async_get(self: Any, request: Any) -> Response:
        return get(self, request)

    async def ainitialize_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        return Theirs(request)

    colours = {
        APIView: {"initialize_request": initialize_request, "get": get},
        AsyncAPIView: {"ainitialize_request": ainitialize_request, "get": async_get},
    }
    answer = ask(type("View", (view,), colours[view]))
    assert (answer.status, answer.json()) == (200, "theirs")
    assert log == ["thread", "handler"]


def test_a_content_negotiator_of_ones_own_selects_the_parser_in_the_worker_thread() -> None:
    places: list[str] = []

    class Own(BaseContentNegotiation):
        def select_parser(self, request: Any, parsers: Any) -> Any:
            places.append(here())
            return parsers[0]

        def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
            return renderers[0], renderers[0].media_type

    class View(AsyncAPIView):
        content_negotiation_class = Own

        async def post(self, request: Any) -> Response:
            return Response(request.data)

    answer = ask(View, "POST", {"n": 1})
    assert (answer.status, answer.json()) == (200, {"n": 1})
    assert places == ["thread"]


def test_a_content_negotiator_of_ones_own_is_not_asked_for_a_parser_where_there_is_no_body() -> None:
    class Own(BaseContentNegotiation):
        def select_parser(self, request: Any, parsers: Any) -> Any:
            raise AssertionError("there is nothing to parse")

        def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
            return renderers[0], renderers[0].media_type

    class View(AsyncAPIView):
        content_negotiation_class = Own

        async def get(self, request: Any) -> Response:
            return Response(request.data)

    assert ask(View).json() == {}
