"""Classes with hooks in two colours: when one is created, each hook that it writes in one colour gets the other.

Changes classes and calls none of their code. A generated method (a twin) calls the definition that is meant.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import update_wrapper
from typing import Any, ClassVar, ParamSpec, TypeVar
from weakref import ref

from restflow.flow import natures, refusals, resolution
from restflow.flow.drivers import arun, marked_async, on_loop, run
from restflow.flow.faces import call_by_name, call_nearest_of, is_reached_by_name, noted_until_awaited
from restflow.flow.functions import is_coroutine_function, is_made_here, layers, may_give_coroutine
from restflow.flow.pending import note_pending
from restflow.flow.plan import at_first_use
from restflow.flow.remembered import remembered
from restflow.flow.steps import BUILTIN_TYPES, call, is_awaitable
from restflow.flow.trust import is_drfs, is_frameworks, is_ours, is_trusted

_S = TypeVar("_S")
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _give_sync_code_results(cls: type, name: str, raw: Any, *, is_async: bool) -> None:
    """Replace a hook of ``cls`` that returns coroutines so that DRF's sync code gets the result when it calls it.

    On an event loop, whoever calls it gets the coroutine, and must await it. ``dual`` of ``flow/bridges.py``, for
    serializers, looks at the caller instead: DRF's loops may run on the event loop too, and would keep a coroutine as a
    value.

    Args:
        name: the hook's sync name, under which ``cls`` defines it.
        raw: what ``cls`` holds there.
        is_async: whether ``raw`` is async; otherwise it is a sync wrapper around an async hook.
    """

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        function = resolution.bound(raw, self)
        if not on_loop():
            return run(call(function, *args, **kwargs))
        value = function(*args, **kwargs)
        return note_pending(self, name, value, sys._getframe(1)) if is_awaitable(value) else value

    if is_async and type(raw) is not types.FunctionType:
        method.__name__, method.__qualname__, method.__module__ = name, f"{cls.__qualname__}.{name}", cls.__module__
    else:
        update_wrapper(method, raw.__func__ if isinstance(raw, (staticmethod, classmethod)) else raw)
    natures.learn(method, is_dual=is_async, is_answering=not is_async)
    setattr(cls, name, marked_async(method) if is_async else method)


class TwoColoured:
    """Base of the classes whose hooks have two colours; completes each subclass when it is created.

    If a class defines a hook in one colour only, it gets the other as a twin, so that plain Python (``super()``, a
    direct call, DRF's own sync code) means what ``hook`` means. A plain mixin, or a base in DRF's colour, that is
    listed before our base is completed the same way: without a twin of its own, ``super()`` under the other name would
    skip it.

    ``class Base(TwoColoured, hooks=("has_permission",))`` names the hooks; ``methods=`` names our methods that have
    only one name.
    """

    _restflow_hooks: ClassVar[Mapping[str, type]] = {}
    _restflow_methods: ClassVar[Mapping[str, type]] = {}

    def __init_subclass__(cls, hooks: Sequence[str] = (), methods: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _complete_class(cls, hooks, methods)


def _complete_class(cls: Any, hooks: Sequence[str] = (), methods: Sequence[str] = ()) -> None:
    refusals.refuse_lost_contexts(cls)
    all_hooks = _declared(cls, hooks, "_restflow_hooks")
    all_methods = _declared(cls, methods, "_restflow_methods")
    names = {*all_hooks, *("a" + name for name in all_hooks), *all_methods}
    written = {name for base in cls.__mro__ if not is_trusted(base) for name in names & vars(base).keys()}
    for name, declarer in all_hooks.items():
        if name in written or "a" + name in written:
            for base in _overrides(cls, name, declarer):
                _complete(base, name)
    for name in written & all_methods.keys():
        _overrides(cls, name, all_methods[name])
    # Set last: they mark the class as complete. A class that was refused above is checked again at its next use.
    cls._restflow_hooks, cls._restflow_methods = all_hooks, all_methods


@at_first_use
def _complete_late(cls: type) -> None:
    """Complete a class whose mixin has an ``__init_subclass__`` that does not call ``super()``."""
    if TwoColoured in cls.__mro__ and "_restflow_hooks" not in vars(cls):
        _complete_class(cls)


def _declared(cls: type, names: Sequence[str], attr: str) -> dict[str, type]:
    declared: dict[str, type] = dict.fromkeys(names, cls)
    for base in reversed(cls.__mro__[1:]):
        declared.update(base.__dict__.get(attr, {}))
    return declared


def _overrides(cls: type, name: str, declarer: type) -> list[type]:
    """Return the classes that define a hook before our base does, nearest first.

    Raises:
        TypeError: a class behind our base defines it, where Python never calls it, and DRF's class in the place of ours
            would have let it be called, or it is async and so was written for ours.
    """
    found: list[type] = []
    ours: type | None = None
    is_behind_drfs = False
    for base in cls.__mro__:
        is_behind_drfs = is_behind_drfs or (name in vars(base) and is_frameworks(base) and not is_ours(base))
        # `in __mro__`, because issubclass would call the metaclass of a user's class (a Protocol, an ABC).
        if resolution.nearest([base], name) is None or (base is not declarer and base in declarer.__mro__):
            continue
        if not is_drfs(base) and resolution.definition_by(base, name).flow is not None:
            ours = ours or base
        elif ours is None:
            found.append(base)
        elif not is_trusted(base) and not (is_behind_drfs and _is_sync(base, name)):
            raise TypeError(
                f"{base.__name__}.{name} would never be called on {cls.__name__}, because {ours.__name__} comes before "
                f"it. List {base.__name__} first: class {cls.__name__}({base.__name__}, ...)."
            )
    return found


def _is_sync(base: type, name: str) -> bool:
    if resolution.written(base, "a" + name) is not resolution.ABSENT:
        return False
    raw = vars(base)[name]
    return not (natures.nature_of(raw).awaits or natures.facts_of(raw).is_answering or may_give_coroutine(raw))


def _complete(base: type, name: str) -> None:
    """Give ``base``, which defines a hook, both names of it, unless it is a class of DRF's."""
    if is_drfs(base):
        return
    async_name = "a" + name
    raw, async_raw = resolution.written(base, name), resolution.written(base, async_name)
    if raw is resolution.ABSENT:
        _generate(base, name, name)
        async_raw = _running(base, name, name, async_raw)
    elif async_raw is resolution.ABSENT:
        _generate(base, name, async_name)
        _complete_sync_name(base, name, raw, _running(base, name, async_name, raw))
        return
    else:
        _complete_sync_name(base, name, raw, raw)
    if is_coroutine_function(async_raw) and type(async_raw) is types.FunctionType:
        made = noted_until_awaited(async_raw, name)
        natures.learn(made, is_dual=True)
        setattr(base, async_name, made)


def _complete_sync_name(base: type, name: str, raw: Any, running: Any) -> None:
    nature = natures.nature_of(raw)
    if nature.awaits:
        if not natures.facts_of(raw).is_dual:
            _give_sync_code_results(base, name, running, is_async=True)
    elif nature.never_blocks is None and may_give_coroutine(raw):
        _give_sync_code_results(base, name, running, is_async=False)
    elif running is not raw:
        setattr(base, name, running)


# The definitions now running in this context whose code mentions their own twin, the innermost last. Each entry is the
# object, the class that writes the definition, the hook's name and the arguments of the call.
_Call = tuple[Sequence[Any], Mapping[str, Any]]
_that_run: ContextVar[tuple[Any, ...]] = ContextVar("restflow_definitions_that_run", default=())


def _running(base: type, name: str, twin: str, raw: Any) -> Any:
    """Wrap ``raw`` to record that it runs, if its code names its own twin: calling that then means the next definition.

    Args:
        base: the class that defines ``raw``.
        name: the hook's sync name.
        twin: the name of the generated twin.
        raw: what ``base`` defines under the other name.
    """
    if type(raw) is not types.FunctionType or not _mentions(raw, twin):
        return raw
    made: Any
    if is_coroutine_function(raw):

        async def running(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            with _noted(self, base, name, (args, kwargs)):
                return await raw(self, *args, **kwargs)

        made = running
    else:

        def running_sync(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            with _noted(self, base, name, (args, kwargs)):
                return raw(self, *args, **kwargs)

        made = running_sync
    return update_wrapper(made, raw)


@contextmanager
def _noted(*definition: Any) -> Generator[None, None, None]:
    before = _that_run.get()
    _that_run.set((*before, definition))
    try:
        yield
    finally:
        _that_run.set(before)


def _are_same(given: _Call, asked: _Call) -> bool:
    """Tell whether a definition calls its twin with the arguments that it was called with itself.

    With other arguments it means itself: a check of an object that goes on to the object's parent must reach the same
    check.
    """
    (args, kwargs), (asked_args, asked_kwargs) = given, asked
    return (
        len(args) == len(asked_args)
        and kwargs.keys() == asked_kwargs.keys()
        and all(map(_is_same, args, asked_args))
        and all(_is_same(value, asked_kwargs[name]) for name, value in kwargs.items())
    )


def _is_same(given: Any, asked: Any) -> bool:
    # An equal copy of a dict counts as the same argument.
    return given is asked or (type(given) is type(asked) and type(given) in BUILTIN_TYPES and given == asked)


def _mentions(function: types.FunctionType, name: str) -> bool:
    """Tell whether a function's code, or code nested in it, has ``name`` as a name or a string."""
    pending = [layer.__code__ for layer in layers(function) if isinstance(layer, types.FunctionType)]
    while pending:
        code = pending.pop()
        if name in code.co_names or name in code.co_consts:
            return not is_made_here(function)
        pending += [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return False


async def _next_after(
    holder: type, obj: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], *, copied: bool = False
) -> Any:
    """Call the nearest definition of the hook from ``holder`` on, as an attribute look-up starting there would."""
    mro = holder.__mro__ if copied or holder not in type(obj).__mro__ else type(obj).__mro__
    start = mro.index(holder)
    # DRF's classes have no twins, so super() under the twin's name skips them; start at them all the same.
    while start and (is_drfs(mro[start - 1]) or resolution.nearest([mro[start - 1]], name) is None):
        start -= 1
    return await call_nearest_of(mro[start:], obj, name, args, kwargs)


def _generate(holder: type, name: str, attr: str) -> None:
    """Give ``holder`` the twin ``attr`` of a hook that it, or a class behind it, defines under the other name.

    In the twin, ``provider`` is the class in which the object's MRO has it: ``holder``, unless it was assigned to
    another class.
    """

    def coroutine(obj: Any, made: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Coroutine[Any, Any, Any]:
        running = next((each for each in reversed(_that_run.get()) if each[0] is obj and each[2] == name), None)
        if running is not None and _are_same(running[3], (args, kwargs)):
            # A definition that calls its own twin means the next definition in the MRO, as super() would.
            mro = type(obj).__mro__
            return call_nearest_of(mro[mro.index(running[1]) + 1 :], obj, name, args, kwargs)
        provider = next((base for base in type(obj).__mro__ if base.__dict__.get(attr) is made), None)
        # Reached as an attribute, it calls the definition that is nearest now; through super(), the next in the MRO.
        if provider is holder and is_reached_by_name(obj, attr, made):
            return call_by_name(obj, name, args, kwargs)
        return _next_after(holder, obj, name, args, kwargs, copied=provider not in (None, holder))

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return run(coroutine(self, method, args, kwargs))

    async def amethod(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return await arun(coroutine(self, made, args, kwargs))

    made: Any = method if attr == name else noted_until_awaited(amethod, name)
    made.__name__, made.__qualname__, made.__module__ = attr, f"{holder.__qualname__}.{attr}", holder.__module__
    made.__doc__ = f"Call ``{name}``, in whichever colour it is written."
    natures.learn(made, twin_of=(ref(holder), attr))
    setattr(holder, attr, made)
    if resolution.TWINS not in vars(holder):
        setattr(holder, resolution.TWINS, set())
    vars(holder)[resolution.TWINS].add(attr)


_Asked = Callable[[Any, str, Sequence[Any], Mapping[str, Any]], Coroutine[Any, Any, Any]]


def give_twins(obj: Any, names: tuple[str, ...], asked: _Asked = call_by_name) -> None:
    """Give one object the async twins of hooks, except those that its class has.

    Args:
        obj: an object whose class is not ours (a plain DRF serializer).
        names: the hooks' sync names.
        asked: a flow that calls the hook, given the object, the hook's name and its arguments.
    """
    own, cls = vars(obj), type(obj)
    for attr, method in _twins_of_objects(names, asked):
        if attr not in own and not hasattr(cls, attr):
            own[attr] = types.MethodType(method, obj)


@remembered
def _twins_of_objects(names: tuple[str, ...], asked: _Asked) -> list[tuple[str, Callable[..., Any]]]:
    return [("a" + name, _object_twin(name, asked)) for name in names]


def _object_twin(name: str, asked: _Asked) -> Callable[..., Any]:
    async def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return await arun(asked(self, name, args, kwargs))

    made: Callable[..., Any] = noted_until_awaited(method, name)
    made.__name__ = made.__qualname__ = "a" + name
    natures.learn(made, twin_of=(ref(object), "a" + name))
    return made


class _Twin:
    """A placeholder for the twins of a hook, replaced when its class is created."""

    def __init__(self, hook_name: str, *, of_both: bool = True) -> None:
        self.hook_name = hook_name
        self.of_both = of_both

    def __set_name__(self, owner: type, name: str) -> None:
        if self.of_both:
            _generate(owner, self.hook_name, self.hook_name)
        _generate(owner, self.hook_name, name)


def twin(name: str) -> Any:
    """Declare, in the body of a ``TwoColoured`` class, the async twin of a hook that the class's DRF base defines.

    Args:
        name: the hook's sync name.

    Returns:
        A placeholder: the class gets the hook under both names, and each calls the definition of either colour.
    """
    return _Twin(name)


def async_twin(name: str) -> Any:
    """Declare the async twin of a hook, as ``twin`` does, and keep DRF's own function under the sync name.

    For a hook that DRF's loops call for each item: a sync twin would add the cost of a flow to each call.

    Args:
        name: the hook's sync name.

    Returns:
        A placeholder.
    """
    return _Twin(name, of_both=False)
