"""What Django's handler does with a request, from its documentation: on our entry as on Django's."""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.handlers.base import BaseHandler
from django.core.signals import request_finished, request_started
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path, reverse
from django.utils.deprecation import MiddlewareMixin
from django.views import View

from restflow.asgi import ASGIHandler, get_asgi_application
from restflow.flow import thread as flow_thread
from restflow.views import AsyncAPIView
from restflow.viewsets import AsyncViewSet
from tests.entry.stack import place
from tests.entry.support import body, content, scope_of, talk
from tests.site import ENTRIES, OURS, Site

on_both = pytest.mark.parametrize("entry", ENTRIES)
PLACES = {"sync": "thread", "async": "loop"}


class Receivers:
    """Receivers of a colour, connected inside ``with``; they note what they are told, and where."""

    def __init__(self, *colours: str) -> None:
        self.colours = colours
        self.told: list[tuple[str, str, str]] = []

    def __enter__(self) -> Receivers:
        self.connected = [
            (signal, self.receiver(name, colour))
            for colour in self.colours
            for name, signal in (("started", request_started), ("finished", request_finished))
        ]
        for signal, receiver in self.connected:
            signal.connect(receiver)
        return self

    def __exit__(self, *exc_info: Any) -> None:
        for signal, receiver in self.connected:
            signal.disconnect(receiver)

    def receiver(self, name: str, colour: str) -> Any:
        def receiver(**kwargs: Any) -> None:
            self.told.append((name, colour, place()))

        async def areceiver(**kwargs: Any) -> None:
            await asyncio.sleep(0)
            self.told.append((name, colour, place()))

        return receiver if colour == "sync" else areceiver


async def ok(request: Any) -> HttpResponse:
    return HttpResponse("ok")


@on_both
@pytest.mark.parametrize("colours", [["sync"], ["async"], ["async", "sync"], ["sync", "sync"]])
@pytest.mark.parametrize("status", [200, 500])
def test_receivers_of_the_signals_are_told_once_and_in_order(entry: str, colours: list[str], status: int) -> None:
    async def view(request: Any) -> HttpResponse:
        receivers.told.append(("view", "", ""))
        return HttpResponse(status=status)

    with Site({"x/": view}, entry=entry) as site, Receivers(*colours) as receivers:
        asyncio.run(site.asend("GET", "/x/"))
    # Those of both colours are called at once before Django 6.1, and by their colours since.
    phases = receivers.told[: len(colours)], receivers.told[len(colours) + 1 :]
    assert receivers.told[len(colours)] == ("view", "", "")
    for name, phase in zip(("started", "finished"), phases, strict=True):
        assert sorted(phase) == sorted((name, colour, PLACES[colour]) for colour in colours)


def test_sync_receivers_are_told_in_the_order_they_were_connected_in() -> None:
    told: list[int] = []
    receivers = [lambda number=number, **kwargs: told.append(number) for number in range(4)]
    for receiver in receivers:
        request_started.connect(receiver)
    try:
        with Site({"x/": ok}, entry=OURS) as site:
            asyncio.run(site.asend("GET", "/x/"))
    finally:
        for receiver in receivers:
            request_started.disconnect(receiver)
    assert told == [0, 1, 2, 3]


def test_a_receiver_that_fails_ends_the_request() -> None:
    def receiver(**kwargs: Any) -> None:
        raise LookupError("from the receiver")

    request_started.connect(receiver)
    try:
        with Site({"x/": ok}, entry=OURS) as site, pytest.raises(LookupError, match="from the receiver"):
            asyncio.run(site.asend("GET", "/x/"))
    finally:
        request_started.disconnect(receiver)


class Closing(HttpResponse):
    closed_in: list[str] = []

    def close(self) -> None:
        self.closed_in.append(place())
        super().close()


