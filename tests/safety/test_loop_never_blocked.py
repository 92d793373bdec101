"""Sync code of every kind waits for what only a coroutine on the same loop does: the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import datetime
import functools
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from django.http import HttpResponse
from django.template import engines
from django.utils.functional import SimpleLazyObject, classproperty, lazy
from rest_framework import (
    authentication,
    metadata,
    negotiation,
    pagination,
    parsers,
    permissions,
    renderers,
    serializers,
    throttling,
    versioning,
)
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.response import Response

from restflow import permissions as restflow_permissions
from restflow.request import Request
from restflow.responses import Response as RestflowResponse
from restflow.views import APIView, AsyncAPIView, PostFetch
from tests.matrix import each_value, some
from tests.safety.hooks import HOOKS, AsyncHandlers, Deny, SyncHandlers, written
from tests.safety.support import Gate, here, through
from tests.site import Answer, Site


def send_through(gate: Gate, view: type, method: str = "GET", data: Any = None, **options: Any) -> Answer:
    """Send a request whose sync code waits at ``gate``, which a task on the same loop opens."""
    settings = options.pop("settings", {})
    with Site({"x/": view.as_view()}, **settings) as site:
        return asyncio.run(through(gate, lambda: site.asend(method, "/x/", data, **options)))


def passed(gate: Gate) -> None:
    assert gate.places, "the component was not called"
    assert set(gate.places) == {"thread"}
    assert gate.opened.is_set()


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

Case = tuple[Callable[[Gate], dict[str, Any]], dict[str, Any]]
CASES: dict[str, Case] = {}


def case(name: str, **sent: Any) -> Any:
    def register(attributes: Callable[[Gate], dict[str, Any]]) -> Any:
        CASES[name] = (attributes, sent)
        return attributes

    return register


@case("authentication")
def _(gate):
    class Waiting(authentication.BaseAuthentication):
        def authenticate(self, request):
            gate.wait()

    return {"authentication_classes": [Waiting]}


@case("authenticate_header", expected=401)
def _(gate):
    class Waiting(authentication.BaseAuthentication):
        def authenticate(self, request):
            raise AuthenticationFailed

        def authenticate_header(self, request):
            gate.wait()
            return "Token"

    return {"authentication_classes": [Waiting]}


@case("a credentials check of DRF's", headers={"authorization": "Basic dTpw"})
def _(gate):
    class Waiting(authentication.BasicAuthentication):
        def authenticate_credentials(self, userid, password, request=None):
            gate.wait()
            return None, None

    return {"authentication_classes": [Waiting]}


@case("permission")
def _(gate):
    class Waiting(permissions.BasePermission):
        def has_permission(self, request, view):
            gate.wait()
            return True

    return {"permission_classes": [Waiting]}


@case("permission of ours")
def _(gate):
    class Waiting(restflow_permissions.IsAuthenticatedOrReadOnly):
        def has_permission(self, request, view):
            gate.wait()
            return super().has_permission(request, view)

    return {"permission_classes": [Waiting]}


@case("composed permission")
def _(gate):
    class Waiting(permissions.BasePermission):
        def has_permission(self, request, view):
            gate.wait()
            return False

    return {"permission_classes": [~(permissions.AllowAny & Waiting)]}


@case("a permission's __init__")
def _(gate):
    class Waiting(permissions.BasePermission):
        def __init__(self):
            gate.wait()

    return {"permission_classes": [permissions.AllowAny, Waiting | permissions.AllowAny]}


@case("throttle")
def _(gate):
    class Waiting(throttling.BaseThrottle):
        def allow_request(self, request, view):
            gate.wait()
            return True

    return {"throttle_classes": [Waiting]}


@case("throttle's wait", expected=429)
def _(gate):
    class Waiting(throttling.BaseThrottle):
        def allow_request(self, request, view):
            return False

        def wait(self):
            gate.wait()
            return 1

    return {"throttle_classes": [Waiting]}


@case("a throttle's cache key")
def _(gate):
    class Waiting(throttling.SimpleRateThrottle):
        rate = "1/s"

        def get_cache_key(self, request, view):
            gate.wait()

    return {"throttle_classes": [Waiting]}


@case("versioning")
def _(gate):
    class Waiting(versioning.BaseVersioning):
        def determine_version(self, request, *args, **kwargs):
            gate.wait()

    return {"versioning_class": Waiting}


@case("a hook of DRF's versioning")
def _(gate):
    class Waiting(versioning.QueryParameterVersioning):
        def is_allowed_version(self, version):
            gate.wait()
            return True

    return {"versioning_class": Waiting}


@case("content negotiation")
def _(gate):
    class Waiting(negotiation.DefaultContentNegotiation):
        def select_renderer(self, request, renderers, format_suffix=None):
            gate.wait()
            return super().select_renderer(request, renderers, format_suffix)

    return {"content_negotiation_class": Waiting}


@case("a hook of DRF's content negotiation")
def _(gate):
    class Waiting(negotiation.DefaultContentNegotiation):
        def get_accept_list(self, request):
            gate.wait()
            return ["*/*"]

    return {"content_negotiation_class": Waiting}


@case("metadata", method="OPTIONS")
def _(gate):
    class Waiting(metadata.SimpleMetadata):
        def determine_metadata(self, request, view):
            gate.wait()
            return {}

    return {"metadata_class": Waiting}


@case("metadata's choices", method="OPTIONS")
def _(gate):
    class Choosing(serializers.Serializer):
        def get_fields(self):
            gate.wait()
            return {}

    return {"serializer_class": Choosing}


@case("a metadata class's __init__", method="OPTIONS")
def _(gate):
    class Waiting(metadata.SimpleMetadata):
        def __init__(self):
            gate.wait()

    return {"metadata_class": Waiting}


@case("exception handler", expected=418)
def _(gate):
    def waiting(exc, context):
        gate.wait()
        return Response({}, status=418)

    return {"permission_classes": [Deny], "get_exception_handler": lambda self: waiting}


@case("exception handler of the settings", expected=418)
def _(gate):
    def waiting(exc, context):
        gate.wait()
        return Response({}, status=418)

    class Settings:
        EXCEPTION_HANDLER = staticmethod(waiting)
        FORMAT_SUFFIX_KWARG = None

    return {"permission_classes": [Deny], "settings": Settings}


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


@case("parser", method="POST", data={"n": 1})
def _(gate):
    class Waiting(parsers.JSONParser):
        def parse(self, stream, media_type=None, parser_context=None):
            gate.wait()
            return super().parse(stream, media_type, parser_context)

    return {"parser_classes": [Waiting], "serializer_class": Saved}


@case("a sync handler", method="PUT")
def _(gate):
    def put(self, request):
        gate.wait()
        return Response({})

    return {"put": put}


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


class Saved(Rows):
    def create(self, validated_data):
        return validated_data


@case("a serializer's validation", method="POST", data={"n": 1})
def _(gate):
    class Waiting(Saved):
        def validate_n(self, value):
            gate.wait()
            return value

    return {"serializer_class": Waiting}


@case("a serializer's save", method="POST", data={"n": 1})
def _(gate):
    class Waiting(Rows):
        def create(self, validated_data):
            gate.wait()
            return validated_data

    return {"serializer_class": Waiting}


@case("a serializer's __init__", method="POST", data={"n": 1})
def _(gate):
    class Waiting(Saved):
        def __init__(self, *args, **kwargs):
            gate.wait()
            super().__init__(*args, **kwargs)

    return {"serializer_class": Waiting}


def responding(sync_call: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Handlers that answer through a helper, each by its own colour of it."""

    def get(self: Any, request: Any) -> Any:
        return getattr(self, sync_call)(*args, **kwargs)

    async def async_get(self: Any, request: Any) -> Any:
        return await getattr(self, f"a{sync_call}")(*args, **kwargs)

    return {"get": get, "async get": async_get}


