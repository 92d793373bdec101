"""An override that would never be called, because a class of ours stands before it, is refused at class creation."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import generics, viewsets
from rest_framework import views as drf
from rest_framework.response import Response

from restflow.permissions import BasePermission
from restflow.views import APIView, AsyncAPIView
from tests.matrix import some
from tests.safety.hooks import COLOURS, HOOKS, written
from tests.safety.support import Refused, ask

HELPERS = {
    "get_context",
    "get_serializer_class",
    "get_request_serializer_class",
    "get_response_serializer_class",
    "get_pagination_class",
    "get_serializer",
    "validated_serializer",
    "serialized_response",
    "paginated_response",
    "perform_post_fetches",
}


def refusing(self, *args, **kwargs):
    raise Refused


class Get:
    def get(self, request):
        return Response({})


def params() -> list[Any]:
    return [
        pytest.param(base, hook, colour, id=f"{base.__name__}-{hook}-{colour}")
        for base in (AsyncAPIView, APIView)
        for hook in HOOKS
        for colour in COLOURS
        # A class of DRF's writes none of the helpers; dispatch and options have one name, and dispatch of a sync view
        # is DRF's own.
        if hook.name not in HELPERS and (hook.twin or colour == "sync") and (base, hook.name) != (APIView, "dispatch")
    ]


@pytest.mark.parametrize(("base", "hook", "colour"), some(params(), together=2))
def test_an_override_behind_a_class_of_ours_is_obeyed_or_refused(base, hook, colour):
    attribute, function = written(colour, hook.name, hook.effect)
    tenant = type("TenantBase", (drf.APIView,), {attribute: function})
    view = hook.view("async" if base is AsyncAPIView else "sync")
    handlers = {name: getattr(view, name) for name in ("get", "post", "serializer_class")}
    try:
        made = type("V", (base, tenant), handlers | hook.attributes)
    except TypeError as error:
        assert "TenantBase" in str(error)  # noqa: PT017
        assert hook.name in str(error)  # noqa: PT017
    else:
        assert hook.seen(ask(made, hook.method, hook.data, settings=hook.settings))


def test_check_permissions_behind_asyncapiview_is_refused_with_the_cure():
    class TenantBase(drf.APIView):
        def check_permissions(self, request):
            raise Refused

    with pytest.raises(TypeError, match=r"TenantBase\.check_permissions would never be called on V.*\(TenantBase, "):

        class V(AsyncAPIView, TenantBase):
            pass


@pytest.mark.parametrize("base", [drf.APIView, generics.GenericAPIView, viewsets.ViewSet])
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_it_is_refused_however_far_behind(base, depth):
    tenant = type("TenantBase", (base,), {"check_permissions": refusing})
    for _ in range(depth):
        tenant = type("Between", (tenant,), {})
    ours = type("Ours", (AsyncAPIView,), {})
    with pytest.raises(TypeError, match="TenantBase"):
        type("V", (ours, tenant), {})


@pytest.mark.parametrize("name", ["check_permissions", "initial", "finalize_response", "perform_authentication"])
def test_listed_first_it_is_obeyed(name):
    tenant = type("TenantBase", (drf.APIView,), {name: refusing})
    cls = type("V", (tenant, Get, AsyncAPIView), {})
    if name == "finalize_response":
        assert ask(cls).status == 500
    else:
        assert ask(cls).status == 418


def test_it_is_refused_where_the_class_writes_the_hook_anew_too():
    """Its ``super()`` would go past the override behind our class."""
    tenant = type("TenantBase", (drf.APIView,), {"check_permissions": refusing})
    with pytest.raises(TypeError, match="TenantBase"):

        class V(AsyncAPIView, tenant):  # type: ignore[misc, valid-type]
            def check_permissions(self, request):
                super().check_permissions(request)


def test_drfs_own_classes_behind_ours_are_no_override():
    class V(AsyncAPIView, viewsets.GenericViewSet):
        pass

    assert issubclass(V, generics.GenericAPIView)


@pytest.mark.parametrize("base", [AsyncAPIView, APIView])
@pytest.mark.parametrize("name", ["get_serializer_class", "get_serializer"])
def test_an_override_of_a_helper_in_a_generic_view_behind_is_refused(base, name):
    tenant = type("TenantBase", (generics.GenericAPIView,), {name: refusing})
    with pytest.raises(TypeError, match=rf"TenantBase\.{name}"):
        type("V", (base, tenant), {})


@pytest.mark.parametrize("name", ["has_permission", "has_object_permission"])
def test_a_permission_behind_our_base_is_obeyed(name):
    """Our base defines the hooks of DRF's only; what a class of someone else's writes comes before DRF's."""
    from rest_framework.permissions import BasePermission as DRFPermission

    tenant = type("TenantPermission", (DRFPermission,), {name: lambda self, *args: False})
    permission = type("P", (BasePermission, tenant), {})

    class V(AsyncAPIView):
        permission_classes = [permission]

        async def get(self, request):
            await self.acheck_object_permissions(request, None)
            return Response({})

    assert ask(V).status == 403


def test_an_as_view_behind_asyncapiview_is_refused_with_the_cure():
    class Wrapping(drf.APIView):
        @classmethod
        def as_view(cls, **initkwargs):
            return super().as_view(**initkwargs)

    with pytest.raises(TypeError, match=r"Wrapping\.as_view would not wrap V.*List Wrapping first"):
        type("V", (AsyncAPIView, Wrapping), {}).as_view()
    type("V", (Wrapping, AsyncAPIView), {}).as_view()
