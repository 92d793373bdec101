"""What is known of a function: which flow it stands for, whether it is async, and when it never blocks.

Looks at functions, and calls none but the predicates registered here. Whatever decides where a function runs asks this
module: ``flow/resolution.py`` for hooks, ``flow/steps.py`` for other callables.

What is known is put together in three steps. ``Facts`` were recorded, by ``learn``. A ``Nature`` is the facts of one
callable and what its code tells. A ``Definition`` (``flow/resolution.py``) is the natures of the one or two methods by
which a class writes a hook; the class's ``Plan`` (``flow/plan.py``) keeps it.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, overload
from weakref import WeakKeyDictionary, ref

from restflow.flow.functions import is_coroutine_function
from restflow.flow.refusals import refuse_lost_context

_F = TypeVar("_F", bound=Callable[..., Any])

Flow = Callable[..., Coroutine[Any, Any, Any]]


class Descriptor:
    """A descriptor of ours that a class holds in place of the function it wraps."""

    function: Callable[..., Any]


@dataclass(slots=True)
class Facts:
    """What has been recorded of a function, by us or by a user's ``nonblocking``.

    Attributes:
        flow: the flow that it runs.
        never_blocks: a predicate of its arguments, whether it never blocks; None if nothing was recorded.
        twin_of: the class and the name for which we generated it.
        is_dual: whether it is an ``async def`` that sync code may call too.
        is_answering: whether it wraps a sync wrapper around an async hook, so that sync code in a thread gets the
            result.
    """

    flow: Flow | None = None
    never_blocks: Callable[..., bool] | None = None
    twin_of: tuple[ref[type], str] | None = None
    is_dual: bool = False
    is_answering: bool = False


# Kept by the function's identity, never on the function: functools.wraps copies attributes, and a decorator's wrapper
# must not inherit what only its inner function promised.
_facts: WeakKeyDictionary[Callable[..., Any], Facts] = WeakKeyDictionary()
_NONE = Facts()


def facts_of(function: Any) -> Facts:
    """Return what was recorded of a function; nothing for any other object, and for a proxy of a function."""
    return _facts.get(function, _NONE) if type(function) is types.FunctionType else _NONE


def functions_with_facts() -> list[Callable[..., Any]]:
    """Return all functions of which something was recorded."""
    return list(_facts)


def learn(function: Callable[..., Any], **said: Any) -> None:
    """Record facts of a function.

    Args:
        function: the function itself; the facts don't apply to wrappers of it.
        said: fields of its ``Facts``.
    """
    facts = _facts.setdefault(function, Facts())
    for name, fact in said.items():
        setattr(facts, name, fact)
    if _natures.pop(function, None) is not None:
        forget()


@dataclass(slots=True)
class Nature:
    """How to call one callable: the flow that it runs, whether it is async, when it never blocks."""

    flow: Flow | None
    awaits: bool
    never_blocks: Callable[..., bool] | None


def nature_of(raw: Any) -> Nature:
    """Classify one callable.

    Args:
        raw: the callable as found in a class's ``__dict__`` or on an object.

    Returns:
        Its nature; unknown code is sync and may block.

    Raises:
        TypeError: a sync context manager wraps an async function.
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
        facts = facts_of(function)
        nature = Nature(facts.flow, facts.is_dual or is_coroutine_function(function), facts.never_blocks)
        if len(_natures) >= _MOST_NATURES:
            forget()
        _natures[function] = nature
    return nature


# Bounded, so that functions made for one request do not pile up.
_natures: dict[Callable[..., Any], Nature] = {}
_MOST_NATURES = 4096
_drawn_from_natures: list[Callable[[], None]] = [_natures.clear]


def forget() -> None:
    """Clear all natures, and all caches derived from them."""
    for clear in _drawn_from_natures:
        clear()


def forget_with_natures(clear: Callable[[], None]) -> None:
    """Register ``clear``, to be called when natures are forgotten: it clears a cache derived from them."""
    _drawn_from_natures.append(clear)


def always(*args: Any, **kwargs: Any) -> bool:
    """Return True: the predicate of a function that never blocks."""
    return True


def flow_of(method: Callable[..., Any]) -> Flow:
    """Return the flow that a method of ours was made from."""
    flow = facts_of(method).flow
    assert flow is not None
    return flow


def stand_in(function: Callable[..., Any], flow: Flow) -> None:
    """Run ``flow`` wherever a hook resolves to ``function``, a function that calls hooks itself.

    Args:
        function: a function of DRF's, known by identity; a subclass's override is not covered.
        flow: a flow with the same arguments, or the sync method made from one.
    """
    learn(function, flow=facts_of(flow).flow or flow)


def never_blocks(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> bool:
    """Tell whether ``function``, called with these arguments, is known never to block.

    Args:
        args: the positional arguments it is to be called with.

    Returns:
        True for a function that was marked ``nonblocking`` and whose predicate, if any, agrees.
    """
    promised = nature_of(function).never_blocks
    return promised is not None and promised(*args, **kwargs)


@overload
def nonblocking(function: _F, /) -> _F: ...
@overload
def nonblocking(*, when: Callable[..., bool]) -> Callable[[_F], _F]: ...
def nonblocking(
    function: Callable[..., Any] | None = None, /, *, when: Callable[..., bool] = always
) -> Callable[..., Any]:
    """Declare that a sync hook never blocks, so that it is called directly on the event loop.

    The promise covers this function only, not an override in a subclass nor a decorator's wrapper.

    Args:
        function: the hook; it must not query, read files, sleep or wait for a lock.
        when: for a function that blocks only at times, a predicate of the same arguments (``self`` first): True if it
            doesn't.

    Raises:
        TypeError: ``function`` is an ``async def``, which needs no such promise.
    """
    if function is None:
        return partial(_promise, when=when)
    return _promise(function, when=when)


def _promise(function: _F, *, when: Callable[..., bool]) -> _F:
    if is_coroutine_function(function):
        raise TypeError(f"nonblocking is for sync functions, got {function!r}: an async def runs on the loop as it is.")
    learn(function, never_blocks=when)
    return function
