"""Chooses the thread for a request's blocking code: asgiref's choice, or the one that our ASGI handler leased.

What asgiref keeps to itself is read and written here, except in ``_bridge`` and ``_Hop`` of ``flow/drivers.py``, which
asks here before each trip to a thread.
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
"""Whether this release of asgiref is known. With any other, `executor` leaves the choice to asgiref."""


def restore(context: Context) -> None:
    """Copy the values of ``context`` to the current context, as asgiref does after a change of threads."""
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
    """Return the executor for this request's blocking code: the one that asgiref would choose, created as asgiref does.

    Args:
        loop: the event loop that runs.

    Returns:
        The executor of the thread that waits for this code (``async_to_sync``), else of the request's
        ``ThreadSensitiveContext`` (Django's ASGI handler opens one for each request), else the process's one thread.
        None if asgiref itself has to find the thread, or raise.

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
    """asgiref's executor of a thread that waits for the event loop, with each submitted call made through ``call``.

    Source:
        asgiref 3.13, current_thread_executor.py, which reads attributes of the executor that this wraps.
    """

    def __init__(self, waiting: Any, call: Callable[..., Any]) -> None:
        self._waiting, self._call = waiting, call

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = self._waiting.submit(self._call, function, *args, **kwargs)
        return future

    def __getattr__(self, name: str) -> Any:
        return getattr(self._waiting, name)


def call_by(call: Callable[..., Any]) -> None:
    """Make the thread that waits for this code (``async_to_sync``) run everything submitted to it through ``call``."""
    waiting: Any = getattr(AsyncToSync.executors, "current", None)
    if KNOWN and waiting is not None:  # pragma: no branch - for asgiref releases that keep it elsewhere
        AsyncToSync.executors.current = _InTurn(waiting, call)


def context_for(executor: Executor | None) -> Context:
    """Return the context in which the thread runs.

    Args:
        executor: the executor of the request's thread.

    Returns:
        That of the task which serves the request on our ASGI handler: nothing else uses it while the task waits. A copy
        for other tasks, which may share their context.
    """
    if isinstance(executor, Lease) and executor.context is not None and executor.owner is asyncio.current_task():
        return executor.context
    return copy_context()


def provide(own: Executor) -> ThreadSensitiveContext | None:
    """Make all blocking code of this request run in ``own``, including what asgiref sends to a thread.

    Args:
        own: an executor that runs one call at a time, on one thread.

    Returns:
        The argument for ``withdraw``. None if the request has a thread already, from its server, a test or code around
        the handler.

    Source:
        asgiref 3.13, sync.py, `SyncToAsync.__call__` and `ThreadSensitiveContext`. A context that is given its executor
        by its argument refuses what tasks that outlive the request send to a thread; in Django they may.
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
    """Undo ``provide``; tasks that outlive the request get a thread of asgiref's."""
    SyncToAsync.context_to_thread_executor.pop(context, None)


def forget_request() -> None:
    """Clear asgiref's references to the event loop and the task in this thread, which outlives them.

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
    """Let this request's blocking code go on in any thread of our pool, unless its own has something open."""
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
    """Stop sending calls of this context to the thread that waited for it (``async_to_sync``).

    Source:
        asgiref 3.13, sync.py, `AsyncToSync.__call__`.
    """
    if getattr(AsyncToSync.executors, "current", None) is not None:
        AsyncToSync.executors.current = None