@on_both
@pytest.mark.parametrize("response_class", [HttpResponse, Closing])
def test_a_response_is_closed_once_and_its_resources_too(entry: str, response_class: Any) -> None:
    closed: list[str] = []
    responses: list[Any] = []

    class Resource:
        def close(self) -> None:
            closed.append(place())

    async def view(request: Any) -> HttpResponse:
        response = response_class(b"x")
        response._resource_closers.append(Resource().close)
        responses.append(response)
        return response

    Closing.closed_in.clear()
    with Site({"x/": view}, entry=entry) as site, Receivers("sync") as receivers:
        asyncio.run(site.asend("GET", "/x/"))
    assert closed == ["thread"]
    assert Closing.closed_in == (["thread"] if response_class is Closing else [])
    assert [name for name, *_ in receivers.told] == ["started", "finished"]
    assert responses[0].closed


@on_both
@pytest.mark.parametrize(
    ("limit", "parts"), [(100, [b"abc"]), (100, [b"ab", b"c" * 50, b""]), (8, [b"x" * 20]), (8, [b"x" * 5] * 4)]
)
def test_a_body_is_read_whole_in_memory_or_from_the_disk(entry: str, limit: int, parts: list[bytes]) -> None:
    async def view(request: Any) -> HttpResponse:
        return HttpResponse(request.body)

    incoming = [body(part, more=number < len(parts) - 1) for number, part in enumerate(parts)]
    with Site({"x/": view}, entry=entry, FILE_UPLOAD_MAX_MEMORY_SIZE=limit) as site:
        messages = asyncio.run(talk(site, scope_of("/x/", "POST"), *incoming))
    assert (messages[0]["status"], content(messages)) == (200, b"".join(parts))


@on_both
def test_a_body_that_is_too_large_is_a_400(entry: str) -> None:
    async def view(request: Any) -> HttpResponse:
        return HttpResponse(request.body)

    with Site({"x/": view}, entry=entry, DATA_UPLOAD_MAX_MEMORY_SIZE=3) as site:
        answer = asyncio.run(site.asend("POST", "/x/", body=b"abcd"))
    assert answer.status == 400


@on_both
@pytest.mark.parametrize("before", [[], [body(b"ab", more=True)]])
def test_a_client_that_leaves_before_its_body_has_come_calls_no_view(entry: str, before: list[Any]) -> None:
    called: list[Any] = []

    async def view(request: Any) -> HttpResponse:
        called.append(request)
        return HttpResponse()

    with Site({"x/": view}, entry=entry) as site, Receivers("sync") as receivers:
        messages = asyncio.run(talk(site, scope_of("/x/", "POST"), *before, {"type": "http.disconnect"}))
    assert (messages, called, receivers.told) == ([], [], [])


@on_both
def test_a_file_is_uploaded_and_closed(entry: str) -> None:
    uploaded: list[Any] = []

    async def view(request: Any) -> HttpResponse:
        files = await sync_to_async(lambda: request.FILES)()
        uploaded.append(files["file"])
        return HttpResponse(files["file"].read())

    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nwords\r\n--b--\r\n'
    with Site({"x/": view}, entry=entry) as site:
        answer = asyncio.run(
            site.asend("POST", "/x/", body=form, headers={"content-type": "multipart/form-data; boundary=b"})
        )
    assert (answer.body, uploaded[0].closed) == (b"words", True)


@on_both
def test_a_client_that_leaves_cancels_the_view(entry: str) -> None:
    async def main() -> list[Any]:
        leave = asyncio.Event()

        async def view(request: Any) -> HttpResponse:
            leave.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                told.append("cancelled")
                raise
            return HttpResponse("too late")

        with Site({"x/": view}, entry=entry) as site:
            return await talk(site, scope_of("/x/"), leave=leave)

    told: list[str] = []
    with Receivers("sync") as receivers:
        messages = asyncio.run(main())
    assert (messages, told) == ([], ["cancelled"])
    assert [name for name, *_ in receivers.told] == ["started", "finished"]


