"""An async hook that a blocking step asks for by its sync name is cancelled with the flow."""

from __future__ import annotations

import asyncio
import threading

import pytest
from asgiref.sync import sync_to_async

from restflow.flow import TwoColoured, arun, hook
from tests.flow.support import Slow, Worker, cancelled, here, is_cancelled_in, kept_for_the_request


@pytest.mark.parametrize("bridged_before", [0, 1, 3])
def test_an_async_hook_bridged_from_the_thread_is_cancelled(bridged_before: int, worker: Worker) -> None:
    """Regression: in asgiref 3.13 a bridge that used sync_to_async made a later one in the same hop miss it."""
    begun = threading.Event()
    log: list[str] = []

    class Steps(TwoColoured, hooks=("short", "long")):
        async def ashort(self) -> str:
            return await sync_to_async(here)()

        async def along(self) -> None:
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                log.append("hook closed")

        def sync(self) -> None:
            for _ in range(bridged_before):
                self.short()  # type: ignore[attr-defined]
            self.long()  # type: ignore[attr-defined]
            log.append("went on")

    async def flow() -> None:
        try:
            await hook(Steps(), "sync")
        finally:
            log.append("finally")

    with pytest.raises(asyncio.CancelledError):
        worker.run(cancelled(arun(flow()), begun, None))
    assert log == ["hook closed", "finally"]


class Catching(TwoColoured, hooks=("catch",)):
    """Its async hook catches what cancels it, as asyncio code may; a sync step asks for it, once or more."""

    def __init__(self, times: int = 1) -> None:
        self.times = times
        self.begun = [threading.Event() for _ in range(times)]
        self.caught: list[int] = []

    async def acatch(self, number: int) -> None:
        self.begun[number].set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.caught.append(number)

    def sync(self) -> str:
        for number in range(self.times):
            self.catch(number)  # type: ignore[attr-defined]
        return "went on"


async def cancelled_at_each(steps: Catching) -> str:
    async def flow() -> str:
        result: str = await hook(steps, "sync")
        return result

    task = asyncio.ensure_future(arun(flow()))
    for begun in steps.begun:
        assert await asyncio.to_thread(begun.wait, 10)
        task.cancel()
    return await task


def test_a_cancellation_that_a_bridged_hook_catches_is_over(worker: Worker) -> None:
    steps = Catching()
    assert worker.run(cancelled_at_each(steps)) == "went on"
    assert steps.caught == [0]


def test_each_bridged_hook_of_a_stretch_is_told_of_a_cancellation_of_its_own() -> None:
    steps = Catching(times=3)
    assert Worker(kept_for_the_request).run(cancelled_at_each(steps)) == "went on"
    assert steps.caught == [0, 1, 2]


def test_a_thread_that_ends_while_its_last_bridge_is_told_is_not_waited_for_again(worker: Worker) -> None:
    class Steps(Catching):
        async def acatch(self, number: int) -> None:
            task = asyncio.current_task()
            assert task is not None
            # The loop stands still until the thread is done: it comes to neither's news before both are there.
            task.add_done_callback(lambda _: worker.executor.submit(here).result(10))
            await super().acatch(number)

    assert worker.run(cancelled_at_each(Steps())) == "went on"


def test_a_bridge_asked_for_after_the_cancellation_is_refused(worker: Worker) -> None:
    slow, log = Slow(), []

    class Steps(TwoColoured, hooks=("ask",)):
        async def aask(self) -> None:
            log.append("asked")

        def sync(self) -> None:
            slow()
            self.ask()  # type: ignore[attr-defined]

    async def flow() -> None:
        await hook(Steps(), "sync")

    worker.run(is_cancelled_in(slow, flow()))
    assert log == []
