"""The loop goes on while a view is set up, and while a property or a class computes one of its attributes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.utils.functional import classproperty
from rest_framework import negotiation, parsers, permissions, renderers

from restflow.views import AsyncAPIView
from tests.safety.support import Gate, here
from tests.safety.waiting import Async, Cases, Rows, send_through
from tests.site import Site

CASES = Cases()
case = CASES.add


@case("default_response_headers")
def _(gate):
    def headers(self):
        gate.wait()
        return {}

    return {"default_response_headers": property(headers)}


@case("allowed_methods", method="DELETE", expected=405)
def _(gate):
    def methods(self):
        gate.wait()
        return ["GET"]

    return {"allowed_methods": property(methods)}


@case("a property of classes")
def _(gate):
    def classes(self):
        gate.wait()
        return []

    return {"permission_classes": property(classes), "throttle_classes": property(classes)}


@CASES.on_views()
def test_the_loop_goes_on_while_a_property_of_the_view_waits(name, view):
    CASES.check(name, view)


@pytest.mark.parametrize(
    "name",
    [
        "versioning_class",
        "metadata_class",
        "content_negotiation_class",
        "serializer_class",
        "pagination_class",
        "http_method_names",
    ],
)
def test_the_loop_goes_on_while_a_property_gives_a_component(name):
    gate = Gate()
    value = getattr(Async, name)

    class View(Async):
        async def get(self, request):
            return await self.apaginated_response([{"n": 1}])

    def waiting(self: Any) -> Any:
        gate.wait()
        return value

    setattr(View, name, property(waiting))
    send_through(gate, View, "OPTIONS" if name == "metadata_class" else "GET")


@pytest.mark.parametrize("name", ["setup", "__init__"])
def test_the_loop_goes_on_while_a_view_is_set_up(name):
    gate = Gate()

    def waiting(self: Any, *args: Any, **kwargs: Any) -> None:
        getattr(super(cls, self), name)(*args, **kwargs)
        gate.wait()

    cls = type("V", (Async,), {name: waiting})
    assert cls.as_view()
    send_through(gate, cls)


def test_the_loop_goes_on_while_a_property_gives_a_hook():
    gate = Gate()

    def hook(self: Any) -> Any:
        gate.wait()
        return lambda request: None

    send_through(gate, type("V", (Async,), {"check_permissions": property(hook)}))


CLASS_ATTRIBUTES: dict[str, Any] = {
    "authentication_classes": [],
    "content_negotiation_class": negotiation.DefaultContentNegotiation,
    "http_method_names": ["get", "options"],
    "parser_classes": [parsers.JSONParser],
    "permission_classes": [permissions.AllowAny],
    "renderer_classes": [renderers.JSONRenderer],
    "serializer_class": Rows,
    "throttle_classes": [],
    "versioning_class": None,
}


@pytest.mark.parametrize("name", CLASS_ATTRIBUTES)
def test_an_attribute_that_the_class_computes_is_read_in_the_thread(name: str) -> None:
    places = []

    def compute(cls: type) -> Any:
        if serving:
            places.append(here())
        return CLASS_ATTRIBUTES[name]

    class Computed(AsyncAPIView):
        serializer_class: Any = Rows

        async def get(self, request):
            return await self.aserialized_response({"n": 1})

    serving = False
    setattr(Computed, name, classproperty(compute))
    with Site({"x/": Computed.as_view()}) as site:
        serving = True
        assert asyncio.run(site.asend("GET", "/x/")).status == 200
        assert asyncio.run(site.asend("GET", "/x/")).status == 200
    assert set(places) == {"thread"}
