"""The ends of streams that come from unusual places, and from sources of unusual kinds."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from django.test import override_settings
from django.urls import path
from rest_framework.response import Response
from rest_framework.test import APIClient

from restflow.flow import streaming
from restflow.responses import EventStreamRenderer, NDJSONResponse, SSEResponse
from restflow.streams.reading import read
from tests.site import ENTRIES, Site
from tests.streams.support import Client, async_view

each_entry = pytest.mark.parametrize("entry", ENTRIES)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.ERROR, "django.request")
    return caplog


async def endless(log: list[str]) -> Any:
    try:
        while True:
            yield 1
    finally:
        log.append("ended")


def test_a_response_that_was_closed_gives_no_more() -> None:
    async def main() -> None:
        response = NDJSONResponse(endless(log))
        parts = aiter(response)
        assert await anext(parts) == b"1\n"
        response.close()
        response.close()
        await asyncio.sleep(0.01)
        assert log == ["ended"]
        assert [part async for part in parts] == []
        assert [part async for part in response] == []

    log: list[str] = []
    asyncio.run(main())


def test_a_response_that_was_closed_before_gives_nothing_to_sync_code() -> None:
    log: list[str] = []
    response = NDJSONResponse(endless(log))
    response.close()
    assert list(response) == []


def test_a_response_may_outlive_its_event_loop() -> None:
    async def begin() -> NDJSONResponse:
        response = NDJSONResponse(endless(log))
        kept.append(aiter(response))
        await anext(kept[0])
        return response

    log: list[str] = []
    kept: list[Any] = []
    response = asyncio.run(begin())
    assert log == ["ended"]  # by the loop's own end
    response.close()


@each_entry
def test_a_generator_that_goes_on_whatever_it_is_told_is_waited_for_no_longer(
    entry: str, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    async def stubborn() -> Any:
        yield 0
        for _ in range(20):
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                tried.append(1)

    async def main(site: Site) -> None:
        async with Client(site, "/x/").asking() as client:
            await client.until(lambda: b"0" in client.body)
            await asyncio.sleep(0.01)
            await client.leave()
            assert [str(record.exc_info[1]) for record in logged.records if record.exc_info] == [
                "A stream's generator does not end, though it was closed."
            ]

    tried: list[int] = []
    monkeypatch.setattr(streaming, "_GRACE", 0.01)
    with Site({"x/": async_view(lambda *_: NDJSONResponse(stubborn()))}, entry=entry) as site:
        asyncio.run(main(site))
    assert tried


def test_what_sync_code_raises_in_the_end_is_logged(logged: pytest.LogCaptureFixture) -> None:
    def items() -> Any:
        try:
            yield 1
            yield 2
        finally:
            raise ValueError("in the end")

    response = NDJSONResponse(items())
    assert next(iter(response)) == b"1\n"
    response.close()
    assert [record.getMessage() for record in logged.records] == ["A stream failed: "]


def test_head_has_the_headers_alone_in_drfs_client() -> None:
    def never() -> Any:
        raise AssertionError
        yield

    with override_settings(ROOT_URLCONF=(path("x/", async_view(lambda *_: SSEResponse(never()))),)):
        response: Any = APIClient().head("/x/")
    assert (response.status_code, response.getvalue()) == (200, b"")


class Countdown:
    """An async iterator that is no generator: it can't be closed."""

    left = 3

    def __aiter__(self) -> Countdown:
        return self

    async def __anext__(self) -> int:
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return self.left


@each_entry
@pytest.mark.parametrize("chunk_size", [1, 2])
def test_an_iterator_that_can_not_be_closed_will_do(entry: str, chunk_size: int) -> None:
    view = async_view(lambda *_: NDJSONResponse(Countdown(), chunk_size=chunk_size))
    with Site({"x/": view}, entry=entry) as site:
        assert asyncio.run(site.asend("GET", "/x/")).body == b"2\n1\n0\n"


@pytest.mark.parametrize("chunks", [[b"data: a\r", b"\n\rdata: b\r", b"\r"], [b"data: a\n\ndata: b\r\n\r\n"]])
def test_each_kind_of_line_end_is_read(chunks: list[bytes]) -> None:
    async def main() -> list[Any]:
        async def given() -> Any:
            for chunk in [b"\xef\xbb\xbf", *chunks, b": the end\n"]:
                yield chunk

        return [event.data async for event in read("text/event-stream", given())]

    assert asyncio.run(main()) == ["a", "b"]


def test_an_error_keeps_the_content_type_that_it_was_given() -> None:
    def answer(*_: Any) -> Response:
        return Response({"title": "x"}, status=409, content_type="application/problem+json")

    with Site({"x/": async_view(answer, renderer_classes=[EventStreamRenderer])}) as site:
        answered = asyncio.run(site.asend("GET", "/x/", headers={"accept": "text/event-stream"}))
    assert (answered.status, answered.headers["Content-Type"]) == (409, "application/problem+json")
