"""An event loop that sync code of a view starts for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from rest_framework.response import Response

from restflow.permissions import BasePermission
from restflow.views import AsyncAPIView
from tests.safety.support import ask
from tests.shop.models import Author

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 1  # seconds until a coroutine that is never run counts as such

Run = Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]


async def count() -> int:
    return await Author.objects.acount()


async def nothing() -> int:
    await asyncio.sleep(0)
    return 0


def with_asyncio_run(function: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    try:
        return asyncio.run(asyncio.wait_for(function(), PATIENCE))
    except TimeoutError:
        return "never"


def with_async_to_sync(function: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return async_to_sync(function)()


def in_handler(run: Run, function: Any) -> type:
    class View(AsyncAPIView):
        authentication_classes: list[Any] = []

        def get(self, request: Any) -> Response:
            return Response(run(function))

    return View


def in_permission(run: Run, function: Any) -> type:
    class Counting(BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            return bool(run(function) == 0)

    class View(AsyncAPIView):
        authentication_classes: list[Any] = []
        permission_classes = [Counting]

        async def get(self, request: Any) -> Response:
            return Response(0)

    return View


_asks_for_its_own_thread = pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="LIMIT: asgiref gives sync work to the request's thread, which waits in asyncio.run",
)


@pytest.mark.parametrize("where", [in_handler, in_permission])
@pytest.mark.parametrize(
    ("run", "function"),
    [
        pytest.param(with_async_to_sync, nothing),
        pytest.param(with_async_to_sync, count),
        pytest.param(with_asyncio_run, nothing),
        pytest.param(with_asyncio_run, count, marks=_asks_for_its_own_thread),
    ],
)
def test_sync_code_runs_a_coroutine_to_its_end(where: Callable[[Run, Any], type], run: Run, function: Any) -> None:
    answer = ask(where(run, function))
    assert (answer.status, answer.json()) == (200, 0)
