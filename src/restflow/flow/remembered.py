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
    """Keep an answer in a memory of its own, which is emptied when it is full.

    For what is compared at each use. Classes that were made for one request do not pile up.
    """
    if len(memory) >= _MOST:
        memory.clear()
    memory[key] = value


_MOST = 4096


def remembered(question: _F) -> _F:
    """Have a question asked once for each thing that it is about, and its answer remembered.

    The memory is bounded, and shared by all such questions: classes and functions that were made for one request do not
    pile up.

    Args:
        question: a function of hashable arguments, whose answer never changes.

    Returns:
        A function of the same (positional) arguments.
    """
    answered: Any = partial(_answer, question)
    return answered  # type: ignore[no-any-return]
