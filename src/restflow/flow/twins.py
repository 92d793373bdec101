"""The public faces of a flow, and the classes whose hooks have two colours."""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import lru_cache, update_wrapper
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

from django.core.exceptions import SynchronousOnlyOperation

from restflow.flow import resolution
from restflow.flow.drivers import arun, marked_async, on_loop, run
from restflow.flow.resolution import Flow
from restflow.flow.steps import Step, call, hook, trap

_S = TypeVar("_S")
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _face(function: Any, flow: Flow, prefix: str = "") -> None:
    """Make ``function`` a public face of ``flow``: its signature and docstring, and entered as it by the drivers."""
    update_wrapper(function, flow)
    function.__name__ = prefix + flow.__name__
    function.__qualname__ = f"{flow.__qualname__.removesuffix(flow.__name__)}{function.__name__}"
    resolution.learn_flow(function, flow)


def sync(flow: Callable[Concatenate[_S, _P], Coroutine[Any, Any, _R]], /) -> Callable[Concatenate[_S, _P], _R]:
    """Make a flow a sync method, which runs it to its result where it is called.

    Args:
        flow: a flow, written as a method under the sync name.

    Returns:
        A function with the flow's signature, docstring and types.
    """
    name = flow.__name__

    def method(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            if getattr(type(self), name, None) is method:
                # Reached by name, a twin gives way to an override that was set on the class after it was made. Reached
                # through super() it must not: that is how the override itself comes here.
                result: _R = run(hook(self, name, *args, **kwargs))
            else:
                result = run(flow(self, *args, **kwargs))
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
    flow = resolution.flows.get(method)
    if flow is None:
        raise TypeError(f"asynchronous takes a method made by sync, got {method!r}.")
    name = flow.__name__

    async def twin(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        if getattr(type(self), "a" + name, None) is twin:  # reached by name, as above
            result: _R = await arun(hook(self, name, *args, **kwargs))
        else:
            result = await arun(flow(self, *args, **kwargs))
        return result

    _face(twin, flow, "a")
    return twin


def either(
    flow: Callable[Concatenate[_S, _P], Coroutine[Any, Any, _R]], /
) -> Callable[Concatenate[_S, _P], Coroutine[Any, Any, _R]]:
    """Make a flow a method with one name for both colours, as handlers have.

    Called on an event loop it gives an awaitable; called where none runs (a user's sync override, in the worker
    thread), it runs to its result.

    Args:
        flow: a flow, written as a method.

    Returns:
        A function marked as a coroutine function, with the flow's signature and docstring.
    """

    def method(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> Any:
        coroutine = flow(self, *args, **kwargs)
        return arun(coroutine) if on_loop() else run(coroutine)

    _face(method, flow)
    return marked_async(method)


def _dual(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make an ``async def`` under a hook's sync name decide the same when DRF's sync code calls it."""

    def method(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs) if on_loop() else run(call(function, *args, **kwargs))

    update_wrapper(method, function)
    resolution.learn_dual(method)
    return marked_async(method)


class TwoColoured:
    """Base of the classes whose hooks have two colours; completes each subclass when it is made.

    Where the class nearest to an object writes a hook in one colour only, the class gets the other as a twin of it, so
    that plain Python (``super()``, a direct call, DRF's own sync code) means what ``hook`` means.

    ``class Base(TwoColoured, hooks=("has_permission",))`` names the hooks.
    """

    _restflow_hooks: ClassVar[Mapping[str, type]] = {}

    def __init_subclass__(cls, hooks: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        declared: dict[str, type] = dict.fromkeys(hooks, cls)
        for base in reversed(cls.__mro__[1:]):
            declared.update(base.__dict__.get("_restflow_hooks", {}))
        cls._restflow_hooks = declared
        for name, declarer in declared.items():
            _complete(cls, name, declarer)


def _complete(cls: type, name: str, declarer: type) -> None:
    own = cls.__dict__.get(name)
    if isinstance(own, types.FunctionType) and resolution.is_coroutine_function(own):
        setattr(cls, name, _dual(own))
    definer = resolution.nearest(cls.__mro__, name)
    if definer is None:
        return
    definition = resolution.definition_by(definer, name)
    if definition.flow is not None:
        _refuse_shadowing(cls, name, definer, declarer)
    if definition.flow is not None or (definer is not declarer and issubclass(declarer, definer)):
        return
    async_name = "a" + name
    if definition.for_async == name:
        _generate(cls, name, async_name, definer)
    if definition.for_sync == async_name:
        _generate(cls, name, name, definer)
    elif definition.for_sync_awaits and definer.__dict__[name] not in resolution.duals:  # a mixin that is no base's
        _generate(cls, name, name, definer, dual=True)


def _refuse_shadowing(cls: type, name: str, definer: type, declarer: type) -> None:
    """Fail closed where an override stands behind our base, which Python would never ask."""
    behind = cls.__mro__[cls.__mro__.index(definer) + 1 :]
    for base in behind:
        if issubclass(declarer, base) or base.__module__.startswith("rest_framework."):
            continue
        if resolution.nearest([base], name) and resolution.definition_by(base, name).flow is None:
            raise TypeError(
                f"{base.__name__}.{name} would never be called on {cls.__name__}, because {definer.__name__} comes "
                f"before it. List {base.__name__} first: class {cls.__name__}({base.__name__}, ...)."
            )


async def _next_after(holder: type, obj: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call the hook's definition that is nearest from ``holder`` on, as an attribute lookup from there would."""
    mro = type(obj).__mro__
    definer = resolution.nearest(mro[mro.index(holder) :], name)
    if definer is None:
        raise AttributeError(f"{type(obj).__name__!r} object has no attribute {name!r}")
    found = resolution.definition_by(definer, name)
    if found.flow is not None:
        return await found.flow(obj, *args, **kwargs)
    for_sync, for_async = (definer.__dict__[attr].__get__(obj, type(obj)) for attr in (found.for_sync, found.for_async))
    return await trap(Step(for_sync, found.for_sync_awaits, for_async, found.for_async_awaits, args, kwargs))


def _generate(holder: type, name: str, attr: str, definer: type | None = None, *, dual: bool = False) -> None:
    """Give ``holder`` the twin ``attr`` of a hook, unless it already finds one before the hook's ``definer``."""
    provider = next((base for base in holder.__mro__ if attr in base.__dict__), None)
    if definer and provider and holder.__mro__.index(provider) < holder.__mro__.index(definer):
        return

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        coroutine = _next_after(holder, self, name, args, kwargs)
        return arun(coroutine) if dual and on_loop() else run(coroutine)

    async def amethod(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return await arun(_next_after(holder, self, name, args, kwargs))

    made: Any = method if attr == name else amethod
    made.__name__, made.__qualname__, made.__module__ = attr, f"{holder.__qualname__}.{attr}", holder.__module__
    made.__doc__ = f"Call ``{name}`` of this class, in whichever colour it is written."
    resolution.learn_generated(made)
    setattr(holder, attr, marked_async(made) if dual else made)


def give_twin(obj: Any, name: str) -> None:
    """Give one object the async twin of a hook, unless its class has it.

    Args:
        obj: an object of a class that is not ours (a plain DRF serializer).
        name: the hook's sync name.
    """
    if not hasattr(type(obj), "a" + name):
        setattr(obj, "a" + name, types.MethodType(_object_twin(name), obj))


@lru_cache
def _object_twin(name: str) -> Callable[..., Any]:
    async def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return await arun(hook(self, name, *args, **kwargs))

    method.__name__ = method.__qualname__ = "a" + name
    resolution.learn_generated(method)
    return method


class _Twin:
    """A placeholder for the async twin of a hook, replaced when its class is made."""

    def __init__(self, hook_name: str) -> None:
        self.hook_name = hook_name

    def __set_name__(self, owner: type, name: str) -> None:
        _generate(owner, self.hook_name, name)


def twin(name: str) -> Any:
    """Declare, in the body of a ``TwoColoured`` class, the async twin of a hook that the class's DRF base writes.

    Args:
        name: the hook's sync name.

    Returns:
        A placeholder: the class gets a coroutine method that calls the hook in whichever colour it is written.
    """
    return _Twin(name)
