"""A request at the ASGI boundary, the way a server makes one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from benchmarks.case import Headers

Message = dict[str, Any]
Application = Callable[[Any, Any, Any], Awaitable[None]]


class Reply(NamedTuple):
    """What the application sent."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


async def fetch(
    application: Application, path: str, headers: Headers = (), *, method: str = "GET", body: bytes = b""
) -> Reply:
    """Send a request in a task of its own and return the reply.

    ``receive`` gives the body, then waits for the end of the response to report a disconnect, as servers do.

    Args:
        application: any ASGI application.
        path: with its leading slash.
        headers: added to those of a plain client.
        method: of the request.
        body: of the request; JSON.
    """
    loop = asyncio.get_running_loop()
    finished: asyncio.Future[None] = loop.create_future()
    incoming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    start: Message = {}
    chunks: list[bytes] = []

    async def receive() -> Message:
        if incoming:
            return incoming.pop()
        await finished
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False) and not finished.done():
            finished.set_result(None)

    async def serve() -> None:
        await application(sent, receive, send)

    if body:
        headers = (*headers, (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
    sent = scope(method, path, headers)
    await loop.create_task(serve())
    return Reply(start["status"], dict(start["headers"]), b"".join(chunks))


def scope(method: str, path: str, headers: Headers) -> Message:
    """Return a fresh ASGI scope for a request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"testserver"), (b"user-agent", b"benchmarks"), (b"accept", b"*/*"), *headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
    }
