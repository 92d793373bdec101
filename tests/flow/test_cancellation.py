"""A flow that is cancelled waits for the blocking step that has begun, begins no other, and is told at its await."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from restflow.flow import arun, blocking, call, hook
from tests.flow.support import (
    Boom,
    Places,
    Slow,
    Worker,
    add_one,
    as_far_as_the_thread,
    cancelled,
    here,
    is_cancelled_in,
)


def test_a_cancelled_request_closes_the_flow_after_the_blocking_step_that_had_begun(worker: Worker) -> None:
    log: list[str] = []
    slow = Slow(then=lambda: log.append("step done"))

    async def flow() -> None:
        try:
            await blocking(slow)
            log.append("went on")
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        finally:
            await hook(Places(), "sync")
            await hook(Places(), "coroutine")
            log.append("finally")

    worker.run(is_cancelled_in(slow, flow()))
    assert log == ["step done", "cancelled", "finally"]


def test_a_flow_cancelled_on_the_loop_is_told_at_its_await(worker: Worker) -> None:
    begun = threading.Event()
    log: list[str] = []

    class Steps:
        async def forever(self) -> None:
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                log.append("step closed")

    async def flow() -> None:
        try:
            await hook(Steps(), "forever")
        finally:
            await hook(Places(), "sync")
            log.append("finally")

    with pytest.raises(asyncio.CancelledError):
        worker.run(cancelled(arun(flow()), begun, None))
    assert log == ["step closed", "finally"]


def test_a_flow_that_ends_while_it_is_cancelled_does_not_hide_the_cancellation(worker: Worker) -> None:
    slow = Slow()

    async def flow() -> str:
        try:
            await blocking(slow)
        except asyncio.CancelledError:
            return "swallowed, as plain asyncio code may"
        return "done"

    assert worker.run(cancelled(arun(flow()), slow.begun, slow.release)) == "swallowed, as plain asyncio code may"


class After:
    """A step of each kind that must not begin once its flow was cancelled."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def sync(self) -> None:
        self.log.append("began")

    async def coroutine(self) -> None:
        self.log.append("began")


NEXT: dict[str, Callable[[After], Any]] = {
    "blocking": lambda after: blocking(after.sync),
    "call": lambda after: call(after.sync),
    "async call": lambda after: call(after.coroutine),
    "hook": lambda after: hook(after, "sync"),
    "async hook": lambda after: hook(after, "coroutine"),
}


@pytest.mark.parametrize("following", NEXT.values(), ids=NEXT)
def test_a_flow_cancelled_in_a_later_step_of_its_stretch_is_told_before_the_next_begins(
    following: Any, worker: Worker
) -> None:
    log: list[str] = []
    slow = Slow(then=lambda: log.append("slow done"))

    async def flow() -> None:
        await blocking(here)
        await blocking(slow)
        try:
            await following(After(log))
        finally:
            await hook(Places(), "sync")  # a flow that was told may still take steps
            log.append("finally")

    worker.run(is_cancelled_in(slow, flow()))
    assert log == ["slow done", "finally"]


def test_a_flow_that_ends_with_the_step_it_was_cancelled_in_is_cancelled(worker: Worker) -> None:
    log: list[str] = []
    slow = Slow()

    async def flow() -> str:
        await blocking(here)
        await blocking(slow)
        log.append("ended")
        return "done"

    worker.run(is_cancelled_in(slow, flow()))
    assert log == ["ended"]


async def cancelled_once_its_thread_is_done(flow: Coroutine[Any, Any, Any], worker: Worker) -> None:
    """Cancel a flow when its thread is done and the event loop has yet to hear of it."""
    task = asyncio.ensure_future(arun(flow))
    await as_far_as_the_thread()
    worker.executor.submit(here).result(10)  # the one worker is free again; the loop stood still meanwhile
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_flow_cancelled_between_its_last_step_and_the_loop_is_cancelled(worker: Worker) -> None:
    log: list[str] = []

    async def flow() -> str:
        await blocking(here)
        log.append("ended")
        return "done"

    worker.run(cancelled_once_its_thread_is_done(flow(), worker))
    assert log == ["ended"]


def test_a_flow_that_fails_between_its_last_step_and_the_cancellation_raises_its_own_error(worker: Worker) -> None:
    async def flow() -> None:
        await blocking(here)
        raise Boom

    async def main() -> None:
        with pytest.raises(Boom):
            await cancelled_once_its_thread_is_done(flow(), worker)

    worker.run(main())


@pytest.mark.parametrize("kind", ["hook", "returned"])
def test_an_async_step_that_was_reached_before_the_cancellation_never_begins(
    kind: str, worker: Worker, collect: Callable[[], int]
) -> None:
    log: list[str] = []

    async def flow() -> None:
        after = After(log)
        await blocking(here)
        try:
            # What a step returned is a coroutine already: left behind it would warn, and a warning fails the test.
            await (hook(after, "coroutine") if kind == "hook" else blocking(after.coroutine))
        finally:
            await hook(Places(), "sync")
            log.append("finally")

    worker.run(cancelled_once_its_thread_is_done(flow(), worker))
    collect()
    assert log == ["finally"]


def test_a_hop_that_is_cancelled_before_it_begins_never_runs(worker: Worker) -> None:
    first = Slow()
    log: list[str] = []

    async def flow() -> None:
        try:
            await blocking(log.append, "ran")
        finally:
            log.append("finally")

    async def main() -> None:
        holder = asyncio.ensure_future(sync_to_async(first)())
        assert await asyncio.to_thread(first.begun.wait, 10)
        task = asyncio.ensure_future(arun(flow()))
        await asyncio.sleep(0.01)
        task.cancel()
        # asgiref can't take back what waits for its thread.
        asyncio.get_running_loop().call_later(0.05, first.release.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        await holder

    worker.run(main())
    assert log == ["finally"]


@pytest.mark.parametrize("is_first", [True, False])
def test_a_coroutine_returned_by_a_step_of_a_cancelled_flow_is_closed(
    is_first: bool, worker: Worker, collect: Callable[[], int]
) -> None:
    slow = Slow(then=lambda: add_one(1))

    async def flow() -> None:
        if not is_first:
            await blocking(here)
        await blocking(slow)

    worker.run(is_cancelled_in(slow, flow()))
    collect()  # a coroutine left behind would warn, and a warning fails the test
