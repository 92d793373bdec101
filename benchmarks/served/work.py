"""What the views do, whoever's they are."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.urls import URLPattern, path

from benchmarks.data import SHOWN, WRITTEN
from benchmarks.generic import view_of
from benchmarks.models import PostgreSQLBook

PAGE = 20
PONG = {"message": "pong"}
UPSTREAMS, SECONDS = 5, 0.05

# For the sync views: enough that no request of 32 waits for another's.
_threads = ThreadPoolExecutor(max_workers=32 * UPSTREAMS)


class NoPolicies:
    """Turns DRF's default policies off."""

    authentication_classes: Any = ()
    permission_classes: Any = ()
    throttle_classes: Any = ()


async def _upstream(number: int) -> int:
    await asyncio.sleep(SECONDS)
    return number


def _sync_upstream(number: int) -> int:
    time.sleep(SECONDS)
    return number


async def fanned_out() -> dict[str, Any]:
    """Ask five upstreams at once."""
    return {"answers": await asyncio.gather(*map(_upstream, range(UPSTREAMS)))}


def sync_fanned_out() -> dict[str, Any]:
    """Do the same from sync code: in a thread each, of a pool that the process keeps."""
    return {"answers": list(_threads.map(_sync_upstream, range(UPSTREAMS)))}


def urls(ping: Any, fanout: Any, list20: Any, detail: Any, create: Any) -> list[URLPattern]:
    """Return the URLs that every stack has."""
    return [
        path("ping/", ping),
        path("fanout/", fanout),
        path("list20/", list20),
        path("detail/<int:pk>/", detail),
        path("create/", create),
    ]


def generic_urls(ping: Any, fanout: Any, generics: Any, serializers: Any, prefix: str = "") -> list[URLPattern]:
    """Return the URLs of a stack that has DRF's generic views, in a module of its own and with ``prefix``."""

    def view(name: str, fields: tuple[str, ...] = SHOWN) -> Any:
        base = getattr(generics, f"{prefix}{name}")
        return view_of(base, serializers.ModelSerializer, PostgreSQLBook, fields, PAGE)

    return urls(
        ping.as_view(),
        fanout.as_view(),
        view("ListAPIView"),
        view("RetrieveAPIView"),
        view("CreateAPIView", ("id", *WRITTEN)),
    )
