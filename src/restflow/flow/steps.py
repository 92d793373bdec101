"""The steps that a flow may await: ``hook``, ``call``, ``blocking`` and ``attribute``.

Here it is decided whether a call is made in place: where blocking code may run, and on the event loop if the function
is known never to block. Any other call is yielded to the driver, as a ``Step``.
"""

from __future__ import annotations

import inspect
import sys
import threading
import types
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from functools import partial
from typing import Any, ParamSpec, TypeVar

from restflow.flow.natures import nature_of, never_blocks
from restflow.flow.pending import Pending
from restflow.flow.plan import NOT_LOOKED_FOR, is_changed, plan_of, plans
from restflow.flow.resolution import ABSENT, bound, definition_by, held, is_own_twin, nearest, written

_P = ParamSpec("_P")
_R = TypeVar("_R")


_NOTHING: Mapping[str, Any] = types.MappingProxyType({})


_CONTEXT: Any = BaseException.__context__


def _leave_as_it_was(error: BaseException, traceback: Any, context: Any) -> None:
    """Undo what raising an exception again does to it, though its class be frozen (a dataclass)."""
    error.with_traceback(traceback)
    _CONTEXT.__set__(error, context)


class Step:
    """A request of a flow to its driver: a callable for each driver, and whether calling it returns an awaitable.

    The flow is suspended while a driver takes the step. If it is in an ``except`` block, the step carries the exception
    along, so that a project's exception handler finds it in ``sys.exc_info()``. The driver then clears it, because a
    traceback may refer to this step.
    """

    __slots__ = ("args", "for_async", "for_async_awaits", "for_sync", "for_sync_awaits", "handled", "kwargs")

    def __init__(
        self,
        for_sync: Callable[..., Any],
        for_sync_awaits: bool,
        for_async: Callable[..., Any],
        for_async_awaits: bool,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] = _NOTHING,
    ) -> None:
        self.for_sync = for_sync
        self.for_sync_awaits = for_sync_awaits
        self.for_async = for_async
        self.for_async_awaits = for_async_awaits
        self.args = args
        self.kwargs = kwargs
        self.handled = sys.exception()

    def call(self, function: Callable[..., Any]) -> Any:
        """Call one of the two callables, with the same ``sys.exc_info()`` as in the flow."""
        handled = self.handled
        if handled is None:
            return function(*self.args, **self.kwargs)
        seen = handled.__traceback__, handled.__context__
        try:
            raise handled
        except BaseException:
            _leave_as_it_was(handled, *seen)
            return function(*self.args, **self.kwargs)
        finally:
            del handled, seen

    async def awaited(self, function: Callable[..., Any]) -> Any:
        """Call one that returns an awaitable, and await that, with the same ``sys.exc_info()`` as in the flow."""
        handled = self.handled
        if handled is None:
            return await function(*self.args, **self.kwargs)
        seen = handled.__traceback__, handled.__context__
        try:
            raise handled
        except BaseException:
            _leave_as_it_was(handled, *seen)
            return await function(*self.args, **self.kwargs)
        finally:
            del handled, seen

    def settling(self, value: Any) -> Step:
        """Return the step that awaits what this one returned, and give it the exception being handled."""
        step = settle(value)
        step.handled, self.handled = self.handled, None
        return step


class _Here(threading.local):
    """The driver of the flow that runs in this thread; None on the event loop, where no step may block."""

    driver: Driver | None = None


class Driver:
    """A driver under which a flow may call blocking code directly."""

    prefers_async = False
    """Whether it takes the async definition of a hook that a class writes in both colours."""

    cancelled = False
    """Whether a cancellation is to be raised in the flow at its next step."""


here = _Here()


def may_block_here() -> bool:
    """Tell whether a flow calls blocking steps directly: it is in the worker thread, or under ``run``."""
    driver = here.driver
    return driver is not None and not driver.cancelled


@types.coroutine
def trap(step: Step) -> Generator[Step, Any, Any]:
    """Yield ``step`` to the driver, which resumes the flow with its result or its exception."""
    return (yield step)


async def taken(step: Step) -> Any:
    """Return the result of ``step``, which the driver runs."""
    return await trap(step)


BUILTIN_TYPES = frozenset({bool, type(None), str, int, float, bytes, dict, list, tuple, set})


def is_awaitable(value: Any) -> bool:
    """Tell whether ``value`` is awaitable: ``inspect.isawaitable``, with a short cut for common types."""
    cls = type(value)
    if cls in BUILTIN_TYPES:
        return False
    return hasattr(cls, "__await__") or (cls is types.GeneratorType and inspect.isawaitable(value))


