"""Turns flows into public methods, by the decorators ``sync``, ``asynchronous`` and ``sync_or_async``.

A method runs its flow with the driver of its colour. If it was reached by ``super()``, or has been overridden since, it
calls the definition that is meant. ``flow/twins.py`` makes the async twins of users' hooks by the same means.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from django.core.exceptions import SynchronousOnlyOperation

from restflow.flow import natures, resolution
from restflow.flow.drivers import arun, marked_async, on_loop, run
from restflow.flow.natures import Flow
from restflow.flow.pending import is_check, note_pending
from restflow.flow.plan import plan_of
from restflow.flow.steps import Step, hook, taken

_S = TypeVar("_S")
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _face(function: Any, flow: Flow, prefix: str = "") -> None:
    """Make ``function`` a public method of ``flow``: copy its signature and docstring, and record the flow."""
    update_wrapper(function, flow)
    function.__name__ = prefix + flow.__name__
    function.__qualname__ = f"{flow.__qualname__.removesuffix(flow.__name__)}{function.__name__}"
    natures.learn(function, flow=flow)


def sync(flow: Callable[Concatenate[_S, _P], Coroutine[Any, Any, _R]], /) -> Callable[Concatenate[_S, _P], _R]:
    """Make a sync method of a flow, which runs it to its result in the calling thread.

    Args:
        flow: a flow, written as a method under the sync name.

    Returns:
        A function with the flow's signature, docstring and types.
    """
    name = flow.__name__

    def method(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            result: _R = run(_meant(self, name, name, method, flow, args, kwargs))
        except SynchronousOnlyOperation as error:
            if not on_loop():
                raise
            raise SynchronousOnlyOperation(
                f"{type(self).__name__}.{name}() was called on the event loop and needs the database there. "
                f"Await {type(self).__name__}.a{name}() instead, or call it from sync code."
            ) from error
        return result

    _face(method, flow)
    return method


def asynchronous(
    method: Callable[Concatenate[_S, _P], _R], /
) -> Callable[Concatenate[_S, _P], Coroutine[Any, Any, _R]]:
    """Return the async twin of a method made by ``sync``.

    Args:
        method: the sync method, of any name; the twin is to be bound to ``"a" + name``.

    Returns:
        A coroutine function with the flow's signature, docstring and types.

    Raises:
        TypeError: ``method`` was not made by ``sync``.
    """
    flow = natures.facts_of(method).flow
    if flow is None:
        raise TypeError(f"asynchronous takes a method made by sync, got {method!r}.")
    name = flow.__name__
    async_name = "a" + name

    async def twin(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        result: _R = await arun(_meant(self, name, async_name, face, flow, args, kwargs))
        return result

    face: Callable[Concatenate[_S, _P], Coroutine[Any, Any, _R]] = noted_until_awaited(twin, name)
    _face(face, flow, "a")
    return face


@overload
def sync_or_async(
    flow: Callable[Concatenate[_S, _P], Coroutine[Any, Any, _R]], /
) -> Callable[Concatenate[_S, _P], Coroutine[Any, Any, _R]]: ...
@overload
def sync_or_async(
    flow: Callable[Concatenate[_S, _P], _R], /
) -> Callable[Concatenate[_S, _P], Coroutine[Any, Any, _R]]: ...
def sync_or_async(flow: Any, /) -> Any:
    """Make a method of a flow that has one name for both colours, like a handler.

    On an event loop it returns an awaitable. Where no loop runs (a sync override in the worker thread), it runs the
    flow to its result.

    Args:
        flow: a flow, written as a method, or the sync method made from one.

    Returns:
        A function marked as a coroutine function, with the flow's signature and docstring.
    """
    written: Any = natures.facts_of(flow).flow or flow

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        coroutine = written(self, *args, **kwargs)
        return arun(coroutine) if on_loop() else run(coroutine)

    _face(method, written)
    return marked_async(method)


def noted_until_awaited(function: Any, name: str) -> Any:
    """Wrap a coroutine function so that its calls are noted as pending; return it as it is if it may be dropped."""
    if not is_check(name):
        return function

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return note_pending(self, name, function(self, *args, **kwargs), sys._getframe(1))

    return marked_async(update_wrapper(method, function))


def _meant(
    obj: Any, name: str, attr: str, face: Any, flow: Flow, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Coroutine[Any, Any, Any]:
    """Call the definition meant by a call of ``obj.attr``, a method made from ``flow``: nearly always the flow.

    Args:
        name: the hook's sync name.
        attr: the name under which the method was called.
        face: the method itself, which may have been reached by its name, by ``super()`` or by a reference.
    """
    own = getattr(obj, "__dict__", ())
    if name not in own and "a" + name not in own:
        found = plan_of(type(obj)).definition(name)
        if found is not None and found.flow is flow:
            return flow(obj, *args, **kwargs)
    if is_reached_by_name(obj, attr, face):
        return call_by_name(obj, name, args, kwargs)
    # Reached through super(): find where in the MRO the caller stands, and go on from there.
    mro = type(obj).__mro__
    start = 0
    for place, base in enumerate(mro):
        if (held := base.__dict__.get(attr)) is face:
            return call_nearest_of(mro[start:], obj, name, args, kwargs)
        if held is not None:
            start = place + 1
    return flow(obj, *args, **kwargs)  # in no class any more: somebody kept a reference to it and calls that


def is_reached_by_name(obj: Any, attr: str, method: Any) -> bool:
    """Tell whether ``obj.attr`` finds ``method``.

    If so, a generated method calls the override that may have been set on the class or the object later. If not, an
    override has called it, through ``super()`` or a reference that it kept, and must not be called again.
    """
    return getattr(type(obj), attr, None) is method and attr not in getattr(obj, "__dict__", ())


async def call_by_name(obj: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call the definition of a hook that an attribute look-up finds now."""
    # An async def, so that hook() runs under the driver of this flow, not under an outer one.
    return await hook(obj, name, *args, **kwargs)


async def call_nearest_of(
    mro: Sequence[type], obj: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """Call the first definition of a hook in ``mro``, as ``super()`` would from the class before it."""
    found = resolution.definition_in(mro, name)
    if found is None:
        raise AttributeError(f"{type(obj).__name__!r} object has no attribute {name!r}")
    if found.flow is not None:
        return await found.flow(obj, *args, **kwargs)
    for_sync, for_async = (resolution.bound(raw, obj) for raw in (found.for_sync, found.for_async))
    return await taken(Step(for_sync, found.for_sync_awaits, for_async, found.for_async_awaits, args, kwargs))
