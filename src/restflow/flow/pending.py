"""Async checks that were called and never awaited: an error before the response is sent, and never a yes.

Stores pending checks on the view whose hook was called. ``flow/twins.py`` makes the methods that return a ``Pending``.
Whatever dispatches a view calls ``insist_on_awaited``, so that a check that is still pending becomes a 500.
"""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Coroutine, Generator
from typing import Any

_PENDING = "_restflow_pending"
"""Where a view keeps the checks that it was asked for and whose answer is still to come."""

# Hooks that are called for their effect or for a yes or no. If nobody awaits their coroutine, a check is skipped.
# Maps the hook's name to whether it is a view's.
_checks: dict[str, bool] = {}


def must_be_awaited(*names: str, is_view: bool) -> None:
    """Know hooks whose coroutine must not be dropped. To be called before the classes that have them are made.

    Args:
        names: the hooks' sync names.
        is_view: whether they are a view's, which keeps what is pending for ``insist_on_awaited``; that of others only
            can't be taken for a yes.
    """
    _checks.update(dict.fromkeys(names, is_view))


def is_check(name: str) -> bool:
    """Tell whether ``must_be_awaited`` was told of a hook."""
    return name in _checks


class Pending(Coroutine[Any, Any, Any]):
    """What an async check gives on an event loop: to be awaited, and never to be taken for a yes.

    Args:
        coroutine: what the check is made of.
        name: the check's name.
        caller: the code that asked for it.
    """

    def __init__(self, coroutine: Any, name: str, caller: types.FrameType) -> None:
        self.coroutine, self.name = coroutine, name
        self.asked_at = f"{caller.f_code.co_filename}:{caller.f_lineno}"

    def __await__(self) -> Generator[Any, Any, Any]:
        awaited: Generator[Any, Any, Any] = self.coroutine.__await__()
        return awaited

    def send(self, value: Any) -> Any:
        """Resume the coroutine, as a task does."""
        return self.coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise an exception in the coroutine, as a task does."""
        return self.coroutine.throw(*error)

    def close(self) -> None:
        """Give the coroutine up."""
        self.coroutine.close()

    def __bool__(self) -> bool:
        if sys._getframe(1).f_globals.get("__name__") == "asyncio.base_tasks":
            return True  # the repr of a task, which tests whether the task has a coroutine
        self.close()  # an unawaited coroutine would warn as well
        raise TypeError(
            f"{self.name} was not awaited at {self.asked_at}: what it answers is not known. Write `await` before it."
        )


def note_pending(obj: Any, name: str, value: Any, caller: types.FrameType) -> Pending:
    """Return what an async hook gave, to be awaited; where it is a view's check, the view notes that it was asked.

    Args:
        obj: whose hook it is.
        name: the hook's sync name.
        value: its coroutine, or whatever else it gave to be awaited.
        caller: the code that called it.
    """
    coroutine = value if type(value) is types.CoroutineType else _result_of(value)
    pending = Pending(coroutine, f"{type(obj).__name__}.a{name}", caller)
    if _checks.get(name):
        vars(obj).setdefault(_PENDING, []).append(pending)
    return pending


async def _result_of(awaitable: Any) -> Any:
    return await awaitable


def insist_on_awaited(view: Any) -> None:
    """Refuse to let a response go while a check that was asked for is pending.

    Args:
        view: the view that made the response.

    Raises:
        RuntimeError: naming the check, and the line that asks for it without awaiting it.
    """
    for pending in vars(view).pop(_PENDING, ()):
        state = inspect.getcoroutinestate(pending.coroutine)
        if state != inspect.CORO_CLOSED:
            if state == inspect.CORO_CREATED:
                pending.close()
            raise RuntimeError(
                f"{pending.name} was called at {pending.asked_at} and never awaited, so the response was made without "
                "its answer. Write `await` before it."
            )
