"""A client that leaves at any stage: what waits is told, what blocks is waited for, and the thread is free again."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.http import HttpResponse
from django.utils.deprecation import MiddlewareMixin

from tests.entry import stack
from tests.entry.support import scope_of, talk
from tests.site import OURS, CountingWorkers, Site

told: list[str] = []
gate: Any = None


class Blocks(MiddlewareMixin):
    """Blocks in the hook that a test names, until the gate opens."""

    hook = ""

    def process_request(self, request: Any) -> None:
        self.block("process_request")

    def process_response(self, request: Any, response: Any) -> Any:
        self.block("process_response")
        return response

    def block(self, hook: str) -> None:
        told.append(hook)
        if self.hook == hook:
            gate.entered.set()
            assert gate.opened.wait(10)
            told.append("unblocked")


class Gate:
    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()


async def _left_at_the_gate(site: Site) -> list[Any]:
    leave, listening = asyncio.Event(), asyncio.Event()
    served = asyncio.create_task(talk(site, scope_of("/x/"), leave=leave, listening=listening))
    while not gate.entered.is_set():  # noqa: ASYNC110 - it is set in another thread
        await asyncio.sleep(0.001)
    await listening.wait()
    leave.set()
    for _ in range(5):
        await asyncio.sleep(0)
    gate.opened.set()
    messages = await served
    # The one thread there is serves the next request.
    gate.entered.clear()
    assert (await site.asend("GET", "/next/")).status == 200
    return messages


async def after(request: Any) -> HttpResponse:
    await sync_to_async(threading.get_ident)()
    return HttpResponse()


@pytest.mark.parametrize("hook", ["process_request", "process_response"])
@pytest.mark.parametrize("around", [[], [stack.sync_function], [stack.async_function], [stack.own_acall]])
@pytest.mark.parametrize("colour", ["view", "aview"])
def test_a_hook_that_has_begun_is_waited_for(
    hook: str, around: list[Any], colour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.plan.clear()
    told.clear()
    monkeypatch.setattr(Blocks, "hook", hook)
    monkeypatch.setitem(globals(), "gate", Gate())
    middleware = [*(stack.path_of(kind, 0) for kind in around), f"{__name__}.Blocks"]
    views = {"x/": stack.VIEWS[colour], "next/": after}
    with Site(views, entry=OURS, workers=CountingWorkers(1, 1), MIDDLEWARE=middleware) as site:
        messages = asyncio.run(_left_at_the_gate(site))
    assert messages == []
    assert told[: told.index("unblocked") + 1].count(hook) == 1


@pytest.mark.parametrize(
    "around", [[], [stack.hooks], [stack.sync_function], [stack.hooks, stack.own_call], [stack.async_function]]
)
def test_an_async_view_is_told_whatever_is_around_it(around: list[Any]) -> None:
    stack.plan.clear()
    seen: list[str] = []

    async def main() -> list[Any]:
        leave = asyncio.Event()

        async def view(request: Any) -> HttpResponse:
            leave.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise
            return HttpResponse("too late")

        middleware = [stack.path_of(kind, number) for number, kind in enumerate(around)]
        views = {"x/": view, "next/": after}
        with Site(views, entry=OURS, workers=CountingWorkers(1, 1), MIDDLEWARE=middleware) as site:
            messages = await talk(site, scope_of("/x/"), leave=leave)
            assert (await site.asend("GET", "/next/")).status == 200
        return messages

    assert asyncio.run(main()) == []
    assert seen == ["cancelled"]


def test_a_server_that_gives_up_the_request_frees_its_thread() -> None:
    async def main() -> None:
        waiting = asyncio.Event()

        async def view(request: Any) -> Any:
            await sync_to_async(threading.get_ident)()
            waiting.set()
            await asyncio.sleep(60)

        with Site({"x/": view, "next/": after}, entry=OURS, workers=CountingWorkers(1, 1)) as site:
            served = asyncio.create_task(talk(site, scope_of("/x/")))
            await waiting.wait()
            served.cancel()
            with pytest.raises(asyncio.CancelledError):
                await served
            assert (await site.asend("GET", "/next/")).status == 200

    asyncio.run(main())


@pytest.mark.parametrize("rounds", range(4))
def test_a_client_that_leaves_while_it_is_answered_cancels_nothing_that_comes_after(rounds: int) -> None:
    async def main() -> str:
        answer, leave, listening = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def view(request: Any) -> HttpResponse:
            await answer.wait()
            for _ in range(rounds):
                await asyncio.sleep(0)
            return HttpResponse()

        async def server() -> str:
            await talk(site, scope_of("/x/"), leave=leave, listening=listening)
            await asyncio.sleep(0)
            return "goes on"

        with Site({"x/": view}, entry=OURS) as site:
            served = asyncio.create_task(server())
            await listening.wait()
            leave.set()
            answer.set()
            return await served

    assert asyncio.run(main()) == "goes on"


def test_a_request_cancelled_in_its_thread_is_not_left_to_the_garbage_collector() -> None:
    requests: list[weakref.ref[Any]] = []

    async def main() -> None:
        leave, answered = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def view(request: Any) -> HttpResponse:
            requests.append(weakref.ref(request))
            loop.call_soon_threadsafe(leave.set)
            assert answered.wait(10)
            return HttpResponse()

        with Site({"x/": view, "next/": after}, entry=OURS, workers=CountingWorkers(1, 1)) as site:
            served = asyncio.create_task(talk(site, scope_of("/x/"), leave=leave))
            await leave.wait()
            await asyncio.sleep(0.02)
            answered.set()
            assert await served == []
            del served
            assert (await site.asend("GET", "/next/")).status == 200

    gc.disable()
    try:
        asyncio.run(main())
        assert [request() for request in requests] == [None]
    finally:
        gc.enable()


def test_a_server_that_gives_up_a_request_whose_client_left_is_told() -> None:
    async def main() -> None:
        leave, listening, told = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def view(request: Any) -> Any:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                told.set()
                await asyncio.sleep(60)  # it takes its time to clean up

        with Site({"x/": view}, entry=OURS) as site:
            served = asyncio.create_task(talk(site, scope_of("/x/"), leave=leave, listening=listening))
            await listening.wait()
            leave.set()
            await told.wait()
            served.cancel()
            with pytest.raises(asyncio.CancelledError):
                await served

    asyncio.run(main())
