"""Views of each colour whose sync code waits at a gate, which a task on the same loop opens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from rest_framework import serializers
from rest_framework.response import Response

from restflow.views import APIView, AsyncAPIView
from tests.matrix import some
from tests.safety.support import Gate, through
from tests.site import Answer, Site


def send_through(
    gate: Gate, view: type, method: str = "GET", data: Any = None, *, expected: int | None = 200, **options: Any
) -> Answer:
    """Send a request whose sync code waits at ``gate``, which a task on the same loop opens.

    It must have come there, in a thread each time, and the answer must have the status ``expected``, unless it is None.
    """
    settings = options.pop("settings", {})
    with Site({"x/": view.as_view()}, **settings) as site:
        answer = asyncio.run(through(gate, lambda: site.asend(method, "/x/", data, **options)))
    assert gate.places, "the component was not called"
    assert set(gate.places) == {"thread"}, "sync code was called on the event loop"
    assert gate.opened.is_set(), "the gate stayed shut"
    assert expected in (answer.status, None), f"{answer.status}: {answer.body!r}"
    return answer


class Rows(serializers.Serializer):
    n = serializers.IntegerField()


class Async(AsyncAPIView):
    """Handlers that come to every kind of component."""

    serializer_class = Rows

    async def get(self, request):
        return Response({})

    async def post(self, request):
        serializer = await self.avalidated_serializer()
        await serializer.asave()
        return Response({})


class OnSync(APIView):
    """The same, sync: its code is in the worker thread anyway, its async components are not."""

    serializer_class = Rows

    def get(self, request):
        return Response({})

    def post(self, request):
        serializer = self.validated_serializer()
        serializer.save()
        return Response({})


class Mixed(OnSync, AsyncAPIView):
    """Sync handlers on an async view."""


VIEWS = {"async": Async, "async, sync handlers": Mixed, "sync": OnSync}


class Saved(Rows):
    def create(self, validated_data):
        return validated_data


def responding(sync_call: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Handlers that answer through a helper, each by its own colour of it."""

    def get(self: Any, request: Any) -> Any:
        return getattr(self, sync_call)(*args, **kwargs)

    async def async_get(self: Any, request: Any) -> Any:
        return await getattr(self, f"a{sync_call}")(*args, **kwargs)

    return {"get": get, "async get": async_get}


Case = Callable[[Gate], dict[str, Any]]


class Cases:
    """What waits in each case: each makes a view's attributes, whose sync code waits at the gate it is given."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[Case, dict[str, Any]]] = {}

    def add(self, name: str, **sent: Any) -> Callable[[Case], Case]:
        """Add the decorated case; ``sent`` is the request, and the status ``expected`` of its answer if not 200."""

        def register(case: Case) -> Case:
            self.known[name] = (case, sent)
            return case

        return register

    def on_views(self) -> Any:
        """Take all cases on the async view, and on the other views some."""
        others = some(product(self.known, [view for view in VIEWS if view != "async"]))
        return pytest.mark.parametrize(("name", "view"), [*product(self.known, ["async"]), *others])

    def check(self, name: str, view: str) -> None:
        """Send the request of a case to a view of this colour: its code waits in a thread, and the loop goes on."""
        gate = Gate()
        case, sent = self.known[name]
        attributes = case(gate)
        async_get = attributes.pop("async get", None)
        if async_get is not None and view == "async":
            attributes["get"] = async_get
        send_through(gate, type("V", (VIEWS[view],), attributes), **sent)
