"""Views served by Django's own ASGI handler, driven as a server drives it."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.db import connections
from django.http import JsonResponse
from django.test import override_settings
from django.urls import path


class CountingExecutor(ThreadPoolExecutor):
    """The one worker thread of a request; counts how often the request goes to it."""

    def __init__(self) -> None:
        super().__init__(max_workers=1, thread_name_prefix="worker")
        self.hops = 0

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        self.hops += 1
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


_plain_hops: dict[Any, int] = {}
"""What a plain Django view costs, by handler and middleware."""


class Site:
    """URLs under Django's ASGI handler. Made inside ``with``, it serves until the block ends.

    Args:
        views: view functions by route (``"books/<int:pk>/"``), or URL patterns.
        settings: Django settings to override meanwhile.
    """

    def __init__(self, views: Any, **settings: Any) -> None:
        patterns = [path(route, view) for route, view in views.items()] if isinstance(views, dict) else list(views)
        self.override = override_settings(ROOT_URLCONF=(*patterns, path("__plain__", _plain)), **settings)

    def __enter__(self) -> Site:
        self.override.enable()
        self.application = ASGIHandler()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.override.disable()

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

        with CountingExecutor() as executor:
            try:
                async with ThreadSensitiveContext(executor=executor):
                    await self.application(scope, receive, send)
            finally:
                done.set()
                hops = executor.hops
                executor.submit(connections.close_all).result()
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

        return asyncio.run(both())
