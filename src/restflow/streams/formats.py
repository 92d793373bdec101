"""The bytes of a stream: server-sent events, lines of JSON, or one JSON list.

Pure functions of items, with DRF's JSON encoder.

Source: WHATWG HTML, section 9.2, "Server-sent events".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from json import JSONEncoder
from typing import Any, ClassVar, Final

from rest_framework.renderers import JSONRenderer

from restflow.large import is_light

_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_FIELDS = frozenset({"data", "event", "id", "retry"})
_ABSENT: Final[Any] = object()

FAILED = {"code": "internal_error", "message": "The stream ended early because of an error.", "details": {}}
"""Sent to the client when a stream fails in the middle, in the envelope format, without details of the error."""


@dataclass(frozen=True)
class ServerSentEvent:
    """One server-sent event.

    Args:
        data: a string, sent unchanged, with any line ends; anything else is sent as compact JSON, by DRF's encoder.
            Without data, no event reaches the page's code: only ``id``, ``retry`` and ``comment`` are sent.
        event: the event's name; without one, the client takes it to be ``message``.
        id: sent back by the client as ``Last-Event-ID`` when it reconnects; any object whose ``str`` is one line.
        retry: the milliseconds after which the client reconnects.
        comment: text that the client ignores.
    """

    data: Any = _ABSENT
    event: str | None = None
    id: Any = None
    retry: int | None = None
    comment: str | None = None

    @property
    def has_data(self) -> bool:
        """Whether the event has data."""
        return self.data is not _ABSENT

    @classmethod
    def of(cls, item: Any) -> ServerSentEvent:
        """Convert an item of a stream to an event.

        Args:
            item: an event; a dict with ``data``, and no keys but ``event``, ``id`` and ``retry`` beside it; or the
                data.
        """
        if isinstance(item, cls):
            return item
        if type(item) is dict and "data" in item and _FIELDS.issuperset(item):
            return cls(**item)
        return cls(item)

    def encode(self) -> bytes:
        """Return the event in the form in which it is sent.

        Raises:
            ValueError: ``event`` or ``id`` has several lines, or ``retry`` is not a number of milliseconds: it would be
                read as other fields.
        """
        lines = [f": {line}" for line in _lines(self.comment)]
        if self.event is not None:
            lines.append(f"event: {_one_line('event', self.event)}")
        if self.id is not None:
            lines.append(f"id: {_one_line('id', str(self.id))}")
        if self.retry is not None:
            lines.append(f"retry: {milliseconds(self.retry)}")
        if self.has_data:
            text = self.data if isinstance(self.data, str) else encoded(self.data).decode()
            lines += [f"data: {line}" for line in _lines(text)]
        return "".join(f"{line}\n" for line in [*lines, ""]).encode(errors="replace")


def _lines(text: str | None) -> list[str]:
    return [] if text is None else _LINE_ENDS.split(text)


def _one_line(field: str, value: Any) -> str:
    if not isinstance(value, str) or any(character in value for character in "\r\n\0"):
        raise ValueError(f"The {field} of a server-sent event must be a string of one line without NUL, got {value!r}.")
    return value


def milliseconds(value: Any) -> int:
    """Return a reconnection time, or refuse it if it can't be sent.

    Raises:
        ValueError: it is not a whole number, or it is negative.
    """
    if type(value) is not int or value < 0:
        raise ValueError(f"retry must be a whole number of milliseconds, got {value!r}.")
    return value


_RENDERER = JSONRenderer()


def encoded(data: Any, renderer: JSONRenderer = _RENDERER) -> bytes:
    """Return data as JSON, as DRF's renderer writes it.

    Raises:
        TypeError: it can't be represented as JSON.
        ValueError: the same.
    """
    return renderer.render(data) if data is not None else b"null"


class Format:
    """How a stream is written; this base class writes JSON, one item per line.

    Args:
        encoder: writes JSON in place of DRF's encoder.

    Attributes:
        media_type: its media type.
        headers: headers that it needs.
        opening: sent before all items.
        closing: sent after them.
        failure: sent last if the stream fails in the middle; None if only closing the connection can signal that.
        heartbeat: sent while there is nothing to send; empty if the format has nothing suitable.
    """

    media_type: ClassVar[str]
    headers: ClassVar[dict[str, str]] = {"X-Accel-Buffering": "no"}
    opening: bytes = b""
    closing: bytes = b""
    failure: bytes | None = None
    heartbeat: bytes = b""

    def __init__(self, encoder: type[JSONEncoder] | None = None) -> None:
        self._renderer = _RENDERER
        if encoder is not None:
            self._renderer = type("Renderer", (JSONRenderer,), {"encoder_class": encoder})()

    def written(self, items: Sequence[Any], *, is_first: bool) -> bytes:
        """Return items in the form in which they are sent.

        Args:
            items: at least one.
            is_first: whether these are the first items.
        """
        return b"".join(encoded(item, self._renderer) + b"\n" for item in items)

    def is_light(self, items: list[Any]) -> bool:
        """Tell whether items may be written on the event loop."""
        return self._renderer is _RENDERER and is_light(items)


class EventStream(Format):
    """Server-sent events.

    Args:
        retry: the milliseconds after which a client should reconnect; None leaves that to the client.
    """

    media_type = "text/event-stream"
    # A compressor would hold events back. GZipMiddleware skips responses that have a Content-Encoding.
    headers = {**Format.headers, "Cache-Control": "no-cache", "Content-Encoding": "identity"}
    failure = ServerSentEvent(FAILED, event="error").encode()
    heartbeat = b":\n\n"

    def __init__(self, retry: int | None = None) -> None:
        super().__init__()
        self.opening = b"" if retry is None else ServerSentEvent(retry=retry).encode()

    def written(self, items: Sequence[Any], *, is_first: bool) -> bytes:
        """Return items in the form in which they are sent."""
        return b"".join(ServerSentEvent.of(item).encode() for item in items)

    def is_light(self, items: list[Any]) -> bool:
        """Tell whether items may be written on the event loop."""
        events = [*map(ServerSentEvent.of, items)]
        return is_light([event.data for event in events if event.has_data]) and all(
            type(event.id) in {str, int, type(None)} for event in events
        )


class Lines(Format):
    """JSON, one item per line: NDJSON."""

    media_type = "application/x-ndjson"
    failure = encoded({"error": FAILED}) + b"\n"


class JSONList(Format):
    """One JSON list."""

    media_type = "application/json"
    headers: ClassVar[dict[str, str]] = {}
    opening = b"["
    closing = b"]"

    def written(self, items: Sequence[Any], *, is_first: bool) -> bytes:
        """Return items in the form in which they are sent."""
        return (b"" if is_first else b",") + b",".join(encoded(item, self._renderer) for item in items)
