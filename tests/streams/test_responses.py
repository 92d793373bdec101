"""Streams of every kind, from every kind of view and source, on both entries, under WSGI and in DRF's client."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.test import APIClient

from restflow.responses import NDJSONResponse, ServerSentEvent, SSEResponse, StreamingJSONListResponse
from restflow.views import AsyncAPIView
from tests.site import ENTRIES, Site
from tests.streams.support import GENERATORS, RENDERERS, VIEWS, as_async, as_sync, async_view, sync_view

WORDS = b'{"code":"internal_error","message":"The stream ended early because of an error.","details":{}}'
FAILED = b"event: error\ndata: " + WORDS + b"\n\n"


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Has what is logged for ``django.request`` caught."""
    caplog.set_level(logging.ERROR, "django.request")
    return caplog


WAYS: dict[str, Callable[[Any], tuple[int, str, bytes]]] = {}


def _by_entry(entry: str) -> Callable[[Any], tuple[int, str, bytes]]:
    def ask(view: Any) -> tuple[int, str, bytes]:
        with Site({"x/": view}, entry=entry) as site:
            answer = asyncio.run(site.asend("GET", "/x/", headers={"accept": "text/event-stream"}))
        return answer.status, answer.headers["Content-Type"], answer.body

    return ask


def _by_drfs_client(view: Any) -> tuple[int, str, bytes]:
    with override_settings(ROOT_URLCONF=(path("x/", view),)):
        response: Any = APIClient().get("/x/", HTTP_ACCEPT="text/event-stream")
        return response.status_code, response["Content-Type"], response.getvalue()


WAYS = {**{entry: _by_entry(entry) for entry in ENTRIES}, "DRF's client": _by_drfs_client}
each_way = pytest.mark.parametrize("way", WAYS)
each_view = pytest.mark.parametrize("view", VIEWS)
each_generator = pytest.mark.parametrize("generator", GENERATORS)


@each_way
@each_view
@each_generator
def test_events_lines_and_lists_are_sent(way: str, view: Any, generator: Any) -> None:
    items = ["a\nb", {"x": 1}]
    assert WAYS[way](view(lambda *_: SSEResponse(generator(items), retry=3))) == (
        200,
        "text/event-stream",
        b'retry: 3\n\ndata: a\ndata: b\n\ndata: {"x":1}\n\n',
    )
    assert WAYS[way](view(lambda *_: NDJSONResponse(generator(items)))) == (
        200,
        "application/x-ndjson",
        b'"a\\nb"\n{"x":1}\n',
    )
    assert WAYS[way](view(lambda *_: StreamingJSONListResponse(generator(items)))) == (
        200,
        "application/json",
        b'["a\\nb",{"x":1}]',
    )


@each_way
@each_view
@each_generator
@pytest.mark.parametrize(
    ("error", "status"),
    [(PermissionDenied("no"), 403), (NotFound("no"), 404), (ValidationError({"detail": "no"}), 400)],
)
def test_what_is_raised_before_the_first_part_is_drfs_error(
    way: str, view: Any, generator: Any, error: Exception, status: int, logged: pytest.LogCaptureFixture
) -> None:
    answer = WAYS[way](view(lambda *_: SSEResponse(generator([error]))))
    assert answer == (status, "application/json", b'{"detail":"no"}')
    assert logged.records == []


@each_way
@each_view
@each_generator
def test_a_failure_in_the_middle_can_be_told_and_is_logged_once_without_its_words_being_sent(
    way: str, view: Any, generator: Any, logged: pytest.LogCaptureFixture
) -> None:
    items = [1, PermissionDenied("a secret")]
    ask = WAYS[way]
    assert ask(view(lambda *_: SSEResponse(generator(items))))[2] == b"data: 1\n\n" + FAILED
    assert ask(view(lambda *_: NDJSONResponse(generator(items))))[2] == b'1\n{"error":' + WORDS + b"}\n"
    with pytest.raises(Exception, match="failed after it had begun") as raised:
        ask(view(lambda *_: StreamingJSONListResponse(generator(items))))
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert [record.getMessage() for record in logged.records] == ["A stream failed: /x/"] * 3
    assert all(record.exc_info[1] is items[1] and record.request.path == "/x/" for record in logged.records)  # type: ignore[attr-defined, index]