def _itself(value: Any) -> Any:
    return value


def settle(value: Any) -> Step:
    """Return the step that awaits ``value``."""
    function = partial(_itself, value)
    return Step(function, True, function, True)


def drop(step: Step) -> None:
    """Discard a step that will not be run, and close its coroutine, which would warn that it was never awaited."""
    function = step.for_async
    if isinstance(function, partial) and function.func is _itself:
        value = function.args[0]
        if isinstance(value, (types.CoroutineType, Pending)):
            value.close()


async def blocking(function: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """Call ``function`` where it may block: directly under ``run``, in the request's worker thread under ``arun``.

    Args:
        function: any sync callable (the ORM, a file, a parser). If it returns an awaitable, that is awaited.

    Returns:
        What ``function`` returned.

    Raises:
        BaseException: whatever ``function`` raised, at this ``await``.
    """
    driver = here.driver
    result: _R
    if driver is not None and not driver.cancelled:
        result = await _done(function(*args, **kwargs))
    else:
        result = await trap(Step(function, False, function, False, args, kwargs))
    return result


def call(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
    """Call ``function``, of either colour: on the event loop if it is async, otherwise where it may block.

    Args:
        function: a function, bound method, partial or callable object; if it is made from a flow, the flow is run.

    Returns:
        A coroutine, whose result is what ``function`` returned; if that is an awaitable, its result.

    Raises:
        BaseException: whatever ``function`` raised.
    """
    answer = asked(function, *args, **kwargs)
    coroutine: Coroutine[Any, Any, Any] = answer if type(answer) is types.CoroutineType else _value(answer)
    return coroutine


def asked(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call ``function`` as ``call`` does, but return the result of sync code directly if it may run here.

    For frequent calls, where an extra coroutine would cost as much as the call itself.

    Args:
        function: as for ``call``.

    Returns:
        What sync code returned, if it may run here; otherwise a coroutine to await, as from ``call``.

    Raises:
        BaseException: whatever sync code raised, if it was called directly.
    """
    inner: Any = function
    owner: tuple[Any, ...] = ()
    if type(inner) is types.MethodType:
        inner, owner = inner.__func__, (inner.__self__,)
    nature = nature_of(inner)
    if nature.flow is not None:
        return nature.flow(*owner, *args, **kwargs)
    driver = here.driver
    in_place = driver is not None and not (nature.awaits or driver.cancelled)
    if in_place or (nature.never_blocks is not None and nature.never_blocks(*owner, *args, **kwargs)):
        value = function(*args, **kwargs)
        return _done(value) if is_awaitable(value) else value
    return taken(Step(function, nature.awaits, function, nature.awaits, args, kwargs))


def awaited(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
    """Call ``function`` on the event loop and await the result, even if its code does not look async.

    Args:
        function: a callable that is marked as async for Django; if it is made from a flow, the flow is run.

    Returns:
        A coroutine, whose result is that of the awaitable which ``function`` returned.

    Raises:
        BaseException: whatever ``function`` raised.
    """
    inner: Any = function
    owner: tuple[Any, ...] = ()
    if type(inner) is types.MethodType:
        inner, owner = inner.__func__, (inner.__self__,)
    flow = nature_of(inner).flow
    return taken(Step(function, True, function, True, args, kwargs)) if flow is None else flow(*owner, *args, **kwargs)


def hook(obj: Any, name: str, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
    """Call the hook ``name`` of ``obj``, in the colour in which the nearest class of its MRO defines it.

    The first class of ``type(obj).__mro__`` that defines ``name`` or ``"a" + name`` decides. If it defines both, the
    driver takes its own colour. An attribute set on the object itself comes before its class, as in Python.

    Args:
        obj: the component or view that owns the hook.
        name: the hook's sync name (``"has_permission"``).

    Returns:
        A coroutine, whose result is what the hook returned; if that is an awaitable, its result.

    Raises:
        AttributeError: ``obj`` has no such hook.
        BaseException: whatever the hook raised.
    """
    # Not an `async def`, to save a coroutine: a request asks some twenty hooks, and most are answered in place.
    own, cls = getattr(obj, "__dict__", _NOTHING), type(obj)
    plan = plans.get(cls) or plan_of(cls)
    # `Plan.definition`, inlined for the usual case: the hook is known and unchanged.
    async_name, by_sync_name, by_async_name, behind, found = plan.hooks.get(name, NOT_LOOKED_FOR)
    if (
        by_sync_name is not getattr(cls, name, None)
        or by_async_name is not getattr(cls, async_name, None)
        or (behind is not None and is_changed(behind, name))
    ):
        found, async_name = plan.definition(name), "a" + name
    if own and (name in own or (async_name in own and not is_own_twin(own[async_name], obj))):
        return _own_hook(obj, own, name, args, kwargs)  # an attribute of the object itself
    if found is None:
        return _proxied_hook(obj, name, args, kwargs)
    if (flow := found.flow) is not None:
        return flow(obj, *args, **kwargs)
    driver = here.driver
    if driver is not None and not driver.cancelled:  # blocking code may run here
        in_async = driver.prefers_async
        if not (found.for_async_awaits if in_async else found.for_sync_awaits):
            return _done(bound(found.for_async if in_async else found.for_sync, obj)(*args, **kwargs))
    elif (function := found.in_place) is not None and ((when := found.when) is None or when(obj, *args, **kwargs)):
        return _done(function(obj, *args, **kwargs))
    for_sync, for_async = bound(found.for_sync, obj), bound(found.for_async, obj)
    return taken(Step(for_sync, found.for_sync_awaits, for_async, found.for_async_awaits, args, kwargs))


async def _done(value: Any) -> Any:
    """Return what was called in place: a coroutine of it, because whoever asked for the step awaits one."""
    if type(value) in BUILTIN_TYPES or not is_awaitable(value):
        return value
    return await trap(settle(value))  # a coroutine is never taken for a yes


async def _proxied_hook(obj: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call a hook that no class of ``obj`` defines: ``obj`` may be a proxy of another object (``__getattr__``)."""
    value: Any = None
    for each in await blocking(_names_of_double, obj, name) or (name, "a" + name):
        value = value or await blocking(getattr, obj, each, None)
    if type(value) is types.MethodType and value.__self__ is not obj:
        theirs = value.__self__
        if value in (getattr(theirs, name, None), getattr(theirs, "a" + name, None)):
            return await hook(theirs, name, *args, **kwargs)
    if value is None or is_own_twin(value, obj):
        raise AttributeError(f"{type(obj).__name__!r} object has no attribute {name!r}")
    return await call(value, *args, **kwargs)


def _names_of_double(obj: Any, name: str) -> tuple[str, ...]:
    """Return the name under which to call a hook of a test double, an object that reports another class as its own.

    A double has both names of a hook, and its author configured the one that the class defines.

    Returns:
        The name; both if the class defines both, and none if ``obj`` reports its real class.
    """
    claimed = obj.__class__
    if claimed is type(obj):
        return ()
    definer = nearest(claimed.__mro__, name)
    both = (name, "a" + name)
    if definer is None or definition_by(definer, name).flow is not None:
        return both[:1]
    return tuple(each for each in both if written(definer, each) is not ABSENT)


def _own_hook(
    obj: Any, own: Mapping[str, Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Coroutine[Any, Any, Any]:
    for_sync = own.get(name, own.get("a" + name))
    for_async = own.get("a" + name, for_sync)
    if for_sync is for_async or is_own_twin(for_async, obj):
        return call(for_sync, *args, **kwargs)
    if len(names := _names_of_double(obj, name)) == 1:
        return call(own[names[0]], *args, **kwargs)
    natures = nature_of(for_sync), nature_of(for_async)
    return taken(Step(for_sync, natures[0].awaits, for_async, natures[1].awaits, args, kwargs))


def attribute(obj: Any, name: str, /, *default: Any) -> Coroutine[Any, Any, Any]:
    """Read an attribute that a subclass may have made a property that blocks.

    Args:
        name: the attribute's name.
        default: what to return if there is none.

    Returns:
        A coroutine, whose result is the value.

    Raises:
        AttributeError: there is no such attribute, and no default.
    """
    raw = held(type(obj), name)
    if type(raw) in BUILTIN_TYPES or not hasattr(type(raw), "__get__"):
        return _value(getattr(obj, name, *default))
    if type(raw) is property and raw.fget is not None and never_blocks(raw.fget, obj):
        return _value(raw.fget(obj))
    return blocking(getattr, obj, name, *default)


async def _value(value: Any) -> Any:
    """Return a value for whoever awaits one; unlike ``_done``, as it is."""
    return value


async def truth(value: Any) -> bool:
    """Return the truth value of ``value``, where finding out may block (a query set fetches its rows).

    Args:
        value: what a check returned.
    """
    return bool(value) if type(value) in BUILTIN_TYPES else await blocking(bool, value)
