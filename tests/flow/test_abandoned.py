"""A flow ends in order where its task is thrown away, its loop ends, or its worker thread is gone."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.thread import BrokenThreadPool

import pytest
from asgiref.sync import ThreadSensitiveContext

from restflow.flow import arun, blocking, hook
from restflow.flow import thread as flow_thread
from tests.flow.support import Boom, Slow, Worker, as_far_as_the_thread, here
from tests.site import CountingExecutor


def test_a_flow_thrown_away_is_closed(worker: Worker) -> None:
    log: list[str] = []

    class Steps:
        async def forever(self) -> None:
            await asyncio.sleep(60)

    async def flow() -> None:
        try:
            await hook(Steps(), "forever")
        finally:
            log.append("finally")

    async def main() -> None:
        driven = arun(flow())
        driven.send(None)
        driven.close()

    worker.run(main())
    assert log == ["finally"]


def test_a_flow_thrown_away_in_its_thread_ends_there() -> None:
    slow, ended = Slow(), threading.Event()
    log: list[str] = []
    loops = threading.current_thread()

    async def flow() -> None:
        try:
            await blocking(slow)
            log.append("went on")
        finally:
            log.append("ended here" if threading.current_thread() is loops else "ended there")
            ended.set()

    async def main() -> None:
        driven = arun(flow())
        driven.send(None)
        assert await asyncio.to_thread(slow.begun.wait, 10)
        driven.close()
        slow.release.set()
        assert await asyncio.to_thread(ended.wait, 10)

    asyncio.run(main())
    assert log == ["ended there"]


def test_a_flow_thrown_away_while_it_waits_for_its_thread_never_runs_there() -> None:
    log: list[str] = []

    async def flow() -> None:
        try:
            await blocking(log.append, "ran")
        finally:
            log.append("finally")

    async def main() -> None:
        release = threading.Event()
        with CountingExecutor() as executor:
            async with ThreadSensitiveContext(executor=executor):
                executor.submit(release.wait, 10)
                driven = arun(flow())
                driven.send(None)
                driven.close()
                assert log == ["finally"]
                release.set()
                executor.submit(here).result(10)  # its turn has come and gone

    asyncio.run(main())
    assert log == ["finally"]


@pytest.mark.parametrize("known", [True, False])
def test_a_loop_that_ends_waits_for_the_blocking_step_that_has_begun(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_thread, "KNOWN", known)
    begun, log = threading.Event(), []

    def slow() -> None:
        begun.set()
        time.sleep(0.05)
        log.append("step done")

    async def flow() -> None:
        try:
            await blocking(slow)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    async def main() -> None:
        asyncio.ensure_future(arun(flow()))  # noqa: RUF006 - the loop's end is what this is about
        assert await asyncio.to_thread(begun.wait, 10)

    asyncio.run(main())
    assert log == ["step done", "cancelled"]


def test_a_trip_whose_executor_is_shut_down_is_cancelled() -> None:
    gate, log = threading.Event(), []

    async def flow() -> None:
        try:
            await blocking(log.append, "ran")
        finally:
            log.append("finally")

    async def main() -> None:
        executor = ThreadPoolExecutor(max_workers=1)
        executor.submit(gate.wait, 10)
        async with ThreadSensitiveContext(executor=executor):
            task = asyncio.ensure_future(arun(flow()))
            await as_far_as_the_thread()
            executor.shutdown(wait=False, cancel_futures=True)
            gate.set()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, 10)

    asyncio.run(main())
    assert log == ["finally"]


def test_a_trip_whose_thread_can_not_be_started_fails() -> None:
    def broken() -> None:
        raise Boom

    async def flow() -> None:
        await blocking(here)

    async def main() -> None:
        async with ThreadSensitiveContext(executor=ThreadPoolExecutor(max_workers=1, initializer=broken)):
            await asyncio.wait_for(arun(flow()), 10)

    with pytest.raises(BrokenThreadPool):
        asyncio.run(main())


def test_without_a_worker_the_flow_is_told() -> None:
    async def flow() -> str:
        try:
            await blocking(here)
        except RuntimeError as error:
            return str(error)
        return "ran"

    async def main() -> str:
        executor = CountingExecutor()
        executor.shutdown()
        async with ThreadSensitiveContext(executor=executor):
            return await arun(flow())

    assert "shutdown" in asyncio.run(main())
