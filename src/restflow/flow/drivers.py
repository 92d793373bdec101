"""The two drivers of a flow, and the trips of a flow between the event loop and the worker thread.

A flow changes threads only here. Whether a call needs that, or is made in place, ``flow/steps.py`` decides, by what
``flow/natures.py`` says of the function. ``flow/thread.py`` chooses the thread.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Generic, TypeVar

from asgiref.sync import SyncToAsync, async_to_sync, iscoroutinefunction, markcoroutinefunction

from restflow.flow import thread
from restflow.flow.functions import MARKED
from restflow.flow.lease import waiting_for_the_loop
from restflow.flow.pool import Overloaded, in_any_thread
from restflow.flow.steps import Driver, Step, blocking, drop, here, is_awaitable, settle

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
    """Mark a plain function as a coroutine function, for Django and for ``inspect``."""
    if sys.version_info < (3, 12):  # pragma: no cover - Python 3.11, where `inspect` goes by the code alone
        made: Any = function
        made.__code__ = made.__code__.replace(co_flags=made.__code__.co_flags | MARKED)
    return markcoroutinefunction(function)


def is_marked_async(function: Any) -> bool:
    """Tell whether Django treats ``function`` as async, because of its code or of a mark."""
    # asgiref's, although deprecated: on Python 3.11, `inspect` does not see the mark.
    return iscoroutinefunction(function)  # pyright: ignore[reportDeprecated]


class _End(Generic[_R]):
    """The end of a flow, and its result."""

    __slots__ = ("value",)

    def __init__(self, value: _R) -> None:
        self.value = value


def _advance(
    flow: Coroutine[Any, Any, _R], value: Any, error: BaseException | None, driver: Driver | None
) -> Step | _End[_R]:
    """Resume ``flow`` with a step's value or error, and run it to its next step or its end.

    Under a ``driver``, the flow calls sync steps directly instead of yielding them.
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
        del error  # a traceback may keep this frame, and an exception that refers to itself leaks
    return step


def _foreign(flow: Coroutine[Any, Any, Any], awaited: object) -> RuntimeError:
    name = getattr(flow, "__qualname__", repr(flow))
    return RuntimeError(
        f"The flow {name} awaited {awaited!r}. A flow awaits steps (hook, call, blocking, attribute) and other flows "
        f"only: put asyncio code into an async hook, which runs on the event loop."
    )


_SYNC = Driver()


