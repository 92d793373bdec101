"""A name that nobody would ever call, and a key that counts nowhere, are refused with the right one."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.mixins import CreateModelMixin, ListModelMixin
from rest_framework.permissions import IsAdminUser
from rest_framework.routers import SimpleRouter

from restflow.views import (
    ActionConfig,
    AsyncAPIView,
    AsyncGenericViewSet,
    AsyncModelViewSet,
    AsyncReadOnlyModelViewSet,
    AsyncViewSet,
    ModelViewSet,
    action,
)
from tests.shop.models import Author


async def method(self: Any, *args: Any, **kwargs: Any) -> None: ...


@pytest.mark.parametrize("base", [AsyncModelViewSet, ModelViewSet])
@pytest.mark.parametrize("in_mixin", [False, True])
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("alist", "list"),
        ("adestroy", "destroy"),
        ("partial_aupdate", "partial_update"),
        ("perform_acreate", "aperform_create"),
        ("perform_adestroy", "aperform_destroy"),
    ],
)
def test_what_adrf_calls_an_action_is_refused_with_its_name_here(
    base: Any, in_mixin: bool, name: str, meant: str
) -> None:
    mixin = [type("Mixin", (), {name: method})] if in_mixin else []
    with pytest.raises(TypeError, match=rf"{name} would never be called: .* Write `async def {meant}`"):
        type("Authors", (*mixin, base), {} if in_mixin else {name: method})


def test_an_a_before_a_handler_or_an_action_of_the_view_is_refused() -> None:
    with pytest.raises(TypeError, match="Write `async def get`"):
        type("View", (AsyncAPIView,), {"get": method, "aget": method})
    with pytest.raises(TypeError, match="Write `async def options`"):
        type("View", (AsyncAPIView,), {"aoptions": method})
    with pytest.raises(TypeError, match="Write `async def list`"):
        type("View", (AsyncViewSet,), {"alist": method})

    async def shelve(self: Any, request: Any) -> None: ...

    with pytest.raises(TypeError, match="Write `async def shelve`"):
        type("View", (AsyncViewSet,), {"shelve": action(detail=True)(shelve), "ashelve": method})


def test_other_names_with_an_a_are_the_users_own() -> None:
    async def about(self: Any, request: Any) -> None: ...

    async def bout(self: Any, request: Any) -> None: ...

    own = {"aget": method, "allow": method, "alist": method, "aclose": method, "acheck_permissions": method}
    type("View", (AsyncAPIView,), own)
    type("View", (AsyncViewSet,), {"about": action(detail=True)(about), "bout": action(detail=True)(bout)})
    type("View", (AsyncViewSet,), {"alist": lambda self: [], "list": method})


GUARD = ActionConfig(permission_classes=[IsAdminUser])
VIEWSETS = pytest.mark.parametrize("base", [AsyncModelViewSet, ModelViewSet])


def route(viewset: Any) -> Any:
    router = SimpleRouter()
    router.register("authors", viewset, basename="author")
    return router.urls


@VIEWSETS
@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("destory", " Did you mean 'destroy'?"),
        ("shelv", " Did you mean 'shelve'?"),
        ("perform_create", ""),
        ("zzz", ""),
    ],
)
def test_a_config_of_no_action_is_refused_by_as_view_and_routers(base: Any, key: str, hint: str) -> None:
    @action(detail=True)
    def shelve(self: Any, request: Any, pk: Any) -> None: ...

    viewset = type("Authors", (base,), {"action_configs": {key: GUARD}, "shelve": shelve, "queryset": Author.objects})
    message = f"Authors.action_configs has '{key}', which is no action of it.{hint}"
    for taken_into_use in (lambda: viewset.as_view({"get": "list"}), lambda: route(viewset)):
        with pytest.raises(ImproperlyConfigured) as refusal:
            taken_into_use()
        assert str(refusal.value) == message


def test_actions_that_drf_can_not_list_leave_the_configs_to_be_looked_at() -> None:
    def other(self: Any, request: Any) -> None: ...

    body = {"named": action(detail=False)(other), "action_configs": {"lst": GUARD}}
    with pytest.raises(ImproperlyConfigured, match="Did you mean 'list'"):
        type("Authors", (AsyncModelViewSet,), body).as_view({"get": "list"})


def test_configs_that_as_view_is_given_are_looked_at_too() -> None:
    with pytest.raises(ImproperlyConfigured, match="Did you mean 'list'"):
        AsyncModelViewSet.as_view({"get": "list"}, action_configs={"lst": GUARD})


@VIEWSETS
@pytest.mark.parametrize("configs", [{"destroy": GUARD}, GUARD])
def test_action_config_without_the_s_is_refused(base: Any, configs: Any) -> None:
    viewset = type("Authors", (base,), {"action_config": configs})
    with pytest.raises(ImproperlyConfigured, match=r"Authors has action_config\. Did you mean 'action_configs'"):
        viewset.as_view({"get": "list"})


def test_a_base_may_share_out_configs_of_actions_that_not_all_have_but_no_typo() -> None:
    shared = type("Shared", (), {"action_configs": {"create": GUARD, "export": GUARD}})
    type("Reading", (shared, AsyncReadOnlyModelViewSet), {}).as_view({"get": "list"})
    typo = type("Shared", (), {"action_configs": {"destory": GUARD}})
    with pytest.raises(ImproperlyConfigured, match="Did you mean 'destroy'"):
        type("Writing", (typo, AsyncModelViewSet), {}).as_view({"get": "list"})
    guarded = type("Writing", (typo, AsyncModelViewSet), {"action_configs": {"destroy": GUARD}})
    guarded.as_view({"get": "list"})


# `super()` of an async action that leads to DRF's own, which is sync.


class Listing:
    async def list(self, request: Any) -> Any:
        return await super().list(request)  # type: ignore[misc]


class Saving:
    async def perform_create(self, serializer: Any) -> None:
        await super().perform_create(serializer)  # type: ignore[misc]


class Replacing:
    async def list(self, request: Any) -> Any:
        return None


@pytest.mark.parametrize(
    ("mixin", "drfs", "name"), [(Listing, ListModelMixin, "list"), (Saving, CreateModelMixin, "perform_create")]
)
def test_an_async_override_that_calls_drfs_own_mixin_is_refused(mixin: Any, drfs: Any, name: str) -> None:
    message = rf"{mixin.__name__}\.{name} is async, and its super\(\)\.{name}\(\) is that of DRF's {drfs.__name__}"
    with pytest.raises(TypeError, match=message):
        type("Authors", (mixin, drfs, AsyncGenericViewSet), {})
    type("Authors", (mixin, AsyncModelViewSet), {})
    type("Authors", (Replacing, drfs, AsyncGenericViewSet), {})
