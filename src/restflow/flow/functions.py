"""What the code of a function tells: whether it is async, and what it wraps.

Looks at functions and calls none. Nearly all of ``flow`` imports this module, and it imports none of the others.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Iterator
from contextlib import suppress
from functools import partial, partialmethod
from typing import Any

import django.utils.functional

# The flags by which code is marked as a coroutine function's on Python 3.11. No `async def` has both.
MARKED = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE

# wrapt's proxies report the class, the hash and the equality of the function they wrap, but behave differently.
# Only the exact type tells a proxy from a function.
_AROUND_FUNCTIONS = (partial, partialmethod, staticmethod, classmethod, types.MethodType)


def is_coroutine_function(function: Any) -> bool:
    """Tell whether calling ``function`` gives a coroutine, by what its code says.

    A mark (``inspect.markcoroutinefunction``) does not count: ``functools.wraps`` copies it onto wrappers that may
    block. A marked function is called in the worker thread, and what it returns is awaited on the loop.

    Returns:
        True for an ``async def``, however bound or partially applied, and for an object whose class has an
        ``async def __call__``.
    """
    if type(function) is types.MethodType:
        function = function.__func__
    while issubclass(type(function), _AROUND_FUNCTIONS):
        function = function.func if isinstance(function, (partial, partialmethod)) else function.__func__
    if type(function) is not types.FunctionType:
        function = getattr(type(function), "__call__", None)  # noqa: B004 - the function, not whether there is one
    return type(function) is types.FunctionType and function.__code__.co_flags & MARKED == inspect.CO_COROUTINE


def layers(function: Any) -> Iterator[Any]:
    """Go through a decorated function from the outermost wrapper inwards.

    Args:
        function: what stands in a class, or is given as a validator or a view.

    Yields:
        The function, and what is reached from it as ``__wrapped__`` or through closures, as decorators keep what they
        wrap; of an object that is called, the function of its class. Functions of ours are yielded and not looked into:
        they await what they wrap.
    """
    pending, seen = [function], set[int]()
    while pending:
        inner = pending.pop()
        if id(inner) in seen:
            continue
        seen.add(id(inner))
        yield inner
        pending += _held_by(inner)


def _held_by(function: Any) -> Iterator[Any]:
    kind = type(function)  # not isinstance, which would evaluate one of Django's lazy objects
    if kind is types.FunctionType:
        if not is_made_here(function):
            for cell in function.__closure__ or ():
                with suppress(ValueError):  # the cell is still empty
                    yield cell.cell_contents
            yield vars(function).get("__wrapped__")
    elif issubclass(kind, _AROUND_FUNCTIONS):
        yield function.func if issubclass(kind, (partial, partialmethod)) else function.__func__
    elif hasattr(kind, "__wrapped__"):
        if hasattr(kind, "__get__"):  # a proxy of a function; a lazy object has no __get__, and must not be evaluated
            yield function.__wrapped__
    else:
        yield getattr(function, "__dict__", {}).get("__wrapped__")
        call = getattr(kind, "__call__", None)  # noqa: B004 - the function, not whether there is one
        if type(call) is types.FunctionType:
            yield call


def is_made_here(function: types.FunctionType) -> bool:
    """Tell whether a function was made in this package, of a flow or of a user's hook: it awaits what it wraps."""
    return str(function.__globals__.get("__name__")).startswith("restflow.flow.")


def may_give_coroutine(function: Any) -> bool:
    """Tell whether a function is async, or a sync wrapper that may hand on the coroutine of an async one.

    Args:
        function: what stands in a class.

    Returns:
        True where it is ``async def``, names one as ``__wrapped__``, or closes over one, as decorators do.
    """
    return any(map(is_coroutine_function, layers(function)))


def gives_coroutine(raw: Any) -> bool:
    """Tell whether calling or reading an attribute may give a coroutine.

    Args:
        raw: what stands in a class: a function of any form, or a property.

    Returns:
        As ``may_give_coroutine``; of a property, for the function that it reads.
    """
    if issubclass(type(raw), property):
        raw = raw.fget
    elif issubclass(type(raw), (functools.cached_property, django.utils.functional.cached_property)):
        raw = raw.func
    return may_give_coroutine(raw)