@on_both
def test_a_client_that_leaves_ends_the_stream_and_closes_the_response(entry: str) -> None:
    told: list[str] = []

    async def main() -> list[Any]:
        leave = asyncio.Event()

        async def parts() -> AsyncIterator[bytes]:
            try:
                yield b"first"
                leave.set()
                await asyncio.sleep(60)
                yield b"never"
            finally:
                told.append("ended")

        async def view(request: Any) -> HttpResponse:
            response: Any = StreamingHttpResponse(parts())
            response._resource_closers.append(lambda: told.append("closed"))
            return response  # type: ignore[no-any-return]

        with Site({"x/": view}, entry=entry) as site:
            return await talk(site, scope_of("/x/"), leave=leave)

    messages = asyncio.run(main())
    assert (content(messages), told) == (b"first", ["ended", "closed"])


@on_both
def test_a_message_that_has_no_place_there_is_an_error(entry: str) -> None:
    async def view(request: Any) -> HttpResponse:
        await asyncio.sleep(60)
        return HttpResponse()

    with Site({"x/": view}, entry=entry) as site, pytest.raises(AssertionError, match="Invalid ASGI message"):
        asyncio.run(talk(site, scope_of("/x/"), body(), body(b"again")))


def test_all_that_went_wrong_is_told() -> None:
    async def view(request: Any) -> HttpResponse:
        try:
            await asyncio.sleep(60)
        finally:
            raise LookupError("from the view")

    with (
        Site({"x/": view}, entry=OURS, DEBUG_PROPAGATE_EXCEPTIONS=True) as site,
        pytest.raises(BaseExceptionGroup) as raised,
    ):
        asyncio.run(talk(site, scope_of("/x/"), body(), body(b"again")))
    assert {type(error) for error in raised.value.exceptions} == {LookupError, AssertionError}


@on_both
@pytest.mark.parametrize(
    ("root_path", "forced", "expected"), [("/api", None, "/api/x/"), ("", "/forced", "/forced/x/"), ("", None, "/x/")]
)
@pytest.mark.parametrize("waits", [False, True])
def test_urls_have_the_script_prefix(
    entry: str, root_path: str, forced: str | None, expected: str, waits: bool
) -> None:
    async def view(request: Any) -> HttpResponse:
        if waits:
            await asyncio.sleep(0)
        return HttpResponse(f"{reverse('x')} {await sync_to_async(reverse)('x')} {request.path_info}")

    with Site([path("x/", view, name="x")], entry=entry, FORCE_SCRIPT_NAME=forced) as site:
        messages = asyncio.run(talk(site, scope_of(f"{root_path}/x/", root_path=root_path)))
    assert content(messages).decode() == f"{expected} {expected} /x/"


async def _aparts() -> AsyncIterator[bytes]:
    yield b"a"
    await asyncio.sleep(0)
    yield b"b"


def _parts() -> Iterator[bytes]:
    yield place().encode()


@on_both
@pytest.mark.parametrize(("parts", "expected"), [(_aparts, b"ab"), (_parts, b"thread")])
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
def test_streams_of_either_colour_are_sent(entry: str, parts: Any, expected: bytes) -> None:
    async def view(request: Any) -> Any:
        return StreamingHttpResponse(parts())

    with Site({"x/": view}, entry=entry) as site:
        messages = asyncio.run(talk(site, scope_of("/x/")))
    assert content(messages) == expected
    assert [message.get("more_body", False) for message in messages[1:]][-1] is False


