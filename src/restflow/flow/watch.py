"""Runs a request until it first waits, and after a short moment watches for the client's disconnect.

Uses asyncio only. Called by ``restflow.asgi``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar, cast

_R = TypeVar("_R")


class Begun(Awaitable[_R], Generic[_R]):
    """A coroutine that has run until it first waits, or to its end.

    Args:
        coroutine: started at once, in the task that creates this. Await this in the same task.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, _R]) -> None:
        self._coroutine = coroutine
        self.done = False
        self.result: _R | None = None
        try:
            self._waits_for = coroutine.send(None)
        except StopIteration as end:
            self.done, self.result = True, end.value

    def __await__(self) -> Generator[Any, Any, _R]:
        """Resume the coroutine where it waits, and run it to its end."""
        waits_for = self._waits_for
        while True:
            try:
                try:
                    value = yield waits_for
                except BaseException as error:
                    waits_for = self._coroutine.throw(error)
                else:
                    waits_for = self._coroutine.send(value)
            except StopIteration as end:
                self.done, self.result = True, end.value
                result: _R = end.value
                return result


_MOMENT = 0.01  # seconds; most requests are answered sooner, and need no task that listens for a disconnect


async def watched(
    answer: Awaitable[None], watch: Callable[[], Coroutine[Any, Any, None]], *, quiet: type[BaseException]
) -> None:
    """Await ``answer``; cancel it as soon as ``watch``, which starts a moment later, raises anything.

    Args:
        answer: awaited in the task that calls this.
        watch: returns a coroutine, which runs in a task of its own and is cancelled at the end.
        quiet: the exception of ``watch`` that is not raised again.

    Raises:
        BaseException: what ``answer`` raised, or ``watch``.
        BaseExceptionGroup: both raised.
    """
    watcher = _Watcher(watch)
    try:
        await answer
    except BaseException as error:
        failure = watcher.failure
        if failure is None:
            raise
        errors = [
            *([] if watcher.has_caused(error) else [error]),
            *([] if isinstance(failure, quiet) else [failure]),
        ]
        if len(errors) > 1:
            raise BaseExceptionGroup("The request failed, and so did its watch.", errors) from None
        if errors:
            raise errors[0]  # noqa: B904 - the cancellation was only to end the request
    finally:
        watcher.close()


class _Watcher:
    """Runs a coroutine in a second task; if it raises anything, the current task is cancelled."""

    failure: BaseException | None = None
    _task: asyncio.Task[None] | None = None
    _is_over = False

    def __init__(self, watch: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._loop, self._watch = asyncio.get_running_loop(), watch
        self._watched = cast("asyncio.Task[Any]", asyncio.current_task())
        self._cancelled_before = self._watched.cancelling()
        self._timer = self._loop.call_later(_MOMENT, self._begin)

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._watch())
        self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        raised = None if task.cancelled() else task.exception()
        if raised is not None and not self._is_over:  # the loop may run this callback after the answer is complete
            self.failure = raised
            self._watched.cancel()

    def has_caused(self, error: BaseException) -> bool:
        """Tell whether ``error`` is the cancellation that this watcher requested, and no other was."""
        return isinstance(error, asyncio.CancelledError) and self._watched.cancelling() == self._cancelled_before + 1

    def close(self) -> None:
        """Stop watching."""
        self._is_over = True
        self._timer.cancel()
        if self.failure is not None:
            self._watched.uncancel()
        elif self._task is not None:
            self._task.cancel()
