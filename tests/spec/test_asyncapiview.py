"""The sections "AsyncAPIView" and "Object permissions"."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import Any

import pytest
import rest_framework.views
from asgiref.sync import iscoroutinefunction
from django.urls import resolve
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.response import Response

from restflow.views import APIView, AsyncAPIView
from tests.site import Site
from tests.spec.support import HELPERS, User, UserSer, base

METHODS = ["get", "post", "put", "patch", "delete"]


class Name(serializers.Serializer):
    name = serializers.CharField()


def test_dispatch_is_async_and_the_helpers_have_async_variants() -> None:
    class View(AsyncAPIView):
        async def get(self, request: Any) -> Any:
            await asyncio.sleep(0)  # only a coroutine on a running loop can
            return Response(threading.current_thread() is threading.main_thread())

    assert iscoroutinefunction(View.dispatch)
    for name in HELPERS:
        assert iscoroutinefunction(getattr(AsyncAPIView, "a" + name))
        assert not hasattr(APIView, "a" + name)
    with Site({"": View.as_view()}) as site:
        answer = site.send("GET", "/")
    assert (answer.json(), answer.hops) == (True, 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_handler_is_a_coroutine(method: str) -> None:
    async def handler(self: Any, request: Any, pk: int) -> Any:
        await asyncio.sleep(0)
        return Response([request.method, pk, asyncio.current_task() is not None])

    view = type("View", (AsyncAPIView,), {method: handler})
    with Site({"<int:pk>/": view.as_view()}) as site:
        answer = site.send(method.upper(), "/7/", *([{}] if method in {"post", "put", "patch"} else []))
    assert answer.json() == [method.upper(), 7, True]


def test_view_is_async_is_declared_for_django_and_drf() -> None:
    class View(AsyncAPIView):
        async def get(self, request: Any) -> Any:
            return Response()

    assert vars(AsyncAPIView)["view_is_async"] is True
    assert APIView.view_is_async is False
    with Site({"users/": View.as_view()}) as site:
        found = resolve("/users/").func
        assert iscoroutinefunction(found)  # Django awaits it on the loop
        assert found.cls.view_is_async is True  # DRF's schema generators look at the class
        assert issubclass(found.cls, rest_framework.views.APIView)
        assert site.send("GET", "/users/").hops == 0


def test_a_partially_async_view_may_call_the_sync_helpers() -> None:
    class View(AsyncAPIView):
        serializer_class = Name

        async def get(self, request: Any) -> Any:
            await asyncio.sleep(0)
            return self.serialized_response({"name": "Emma"}, status=202)

        async def post(self, request: Any) -> Any:
            serializer = self.validated_serializer()
            return self.paginated_response([serializer.validated_data])

    for name in HELPERS:
        assert inspect.getattr_static(AsyncAPIView, name) is inspect.getattr_static(APIView, name)
    with Site({"": View.as_view()}) as site:
        answers = [site.send("GET", "/"), site.send("POST", "/", {"name": "Jane"}), site.send("POST", "/", {})]
    assert [(answer.status, answer.json()) for answer in answers] == [
        (202, {"name": "Emma"}),
        (200, [{"name": "Jane"}]),
        (400, {"name": ["This field is required."]}),
    ]


# --- object permissions ---------------------------------------------------------------------------------------------


class NotEmma(BasePermission):
    message = "Not this one."
    code = "not_emma"

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return str(obj) != "emma"


class AsyncNotEmma(BasePermission):
    message = "Not this one."
    code = "not_emma"

    async def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        await asyncio.sleep(0)
        return str(obj) != "emma"


@pytest.mark.parametrize("permission", [NotEmma, AsyncNotEmma])
def test_acheck_object_permissions_answers_as_drfs_does(permission: Any) -> None:
    class Drfs(rest_framework.views.APIView):
        permission_classes = [NotEmma]

        def get(self, request: Any, name: str) -> Any:
            self.check_object_permissions(request, name)
            return Response(name)

    class Ours(AsyncAPIView):
        permission_classes = [permission]

        async def get(self, request: Any, name: str) -> Any:
            await self.acheck_object_permissions(request, name)
            return Response(name)

    with Site({"drf/<name>": Drfs.as_view(), "ours/<name>": Ours.as_view()}) as site:
        for name, status in [("emma", 403), ("jane", 200)]:
            theirs, answer = (site.send("GET", f"/{which}/{name}") for which in ("drf", "ours"))
            assert (answer.status, answer.headers, answer.body) == (theirs.status, theirs.headers, theirs.body)
            assert answer.status == status


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("permission", [NotEmma, AsyncNotEmma])
def test_generic_views_call_it_from_aget_object(permission: Any) -> None:
    from restflow.views import AsyncGenericAPIView

    class View(AsyncGenericAPIView):
        queryset = User.objects.all()
        permission_classes = [permission]

        async def get(self, request: Any, pk: int) -> Any:
            return Response(str(await self.aget_object()))

    users = [User.objects.create(username=name) for name in ("emma", "jane")]
    with Site({"<int:pk>/": View.as_view()}) as site:
        assert [site.send("GET", f"/{user.pk}/").status for user in users] == [403, 200]
        assert site.send("GET", "/0/").status == 404


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("calls", "status"), [(True, 403), (False, 200)])
def test_a_handler_that_fetches_an_object_calls_it_explicitly(colour: str, calls: bool, status: int) -> None:
    class View(base(colour)):  # type: ignore[misc]
        permission_classes = [NotEmma]
        serializer_class = UserSer

        if colour == "sync":

            def get(self, request: Any, pk: int) -> Any:
                user = User.objects.get(pk=pk)
                if calls:
                    self.check_object_permissions(request, user)
                return self.serialized_response(user)
        else:

            async def get(self, request: Any, pk: int) -> Any:
                user = await User.objects.aget(pk=pk)
                if calls:
                    await self.acheck_object_permissions(request, user)
                return await self.aserialized_response(user)

    user = User.objects.create(username="emma")
    with Site({"<int:pk>/": View.as_view()}) as site:
        assert site.send("GET", f"/{user.pk}/").status == status