@case("a serializer's representation")
def _(gate):
    class Waiting(Rows):
        def to_representation(self, instance):
            gate.wait()
            return super().to_representation(instance)

    return {"serializer_class": Waiting, **responding("serialized_response", {"n": 1})}


@case("a paginator")
def _(gate):
    class Waiting(pagination.PageNumberPagination):
        page_size = 1

        def paginate_queryset(self, *args, **kwargs):
            gate.wait()
            return super().paginate_queryset(*args, **kwargs)

    return {"pagination_class": Waiting, **responding("paginated_response", [{"n": 1}])}


@case("a paginator's response")
def _(gate):
    class Waiting(pagination.PageNumberPagination):
        page_size = 1

        def get_paginated_response(self, data):
            gate.wait()
            return super().get_paginated_response(data)

    return {"pagination_class": Waiting, **responding("paginated_response", [{"n": 1}])}


@case("a lazy sequence")
def _(gate):
    class Lazy:
        def __iter__(self):
            gate.wait()
            return iter([{"n": 1}])

    return responding("paginated_response", Lazy())


@case("a PostFetch")
def _(gate):
    class Waiting(PostFetch):
        def __init__(self):
            pass

        def fetch(self, items):
            gate.wait()
            return items

    return responding("serialized_response", [{"n": 1}], many=True, post_fetches=[Waiting()])


def run_case(gate: Gate, view: type, attributes: dict[str, Any], sent: dict[str, Any]) -> Answer:
    async_get = attributes.pop("async get", None)
    if async_get is not None and view is Async:
        attributes["get"] = async_get
    sent = dict(sent)
    return send_through(gate, type("V", (view,), attributes), sent.pop("method", "GET"), **sent)


