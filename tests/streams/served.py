"""What a server of the tests serves: streams, and a log of how far their generators have come."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from typing import Any

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
settings.ROOT_URLCONF = __name__
django.setup(set_prefix=False)

from django.http import JsonResponse  # noqa: E402 - the settings come first
from django.urls import path  # noqa: E402

from restflow.responses import NDJSONResponse, SSEResponse, StreamingJSONListResponse  # noqa: E402
from tests.streams.support import async_view, sync_view  # noqa: E402

LARGE = "x" * 64 * 1024
log: Counter[str] = Counter()


async def async_items(name: str, pause: float, item: str) -> Any:
    try:
        while True:
            log[name] += 1
            yield item
            await asyncio.sleep(pause)
    finally:
        log[f"{name} ended"] += 1


def sync_items(name: str, pause: float, item: str) -> Any:
    try:
        while True:
            log[name] += 1
            yield item
            time.sleep(pause)
    finally:
        log[f"{name} ended"] += 1


async def silent(name: str) -> Any:
    try:
        yield "first"
        await asyncio.Event().wait()
    finally:
        log[f"{name} ended"] += 1


async def swallowing(name: str) -> Any:
    while True:
        try:
            yield LARGE
            await asyncio.sleep(0.001)
        except (GeneratorExit, asyncio.CancelledError):
            log[f"{name} ended"] += 1
            if log[f"{name} ended"] > 1:
                raise


async def failing() -> Any:
    yield 1
    await asyncio.sleep(0.01)
    raise ValueError("a secret")


def told(request: Any) -> JsonResponse:
    return JsonResponse(log)


urlpatterns = [
    path("log/", told),
    path("async/", async_view(lambda *_: SSEResponse(async_items("async", 0.002, "x")))),
    path("sync/", sync_view(lambda *_: SSEResponse(sync_items("sync", 0.002, "x")))),
    path("silent/", async_view(lambda *_: SSEResponse(silent("silent"), heartbeat=0.05))),
    path("async-large/", async_view(lambda *_: NDJSONResponse(async_items("async-large", 0, LARGE)))),
    path("sync-large/", sync_view(lambda *_: NDJSONResponse(sync_items("sync-large", 0, LARGE)))),
    path("swallowing/", async_view(lambda *_: NDJSONResponse(swallowing("swallowing")))),
    path("failing-events/", async_view(lambda *_: SSEResponse(failing()))),
    path("failing-lines/", async_view(lambda *_: NDJSONResponse(failing()))),
    path("failing-list/", async_view(lambda *_: StreamingJSONListResponse(failing()))),
]

if os.environ.get("STREAMS_ENTRY") == "restflow":
    from restflow.asgi import ASGIHandler

    application: Any = ASGIHandler()
else:
    from django.core.handlers.asgi import ASGIHandler as DjangosASGIHandler

    application = DjangosASGIHandler()
