"""``api_view`` on sync and async functions: DRF's answers, DRF's policies, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.test import RequestFactory
from rest_framework import decorators as drf
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.metadata import BaseMetadata
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import FormParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.schemas import AutoSchema
from rest_framework.throttling import BaseThrottle
from rest_framework.versioning import QueryParameterVersioning

from restflow.views import APIView, AsyncAPIView, action, api_view
from tests.colours import alike
from tests.matrix import each_pair
from tests.parity.harness import ASGI, OVER, WSGI, Answer, Ask
from tests.site import Site

HTML = {"accept": "text/html"}
SYNC, ASYNC = "sync", "async"


def written(colour: str, body: Callable[..., Any], policies: Any = ()) -> Any:
    """``body`` as a function view in a colour: ``"drf"`` is DRF's own."""

    def echo(request: Any, *args: Any, **kwargs: Any) -> Any:
        """Says what *it* was told."""
        return body(request, *args, **kwargs)

    async def aecho(request: Any, *args: Any, **kwargs: Any) -> Any:
        """Says what *it* was told."""
        return body(request, *args, **kwargs)

    function: Any = aecho if colour == ASYNC else echo
    function.__name__ = "echo"
    for policy in policies:
        function = policy(function)
    return function


def made(colour: str, names: Any, body: Callable[..., Any], policies: Any = ()) -> Any:
    decorator = drf.api_view if colour == "drf" else api_view
    return decorator(*names)(written(colour, body, policies))


def told(request: Any, *args: Any, **kwargs: Any) -> Response:
    return Response({"method": request.method, "data": request.data, "kwargs": kwargs, "version": request.version})


class Deny(BasePermission):
    message = "no entry"

    def has_permission(self, request, view):
        return False


class BadToken(BaseAuthentication):
    def authenticate(self, request):
        raise exceptions.AuthenticationFailed("bad token")

    def authenticate_header(self, request):
        return "Token"


class Limit(BaseThrottle):
    def allow_request(self, request, view):
        return False

    def wait(self):
        return 7


class Scoped(BaseThrottle):
    def allow_request(self, request, view):
        return view.throttle_scope != "narrow"


class Shout(JSONRenderer):
    media_type = "text/shout"
    format = "shout"

    def render(self, *args, **kwargs):
        return super().render(*args, **kwargs).upper()


class FirstAlways(BaseContentNegotiation):
    def select_parser(self, request, parsers):
        return parsers[0]

    def select_renderer(self, request, renderers, format_suffix=None):
        return Shout(), "text/shout"


class Metadata(BaseMetadata):
    def determine_metadata(self, request, view):
        return {"view": view.get_view_name()}


def fails(request: Any, *args: Any, **kwargs: Any) -> Any:
    raise exceptions.ValidationError({"name": ["wrong"]})


def no_response(request: Any, *args: Any, **kwargs: Any) -> Any:
    return {"not": "a response"}


CASES: dict[str, tuple[Any, Any, Any]] = {
    "no methods named": ((), told, ()),
    "several methods": ((["GET", "POST", "DELETE"],), told, ()),
    "lower case": ((("get", "patch"),), told, ()),
    "no method at all": (([],), told, ()),
    "an error": ((["GET", "POST"],), fails, ()),
    "no response": (((["GET"]),), no_response, ()),
    "permissions": ((), told, [drf.permission_classes([Deny])]),
    "authentication": ((), told, [drf.authentication_classes([BadToken]), drf.permission_classes([Deny])]),
    "throttles": ((), told, [drf.throttle_classes([Limit])]),
    "a throttle scope": ((), told, [drf.throttle_classes([Scoped]), drf.throttle_scope("narrow")]),
    "renderers": ((), told, [drf.renderer_classes([Shout, BrowsableAPIRenderer])]),
    "parsers": ((["POST"],), told, [drf.parser_classes([FormParser])]),
    "negotiation": ((), told, [drf.content_negotiation_class(FirstAlways)]),
    "metadata": ((), told, [drf.metadata_class(Metadata)]),
    "no metadata": ((), told, [drf.metadata_class(None)]),
    "versioning": ((), told, [drf.versioning_class(QueryParameterVersioning)]),
    "all at once": (
        (["GET", "PUT"],),
        told,
        [drf.permission_classes([]), drf.throttle_classes([]), drf.renderer_classes([JSONRenderer, Shout])],
    ),
}
ASKS = [
    *(Ask(method) for method in ("GET", "HEAD", "OPTIONS", "DELETE", "TRACE")),
    *(Ask(method, data={"n": 1}) for method in ("POST", "PUT", "PATCH")),
    Ask("POST", body=b"n=1&n=2", headers={"content-type": "application/x-www-form-urlencoded"}),
    Ask("POST", body=b"{", headers={"content-type": "application/json"}),
    Ask("GET", headers=HTML),
    Ask("POST", data={"n": 1}, headers=HTML),
    Ask("OPTIONS", headers=HTML),
    Ask("GET", "/?format=shout"),
    Ask("GET", "/?version=2"),
    Ask("GET", headers={"accept": "application/xml"}),
]


