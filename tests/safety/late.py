"""Views that leave everything as it is, to have something replaced after a request or during one."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import permissions
from rest_framework.exceptions import PermissionDenied
from rest_framework.response import Response

from restflow.views import APIView, AsyncAPIView

CHECKS = ("perform_authentication", "check_permissions", "check_throttles")
GETTERS = ("get_permissions", "get_throttles")


class Plain:
    authentication_classes: Any = []
    permission_classes: Any = []
    throttle_classes: Any = []


def view_of(base: Any, **attributes: Any) -> Any:
    if issubclass(base, AsyncAPIView):

        async def get(self, request):
            return Response({})
    else:

        def get(self, request):
            return Response({})

    return type("V", (Plain, base), {"get": get, **attributes})


both = pytest.mark.parametrize("base", [APIView, AsyncAPIView])


def refusing(colour: str) -> Any:
    async def asynchronous(*args: Any, **kwargs: Any) -> Any:
        raise PermissionDenied("replaced")

    def sync(*args: Any, **kwargs: Any) -> Any:
        raise PermissionDenied("replaced")

    return asynchronous if colour == "async" else sync


class Asked(permissions.BasePermission):
    """Has the checks after it run where sync code may: in the worker thread."""

    def has_permission(self, request, view):
        return True


class OnInstances:
    """A descriptor that is there for objects, and not for their class."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            raise AttributeError
        return self.value
