"""Every hook of a view: an override of it that shows in a response, and a view and request that come to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpResponse
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.pagination import PageNumberPagination
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from restflow.request import Request
from restflow.views import APIView, AsyncAPIView
from tests.safety.support import Refused
from tests.site import Answer


class Deny(BasePermission):
    def has_permission(self, request, view):
        return False


class DenyObject(BasePermission):
    def has_object_permission(self, request, view, obj):
        return False


class Limit(BaseThrottle):
    def allow_request(self, request, view):
        return False

    def wait(self):
        return 7


class BadToken(BaseAuthentication):
    def authenticate(self, request):
        raise AuthenticationFailed

    def authenticate_header(self, request):
        return "Token"


class MarkedParser(BaseParser):
    media_type = "application/json"

    def parse(self, stream, media_type=None, parser_context=None):
        return {"marked": True}


class ContextParser(BaseParser):
    media_type = "application/json"

    def parse(self, stream, media_type=None, parser_context=None):
        return {"marked": "marked" in parser_context}


class MarkedRenderer(JSONRenderer):
    media_type = "text/marked"


class MarkedNegotiation(BaseContentNegotiation):
    def select_parser(self, request, parsers):
        return parsers[0]

    def select_renderer(self, request, renderers, format_suffix=None):
        return MarkedRenderer(), "text/marked"


class Plain(serializers.Serializer):
    n = serializers.IntegerField()

    def to_representation(self, instance):
        return {**super().to_representation(instance), "marked": "marked" in self.context}


class Marked(serializers.Serializer):
    n = serializers.IntegerField()

    def to_representation(self, instance):
        return {"marked": True}


class MarkedPagination(PageNumberPagination):
    page_size = 1

    def get_paginated_response(self, data):
        return Response({"marked": True})


def context_handler(exc, context):
    return Response({}, status=418 if "marked" in context else 400)


def no_handler(exc, context):
    return None


# Views of each colour, whose handlers show what the hooks gave them.


class SyncHandlers:
    serializer_class = Plain

    def get(self, request, *args, **kwargs):
        return Response({"version": request.version, "marked": hasattr(request, "marked")})

    def post(self, request, *args, **kwargs):
        return Response(request.data)


class AsyncHandlers:
    serializer_class = Plain

    async def get(self, request, *args, **kwargs):
        return Response({"version": request.version, "marked": hasattr(request, "marked")})

    async def post(self, request, *args, **kwargs):
        return Response(request.data)


class SyncView(SyncHandlers, APIView):
    pass


class AsyncView(AsyncHandlers, AsyncAPIView):
    pass


class SyncHandlersOnAsyncView(SyncHandlers, AsyncAPIView):
    pass


VIEWS = {"async": AsyncView, "async, sync handlers": SyncHandlersOnAsyncView, "sync": SyncView}


# Effects: what an override does in place of the hook.


def refuse(view: Any, *args: Any, **kwargs: Any) -> Any:
    raise Refused


def teapot(view: Any, *args: Any, **kwargs: Any) -> Any:
    return HttpResponse(status=418)


def missing(view: Any, *args: Any, **kwargs: Any) -> Any:
    raise Http404


def giving(value: Any) -> Callable[..., Any]:
    def effect(view: Any, *args: Any, **kwargs: Any) -> Any:
        return value() if isinstance(value, type) else value

    return effect


def marked_request(view: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
    made = Request(request, parsers=[JSONParser()], authenticators=[], negotiator=DefaultContentNegotiation())
    made.marked = True
    return made


def marked_serializer(view: Any, *args: Any, **kwargs: Any) -> Any:
    kwargs = {key: value for key, value in kwargs.items() if key in {"data", "many"}}
    return Marked(*args, **kwargs)


def marked_context(view: Any, *args: Any) -> Any:
    return {"request": view.request, "view": view, "marked": True, "kwargs": {}}


def marked_valid(view: Any, **kwargs: Any) -> Any:
    serializer = Marked({"n": 5})
    serializer.is_valid = lambda **kwargs: True
    return serializer


# What shows in the response.


def status(code: int) -> Callable[[Answer], bool]:
    return lambda answer: answer.status == code


is_teapot = status(418)


def in_body(answer: Answer) -> bool:
    return b'"marked":true' in answer.body


# Handlers that come to a hook of the helpers or to the object permissions.


def through_handler(method: str, sync_call: Callable[..., Any], async_call: Callable[..., Any]) -> dict[str, Any]:
    def sync_handler(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        return sync_call(self, request)

    async def async_handler(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        return await async_call(self, request)

    return {"handlers": (method, sync_handler, async_handler)}


async def _checked_async(view, request):
    await view.acheck_object_permissions(request, object())
    return Response({})


def _checked(view, request):
    view.check_object_permissions(request, object())
    return Response({})


async def _valid_async(view, request):
    return Response((await view.avalidated_serializer()).data)


def _serialized(view, request):
    return view.serialized_response({"n": 1})


SERIALIZED = through_handler("get", _serialized, lambda view, request: view.aserialized_response({"n": 1}))
FETCHED = through_handler(
    "get",
    lambda view, request: view.serialized_response({"n": 1}, post_fetches=[]),
    lambda view, request: view.aserialized_response({"n": 1}, post_fetches=[]),
)
PAGINATED = through_handler(
    "get",
    lambda view, request: view.paginated_response([{"n": 1}]),
    lambda view, request: view.apaginated_response([{"n": 1}]),
)
VALIDATED = through_handler("post", lambda view, request: Response(view.validated_serializer().data), _valid_async)
CHECKED = through_handler("get", _checked, _checked_async)


def _failing(view, request):
    raise SuspiciousOperation


async def _failing_async(view, request):
    raise SuspiciousOperation


def _refused(view, request):
    raise Refused


async def _refused_async(view, request):
    raise Refused


FAILING = through_handler("get", _failing, _failing_async)
REFUSED = through_handler("get", _refused, _refused_async)


@dataclass
class Hook:
    """A hook of a view, and how an override of it shows.

    ``arguments`` are those of a direct call from a handler, by name of what the view has: ``"request"`` is its request.
    """

    name: str
    effect: Callable[..., Any] = refuse
    seen: Callable[[Answer], bool] = is_teapot
    method: str = "GET"
    data: Any = None
    attributes: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    arguments: Callable[[Any, Any], tuple[Any, ...]] = lambda view, request: ()
    keywords: dict[str, Any] = field(default_factory=dict)
    handlers: tuple[Any, ...] = ()
    twin: bool = True

    def view(self, colour: str) -> type:
        """A view of ``colour`` that comes to this hook."""
        base = VIEWS[colour]
        attributes = dict(self.attributes)
        if self.handlers:
            method, sync_handler, async_handler = self.handlers
            attributes[method] = async_handler if colour == "async" else sync_handler
        return type("View", (base,), attributes)

    def __str__(self) -> str:
        return self.name


def _request(view: Any, request: Any) -> tuple[Any, ...]:
    return (request,)


def _http_request(view: Any, request: Any) -> tuple[Any, ...]:
    return (request._request,)


def _response(view: Any, request: Any) -> tuple[Any, ...]:
    return (request, Response({}))


def _error(view: Any, request: Any) -> tuple[Any, ...]:
    return (Refused(),)


JSON = {"n": 1}
CONTEXT_PARSER = {"parser_classes": [ContextParser]}

HOOKS = [
    Hook("initial", arguments=_request),
    Hook("perform_authentication", arguments=_request),
    Hook("check_permissions", arguments=_request),
    Hook("check_throttles", arguments=_request),
    Hook("check_object_permissions", arguments=lambda view, request: (request, object()), **CHECKED),
    Hook("handle_exception", teapot, attributes={"permission_classes": [Deny]}, arguments=_error),
    Hook("finalize_response", teapot, arguments=_response),
    Hook("initialize_request", marked_request, in_body, arguments=_http_request),
    Hook(
        "perform_content_negotiation",
        lambda view, *args, **kwargs: (MarkedRenderer(), "text/marked"),
        lambda answer: answer.headers["Content-Type"] == "text/marked",
        arguments=_request,
    ),
    Hook(
        "determine_version",
        giving(("marked", None)),
        lambda answer: answer.json()["version"] == "marked",
        arguments=_request,
    ),
    Hook("permission_denied", attributes={"permission_classes": [Deny]}, arguments=_request),
    Hook("throttled", attributes={"throttle_classes": [Limit]}, arguments=lambda view, request: (request, 1)),
    Hook("http_method_not_allowed", teapot, method="DELETE", arguments=_request),
    Hook(
        "get_authenticate_header",
        giving("Marked"),
        lambda answer: answer.headers.get("WWW-Authenticate") == "Marked",
        attributes={"authentication_classes": [BadToken]},
        arguments=_request,
    ),
    Hook("get_authenticators", lambda view: [BadToken()], status(401)),
    Hook("get_permissions", lambda view: [Deny()], status(403)),
    Hook("get_throttles", lambda view: [Limit()], status(429)),
    Hook(
        "get_renderers",
        lambda view: [MarkedRenderer()],
        lambda answer: answer.headers["Content-Type"] == "text/marked",
    ),
    Hook("get_parsers", lambda view: [MarkedParser()], in_body, method="POST", data=JSON),
    Hook(
        "get_content_negotiator",
        giving(MarkedNegotiation),
        lambda answer: answer.headers["Content-Type"] == "text/marked",
    ),
    Hook(
        "get_exception_handler",
        giving(context_handler),
        status(400),
        attributes={"permission_classes": [Deny]},
    ),
    Hook(
        "get_exception_handler_context",
        giving({"marked": True}),
        attributes={"permission_classes": [Deny], "get_exception_handler": lambda view: context_handler},
    ),
    Hook(
        "get_parser_context",
        marked_context,
        in_body,
        method="POST",
        data=JSON,
        attributes=CONTEXT_PARSER | {"request": None},
        arguments=_http_request,
    ),
    Hook("get_renderer_context", giving({"indent": 7}), lambda answer: b"\n       " in answer.body),
    Hook("get_format_suffix", giving("marked"), status(404)),
    Hook(
        "raise_uncaught_exception",
        missing,
        status(404),
        attributes={"get_exception_handler": lambda view: no_handler},
        arguments=_error,
        **FAILING,
    ),
    Hook("get_view_name", giving("marked"), lambda answer: answer.json()["name"] == "marked", method="OPTIONS"),
    Hook(
        "get_view_description",
        giving("marked"),
        lambda answer: answer.json()["description"] == "marked",
        method="OPTIONS",
    ),
    Hook("options", teapot, method="OPTIONS", arguments=_request, twin=False),
    Hook("dispatch", teapot, arguments=_http_request, twin=False),
    # Helpers.
    Hook("get_context", marked_context, in_body, **SERIALIZED),
    Hook("get_serializer_class", lambda view: Marked, in_body, **SERIALIZED),
    Hook("get_request_serializer_class", lambda view: Marked, in_body, "POST", JSON, **VALIDATED),
    Hook("get_response_serializer_class", lambda view: Marked, in_body, **SERIALIZED),
    Hook("get_pagination_class", lambda view: MarkedPagination, in_body, **PAGINATED),
    Hook("get_serializer", marked_serializer, in_body, **SERIALIZED),
    Hook("validated_serializer", marked_valid, in_body, "POST", JSON, **VALIDATED),
    Hook(
        "serialized_response",
        lambda view, *args, **kwargs: Response({"marked": True}),
        in_body,
        arguments=lambda view, request: ({"n": 1},),
        **SERIALIZED,
    ),
    Hook(
        "paginated_response",
        lambda view, *args, **kwargs: Response({"marked": True}),
        in_body,
        arguments=lambda view, request: ([{"n": 1}],),
        **PAGINATED,
    ),
    Hook(
        "perform_post_fetches",
        lambda view, *args, **kwargs: {"n": 99},
        lambda answer: answer.json()["n"] == 99,
        arguments=lambda view, request: ({"n": 1}, []),
        keywords={"many": False},
        **FETCHED,
    ),
]
BY_NAME = {hook.name: hook for hook in HOOKS}


COLOURS = ("sync", "async", "a-name")


def written(colour: str, name: str, body: Callable[..., Any]) -> tuple[str, Callable[..., Any]]:
    """``body`` as a method in ``colour``, and the name it is to stand under."""
    if colour == "sync":

        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return body(self, *args, **kwargs)

        return name, method

    async def amethod(self: Any, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return body(self, *args, **kwargs)

    return name if colour == "async" else f"a{name}", amethod
