"""The threads of our entry that streams need: none while they wait in async code, unless something is open there."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connection
from rest_framework.permissions import BasePermission

from restflow.db import atomic
from restflow.responses import SSEResponse
from tests.entry.support import ident
from tests.site import OURS, CountingWorkers, Site
from tests.streams.support import Client, async_view, sync_view

pytestmark = pytest.mark.django_db(transaction=True)


class Asks(BasePermission):
    """Asks the database, and so needs a thread."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return not User.objects.filter(username="x").exists()


@pytest.mark.parametrize("view", [sync_view, async_view])
@pytest.mark.parametrize("release_after", [0.01, 0])
def test_a_stream_that_waits_leaves_its_thread_to_others(view: Any, release_after: float) -> None:
    async def events() -> Any:
        yield await User.objects.acount()
        await gate.wait()
        yield await User.objects.acount()

    async def main(site: Site) -> None:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(Client(site, "/x/").asking()) for _ in range(3)]
            for client in clients:
                await client.until(lambda client=client: b"data: 0" in client.body)  # type: ignore[misc]
            gate.set()
            for client in clients:
                await client.serving
                assert client.body == b"data: 0\n\n" * 2

    gate = asyncio.Event()
    answer = view(lambda *_: SSEResponse(events()), permission_classes=[Asks])
    restflow = {"RELEASE_AFTER": release_after}
    with Site({"x/": answer}, entry=OURS, workers=CountingWorkers(1), RESTFLOW=restflow) as site:
        asyncio.run(asyncio.wait_for(main(site), 30))


def test_one_in_a_transaction_keeps_its_thread() -> None:
    async def events() -> Any:
        async with atomic():
            for _ in range(3):
                await User.objects.acount()
                seen.append(await sync_to_async(lambda: (ident(), connection.in_atomic_block))())
                yield "x"
                await asyncio.sleep(0.02)

    async def main(site: Site) -> None:
        await asyncio.gather(*(site.asend("GET", "/x/") for _ in range(2)))

    seen: list[Any] = []
    with Site({"x/": async_view(lambda *_: SSEResponse(events()))}, entry=OURS, RESTFLOW={"RELEASE_AFTER": 0}) as site:
        asyncio.run(main(site))
    assert len(seen) == 6
    assert len({*seen}) == 2  # a thread each
    assert all(in_transaction for _, in_transaction in seen)
