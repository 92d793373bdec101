"""Clients that leave, read slowly or never, and generators that do not end as they should."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpResponse

from restflow.responses import NDJSONResponse, SSEResponse, StreamingJSONListResponse
from tests.site import ENTRIES, Site
from tests.streams.support import Client, as_async, as_sync, async_view, sync_handler, sync_view

each_entry = pytest.mark.parametrize("entry", ENTRIES)
each_view = pytest.mark.parametrize("view", [sync_view, async_view, sync_handler])
RESPONSES: list[Callable[..., Any]] = [SSEResponse, NDJSONResponse, StreamingJSONListResponse]
each_response = pytest.mark.parametrize("response", RESPONSES)


def sync_numbers(log: list[Any]) -> Any:
    try:
        for number in range(10**9):
            log.append(number)
            yield number
            time.sleep(0.001)
    finally:
        log.append("ended")


async def async_numbers(log: list[Any]) -> Any:
    try:
        for number in range(10**9):
            log.append(number)
            yield number
            await asyncio.sleep(0.001)
    finally:
        await asyncio.sleep(0)
        log.append("ended")


async def silent(log: list[Any]) -> Any:
    try:
        yield 0
        await asyncio.Event().wait()
    finally:
        log.append("ended")


@each_entry
@each_view
@each_response
@pytest.mark.parametrize("source", [sync_numbers, async_numbers, silent])
def test_a_generator_ends_when_its_client_leaves(entry: str, view: Any, response: Any, source: Any) -> None:
    async def main(site: Site) -> None:
        async with Client(site, "/x/").asking() as client:
            await client.until(lambda: b"0" in client.body)
            await client.leave()

    log: list[Any] = []
    with Site({"x/": view(lambda *_: response(source(log)))}, entry=entry) as site:
        asyncio.run(main(site))
    assert log[-1] == "ended"


@each_entry
@pytest.mark.parametrize("source", [sync_numbers, async_numbers])
def test_nothing_is_produced_while_the_client_does_not_read(entry: str, source: Any) -> None:
    log: list[Any] = []

    async def main(site: Site) -> None:
        reads = asyncio.Event()
        left = asyncio.Event()
        pending = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Any:
            if pending:
                return pending.pop()
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message.get("body"):
                full.set()
                await reads.wait()

        full = asyncio.Event()
        async with site.request(wait=True):
            serving = asyncio.create_task(site.application(Client(site, "/x/").scope, receive, send))
            await full.wait()
            await asyncio.sleep(0.05)
            assert log == [0]
            left.set()
            await serving

    with Site({"x/": async_view(lambda *_: NDJSONResponse(source(log)))}, entry=entry) as site:
        asyncio.run(main(site))
    assert log == [0, "ended"]


@each_entry
def test_each_item_is_sent_before_the_next_is_produced(entry: str) -> None:
    async def main(site: Site) -> None:
        async with Client(site, "/x/").asking() as client:
            for number in range(3):
                await client.until(lambda number=number: client.body.count(b"\n") == number + 1)  # type: ignore[misc]
                gate.release()
            await client.serving
            assert client.body == b"0\n1\n2\n"

    async def gated() -> Any:
        for number in range(3):
            yield number
            await gate.acquire()

    gate = asyncio.Semaphore(0)
    with Site({"x/": async_view(lambda *_: NDJSONResponse(gated()))}, entry=entry) as site:
        asyncio.run(main(site))


@each_entry
@pytest.mark.parametrize("source", ["sync", "async"])
def test_a_silent_stream_shows_signs_of_life(entry: str, source: str) -> None:
    def slow() -> Any:
        time.sleep(0.2)
        yield "x"

    async def aslow() -> Any:
        await asyncio.sleep(0.2)
        yield "x"

    def answer(*_: Any) -> Any:
        return SSEResponse(slow() if source == "sync" else aslow(), heartbeat=0.02, first_within=0.01)

    with Site({"x/": async_view(answer)}, entry=entry) as site:
        answer_ = asyncio.run(site.asend("GET", "/x/"))
    assert answer_.body.count(b":\n\n") > 1
    assert answer_.body.endswith(b"data: x\n\n")


@each_entry
def test_what_is_raised_after_the_response_began_without_an_event_is_an_error_event(entry: str) -> None:
    async def late() -> Any:
        await asyncio.sleep(0.05)
        raise ValueError
        yield

    with Site({"x/": async_view(lambda *_: SSEResponse(late(), first_within=0))}, entry=entry) as site:
        answer = asyncio.run(site.asend("GET", "/x/"))
    assert answer.status == 200
    assert answer.body.startswith(b":\n\nevent: error\n")


# Generators that do not end as they should.


async def swallows_cancellation(log: list[Any]) -> Any:
    yield 0
    while True:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            log.append("swallowed")
        yield 1


async def swallows_its_end(log: list[Any]) -> Any:
    while True:
        try:
            yield 0
        except GeneratorExit:
            if log:
                raise
            log.append("swallowed")


def swallows_its_end_sync(log: list[Any]) -> Any:
    while True:
        try:
            yield 0
            time.sleep(0.001)
        except GeneratorExit:
            if log:
                raise
            log.append("swallowed")


async def raises_in_the_end(log: list[Any]) -> Any:
    try:
        yield 0
        await asyncio.sleep(10)
    finally:
        log.append("swallowed")
        raise ValueError("in the end")


@each_entry
@pytest.mark.parametrize(
    ("source", "is_logged"),
    [
        (swallows_cancellation, False),
        (swallows_its_end, True),
        (swallows_its_end_sync, True),
        (raises_in_the_end, True),
    ],
)
def test_a_generator_that_will_not_end_ends_the_stream_all_the_same(
    entry: str, source: Any, is_logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(site: Site) -> None:
        async with Client(site, "/x/").asking() as client:
            await client.until(lambda: b"0" in client.body)
            await client.leave()

    log: list[Any] = []
    caplog.set_level(logging.ERROR, "django.request")
    with Site({"x/": async_view(lambda *_: NDJSONResponse(source(log)))}, entry=entry) as site:
        asyncio.run(main(site))
    if source is not swallows_cancellation:  # it may have been between two items
        assert "swallowed" in log
    logged = [record.getMessage() for record in caplog.records if record.name == "django.request"]
    assert logged == ["A stream failed: /x/"] * is_logged


@each_entry
def test_a_generator_stays_in_one_task(entry: str) -> None:
    async def guarded() -> Any:
        async with asyncio.timeout(10), asyncio.TaskGroup():
            yield 1
            await asyncio.sleep(0.01)
            yield 2

    with Site({"x/": async_view(lambda *_: SSEResponse(guarded(), heartbeat=0.001))}, entry=entry) as site:
        answer = asyncio.run(site.asend("GET", "/x/"))
    assert answer.body.replace(b":\n\n", b"") == b"data: 1\n\ndata: 2\n\n"


@each_entry
@pytest.mark.parametrize("items", [as_sync([]), as_async([]), as_sync([1]), as_async([1])])
def test_a_short_response_that_nobody_sends_leaves_nothing(entry: str, items: Any) -> None:
    middleware = ["tests.streams.test_leaving.replace"]
    with Site({"x/": async_view(lambda *_: NDJSONResponse(items))}, entry=entry, MIDDLEWARE=middleware) as site:
        assert asyncio.run(site.asend("GET", "/x/")).body == b"another"


@each_entry
@each_view
@pytest.mark.parametrize("source", [sync_numbers, async_numbers])
def test_a_response_that_nobody_sends_ends_its_generator(entry: str, view: Any, source: Any) -> None:
    log: list[Any] = []
    middleware = ["tests.streams.test_leaving.replace"]
    with Site({"x/": view(lambda *_: NDJSONResponse(source(log)))}, entry=entry, MIDDLEWARE=middleware) as site:
        answer = asyncio.run(site.asend("GET", "/x/"))
    assert answer.body == b"another"
    assert log == [0, "ended"]


def replace(get_response: Any) -> Any:
    """A middleware that answers something else, and closes what it was given."""

    def middleware(request: Any) -> Any:
        get_response(request).close()
        return HttpResponse("another")

    return middleware


@each_entry
def test_a_compressed_stream_ends_when_its_client_leaves(entry: str) -> None:
    async def main(site: Site) -> None:
        async with Client(site, "/x/", **{"accept-encoding": "gzip"}).asking() as client:
            await client.until(lambda: bool(client.body))  # before that, the response is nobody's yet
            await client.leave()
            for _ in range(1000):  # the compressor is between: nobody waits for the generator
                if log[-1] == "ended":
                    return
                await asyncio.sleep(0.001)
            raise AssertionError

    log: list[Any] = []
    view = async_view(lambda *_: NDJSONResponse(async_numbers(log)))
    with Site({"x/": view}, entry=entry, MIDDLEWARE=["django.middleware.gzip.GZipMiddleware"]) as site:
        asyncio.run(main(site))


@pytest.mark.django_db
def test_sync_code_that_stops_reading_ends_the_generator() -> None:
    for source in (sync_numbers, async_numbers):
        log: list[Any] = []
        response = NDJSONResponse(source(log))
        assert next(iter(response)) == b"0\n"
        response.close()
        assert log == [0, "ended"]


def test_an_async_generators_database_code_runs_in_the_thread_that_iterates() -> None:
    seen: list[Any] = []

    async def asking() -> Any:
        for _ in range(2):
            await sync_to_async(lambda: seen.append(connections["default"]))()
            yield 1

    assert b"".join(NDJSONResponse(asking())) == b"1\n1\n"
    assert seen == [connections["default"]] * 2
