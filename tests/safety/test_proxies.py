"""Wrappers that pass for what they wrap, as those of `wrapt` do, which many instrumentations use."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import Any

import pytest
import wrapt
from rest_framework import permissions as drf_permissions
from rest_framework.authentication import SessionAuthentication
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from restflow import authentication, permissions, throttling
from restflow.views import APIView, AsyncAPIView, AsyncModelViewSet, ModelViewSet
from tests.matrix import each_pair, each_value
from tests.safety.support import Refused, ask, here
from tests.shop.models import Author
from tests.site import Site

pytestmark = pytest.mark.usefixtures("each_version")

COLOURS = pytest.mark.parametrize("colour", ["sync", "async"])


def wrapper(colour: str) -> Any:
    def refuse(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        if "force" in kwargs:  # the renderer of the refusal
            return JSONRenderer(), "application/json"
        raise Refused

    async def arefuse(*args: Any) -> Any:
        return refuse(*args)

    return arefuse if colour == "async" else refuse


def answering(base: Any, **attributes: Any) -> Any:
    if issubclass(base, AsyncAPIView):

        async def get(self, request):
            return Response({})
    else:

        def get(self, request):
            return Response({})

    return type("V", (base,), {"get": get, "authentication_classes": [], "permission_classes": [], **attributes})


STEPS = (
    "check_permissions",
    "check_throttles",
    "determine_version",
    "get_permissions",
    "initial",
    "perform_authentication",
    "perform_content_negotiation",
)


@each_value
@pytest.mark.parametrize("when", ["written", "late"])
@pytest.mark.parametrize(
    ("base", "name", "colour"),
    [
        given
        for given in product([APIView, AsyncAPIView], STEPS, ["sync", "async"])
        # DRF asks it for the renderer of the refusal, and can't await it.
        if given != (APIView, "perform_content_negotiation", "async")
    ],
)
def test_a_proxy_around_a_method_of_ours_is_asked(base, colour, when, name):
    view = answering(base)
    if when == "late":
        assert ask(view).status == 200
    setattr(view, name, wrapt.FunctionWrapper(getattr(base, name), wrapper(colour)))
    assert ask(view).status == 418


@each_pair
@COLOURS
@pytest.mark.parametrize("base", [APIView, AsyncAPIView])
@pytest.mark.parametrize(
    ("name", "component", "hook"),
    [
        ("permission_classes", permissions.AllowAny, "has_permission"),
        ("permission_classes", drf_permissions.AllowAny, "has_permission"),
        ("throttle_classes", throttling.AnonRateThrottle, "allow_request"),
        ("authentication_classes", authentication.BasicAuthentication, "authenticate"),
        ("authentication_classes", authentication.SessionAuthentication, "authenticate"),
    ],
)
def test_a_proxy_around_a_method_of_a_component_is_asked(base, colour, name, component, hook):
    wrapped = wrapt.FunctionWrapper(getattr(component, hook), wrapper(colour))
    proxied = type("Proxied", (component,), {hook: wrapped, "rate": "9/day"})
    assert ask(answering(base, **{name: [proxied]})).status == 418


@COLOURS
@pytest.mark.parametrize("base", [APIView, AsyncAPIView])
@pytest.mark.django_db(transaction=True)
def test_a_proxy_around_enforce_csrf_is_asked(base, colour):
    class Logged(SessionAuthentication):
        enforce_csrf = wrapt.FunctionWrapper(SessionAuthentication.enforce_csrf, wrapper(colour))

        def authenticate(self, request):
            request._request.user = Author(name="Ada")
            request._request.user.is_active = True
            return super().authenticate(request)

    assert ask(answering(base, authentication_classes=[Logged])).status == 418


@pytest.mark.parametrize(
    ("base", "name", "colour"),
    [
        given
        for given in product(
            [ModelViewSet, AsyncModelViewSet],
            ["get_queryset", "filter_queryset", "get_object", "perform_destroy", "destroy"],
            ["sync", "async"],
        )
        if given != (ModelViewSet, "destroy", "async")  # a sync viewset has no async actions
    ],
)
@pytest.mark.django_db(transaction=True)
def test_a_proxy_around_a_step_of_a_viewset_is_asked(base, colour, name):
    author = Author.objects.create(name="Ada")
    attributes = {"queryset": Author.objects.all(), name: wrapt.FunctionWrapper(getattr(base, name), wrapper(colour))}
    view = type("V", (base,), attributes).as_view({"delete": "destroy"})
    with Site({"x/<int:pk>/": view}) as site:
        assert asyncio.run(site.asend("DELETE", f"/x/{author.pk}/")).status == 418
    assert Author.objects.filter(pk=author.pk).exists()


def test_a_proxy_around_a_function_that_never_blocks_may_block():
    places = []

    @wrapt.decorator
    def noting(wrapped, instance, args, kwargs):
        places.append(here())
        return wrapped(*args, **kwargs)

    class Noted(drf_permissions.AllowAny):
        has_permission = noting(drf_permissions.AllowAny.has_permission)

    assert ask(answering(AsyncAPIView, permission_classes=[Noted])).status == 200
    assert places == ["thread"]
