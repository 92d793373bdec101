"""Streams of restflow's: for ``benchmarks.streams``."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from benchmarks.models import PostgreSQLBook, SQLiteBook
from restflow.responses import EventStreamRenderer, SSEResponse
from restflow.views import AsyncAPIView

MODELS = {"default": PostgreSQLBook, "sqlite": SQLiteBook}
_open = 0


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


async def state(request: HttpRequest) -> JsonResponse:
    """What this process has at the moment."""
    pool = connection.pool.get_stats()
    return JsonResponse(
        {
            "open": _open,
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
    path("state/", state),
    path("ping/", ping),
]
