"""Async generators of which somebody waits for each value: in a task of their own, and from sync code.

Makes tasks, and one thread where no event loop runs. Asked by ``restflow.streams``.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import aclosing
from contextvars import copy_context
from typing import Any, Final, Generic, ParamSpec, TypeVar

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
"""In place of a value: there is none yet."""
END: Final = _Nothing.END
"""In place of a value: there are no more."""

_GRACE = 5.0  # seconds for a generator to end


class Producer(Generic[_V]):
    """Runs an async generator in one task, and each time it is asked, as far as its next value; never further.

    One task from beginning to end, so that what a generator has open around a ``yield`` (``asyncio.timeout``, a task
    group) stays in the task that opened it. Whoever asks may give up waiting, and ask again later.

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
                if self._is_closed:  # it swallowed its cancellation
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
        """Have the generator's sync code no longer go to the thread that waits for this loop: it waits no more."""
        self._context.run(thread.leave_waiting)

    async def aclose(self) -> None:
        """End the generator, wherever it is, and wait until it has ended.

        Raises:
            TimeoutError: it goes on, whatever it is told.
            Exception: what it raised in the end.
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
        """Have the generator ended, from any thread; nobody waits for it."""
        was_closed, self._is_closed = self._is_closed, True
        if not (was_closed or self._task.done() or self._loop.is_closed()):
            self._loop.call_soon_threadsafe(self._task.cancel)


class _Caller(Executor):
    """Runs what it is given in the thread that waits, in ``until``, for what it comes of."""

    _waiting: CurrentThreadExecutor

    def submit(self, function: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        return self._waiting.submit(function, *args, **kwargs)

    def until(self, begin: Callable[[], Future[_R]]) -> _R:
        self._waiting = CurrentThreadExecutor(None)
        done = begin()
        self._waiting.run_until_future(done)
        return done.result()


def iterated(make: Callable[[], AsyncGenerator[_V, None]]) -> Generator[_V, None, None]:
    """Iterate an async generator from sync code, on one event loop of its own, which runs only while one waits for it.

    The loop runs in a thread of its own. Sync code of the generator's runs in the thread that iterates, where Django's
    database connections are.

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
    """Tell whether a thread is set aside for the request's blocking code already, so that asking it costs no other."""
    return thread.is_set_aside()


def leave_thread() -> None:
    """Have the request's thread, if it is one of ours, serve others while the request waits."""
    thread.leave()


def keeps_connections() -> bool:
    """Tell whether the request has a thread in which nobody closes connections while it waits: one of asgiref's."""
    return thread.is_asgirefs()


__all__ = ["END", "LATE", "Producer", "has_thread", "iterated", "keeps_connections", "leave_thread"]
