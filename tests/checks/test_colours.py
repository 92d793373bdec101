"""Async code that nobody awaits (E006, E008) or that costs a loop (W001), and sync code before it (W002)."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

import pytest
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import authentication, permissions
from rest_framework.generics import RetrieveAPIView
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework.views import APIView as DRFAPIView

from restflow.views import APIView, AsyncAPIView
from tests.checks.support import AsyncAllow, Books, at, of, routed, said


@pytest.mark.parametrize(
    ("name", "module", "base", "hook", "composed"),
    [
        ("permission_classes", "permissions", "BasePermission", "has_permission", False),
        ("permission_classes", "permissions", "BasePermission", "has_permission", True),
        ("permission_classes", "permissions", "BasePermission", "has_object_permission", False),
        ("permission_classes", "permissions", "BasePermission", "has_object_permission", True),
        ("throttle_classes", "throttling", "BaseThrottle", "allow_request", False),
        ("authentication_classes", "authentication", "BaseAuthentication", "authenticate", False),
    ],
)
def test_an_async_check_on_a_view_of_drfs_is_an_error_unless_it_is_built_on_restflows(
    name: str, module: str, base: str, hook: str, composed: bool
) -> None:
    async def asked(self: Any, *args: Any) -> None: ...

    def found(package: str) -> Any:
        component = type("Mine", (getattr(importlib.import_module(f"{package}.{module}"), base),), {hook: asked})
        if composed:
            component = permissions.AllowAny & ~component
        return said(at(of(DRFAPIView, **{name: [component]})))

    ((number, text, hint),) = found("rest_framework")
    assert number == "E006"
    assert text.endswith(
        f".Mine.{hook} is async, and tests.checks.support.View, which is no view of restflow's, takes the coroutine "
        "for the answer: for a yes."
    )
    assert hint.startswith(f"Derive Mine from its base's namesake in restflow.{module}, ")
    assert found("restflow") == []


@pytest.mark.parametrize("part", ["validate", "validate_title", "get_shout", "validator", "field"])
def test_async_code_in_a_serializer_of_a_view_of_drfs_is_an_error(part: str) -> None:
    async def code(self: Any, *args: Any) -> Any: ...

    def found(package: str) -> Any:
        module = importlib.import_module(f"{package}.serializers")
        field = type("Field", (module.CharField,), {"to_representation": code} if part == "field" else {})
        validators = [partial(code, None)] if part == "validator" else []
        body = {"title": field(validators=validators), "shout": module.SerializerMethodField(), part: code}
        body["__module__"] = __name__
        serializer = type("Mine", (module.Serializer,), body)
        return said([path("x/", of(RetrieveAPIView, serializer_class=serializer).as_view())])

    ((number, text, hint),) = found("rest_framework")
    name = {"validator": "title.validators", "field": "title.to_representation"}.get(part, part)
    assert number == "E006"
    assert f".Mine.{name} is async, and tests.checks.support.View" in text
    assert "restflow.serializers" in hint
    assert found("restflow") == []


async def async_handler(exc: Any, context: Any) -> Any: ...


def test_an_async_exception_handler_is_an_error_where_views_of_drfs_are_served() -> None:
    given = {"REST_FRAMEWORK": {"EXCEPTION_HANDLER": f"{__name__}.async_handler"}}
    router = DefaultRouter()
    router.register("books", Books)
    ((number, text, hint),) = said(router.urls, **given)
    assert number == "E008"
    assert "rest_framework.routers.APIRootView" in text
    assert "async_to_sync" in hint
    assert said(at(AsyncAPIView), **given) == []
    assert said(router.urls) == []


class AsyncPermission(permissions.BasePermission):
    async def has_permission(self, request: Any, view: Any) -> bool:  # type: ignore[override]
        return True


class BothPermission(permissions.BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return True

    async def ahas_permission(self, request: Any, view: Any) -> bool:
        return True


class AsyncAuthentication(authentication.BaseAuthentication):
    async def aauthenticate(self, request: Any) -> Any:
        return None


@pytest.mark.parametrize(
    ("name", "component", "hook"),
    [
        ("permission_classes", AsyncPermission, "test_colours.AsyncPermission.has_permission"),
        ("permission_classes", permissions.AllowAny & ~AsyncPermission, "test_colours.AsyncPermission.has_permission"),
        ("authentication_classes", AsyncAuthentication, "test_colours.AsyncAuthentication.authenticate"),
        ("throttle_classes", AsyncAllow, "support.AsyncAllow.allow_request"),
    ],
)
def test_an_async_component_of_a_sync_view_is_a_warning(name: str, component: Any, hook: str) -> None:
    assert said(at(of(AsyncAPIView, **{name: [component]}))) == []
    ((number, text, hint),) = said(at(of(APIView, **{name: [component]})))
    assert number == "W001"
    assert text == (
        f"tests.checks.{hook} is async only, and tests.checks.support.View is sync: each request opens an event loop "
        "for it."
    )
    assert hint.startswith("Derive View from the async view, or give")


def test_a_component_of_both_colours_is_no_warning() -> None:
    assert said(at(of(APIView, permission_classes=[BothPermission, permissions.IsAuthenticated]))) == []


def test_classes_that_a_property_chooses_are_not_known() -> None:
    assert said(at(of(APIView, permission_classes=property(lambda view: [AsyncPermission])))) == []


def test_classes_that_as_view_is_given_are_checked() -> None:
    view = APIView.as_view(permission_classes=[AsyncPermission])
    assert [number for number, *_ in said([path("x/", view)])] == ["W001"]


def test_a_sync_handler_before_an_async_one_is_a_warning() -> None:
    def get(self: Any, request: Any) -> Response:
        return Response()

    async def aget(self: Any, request: Any) -> Response:
        return Response()

    asynchronous = of(AsyncAPIView, get=aget, __qualname__="Asynchronous")
    assert said(at(of(AsyncAPIView, get=get))) == []
    assert said(at(of(APIView, get=get))) == []
    assert said(at(of(of(AsyncAPIView, get=get), get=aget))) == []
    ((number, text, hint),) = said(at(of(asynchronous, get=get)))
    assert (number, hint) == ("W002", "Write `async def get`.")
    assert text == (
        "tests.checks.support.View.get is sync, and stands before the async get of tests.checks.support.Asynchronous: "
        "it runs in the worker thread."
    )
    assert said(routed(of(Books, list=get))) == []  # as a viewset is ported


@pytest.mark.parametrize(
    "decorate", [extend_schema_view(list=extend_schema(summary="All")), method_decorator(never_cache, "list")]
)
def test_a_decorated_action_of_ours_is_not_one_that_was_written_async(decorate: Any) -> None:
    decorated = decorate(of(Books))
    assert said(routed(of(decorated, list=lambda self, request: Response()))) == []
