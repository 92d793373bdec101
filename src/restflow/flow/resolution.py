"""Which code a hook's name means, and what is known of that code."""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any, TypeVar, overload
from weakref import WeakKeyDictionary, WeakSet, ref

from restflow.flow.functions import is_coroutine_function
from restflow.flow.refusals import refuse_lost_context, refuse_lost_contexts
from restflow.flow.unchanged import unchanged

_F = TypeVar("_F", bound=Callable[..., Any])

Flow = Callable[..., Coroutine[Any, Any, Any]]

# What is known of a function is kept by its identity, never on the function: functools.wraps copies attributes, and a
# decorator's wrapper must not inherit what only its inner function promised.
flows: WeakKeyDictionary[Callable[..., Any], Flow] = WeakKeyDictionary()
harmless: WeakKeyDictionary[Callable[..., Any], Callable[..., bool]] = WeakKeyDictionary()
generated: WeakKeyDictionary[Callable[..., Any], tuple[ref[type], str]] = WeakKeyDictionary()
duals: WeakKeyDictionary[Callable[..., Any], bool] = WeakKeyDictionary()
answering: WeakKeyDictionary[Callable[..., Any], bool] = WeakKeyDictionary()
# By class, the names that it got twins under.
_twinned: WeakKeyDictionary[type, set[str]] = WeakKeyDictionary()


class Descriptor:
    """A descriptor of ours that stands in a class for the function it wraps."""

    function: Callable[..., Any]


@dataclass(slots=True)
class Nature:
    """What is known of one callable: the flow it enters, whether it is async, when it never blocks, whether a dual."""

    flow: Flow | None
    awaits: bool
    harmless: Callable[..., bool] | None
    dual: bool = False


@dataclass(slots=True)
class Definition:
    """What a class says of one hook.

    ``for_sync`` and ``for_async`` are what the two drivers take, as it stands in the class; ``sync_function`` and
    ``async_function`` the same where it is a plain sync function. ``function`` is one that may be called in place where
    ``when`` (None: always) agrees.
    """

    for_sync: Any
    for_sync_awaits: bool
    for_async: Any
    for_async_awaits: bool
    async_name: str
    flow: Flow | None
    function: Callable[..., Any] | None
    when: Callable[..., bool] | None
    sync_function: Callable[..., Any] | None
    async_function: Callable[..., Any] | None


class _Absent:
    """The type of ``ABSENT``; None is a value a class may hold."""


ABSENT = _Absent()


def always(*args: Any, **kwargs: Any) -> bool:
    """Agree: the predicate of a function that never blocks."""
    return True


def nature_of(raw: Any) -> Nature:
    """Classify one callable.

    Args:
        raw: the callable as it is found in a class's ``__dict__`` or on an object.

    Returns:
        Its nature; unknown code is sync and may block.

    Raises:
        TypeError: a sync context manager stands around an async function.
    """
    function = raw
    if type(raw) is not types.FunctionType:
        function = raw.function if isinstance(raw, Descriptor) else raw
        if type(function) is not types.FunctionType:
            refuse_lost_context(function, getattr(type(function), "__qualname__", ""))
            return Nature(None, is_coroutine_function(function), None)
    nature = _natures.get(function)
    if nature is None:
        refuse_lost_context(function, function.__qualname__)
        dual = function in duals
        awaits = dual or is_coroutine_function(function)
        nature = Nature(flows.get(function), awaits, harmless.get(function), dual)
        remember(_natures, function, nature)
    return nature


# Answers are remembered. Both memories are bounded, so that functions and classes made for one request do not pile up.
_natures: dict[Callable[..., Any], Nature] = {}
_MOST_ANSWERS = 4096


def remember(memory: dict[Any, Any], key: Any, value: Any) -> None:
    """Keep an answer, in a memory that is emptied when it is full.

    Args:
        memory: the answers there are.
        key: what was asked about.
        value: the answer.
    """
    if len(memory) >= _MOST_ANSWERS:
        memory.clear()
    memory[key] = value


def _learn(facts: WeakKeyDictionary[Callable[..., Any], Any], function: Callable[..., Any], fact: Any) -> None:
    facts[function] = fact
    _natures.clear()
    memories.clear()
    for usual in _usuals:
        usual.answers.clear()


def learn_flow(function: Callable[..., Any], flow: Flow) -> None:
    """Know ``function`` as a face of ``flow``."""
    _learn(flows, function, flow)


