"""One bounded cache for answers that never change: about a class, a function, or a few values.

Answers that may change (which code a hook means, whether a class was patched) belong in a plan (``flow/plan.py``),
which is compared with the class before use.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])


@lru_cache(maxsize=16384)
def _answer(question: Callable[..., Any], *about: Any) -> Any:
    return question(*about)


def keep(memory: dict[Any, Any], key: Any, value: Any) -> None:
    """Add an entry to a cache of its own, which is cleared when it is full.

    For entries that are validated at each use. The limit keeps classes created for one request from piling up.
    """
    if len(memory) >= _MOST:
        memory.clear()
    memory[key] = value


_MOST = 4096


def remembered(question: _F) -> _F:
    """Cache the results of a function whose answers never change.

    The cache is bounded and shared by all such functions, so that classes and functions created for one request do not
    pile up.

    Args:
        question: a function of hashable arguments whose answer never changes.

    Returns:
        A function that takes the same arguments, by position.
    """
    answered: Any = partial(_answer, question)
    return answered  # type: ignore[no-any-return]
