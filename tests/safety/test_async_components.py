"""A component of DRF's, written ``async def`` under DRF's name, is awaited wherever a view asks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework import authentication, metadata, negotiation, pagination, throttling, versioning
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission as DRFPermission
from rest_framework.response import Response

from restflow.views import PostFetch
from tests.safety.hooks import VIEWS, Deny, MarkedRenderer
from tests.safety.support import Refused, ask, here
from tests.site import Answer

Case = tuple[dict[str, Any], str, Callable[[Answer], bool]]
CASES: dict[str, Callable[[], Case]] = {}


def case(make: Callable[[], Case]) -> Callable[[], Case]:
    CASES[make.__name__] = make
    return make


@case
def authenticate() -> Case:
    class Async(authentication.BaseAuthentication):
        async def authenticate(self, request):
            assert here() == "loop"
            raise Refused

    return {"authentication_classes": [Async]}, "GET", lambda answer: answer.status == 418


@case
def authenticate_header() -> Case:
    class Async(authentication.BaseAuthentication):
        def authenticate(self, request):
            raise AuthenticationFailed

        async def authenticate_header(self, request):
            return "Marked"

    return (
        {"authentication_classes": [Async]},
        "GET",
        lambda answer: (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Marked"),
    )


@case
def has_permission() -> Case:
    class Async(DRFPermission):
        async def has_permission(self, request, view):
            return here() != "loop"

    return {"permission_classes": [Async]}, "GET", lambda answer: answer.status == 403


@case
def allow_request() -> Case:
    class Async(throttling.BaseThrottle):
        async def allow_request(self, request, view):
            return here() != "loop"

    return {"throttle_classes": [Async]}, "GET", lambda answer: answer.status == 429


@case
def aallow_request() -> Case:
    class Async(throttling.BaseThrottle):
        async def aallow_request(self, request, view):
            return here() != "loop"

    return {"throttle_classes": [Async]}, "GET", lambda answer: answer.status == 429


@case
def wait() -> Case:
    class Async(throttling.BaseThrottle):
        def allow_request(self, request, view):
            return False

        async def wait(self):
            return 7

    return {"throttle_classes": [Async]}, "GET", lambda answer: answer.headers["Retry-After"] == "7"


@case
def determine_version() -> Case:
    class Async(versioning.BaseVersioning):
        async def determine_version(self, request, *args, **kwargs):
            return "marked"

    return {"versioning_class": Async}, "GET", lambda answer: answer.json()["version"] == "marked"


@case
def select_renderer() -> Case:
    class Async(negotiation.DefaultContentNegotiation):
        async def select_renderer(self, request, renderers, format_suffix=None):
            return MarkedRenderer(), "text/marked"

    return {"content_negotiation_class": Async}, "GET", lambda answer: answer.headers["Content-Type"] == "text/marked"


@case
def determine_metadata() -> Case:
    class Async(metadata.SimpleMetadata):
        async def determine_metadata(self, request, view):
            return {"marked": True}

    return {"metadata_class": Async}, "OPTIONS", lambda answer: answer.json() == {"marked": True}


@case
def exception_handler() -> Case:
    async def handler(exc: Any, context: Any) -> Any:
        return Response({}, status=418)

    attributes = {"permission_classes": [Deny], "get_exception_handler": lambda self: handler}
    return attributes, "GET", lambda answer: answer.status == 418


def helper(name: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    def get(self: Any, request: Any) -> Any:
        return getattr(self, name)(*args, **kwargs)

    async def async_get(self: Any, request: Any) -> Any:
        return await getattr(self, f"a{name}")(*args, **kwargs)

    return {"get": get, "async get": async_get}


@case
def paginate_queryset() -> Case:
    class Async(pagination.PageNumberPagination):
        page_size = 1

        async def paginate_queryset(self, *args, **kwargs):
            return [{"n": 99}]

        async def get_paginated_response(self, data):
            return Response({"rows": data})

    attributes = {"pagination_class": Async, **helper("paginated_response", [{"n": 1}])}
    return attributes, "GET", lambda answer: answer.json()["rows"][0]["n"] == 99


@case
def fetch() -> Case:
    class Async(PostFetch):
        def __init__(self):
            pass

        async def fetch(self, items):
            items[0]["n"] = 99

    attributes = helper("serialized_response", [{"n": 1}], many=True, post_fetches=[Async()])
    return attributes, "GET", lambda answer: answer.json()[0]["n"] == 99


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("view", VIEWS)
def test_an_async_component_is_awaited(view, name):
    attributes, method, seen = CASES[name]()
    async_get = attributes.pop("async get", None)
    if async_get is not None and view == "async":
        attributes["get"] = async_get
    assert seen(ask(type("V", (VIEWS[view],), attributes), method))
