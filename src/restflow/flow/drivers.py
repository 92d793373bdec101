"""The two drivers of a flow."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from typing import Any, Generic, TypeVar

from asgiref.sync import AsyncToSync, SyncToAsync, async_to_sync, iscoroutinefunction, markcoroutinefunction

from restflow.flow import worker
from restflow.flow.functions import MARKED
from restflow.flow.steps import Driver, Step, drop, here, is_awaitable, settle

_R = TypeVar("_R")
_F = TypeVar("_F", bound=Callable[..., Any])


def on_loop() -> bool:
    """Tell whether an event loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def marked_async(function: _F) -> _F:
    """Mark a plain function as one whose result is to be awaited, for Django and for ``inspect``."""
    if sys.version_info < (3, 12):  # pragma: no cover - Python 3.11, where `inspect` goes by the code alone
        made: Any = function
        made.__code__ = made.__code__.replace(co_flags=made.__code__.co_flags | MARKED)
    return markcoroutinefunction(function)


def is_marked_async(function: Any) -> bool:
    """Tell whether Django takes ``function`` for async: by its code, or by a mark."""
    # Deprecated for the one in `inspect`, which on Python 3.11 does not see the mark.
    return iscoroutinefunction(function)  # pyright: ignore[reportDeprecated]


class _End(Generic[_R]):
    """The end of a flow, and its result."""

    __slots__ = ("value",)

    def __init__(self, value: _R) -> None:
        self.value = value


def _advance(
    flow: Coroutine[Any, Any, _R], value: Any, error: BaseException | None, driver: Driver | None
) -> Step | _End[_R]:
    """Resume ``flow`` with a step's value or error, as far as its next step or its end.

    Under a ``driver``, sync steps are taken by the flow on the spot.
    """
    outer, here.driver = here.driver, driver
    try:
        step = flow.send(value) if error is None else flow.throw(error)
        while type(step) is not Step:
            step = flow.throw(_foreign(flow, step))
    except StopIteration as stop:
        return _End(stop.value)
    finally:
        here.driver = outer
        del error  # this frame outlives the call where a traceback holds the flow's: no exception may hold itself
    return step


def _foreign(flow: Coroutine[Any, Any, Any], awaited: object) -> RuntimeError:
    name = getattr(flow, "__qualname__", repr(flow))
    return RuntimeError(
        f"The flow {name} awaited {awaited!r}. A flow awaits steps (hook, call, blocking, attribute) and other flows "
        f"only: put asyncio code into an async hook, which runs on the event loop."
    )


_SYNC = Driver()


def run(flow: Coroutine[Any, Any, _R], *, refusal: str = "") -> _R:
    """Drive ``flow`` here, to its result: the sync driver.

    An async step is sent to the event loop of the request, or to one of its own, and waited for.

    Args:
        flow: the coroutine of a flow.
        refusal: where given, a step that may block is refused with this message while an event loop runs here.

    Returns:
        The flow's result.

    Raises:
        RuntimeError: an async step while an event loop runs in this thread, a refusal, or anything but a step awaited.
        BaseException: whatever the flow raised.
    """
    value: Any = None
    error: BaseException | None = None
    driver = None if refusal and on_loop() else _SYNC
    try:
        while True:
            reached = _advance(flow, value, error, driver)
            if isinstance(reached, _End):
                return reached.value
            value = error = None
            if driver is None:
                flow.close()
                raise RuntimeError(refusal)
            try:
                value = _take(reached)
            except BaseException as raised:
                error = raised
    finally:
        del error  # as in _advance


def _take(step: Step) -> Any:
    if step.for_sync_awaits:
        return _bridge(step)
    value = step.for_sync(*step.args, **step.kwargs)
    return _bridge(settle(value)) if is_awaitable(value) else value


def _bridge(step: Step) -> Any:
    """Take an async step from a thread: to the event loop and back."""
    if on_loop():
        name = getattr(step.for_sync, "__qualname__", repr(step.for_sync))
        raise RuntimeError(
            f"Sync code on the event loop asked for {name}, which is async: the loop would wait for itself. Await the "
            f"async twin (the name with an 'a' before it) instead."
        )
    hop: _Hop[Any] | None = getattr(_thread, "hop", None)
    # By its task context asgiref finds what to cancel. A bridge that itself goes to a thread (asgiref 3.13) leaves
    # another's there, and a later one would be missed.
    context = getattr(SyncToAsync.threadlocal, "task_context", None)

    async def take() -> Any:
        if hop is not None and hop.cancellation is not None:
            raise asyncio.CancelledError
        return await _awaited(step.for_sync(*step.args, **step.kwargs))

    try:
        return async_to_sync(take)()
    finally:
        SyncToAsync.threadlocal.task_context = context