def run(flow: Coroutine[Any, Any, _R], *, refusal: str = "") -> _R:
    """Run ``flow`` to its result in the current thread: the sync driver.

    An async step is sent to the request's event loop, or to one created for it, and waited for.

    Args:
        flow: the coroutine of a flow.
        refusal: if given and an event loop runs in this thread, a step that may block raises this message.

    Returns:
        The flow's result.

    Raises:
        RuntimeError: an async step while an event loop runs in this thread, ``refusal``, or the flow awaited anything
            but a step.
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
    try:
        if step.for_sync_awaits:
            return _bridge(step)
        value = step.call(step.for_sync)
        return _bridge(step.settling(value)) if is_awaitable(value) else value
    finally:
        step.handled = None


def _bridge(step: Step) -> Any:
    """Run an async step on the event loop, and wait for it in this thread."""
    if on_loop():
        name = getattr(step.for_sync, "__qualname__", repr(step.for_sync))
        raise RuntimeError(
            f"Sync code on the event loop asked for {name}, which is async: the loop would wait for itself. Await the "
            f"async twin (the name with an 'a' before it) instead."
        )
    hop: _Hop[Any] | None = getattr(_this_thread, "hop", None)  # None if no `arun` has sent a flow to this thread
    # asgiref finds the tasks to cancel through `task_context`. In asgiref 3.13 a nested trip to a thread overwrites it,
    # and a later task would not be cancelled: so it is put back.
    context = getattr(SyncToAsync.threadlocal, "task_context", None)

    async def take() -> Any:  # on the loop, called below
        if hop is not None and hop.cancellation is not None:
            raise asyncio.CancelledError
        if in_turn is not None:
            thread.call_by(in_turn)
        return await _awaited(step.awaited(step.for_sync))

    try:
        with waiting_for_the_loop() as in_turn:
            return async_to_sync(take)()
    finally:
        SyncToAsync.threadlocal.task_context = context


async def _awaited(value: Any) -> Any:
    while is_awaitable(value):
        value = await value
    return value


async def arun(flow: Coroutine[Any, Any, _R]) -> _R:
    """Run ``flow`` to its result from the event loop: the async driver.

    Args:
        flow: the coroutine of a flow.

    Returns:
        The flow's result.

    Raises:
        RuntimeError: the flow awaited anything but a step.
        asyncio.CancelledError: the task was cancelled. This is raised at the flow's ``await``; a blocking step that has
            begun can't be stopped and is waited for.
        BaseException: whatever the flow raised.
    """
    hop: _Hop[_R] | None = None
    try:
        reached = _advance(flow, None, None, None)
        while not isinstance(reached, _End):
            if not reached.for_async_awaits:
                hop = _Hop(flow, reached)
                reached = await hop.go()
                hop = None
                continue
            value = error = None
            try:
                value = await reached.awaited(reached.for_async)
                if is_awaitable(value):
                    value = await _awaited(value)
            except GeneratorExit:
                raise
            except BaseException as raised:
                error = raised
            reached.handled = None
            try:
                reached = _advance(flow, value, error, None)
            finally:
                del error
        return reached.value
    finally:
        # A task may be destroyed without being cancelled. A thread that still drives the flow then closes it itself.
        if hop is None or not hop.is_away:
            flow.close()
        del hop  # its exception refers to this frame


async def without_fail(function: Callable[[], _R]) -> _R:
    """Call a function that must run: in the request's thread or, if the pool is full, in a thread outside it."""
    try:
        return await arun(blocking(function))
    except Overloaded:
        return await in_any_thread(function)


_this_thread = threading.local()
_NO_EXCEPTION = (None, None, None)  # what asgiref passes to its threads; here each step has its own


