"""The loop goes on while a response is rendered by sync code that waits, or from lazy data."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.template import engines
from django.utils.functional import SimpleLazyObject, lazy
from rest_framework import renderers
from rest_framework.response import Response

from restflow.responses import Response as RestflowResponse
from restflow.views import AsyncAPIView
from tests.safety.support import Gate
from tests.safety.waiting import Async, Cases, send_through

CASES = Cases()
case = CASES.add


@case("renderer")
def _(gate):
    class Waiting(renderers.JSONRenderer):
        def render(self, data, accepted_media_type=None, renderer_context=None):
            gate.wait()
            return b"{}"

    return {"renderer_classes": [Waiting]}


@case("a hook of DRF's renderer")
def _(gate):
    class Waiting(renderers.JSONRenderer):
        def get_indent(self, accepted_media_type, renderer_context):
            gate.wait()

    return {"renderer_classes": [Waiting]}


@case("an encoder")
def _(gate):
    from rest_framework.utils.encoders import JSONEncoder

    class Encoder(JSONEncoder):
        def default(self, obj):
            gate.wait()
            return "x"

    class Own(renderers.JSONRenderer):
        encoder_class = Encoder

    return {"renderer_classes": [Own], "get": lambda self, request: Response({"x": object()})}


@case("browsable API", headers={"accept": "text/html"})
def _(gate):
    class Waiting(renderers.BrowsableAPIRenderer):
        def get_context(self, *args, **kwargs):
            gate.wait()
            return super().get_context(*args, **kwargs)

    return {"renderer_classes": [Waiting], "authentication_classes": []}


@case("a template")
def _(gate):
    template = engines["django"].from_string("{{ wait }}")

    class Waiting(renderers.TemplateHTMLRenderer):
        def resolve_template(self, names):
            return template

    def get(self, request):
        return Response({"wait": lambda: gate.wait() or "x"}, template_name="x.html")

    return {"renderer_classes": [Waiting], "get": get}


@case("a generator in the data")
def _(gate):
    def rows():
        gate.wait()
        yield 1

    return {"get": lambda self, request: Response(rows())}


@case("a post-render callback")
def _(gate):
    def get(self, request):
        response = Response({})
        response.add_post_render_callback(lambda response: gate.wait())
        return response

    return {"get": get}


@case("a render of the response's own")
def _(gate):
    class Own(RestflowResponse):
        def render(self):
            gate.wait()
            return super().render()

    return {"get": lambda self, request: Own({})}


@CASES.on_views()
def test_the_loop_goes_on_while_a_renderer_or_its_data_waits(name, view):
    CASES.check(name, view)


@pytest.mark.parametrize("name", ["render", "get_indent"])
def test_the_loop_goes_on_while_a_method_set_on_a_renderer_waits(name):
    gate = Gate()

    def get_renderers(self: Any) -> Any:
        renderer = renderers.JSONRenderer()
        inner = getattr(renderer, name)
        setattr(renderer, name, lambda *args, **kwargs: gate.wait() or inner(*args, **kwargs))
        return [renderer]

    send_through(gate, type("V", (Async,), {"get_renderers": get_renderers}))


class LazyItems(dict):
    gate: Gate

    def items(self):
        self.gate.wait()
        return super().items()


class LazyRows(list):
    gate: Gate

    def __iter__(self):
        self.gate.wait()
        return super().__iter__()


@pytest.mark.parametrize(
    "data",
    [
        lambda gate: {"x": lazy(lambda: gate.wait() or "x", str)()},
        lambda gate: {"x": SimpleLazyObject(lambda: gate.wait() or datetime.date.max)},
        lambda gate: type("Items", (LazyItems,), {"gate": gate})(x=1),
        lambda gate: [type("Rows", (LazyRows,), {"gate": gate})([1])],
    ],
    ids=["lazy string", "SimpleLazyObject", "dict with items of its own", "list with an iteration of its own"],
)
def test_the_loop_goes_on_while_lazy_data_is_rendered(data):
    gate = Gate()

    class View(AsyncAPIView):
        async def get(self, request):
            return Response(data(gate))

    send_through(gate, View)


def test_the_loop_goes_on_while_a_lazy_object_is_rendered_with_indents():
    gate = Gate()

    class View(AsyncAPIView):
        async def get(self, request):
            return Response({"x": SimpleLazyObject(lambda: gate.wait() or datetime.date.max)})

    answer = send_through(gate, View, headers={"accept": "application/json; indent=4"})
    assert answer.body == b'{\n    "x": "9999-12-31"\n}'
