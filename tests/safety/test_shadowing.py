"""An override that would never be called, because a class of ours stands before it, is refused at class creation."""

from __future__ import annotations

import pytest
from rest_framework import generics, viewsets
from rest_framework import views as drf
from rest_framework.response import Response

from restflow.permissions import BasePermission
from restflow.views import APIView, AsyncAPIView
from tests.safety.hooks import HOOKS
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
NAMES = [hook.name for hook in HOOKS]


def refusing(self, *args, **kwargs):
    raise Refused


async def async_refusing(self, *args, **kwargs):
    raise Refused


class Get:
    def get(self, request):
        return Response({})


BUGS = {
    (AsyncAPIView, "dispatch"),
    (AsyncAPIView, "options"),
    (APIView, "options"),
}


@pytest.mark.parametrize("colour", ["sync", "async", "a-name"])
@pytest.mark.parametrize(
    ("base", "name"),
    [
        pytest.param(
            base,
            name,
            id=f"{base.__name__}-{name}",
            marks=[pytest.mark.xfail(strict=True, reason="BUG: an override behind this class is silently skipped")]
            if (base, name) in BUGS
            else [],
        )
        for base in (AsyncAPIView, APIView)
        for name in NAMES
        # A class of DRF's writes none of the helpers; the next test is of those that do.
        if name not in HELPERS
    ],
)
def test_an_override_behind_a_class_of_ours_is_obeyed_or_refused(base, name, colour):
    if colour == "a-name" and name in {"dispatch", "options"}:
        colour = "sync"  # they have one name
    attribute = f"a{name}" if colour == "a-name" else name
    override = refusing if colour == "sync" else async_refusing
    tenant = type("TenantBase", (drf.APIView,), {attribute: override})
    try:
        made = type("V", (Get, base, tenant), {})
    except TypeError as error:
        assert "TenantBase" in str(error)  # noqa: PT017
        assert name in str(error)  # noqa: PT017
    else:
        nearest = next(cls for cls in made.__mro__ if {name, f"a{name}"} & set(vars(cls)) and cls is not made)
        assert nearest is tenant


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


def test_an_override_that_the_class_itself_writes_anew_shadows_nothing():
    """Whoever writes the hook in the class decides what is asked; as in Python, that is their word."""
    tenant = type("TenantBase", (drf.APIView,), {"check_permissions": refusing})

    class V(Get, AsyncAPIView, tenant):  # type: ignore[misc, valid-type]
        def check_permissions(self, request):
            tenant.check_permissions(self, request)

    assert ask(V).status == 418


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