async def _awaited(value: Any) -> Any:
    while is_awaitable(value):
        value = await value
    return value


async def arun(flow: Coroutine[Any, Any, _R]) -> _R:
    """Drive ``flow`` from the event loop: the async driver.

    Args:
        flow: the coroutine of a flow.

    Returns:
        The flow's result.

    Raises:
        RuntimeError: anything but a step was awaited in the flow.
        asyncio.CancelledError: the task was cancelled. The flow is told at its ``await``; a blocking step that has
            begun can't be stopped and is waited for.
        BaseException: whatever the flow raised.
    """
    try:
        reached = _advance(flow, None, None, None)
        while not isinstance(reached, _End):
            if not reached.for_async_awaits:
                reached = await _Hop(flow, reached).go()
                continue
            value = error = None
            try:
                value = await reached.for_async(*reached.args, **reached.kwargs)
                if is_awaitable(value):
                    value = await _awaited(value)
            except GeneratorExit:
                raise
            except BaseException as raised:
                error = raised
            try:
                reached = _advance(flow, value, error, None)
            finally:
                del error
        return reached.value
    finally:
        # A worker thread may still drive the flow of a task that was not cancelled but thrown away; it ends it.
        if not getattr(flow, "cr_running", False):
            flow.close()


_thread = threading.local()


