"""The loop goes on while a sync override of a hook waits, wherever it was written or put."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.http import HttpResponse
from rest_framework import negotiation, permissions, renderers
from rest_framework.response import Response

from restflow import permissions as restflow_permissions
from restflow.request import Request
from restflow.views import APIView, AsyncAPIView
from tests.matrix import each_value
from tests.safety.hooks import HOOKS, AsyncHandlers, SyncHandlers, written
from tests.safety.support import Gate, here
from tests.safety.waiting import Async, send_through
from tests.site import Site


@each_value
@pytest.mark.parametrize("hook", HOOKS, ids=str)
@pytest.mark.parametrize("where", ["class", "mixin", "patch"])
def test_the_loop_goes_on_while_a_sync_override_of_a_hook_waits(hook, where, monkeypatch):
    gate = Gate()

    def body(view: Any, *args: Any, **kwargs: Any) -> Any:
        gate.wait()
        return hook.effect(view, *args, **kwargs)

    _, function = written("sync", hook.name, body)
    view = hook.view("async")
    if where == "mixin":
        cls = type("V", (type("Mixin", (), {hook.name: function}), view), {})
    else:
        cls = type("V", (view,), {hook.name: function} if where == "class" else {})
    if where == "patch":
        monkeypatch.setattr(cls, hook.name, function)
    answer = send_through(gate, cls, hook.method, hook.data, expected=None)
    assert hook.seen(answer)


def test_a_sync_override_that_waits_for_another_request_is_served_by_the_same_loop():
    """Two requests: the first's permission waits until the second's async handler has run."""
    gate = Gate()

    class First(AsyncHandlers, AsyncAPIView):
        def check_permissions(self, request):
            gate.wait()

    class Second(AsyncAPIView):
        async def get(self, request):
            gate.opened.set()
            return Response({})

    with Site({"first/": First.as_view(), "second/": Second.as_view()}) as site:

        async def both() -> Any:
            first = asyncio.ensure_future(site.asend("GET", "/first/"))
            while not gate.entered.is_set():  # noqa: ASYNC110 - it is set in another thread
                await asyncio.sleep(0.001)
            return await site.asend("GET", "/second/"), await first

        assert [answer.status for answer in asyncio.run(both())] == [200, 200]
    assert gate.places == ["thread"]


def test_async_components_of_a_sync_view_run_on_the_loop_of_the_request():
    loops: list[Any] = []

    class Permission(restflow_permissions.BasePermission):
        async def has_permission(self, request, view):
            loops.append(asyncio.get_running_loop())
            return True

    class View(SyncHandlers, APIView):
        permission_classes = [Permission]

    with Site({"x/": View.as_view()}) as site:

        async def main() -> Any:
            loops.append(asyncio.get_running_loop())
            return await site.asend("GET", "/x/")

        assert asyncio.run(main()).status == 200
    assert loops[0] is loops[1]


@pytest.mark.parametrize("name", ["get_accept_list", "get_indent", "__init__"])
def test_the_loop_goes_on_while_a_method_patched_into_a_users_component_waits(name, monkeypatch):
    gate = Gate()

    class Negotiation(negotiation.DefaultContentNegotiation):
        pass

    class Renderer(renderers.JSONRenderer):
        pass

    class Permission(permissions.BasePermission):
        pass

    class View(Async):
        content_negotiation_class = Negotiation
        renderer_classes = [Renderer]
        permission_classes = [Permission]

    component, result = {
        "get_accept_list": (Negotiation, ["*/*"]),
        "get_indent": (Renderer, None),
        "__init__": (Permission, None),
    }[name]
    with Site({"x/": View.as_view()}) as site:
        assert site.send("GET", "/x/").status == 200
    monkeypatch.setattr(component, name, lambda self, *args: gate.wait() or result)
    send_through(gate, View)


def test_the_loop_goes_on_while_a_dispatch_set_on_the_instance_waits():
    gate = Gate()

    def setup(self: Any, *args: Any, **kwargs: Any) -> None:
        super(cls, self).setup(*args, **kwargs)
        self.dispatch = lambda request: gate.wait() or HttpResponse()

    cls = type("V", (Async,), {"setup": setup})
    send_through(gate, cls)


def test_what_a_request_of_the_views_own_does_for_nobody_is_done_in_the_thread() -> None:
    places = []

    class Mine(Request):
        def _not_authenticated(self):
            places.append(here())
            super()._not_authenticated()

    class View(AsyncAPIView):
        authentication_classes: Any = []

        async def initialize_request(self, request, *args, **kwargs):
            return Mine(request, negotiator=self.get_content_negotiator(), parser_context={"view": self})

        async def get(self, request):
            return Response({})

    with Site({"x/": View.as_view()}) as site:
        assert asyncio.run(site.asend("GET", "/x/")).status == 200
    assert places == ["thread"]