def learn_new_flow(function: Callable[..., Any], flow: Flow) -> None:
    """Know ``function``, which has just been made, so that nobody has asked about it, as a face of ``flow``."""
    flows[function] = flow


def learn_dual(function: Callable[..., Any]) -> None:
    """Know ``function`` as an ``async def`` that sync code may call too."""
    _learn(duals, function, True)


def learn_answering(function: Callable[..., Any]) -> None:
    """Know ``function`` as a sync wrapper around an async hook, completed so that sync code in a thread may call it."""
    _learn(answering, function, True)


def learn_generated(function: Callable[..., Any], holder: type, attr: str) -> None:
    """Know ``function`` as the twin that we generated as ``holder.attr``."""
    _learn(generated, function, (ref(holder), attr))  # whose __dict__ holds the function
    _twinned.setdefault(holder, set()).add(attr)


def define(name: str, sync_raw: Any, async_raw: Any) -> Definition:
    """Combine what stands under a hook's two names; at least one is not ``ABSENT``.

    Args:
        name: the hook's sync name.
        sync_raw: what stands under its sync name.
        async_raw: what stands under its async name.

    Returns:
        Where both are there, each driver takes its own colour; else both take the one that is.
    """
    sync_nature = None if sync_raw is ABSENT else nature_of(sync_raw)
    async_nature = None if async_raw is ABSENT else nature_of(async_raw)
    if sync_nature and async_nature and (sync_nature.flow is None) is not (async_nature.flow is None):
        # One of a flow's two faces was replaced, as a test's patch of a class of ours does: it speaks for both.
        sync_nature, async_nature = (None, async_nature) if sync_nature.flow else (sync_nature, None)
    natures = [nature for nature in (sync_nature, async_nature) if nature is not None]
    flow = natures[0].flow if natures[0].flow is natures[-1].flow else None
    when = natures[0].harmless if len(natures) == 1 else None
    for_sync = sync_raw if sync_nature else async_raw
    for_async = async_raw if async_nature else sync_raw
    return Definition(
        for_sync=for_sync,
        for_sync_awaits=natures[0].awaits,
        for_async=for_async,
        for_async_awaits=natures[-1].awaits,
        async_name="a" + name,
        flow=flow,
        function=None if when is None else sync_raw if sync_nature else async_raw,
        when=None if when is always else when,
        sync_function=_plain_function(for_sync, natures[0]),
        async_function=_plain_function(for_async, natures[-1]),
    )


def _plain_function(raw: Any, nature: Nature) -> Callable[..., Any] | None:
    function: Callable[..., Any] | None = raw
    return function if type(raw) is types.FunctionType and nature.flow is None and not nature.awaits else None


def is_own_twin(raw: Any, obj: Any) -> bool:
    """Tell whether ``raw`` is a twin that we generated, bound to ``obj`` itself: it is nobody's writing."""
    return (
        type(raw) is types.MethodType
        and type(raw.__func__) is types.FunctionType
        and raw.__self__ is obj
        and raw.__func__ in generated
    )


def is_generated(raw: Any) -> bool:
    """Tell whether ``raw`` is a twin that we generated, which is nobody's writing.

    Args:
        raw: what stands in a class.
    """
    return type(raw) is types.FunctionType and raw in generated


def written(cls: type, name: str) -> Any:
    """Return what ``cls`` itself writes under ``name``, or ``ABSENT``; a generated twin is nobody's writing."""
    raw = cls.__dict__.get(name, ABSENT)
    # Copied into another class, a twin is what that class writes.
    is_twin = type(raw) is types.FunctionType and generated.get(raw) == (ref(cls), name)
    return ABSENT if is_twin else raw


def bound(raw: Any, obj: Any) -> Any:
    """Bind what stands in a class to ``obj``, as an attribute look-up that finds it does.

    A property is read when it is called, where that may block.
    """
    if type(raw) is types.FunctionType:
        return types.MethodType(raw, obj)
    if isinstance(raw, property):
        return partial(_call_property, raw, obj)
    getter = getattr(type(raw), "__get__", None)
    return raw if getter is None else getter(raw, obj, type(obj))


