"""Views served by an ASGI handler, driven as a server drives it: Django's own, or ours with RESTFLOW_ENTRY=restflow."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.db import connections, transaction
from django.http import JsonResponse
from django.test import override_settings
from django.urls import path

from restflow.asgi import ASGIHandler as OurASGIHandler
from restflow.flow.lease import Lease
from restflow.flow.pool import Limits, Workers

DJANGO, OURS = ENTRIES = ("django", "restflow")
ENTRY = os.environ.get("RESTFLOW_ENTRY", DJANGO)
assert ENTRY in ENTRIES, f"RESTFLOW_ENTRY must be one of {ENTRIES}, got {ENTRY!r}"


_runners: list[asyncio.Runner] = []


def on_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine as ``asyncio.run`` does, on a loop that is kept for the next unless something is left on it."""
    if threading.current_thread() is not threading.main_thread():
        return asyncio.run(coroutine)
    runner = _runners.pop() if _runners else asyncio.Runner()
    try:
        result = runner.run(coroutine, context=copy_context())
        if not asyncio.all_tasks(runner.get_loop()):
            _runners.append(runner)
        return result
    finally:
        if runner not in _runners:
            runner.close()


def _forget_request() -> None:
    """Leave nothing of a request in its thread, which may serve another: asgiref notes the event loop there."""
    connections.close_all()
    vars(SyncToAsync.threadlocal).clear()


def close_loop() -> None:
    while _runners:
        _runners.pop().close()


class CountingExecutor(ThreadPoolExecutor):
    """The one worker thread of a request; counts how often the request goes to it."""

    def __init__(self) -> None:
        super().__init__(max_workers=1, thread_name_prefix="worker")
        self.hops = 0

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        self.hops += 1
        return super().submit(*args, **kwargs)


class CountingWorkers(Workers):
    """The worker threads of our entry, with leases that count."""

    def __init__(
        self, most: int = 100, waiting: int = 1000, *, at_once: int | None = None, patience: float = 1
    ) -> None:
        ours, limits = OurASGIHandler.workers, Limits(at_once or most, waiting, most)
        super().__init__(
            lambda: limits,
            retiring=connections.close_all,
            resting=self.rest,
            moment=ours.moment,
            holding=ours.holding,
            locking=ours.locking,
            patience=patience,
        )
        self.rested = threading.Event()

    def rest(self) -> None:
        OurASGIHandler.workers.resting()
        self.rested.set()

    def lease(self, context: Context | None = None, **options: Any) -> Lease:
        return CountingLease(self, context, **{**_NOTHING, **options})


_NOTHING: dict[str, Any] = {"beginning": lambda: None, "ending": lambda: None}


@dataclass
class Counter:
    hops: int = 0


_counter: ContextVar[Counter] = ContextVar("_counter")


class CountingLease(Lease):
    """The thread of one request; the counter of the request knows how often it is asked."""

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        _counter.get(Counter()).hops += 1
        return super().submit(*args, **kwargs)


@dataclass
class Answer:
    """A response as it left the ASGI application."""

    status: int
    headers: dict[str, str]
    body: bytes
    hops: int

    def json(self) -> Any:
        return json.loads(self.body)


async def _plain(request: Any) -> JsonResponse:
    return JsonResponse({})


for _alias in connections:
    transaction.non_atomic_requests(using=_alias)(_plain)
_plain_hops: dict[Any, int] = {}
"""What a plain Django view costs, by handler and middleware."""


class Site:
    """URLs under an ASGI handler. Made inside ``with``, it serves until the block ends.

    Args:
        views: view functions by route (``"books/<int:pk>/"``), or URL patterns.
        entry: whose handler, where a test is about one of them.
        workers: the threads of our handler.
        settings: Django settings to override meanwhile.
    """

    def __init__(
        self, views: Any, *, entry: str = ENTRY, workers: CountingWorkers | None = None, **settings: Any
    ) -> None:
        self.entry, self.workers = entry, workers or CountingWorkers()
        self.idle: list[CountingExecutor] = []  # threads of requests to Django's handler that have ended
        patterns = [path(route, view) for route, view in views.items()] if isinstance(views, dict) else list(views)
        self.override = override_settings(ROOT_URLCONF=(*patterns, path("__plain__", _plain)), **settings)

    def __enter__(self) -> Site:
        self.override.enable()
        self.application = ASGIHandler() if self.entry == DJANGO else OurASGIHandler()
        if isinstance(self.application, OurASGIHandler):
            self.application.workers = self.workers
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.workers.close()
        while self.idle:
            self.idle.pop().shutdown()
        self.override.disable()

    @asynccontextmanager
    async def request(self, *, wait: bool = False) -> AsyncIterator[Any]:
        """What a request is served in: Django's handler is given its thread. Gives what counts the hops.

        Args:
            wait: for that thread to end. One that still waits for this loop must not block it.
        """
        if self.entry == OURS:
            token = _counter.set(Counter())
            try:
                yield _counter.get()
            finally:
                _counter.reset(token)
            return
        try:
            executor = self.idle.pop()  # requests of several threads may come here at once
        except IndexError:
            executor = CountingExecutor()
        executor.hops = 0
        try:
            async with ThreadSensitiveContext(executor=executor):
                yield executor
        finally:
            closed = executor.submit(_forget_request)
            if wait:
                closed.result()
                self.idle.append(executor)
            else:
                executor.shutdown(wait=False)

    async def asend(
        self,
        method: str,
        url: str,
        data: Any = None,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request on the running loop. ``data`` is sent as JSON, ``body`` as it is."""
        sent = {"host": "testserver", **(headers or {})}
        if data is not None:
            body = json.dumps(data).encode()
            sent.setdefault("content-type", "application/json")
        if body is not None:
            sent["content-length"] = str(len(body))
        route, _, query = url.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": route,
            "raw_path": route.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
            "client": ("127.0.0.1", 50000),
            "server": ("testserver", 80),
        }
        done = asyncio.Event()
        pending = [{"type": "http.request", "body": body or b"", "more_body": False}]
        messages: list[Any] = []

        async def receive() -> Any:
            if pending:
                return pending.pop()
            await done.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            messages.append(message)

        try:
            async with self.request(wait=True) as counted:
                await self.application(scope, receive, send)
                hops = counted.hops
        finally:
            done.set()
        start, *rest = messages
        return Answer(
            status=start["status"],
            headers={name.decode(): value.decode() for name, value in start["headers"]},
            body=b"".join(message.get("body", b"") for message in rest),
            hops=hops,
        )

    def send(self, method: str, url: str, data: Any = None, **kwargs: Any) -> Answer:
        """Send one request on a loop of its own; ``hops`` are those beyond what a plain Django view costs."""

        async def both() -> Answer:
            handler = (type(self.application), *settings.MIDDLEWARE)
            if handler not in _plain_hops:
                _plain_hops[handler] = (await self.asend("GET", "/__plain__")).hops
            answer = await self.asend(method, url, data, **kwargs)
            answer.hops -= _plain_hops[handler]
            return answer

        return on_loop(both())
