"""Streams that were begun and that nobody sends, as their clients left while the response was on its way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.utils.decorators import async_only_middleware, sync_only_middleware

from restflow.responses import NDJSONResponse
from tests.site import DJANGO, OURS, Site
from tests.streams.support import Client, async_view, sync_view
from tests.streams.test_leaving import async_numbers, sync_numbers

# The responses that came to the middleware: kept, so that they aren't ended because Python collects them.
reached: list[Any] = []


@async_only_middleware
def slow(get_response: Any) -> Any:
    """A middleware whose end the client does not wait for."""

    async def middleware(request: Any) -> Any:
        response = await get_response(request)
        reached.append(response)
        await asyncio.sleep(60)
        return response

    return middleware


@sync_only_middleware
def slow_sync(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        response = get_response(request)
        reached.append(response)
        time.sleep(0.05)
        return response

    return middleware


async def asked_and_left(site: Site) -> None:
    reached.clear()
    async with Client(site, "/x/").asking() as client:
        await client.until(lambda: bool(reached))
        await client.leave()
        assert client.sent == []


each_view = pytest.mark.parametrize("view", [sync_view, async_view])
each_source = pytest.mark.parametrize("source", [sync_numbers, async_numbers])
each_middleware = pytest.mark.parametrize("middleware", [slow, slow_sync])


def served(view: Any, items: Callable[[], Any], middleware: Any, entry: str) -> Site:
    name = f"{__name__}.{middleware.__name__}"
    return Site({"x/": view(lambda *_: NDJSONResponse(items()))}, entry=entry, MIDDLEWARE=[name])


@each_view
@each_source
@each_middleware
def test_our_entry_ends_it_with_the_request(view: Any, source: Any, middleware: Any) -> None:
    async def main(site: Site) -> None:
        await asked_and_left(site)
        assert log == [0, "ended"]  # before the loop ends, which cancels what is left

    log: list[Any] = []
    with served(view, lambda: source(log), middleware, OURS) as site:
        asyncio.run(main(site))


@each_view
@each_source
@each_middleware
def test_on_djangos_it_ends_when_python_collects_it(
    view: Any, source: Any, middleware: Any, collect: Callable[[], int]
) -> None:
    async def main(site: Site) -> None:
        await asked_and_left(site)
        reached.clear()
        while log[-1] != "ended":
            collect()
            await asyncio.sleep(0.001)

    log: list[Any] = []
    with served(view, lambda: source(log), middleware, DJANGO) as site:
        asyncio.run(asyncio.wait_for(main(site), 30))
    assert log == [0, "ended"]


def test_a_response_that_is_forgotten_while_it_is_read_is_read_to_its_end() -> None:
    async def main() -> list[bytes]:
        return [part async for part in NDJSONResponse(items())]

    async def items() -> Any:
        for number in range(3):
            await asyncio.sleep(0)
            yield number

    assert asyncio.run(main()) == [b"0\n", b"1\n", b"2\n"]
