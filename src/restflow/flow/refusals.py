"""Refuses code that would be skipped in silence if it were called, such as ``atomic`` around an ``async def``.

Looks at classes and functions, and calls none of them.
"""

from __future__ import annotations

import types
from contextlib import ContextDecorator
from typing import Any

from django.db.transaction import Atomic, atomic

from restflow.flow.functions import is_coroutine_function, layers, may_give_coroutine
from restflow.flow.trust import is_trusted

# The function that every ContextDecorator (transaction.atomic, translation.override, a @contextmanager) puts around
# what it decorates.
_ENTERS_A_CONTEXT = next(
    code for code in ContextDecorator.__call__.__code__.co_consts if isinstance(code, types.CodeType)
)


def refuse_lost_contexts(cls: type) -> None:
    """Refuse a class that has a sync context manager around an ``async def``.

    Raises:
        TypeError: naming the method and what to write instead.
    """
    for base in cls.__mro__:
        if not is_trusted(base):
            for name, raw in tuple(vars(base).items()):
                refuse_lost_context(raw, f"{base.__name__}.{name}")


def is_context_lost(function: Any) -> bool:
    """Tell whether ``refuse_lost_context`` refuses ``function``."""
    return any(_context_of(layer) and may_give_coroutine(layer) for layer in layers(function))


def refuse_lost_context(function: Any, name: str) -> None:
    """Refuse a sync context manager around an ``async def``: it would exit, without an error, before the function runs.

    Args:
        function: anything; only Python functions are inspected.
        name: its name, for the error message.

    Raises:
        TypeError: naming the function and what to write instead.
    """
    for layer in layers(function):
        if (context := _context_of(layer)) and may_give_coroutine(layer):
            instead = ", or use restflow.db.atomic" if context == "transaction.atomic" else ""
            raise TypeError(
                f"{name} is async, and {context} around it would end before it runs. Write {name} as a plain def, "
                f"which runs in the worker thread, or put the statements that need {context} into a sync function of "
                f"their own{instead}."
            )


def _context_of(wrapper: Any) -> str:
    """Return the name of the context manager that a sync wrapper enters around what it wraps, or ""."""
    if type(wrapper) is not types.FunctionType or is_coroutine_function(wrapper):
        return ""
    if wrapper.__code__ is not _ENTERS_A_CONTEXT and "__wrapped__" not in vars(wrapper):
        return ""
    for cell in wrapper.__closure__ or ():
        try:
            held = cell.cell_contents
        except ValueError:  # the cell is still empty
            continue
        # method_decorator keeps its decorators in a list.
        for decorator in held if type(held) in {list, tuple} else [held]:
            if decorator is atomic or type(decorator) is Atomic:
                return "transaction.atomic"
            if _is_manager(type(decorator)):
                manager = getattr(decorator, "func", type(decorator))
                return f"{manager.__module__.removeprefix('django.utils.')}.{manager.__qualname__}"
    return ""


def _is_manager(kind: type) -> bool:
    """Tell whether instances of a class are sync context managers that also work as decorators."""
    is_for_both = hasattr(kind, "__aenter__")
    return not is_for_both and all(hasattr(kind, name) for name in ("__enter__", "__exit__", "__call__"))