@pytest.mark.parametrize(
    ("name", "view"), [*product(CASES, ["async"]), *some(product(CASES, ["async, sync handlers", "sync"]))]
)
def test_the_loop_goes_on_while_this_waits(view, name):
    gate = Gate()
    make, sent = CASES[name]
    expected = sent.get("expected", 200)
    answer = run_case(gate, VIEWS[view], make(gate), {key: value for key, value in sent.items() if key != "expected"})
    passed(gate)
    assert answer.status == expected


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
    answer = send_through(gate, cls, hook.method, hook.data)
    passed(gate)
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


# Properties, set-up and parsers; and where the loop is knowingly left to block.


def limit(reason: str) -> Any:
    return pytest.mark.xfail(strict=True, reason=f"LIMIT: {reason}")


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
def test_the_loop_goes_on_while_a_property_waits(name):
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
    passed(gate)


def test_the_loop_goes_on_while_a_versioning_scheme_is_made():
    gate = Gate()

    class Waiting(versioning.BaseVersioning):
        def __init__(self):
            gate.wait()

        def determine_version(self, request, *args, **kwargs):
            return None

    send_through(gate, type("V", (Async,), {"versioning_class": Waiting}))
    passed(gate)


@pytest.mark.parametrize("name", ["setup", "__init__"])
def test_the_loop_goes_on_while_a_view_is_set_up(name):
    gate = Gate()

    def waiting(self: Any, *args: Any, **kwargs: Any) -> None:
        getattr(super(cls, self), name)(*args, **kwargs)
        gate.wait()

    cls = type("V", (Async,), {name: waiting})
    assert cls.as_view()
    send_through(gate, cls)
    passed(gate)


@pytest.mark.parametrize("name", ["message", "code"])
@pytest.mark.parametrize("kind", ["async", "IsAuthenticated"])
def test_the_loop_goes_on_while_a_permissions_message_is_made(kind, name):
    gate = Gate()

    class Refusing(restflow_permissions.BasePermission):
        async def has_permission(self, request, view):
            return False

    def waiting(self: Any) -> str:
        gate.wait()
        return "no"

    base = Refusing if kind == "async" else permissions.IsAuthenticated
    permission = type("P", (base,), {name: property(waiting)})
    send_through(gate, type("V", (Async,), {"permission_classes": [permission]}))
    passed(gate)


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
    passed(gate)


def test_the_loop_goes_on_while_a_body_is_parsed_for_a_decorated_async_handler():
    gate = Gate()

    def decorator(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    class View(AsyncAPIView):
        parser_classes = [type("Parser", (WaitingParser,), {"gate": gate})]

        @decorator
        async def post(self, request):
            return Response(request.data)

    send_through(gate, View, "POST", {"n": 1})
    passed(gate)


@limit("an async handler behind a wrapper without functools.wraps parses the body on the loop")
def test_the_loop_goes_on_while_a_body_is_parsed_for_an_async_handler_in_a_plain_wrapper():
    gate = Gate()

    def decorator(function: Any) -> Any:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    class View(AsyncAPIView):
        parser_classes = [type("Parser", (WaitingParser,), {"gate": gate})]

        @decorator
        async def post(self, request):
            return Response(request.data)

    send_through(gate, View, "POST", {"n": 1})
    passed(gate)


@pytest.mark.parametrize("name", ["render", "get_indent"])
def test_the_loop_goes_on_while_a_method_set_on_a_renderer_waits(name):
    gate = Gate()

    def get_renderers(self: Any) -> Any:
        renderer = renderers.JSONRenderer()
        inner = getattr(renderer, name)
        setattr(renderer, name, lambda *args, **kwargs: gate.wait() or inner(*args, **kwargs))
        return [renderer]

    send_through(gate, type("V", (Async,), {"get_renderers": get_renderers}))
    passed(gate)


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
    passed(gate)


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
    passed(gate)


def test_the_loop_goes_on_while_a_lazy_object_is_rendered_with_indents():
    gate = Gate()

    class View(AsyncAPIView):
        async def get(self, request):
            return Response({"x": SimpleLazyObject(lambda: gate.wait() or datetime.date.max)})

    answer = send_through(gate, View, headers={"accept": "application/json; indent=4"})
    assert answer.body == b'{\n    "x": "9999-12-31"\n}'
    passed(gate)


def test_the_loop_goes_on_while_a_property_gives_a_hook():
    gate = Gate()

    def hook(self: Any) -> Any:
        gate.wait()
        return lambda request: None

    send_through(gate, type("V", (Async,), {"check_permissions": property(hook)}))
    passed(gate)


def test_the_loop_goes_on_while_a_dispatch_set_on_the_instance_waits():
    gate = Gate()

    def setup(self: Any, *args: Any, **kwargs: Any) -> None:
        super(cls, self).setup(*args, **kwargs)
        self.dispatch = lambda request: gate.wait() or HttpResponse()

    cls = type("V", (Async,), {"setup": setup})
    send_through(gate, cls)
    passed(gate)


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
