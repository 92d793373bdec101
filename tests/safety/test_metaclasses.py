"""Whose class a mixin is an instance of makes no difference: hooks are found by what stands in its MRO."""

from __future__ import annotations

from abc import ABC, ABCMeta, abstractmethod
from typing import Any, Protocol, runtime_checkable

import pytest
from django.views.generic import View
from rest_framework import permissions as drf_permissions
from rest_framework import views as drf
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response

from restflow import permissions, serializers
from restflow.views import APIView, AsyncAPIView, AsyncGenericAPIView, ModelViewSet
from tests.safety.support import Refused, ask


@runtime_checkable
class RuntimeProtocol(Protocol):
    async def check_object_permissions(self, request: Any, obj: Any) -> None:
        raise Refused


class PlainProtocol(Protocol):
    async def check_object_permissions(self, request: Any, obj: Any) -> None:
        raise Refused


class WithABCMeta(metaclass=ABCMeta):  # noqa: B024 - the metaclass is what is tested
    async def check_object_permissions(self, request: Any, obj: Any) -> None:
        raise Refused


class EverybodysBase(ABC):
    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        return True

    @abstractmethod
    async def check_object_permissions(self, request: Any, obj: Any) -> None:
        raise Refused


class Registered(ABC):  # noqa: B024 - the registration is what is tested
    async def check_object_permissions(self, request: Any, obj: Any) -> None:
        raise Refused


Registered.register(AsyncAPIView)


class SilentMeta(type):
    def __subclasscheck__(cls, other: type) -> bool:
        raise AssertionError("a user's metaclass was asked")

    def __instancecheck__(cls, other: Any) -> bool:
        raise AssertionError("a user's metaclass was asked")


class Silent(metaclass=SilentMeta):
    async def check_object_permissions(self, request: Any, obj: Any) -> None:
        raise Refused


MIXINS = [RuntimeProtocol, PlainProtocol, WithABCMeta, EverybodysBase, Registered, Silent]
mixins = pytest.mark.parametrize("mixin", MIXINS, ids=lambda mixin: mixin.__name__)


@mixins
def test_an_async_check_of_a_mixin_is_asked_by_a_sync_handler(mixin: Any) -> None:
    def get(self: Any, request: Any) -> Response:
        self.check_object_permissions(request, object())
        return Response("let in")

    async def acheck_object_permissions(self: Any, request: Any, obj: Any) -> None:
        await super(view, self).acheck_object_permissions(request, obj)

    body = {"authentication_classes": [], "get": get}
    if mixin is EverybodysBase:
        body |= {"acheck_object_permissions": acheck_object_permissions}
        body |= {"check_object_permissions": lambda self, *args: super(view, self).check_object_permissions(*args)}
    view: Any = type(mixin)("View", (mixin, AsyncAPIView), body)
    assert ask(view).status == 418


@mixins
def test_behind_our_base_it_is_refused(mixin: Any) -> None:
    with pytest.raises(TypeError, match=r"check_object_permissions would never be called on View"):
        type(mixin)("View", (AsyncAPIView, mixin), {})


@mixins
@pytest.mark.parametrize("base", [permissions.BasePermission, serializers.Serializer, AsyncGenericAPIView])
def test_such_a_mixin_does_for_every_class_of_ours(base: Any, mixin: Any) -> None:
    if type(base) in type(mixin).__mro__:
        type(mixin)("Mine", (mixin, base), {})
    else:
        meta = type("Meta", (type(mixin), type(base)), {})
        meta("Mine", (mixin, base), {})


# What stands behind a base of ours, where DRF's class would not have called it either.


class Confirm(View):
    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("DRF's view does not call it")


class Unasked:
    def check_permissions(self, request: Any) -> None:
        raise AssertionError("DRF's view does not call it")


@pytest.mark.parametrize("behind", [Confirm, Unasked])
@pytest.mark.parametrize("base", [drf.APIView, APIView, AsyncAPIView])
def test_what_drf_would_not_call_in_that_place_is_not_in_the_way(base: Any, behind: Any) -> None:
    def get(self: Any, request: Any) -> Response:
        return Response("ok")

    assert ask(type("View", (base, behind), {"get": get, "authentication_classes": []})).status == 200


def test_what_was_written_for_ours_under_its_async_name_is_refused() -> None:
    async def acheck_permissions(self: Any, request: Any) -> None: ...

    behind = type("Behind", (Unasked,), {"acheck_permissions": acheck_permissions})
    with pytest.raises(TypeError, match=r"Behind\.check_permissions would never be called on View"):
        type("View", (AsyncAPIView, behind), {})


def test_what_drf_would_call_there_is_refused() -> None:
    checked = type("Checked", (drf.APIView,), {"check_permissions": Unasked.check_permissions})
    with pytest.raises(TypeError, match=r"Checked\.check_permissions would never be called on View"):
        type("View", (ModelViewSet, checked), {})


# A mixin whose `__init_subclass__` keeps ours from being called.


class Swallowing:
    def __init_subclass__(cls, **kwargs: Any) -> None: ...


class Refusing(Swallowing, permissions.BasePermission):
    async def has_permission(self, request: Any, view: Any) -> bool:  # type: ignore[override]
        return False


def test_a_class_that_python_did_not_tell_us_of_is_completed_when_it_is_used() -> None:
    class Checked(Swallowing, AsyncAPIView):
        authentication_classes: Any = []

        async def check_object_permissions(self, request: Any, obj: Any) -> None:  # type: ignore[override]
            raise Refused

        def get(self, request: Any) -> Response:
            self.check_object_permissions(request, object())
            return Response("let in")

    assert ask(Checked).status == 418


@pytest.mark.parametrize("composed", [lambda part: part, lambda part: part & IsAuthenticated, lambda part: ~~part])
def test_so_is_a_permission(composed: Any) -> None:
    class View(AsyncAPIView):
        authentication_classes: Any = []
        permission_classes = [composed(Refusing), drf_permissions.AllowAny]

        def get(self, request: Any) -> Response:
            return Response("let in")

    assert ask(View).status == 403


@pytest.mark.usefixtures("each_version")
@pytest.mark.parametrize("base", [APIView, AsyncAPIView])
def test_one_that_is_refused_is_refused_each_time_it_is_used(base: Any) -> None:
    class Behind:
        async def check_permissions(self, request: Any) -> None:
            raise Refused

    view: Any = type("View", (Swallowing, base, Behind), {})
    for _ in range(2):
        with pytest.raises(TypeError, match=r"Behind\.check_permissions would never be called on View"):
            view.as_view()