def answers(colour: str, case: str, transport: str) -> list[Answer]:
    with Site({"": made(colour, *CASES[case])}) as site:
        return [OVER[transport](site, ask) for ask in ASKS]


@each_pair
@pytest.mark.parametrize("transport", [ASGI, WSGI])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("colour", [SYNC, ASYNC])
def test_a_function_view_answers_as_drfs(colour: str, case: str, transport: str) -> None:
    alike(ASKS, answers(colour, case, transport), answers("drf", case, transport))


@pytest.mark.parametrize("colour", [SYNC, ASYNC])
def test_a_function_view_is_an_apiview_of_its_colour(colour: str) -> None:
    view = made(colour, (["GET"],), told)
    theirs = made("drf", (["GET"],), told)
    assert iscoroutinefunction(view) is (colour == ASYNC)
    assert issubclass(view.cls, AsyncAPIView if colour == ASYNC else APIView)
    assert issubclass(view.cls, AsyncAPIView) is (colour == ASYNC)
    assert [view.__name__, view.__doc__, view.__module__] == [theirs.__name__, theirs.__doc__, theirs.__module__]
    assert [view.cls.__name__, view.cls.__doc__] == [theirs.cls.__name__, theirs.cls.__doc__]
    assert (view.initkwargs, view.csrf_exempt) == (theirs.initkwargs, True)
    assert sorted(view.cls.http_method_names) == sorted(theirs.cls.http_method_names)


@pytest.mark.parametrize("colour", [SYNC, ASYNC])
def test_the_schema_of_a_function_view_is_its_own(colour: str) -> None:
    schema = AutoSchema()
    view = made(colour, (["GET"],), told, [drf.schema(schema)])
    assert view.cls.__dict__["schema"] is schema


@pytest.mark.parametrize("colour", [SYNC, ASYNC])
def test_arguments_of_the_url_reach_the_function(colour: str) -> None:
    with Site({"<int:pk>/<slug:name>/": made(colour, (), told)}) as site:
        assert site.send("GET", "/7/emma/").json()["kwargs"] == {"pk": 7, "name": "emma"}


POLICIES = [
    drf.renderer_classes,
    drf.parser_classes,
    drf.authentication_classes,
    drf.throttle_classes,
    drf.throttle_scope,
    drf.permission_classes,
    drf.content_negotiation_class,
    drf.metadata_class,
    drf.versioning_class,
    drf.schema,
]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("colour", [SYNC, ASYNC])
def test_a_policy_above_api_view_is_refused(colour: str, policy: Any) -> None:
    with pytest.raises(TypeError, match=rf"@{policy.__name__} must come after \(below\) the @api_view decorator"):
        policy([])(made(colour, (), told))


@pytest.mark.parametrize("colour", [SYNC, ASYNC])
def test_methods_that_are_left_out_or_no_list_are_refused(colour: str) -> None:
    with pytest.raises(AssertionError, match="missing list of allowed HTTP methods"):
        api_view(written(colour, told))(written(colour, told))  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="expected a list of strings, received str"):
        api_view("GET")(written(colour, told))


def test_an_async_function_that_never_blocks_costs_no_hop() -> None:
    with Site({"": made(ASYNC, (["GET", "POST"],), told)}) as site:
        assert site.send("GET", "/").hops == 0
        assert site.send("POST", "/", {"n": 1}).hops == 0


@pytest.mark.parametrize("around", [partial, lambda function: type("Callable", (), {"__call__": function})()])
def test_a_callable_that_is_async_inside_is_awaited(around: Any) -> None:
    if around is partial:

        async def view(self: Any, request: Any) -> Response:
            return Response({"self": self})

        made_by: Any = partial(view, 1)
    else:

        async def call(self: Any, request: Any) -> Response:
            return Response({"self": 1})

        made_by = around(call)
    made_by.__name__ = "view"
    with Site({"": api_view()(made_by)}) as site:
        assert site.send("GET", "/").json() == {"self": 1}


def test_a_sync_function_that_gives_a_coroutine_is_never_taken_for_a_response() -> None:
    async def inner(request: Any) -> Response:
        """Says."""
        return Response({"inner": True})

    @wraps(inner)
    def view(request: Any) -> Any:
        return inner(request)

    made_by = api_view()(drf.permission_classes([])(view))
    assert not iscoroutinefunction(made_by)
    assert (made_by.cls.__name__, made_by.__doc__, made_by.cls.permission_classes) == ("inner", "Says.", [])
    with Site({"": made_by}) as site:
        assert site.send("GET", "/").json() == {"inner": True}

    async def on_the_loop() -> None:
        with pytest.raises(RuntimeError, match="the loop would wait for itself"):
            made_by(RequestFactory().get("/"))

    asyncio.run(on_the_loop())


def test_action_is_drfs() -> None:
    assert action is drf.action