@each_way
@each_view
def test_a_generator_that_is_cancelled_by_what_it_awaits_has_failed(way: str, view: Any) -> None:
    async def items() -> Any:
        yield 1
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task

    assert WAYS[way](view(lambda *_: NDJSONResponse(items())))[2] == b'1\n{"error":' + WORDS + b"}\n"


@each_view
def test_an_error_before_the_first_part_has_the_form_that_the_view_names(view: Any) -> None:
    made = view(
        lambda *_: SSEResponse(as_async([NotFound("no")])), error_format="problem", renderer_classes=RENDERERS[1:2]
    )
    status, content_type, body = _by_entry("django")(made)
    assert (status, content_type) == (404, "application/problem+json")
    assert json.loads(body)["detail"] == "no"


@each_generator
def test_what_was_there_before_a_failure_is_sent_however_many_are_taken_at_a_time(generator: Any) -> None:
    items = [1, 2, ValueError()]
    body = _by_entry("django")(async_view(lambda *_: NDJSONResponse(generator(items), chunk_size=10)))[2]
    assert body == b'1\n2\n{"error":' + WORDS + b"}\n"


@each_view
def test_an_unknown_error_before_the_first_part_is_a_500(view: Any) -> None:
    with Site({"x/": view(lambda *_: SSEResponse(as_async([ValueError("a secret")])))}) as site:
        answer = asyncio.run(site.asend("GET", "/x/"))
    assert answer.status == 500
    assert b"secret" not in answer.body


@each_view
def test_the_views_own_exception_handler_and_headers_are_those_of_any_error(view: Any) -> None:
    made = view(
        lambda *_: SSEResponse(as_async([PermissionDenied()])),
        handle_exception=lambda self, error: HttpResponse("mine", status=418),
    )
    with Site({"x/": made}) as site:
        answer = asyncio.run(site.asend("GET", "/x/", headers={"accept": "text/event-stream"}))
    assert (answer.status, answer.body, answer.headers["Vary"]) == (418, b"mine", "Accept")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


@each_view
def test_a_stream_has_the_headers_of_its_view_and_those_it_needs_on_its_way(view: Any) -> None:
    with Site({"x/": view(lambda *_: SSEResponse(["x"], headers={"A": "b"}))}) as site:
        answer = asyncio.run(site.asend("GET", "/x/"))
    assert answer.headers == {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-cache",
        "X-Accel-Buffering": "no",
        "Content-Encoding": "identity",
        "A": "b",
        "Vary": "Accept",
        "Allow": "GET, HEAD, OPTIONS",
    }


@each_way
@each_view
def test_a_callable_is_given_the_last_event_id(way: str, view: Any) -> None:
    def replay(last_id: str | None) -> list[ServerSentEvent]:
        first = 0 if last_id is None else int(last_id) + 1
        return [ServerSentEvent(number, id=number) for number in range(first, 3)]

    async def areplay(last_id: str | None) -> Any:
        return as_async(replay(last_id))

    for source in (replay, areplay):
        assert WAYS[way](view(lambda *_, source=source: SSEResponse(source)))[2].count(b"data") == 3
    with Site({"x/": view(lambda *_: SSEResponse(areplay))}) as site:
        answer = asyncio.run(site.asend("GET", "/x/", headers={"last-event-id": "1"}))
    assert answer.body == b"id: 2\ndata: 2\n\n"


def test_a_callable_is_refused_where_nobody_calls_it() -> None:
    response = SSEResponse(lambda last_id: [])
    assert b"".join(response).startswith(b"event: error")


