"""Streams of restflow's: for ``benchmarks.streams``."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from benchmarks.models import PostgreSQLBook, SQLiteBook
from restflow.responses import EventStreamRenderer, NDJSONResponse, SSEResponse
from restflow.views import AsyncAPIView

MODELS = {"default": PostgreSQLBook, "sqlite": SQLiteBook}
_open = 0
_ended: list[float] = []
"""When the generators of ``Leaving`` ended; the clock is the machine's."""


class Asks(BasePermission):
    """A sync permission that asks the database, as most do."""

    def has_permission(self, request: Request, view: AsyncAPIView) -> bool:
        return PostgreSQLBook.objects.filter(pk=1).exists()


class Events(AsyncAPIView):
    """A stream that is silent but for its first event."""

    authentication_classes: list[Any] = []
    permission_classes = [Asks]
    renderer_classes = [EventStreamRenderer]

    async def get(self, request: Request) -> SSEResponse:
        async def events() -> AsyncIterator[str]:
            global _open
            _open += 1
            try:
                yield "first"
                await asyncio.Event().wait()
            finally:
                _open -= 1

        return SSEResponse(events(), heartbeat=float(request.query_params["heartbeat"]))


class Row(serializers.Serializer[Any]):
    isbn = serializers.CharField()
    title = serializers.CharField()
    pages = serializers.IntegerField()


class Rows(AsyncAPIView):
    """All rows of a table, as one JSON list."""

    authentication_classes: list[Any] = []
    serializer_class = Row

    async def get(self, request: Request, alias: str) -> Any:
        return await self.astreamed_response(MODELS[alias].objects.using(alias), as_="json")


async def silent() -> AsyncIterator[str]:
    """Waits for what never comes."""
    try:
        yield "first"
        await asyncio.Event().wait()
    finally:
        _ended.append(time.monotonic())


async def busy() -> AsyncIterator[str]:
    """Has something a thousand times a second."""
    try:
        while True:
            yield "first"
            await asyncio.sleep(0.001)
    finally:
        _ended.append(time.monotonic())


def sync_busy() -> Iterator[str]:
    """The same, in the worker thread."""
    try:
        while True:
            yield "first"
            time.sleep(0.001)
    finally:
        _ended.append(time.monotonic())


class Leaving(AsyncAPIView):
    """Streams that end when their clients leave."""

    authentication_classes: list[Any] = []
    responses = {"sse": SSEResponse, "ndjson": NDJSONResponse}
    sources = {"silent": silent, "busy": busy, "sync": sync_busy}

    async def get(self, request: Request, form: str, source: str) -> Any:
        return self.responses[form](self.sources[source]())


async def state(request: HttpRequest) -> JsonResponse:
    """What this process has at the moment."""
    pool = connection.pool.get_stats()
    return JsonResponse(
        {
            "open": _open,
            "ended": len(_ended),
            "last ended": max(_ended, default=0),
            "tasks": len(asyncio.all_tasks()),
            "threads": threading.active_count(),
            "taken": pool["pool_size"] - pool["pool_available"],
        }
    )


async def ping(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


urlpatterns = [
    path("events/", Events.as_view()),
    path("rows/<alias>/", Rows.as_view()),
    path("leaving/<form>/<source>/", Leaving.as_view()),
    path("state/", state),
    path("ping/", ping),
]
