"""The plan of a class: which code each hook means, and which groups of hooks are unmodified.

Looks at classes and calls none of their code. ``flow/steps.py`` reads the definition of each hook from it; the fast
versions (``views/fast.py``) ask whether a group of hooks is unmodified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from restflow.flow.natures import facts_of, forget_with_natures, nature_of
from restflow.flow.refusals import refuse_lost_contexts
from restflow.flow.remembered import keep
from restflow.flow.resolution import Definition, definition_in, held, is_computed
from restflow.flow.trust import is_drfs
from restflow.flow.unchanged import unchanged

_R = TypeVar("_R")

Found = tuple[str, Any, Any, tuple[type, Any, type, Any] | None, Definition | None]
"""What is cached for a hook: its async name, what each of its two names finds on the class, what is behind a generated
twin, and the resulting definition.

A generated twin comes before a function of DRF's. If that function is patched, the sync name still finds the twin. So
what the name finds on the two classes behind the twin, where a patch is visible, is cached and compared too.
"""


NOT_LOOKED_FOR: Found = ("", object(), None, None, None)


class Plan:
    """What is known of one class.

    All of it is validated when it is used: the definition of a hook holds while its two names find the same objects on
    the class, and an answer of ``ask`` while one compiled comparison holds. So a test's patch of a class attribute
    takes effect.

    Attributes:
        cls: the class.
        hooks: what was found, by the hook's name.
        answers: by key, a function that tells whether an answer of ``ask`` holds, and the answer.
    """

    __slots__ = ("answers", "cls", "hooks")

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.hooks: dict[str, Found] = {}
        self.answers: dict[Any, tuple[Callable[[], bool], Any]] = {}

    def definition(self, name: str) -> Definition | None:
        """Return the definition of a hook for objects of the class: that of the nearest class that defines it.

        Args:
            name: the hook's sync name.

        Returns:
            The definition, or None if no class in the MRO defines it.
        """
        cls = self.cls
        async_name, by_sync_name, by_async_name, behind, definition = self.hooks.get(name, NOT_LOOKED_FOR)
        if (
            by_sync_name is not getattr(cls, name, None)
            or by_async_name is not getattr(cls, async_name, None)
            or (behind is not None and is_changed(behind, name))
        ):
            async_name = "a" + name
            by_sync_name, by_async_name = getattr(cls, name, None), getattr(cls, async_name, None)
            behind, definition = self._behind(name), definition_in(cls.__mro__, name)
            self.hooks[name] = async_name, by_sync_name, by_async_name, behind, definition
        return definition

    def _behind(self, name: str) -> tuple[type, Any, type, Any] | None:
        owners = self._owners_behind(name)
        if not owners:
            return None
        ours, theirs = owners
        return ours, getattr(ours, name), theirs, getattr(theirs, name)

    def _owners_behind(self, name: str) -> tuple[type, ...]:
        """Return the two classes to watch for a patch of the function behind a twin; none if the hook has no twin.

        The first is the nearest class behind the twin that has the hook, the second the nearest of DRF's. An attribute
        look-up on either shows a patch of its own bases.
        """
        twin_of = facts_of(held(self.cls, name)).twin_of
        holder = None if twin_of is None else twin_of[0]()
        mro = self.cls.__mro__
        behind = mro[mro.index(holder) + 1 :] if holder in mro else ()
        owners = [base for base in behind if hasattr(base, name)]
        drfs = [base for base in owners if is_drfs(base)]
        return (owners[0], drfs[0]) if drfs else ()

    def ask(self, key: Any, names: Sequence[str], look: Callable[[type], _R]) -> _R:
        """Return what ``look`` says of the class, cached as long as each of ``names`` finds the same object on it.

        Args:
            key: the cache key.
            names: attributes of the class.
            look: called if nothing is cached, or something has changed.
        """
        is_as_seen, answer = self.answers.get(key, _UNASKED)
        if not is_as_seen():
            # Noted before the class is read: if another thread changes it meanwhile, the next comparison notices.
            is_as_seen = self._comparison(names)
            answer = look(self.cls)
            self.answers[key] = is_as_seen, answer
        known: _R = answer
        return known

    def _comparison(self, names: Sequence[str]) -> Callable[[], bool]:
        """Return a function that tells whether names still find the same objects, on the class and behind its twins."""
        # A descriptor that computes its value may block, so it is not read here; `look` has to reject it.
        names = [name for name in names if not is_computed(held(self.cls, name))]
        behind: dict[type, list[str]] = {}
        for name in names:
            for base in {*self._owners_behind(name)}:
                behind.setdefault(base, []).append(name)
        return unchanged(self.cls, names, *behind.items())


def is_changed(behind: tuple[type, Any, type, Any], name: str) -> bool:
    """Tell whether a name finds another object than the one that was noted behind a twin."""
    ours, found, theirs, drfs = behind
    return getattr(ours, name, None) is not found or getattr(theirs, name, None) is not drfs


plans: dict[type, Plan] = {}
forget_with_natures(plans.clear)


def plan_of(cls: type) -> Plan:
    """Return the plan of a class, which is checked when it is first used.

    Args:
        cls: the class of a view, a component or a serializer.

    Raises:
        TypeError: a method of the class would be skipped, or its coroutine used as a value.
    """
    plan = plans.get(cls)
    if plan is None:
        look_at(cls)
        plan = Plan(cls)
        keep(plans, cls, plan)
    return plan


_first_uses: list[Callable[[type], None]] = [refuse_lost_contexts]


def at_first_use(look: Callable[[type], None]) -> Callable[[type], None]:
    """Register a check that each class goes through before the first of its hooks is called.

    Args:
        look: called with the class; raises to refuse it.
    """
    _first_uses.append(look)
    return look


def look_at(cls: type) -> None:
    """Run the registered checks on a class whose hooks will be called.

    Args:
        cls: the class of a view, a component or a serializer.

    Raises:
        TypeError: a method of the class would be skipped, or its coroutine used as a value.
    """
    for look in _first_uses:
        look(cls)


def _never() -> bool:
    return False


_UNASKED: tuple[Callable[[], bool], Any] = _never, None


class Unmodified:
    """A group of hooks and attributes that a flow may rely on as long as none of them is overridden.

    While it holds, a fast version of a flow may do directly what these hooks do, without calling each.

    Args:
        base: a class of ours, whose definitions of the hooks are the expected ones.
        hooks: their sync names.
        attributes: by name, a predicate of the value, on the class or the object, that must be true for the group to
            hold.

    Attributes:
        names: both names of each hook, and those of the attributes.
    """

    __slots__ = ("_expected", "_looks", "attributes", "hooks", "names")

    def __init__(self, base: type, hooks: Sequence[str], attributes: Mapping[str, Callable[[Any], bool]]) -> None:
        self.hooks, self.attributes = hooks, attributes
        self._looks = (*hooks, *("a" + name for name in hooks), *attributes)
        self.names = frozenset(self._looks)
        self._expected = {name: _meaning(definition_in(base.__mro__, name)) for name in hooks}

    def holds(self, obj: Any, *args: Any, **kwargs: Any) -> bool:
        """Tell whether neither the class of ``obj`` nor the object itself overrides any of the group.

        Args:
            obj: the owner of the hooks.
            args: ignored, as are ``kwargs``; they allow this to be the condition of a fast version.
        """
        cls = type(obj)
        plan = plans.get(cls) or plan_of(cls)
        is_as_seen, fits = plan.answers.get(self, _UNASKED)
        if not is_as_seen():
            fits = plan.ask(self, self._looks, self._fits)
        return fits and (self.names.isdisjoint(obj.__dict__) or self.is_untouched(obj))

    def is_untouched(self, obj: Any) -> bool:
        """Tell whether the object itself overrides nothing of the group; its class has been checked."""
        own = obj.__dict__
        for name in self.names.intersection(own):
            if name not in self.attributes or not self.attributes[name](own[name]):
                return False
        return True

    def _fits(self, cls: type) -> bool:
        plan = plan_of(cls)
        return all(_meaning(plan.definition(name)) is self._expected[name] for name in self.hooks) and all(
            is_usual(held(cls, name)) for name, is_usual in self.attributes.items()
        )


def _meaning(definition: Definition | None) -> Any:
    """Return what identifies a definition: the flow that it runs, or the one function that both drivers call."""
    return definition and (definition.flow or definition.in_place or definition)


def is_overridden(obj: Any, name: str, method: Callable[..., Any]) -> bool:
    """Tell whether the hook ``name`` of ``obj`` is anything but our ``method``.

    Args:
        name: the hook's sync name.
        method: our sync method, made from a flow.

    Returns:
        True if a subclass, or the object itself, overrides it.
    """
    if name in vars(obj) or "a" + name in vars(obj):
        return True
    definition = plan_of(type(obj)).definition(name)
    flow = facts_of(method).flow  # None where our method was patched
    return definition is None or flow is None or definition.flow is not flow


def is_written_async(obj: Any, name: str) -> bool:
    """Tell whether the hook ``name`` of ``obj`` is an ``async def`` of a project's, which the async driver would call.

    Args:
        name: the hook's sync name.

    Returns:
        False for a sync one, and for a flow of ours.
    """
    own = vars(obj)
    if name in own or "a" + name in own:
        return nature_of(own.get("a" + name, own.get(name))).awaits
    definition = plan_of(type(obj)).definition(name)
    return definition is not None and definition.flow is None and definition.for_async_awaits