class _Hop(Driver, Generic[_R]):
    """One stretch of a flow in the worker thread, from a blocking step to the flow's end or its next async step."""

    prefers_async = True

    reached: Step | _End[_R] | None = None
    error: BaseException | None = None
    began = finished = told = False
    cancellation: BaseException | None = None
    executor: Any = None
    waiter: asyncio.Future[None] | None = None
    context: Context | None = None
    job: Future[None] | None = None

    def __init__(self, flow: Coroutine[Any, Any, _R], step: Step) -> None:
        self.flow = flow
        self.step = step
        self.bridges: list[asyncio.Task[Any]] = []
        self.lock = threading.Lock()

    # On the event loop.

    async def go(self) -> Step | _End[_R]:
        """Go to the thread and come back with what the flow has reached; raise what the flow raised."""
        loop = asyncio.get_running_loop()
        executor = worker.executor()
        try:
            if executor is None:
                await _in_thread(self, loop)
            elif (context := worker.context_of_its_own(executor)) is not None:
                await self._lent(executor, loop, context)
            else:
                await self._submitted(executor, loop)
        except GeneratorExit:
            self.cancellation, self.cancelled = asyncio.CancelledError(), True
            raise
        except BaseException as raised:  # cancelled, or no worker to be had
            if not await self._wait(raised):
                return _advance(self.flow, None, raised, None)
        if self.context is not None:
            worker.restore(self.context)
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # as in _advance
        assert self.reached is not None
        if self.cancellation is not None and not self.told:  # it came after the thread's last look
            if isinstance(self.reached, _End):
                raise self.cancellation
            drop(self.reached)
            return _advance(self.flow, None, self.cancellation, None)
        return self.reached

    async def _submitted(self, executor: Executor, loop: asyncio.AbstractEventLoop) -> None:
        """Go to the thread as asgiref does, which waits by two futures more, and so for two more turns of the loop."""
        self.context = context = copy_context()
        bridges = self.bridges
        self.waiter = loop.create_future()
        job = executor.submit(_in_thread.thread_handler, loop, sys.exc_info(), bridges, context.run, self.drive, loop)
        job.add_done_callback(partial(self._ended, loop))
        while True:
            try:
                await self.waiter
            except asyncio.CancelledError:
                if not bridges:
                    job.cancel()
                    raise
                # What the thread waits for on the loop is told; by that the flow is, or it was caught there.
                bridges[0].cancel()
                await bridges[0]
                with self.lock:
                    if self.finished:
                        return
                    self.waiter = loop.create_future()
            else:
                if not self.finished:
                    if job.cancelled():
                        raise asyncio.CancelledError
                    job.result()
                return

    async def _lent(self, executor: Executor, loop: asyncio.AbstractEventLoop, context: Context) -> None:
        """Go to the thread in the task's own context, which the loop has left by the time it calls `_set_out`."""
        self.context = context
        away = _Away(self, loop)
        loop.call_soon(self._set_out, executor, loop, away, sys.exc_info())
        await away
        if not self.finished and self.cancellation is not None:
            raise self.cancellation
        if not self.finished:  # pragma: no cover - the thread could not enter the context, which only a fault here does
            assert self.job is not None
            self.job.result()  # raises that

    def _set_out(self, executor: Executor, loop: asyncio.AbstractEventLoop, away: _Away, exc_info: Any) -> None:
        assert self.context is not None
        if self.cancelled:
            away.set_result(None)
            return
        try:
            handler, drive = _in_thread.thread_handler, self.context.run
            self.job = executor.submit(handler, loop, exc_info, self.bridges, drive, self.drive, loop)
        except BaseException as refusal:
            self.cancellation = refusal
            away.set_result(None)
        else:
            self.job.add_done_callback(lambda job: loop.call_soon_threadsafe(_arrive, away))

    async def _wait(self, cancellation: BaseException) -> bool:
        """Tell the thread of the cancellation and wait for it to come to an end; False if it never began."""
        waiter = asyncio.get_running_loop().create_future()
        with self.lock:
            self.cancellation = cancellation
            self.cancelled = True
            if not self.began:
                return False
            if self.finished:
                return True
            self.waiter = waiter
        while not waiter.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(waiter)
        # asgiref took over the thread's context while it was still in a bridge, with that bridge's executor in it.
        AsyncToSync.executors.current = self.executor
        return True

    # In the worker thread.

    def _ended(self, loop: asyncio.AbstractEventLoop, job: Future[None]) -> None:
        """Come back from a trip that was not made: the executor was shut down, or has no thread to run it."""
        if not self.finished:
            loop.call_soon_threadsafe(_arrive, self.waiter)

    def drive(self, loop: asyncio.AbstractEventLoop) -> None:
        """Drive the flow; never raises."""
        with self.lock:
            if self.cancellation is not None:
                return
            self.began = True
        outer, _thread.hop = getattr(_thread, "hop", None), self
        try:
            if self.context is not None:
                worker.restore(self.context)  # asgiref's own storage in it becomes this thread's
            self.executor = getattr(AsyncToSync.executors, "current", None)
            self.reached = self._drive(self.step)
        except BaseException as error:
            self.error = error
        finally:
            _thread.hop = outer
            with self.lock:
                self.finished = True
                if self.waiter is not None:
                    loop.call_soon_threadsafe(_arrive, self.waiter)

    def _drive(self, step: Step) -> Step | _End[_R]:
        while True:
            value: Any = None
            error: BaseException | None = None
            try:
                value = step.for_async(*step.args, **step.kwargs)
            except BaseException as raised:
                error = raised
            if is_awaitable(value) and not self.cancelled:
                return settle(value)
            try:
                reached = self._resume(value, error)
            finally:
                del error
            if isinstance(reached, _End) or reached.for_async_awaits:
                return reached
            step = reached

    def _resume(self, value: Any, error: BaseException | None) -> Step | _End[_R]:
        if self.cancelled:
            self.told, error = True, self.cancellation
            self.cancelled = False
            if is_awaitable(value):
                drop(settle(value))
        reached = _advance(self.flow, value, error, self)
        if self.cancelled and not isinstance(reached, _End):  # it came between two steps; this one has not begun
            drop(reached)
            return self._resume(None, None)
        return reached


class _Away(asyncio.Future[None]):
    """What a task waits for while a thread is in its context, into which the loop must not come before the thread left.

    So it is never cancelled: that is noted, and told by the hop when the thread has left.
    """

    def __init__(self, hop: _Hop[Any], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.hop = hop

    def cancel(self, msg: Any = None) -> bool:
        """Tell the thread, or what the thread waits for on the loop; the task is awakened when the thread has left."""
        hop = self.hop
        if hop.bridges:
            hop.bridges[0].cancel()
            return True
        with hop.lock:
            hop.cancellation, hop.cancelled = asyncio.CancelledError(*([] if msg is None else [msg])), True
        if hop.job is not None:
            hop.job.cancel()
        return True


def _arrive(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


_in_thread = SyncToAsync(_Hop.drive)
