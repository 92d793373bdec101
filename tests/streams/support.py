"""Views that stream, in each colour, and a browser's reading of what they send, written after the specification."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from rest_framework.renderers import JSONRenderer

from restflow.responses import EventStreamRenderer, NDJSONRenderer
from restflow.views import APIView, AsyncAPIView
from tests.entry.support import scope_of, talk
from tests.site import Site

RENDERERS = [JSONRenderer, EventStreamRenderer, NDJSONRenderer]


def sync_view(answer: Callable[[Any, Any], Any], **attributes: Any) -> Any:
    """A sync view that answers GET with what ``answer(view, request)`` returns."""

    def get(self: Any, request: Any, **kwargs: Any) -> Any:
        return answer(self, request)

    return type("View", (APIView,), {"get": get, "renderer_classes": RENDERERS, **attributes}).as_view()


def async_view(answer: Callable[[Any, Any], Any], **attributes: Any) -> Any:
    async def get(self: Any, request: Any, **kwargs: Any) -> Any:
        return answer(self, request)

    return type("View", (AsyncAPIView,), {"get": get, "renderer_classes": RENDERERS, **attributes}).as_view()


def sync_handler(answer: Callable[[Any, Any], Any], **attributes: Any) -> Any:
    """An async view with a sync handler."""

    def get(self: Any, request: Any, **kwargs: Any) -> Any:
        return answer(self, request)

    return type("View", (AsyncAPIView,), {"get": get, "renderer_classes": RENDERERS, **attributes}).as_view()


VIEWS = [sync_view, async_view, sync_handler]


def as_sync(items: Iterable[Any]) -> Iterator[Any]:
    """A sync generator of ``items``; an exception among them is raised."""
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield item


async def as_async(items: Iterable[Any]) -> AsyncIterator[Any]:
    for item in items:
        await asyncio.sleep(0)
        if isinstance(item, Exception):
            raise item
        yield item


GENERATORS = [as_sync, as_async]


@dataclass
class Event:
    """What a browser dispatches."""

    data: str
    type: str = "message"
    id: str = ""


def dispatched(sent: bytes) -> list[Event]:
    """What a browser makes of an event stream. Source: WHATWG HTML, sections 9.2.5 and 9.2.6."""
    events: list[Event] = []
    data, kind, last_id = "", "", ""
    for line in re.split("\r\n|\n|\r", sent.decode().removeprefix("\ufeff"))[:-1]:
        if line == "":
            if data:
                events.append(Event(data[:-1] if data.endswith("\n") else data, kind or "message", last_id))
            data = kind = ""
            continue
        if line.startswith(":"):
            continue
        field, colon, value = line.partition(":")
        if colon and value.startswith(" "):
            value = value[1:]
        if field == "event":
            kind = value
        elif field == "data":
            data += value + "\n"
        elif field == "id" and "\0" not in value:
            last_id = value
    return events


class Client:
    """A client of one request, which looks at what was sent while the application goes on, and may leave.

    Args:
        site: who serves.
        path: what is asked for.
        accept: what is accepted.
    """

    def __init__(self, site: Site, path: str, accept: str = "*/*", **headers: str) -> None:
        sent = {"host": "testserver", "accept": accept, **headers}
        self.scope = scope_of(path, headers=[(name.encode(), value.encode()) for name, value in sent.items()])
        self.site = site
        self.sent: list[dict[str, Any]] = []
        self.left = asyncio.Event()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    async def until(self, told: Callable[[], bool]) -> None:
        """Wait until ``told()``; the task that serves is looked at, so that its error is not waited for."""
        while not told():
            assert not self.serving.done(), self.sent
            await asyncio.sleep(0.001)

    async def leave(self) -> None:
        self.left.set()
        await self.serving

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[Client]:
        self.serving = asyncio.create_task(talk(self.site, self.scope, leave=self.left, sent=self.sent))
        try:
            yield self
        finally:
            if not self.serving.done():
                await self.leave()
