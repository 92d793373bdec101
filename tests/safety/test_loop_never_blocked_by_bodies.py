"""The loop goes on while a parser waits; and where it is knowingly left to block."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from rest_framework import parsers, throttling
from rest_framework.response import Response

from restflow import permissions as restflow_permissions
from restflow.views import AsyncAPIView
from tests.safety.support import Gate
from tests.safety.waiting import Async, Cases, Saved, send_through

CASES = Cases()
case = CASES.add


@case("parser", method="POST", data={"n": 1})
def _(gate):
    class Waiting(parsers.JSONParser):
        def parse(self, stream, media_type=None, parser_context=None):
            gate.wait()
            return super().parse(stream, media_type, parser_context)

    return {"parser_classes": [Waiting], "serializer_class": Saved}


@CASES.on_views()
def test_the_loop_goes_on_while_a_parser_waits(name, view):
    CASES.check(name, view)


def limit(reason: str) -> Any:
    return pytest.mark.xfail(strict=True, reason=f"LIMIT: {reason}")


class WaitingParser(parsers.JSONParser):
    gate: Gate

    def parse(self, stream, media_type=None, parser_context=None):
        self.gate.wait()
        return super().parse(stream, media_type, parser_context)


@limit("a body is parsed ahead for an async handler only: other async code parses it on the loop")
@pytest.mark.parametrize("reader", ["permission", "hook", "throttle"])
def test_the_loop_goes_on_while_a_body_is_parsed_for_an_async_hook(reader):
    gate = Gate()

    class Permission(restflow_permissions.BasePermission):
        async def has_permission(self, request, view):
            return bool(request.data)

    class Throttle(throttling.BaseThrottle):
        async def allow_request(self, request, view):
            return bool(request.data)

    async def acheck_permissions(self: Any, request: Any) -> None:
        assert request.data

    attributes = {
        "permission": {"permission_classes": [Permission]},
        "throttle": {"throttle_classes": [Throttle]},
        "hook": {"acheck_permissions": acheck_permissions},
    }[reader]
    attributes["parser_classes"] = [type("Parser", (WaitingParser,), {"gate": gate})]
    attributes["serializer_class"] = Saved
    send_through(gate, type("V", (Async,), attributes), "POST", {"n": 1})


@pytest.mark.parametrize(
    "wraps",
    [
        functools.wraps,
        pytest.param(
            lambda function: lambda wrapper: wrapper,
            marks=limit("an async handler behind a wrapper without functools.wraps parses the body on the loop"),
        ),
    ],
    ids=["functools.wraps", "plain wrapper"],
)
def test_the_loop_goes_on_while_a_body_is_parsed_for_a_decorated_async_handler(wraps):
    gate = Gate()

    def decorator(function: Any) -> Any:
        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    class View(AsyncAPIView):
        parser_classes = [type("Parser", (WaitingParser,), {"gate": gate})]

        @decorator
        async def post(self, request):
            return Response(request.data)

    send_through(gate, View, "POST", {"n": 1})
