"""Lets sync code call async functions: DRF's own loops, which run in the worker thread.

Wraps functions, and runs their coroutines on the event loop. Used by the serializers and the sync views.
"""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeVar, cast

from restflow.flow import natures, refusals, resolution
from restflow.flow.drivers import marked_async, on_loop, run
from restflow.flow.functions import MARKED, is_coroutine_function
from restflow.flow.remembered import remembered
from restflow.flow.steps import call, drop, is_awaitable, settle, taken
from restflow.flow.trust import is_frameworks, is_frameworks_function

_F = TypeVar("_F", bound=Callable[..., Any])

_AWAITING = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_INLINE = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>", "<lambda>"})


def callable_from_sync(function: _F) -> _F:
    """Return ``function`` in a form that sync code can call: if it returns an awaitable, the caller gets its result.

    In a thread, the coroutine runs on the request's event loop while the caller waits. On the event loop, calling an
    async function raises, because the loop can't wait for itself.

    Args:
        function: a function, partial or callable object of either colour.

    Returns:
        ``function`` itself if it is known to be sync code of Django, DRF or restflow; otherwise a wrapper.
    """
    made: Any
    inner: Any = function
    if type(inner) is types.MethodType:
        known = type(inner.__func__) is types.FunctionType
        made = _bridge_method(inner.__func__) if known else _bridge_around(inner.__func__)
        return function if made is inner.__func__ else cast(_F, types.MethodType(made, inner.__self__))
    cls: Any = type(inner)
    if cls is types.FunctionType:
        return cast(_F, _bridge_around(inner)) if _may_await(inner) else function
    return function if never_awaits(cls) else cast(_F, _bridge_around(function))


@remembered  # only for methods, which live as long as their class; a plain function may be made for each request
def _bridge_method(function: Any) -> Any:
    return _bridge_around(function) if _may_await(function) else function


def _may_await(function: Any) -> bool:
    if type(function) is not types.FunctionType or is_coroutine_function(function):
        return True
    facts = natures.facts_of(function)
    if facts.is_dual or facts.is_answering:  # called on an event loop, these return an awaitable
        return True
    return not is_frameworks_function(function)


def _bridge_around(function: Any) -> Any:
    refusals.refuse_lost_context(function, getattr(function, "__qualname__", ""))

    def bridge(*args: Any, **kwargs: Any) -> Any:
        return called(function, *args, **kwargs)

    return update_wrapper(bridge, function)


def dual(raw: Any, name: str, owner: type) -> Callable[..., Any]:
    """Wrap an async method of ``owner`` so that async code can await it and sync code can call it.

    Args:
        raw: the method as stored in the class; a sync wrapper around an async method stays sync.
        owner: the class that defines it.

    Returns:
        A function for the class. Async code gets ``raw``'s own coroutine from it, sync code the result. Sync code on an
        event loop gets an error, never a coroutine that it could mistake for a value.

    Raises:
        TypeError: a sync context manager wraps the async method.
    """
    refusals.refuse_lost_context(raw, f"{owner.__qualname__}.{name}")

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        function = resolution.bound(raw, self)
        if on_loop() and _is_async(sys._getframe(1)):
            return function(*args, **kwargs)
        return called(function, *args, **kwargs)

    inner = raw.__func__ if isinstance(raw, (staticmethod, classmethod)) else raw
    update_wrapper(method, inner)
    method.__name__, method.__qualname__, method.__module__ = name, f"{owner.__qualname__}.{name}", owner.__module__
    if not is_coroutine_function(raw):  # a sync wrapper may block
        return method
    natures.learn(method, is_dual=True)
    return marked_async(method)


def _is_async(frame: types.FrameType | None) -> bool:
    """Tell whether the code that made a call can await the result."""
    while frame is not None and frame.f_code.co_name in _INLINE:  # a lambda or comprehension: look at what is around it
        frame = frame.f_back
    flags = 0 if frame is None else frame.f_code.co_flags
    return bool(flags & _AWAITING) and flags & MARKED != MARKED


@remembered
def never_awaits(cls: type) -> bool:
    """Tell whether calling an object of a class runs only sync code of Django, DRF and restflow.

    Args:
        cls: the type of a callable.

    Returns:
        False for a class of any other package, and for one with an ``async def __call__``.
    """
    # A built-in callable may wrap a user's function, as staticmethod does.
    is_known = all(base is object or is_frameworks(base) for base in cls.__mro__)
    function = getattr(cls, "__call__", None)  # noqa: B004 - the function itself
    refusals.refuse_lost_context(function, f"{cls.__qualname__}.__call__")
    return is_known and not is_coroutine_function(function)


def called(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a function of either colour from sync code, and return its result.

    In a thread, an async function runs on the request's event loop while the thread waits.

    Args:
        function: a function, bound method, partial or callable object.

    Raises:
        RuntimeError: it is async, and an event loop runs in this thread, which would wait for itself.
        TypeError: a sync context manager wraps an async function.
    """
    inner: Any = function
    # For its check: it raises where a sync context manager is around async code.
    natures.nature_of(inner.__func__ if type(inner) is types.MethodType else inner)
    if is_coroutine_function(function):
        return run(call(function, *args, **kwargs))
    return result_of(function(*args, **kwargs), function)


def result_of(value: Any, of: Any) -> Any:
    """Return a value that sync code received or, if it is awaitable, its result.

    Args:
        value: what a function returned.
        of: the function, or its name, for the error message.

    Raises:
        RuntimeError: it is awaitable, and an event loop runs in this thread.
    """
    if not is_awaitable(value):
        return value
    step = settle(value)
    if on_loop():
        drop(step)
        name = getattr(of, "__qualname__", of)
        raise RuntimeError(
            f"Sync code on the event loop asked for {name!r}, which is async: the loop would wait for itself. "
            "Await the async twin of what you called (the name with an 'a' before it)."
        )
    return run(taken(step))
