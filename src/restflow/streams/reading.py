"""Parses streams back into events, lines or list items, from bytes as they arrive.

Pure functions of bytes. Used by the test client.

Source: WHATWG HTML, section 9.2.6, "Interpreting an event stream".
"""

from __future__ import annotations

import codecs
import json
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from typing import Any

from restflow.streams.formats import EventStream, JSONList, Lines, ServerSentEvent


class _Lines:
    """Reads complete items from text: those of NDJSON here, of other formats in subclasses."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._text = ""

    def feed(self, chunk: bytes) -> Iterator[Any]:
        """Yield the items that ``chunk`` completes."""
        self._text += self._decode(chunk)
        yield from self._items()

    def _items(self) -> Iterator[Any]:
        *lines, self._text = self._text.split("\n")
        yield from map(json.loads, lines)


class _Events(_Lines):
    def __init__(self) -> None:
        super().__init__()
        self._is_first = True
        self._id: str | None = None
        self._data: list[str] = []
        self._event: str | None = None

    def _lines(self) -> Iterator[str]:
        while ends := [at for at in map(self._text.find, "\r\n") if at >= 0]:
            end = min(ends)
            if self._text[end] == "\r" and end + 1 == len(self._text):
                return  # the "\n" of a "\r\n" may be in the next part
            line, self._text = self._text[:end], self._text[end + (2 if self._text[end : end + 2] == "\r\n" else 1) :]
            yield line.removeprefix("\ufeff") if self._is_first else line
            self._is_first = False

    def _items(self) -> Iterator[ServerSentEvent]:
        for line in self._lines():
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                if self._data:
                    yield ServerSentEvent("\n".join(self._data), event=self._event, id=self._id)
                self._data, self._event = [], None
            elif field == "data":
                self._data.append(value)
            elif field == "event":
                self._event = value or None
            elif field == "id" and "\0" not in value:
                self._id = value


class _List(_Lines):
    """Reads the items of one JSON list, each once the text after it is there, since a number may continue."""

    _raw_decode = json.JSONDecoder().raw_decode
    _is_open = False

    def _items(self) -> Iterator[Any]:
        while rest := self._text.lstrip():
            if rest[0] == ("," if self._is_open else "["):
                self._is_open, self._text = True, rest[1:]
                continue
            try:
                item, end = self._raw_decode(rest)
            except ValueError:
                return
            if rest[end:].lstrip()[:1] not in {",", "]"}:
                return
            self._text = rest[end:]
            yield item


_READERS: dict[str, Callable[[], _Lines]] = {
    EventStream.media_type: _Events,
    Lines.media_type: _Lines,
    JSONList.media_type: _List,
}

ACCEPTED = ", ".join(_READERS)
"""The media types that can be read, as an ``Accept`` header."""


async def read(content_type: str, chunks: AsyncIterable[bytes]) -> AsyncGenerator[Any, None]:
    """Yield the items of a stream.

    Args:
        content_type: the content type of the response.
        chunks: the body, as it arrives.

    Raises:
        ValueError: the content type is not that of a known stream format.
    """
    media_type = content_type.partition(";")[0].strip()
    if media_type not in _READERS:
        raise ValueError(f"{content_type} is no stream that can be read; these are: {ACCEPTED}.")
    reader = _READERS[media_type]()
    async for chunk in chunks:
        for item in reader.feed(chunk):
            yield item
