"""The worker thread that asgiref keeps for a request."""

from __future__ import annotations

from concurrent.futures import Executor
from contextvars import Context
from typing import Any

import asgiref
from asgiref import sync
from asgiref.sync import AsyncToSync, SyncToAsync

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
