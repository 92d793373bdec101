"""A check that was asked for and never awaited lets no response go, and is never a yes."""

from __future__ import annotations

import asyncio
import functools
import re
import sys
from typing import Any
from unittest.mock import ANY

import pytest
from django.core.signals import got_request_exception
from django.http import HttpResponse
from rest_framework import serializers as drf_serializers
from rest_framework.response import Response

from restflow import permissions, serializers, throttling
from restflow.views import APIView, AsyncGenericAPIView
from tests.safety.support import Refused, ask
from tests.shop.models import Author


class Deny(permissions.BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return False

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return False


def failure(view: Any, **kwargs: Any) -> str:
    raised: list[str] = []

    def note(**kwargs: Any) -> None:
        raised.append(str(sys.exception()))

    got_request_exception.connect(note)
    try:
        assert ask(view, **kwargs).status == 500
    finally:
        got_request_exception.disconnect(note)
    return raised[0]


class Base(AsyncGenericAPIView):
    authentication_classes: Any = []
    serializer_class = None


async def acheck(self: Any, request: Any, obj: Any) -> None:
    raise Refused


def check(self: Any, request: Any, obj: Any) -> None:
    raise Refused


# Who writes the check, under which name, and by which it is called.
WRITTEN: dict[str, tuple[dict[str, Any], str]] = {
    "ours": ({}, "acheck_object_permissions"),
    "sync, by its async name": ({"check_object_permissions": check}, "acheck_object_permissions"),
    "async, by its sync name": ({"check_object_permissions": acheck}, "check_object_permissions"),
    "async, by its async name": ({"acheck_object_permissions": acheck}, "acheck_object_permissions"),
}


@pytest.mark.parametrize("handler", ["async", "sync"])
@pytest.mark.parametrize(("body", "name"), WRITTEN.values(), ids=WRITTEN)
def test_a_response_does_not_leave_before_a_check_that_was_asked_for(body: Any, name: str, handler: str) -> None:
    if (name, handler) == ("check_object_permissions", "sync"):
        pytest.skip("a sync handler that calls the sync name has its answer")

    async def get(self: Any, request: Any) -> Response:
        getattr(self, name)(request, object())
        return Response("let in")

    def get_sync(self: Any, request: Any) -> Response:
        getattr(self, name)(request, object())
        return Response("let in")

    said = failure(type("View", (Base,), {**body, "get": get if handler == "async" else get_sync}))
    line = get.__code__.co_firstlineno + 1 if handler == "async" else get_sync.__code__.co_firstlineno + 1
    assert said == (
        f"View.acheck_object_permissions was called at {__file__}:{line} and never awaited, so the response was made "
        "without its answer. Write `await` before it."
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda view, request: view.acheck_permissions(request),
        lambda view, request: view.acheck_throttles(request),
        lambda view, request: view.apermission_denied(request),
        lambda view, request: view.aperform_destroy(object()),
    ],
    ids=["acheck_permissions", "acheck_throttles", "apermission_denied", "aperform_destroy"],
)
@pytest.mark.parametrize("where", ["get", "finalize_response", "initial"])
def test_whatever_is_called_for_its_effect_is_waited_for(call: Any, where: str) -> None:
    from restflow.views import AsyncDestroyAPIView

    class View(AsyncDestroyAPIView):
        authentication_classes: Any = []

        async def get(self, request: Any) -> Response:
            if where == "get":
                call(self, request)
            return Response("let in")

        async def ainitial(self, request: Any, *args: Any, **kwargs: Any) -> None:
            await super().ainitial(request, *args, **kwargs)
            if where == "initial":
                call(self, request)

        async def afinalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
            if where == "finalize_response":
                call(self, request)
            return await super().afinalize_response(request, response, *args, **kwargs)

    assert re.search("never awaited", failure(View))


def test_a_check_in_a_task_is_waited_for_too() -> None:
    started: list[Any] = []

    class View(Base):
        async def acheck_object_permissions(self, request: Any, obj: Any) -> None:
            await asyncio.sleep(60)

        async def get(self, request: Any) -> Response:
            started.append(asyncio.create_task(self.acheck_object_permissions(request, object())))
            await asyncio.sleep(0)
            return Response("let in")

    assert "never awaited" in failure(View)


@pytest.mark.parametrize("how", ["await", "gather", "task", "wait_for", "asyncio.timeout"])
def test_a_check_that_is_awaited_in_any_way_answers(how: str) -> None:
    class View(Base):
        permission_classes: Any = []

        def get_permissions(self) -> Any:
            return [Deny()] if self.response_is_near else []

        response_is_near = False

        async def get(self, request: Any) -> Response:
            self.response_is_near = True
            asked = self.acheck_object_permissions(request, object())
            if how == "gather":
                await asyncio.gather(asked)
            elif how == "task":
                await asyncio.create_task(asked)
            elif how == "wait_for":
                await asyncio.wait_for(asked, 10)
            else:
                await asked
            return Response("let in")

    assert ask(View).status == 403


