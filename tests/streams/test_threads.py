"""The threads of our entry that streams have: their own, or, if the project says so, none while they wait."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import AsyncExitStack
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connection, connections
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path
from rest_framework.permissions import BasePermission

from restflow.db import atomic
from restflow.responses import SSEResponse
from restflow.test import AsyncAPIClient
from tests.entry.support import changed, ident
from tests.site import OURS, CountingWorkers, Site
from tests.streams.support import Client, async_view, sync_view

pytestmark = pytest.mark.django_db(transaction=True)
LEAVE = {"STREAMS_LEAVE_THREADS": True}


class Asks(BasePermission):
    """Asks the database, and so needs a thread."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return not User.objects.filter(username="x").exists()


@pytest.mark.parametrize("view", [sync_view, async_view])
def test_a_thread_local_is_the_streams_to_its_end(view: Any) -> None:
    class Notes(BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            local.tenant = request.query_params["tenant"]
            return True

    async def events() -> Any:
        for _ in range(2):
            await asyncio.sleep(0.02)
            yield await sync_to_async(lambda: local.tenant)()

    async def main(site: Site) -> Any:
        return await asyncio.gather(*(site.asend("GET", f"/x/?tenant={number}") for number in range(4)))

    local = threading.local()
    answer = view(lambda *_: SSEResponse(events()), permission_classes=[Notes])
    with Site({"x/": answer}, entry=OURS, RESTFLOW={"RELEASE_AFTER": 0}) as site:
        answers = asyncio.run(main(site))
    assert [each.body for each in answers] == [f"data: {number}\n\n".encode() * 2 for number in range(4)]


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
    restflow = {**LEAVE, "RELEASE_AFTER": release_after}
    with Site({"x/": answer}, entry=OURS, workers=CountingWorkers(1), RESTFLOW=restflow) as site:
        asyncio.run(asyncio.wait_for(main(site), 30))


def test_one_that_has_no_thread_leaves_none() -> None:
    async def events() -> Any:
        for number in range(2):
            yield number
            await asyncio.sleep(0.01)

    async def main() -> list[Any]:
        return [event.data async for event in AsyncAPIClient().stream("/x/")]

    view = async_view(lambda *_: SSEResponse(events()))
    with override_settings(ROOT_URLCONF=(path("x/", view),), RESTFLOW={**LEAVE, "RELEASE_AFTER": 0}):
        assert asyncio.run(main()) == ["0", "1"]


def two_wait(view: Any, threads: int = 2) -> None:
    async def main(site: Site) -> None:
        await asyncio.gather(*(site.asend("GET", f"/x/?tenant={number}") for number in range(2)))

    restflow = {**LEAVE, "RELEASE_AFTER": 0}
    with Site({"x/": view}, entry=OURS, workers=CountingWorkers(threads), RESTFLOW=restflow) as site:
        asyncio.run(main(site))


def test_one_in_a_transaction_keeps_its_thread() -> None:
    async def events() -> Any:
        async with atomic():
            for _ in range(3):
                await User.objects.acount()
                seen.append(await sync_to_async(lambda: (ident(), connection.in_atomic_block))())
                yield "x"
                await asyncio.sleep(0.02)

    seen: list[Any] = []
    two_wait(async_view(lambda *_: SSEResponse(events())))
    assert len(seen) == 6
    assert len({*seen}) == 2  # a thread each
    assert all(in_transaction for _, in_transaction in seen)


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_one_whose_backend_keeps_more_than_a_connection_keeps_its_thread(postgres: str) -> None:
    class Notes(BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            connections[postgres].schema = request.query_params["tenant"]  # type: ignore[attr-defined]
            return True

    def answer(view: Any, request: Any) -> SSEResponse:
        async def events() -> Any:
            for _ in range(2):
                await asyncio.sleep(0.02)
                yield "x"
                of_thread = await sync_to_async(lambda: connections[postgres].schema)()  # type: ignore[attr-defined]
                seen.append((request.query_params["tenant"], of_thread))

        return SSEResponse(events())

    seen: list[Any] = []
    with changed(ENGINE="tests.entry.tenants"):
        two_wait(async_view(answer, permission_classes=[Notes]), threads=1)
    assert seen == [("0", "0"), ("0", "0"), ("1", "1"), ("1", "1")]


def test_where_too_many_wait_for_a_thread_a_stream_ends_with_an_error(caplog: pytest.LogCaptureFixture) -> None:
    async def events() -> Any:
        yield "first"
        await asyncio.to_thread(is_taken.wait, 10)
        yield await User.objects.acount()

    def take() -> None:
        is_taken.set()
        is_over.wait(10)

    async def busy(request: Any) -> HttpResponse:
        await sync_to_async(take)()
        return HttpResponse()

    async def main(site: Site) -> bytes:
        other = asyncio.create_task(site.asend("GET", "/busy/"))
        answer = await site.asend("GET", "/x/")
        is_over.set()
        await other
        return answer.body

    is_taken, is_over = threading.Event(), threading.Event()
    views = {"x/": async_view(lambda *_: SSEResponse(events())), "busy/": busy}
    with (
        Site(views, entry=OURS, workers=CountingWorkers(1, 0)) as site,
        caplog.at_level(logging.ERROR, "django.request"),
    ):
        first, error, _ = asyncio.run(main(site)).split(b"\n\n")
    assert first == b"data: first"
    assert error.startswith(b"event: error\n")
    assert caplog.messages == ["A stream failed: /x/"]
