"""The steps a flow may await: ``hook``, ``call``, ``blocking`` and ``attribute``.

Calls a user's code where the flow may do so in place; else yields a ``Step`` to the driver. All flows consist of them.
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
    """What a flow asks of its driver: a callable for each driver, and whether calling it gives an awaitable.

    The flow is suspended while a driver takes the step, and with it the ``except`` block that it may be in: what is
    handled there comes along, so that an exception handler that logs ``sys.exc_info()`` finds it. The driver that has
    taken the step forgets it, because a traceback may lead here.
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
        """Call one of the step's two callables, where ``sys.exc_info()`` is what it is in the flow."""
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
        """Call one that gives an awaitable, and await that, as ``call`` does."""
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
        """Return the step that awaits what this one gave."""
        step = settle(value)
        step.handled, self.handled = self.handled, None
        return step


class _Here(threading.local):
    """Who drives the flow that runs in this thread; None on the event loop, where no step may block."""

    driver: Driver | None = None


class Driver:
    """A driver under which blocking code may run where the flow is."""

    prefers_async = False
    """Which colour it takes where a class writes both."""

    cancelled = False
    """Whether the flow is to be told of a cancellation at its next step."""


here = _Here()


def may_block_here() -> bool:
    """Tell whether a flow's blocking steps are taken on the spot: it is in the worker thread, or under ``run``."""
    driver = here.driver
    return driver is not None and not driver.cancelled


@types.coroutine
def trap(step: Step) -> Generator[Step, Any, Any]:
    """Hand ``step`` to whoever drives the flow, and be resumed with its result or its exception."""
    return (yield step)


async def taken(step: Step) -> Any:
    """Return the result of ``step``, which the driver takes."""
    return await trap(step)


BUILTIN_TYPES = frozenset({bool, type(None), str, int, float, bytes, dict, list, tuple, set})


def is_awaitable(value: Any) -> bool:
    """Tell whether ``value`` can be awaited, as ``inspect.isawaitable`` does, quickly for what most steps return."""
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
    """Give up a step that will not be taken: a coroutine it was to await would warn that nobody did."""
    function = step.for_async
    if isinstance(function, partial) and function.func is _itself:
        value = function.args[0]
        if isinstance(value, (types.CoroutineType, Pending)):
            value.close()


async def blocking(function: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """Call ``function`` where it may block: in place under ``run``, in the request's worker thread under ``arun``.

    Args:
        function: any sync callable (the ORM, a file, a parser). What it returns is awaited if it can be.

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
    """Call ``function``, whichever colour it is written in, where that colour belongs.

    Args:
        function: a function, bound method, partial or callable object; a twin of a flow is entered as that flow.

    Returns:
        To be awaited: what it returned, awaited where it can be awaited.

    Raises:
        BaseException: whatever ``function`` raised.
    """
    answer = asked(function, *args, **kwargs)
    coroutine: Coroutine[Any, Any, Any] = answer if type(answer) is types.CoroutineType else _value(answer)
    return coroutine


def asked(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call ``function`` as ``call`` does, and give what sync code gave at once.

    For what a request asks often: a coroutine that has nothing to wait for costs as much as the question.

    Args:
        function: as for ``call``.

    Returns:
        What sync code gave that may run here; else what ``call`` returns, a coroutine to be awaited.

    Raises:
        BaseException: whatever sync code raised that was called at once.
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
    """Call ``function`` on the event loop, and await what it gives: it is async, though its code may not say so.

    Args:
        function: a callable that Django takes for async, by a mark; a twin of a flow is entered as that flow.

    Returns:
        To be awaited: what it gave, awaited.

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
    """Call the hook ``name`` of ``obj``, in whichever colour the class nearest to ``type(obj)`` wrote it.

    The first class of ``type(obj).__mro__`` that writes ``name`` or ``"a" + name`` decides. Where it writes both, the
    driver takes its own colour. An attribute set on the object itself comes before its class, as in Python.

    Args:
        obj: the component or view that owns the hook.
        name: the hook's sync name (``"has_permission"``).

    Returns:
        To be awaited: what the hook returned, awaited where it can be awaited.

    Raises:
        AttributeError: ``obj`` has no such hook.
        BaseException: whatever the hook raised.
    """
    # A plain function, not an `async def`: a request asks some twenty hooks, and most are answered in place.
    own, cls = getattr(obj, "__dict__", _NOTHING), type(obj)
    plan = plans.get(cls) or plan_of(cls)
    # The comparison of `Plan.definition`, written out: the meaning of nearly all hooks is known, and holds.
    async_name, by_sync_name, by_async_name, behind, found = plan.hooks.get(name, NOT_LOOKED_FOR)
    if (
        by_sync_name is not getattr(cls, name, None)
        or by_async_name is not getattr(cls, async_name, None)
        or (behind is not None and is_changed(behind, name))
    ):
        found, async_name = plan.definition(name), "a" + name
    if own and (name in own or (async_name in own and not is_own_twin(own[async_name], obj))):
        return _own_hook(obj, own, name, args, kwargs)
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
    if type(value) in BUILTIN_TYPES or not is_awaitable(value):
        return value
    return await trap(settle(value))  # a coroutine is never taken for a yes


async def _proxied_hook(obj: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call a hook that no class of ``obj`` writes: ``obj`` may stand for another object (``__getattr__``)."""
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
    """Return by which name an object is asked that passes for one of another class, as test doubles do.

    A double has both names of a hook, and its author set the answer of the one that the class writes.

    Returns:
        The name; both where the class writes both, and none where ``obj`` passes for nothing else.
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
        default: what to return where there is none.

    Returns:
        To be awaited: its value.

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
    return value


async def truth(value: Any) -> bool:
    """Tell whether ``value`` is true, where telling may block (a query set is asked for its rows).

    Args:
        value: what a check answered.
    """
    return bool(value) if type(value) in BUILTIN_TYPES else await blocking(bool, value)