@pytest.mark.parametrize("entry", ENTRIES)
@each_view
def test_head_has_the_headers_alone_and_runs_no_generator(entry: str, view: Any) -> None:
    def never() -> Any:
        raise AssertionError
        yield

    with Site({"x/": view(lambda *_: SSEResponse(never()))}, entry=entry) as site:
        answer = asyncio.run(site.asend("HEAD", "/x/"))
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, "text/event-stream", b"")


@pytest.mark.parametrize(
    ("url", "accept", "status", "content_type"),
    [
        ("/x/", "text/event-stream", 200, "text/event-stream"),
        ("/x/?format=sse", "*/*", 200, "text/event-stream"),
        ("/x.sse", "*/*", 200, "text/event-stream"),
        ("/x/", "application/x-ndjson", 200, "application/x-ndjson"),
        ("/x/", "application/json", 200, "application/json"),
        ("/x/", "text/html", 406, "application/json"),
        ("/x/?format=xml", "*/*", 404, "application/json"),
        ("/plain/", "text/event-stream", 406, "application/json"),
    ],
)
def test_drfs_negotiation_finds_the_stream(url: str, accept: str, status: int, content_type: str) -> None:
    class View(AsyncAPIView):
        renderer_classes = RENDERERS

        async def get(self, request: Any, format: str | None = None) -> Any:
            return await self.astreamed_response([], serializer_class=None)

    class Plain(AsyncAPIView):
        renderer_classes = RENDERERS[:1]

        async def get(self, request: Any) -> Any:
            raise AssertionError

    with Site({"x/": View.as_view(), "x.<format>": View.as_view(), "plain/": Plain.as_view()}) as site:
        answer = asyncio.run(site.asend("GET", url, headers={"accept": accept}))
    assert (answer.status, answer.headers["Content-Type"]) == (status, content_type)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_django_view_may_return_one(entry: str) -> None:
    async def async_django_view(request: Any) -> Any:
        return SSEResponse(as_sync([1, ValueError("secret")]))

    def sync_django_view(request: Any) -> Any:
        return SSEResponse(as_async([1, ValueError("secret")]))

    for view in (async_django_view, sync_django_view):
        assert _by_entry(entry)(view)[2] == b"data: 1\n\n" + FAILED
    assert _by_drfs_client(sync_django_view)[2].endswith(FAILED)
    assert _by_drfs_client(lambda request: SSEResponse(as_sync(["x", ValueError()])))[2].endswith(FAILED)


class Counting:
    """A sync-only middleware, and one that puts its own iterator around a stream."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        return self.get_response(request)


@pytest.mark.parametrize("entry", ENTRIES)
@each_generator
@pytest.mark.parametrize("view", [sync_view, async_view])
def test_behind_a_sync_only_middleware_a_stream_begins_and_fails_as_anywhere(
    entry: str, generator: Any, view: Any
) -> None:
    views = {
        "good/": view(lambda *_: SSEResponse(generator([1, 2]))),
        "bad/": view(lambda *_: SSEResponse(generator([PermissionDenied()]))),
    }
    with Site(views, entry=entry, MIDDLEWARE=["tests.streams.test_responses.Counting"]) as site:
        good, bad = (asyncio.run(site.asend("GET", url)) for url in ("/good/", "/bad/"))
    assert (good.status, good.body) == (200, b"data: 1\n\ndata: 2\n\n")
    assert bad.status == 403


@pytest.mark.parametrize("entry", ENTRIES)
@each_generator
def test_a_list_is_compressed_by_djangos_middleware_and_events_are_not(entry: str, generator: Any) -> None:
    views = {
        "list/": async_view(lambda *_: StreamingJSONListResponse(generator(range(3)))),
        "events/": async_view(lambda *_: SSEResponse(generator(range(3)))),
    }
    with Site(views, entry=entry, MIDDLEWARE=["django.middleware.gzip.GZipMiddleware"]) as site:
        compressed, plain = (
            asyncio.run(site.asend("GET", url, headers={"accept-encoding": "gzip"})) for url in ("/list/", "/events/")
        )
    assert gzip.decompress(compressed.body) == b"[0,1,2]"
    assert plain.body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
