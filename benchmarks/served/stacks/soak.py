"""restflow's views, and more that hold a request open: for ``benchmarks.soak``."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

from django.db import connection
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from benchmarks.models import PostgreSQLBook
from benchmarks.served.stacks import restflow
from restflow.views import AsyncAPIView

Books = PostgreSQLBook.objects


class Waits(AsyncAPIView):
    """Asks its database, waits for something else, and asks again."""

    async def get(self, request: Request) -> Response:
        before = await Books.filter(isbn__startswith="978").acount()
        await asyncio.sleep(0.1)
        return Response({"before": before, "after": await Books.filter(isbn__startswith="978").acount()})


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Twenty events, a tenth of a second in all, with a query before the first and the last."""

    async def events() -> AsyncIterator[str]:
        for number in range(20):
            if number in (0, 19):
                await Books.aget(pk=1)
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.005)

    return StreamingHttpResponse(events(), content_type="text/event-stream")


def sync(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"title": Books.get(pk=1).title})


async def state(request: HttpRequest) -> JsonResponse:
    """What this process has at the moment."""
    pool = connection.pool.get_stats()
    return JsonResponse(
        {
            "tasks": len(asyncio.all_tasks()),
            "threads": threading.active_count(),
            "taken": pool["pool_size"] - pool["pool_available"],
        }
    )


urlpatterns = [
    *restflow.urlpatterns,
    path("waits/", Waits.as_view()),
    path("stream/", stream),
    path("sync/", sync),
    path("state/", state),
]
