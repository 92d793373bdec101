"""The public faces of a flow, and the classes whose hooks have two colours."""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import lru_cache, update_wrapper
from itertools import filterfalse
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar, overload

from django.core.exceptions import SynchronousOnlyOperation
from django.db.transaction import Atomic, atomic

from restflow.flow import resolution
from restflow.flow.bridges import may_give_coroutine
from restflow.flow.drivers import arun, marked_async, on_loop, run
from restflow.flow.resolution import Flow
from restflow.flow.steps import Step, Unanswered, call, hook, is_awaitable, trap

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
            if _gives_way(self, name, name, method, flow):
                result: _R = run(_by_name(self, name, args, kwargs))
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
    async_name = "a" + name

    async def twin(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        if _gives_way(self, name, async_name, twin, flow):
            result: _R = await arun(_by_name(self, name, args, kwargs))
        else:
            result = await arun(flow(self, *args, **kwargs))
        return result

    _face(twin, flow, "a")
    return twin


@overload
def either(
    flow: Callable[Concatenate[_S, _P], Coroutine[Any, Any, _R]], /
) -> Callable[Concatenate[_S, _P], Coroutine[Any, Any, _R]]: ...
@overload
def either(flow: Callable[Concatenate[_S, _P], _R], /) -> Callable[Concatenate[_S, _P], Coroutine[Any, Any, _R]]: ...
def either(flow: Any, /) -> Any:
    """Make a flow a method with one name for both colours, as handlers have.

    Called on an event loop it gives an awaitable; called where none runs (a user's sync override, in the worker
    thread), it runs to its result.

    Args:
        flow: a flow, written as a method, or the sync method made of one.

    Returns:
        A function marked as a coroutine function, with the flow's signature and docstring.
    """
    written: Any = resolution.flows.get(flow, flow)

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        coroutine = written(self, *args, **kwargs)
        return arun(coroutine) if on_loop() else run(coroutine)

    _face(method, written)
    return marked_async(method)


def _dual(cls: type, name: str, raw: Any) -> None:
    """Make an async hook that ``cls`` writes under its sync name decide the same when DRF's sync code calls it."""

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        function = resolution.bound(raw, self)
        return Unanswered(function(*args, **kwargs)) if on_loop() else run(call(function, *args, **kwargs))

    if type(raw) is types.FunctionType:
        update_wrapper(method, raw)
    else:
        method.__name__, method.__qualname__, method.__module__ = name, f"{cls.__qualname__}.{name}", cls.__module__
    resolution.learn_dual(method)
    setattr(cls, name, marked_async(method))


def _answering(cls: type, name: str, raw: Any) -> None:
    """Have a sync wrapper around an async hook, which ``cls`` writes, give DRF's sync code no coroutine."""

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        function = resolution.bound(raw, self)
        if not on_loop():
            return run(call(function, *args, **kwargs))
        value = function(*args, **kwargs)
        return Unanswered(value) if is_awaitable(value) else value

    update_wrapper(method, raw.__func__ if isinstance(raw, (staticmethod, classmethod)) else raw)
    resolution.learn_answering(method)
    setattr(cls, name, method)


def _is_made_here(function: Any) -> bool:
    return type(function) is types.FunctionType and function.__globals__ is globals()


class TwoColoured:
    """Base of the classes whose hooks have two colours; completes each subclass when it is made.

    Where a class writes a hook in one colour only, it gets the other as a twin of it, so that plain Python
    (``super()``, a direct call, DRF's own sync code) means what ``hook`` means. A plain mixin, or a base of DRF's
    colour, that is listed before our base is completed the same way: without a twin of its own, ``super()`` under the
    other name would go past it.

    ``class Base(TwoColoured, hooks=("has_permission",))`` names the hooks; ``methods=`` those of our methods that have
    one name.
    """

    _restflow_hooks: ClassVar[Mapping[str, type]] = {}
    _restflow_methods: ClassVar[Mapping[str, type]] = {}

    def __init_subclass__(cls, hooks: Sequence[str] = (), methods: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _refuse_computed_names(cls)
        _refuse_lost_transactions(cls)
        cls._restflow_hooks = _declared(cls, hooks, "_restflow_hooks")
        cls._restflow_methods = _declared(cls, methods, "_restflow_methods")
        names = {*cls._restflow_hooks, *("a" + name for name in cls._restflow_hooks), *cls._restflow_methods}
        written = {name for base in cls.__mro__ if not _is_settled(base) for name in names & vars(base).keys()}
        for name, declarer in cls._restflow_hooks.items():
            if name in written or "a" + name in written:
                for base in _overrides(cls, name, declarer):
                    _complete(base, name)
        for name in written & cls._restflow_methods.keys():
            _overrides(cls, name, cls._restflow_methods[name])


def _refuse_computed_names(cls: type) -> None:
    """Refuse a ``__getattribute__``: a hook that it makes up would not be found, because hooks are found by class.

    Raises:
        TypeError: naming the class.
    """
    for base in cls.__mro__:
        if "__getattribute__" in vars(base) and base is not object and not _is_settled(base):
            raise TypeError(
                f"{base.__name__} writes __getattribute__, and a method that it makes up would not be asked: restflow "
                f"finds the methods of {cls.__name__} by its classes. Write methods or properties."
            )


def _refuse_lost_transactions(cls: type) -> None:
    """Refuse ``transaction.atomic`` around an ``async def``: it would end, with success, before the function runs.

    Raises:
        TypeError: naming the function and what to write instead.
    """
    for base in cls.__mro__:
        for name, raw in vars(base).items() if not _is_settled(base) else ():
            function, is_atomic = raw, False
            # Functions only: a lazy object would be evaluated by the look, and some answer to every name.
            while type(function) is types.FunctionType and "__wrapped__" in vars(function):
                if not resolution.is_coroutine_function(function):  # an async wrapper awaits what it wraps
                    is_atomic = is_atomic or any(map(_is_atomic, function.__closure__ or ()))
                function = vars(function)["__wrapped__"]
            if is_atomic and resolution.is_coroutine_function(function):
                raise TypeError(
                    f"{base.__name__}.{name} is async, and transaction.atomic around it would end before it runs. "
                    f"Write {name} as a plain def, which runs in the worker thread, or put the statements of the "
                    "transaction into a sync function of their own."
                )


def _is_atomic(cell: types.CellType) -> bool:
    try:
        held = cell.cell_contents
    except ValueError:  # nothing yet
        return False
    decorators = held if isinstance(held, (list, tuple)) else [held]
    return any(decorator is atomic or isinstance(decorator, Atomic) for decorator in decorators)


def _is_settled(cls: type) -> bool:
    """Tell whether ``cls`` is a base of ours, or one that ours are built on."""
    return cls.__module__.startswith(("restflow.", "rest_framework.", "django.", "builtins"))


def _declared(cls: type, names: Sequence[str], attr: str) -> dict[str, type]:
    declared: dict[str, type] = dict.fromkeys(names, cls)
    for base in reversed(cls.__mro__[1:]):
        declared.update(base.__dict__.get(attr, {}))
    return declared


def _overrides(cls: type, name: str, declarer: type) -> list[type]:
    """Return the classes that write a hook before our base does, nearest first.

    Raises:
        TypeError: one stands behind our base, where Python would never ask it.
    """
    found: list[type] = []
    ours: type | None = None
    for base in cls.__mro__:
        if resolution.nearest([base], name) is None or (base is not declarer and issubclass(declarer, base)):
            continue
        if not _is_drfs(base) and resolution.definition_by(base, name).flow is not None:
            ours = ours or base
        elif ours is None:
            found.append(base)
        elif not _is_settled(base):
            raise TypeError(
                f"{base.__name__}.{name} would never be called on {cls.__name__}, because {ours.__name__} comes before "
                f"it. List {base.__name__} first: class {cls.__name__}({base.__name__}, ...)."
            )
    return found


def _is_drfs(cls: type) -> bool:
    return cls.__module__.startswith("rest_framework.")


def _complete(base: type, name: str) -> None:
    """Give ``base``, which writes a hook, both names of it. A class of DRF's is left alone."""
    if _is_drfs(base):
        return
    async_name = "a" + name
    raw = resolution.written(base, name)
    if raw is resolution.ABSENT:
        _generate(base, name, name)
        return
    if resolution.written(base, async_name) is resolution.ABSENT:
        _generate(base, name, async_name)
    nature = resolution.nature_of(raw)
    if nature.awaits:
        if not nature.dual:
            _dual(base, name, raw)
    elif nature.harmless is None and not _is_made_here(raw) and may_give_coroutine(raw):
        _answering(base, name, raw)


async def _by_name(obj: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    # Asked inside a flow, so that the driver that answers is the flow's and not one around it.
    return await hook(obj, name, *args, **kwargs)


async def _next_after(
    holder: type, obj: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], *, copied: bool = False
) -> Any:
    """Call the hook's definition that is nearest from ``holder`` on, as an attribute look-up from there would."""
    mro = holder.__mro__ if copied or holder not in type(obj).__mro__ else type(obj).__mro__
    start = mro.index(holder)
    # Classes of DRF's before the holder have no twin of their own by which super() would stop at them.
    while start and (_is_drfs(mro[start - 1]) or resolution.nearest([mro[start - 1]], name) is None):
        start -= 1
    return await _nearest_of(mro[start:], obj, name, args, kwargs)


async def _nearest_of(mro: Sequence[type], obj: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    definer = resolution.nearest(mro, name)
    if definer is None:
        raise AttributeError(f"{type(obj).__name__!r} object has no attribute {name!r}")
    found = resolution.definition_by(definer, name)
    if found.flow is not None:
        return await found.flow(obj, *args, **kwargs)
    for_sync, for_async = (resolution.bound(raw, obj) for raw in (found.for_sync, found.for_async))
    return await trap(Step(for_sync, found.for_sync_awaits, for_async, found.for_async_awaits, args, kwargs))


def parent(classes: tuple[type, ...], obj: Any, name: str, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
    """Call, from a flow, the hook ``name`` of ``obj`` as a class behind the flow's writes it: ``super()`` of a flow.

    Args:
        classes: the flow's class, and others that are passed over.
        obj: the owner of the hook.
        name: the hook's sync name.
        args: positional arguments of the hook.
        kwargs: keyword arguments of the hook.

    Returns:
        To be awaited: what the hook returned.

    Raises:
        AttributeError: no class behind has such a hook.
    """
    mro = type(obj).__mro__
    behind = tuple(filterfalse(classes.__contains__, mro[mro.index(classes[0]) + 1 :]))
    return _nearest_of(behind, obj, name, args, kwargs)


def _generate(holder: type, name: str, attr: str) -> None:
    """Give ``holder`` the twin ``attr`` of a hook that it, or a class behind it, writes under the other name."""

    def coroutine(obj: Any, made: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Coroutine[Any, Any, Any]:
        provider = next((base for base in type(obj).__mro__ if base.__dict__.get(attr) is made), None)
        if provider is holder and _is_reached_by_name(obj, attr, made):
            return _by_name(obj, name, args, kwargs)
        return _next_after(holder, obj, name, args, kwargs, copied=provider not in (None, holder))

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return run(coroutine(self, method, args, kwargs))

    async def amethod(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return await arun(coroutine(self, amethod, args, kwargs))

    made: Any = method if attr == name else amethod
    made.__name__, made.__qualname__, made.__module__ = attr, f"{holder.__qualname__}.{attr}", holder.__module__
    made.__doc__ = f"Call ``{name}``, in whichever colour it is written."
    resolution.learn_generated(made, holder, attr)
    setattr(holder, attr, made)


def _gives_way(obj: Any, name: str, attr: str, method: Any, flow: Flow) -> bool:
    """Tell whether ``obj.attr``, a face of ``flow``, is reached by name and the hook ``name`` means something else."""
    memory = resolution.memories[name]
    own = getattr(obj, "__dict__", ())
    if name not in own and memory.async_name not in own:
        found = memory.resolve(type(obj))
        if found is not None and found.flow is flow:
            return False
    return _is_reached_by_name(obj, attr, method)


def _is_reached_by_name(obj: Any, attr: str, method: Any) -> bool:
    """Tell whether ``obj.attr`` finds ``method``.

    Reached by name, a twin gives way to an override that was set on the class or the object after the class was made.
    Reached through ``super()``, or by an override that kept it to call it, it must not: that is how an override comes
    here.
    """
    return getattr(type(obj), attr, None) is method and attr not in getattr(obj, "__dict__", ())


def give_twins(obj: Any, names: tuple[str, ...]) -> None:
    """Give one object the async twins of hooks, but for those that its class has.

    Args:
        obj: an object of a class that is not ours (a plain DRF serializer).
        names: the hooks' sync names.
    """
    own, cls = vars(obj), type(obj)
    for attr, method in _twins_of_objects(names):
        if attr not in own and not hasattr(cls, attr):
            own[attr] = types.MethodType(method, obj)


@lru_cache
def _twins_of_objects(names: tuple[str, ...]) -> list[tuple[str, Callable[..., Any]]]:
    return [("a" + name, _object_twin(name)) for name in names]


def _object_twin(name: str) -> Callable[..., Any]:
    async def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return await arun(_by_name(self, name, args, kwargs))

    method.__name__ = method.__qualname__ = "a" + name
    resolution.learn_generated(method, object, "a" + name)
    return method


class _Twin:
    """A placeholder for the twins of a hook, replaced when its class is made."""

    def __init__(self, hook_name: str, *, of_both: bool = True) -> None:
        self.hook_name = hook_name
        self.of_both = of_both

    def __set_name__(self, owner: type, name: str) -> None:
        if self.of_both:
            _generate(owner, self.hook_name, self.hook_name)
        _generate(owner, self.hook_name, name)


def twin(name: str) -> Any:
    """Declare, in the body of a ``TwoColoured`` class, the async twin of a hook that the class's DRF base writes.

    Args:
        name: the hook's sync name.

    Returns:
        A placeholder: the class gets the hook under both names, and each calls it in whichever colour it is written.
    """
    return _Twin(name)


def async_twin(name: str) -> Any:
    """Declare the async twin of a hook, as ``twin`` does, and leave the sync name to DRF's own function.

    For a hook that DRF's loops call once for each item: a sync twin would cost each of them a flow.

    Args:
        name: the hook's sync name.

    Returns:
        A placeholder.
    """
    return _Twin(name, of_both=False)
