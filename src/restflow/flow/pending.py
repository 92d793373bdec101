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
"""The attribute in which a view keeps its pending checks: those that were called and not yet awaited."""

# Hooks that are called for their effect or for a yes or no. If nobody awaits their coroutine, a check is skipped.
# Maps the hook's name to whether it is a view's.
_checks: dict[str, bool] = {}


def must_be_awaited(*names: str, is_view: bool) -> None:
    """Register hooks whose coroutine must not be dropped, before the classes that have them are created.

    Args:
        names: the hooks' sync names.
        is_view: whether they belong to a view, whose pending calls ``insist_on_awaited`` finds; calls of other hooks
            only can't be used as a truth value.
    """
    _checks.update(dict.fromkeys(names, is_view))


def is_check(name: str) -> bool:
    """Tell whether a hook was registered by ``must_be_awaited``."""
    return name in _checks


class Pending(Coroutine[Any, Any, Any]):
    """What an async check returns on an event loop: an awaitable that raises if it is used as a truth value.

    Args:
        coroutine: the check's coroutine.
        name: the check's name.
        caller: the frame that called it.
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
        """Close the coroutine."""
        self.coroutine.close()

    def __bool__(self) -> bool:
        if sys._getframe(1).f_globals.get("__name__") == "asyncio.base_tasks":
            return True  # the repr of a task, which tests whether the task has a coroutine
        self.close()  # an unawaited coroutine would warn as well
        raise TypeError(
            f"{self.name} was not awaited at {self.asked_at}: what it answers is not known. Write `await` before it."
        )


def note_pending(obj: Any, name: str, value: Any, caller: types.FrameType) -> Pending:
    """Wrap the awaitable of an async hook; for a check of a view, also note on the view that it is pending.

    Args:
        obj: the owner of the hook.
        name: the hook's sync name.
        value: the coroutine, or other awaitable, that it returned.
        caller: the frame that called it.
    """
    coroutine = value if type(value) is types.CoroutineType else _result_of(value)
    pending = Pending(coroutine, f"{type(obj).__name__}.a{name}", caller)
    if _checks.get(name):
        vars(obj).setdefault(_PENDING, []).append(pending)
    return pending


async def _result_of(awaitable: Any) -> Any:
    return await awaitable


def insist_on_awaited(view: Any) -> None:
    """Raise if a check was called and not awaited, so that the response does not leave.

    Args:
        view: the view that made the response.

    Raises:
        RuntimeError: a check is pending; the message names it, and the line that calls it without ``await``.
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
