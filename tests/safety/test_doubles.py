"""What a test puts in a component's place decides, and so does a patch of a class of ours."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from rest_framework.response import Response

from restflow import permissions, throttling
from restflow import views as ours
from restflow.views import APIView, AsyncAPIView, AsyncGenericAPIView, AsyncModelViewSet, GenericAPIView
from tests.safety.support import Refused, ask
from tests.shop.models import Author


class Sync(permissions.BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return True


class Async(permissions.BasePermission):
    async def has_permission(self, request: Any, view: Any) -> bool:  # type: ignore[override]
        return True


class AsyncName(permissions.BasePermission):
    async def ahas_permission(self, request: Any, view: Any) -> bool:
        return True


class Both(permissions.BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return True

    async def ahas_permission(self, request: Any, view: Any) -> bool:
        return True


def get(self: Any, request: Any) -> Response:
    return Response("let in")


def view_of(base: Any, getter: str, component: Any) -> Any:
    return type("View", (base,), {getter: lambda self: [component], "get": get, "authentication_classes": []})


DOUBLES = {
    "create_autospec": lambda cls: mock.create_autospec(cls, instance=True),
    "Mock(spec=)": lambda cls: mock.Mock(spec=cls),
    "MagicMock(spec_set=)": lambda cls: mock.MagicMock(spec_set=cls()),
}


@pytest.mark.parametrize("base", [AsyncAPIView, APIView])
@pytest.mark.parametrize("double", DOUBLES.values(), ids=DOUBLES)
@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (Sync, "has_permission"),
        (Async, "has_permission"),
        (AsyncName, "ahas_permission"),
        (permissions.IsAuthenticated, "has_permission"),
    ],
)
def test_a_double_of_a_permission_is_asked_by_the_name_that_its_class_writes(
    base: Any, double: Any, cls: Any, name: str
) -> None:
    permission = double(cls)
    for answer in (False, True):
        getattr(permission, name).return_value = answer
        assert ask(view_of(base, "get_permissions", permission)).status == (200 if answer else 403)
    assert getattr(permission, name).call_count == 2


@pytest.mark.parametrize("double", DOUBLES.values(), ids=DOUBLES)
@pytest.mark.parametrize(("base", "name"), [(AsyncAPIView, "ahas_permission"), (APIView, "has_permission")])
def test_one_of_both_colours_is_asked_in_the_views(double: Any, base: Any, name: str) -> None:
    permission = double(Both)
    getattr(permission, name).return_value = False
    if (double, base) == (DOUBLES["create_autospec"], AsyncAPIView) or base is APIView:
        assert ask(view_of(base, "get_permissions", permission)).status == 403


@pytest.mark.parametrize("base", [AsyncAPIView, APIView])
@pytest.mark.parametrize("double", DOUBLES.values(), ids=DOUBLES)
def test_a_double_of_a_throttle_of_ours_is_asked_by_drfs_name(base: Any, double: Any) -> None:
    with mock.patch.object(throttling.UserRateThrottle, "THROTTLE_RATES", {"user": "1/s"}):
        throttle = double(throttling.UserRateThrottle)
    throttle.allow_request.return_value = False
    throttle.wait.return_value = None
    assert ask(view_of(base, "get_throttles", throttle)).status == 429


# Patches of a component.


PATCHES = {
    "Mock": {"return_value": False},
    "AsyncMock": {"new_callable": mock.AsyncMock, "return_value": False},
    "autospec": {"autospec": True, "return_value": False},
}


@pytest.mark.parametrize("base", [AsyncAPIView, APIView])
@pytest.mark.parametrize("patch", PATCHES.values(), ids=PATCHES)
@pytest.mark.parametrize("name", ["has_permission", "ahas_permission"])
@pytest.mark.parametrize("cls", [Sync, Async, AsyncName])
def test_a_patch_of_a_permission_counts_under_either_name(base: Any, cls: Any, name: str, patch: Any) -> None:
    view = type("View", (base,), {"permission_classes": [cls], "get": get, "authentication_classes": []})
    assert ask(view).status == 200
    with mock.patch.object(cls, name, **patch):
        assert ask(view).status == 403
    assert ask(view).status == 200


# Patches of our classes.


def refuse(*args: Any, **kwargs: Any) -> Any:
    raise Refused


async def arefuse(*args: Any, **kwargs: Any) -> Any:
    raise Refused


class Plain(AsyncAPIView):
    authentication_classes: Any = []
    get = get


class Override(Plain):
    async def acheck_permissions(self, request: Any) -> None:
        await super().acheck_permissions(request)


class SyncOverride(Plain):
    def check_permissions(self, request: Any) -> None:
        super().check_permissions(request)


@pytest.mark.parametrize("refusal", [refuse, arefuse])
@pytest.mark.parametrize("name", ["check_permissions", "initial", "perform_authentication", "check_throttles"])
def test_a_patch_of_the_sync_view_counts_on_async_views(name: str, refusal: Any) -> None:
    assert ask(Plain).status == 200
    with mock.patch.object(APIView, name, refusal):
        assert ask(Plain).status == 418
    assert ask(Plain).status == 200


@pytest.mark.parametrize(("view", "refusal"), [(Override, refuse), (Override, arefuse), (SyncOverride, refuse)])
def test_it_counts_behind_the_super_of_an_override(view: Any, refusal: Any) -> None:
    with mock.patch.object(APIView, "check_permissions", refusal):
        assert ask(view).status == 418
    assert ask(view).status == 200


@pytest.mark.parametrize(
    ("owner", "name", "method"),
    [
        (GenericAPIView, "get_queryset", "GET"),
        (GenericAPIView, "filter_queryset", "GET"),
        (ours.CreateModelMixin, "perform_create", "POST"),
        (AsyncGenericAPIView, "aget_queryset", "GET"),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_so_do_patches_of_generic_views_and_mixins(owner: Any, name: str, method: str) -> None:
    from restflow import serializers

    class Named(serializers.ModelSerializer[Author]):
        class Meta:
            model = Author
            fields = ["name"]

    class Authors(AsyncModelViewSet):
        queryset = Author.objects.all()
        serializer_class = Named
        authentication_classes: Any = []

    class View:
        as_view = staticmethod(lambda: Authors.as_view({"get": "list", "post": "create"}))

    view: Any = View
    with mock.patch.object(owner, name, arefuse if name.startswith("a") else refuse):
        assert ask(view, method, {"name": "Austen"} if method == "POST" else None).status == 418
    assert ask(view, method, {"name": "Austen"} if method == "POST" else None).status < 300


# Known limits.


@pytest.mark.xfail(strict=True, reason="LIMIT: a double is asked by the name that its class writes, and by no other")
def test_a_double_that_says_no_under_the_other_name_says_no() -> None:
    permission = mock.create_autospec(AsyncName, instance=True)
    permission.has_permission.return_value = False
    permission.ahas_permission.return_value = True
    assert ask(view_of(AsyncAPIView, "get_permissions", permission)).status == 403


@pytest.mark.usefixtures("each_version")
def test_a_patch_of_a_getter_of_the_sync_view_counts_on_async_views_that_served() -> None:
    class Deny(permissions.BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            return False

    view = type("View", (Plain,), {})
    assert ask(view).status == 200
    with mock.patch.object(APIView, "get_permissions", return_value=[Deny()]):
        assert ask(view).status == 403
