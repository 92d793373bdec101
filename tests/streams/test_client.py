"""``AsyncAPIClient.stream``: what a view streams, item by item, as it is produced."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from django.http import StreamingHttpResponse
from django.urls import path
from rest_framework.response import Response

from restflow.responses import NDJSONResponse, ServerSentEvent, SSEResponse, StreamingJSONListResponse
from restflow.streams.parts import StreamFailed
from restflow.streams.reading import read
from restflow.test import AsyncAPISimpleTestCase
from restflow.views import AsyncAPIView
from tests.streams.support import RENDERERS, as_async, async_view, sync_view

ITEMS: list[Any] = [{"a": "x, y]"}, 12, -1.5, "[", None, [1, [2]], []]


async def endless(log: list[Any]) -> Any:
    try:
        while True:
            log.append("asked")
            yield "x"
    finally:
        log.append("ended")


class TestStream(AsyncAPISimpleTestCase):
    """The client of a test case."""

    async def all_of(self, answer: Any, *args: Any, view: Any = async_view, **kwargs: Any) -> list[Any]:
        with self.settings(ROOT_URLCONF=(path("x/", view(lambda *_: answer)),)):
            return [item async for item in self.client.stream("/x/", *args, **kwargs)]

    async def test_events_have_their_fields(self) -> None:
        event = ServerSentEvent("a\nb", event="tick", id="3", retry=5)
        found = await self.all_of(SSEResponse([event, ServerSentEvent(comment="no"), "x"]))
        assert found == [ServerSentEvent("a\nb", event="tick", id="3"), ServerSentEvent("x", id="3")]

    async def test_lines_and_lists_give_their_items(self) -> None:
        for view in (async_view, sync_view):
            assert await self.all_of(NDJSONResponse(ITEMS, chunk_size=2), view=view) == ITEMS
            assert await self.all_of(StreamingJSONListResponse(ITEMS, chunk_size=2), view=view) == ITEMS
            assert await self.all_of(StreamingJSONListResponse([]), view=view) == []

    async def test_a_failure_in_the_middle_is_there_as_a_client_sees_it(self) -> None:
        broken = [1, ValueError()]
        assert (await self.all_of(SSEResponse(as_async(broken))))[1].event == "error"
        assert "error" in (await self.all_of(NDJSONResponse(as_async(broken))))[1]
        with pytest.raises(StreamFailed):
            await self.all_of(StreamingJSONListResponse(as_async(broken)))

    async def test_to_stop_is_to_leave(self) -> None:
        log: list[Any] = []
        with self.settings(ROOT_URLCONF=(path("x/", async_view(lambda *_: NDJSONResponse(endless(log)))),)):
            async with aclosing(self.client.stream("/x/")) as items:
                async for item in items:
                    assert (item, log) == ("x", ["asked"])
                    break
        assert log == ["asked", "ended"]

    async def test_what_is_no_stream_is_shown(self) -> None:
        with pytest.raises(AssertionError, match=r'418, and no stream: \{"a":1\}'):
            await self.all_of(Response({"a": 1}, status=418))

    async def test_what_is_a_stream_of_another_kind_is_refused(self) -> None:
        with pytest.raises(ValueError, match="text/plain is no stream that can be read"):
            await self.all_of(StreamingHttpResponse(as_async([b"x"]), content_type="text/plain"))

    async def test_it_sends_what_it_is_given(self) -> None:
        class View(AsyncAPIView):
            renderer_classes = RENDERERS

            async def post(self, request: Any) -> Any:
                kind = request.accepted_renderer.format
                return NDJSONResponse([request.data, request.query_params.dict(), kind])

            async def get(self, request: Any) -> Any:
                return NDJSONResponse([request.query_params.dict(), request.accepted_renderer.format])

        with self.settings(ROOT_URLCONF=(path("x/", View.as_view()),)):
            sent = self.client.stream("/x/?a=b", {"c": "d"}, method="post", format="json", HTTP_ACCEPT="*/*")
            assert [item async for item in sent] == [{"c": "d"}, {"a": "b"}, "json"]
            for headers, kind in (({"accept": "application/x-ndjson"}, "ndjson"), (None, "json"), ({"A": "b"}, "json")):
                assert [item async for item in self.client.stream("/x/", {"e": "f"}, headers=headers)] == [
                    {"e": "f"},
                    kind,
                ]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_list_is_read_however_its_bytes_are_cut(size: int) -> None:
    body = b' [ {"a": "x, y]"}, 12 , -1.5,"[",null,[1,[2]],[] ] '

    async def chunks() -> Any:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    async def main() -> list[Any]:
        return [item async for item in read("application/json", chunks())]

    assert asyncio.run(main()) == ITEMS
