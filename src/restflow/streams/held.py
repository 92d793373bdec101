"""How many streams are open at the same time, by whom: counted from the throttle's yes to the end of the response.

Counts in the memory of the process. Asked by ``restflow.throttling``; the views say when a request has ended.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any
from weakref import finalize

from restflow.streams.response import StreamedResponse

_lock = threading.RLock()  # the garbage collector may release one in the thread that holds it
_held: Counter[str] = Counter()
_HELD = "_restflow_held"


def hold(http_request: Any, key: str, most: int) -> bool:
    """Count a request, until it has ended, unless there are as many already.

    Args:
        http_request: Django's.
        key: by whom it is.
        most: how many there may be at the same time.

    Returns:
        Whether it was counted.
    """
    with _lock:
        if _held[key] >= most:
            return False
        _held[key] += 1
    # Called once: by the response's end, or, on a view that knows nothing of this, when the request is forgotten.
    vars(http_request).setdefault(_HELD, []).append(finalize(http_request, _release, key))
    return True


def _release(key: str) -> None:
    with _lock:
        _held[key] -= 1
        if not _held[key]:
            del _held[key]


def let_go(http_request: Any, response: Any) -> None:
    """Count a request no more: at once, or from when its stream has ended.

    Args:
        http_request: Django's.
        response: what the view returned; None where it raised, or its client left before.
    """
    for release in vars(http_request).pop(_HELD, ()):
        if isinstance(response, StreamedResponse):
            response.parts.when_over(release)
        else:
            release()
