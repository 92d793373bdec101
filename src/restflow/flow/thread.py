"""Chooses the thread for a request's blocking code: asgiref's choice, or the one that our ASGI handler leased.

All uses of asgiref's private names are here. ``flow/drivers.py`` asks before each trip to a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import Any

import asgiref
from asgiref import sync
from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext

from restflow.flow.lease import Lease

KNOWN = asgiref.__version__.startswith("3.13.")
"""Whether this asgiref is one whose source was read. With another, `executor` leaves it all to asgiref."""


def restore(context: Context) -> None:
    """Bring what ``context`` holds into the current one, as asgiref does after a change of threads."""
    if KNOWN:
        sync._restore_context(context)


def come_back(context: Context) -> None:
    """Do the same on the event loop, after a trip to a thread."""
    if KNOWN:
        sync._restore_context(context)
        SyncToAsync.deadlock_context.set(False)
        return
    for variable, value in context.items():
        if variable.get(None) is not value:
            variable.set(value)


def executor(loop: asyncio.AbstractEventLoop) -> Executor | None:
    """Return what runs this request's blocking code: what asgiref would choose, made as asgiref makes it.

    Args:
        loop: the event loop that runs.

    Returns:
        The executor of the thread that waits for this code (``async_to_sync``), else of the request's
        ``ThreadSensitiveContext`` (Django's ASGI handler opens one for each request), else the process's one thread.
        None where asgiref has to find the thread, or refuse.

    Source:
        asgiref 3.13, sync.py, `SyncToAsync.__call__`.
    """
    if not KNOWN:
        return None
    waiting: Executor | None = getattr(AsyncToSync.executors, "current", None)
    context: Any = SyncToAsync.thread_sensitive_context.get(None)
    if waiting is None and context is None:
        waiting = AsyncToSync.loop_thread_executors.get(loop)
    if waiting is not None:
        return waiting
    if context is None:
        if SyncToAsync.deadlock_context.get(False):
            return None
        SyncToAsync.deadlock_context.set(True)
        return SyncToAsync.single_thread_executor
    if context._exited:
        return None
    found: Executor | None = SyncToAsync.context_to_thread_executor.get(context)
    if found is None:
        found = SyncToAsync.context_to_thread_executor[context] = ThreadPoolExecutor(max_workers=1)
    return found


class _InTurn(Executor):
    """asgiref's executor of a thread that waits for the event loop, with ``call`` around all that it does.

    Source:
        asgiref 3.13, current_thread_executor.py, which looks into the executor around another.
    """

    def __init__(self, waiting: Any, call: Callable[..., Any]) -> None:
        self._waiting, self._call = waiting, call

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = self._waiting.submit(self._call, function, *args, **kwargs)
        return future

    def __getattr__(self, name: str) -> Any:
        return getattr(self._waiting, name)


def call_by(call: Callable[..., Any]) -> None:
    """Have ``call`` call what the thread does that waits for this code (``async_to_sync``)."""
    waiting: Any = getattr(AsyncToSync.executors, "current", None)
    if KNOWN and waiting is not None:  # pragma: no branch - for asgiref releases that keep it elsewhere
        AsyncToSync.executors.current = _InTurn(waiting, call)


def context_for(executor: Executor | None) -> Context:
    """Return the context that the thread enters.

    Args:
        executor: of the request's thread.

    Returns:
        That of the task which serves the request on our entry: it is nobody else's while the task waits. A copy for
        other tasks, whose maker may have given them a context that others are in too.
    """
    if isinstance(executor, Lease) and executor.context is not None and executor.owner is asyncio.current_task():
        return executor.context
    return copy_context()


def provide(own: Executor) -> ThreadSensitiveContext | None:
    """Have all blocking code of this request run in ``own``, what asgiref sends to a thread too.

    Args:
        own: an executor that runs one call at a time, on one thread.

    Returns:
        What ``withdraw`` takes. None where the request has a thread already: its server, a test or what is around the
        handler gave it one.

    Source:
        asgiref 3.13, sync.py, `SyncToAsync.__call__` and `ThreadSensitiveContext`. A context that is given its
        executor by its argument refuses what tasks that outlive the request send to a thread; in Django they may.
    """
    context = SyncToAsync.thread_sensitive_context.get(None)
    given = SyncToAsync.context_to_thread_executor
    if not KNOWN or context is None:
        return None
    if isinstance(around := given.get(context), Lease):
        around.is_shared = True
    if around is not None or getattr(AsyncToSync.executors, "current", None) is not None:
        return None
    given[context] = own
    return context


def withdraw(context: ThreadSensitiveContext) -> None:
    """Take back what was provided; tasks that outlive the request get a thread of asgiref's."""
    SyncToAsync.context_to_thread_executor.pop(context, None)


def forget_request() -> None:
    """Let go, in this thread, of the event loop and the task that asgiref noted there: a thread of ours outlives them.

    Source:
        asgiref 3.13, sync.py, `SyncToAsync.thread_handler`.
    """
    vars(SyncToAsync.threadlocal).clear()


def is_set_aside() -> bool:
    """Tell whether this request's blocking code has a thread already, or needs none of its own."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    found = None if context is None else SyncToAsync.context_to_thread_executor.get(context)
    return context is None or (found.has_thread() if isinstance(found, Lease) else found is not None)


def leave() -> None:
    """Have this request's blocking code go on in any thread of our pool, unless its own has something open."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    found = None if context is None else SyncToAsync.context_to_thread_executor.get(context)
    if isinstance(found, Lease):
        found.leave()


def is_asgirefs() -> bool:
    """Tell whether this request's blocking code has a thread of asgiref's own."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    found = None if context is None else SyncToAsync.context_to_thread_executor.get(context)
    return found is not None and not isinstance(found, Lease)


def leave_waiting() -> None:
    """Have what is called in this context no longer go to the thread that waited for it (``async_to_sync``).

    Source:
        asgiref 3.13, sync.py, `AsyncToSync.__call__`.
    """
    if getattr(AsyncToSync.executors, "current", None) is not None:
        AsyncToSync.executors.current = None
