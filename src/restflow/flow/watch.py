"""What serves a request: run as far as it goes by itself, and watched from when it has waited for a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar, cast

_R = TypeVar("_R")


class Begun(Awaitable[_R], Generic[_R]):
    """A coroutine that has run to where it first waits, or to its end.

    Args:
        coroutine: begun at once, in the task that makes this. To be awaited in the same task.
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
        """Go on from where it waits, to its end."""
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


_MOMENT = 0.01  # seconds: most requests are answered before it is worth a task to listen for their client


async def watched(
    answer: Awaitable[None], watch: Callable[[], Coroutine[Any, Any, None]], *, quiet: type[BaseException]
) -> None:
    """Await ``answer``; cancel it as soon as ``watch``, which begins a moment later, raises anything.

    Args:
        answer: to be awaited in the task that calls this.
        watch: makes a coroutine, which runs in a task of its own, and is cancelled in the end.
        quiet: what ``watch`` raises if nobody needs to be told.

    Raises:
        BaseException: what ``answer`` raised, or ``watch``.
        BaseExceptionGroup: both raised.
    """
    loop = asyncio.get_running_loop()
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    watcher: asyncio.Task[None] | None = None
    failure: BaseException | None = None
    is_over = False

    def begin() -> None:
        nonlocal watcher
        watcher = loop.create_task(watch())
        watcher.add_done_callback(end)

    def end(watcher: asyncio.Task[None]) -> None:
        nonlocal failure
        raised = None if watcher.cancelled() else watcher.exception()
        if raised is not None and not is_over:  # the loop may call this after the answer, in the same round
            failure = raised
            task.cancel()

    before = task.cancelling()
    timer = loop.call_later(_MOMENT, begin)
    try:
        await answer
    except BaseException as error:
        if failure is None:
            raise
        is_ours = isinstance(error, asyncio.CancelledError) and task.cancelling() == before + 1
        errors = [*([] if is_ours else [error]), *([] if isinstance(failure, quiet) else [failure])]
        if len(errors) > 1:
            raise BaseExceptionGroup("The request failed, and so did its watch.", errors) from None
        if errors:
            raise errors[0]  # noqa: B904 - the cancellation was only to end the request
    finally:
        is_over = True
        timer.cancel()
        if failure is not None:
            task.uncancel()
        elif watcher is not None:
            watcher.cancel()
