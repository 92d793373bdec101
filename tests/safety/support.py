"""What the safety tests share: one request sent on a loop of its own, and gates that only a free event loop opens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.test import AsyncRequestFactory
from rest_framework.exceptions import APIException

from tests.site import Answer, CountingExecutor, Site, on_loop


class Refused(APIException):
    """A refusal that only a test's own code gives."""

    status_code = 418
    default_detail = "refused by the override"


def here() -> str:
    """Where this code runs: "loop" or "thread"."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return "thread"
    return "loop"


def ask(view: type, method: str = "GET", data: Any = None, *, url: str = "/x/", **options: Any) -> Answer:
    """Send one request to ``view`` (at ``/x/`` and ``/x/<int:pk>/``) on a loop of its own."""
    settings = options.pop("settings", {})
    as_view = view.as_view()
    with Site({"x/": as_view, "x/<int:pk>/": as_view}, **settings) as site:
        return on_loop(site.asend(method, url, data, **options))


class Gate:
    """A wait that ends only when a coroutine on the event loop gets to run meanwhile."""

    def __init__(self, timeout: float = 10) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.timeout = timeout
        self.places: list[str] = []

    def wait(self) -> None:
        self.places.append(here())
        self.entered.set()
        # On the loop itself there is no one who could ever open it.
        assert self.places[-1] == "thread", "sync code was called on the event loop"
        assert self.opened.wait(self.timeout), "the event loop was blocked"

    async def keep(self) -> None:
        while not self.entered.is_set():  # noqa: ASYNC110 - it is set in another thread
            await asyncio.sleep(0.001)
        self.opened.set()


async def through(gate: Gate, request: Callable[[], Any]) -> Any:
    """Await ``request()`` while another task on the same loop opens ``gate``."""
    keeper = asyncio.ensure_future(gate.keep())
    try:
        return await request()
    finally:
        keeper.cancel()


async def visit(site: Site, url: str, listening: asyncio.Event, leave: asyncio.Event) -> list[Any]:
    """Send a GET as a client that disconnects when ``leave`` is set; return what was sent to it."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": "GET",
        "path": url,
        "raw_path": url.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"testserver")],
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
    }
    pending = [{"type": "http.request", "body": b"", "more_body": False}]
    messages: list[Any] = []

    async def receive() -> Any:
        if pending:
            return pending.pop()
        listening.set()
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(message)

    async with site.request():
        await site.application(scope, receive, send)
    return messages


async def respond(site: Site, url: str) -> Any:
    """Have Django's handler answer a GET in this very task, so that cancelling it cancels the view and nothing else."""
    executor = CountingExecutor()
    try:
        async with ThreadSensitiveContext(executor=executor):
            return await site.application.get_response_async(AsyncRequestFactory().get(url))
    finally:
        executor.shutdown(wait=False)
