"""Drives async generators for streams: in a task of their own, or step by step from sync code.

Creates tasks, and a thread where no event loop runs. Used by ``restflow.streams``.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import aclosing
from contextvars import copy_context
from typing import Any, Final, Generic, ParamSpec, Protocol, TypeVar

from asgiref.current_thread_executor import CurrentThreadExecutor
from asgiref.sync import ThreadSensitiveContext

from restflow.flow import thread

_P = ParamSpec("_P")
_R = TypeVar("_R")
_V = TypeVar("_V")


class _Nothing(enum.Enum):
    LATE = "LATE"
    END = "END"


LATE: Final = _Nothing.LATE
"""Returned instead of a value: there is none yet."""
END: Final = _Nothing.END
"""Returned instead of a value: there are no more."""

_BEGUN = "_restflow_begun"
_GRACE = 5.0  # seconds that a closed generator gets to finish


class Producer(Generic[_V]):
    """Runs an async generator in one task, value by value: when it is called, and no further than the next value.

    One task from beginning to end, so that what the generator has open around a ``yield`` (``asyncio.timeout``, a task
    group) stays in the task that opened it. A caller may stop waiting, and call again later.

    Args:
        values: the generator; it is closed in its task.
    """

    def __init__(self, values: AsyncGenerator[_V, None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()
        self._wanted: asyncio.Future[None] = self._loop.create_future()
        self._given: asyncio.Future[_V | _Nothing] | None = None
        self._is_closed = False
        self._task = self._loop.create_task(self._produce(values), context=self._context)
        self._task.add_done_callback(self._end)

    async def _produce(self, values: AsyncGenerator[_V, None]) -> None:
        async with aclosing(values):
            await self._wanted
            async for value in values:
                if self._is_closed:  # the generator swallowed its cancellation
                    break
                self._wanted = self._loop.create_future()
                self._give(value)
                await self._wanted

    def _give(self, value: _V | _Nothing) -> None:
        if self._given is not None and not self._given.done():
            self._given.set_result(value)

    def _end(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():  # by what it awaited, unless it was closed: its values are not at their end
            error: BaseException | None = RuntimeError("What a stream's generator awaited was cancelled.")
        else:
            error = task.exception()
        if error is not None and not self._is_closed and self._given is not None:
            self._given.set_exception(error)
            self._given.exception()  # whoever waits for it may be cancelled too, and nobody else is to be told
        self._give(END)

    async def next(self, seconds: float | None = None) -> _V | _Nothing:
        """Return the next value.

        Args:
            seconds: how long to wait for it.

        Returns:
            The value, ``END``, or ``LATE`` if there is none in that time: the next call goes on waiting for it.

        Raises:
            BaseException: what the generator raised.
        """
        if self._given is None:
            if self._task.done():
                return END
            self._given = self._loop.create_future()
            self._wanted.set_result(None)
        done, _ = await asyncio.wait([self._given], timeout=seconds)
        if not done:
            return LATE
        given, self._given = self._given, None
        return given.result()

    def leave_thread(self) -> None:
        """Stop sending the generator's sync code to the thread that waited for this event loop: it no longer waits."""
        self._context.run(thread.leave_waiting)

    async def aclose(self) -> None:
        """Close the generator, wherever it is, and wait until it has ended.

        Raises:
            TimeoutError: it does not end.
            Exception: what it raised while it was closed.
        """
        was_closed, self._is_closed = self._is_closed, True
        if self._task.done():
            return
        if not was_closed:  # a second cancellation would cut the generator's own end short
            self._task.cancel()
        done, _ = await asyncio.wait([self._task], timeout=_GRACE)
        if not done:
            raise TimeoutError("A stream's generator does not end, though it was closed.")
        if not self._task.cancelled() and (error := self._task.exception()) is not None:
            raise error

    def close(self) -> None:
        """Close the generator, from any thread, without waiting for it."""
        was_closed, self._is_closed = self._is_closed, True
        if not (was_closed or self._task.done() or self._loop.is_closed()):
            self._loop.call_soon_threadsafe(self._task.cancel)


class _Caller(Executor):
    """Runs the calls that are submitted to it in the thread that waits in ``until``."""

    _waiting: CurrentThreadExecutor

    def submit(self, function: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        return self._waiting.submit(function, *args, **kwargs)

    def until(self, begin: Callable[[], Future[_R]]) -> _R:
        self._waiting = CurrentThreadExecutor(None)
        done = begin()
        self._waiting.run_until_future(done)
        return done.result()


def iterated(make: Callable[[], AsyncGenerator[_V, None]]) -> Generator[_V, None, None]:
    """Iterate over an async generator from sync code, on an event loop that runs only while a value is waited for.

    The loop has a thread of its own. The generator's sync code runs in the thread that iterates, which has Django's
    database connections.

    Args:
        make: returns the generator.
    """
    caller, runner, context = _Caller(), asyncio.Runner(), copy_context()
    with ThreadPoolExecutor(1, thread_name_prefix="restflow-stream") as loops:

        def run(coroutine: Coroutine[Any, Any, _R]) -> _R:
            return caller.until(lambda: loops.submit(lambda: runner.run(coroutine, context=context)))

        async def begin() -> AsyncGenerator[_V, None]:
            context_of_thread: Any = ThreadSensitiveContext(executor=caller)
            await context_of_thread.__aenter__()
            return make()

        async def advance() -> _V | _Nothing:
            return await anext(values, END)

        values = run(begin())
        try:
            while (value := run(advance())) is not END:
                yield value  # type: ignore[misc]  # END is none of them
        finally:
            try:
                run(values.aclose())
            finally:
                loops.submit(runner.close)


def has_thread() -> bool:
    """Tell whether the request's blocking code already has a thread, so that using it takes no other."""
    return thread.is_set_aside()


def leave_thread() -> None:
    """Let the request's thread, if it is from our pool, serve other requests while this one waits."""
    thread.leave()


def keeps_connections() -> bool:
    """Tell whether the request's thread is one of asgiref's, in which connections stay open while the request waits."""
    return thread.is_asgirefs()


class _Ends(Protocol):
    async def aclose(self) -> None: ...


def end_with_request(http_request: Any, stream: _Ends) -> None:
    """Have a stream closed at the end of the request, if it has not been sent to its end by then.

    Args:
        http_request: Django's request.
        stream: what has been begun.
    """
    vars(http_request).setdefault(_BEGUN, []).append(stream)


async def end_streams(http_request: Any) -> None:
    """Close the streams that were begun for a request and not sent to their end.

    The client may have disconnected, or another response may have been sent.

    Args:
        http_request: Django's request.
    """
    for stream in vars(http_request).pop(_BEGUN, ()):
        await stream.aclose()


__all__ = [
    "END",
    "LATE",
    "Producer",
    "end_streams",
    "end_with_request",
    "has_thread",
    "iterated",
    "keeps_connections",
    "leave_thread",
]
