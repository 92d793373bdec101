"""A name that nobody would ever call, and a key that counts nowhere, are refused with the right one."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from rest_framework.mixins import CreateModelMixin, ListModelMixin
from rest_framework.permissions import IsAdminUser
from rest_framework.routers import SimpleRouter

from restflow import serializers
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
from tests.safety.support import Refused, ask
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


STEPS = ["check_async_permissions", "check_sync_permissions", "check_async_object_permissions", "check_async_throttles"]


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("base", [AsyncAPIView, AsyncModelViewSet, ModelViewSet])
def test_so_is_what_adrf_calls_a_step_of_its_views(base: Any, name: str) -> None:
    def check(self: Any, *args: Any) -> None: ...

    for written in (method, check):
        with pytest.raises(TypeError, match=f"{name} would never be called. Write check_"):
            type("View", (base,), {name: written})


def test_a_step_that_a_user_calls_is_the_users_own() -> None:
    class View(AsyncAPIView):
        async def check_permissions(self, request: Any) -> None:  # type: ignore[override]
            await self.check_async_permissions(request)

        async def check_async_permissions(self, request: Any) -> None:
            raise Refused

    assert ask(View).status == 418


class Rude:
    def __init_subclass__(cls, **kwargs: Any) -> None:
        pass


def test_it_is_refused_before_it_serves_where_it_came_after_the_class() -> None:
    late: Any = type("Late", (AsyncModelViewSet,), {"queryset": Author.objects.all()})
    late.adestroy = method
    rude: Any = type("Rudely", (Rude, AsyncModelViewSet), {"adestroy": method})
    for viewset in (late, rude):
        with pytest.raises(TypeError, match="Write `async def destroy`"):
            viewset.as_view({"delete": "destroy"})


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


def test_a_base_may_share_out_configs_of_actions_that_not_all_have() -> None:
    shared = type("Shared", (), {"action_configs": {"create": GUARD, "export": GUARD}})
    type("Reading", (shared, AsyncReadOnlyModelViewSet), {}).as_view({"get": "list"})


# `super()` of an async action that leads to DRF's own, which is sync.


class Listing:
    async def list(self, request: Any) -> Any:
        return await super().list(request)  # type: ignore[misc]


class Saving:
    async def perform_create(self, serializer: Any) -> None:
        await super().perform_create(serializer)  # type: ignore[misc]


class ListingInAThread:
    async def list(self, request: Any) -> Any:
        return await sync_to_async(super().list)(request)  # type: ignore[misc]


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


@pytest.mark.django_db(transaction=True)
def test_one_that_calls_it_in_a_thread_is_not() -> None:
    class Named(serializers.ModelSerializer[Author]):
        class Meta:
            model = Author
            fields = ("name",)

    body = {"queryset": Author.objects.all(), "serializer_class": Named, "authentication_classes": []}
    authors: Any = type("Authors", (ListingInAThread, ListModelMixin, AsyncGenericViewSet), body)

    class View:
        as_view = staticmethod(lambda: authors.as_view({"get": "list"}))

    Author.objects.create(name="Austen")
    assert ask(View).json() == [{"name": "Austen"}]
