"""The streaming responses, and what a view does before one is sent.

Created by views. Iterated by Django's handlers or ours, sync or async.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from inspect import isasyncgenfunction
from json import JSONEncoder
from typing import Any, ClassVar
from weakref import finalize

from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.http import StreamingHttpResponse

from restflow.flow import awaited, blocking, call, may_block_here, on_loop
from restflow.flow.streaming import end_with_request, has_thread
from restflow.streams.formats import EventStream, Format, JSONList, Lines, milliseconds
from restflow.streams.parts import Parts, Represent, StreamFailed
from restflow.streams.sources import Unopened, source_of

HEARTBEAT = 15.0
FIRST_WITHIN = 1.0


class StreamedResponse(StreamingHttpResponse):
    """A response that is sent while its items are produced: the base class of the responses in this module.

    Source: Django 5.2 to 6.1, http/response.py, ``StreamingHttpResponse``.
    """

    first_within: float | None = None

    def __init__(
        self,
        items: Any,
        form: Format,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
        chunk_size: int | None = None,
        heartbeat: float | None = None,
        represent: Represent | None = None,
    ) -> None:
        given = dict(headers or {})
        names = {name.lower() for name in given}
        if content_type is None and "content-type" not in names:
            content_type = form.media_type
        super().__init__(status=status, headers=given, content_type=content_type)
        for name, value in form.headers.items():
            if name.lower() not in names:
                self[name] = value
        self._chunk_size, self._items = chunk_size, items
        source = Unopened() if callable(items) else source_of(items, chunk_size)
        self.parts = Parts(source, form, represent, heartbeat)
        self._iterator: Any = self.parts
        self.is_async = on_loop()
        self._resource_closers.append(self.parts.close)  # type: ignore[attr-defined]  # not in the stubs
        self._unsent = finalize(self, self.parts.abandon)
        self._unsent.atexit = False

    def __iter__(self) -> Iterator[bytes]:
        """Return the parts, for sync code."""
        return iter(self.parts) if self._iterator is self.parts else super().__iter__()

    def __aiter__(self) -> AsyncGenerator[bytes, None] | AsyncIterator[bytes]:
        """Return the parts, for async code."""
        self._unsent.detach()
        return aiter(self.parts) if self._iterator is self.parts else super().__aiter__()


class SSEResponse(StreamedResponse):
    """Server-sent events, for the ``EventSource`` of a browser.

    Args:
        items: a sync or async iterable, a generator, a query set; or a callable, sync or async, that returns one. The
            callable is called with the ``Last-Event-ID`` that the client sends when it reconnects, or None at first.
            Each item is a ``ServerSentEvent``; a dict with ``data`` and optionally ``event``, ``id`` or ``retry``; or
            the data itself: a string is sent unchanged, anything else as compact JSON.
        status: the HTTP status; 200 by default.
        headers: more headers; they override those that event streams need.
        content_type: replaces the format's own.
        chunk_size: how many items are taken and sent at a time; by default one from a generator, and 500 from a list or
            a query set.
        heartbeat: seconds of silence after which a comment is sent, which keeps proxies from closing the connection;
            None for none.
        retry: the milliseconds after which a client that lost the connection should reconnect.
        first_within: seconds to wait for the first event before the response begins without it. An exception of the
            source in that time becomes an ordinary error response; after that, an ``error`` event.

    Raises:
        TypeError: ``items`` can't be iterated, or is a string or a dict.
        ValueError: ``retry`` or ``chunk_size`` is not a valid number.

    Source: WHATWG HTML, section 9.2, "Server-sent events".
    """

    def __init__(
        self,
        items: Any,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
        chunk_size: int | None = None,
        heartbeat: float | None = HEARTBEAT,
        retry: int | None = None,
        first_within: float = FIRST_WITHIN,
        represent: Represent | None = None,
    ) -> None:
        form = EventStream(None if retry is None else milliseconds(retry))
        super().__init__(
            items,
            form,
            status=status,
            headers=headers,
            content_type=content_type,
            chunk_size=chunk_size,
            heartbeat=heartbeat,
            represent=represent,
        )
        self.first_within = first_within


class _ItemsResponse(StreamedResponse):
    form: ClassVar[type[Format]]

    def __init__(
        self,
        items: Any,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
        chunk_size: int | None = None,
        encoder: type[JSONEncoder] | None = None,
        represent: Represent | None = None,
    ) -> None:
        super().__init__(
            items,
            self.form(encoder),
            status=status,
            headers=headers,
            content_type=content_type,
            chunk_size=chunk_size,
            represent=represent,
        )


class NDJSONResponse(_ItemsResponse):
    """JSON, one item per line; if it fails in the middle, the last line is an object whose only key is ``error``.

    Args:
        items: a sync or async iterable, a generator or a query set.
        status: the HTTP status; 200 by default.
        headers: more headers.
        content_type: replaces the format's own.
        chunk_size: how many items are taken and sent at a time; by default one from a generator, and 500 from a list or
            a query set.
        encoder: writes JSON in place of DRF's encoder.

    Raises:
        TypeError: ``items`` can't be iterated, or is a string or a dict.
        ValueError: ``chunk_size`` is not a valid number.
    """

    form = Lines


class StreamingJSONListResponse(_ItemsResponse):
    """One JSON list; if it fails in the middle, the connection is closed, so that the client gets invalid JSON.

    Args:
        items: a sync or async iterable, a generator or a query set.
        status: the HTTP status; 200 by default.
        headers: more headers.
        content_type: replaces the format's own.
        chunk_size: how many items are taken and sent at a time; by default one from a generator, and 500 from a list or
            a query set.
        encoder: writes JSON in place of DRF's encoder.

    Raises:
        TypeError: ``items`` can't be iterated, or is a string or a dict.
        ValueError: ``chunk_size`` is not a valid number.
    """

    form = JSONList


_BY_FORMAT: dict[str, Callable[..., StreamedResponse]] = {
    "sse": SSEResponse,
    "ndjson": NDJSONResponse,
    "json": StreamingJSONListResponse,
}


def response_class_for(request: Any, name: str | None) -> Callable[..., StreamedResponse]:
    """Return the response class for a format.

    Args:
        request: DRF's request.
        name: ``"sse"``, ``"ndjson"`` or ``"json"``; None for the format of the negotiated renderer.

    Raises:
        ValueError: there is no such format.
    """
    if name is None:
        return _BY_FORMAT.get(request.accepted_renderer.format, StreamingJSONListResponse)
    if name not in _BY_FORMAT:
        raise ValueError(f"There is no stream as {name!r}: as_ is one of {', '.join(map(repr, _BY_FORMAT))}.")
    return _BY_FORMAT[name]


def get_last_event_id(request: Any) -> str | None:
    """Return the id of the last event that a client received before it lost the connection.

    Args:
        request: DRF's request, or Django's.

    Returns:
        The ``Last-Event-ID`` that the client sent; None on its first connection.
    """
    sent: str | None = request.headers.get("Last-Event-ID")
    # Browsers send UTF-8, which Django's handlers decode as latin-1.
    return sent and sent.encode("latin-1", "replace").decode(errors="replace")


async def begin_stream(response: StreamedResponse, request: Any) -> None:
    """Prepare a stream before its headers are sent. A flow.

    The first part is produced, so that an exception of the source becomes an error response like one of the handler. In
    a transaction this is left out, because the transaction ends before the stream, as in Django: there the stream
    begins after the headers have been sent.

    Args:
        response: what the handler returned.
        request: DRF's request.

    Raises:
        Exception: what the source raised.
    """
    parts, http_request = response.parts, getattr(request, "_request", request)
    parts.request, is_asgi = http_request, isinstance(http_request, ASGIRequest)
    response.is_async = is_asgi
    if request.method == "HEAD":
        await blocking(parts.close)
        return
    if callable(response._items):
        make, last_id = response._items, get_last_event_id(request)
        items = make(last_id) if isasyncgenfunction(make) else await call(make, last_id)
        parts.source = source_of(items, response._chunk_size)
    if (may_block_here() or has_thread()) and await blocking(_is_in_a_transaction):
        return
    if is_asgi:
        await awaited(parts.abegin, response.first_within)
        end_with_request(http_request, parts)
    else:
        await blocking(parts.begin, response.first_within)


def _is_in_a_transaction() -> bool:
    """Tell whether a transaction is open in this thread, other than that of a test case."""
    blocks: list[Any] = [block for each in connections.all(initialized_only=True) for block in each.atomic_blocks]
    return not all(block._from_testcase for block in blocks)


__all__ = [
    "NDJSONResponse",
    "SSEResponse",
    "StreamFailed",
    "StreamedResponse",
    "StreamingJSONListResponse",
    "begin_stream",
    "get_last_event_id",
    "response_class_for",
]