class _Hop(Driver, Generic[_R]):
    """One stretch of a flow in the worker thread, from a blocking step to the flow's end or its next async step.

    The task waits until the thread has finished, even if it is cancelled: a blocking step that has begun can't be
    stopped, and the thread may be running in the task's own context.

    On the loop, ``go`` waits for ``away``; ``set_out`` submits ``drive`` to the thread; ``leave`` ends the wait. A
    cancellation meanwhile is noted in ``cancellation``; ``cancelled`` is true from then until the flow is told of it.

    Attributes:
        reached: the flow's end, or the async step at which it left the thread; None while it is there.
        error: what the flow raised in the thread.
        cancellation: the error to raise in the flow: the task was cancelled, or the pool refused the job.
        began: whether the thread has begun to drive the flow.
        told: whether the flow knows of the cancellation.
        job: the call that was submitted to the executor; None if asgiref chooses the thread.
        helper: the task that waits for asgiref in that case, kept here so that it is not collected.
        bridges: the tasks for which the thread waits on the loop; asgiref fills it.
    """

    prefers_async = True

    reached: Step | _End[_R] | None = None
    error: BaseException | None = None
    cancellation: BaseException | None = None
    began = False
    told = False
    job: Future[None] | None = None
    helper: asyncio.Task[None] | None = None

    def __init__(self, flow: Coroutine[Any, Any, _R], step: Step) -> None:
        self.flow = flow
        self.step = step
        self.bridges: list[asyncio.Task[Any]] = []
        self.loop = asyncio.get_running_loop()
        self.away = _Away(self)
        self.executor = thread.executor(self.loop)
        self.context = thread.context_for(self.executor)

    @property
    def is_away(self) -> bool:
        """Whether the thread drives the flow."""
        return self.began and self.reached is None and self.error is None

    # On the event loop.

    async def go(self) -> Step | _End[_R]:
        """Go to the thread and return what the flow has reached, or raise what the flow raised."""
        # Two threads can't be in one context: the loop has left the task's by the time it calls this.
        self.loop.call_soon(self.set_out)
        try:
            await self.away
        except GeneratorExit:
            self.cancel()
            raise
        self.job, self.began, self.step.handled = None, False, None
        del self.away  # break the reference cycles, so that all of this is freed without the garbage collector
        thread.come_back(self.context)
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
            if self.reached is None:  # the thread never started the flow
                return _advance(self.flow, None, self.cancellation or asyncio.CancelledError(), None)
            if self.cancellation is not None and not self.told:  # cancelled after the thread last checked
                if isinstance(self.reached, _End):
                    raise self.cancellation
                drop(self.reached)
                return _advance(self.flow, None, self.cancellation, None)
        finally:
            self.cancellation = None
            del error  # as in _advance
        return self.reached

    def set_out(self) -> None:
        """Submit the flow to the thread."""
        try:
            if self.cancellation is not None:
                self.arrive()
            elif self.executor is None:
                self.helper = self.loop.create_task(self.by_asgiref(), context=self.context)
            else:
                handler, drive = _to_thread.thread_handler, self.context.run
                self.job = self.executor.submit(handler, self.loop, _NO_EXCEPTION, self.bridges, drive, self.drive)
                self.job.add_done_callback(self.leave)
        except BaseException as refusal:
            self.cancellation = refusal
            self.arrive()

    async def by_asgiref(self) -> None:
        """Let asgiref choose the thread, and drive the flow there."""
        try:
            await _to_thread(self)
        except BaseException as refusal:
            self.cancellation = refusal
            # A loop that shuts down cancels this task too, and asgiref stops waiting for its thread: wait here instead.
            while self.is_away:
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.001)
        self.arrive()

    def arrive(self) -> None:
        """Wake the task."""
        self.away.set_result(None)

    def cancel(self, *message: Any) -> None:
        """Cancel the flow at its next step or, if the thread waits for something on the loop, cancel that."""
        if self.bridges:
            self.bridges[0].cancel()
            return
        self.cancellation, self.cancelled = asyncio.CancelledError(*message), True
        if self.job is not None:
            self.job.cancel()

    # In the worker thread.

    def leave(self, job: Future[None]) -> None:
        """Wake the task once the thread has left the context."""
        if self.reached is None and self.error is None:  # the flow was never started
            self.cancellation = self.cancellation or (asyncio.CancelledError() if job.cancelled() else job.exception())
        self.loop.call_soon_threadsafe(self.arrive)

    def drive(self) -> None:
        """Drive the flow; never raise."""
        self.began = True
        if self.cancellation is not None:
            self.began = False
            return
        outer, _this_thread.hop = getattr(_this_thread, "hop", None), self
        try:
            thread.restore(self.context)  # asgiref's Locals are stored in the context
            self.reached = self._drive(self.step)
        except BaseException as error:
            self.error = error
        finally:
            _this_thread.hop = outer

    def _drive(self, step: Step) -> Step | _End[_R]:
        while True:
            value: Any = None
            error: BaseException | None = None
            try:
                value = step.call(step.for_async)
            except BaseException as raised:
                error = raised
            if is_awaitable(value) and not self.cancelled:
                return step.settling(value)
            step.handled = None
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
        try:
            reached = _advance(self.flow, value, error, self)
        finally:
            del error  # as in _advance
        if self.cancelled and not isinstance(reached, _End):  # cancelled between two steps; the next has not begun
            drop(reached)
            return self._resume(None, None)
        return reached


class _Away(asyncio.Future[None]):
    """The future that a task awaits while a thread drives its flow; cancelling it only notifies the hop."""

    def __init__(self, hop: _Hop[Any]) -> None:
        super().__init__(loop=hop.loop)
        self.hop = hop

    def cancel(self, msg: Any = None) -> bool:
        """Pass the cancellation to the hop; the task wakes when the thread has finished."""
        self.hop.cancel(*([] if msg is None else [msg]))
        return True


@SyncToAsync
def _to_thread(hop: _Hop[Any]) -> None:
    hop.bridges = SyncToAsync.threadlocal.task_context
    hop.drive()
