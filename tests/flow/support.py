"""The drivers of flows, steps that say where they run, and worker threads that are kept or shared."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async

from restflow.flow import arun, nonblocking, run
from tests.site import CountingExecutor

Driver = Callable[[Coroutine[Any, Any, Any]], Any]


def drive_in_loop(flow: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(arun(flow))


def drive_in_thread_of_loop(flow: Coroutine[Any, Any, Any]) -> Any:
    """The sync driver where it mostly runs: in the worker thread of a request."""

    async def main() -> Any:
        return await sync_to_async(run)(flow)

    return asyncio.run(main())


DRIVERS = {"run": run, "arun": drive_in_loop, "run in a worker thread": drive_in_thread_of_loop}


drivers = pytest.mark.parametrize("drive", DRIVERS.values(), ids=DRIVERS)


def counted(flow: Coroutine[Any, Any, Any]) -> tuple[Any, int]:
    """Drive a flow as a request does; return its result and its hops."""

    async def main() -> tuple[Any, int]:
        with CountingExecutor() as executor:
            async with ThreadSensitiveContext(executor=executor):
                return await arun(flow), executor.hops

    return asyncio.run(main())


def here() -> str:
    return threading.current_thread().name


def on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def add_one(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


def wrapped(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def bare_wrapper(function: Any) -> Any:
    """Wrap a function of any colour in a sync one that does not say what it wraps."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Places:
    def sync(self) -> str:
        return here()

    async def coroutine(self) -> str:
        return here()

    @nonblocking
    def pure(self) -> str:
        return here()

    @nonblocking(when=lambda self: False)
    def pure_at_times(self) -> str:
        return here()


class Boom(Exception):
    pass


@contextlib.asynccontextmanager
async def kept_for_the_request() -> AsyncIterator[Executor]:
    with ThreadPoolExecutor(max_workers=1) as executor:
        async with ThreadSensitiveContext(executor=executor):
            yield executor


@contextlib.asynccontextmanager
async def shared_by_all() -> AsyncIterator[Executor]:
    yield SyncToAsync.single_thread_executor


class Worker:
    """The worker thread of a test: one kept for the request, reached directly, or one that asgiref finds."""

    def __init__(self, opened: Callable[[], contextlib.AbstractAsyncContextManager[Executor]]) -> None:
        self.opened = opened

    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        async def inside() -> Any:
            async with self.opened() as self.executor:
                return await asyncio.wait_for(main, 20)

        return asyncio.run(inside())


class Slow:
    """A blocking step that stands in its thread until it is let go."""

    def __init__(self, *, then: Callable[[], Any] = here) -> None:
        self.begun, self.release = threading.Event(), threading.Event()
        self.then = then

    def __call__(self) -> Any:
        self.begun.set()
        self.release.wait(10)
        return self.then()


async def cancelled(driven: Coroutine[Any, Any, Any], begun: threading.Event, release: threading.Event | None) -> Any:
    """Cancel a flow that is driven when its step has begun; a blocking one is then let go. Return what it gives."""
    task = asyncio.ensure_future(driven)
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    if release is not None:
        await asyncio.sleep(0)
        task.cancel()  # twice: a second one must not break the wait for the thread
        await asyncio.sleep(0.01)
        release.set()
    return await task


async def is_cancelled_in(slow: Slow, flow: Coroutine[Any, Any, Any]) -> None:
    with pytest.raises(asyncio.CancelledError):
        await cancelled(arun(flow), slow.begun, slow.release)


async def as_far_as_the_thread() -> None:
    """Let a task that was just made go to its thread, by the loop's next turns."""
    for _ in range(3):
        await asyncio.sleep(0)
