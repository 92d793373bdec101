"""Which code a hook's name means: that of the nearest class that writes either of the hook's two names.

Looks at classes, and calls none of their code but a descriptor's ``__get__``. Used by ``flow/plan.py``, which keeps the
results, and by ``flow/twins.py``, for what ``super()`` means.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import ref

from restflow.flow.natures import Descriptor, Flow, always, facts_of, nature_of


@dataclass(slots=True)
class Definition:
    """How a class defines one hook.

    Attributes:
        for_sync: what the sync driver calls, as held by the class.
        for_sync_awaits: whether calling that returns an awaitable.
        for_async: what the async driver calls.
        for_async_awaits: whether calling that returns an awaitable.
        flow: the flow that both are made from; it is run in their place.
        in_place: a sync function that may be called directly on the event loop if ``when`` agrees.
        when: a predicate of the same arguments; None means always.
    """

    for_sync: Any
    for_sync_awaits: bool
    for_async: Any
    for_async_awaits: bool
    flow: Flow | None
    in_place: Callable[..., Any] | None
    when: Callable[..., bool] | None


class _Absent:
    """The type of ``ABSENT``, since None is a value that a class may hold."""


ABSENT = _Absent()

TWINS = "_restflow_twins"
"""The attribute in which a class keeps the names of its generated twins."""


def define(name: str, sync_raw: Any, async_raw: Any) -> Definition:
    """Combine what a class holds under a hook's two names, of which at least one is not ``ABSENT``.

    Args:
        name: the hook's sync name.
        sync_raw: what the class holds under its sync name.
        async_raw: what the class holds under its async name.

    Returns:
        If both are present, each driver takes its own colour; otherwise both take the one that is.
    """
    sync_nature = None if sync_raw is ABSENT else nature_of(sync_raw)
    async_nature = None if async_raw is ABSENT else nature_of(async_raw)
    if sync_nature and async_nature and (sync_nature.flow is None) is not (async_nature.flow is None):
        # One of a flow's two methods was replaced (by mock.patch, say): the replacement is used for both colours.
        sync_nature, async_nature = (None, async_nature) if sync_nature.flow else (sync_nature, None)
    natures = [nature for nature in (sync_nature, async_nature) if nature is not None]
    flow = natures[0].flow if natures[0].flow is natures[-1].flow else None
    when = natures[0].never_blocks if len(natures) == 1 else None
    return Definition(
        for_sync=sync_raw if sync_nature else async_raw,
        for_sync_awaits=natures[0].awaits,
        for_async=async_raw if async_nature else sync_raw,
        for_async_awaits=natures[-1].awaits,
        flow=flow,
        in_place=None if when is None else sync_raw if sync_nature else async_raw,
        when=None if when is always else when,
    )


def is_own_twin(raw: Any, obj: Any) -> bool:
    """Tell whether ``raw`` is a twin that we generated, bound to ``obj`` itself, and so not a user's definition."""
    return type(raw) is types.MethodType and raw.__self__ is obj and facts_of(raw.__func__).twin_of is not None


def is_generated(raw: Any) -> bool:
    """Tell whether ``raw`` is a twin that we generated, and so not a user's definition.

    Args:
        raw: what a class holds.
    """
    return facts_of(raw).twin_of is not None


def written(cls: type, name: str) -> Any:
    """Return what ``cls`` itself defines under ``name``, or ``ABSENT``; a generated twin is not a definition."""
    raw = cls.__dict__.get(name, ABSENT)
    # A twin that was assigned to another class counts as written by that class.
    return ABSENT if facts_of(raw).twin_of == (ref(cls), name) else raw


def bound(raw: Any, obj: Any) -> Any:
    """Bind what a class holds to ``obj``, as an attribute look-up would.

    A property is read only when the result is called, at a point where that may block.
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
    """Return the first class in ``mro`` that defines either colour of the hook ``name``."""
    for cls in mro:
        if written(cls, name) is not ABSENT or written(cls, "a" + name) is not ABSENT:
            return cls
    return None


def definition_by(cls: type, name: str) -> Definition:
    """Return the definition of the hook ``name`` in ``cls``, which defines it."""
    return _definition_of(cls, name, _raws(cls, name))


def _raws(cls: type, name: str) -> dict[str, Any]:
    """Return what ``cls`` defines under a hook's two names; empty if it defines neither.

    Each is read once, so that a patch which another thread removes meanwhile is either seen or not.
    """
    raws = {each: written(cls, each) for each in (name, "a" + name)}
    return {} if all(raw is ABSENT for raw in raws.values()) else raws


def _definition_of(cls: type, name: str, raws: dict[str, Any]) -> Definition:
    """Return the definition of a hook in ``cls``.

    If one of its twins has been replaced since the class was created, by a test's patch, the replacement is used for
    both colours.
    """
    replaced = [each for each in raws.keys() & cls.__dict__.get(TWINS, set()) if raws[each] is not ABSENT]
    if len(replaced) == 1:
        raws = {each: raws[each] if each in replaced else ABSENT for each in raws}
    return define(name, raws[name], raws["a" + name])


def definition_in(mro: Sequence[type], name: str) -> Definition | None:
    """Return the definition of a hook in the first class in ``mro`` that defines it; None if no class does.

    If that class has only the async method of a flow, the sync method is in a class further on. If that was replaced,
    by a test's patch of the sync class, the replacement is used for both colours.
    """
    writers = ((cls, raws) for cls in mro if (raws := _raws(cls, name)))
    definer, raws = next(writers, (None, {}))
    if definer is None:
        return None
    found = _definition_of(definer, name, raws)
    if found.flow is not None and raws[name] is ABSENT:
        sync_definer, raws = next((each for each in writers if each[1][name] is not ABSENT), (definer, raws))
        if nature_of(raws[name]).flow is not found.flow:
            return _definition_of(sync_definer, name, raws)
    return found


def held(cls: type, name: str) -> Any:
    """Return what the nearest class holds under a name, or ``ABSENT``, without calling descriptors, which may block."""
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return ABSENT


def is_computed(raw: Any) -> bool:
    """Tell whether reading from the class what ``held`` returned runs code, as Django's ``classproperty`` does."""
    return hasattr(type(raw), "__get__") and not isinstance(raw, (property, types.FunctionType, Descriptor))
