"""Counts the open streams of each client, from the throttle's check to the end of the response.

Counts in the memory of the process. Used by ``restflow.throttling``; the views report that a request has ended.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any
from weakref import finalize

from restflow.streams.response import StreamedResponse

_lock = threading.RLock()  # re-entrant: the garbage collector may call `_release` in the thread that has the lock
_held: Counter[str] = Counter()
_HELD = "_restflow_held"


def hold(http_request: Any, key: str, most: int) -> bool:
    """Count a request until it has ended, unless there are already ``most`` under the same key.

    Args:
        http_request: Django's request.
        key: identifies the client.
        most: how many requests there may be at the same time.

    Returns:
        Whether it was counted.
    """
    with _lock:
        if _held[key] >= most:
            return False
        _held[key] += 1
    # A finalizer is called once: when the response ends or, on a view that isn't ours, when the request is freed.
    vars(http_request).setdefault(_HELD, []).append(finalize(http_request, _release, key))
    return True


def _release(key: str) -> None:
    with _lock:
        _held[key] -= 1
        if not _held[key]:
            del _held[key]


def let_go(http_request: Any, response: Any) -> None:
    """Stop counting a request: at once or, if its response is a stream, when the stream has ended.

    Args:
        http_request: Django's request.
        response: what the view returned; None if it raised, or the client disconnected before.
    """
    for release in vars(http_request).pop(_HELD, ()):
        if isinstance(response, StreamedResponse):
            response.parts.when_over(release)
        else:
            release()
