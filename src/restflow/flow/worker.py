"""The worker thread that asgiref keeps for a request."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from contextvars import Context
from typing import Any

import asgiref
from asgiref import sync
from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext

from restflow.flow.workers import Lease

KNOWN = asgiref.__version__.startswith("3.13.")
"""Whether this asgiref is one whose source was read. With another, `executor` leaves it all to asgiref."""


def restore(context: Context) -> None:
    """Bring what ``context`` holds into the current one, as asgiref does after a change of threads."""
    sync._restore_context(context)


def executor() -> Executor | None:
    """Return what runs this request's blocking code, where asgiref has it already and would choose it.

    Returns:
        The executor of the request's thread. None before the first trip there, without a `ThreadSensitiveContext`
        (Django's ASGI handler opens one for each request), and inside `async_to_sync`: asgiref finds the thread
        then.

    Source:
        asgiref 3.13, sync.py, `SyncToAsync.__call__`.
    """
    if not KNOWN or getattr(AsyncToSync.executors, "current", None) is not None:
        return None
    context: Any = SyncToAsync.thread_sensitive_context.get(None)
    return None if context is None else SyncToAsync.context_to_thread_executor.get(context)


def context_of_its_own(given: Executor) -> Context | None:
    """Return the context of the current task, where nobody else's code may be in it.

    Args:
        given: the executor of the request's thread.

    Returns:
        The task's context, if the task is the one that serves the request on our entry. None for other tasks, whose
        maker may have given them a context that others are in too, and on Python 3.11, which doesn't tell.
    """
    if not isinstance(given, Lease) or given.owner is not asyncio.current_task():
        return None
    owner: Any = given.owner
    context: Context | None = owner.get_context() if hasattr(owner, "get_context") else None
    return context


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
    if not KNOWN or context is None or context in given or getattr(AsyncToSync.executors, "current", None) is not None:
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
