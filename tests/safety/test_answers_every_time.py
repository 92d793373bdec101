"""What components answer means the same every time, whatever kind of value it is."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import parsers, permissions, renderers, throttling
from rest_framework.authentication import BaseAuthentication
from rest_framework.response import Response
from rest_framework.views import APIView as DRFAPIView

from restflow.views import AsyncAPIView
from tests.matrix import each_pair
from tests.safety.late import Asked, Plain, both, refusing, view_of
from tests.safety.support import ask

pytestmark = pytest.mark.usefixtures("each_version")


@each_pair
@both
@pytest.mark.parametrize("answer", [None, 0, "", [], 1, "yes", [0]], ids=repr)
@pytest.mark.parametrize("check", ["permission_classes", "throttle_classes"])
def test_an_answer_that_is_no_bool_means_the_same_every_time_it_is_given(base, check, answer):
    class Says(throttling.BaseThrottle, permissions.BasePermission):
        def has_permission(self, request, view):
            return answer

        def allow_request(self, request, view):
            return answer

    view = view_of(base, **{"permission_classes": [Asked], check: [*([Asked] if check[0] == "p" else []), Says]})
    expected = 200 if answer else 403 if check == "permission_classes" else 429
    assert [ask(view).status for _ in range(3)] == [expected] * 3


class Later:
    """An awaitable that is no coroutine, and answers no."""

    def __await__(self):
        return False
        yield


@both
def test_an_awaitable_answer_of_sync_code_is_awaited_every_time_it_is_given(base):
    class Says(permissions.BasePermission):
        def has_permission(self, request, view):
            return Later()

    view = view_of(base, permission_classes=[Asked, Says])
    assert [ask(view).status for _ in range(3)] == [403] * 3


ONCE = {
    "get_authenticators": [type("Refuse", (BaseAuthentication,), {"authenticate": refusing("sync")})],
    "get_parsers": [parsers.JSONParser, parsers.FormParser],
    "get_permissions": [permissions.AllowAny, type("Deny", (permissions.AllowAny,), {"has_permission": lambda *a: 0})],
    "get_renderers": [renderers.JSONRenderer],
    "get_throttles": [type("Deny", (throttling.BaseThrottle,), {"allow_request": lambda *a: 0})],
}


@each_pair
@both
@pytest.mark.parametrize("name", ONCE)
@pytest.mark.parametrize("way", [iter, tuple, reversed], ids=["iter", "tuple", "reversed"])
def test_components_that_can_be_read_only_once_are_asked_as_drf_does(base, name, way):
    def get(self, request):
        return Response(request.data)

    async def aget(self, request):
        return Response(request.data)

    def answer(view_base: Any, handler: Any) -> Any:
        view = type("V", (Plain, view_base), {"post": handler, name: lambda self: way([cls() for cls in ONCE[name]])})
        response = ask(view, "POST", {"a": 1})
        return response.status, response.body

    expected = answer(DRFAPIView, get)
    assert answer(base, get) == expected
    if base is AsyncAPIView:
        assert answer(base, aget) == expected