def _call_property(raw: property, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
    return raw.__get__(obj)(*args, **kwargs)


def nearest(mro: Sequence[type], name: str) -> type | None:
    """Return the first class in ``mro`` that writes either colour of the hook ``name``."""
    for cls in mro:
        if written(cls, name) is not ABSENT or written(cls, "a" + name) is not ABSENT:
            return cls
    return None


def definition_by(cls: type, name: str) -> Definition:
    """Return what ``cls``, which writes the hook ``name``, says of it.

    What replaced a twin since the class was made, as a test's patch does, speaks for both colours.
    """
    raws: dict[str, Any] = {each: written(cls, each) for each in (name, "a" + name)}
    replaced = [each for each in raws.keys() & _twinned.get(cls, set()) if raws[each] is not ABSENT]
    if len(replaced) == 1:
        raws = {each: raws[each] if each in replaced else ABSENT for each in raws}
    return define(name, raws[name], raws["a" + name])


_first_uses: list[Callable[[type], None]] = [refuse_lost_contexts]
_used: WeakSet[type] = WeakSet()


def at_first_use(look: Callable[[type], None]) -> Callable[[type], None]:
    """Have each class looked at before the first of its hooks is asked.

    Args:
        look: a function of the class, which raises to refuse it.

    Returns:
        The same function.
    """
    _first_uses.append(look)
    return look


def look_at(cls: type) -> None:
    """Look at a class whose hooks will be asked, or refuse it.

    Args:
        cls: the class of a view, a component or a serializer.

    Raises:
        TypeError: a method of it would be skipped, or its coroutine be taken for a value.
    """
    for look in _first_uses:
        look(cls)
    _used.add(cls)


def take_into_use(cls: type) -> None:
    """Look at a class, as ``look_at`` does, unless that was done before."""
    if cls not in _used:
        look_at(cls)


def definition_in(mro: Sequence[type], name: str) -> Definition | None:
    """Return what the first class in ``mro`` that writes a hook says of it; None where none does.

    An async face of a flow stands in a class behind which its sync face is to be found. One that was replaced, as a
    test's patch of the sync class does, speaks for both.
    """
    definer = nearest(mro, name)
    if definer is None:
        return None
    found = definition_by(definer, name)
    if found.flow is not None and written(definer, name) is ABSENT:
        sync_definer = next((cls for cls in mro if written(cls, name) is not ABSENT), definer)
        if nature_of(written(sync_definer, name)).flow is not found.flow:
            return definition_by(sync_definer, name)
    return found


class _Memory:
    """The answers for one hook, by class.

    An answer holds while the hook's two names find on the class what they found then, so that a test's patch of a class
    attribute is obeyed.
    """

    __slots__ = ("answers", "async_name", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.async_name = "a" + name
        self.answers: dict[type, tuple[Any, Any, Definition | None]] = {}

    def resolve(self, cls: type) -> Definition | None:
        """Return what the objects of ``cls`` take for the hook: the nearest class that writes it decides.

        Args:
            cls: the type of the hook's owner.

        Returns:
            The definition, or None where no class in the MRO writes it.

        Raises:
            TypeError: the class is refused.
        """
        found, async_found = getattr(cls, self.name, None), getattr(cls, self.async_name, None)
        answer = self.answers.get(cls)
        if answer is not None and answer[0] is found and answer[1] is async_found:
            return answer[2]
        take_into_use(cls)
        definition = definition_in(cls.__mro__, self.name)
        remember(self.answers, cls, (found, async_found, definition))
        return definition


class _Memories(dict[str, _Memory]):
    def __missing__(self, name: str) -> _Memory:
        self[name] = _Memory(name)
        return self[name]


memories = _Memories()


class Usual:
    """What a flow may count on as long as nobody replaced it: hooks as they are written here or in DRF, and attributes.

    Where it holds, a flow may do in place what these hooks would do, without asking each. What is found for a class is
    remembered, and holds while its names find the same on the class.

    Args:
        functions: the functions that the hooks must stand for: sync methods made of flows, or functions that never
            block.
        attributes: what the class must say under other names, as predicates of the value.
    """

    __slots__ = ("answers", "attributes", "functions", "names", "unset")

    def __init__(
        self, functions: Mapping[str, Callable[..., Any]], attributes: Mapping[str, Callable[[Any], bool]]
    ) -> None:
        self.functions, self.attributes = functions, attributes
        self.names = (*functions, *("a" + name for name in functions), *attributes)
        self.unset = frozenset(self.names)
        self.answers: dict[type, tuple[Callable[[], bool], bool]] = {}
        _usuals.append(self)

    def holds(self, obj: Any) -> bool:
        """Tell whether neither the class of ``obj`` nor the object itself has anything else.

        Args:
            obj: the owner of the hooks.
        """
        cls = type(obj)
        is_as_seen, fits = self.answers.get(cls) or self._look(cls)
        if not is_as_seen():
            fits = self._look(cls)[1]
        return fits and self.unset.isdisjoint(obj.__dict__)

    def _look(self, cls: type) -> tuple[Callable[[], bool], bool]:
        answer: tuple[Callable[[], bool], bool] = (always, False)
        if not any(map(is_computed, repeat(cls), self.attributes)):
            is_as_seen = unchanged(cls, self.names)
            if is_as_seen():  # a descriptor that gives something new each time can't be compared
                answer = is_as_seen, self._fits(cls)
        remember(self.answers, cls, answer)
        return answer

    def _fits(self, cls: type) -> bool:
        for name, function in self.functions.items():
            answer = memories[name].resolve(cls)
            if answer is None or (answer.flow or answer.function) is not flows.get(function, function):
                return False
        return all(is_usual(getattr(cls, name, None)) for name, is_usual in self.attributes.items())


_usuals: list[Usual] = []


def is_computed(cls: type, name: str) -> bool:
    """Tell whether reading ``name`` from the class itself runs code, as with Django's ``classproperty``.

    Args:
        cls: a class.
        name: an attribute's name.
    """
    for base in cls.__mro__:
        raw = base.__dict__.get(name, ABSENT)
        if raw is not ABSENT:
            return hasattr(type(raw), "__get__") and not isinstance(raw, (property, types.FunctionType))
    return False


def flow_of(method: Callable[..., Any]) -> Flow:
    """Return the flow that a method of ours was made of."""
    return flows[method]


def overridden(obj: Any, name: str, method: Callable[..., Any]) -> bool:
    """Tell whether the hook ``name`` of ``obj`` is anything else than our ``method``.

    Args:
        obj: the owner of the hook.
        name: the hook's sync name.
        method: the sync method of ours, made of a flow.

    Returns:
        True where a subclass, or the object itself, replaced it.
    """
    if name in vars(obj) or "a" + name in vars(obj):
        return True
    definition = memories[name].resolve(type(obj))
    flow = flows.get(method)  # None where a patch stands in our class
    return definition is None or flow is None or definition.flow is not flow


def is_async(obj: Any, name: str) -> bool:
    """Tell whether somebody wrote the hook ``name`` of ``obj`` as an ``async def``, which an async driver takes.

    Args:
        obj: the owner of the hook.
        name: the hook's sync name.

    Returns:
        False for a sync one, and for a flow of ours.
    """
    own = vars(obj)
    if name in own or "a" + name in own:
        return nature_of(own.get("a" + name, own.get(name))).awaits
    definition = memories[name].resolve(type(obj))
    return definition is not None and definition.flow is None and definition.for_async_awaits


def never_blocks(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> bool:
    """Tell whether ``function``, called with these arguments, is known never to block.

    Args:
        function: any callable.
        args: the positional arguments it is to be called with.
        kwargs: its keyword arguments.

    Returns:
        True for a function that was marked ``nonblocking`` and whose predicate, if any, agrees.
    """
    promised = nature_of(function).harmless
    return promised is not None and promised(*args, **kwargs)


@overload
def nonblocking(function: _F, /) -> _F: ...
@overload
def nonblocking(*, when: Callable[..., bool]) -> Callable[[_F], _F]: ...
def nonblocking(
    function: Callable[..., Any] | None = None, /, *, when: Callable[..., bool] = always
) -> Callable[..., Any]:
    """Say of a sync hook that it never blocks, so that it is called in place on the event loop.

    The promise holds for this very function: a subclass's override and a decorator's wrapper are not covered.

    Args:
        function: the hook; it must not query, read files, sleep or wait for a lock.
        when: for a function that never blocks only at times, a predicate of the same arguments (``self`` first).

    Returns:
        The same function.

    Raises:
        TypeError: ``function`` is an ``async def``, which needs no such promise.
    """
    if function is None:
        return partial(_promise, when=when)
    return _promise(function, when=when)


def _promise(function: _F, *, when: Callable[..., bool]) -> _F:
    if is_coroutine_function(function):
        raise TypeError(f"nonblocking is for sync functions, got {function!r}: an async def runs on the loop as it is.")
    _learn(harmless, function, when)
    return function


def stand_in(function: Callable[..., Any], flow: Flow) -> None:
    """Have ``flow`` driven wherever a hook resolves to ``function``, a function that calls hooks itself.

    Args:
        function: a function of DRF's, known by identity; a subclass's override is not covered.
        flow: a flow of the same arguments, or the sync method made of one.
    """
    learn_flow(function, flows.get(flow, flow))
