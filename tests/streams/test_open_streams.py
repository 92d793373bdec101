"""``OpenStreamsThrottle``: so many streams at a time for each user, counted to their ends, whichever way these come."""

from __future__ import annotations

import asyncio
import gc
from contextlib import AsyncExitStack
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView as DRFAPIView

from restflow.authentication import BaseAuthentication
from restflow.responses import SSEResponse, StreamingJSONListResponse
from restflow.streams import StreamFailed
from restflow.throttling import BaseThrottle, OpenStreamsThrottle
from restflow.views import AsyncAPIView
from tests.site import ENTRIES, Site
from tests.streams.support import Client, as_sync, async_view, sync_view

each_entry = pytest.mark.parametrize("entry", ENTRIES)
each_view = pytest.mark.parametrize("view", [sync_view, async_view])


class Two(OpenStreamsThrottle):
    limit = 2


class Named:
    is_authenticated = True

    def __init__(self, name: str) -> None:
        self.pk = name


class ByHeader(BaseAuthentication):
    def authenticate(self, request: Any) -> Any:
        name = request.headers.get("x-user")
        return name and (Named(name), None)


class Refusing(BaseThrottle):
    def allow_request(self, request: Any, view: Any) -> bool:
        return "x-refuse" not in request.headers


ATTRIBUTES: dict[str, Any] = {"throttle_classes": [Two, Refusing], "authentication_classes": [ByHeader]}


async def forever() -> Any:
    yield "open"
    await asyncio.Event().wait()


async def is_open(client: Client) -> bool:
    await client.until(lambda: bool(client.sent))
    if client.sent[0]["status"] == 429:
        await client.serving
        return False
    await client.until(lambda: b"open" in client.body)
    return True


@each_entry
@each_view
def test_a_user_has_so_many_open_and_another_when_one_is_closed(entry: str, view: Any) -> None:
    async def main(site: Site) -> None:
        async with AsyncExitStack() as stack:

            async def ask(user: str | None) -> Client:
                client = Client(site, "/x/", **({"x-user": user} if user else {}))
                return await stack.enter_async_context(client.asking())

            first = await ask("ada")
            assert await is_open(first)
            assert await is_open(await ask("ada"))
            assert not await is_open(await ask("ada"))
            assert await is_open(await ask("grace"))
            assert await is_open(await ask(None))
            await first.leave()
            assert await is_open(await ask("ada"))
            assert not await is_open(await ask("ada"))

    with Site({"x/": view(lambda *_: SSEResponse(forever()), **ATTRIBUTES)}, entry=entry) as site:
        asyncio.run(main(site))


def answers(view: Any, entry: str, times: int, method: str = "GET", **headers: str) -> list[int]:
    async def main(site: Site) -> list[int]:
        return [(await site.asend(method, "/x/", headers=headers)).status for _ in range(times)]

    with Site({"x/": view}, entry=entry) as site:
        return asyncio.run(main(site))


@each_entry
@each_view
def test_what_has_ended_is_not_counted_whichever_way_it_ended(entry: str, view: Any) -> None:
    def failing(*_: Any) -> Any:
        raise NotFound

    def breaking(*_: Any) -> Any:
        raise ValueError

    def of(answer: Any) -> Any:
        return view(answer, **ATTRIBUTES)

    assert answers(of(lambda *_: SSEResponse(["x"])), entry, 3) == [200] * 3
    assert answers(of(lambda *_: SSEResponse(["x"])), entry, 3, "HEAD") == [200] * 3
    assert answers(of(lambda *_: SSEResponse(as_sync([1, ValueError()]))), entry, 3) == [200] * 3
    assert answers(of(lambda *_: SSEResponse(as_sync([NotFound()]))), entry, 3) == [404] * 3
    assert answers(of(lambda *_: Response({})), entry, 3) == [200] * 3
    assert answers(of(failing), entry, 3) == [404] * 3
    assert answers(of(breaking), entry, 3) == [500] * 3
    assert answers(of(lambda *_: SSEResponse(["x"])), entry, 3, **{"x-refuse": "1"}) == [429] * 3


@each_entry
@each_view
def test_a_list_that_is_left_open_is_not_counted(entry: str, view: Any) -> None:
    failing = view(lambda *_: StreamingJSONListResponse(as_sync([1, ValueError()])), **ATTRIBUTES)
    gc.disable()
    try:
        for _ in range(3):
            with pytest.raises(StreamFailed):
                answers(failing, entry, 1)
    finally:
        gc.enable()


@each_entry
def test_a_request_whose_client_leaves_before_there_is_a_response_is_not_counted(entry: str) -> None:
    class View(AsyncAPIView):
        throttle_classes = [Two]
        authentication_classes = [ByHeader]

        async def get(self, request: Any) -> Any:
            begun.append(1)
            await asyncio.Event().wait()

    async def main(site: Site) -> None:
        for number in range(3):
            async with Client(site, "/x/").asking() as client:
                await client.until(lambda number=number: len(begun) > number)  # type: ignore[misc]
                await client.leave()
                assert client.sent == []

    begun: list[int] = []
    with Site({"x/": View.as_view()}, entry=entry) as site:
        asyncio.run(main(site))


def test_on_a_view_of_drfs_it_counts_until_the_request_is_forgotten() -> None:
    class View(DRFAPIView):
        throttle_classes = [Two]
        permission_classes = [AllowAny]
        authentication_classes: list[Any] = []

        def get(self, request: Any) -> Any:
            return HttpResponse()

    def ask() -> int:
        status: int = APIClient().get("/x/").status_code
        gc.collect()
        return status

    with override_settings(ROOT_URLCONF=(path("x/", View.as_view()),)):
        assert [ask() for _ in range(3)] == [200] * 3
