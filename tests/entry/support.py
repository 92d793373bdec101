"""A conversation with an ASGI application, message by message; several requests at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from tests.site import Answer, Site

LEFT = {"type": "http.disconnect"}


def body(content: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


def scope_of(path: str, method: str = "GET", **parts: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"testserver")],
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
        **parts,
    }


async def talk(
    site: Site,
    scope: dict[str, Any],
    *incoming: dict[str, Any],
    leave: asyncio.Event | None = None,
    sent: list[dict[str, Any]] | None = None,
    listening: asyncio.Event | None = None,
) -> list[dict[str, Any]]:
    """Serve ``scope``; return what was sent.

    Args:
        site: who serves.
        scope: the connection.
        incoming: what the client sends, first to last; an empty body by default.
        leave: when the client disconnects; it stays by default.
        sent: where what is sent is kept, for a test that looks meanwhile.
        listening: set when the application listens for the disconnect.
    """
    pending = list(incoming or [body()])
    messages: list[dict[str, Any]] = [] if sent is None else sent
    leave = leave or asyncio.Event()

    async def receive() -> dict[str, Any]:
        if pending:
            return pending.pop(0)
        if listening is not None:
            listening.set()
        await leave.wait()
        return LEFT

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    async with site.request(wait=True):
        await site.application(scope, receive, send)
    return messages


def content(messages: list[dict[str, Any]]) -> bytes:
    return b"".join(message.get("body", b"") for message in messages[1:])


def ident(request: Any = None) -> int:
    return threading.get_ident()


async def send_all(site: Site, *urls: str) -> list[Answer]:
    return list(await asyncio.gather(*(site.asend("GET", url) for url in urls)))


@contextmanager
def changed(**changes: Any) -> Iterator[None]:
    """PostgreSQL with other settings, for threads that have not used it yet."""
    from django.db.backends.postgresql import base

    given = connections.settings["postgres"]
    options = {**given["OPTIONS"], **changes.pop("OPTIONS", {})}
    connections.settings["postgres"] = {**given, **changes, "OPTIONS": options}
    try:
        yield
    finally:
        connections.settings["postgres"] = given
        if (pool := base.DatabaseWrapper._connection_pools.pop("postgres", None)) is not None:
            pool.close()
