"""A twin that restflow made, taken out of its class, and answers kept for a request: neither skips a check."""

import asyncio
import gc

import pytest
from rest_framework import permissions as drf
from rest_framework.response import Response

from restflow import permissions
from restflow.views import AsyncAPIView
from tests.safety.support import ask


class Open(AsyncAPIView):
    authentication_classes = []
    permission_classes = []

    async def get(self, request):
        return Response("in")


class Denies(AsyncAPIView):
    async def acheck_permissions(self, request):
        self.permission_denied(request)


class AllowsAgain(Denies, Open):
    async def acheck_permissions(self, request):
        pass


class AsyncDeny(permissions.BasePermission):
    async def ahas_permission(self, request, view):
        return False


class SyncDeny(permissions.BasePermission):
    def has_permission(self, request, view):
        return False


@pytest.mark.parametrize("base", [Open, AllowsAgain])
def test_a_twin_copied_into_another_view_is_what_that_view_writes(base):
    cls = type("V", (base,), {"check_permissions": Denies.check_permissions})
    assert ask(cls).status == 403


@pytest.mark.parametrize("base", [permissions.BasePermission, drf.BasePermission])
def test_a_twin_copied_into_another_permission_is_what_that_permission_writes(base):
    permission = type("P", (base,), {"has_permission": AsyncDeny.has_permission})
    assert ask(type("V", (Open,), {"permission_classes": [permission]})).status == 403


def test_the_twin_of_another_object_set_on_a_permission_is_asked():
    class Outer(permissions.BasePermission):
        def __init__(self):
            self.ahas_permission = SyncDeny().ahas_permission

    assert ask(type("V", (Open,), {"permission_classes": [Outer]})).status == 403


def test_what_was_looked_up_for_one_class_is_not_believed_of_another():
    class Strict(Open):
        def check_permissions(self, request):
            self.permission_denied(request)

    class Becomes(Open):
        def determine_version(self, *args, **kwargs):
            self.__class__ = Strict
            return "2", None

    assert ask(Becomes).status == 403


def test_a_proxy_that_renames_a_hook_is_obeyed():
    class Legacy(drf.BasePermission):
        def has_strict(self, request, view):
            return False

    class Proxy:
        def __getattr__(self, name):
            return getattr(Legacy(), {"has_permission": "has_strict"}.get(name, name))

    assert ask(type("V", (Open,), {"get_permissions": lambda self: [Proxy()]})).status == 403


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_async_answer_on_the_loop_is_not_taken_for_a_yes():
    class Deny(permissions.BasePermission):
        async def has_permission(self, request, view):
            return False

    async def main():
        assert await Deny().has_permission(None, None) is False
        with pytest.raises(TypeError, match="was not awaited"):
            bool(Deny().has_permission(None, None))

    asyncio.run(main())
    gc.collect()