@on_both
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
def test_a_file_is_sent_in_large_chunks_and_closed(entry: str, tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(b"x" * 200_000)
    opened = file.open("rb")

    async def view(request: Any) -> Any:
        return FileResponse(opened)

    with Site({"x/": view}, entry=entry) as site:
        messages = asyncio.run(talk(site, scope_of("/x/")))
    assert [len(message.get("body", b"")) for message in messages[1:]] == [65536, 65536, 65536, 3392, 0]
    assert opened.closed


@on_both
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_headers_cookies_and_a_long_body_are_sent(entry: str, method: str) -> None:
    async def view(request: Any) -> HttpResponse:
        response = HttpResponse(b"y" * 100_000, headers={"X-Seen": request.COOKIES["seen"]})
        response.set_cookie("a", "1")
        response.set_cookie("b", "2", httponly=True)
        return response

    headers = [(b"host", b"testserver"), (b"cookie", b"seen=yes")]
    with Site({"x/": view}, entry=entry) as site:
        messages = asyncio.run(talk(site, scope_of("/x/", method, headers=headers)))
    assert [value for name, value in messages[0]["headers"] if name == b"Set-Cookie"] == [
        b"a=1; Path=/",
        b"b=2; HttpOnly; Path=/",
    ]
    assert (b"X-Seen", b"yes") in messages[0]["headers"]
    assert [(len(message["body"]), message["more_body"]) for message in messages[1:]] == [(65536, True), (34464, False)]


@on_both
def test_a_query_that_is_no_text_is_a_400(entry: str) -> None:
    with Site({"x/": ok}, entry=entry) as site, Receivers("sync") as receivers:
        messages = asyncio.run(talk(site, scope_of("/x/", query_string=b"\xff")))
    assert messages[0]["status"] == 400
    assert [name for name, *_ in receivers.told] == ["started", "finished"]


@on_both
def test_other_connections_are_refused(entry: str) -> None:
    with Site({"x/": ok}, entry=entry) as site, pytest.raises(ValueError, match="only handle ASGI/HTTP"):
        asyncio.run(talk(site, {"type": "websocket"}))


class Shown(View):
    async def get(self, request: Any) -> HttpResponse:
        return HttpResponse(place())

    async def post(self, request: Any) -> HttpResponse:
        raise PermissionError


class Plain(View):
    def get(self, request: Any) -> HttpResponse:
        return HttpResponse(place())


@on_both
@pytest.mark.parametrize(("view", "expected"), [(Shown, b"loop"), (Plain, b"thread")])
def test_class_based_views_run_where_they_belong(entry: str, view: Any, expected: bytes) -> None:
    with Site({"x/": view.as_view()}, entry=entry) as site:
        assert asyncio.run(site.asend("GET", "/x/")).body == expected


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[int, str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append((record.levelno, record.getMessage(), place()))


@on_both
@pytest.mark.parametrize(
    ("status", "level", "message"),
    [(404, logging.WARNING, "Not Found: /x/"), (503, logging.ERROR, "Service Unavailable: /x/")],
)
def test_what_is_wrong_with_a_response_is_logged_in_a_thread(entry: str, status: int, level: int, message: str) -> None:
    async def view(request: Any) -> HttpResponse:
        return HttpResponse(status=status)

    handler, logger = Kept(), logging.getLogger("django.request")
    logger.addHandler(handler)
    logger.setLevel("DEBUG")
    try:
        with Site({"x/": view}, entry=entry) as site:
            asyncio.run(site.asend("GET", "/x/"))
    finally:
        logger.removeHandler(handler)
        logger.setLevel("CRITICAL")
    assert handler.kept == [(level, message, "thread")]


def test_lifespan_is_served() -> None:
    async def main() -> list[Any]:
        with Site({"x/": ok}, entry=OURS) as site:
            incoming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
            return await talk(site, {"type": "lifespan"}, *incoming)

    assert [message["type"] for message in asyncio.run(main())] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_get_asgi_application_gives_our_handler() -> None:
    assert type(get_asgi_application()) is ASGIHandler


def test_what_another_package_puts_around_djangos_function_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    original, called = BaseHandler.get_response_async, []

    async def around(self: Any, request: Any) -> Any:
        called.append(request.path)
        return await original(self, request)

    monkeypatch.setattr(BaseHandler, "get_response_async", around)
    with Site({"x/": ok}, entry=OURS) as site:
        assert asyncio.run(site.asend("GET", "/x/")).body == b"ok"
    assert called == ["/x/"]


@on_both
def test_inside_a_thread_of_someone_elses_the_request_uses_that(entry: str) -> None:
    import threading

    from asgiref.sync import async_to_sync

    async def view(request: Any) -> JsonResponse:
        return JsonResponse({"thread": await sync_to_async(threading.get_ident)()})

    async def main() -> Any:
        return await talk(site, scope_of("/x/"))

    with Site({"x/": view}, entry=OURS) as site, Receivers("sync") as receivers:
        messages = async_to_sync(main)()
    assert content(messages) == b'{"thread": %d}' % threading.get_ident()
    assert [name for name, *_ in receivers.told] == ["started", "finished"]


def test_with_an_asgiref_whose_source_was_not_read_its_threads_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_thread, "KNOWN", False)

    def view(request: Any) -> HttpResponse:
        return HttpResponse(threading.current_thread().name)

    with Site({"x/": view}, entry=OURS) as site:
        answer = asyncio.run(site.asend("GET", "/x/"))
    assert answer.status == 200
    assert not answer.body.startswith(b"restflow")


async def inside(request: Any) -> HttpResponse:
    return HttpResponse("not inside of anything")


class Inside(AsyncAPIView):
    async def get(self, request: Any) -> HttpResponse:
        return await inside(request)


class Insides(AsyncViewSet):
    async def list(self, request: Any) -> HttpResponse:
        return await inside(request)


@on_both
@pytest.mark.parametrize("view", [inside, Inside.as_view(), Insides.as_view({"get": "list"})])
def test_what_a_sync_wrapper_hands_on_of_an_async_view_is_no_response(view: Any, entry: str) -> None:
    """As by Django: the view would run when the wrapper has closed what it opened around it."""
    given: list[Any] = []

    def wrapper(request: Any) -> Any:
        with nullcontext():
            given.append(view(request))
            return given[0]

    with (
        Site({"x/": wrapper}, entry=entry, DEBUG_PROPAGATE_EXCEPTIONS=True) as site,
        pytest.raises(ValueError, match="It returned an unawaited coroutine instead"),
    ):
        asyncio.run(site.asend("GET", "/x/"))
    given[0].close()


handled: list[tuple[str, str]] = []


def note(who: str) -> None:
    handled.append((who, traceback.format_exc().strip().splitlines()[-1]))


def of_the_settings(error: Exception, context: Any) -> None:
    note("settings")


async def aof_the_settings(error: Exception, context: Any) -> None:
    await asyncio.sleep(0)
    note("settings")


class Answers(MiddlewareMixin):
    def process_exception(self, request: Any, exception: Exception) -> None:
        note("middleware")


class AnswersAsync(MiddlewareMixin):
    async def process_exception(self, request: Any, exception: Exception) -> None:
        await asyncio.sleep(0)
        note("middleware")


class Fails(AsyncAPIView):
    def get(self, request: Any) -> None:
        raise LookupError("in the handler")

    def handle_exception(self, exc: Exception) -> Any:
        note("view")
        return super().handle_exception(exc)


class FailsAsync(AsyncAPIView):
    async def get(self, request: Any) -> None:
        raise LookupError("in the handler")

    async def ahandle_exception(self, exc: Exception) -> Any:
        note("view")
        return await super().ahandle_exception(exc)


@on_both
@pytest.mark.parametrize("view", [Fails, FailsAsync])
@pytest.mark.parametrize("is_async", [False, True])
def test_who_answers_an_exception_finds_it_being_handled(is_async: bool, view: Any, entry: str) -> None:
    """As in DRF and Django, for ``logger.exception``, ``traceback.format_exc`` and a bare ``raise``."""
    handled.clear()
    handler, middleware = (aof_the_settings, AnswersAsync) if is_async else (of_the_settings, Answers)
    with Site(
        {"x/": view.as_view()},
        entry=entry,
        MIDDLEWARE=[f"{__name__}.{middleware.__name__}"],
        REST_FRAMEWORK={"EXCEPTION_HANDLER": f"{__name__}.{handler.__name__}"},
    ) as site:
        assert asyncio.run(site.asend("GET", "/x/")).status == 500
    assert handled == [(who, "LookupError: in the handler") for who in ("view", "settings", "middleware")]