class DenyAsync(permissions.BasePermission):
    async def ahas_permission(self, request: Any, view: Any) -> bool:
        return False

    async def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:  # type: ignore[override]
        return False


class Never(throttling.BaseThrottle):
    def allow_request(self, request: Any, view: Any) -> bool:
        return False


@pytest.mark.parametrize(
    "answer",
    [
        lambda request, view: Deny().ahas_permission(request, view),
        lambda request, view: Deny().ahas_object_permission(request, view, object()),
        lambda request, view: DenyAsync().ahas_permission(request, view),
        lambda request, view: DenyAsync().has_object_permission(request, view, object()),
        lambda request, view: Never().aallow_request(request, view),
    ],
)
def test_an_answer_that_was_not_awaited_is_no_yes(answer: Any) -> None:
    class View(Base):
        async def get(self, request: Any) -> Response:
            asked = answer(request, self)
            try:
                return Response("let in" if asked else "refused")
            finally:
                asked.close()

    assert re.search(r"was not awaited at .*: what it answers is not known", failure(View))


async def refuse(self: Any, request: Any, obj: Any) -> None:
    raise Refused


class Written:
    acheck_object_permissions = refuse


def test_a_sync_view_lets_no_response_go_either() -> None:
    class View(Written, APIView):
        authentication_classes: Any = []

        def get(self, request: Any) -> Response:
            self.acheck_object_permissions(request, object())
            return Response("let in")

    assert "View.acheck_object_permissions was called at" in failure(View)


@pytest.mark.parametrize("calls_super", [True, False])
def test_nor_does_an_override_of_dispatch(calls_super: bool) -> None:
    class View(Written, Base):
        async def get(self, request: Any) -> Response:
            return Response("let in")

        async def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            response = await super().dispatch(request, *args, **kwargs) if calls_super else HttpResponse("let in")
            self.acheck_object_permissions(request, object())
            return response

    assert "View.acheck_object_permissions was called at" in failure(View)


@pytest.mark.django_db(transaction=True)
def test_an_object_that_nobody_waited_for_was_not_checked() -> None:
    class View(Written, Base):
        queryset = Author.objects.all()

        async def delete(self, request: Any, pk: int) -> Response:
            self.aget_object()
            return Response("let in")

    author = Author.objects.create(name="Austen")
    assert "View.aget_object was called at" in failure(View, method="DELETE", url=f"/x/{author.pk}/")


def as_task(check: Any) -> Any:
    @functools.wraps(check)
    def wrapper(*args: Any) -> Any:
        return asyncio.ensure_future(check(*args))

    return wrapper


@pytest.mark.parametrize("is_awaited", [True, False])
def test_a_check_may_give_a_future(is_awaited: bool) -> None:
    class View(Base):
        check_object_permissions = as_task(refuse)

        async def get(self, request: Any) -> Response:
            pending: Any = self.check_object_permissions(request, object())
            if is_awaited:
                await pending
            return Response("let in")

    if is_awaited:
        assert ask(View).status == 418
    else:
        assert "View.acheck_object_permissions was called at" in failure(View)


@pytest.mark.parametrize("base", [serializers.Serializer, drf_serializers.Serializer])
def test_whether_data_are_valid_is_not_known_before_it_is_awaited(base: Any) -> None:
    class View(Base):
        serializer_class = type("Any", (base,), {})

        async def get(self, request: Any) -> Response:
            serializer: Any = await self.aget_serializer(data=[])
            return Response("let in" if serializer.ais_valid() else "invalid")

    assert "ais_valid was not awaited at" in failure(View)


def test_nor_is_the_user() -> None:
    class View(Base):
        async def get(self, request: Any) -> Response:
            return Response("let in" if request.auser() else "nobody")

    assert "request.auser was not awaited at" in failure(View)


@pytest.mark.parametrize("awaits", [True, False])
def test_a_check_may_be_a_task_and_the_task_be_logged(awaits: bool) -> None:
    """From Python 3.12 on, a task's repr asks whether its coroutine is true."""

    class View(Written, Base):
        async def get(self, request: Any) -> Response:
            task = asyncio.create_task(self.acheck_object_permissions(request, object()))
            assert "pending" in repr(task)
            done, _ = await asyncio.wait([task])
            assert "Refused" in repr(done)
            if awaits:
                await task
            return Response(type(task.exception()).__name__)

    asked = ask(View)
    assert (asked.status, asked.json()) == ((418, ANY) if awaits else (200, "Refused"))
