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
"""What is remembered of a hook: its async name, what each of its two names finds on the class, what stands behind a
generated twin, and the definition that follows from these.

A generated twin stands before a function of DRF's. When that function is patched, the sync name still finds the twin.
So what the name finds on the two classes behind it, on which a patch would show, is remembered and compared too.
"""


NOT_LOOKED_FOR: Found = ("", object(), None, None, None)


class Plan:
    """What is known of one class.

    Nothing in it is taken for granted: what a hook means holds while its two names find the same on the class, and an
    answer of ``ask`` while one compiled comparison says so. So a test's patch of a class attribute is obeyed.

    Attributes:
        cls: the class.
        hooks: what was found, by the hook's name.
        answers: what ``ask`` found, by its key, and what tells whether it holds.
    """

    __slots__ = ("answers", "cls", "hooks")

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.hooks: dict[str, Found] = {}
        self.answers: dict[Any, tuple[Callable[[], bool], Any]] = {}

    def definition(self, name: str) -> Definition | None:
        """Return what the objects of the class take for a hook: the nearest class that writes it decides.

        Args:
            name: the hook's sync name.

        Returns:
            The definition, or None where no class in the MRO writes it.
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
        """Return two classes on which a patch of what a twin stands for shows; none where there is no twin.

        The first behind the twin finds what stands in any of its bases, and the first of DRF's in any of its own.
        """
        twin_of = facts_of(held(self.cls, name)).twin_of
        holder = None if twin_of is None else twin_of[0]()
        mro = self.cls.__mro__
        behind = mro[mro.index(holder) + 1 :] if holder in mro else ()
        owners = [base for base in behind if hasattr(base, name)]
        drfs = [base for base in owners if is_drfs(base)]
        return (owners[0], drfs[0]) if drfs else ()

    def ask(self, key: Any, names: Sequence[str], look: Callable[[type], _R]) -> _R:
        """Return what ``look`` says of the class, which holds as long as each of ``names`` finds the same on it.

        Args:
            key: by which the answer is remembered.
            names: attributes of the class.
            look: asked when nothing is known, or something changed.
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
        """Return what tells whether names find the same as now, on the class and behind the twins that stand there."""
        # A descriptor that computes its value may block, so it is not read here; `look` has to reject it.
        names = [name for name in names if not is_computed(held(self.cls, name))]
        behind: dict[type, list[str]] = {}
        for name in names:
            for base in {*self._owners_behind(name)}:
                behind.setdefault(base, []).append(name)
        return unchanged(self.cls, names, *behind.items())


def is_changed(behind: tuple[type, Any, type, Any], name: str) -> bool:
    """Tell whether a name finds anything else than what was noted behind a twin."""
    ours, found, theirs, drfs = behind
    return getattr(ours, name, None) is not found or getattr(theirs, name, None) is not drfs


plans: dict[type, Plan] = {}
forget_with_natures(plans.clear)


def plan_of(cls: type) -> Plan:
    """Return the plan of a class; it is looked at, or refused, when it is first used.

    Args:
        cls: the class of a view, a component or a serializer.

    Raises:
        TypeError: a method of it would be skipped, or its coroutine be taken for a value.
    """
    plan = plans.get(cls)
    if plan is None:
        look_at(cls)
        plan = Plan(cls)
        keep(plans, cls, plan)
    return plan


_first_uses: list[Callable[[type], None]] = [refuse_lost_contexts]


def at_first_use(look: Callable[[type], None]) -> Callable[[type], None]:
    """Have each class looked at before the first of its hooks is asked.

    Args:
        look: a function of the class, which raises to refuse it.
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


def _never() -> bool:
    return False


_UNASKED: tuple[Callable[[], bool], Any] = _never, None


class Unmodified:
    """A group of hooks and attributes that a flow may count on as long as nobody replaced one.

    Where it holds, a fast version of a flow may do in place what these hooks do, without asking each.

    Args:
        base: a class of ours, on which the hooks mean now what they must go on to mean.
        hooks: their sync names.
        attributes: by name, what must be true of a value for the group to hold, whether the class has it or the object.
    """

    __slots__ = ("_expected", "_looks", "attributes", "hooks", "names")

    def __init__(self, base: type, hooks: Sequence[str], attributes: Mapping[str, Callable[[Any], bool]]) -> None:
        self.hooks, self.attributes = hooks, attributes
        self._looks = (*hooks, *("a" + name for name in hooks), *attributes)
        self.names = frozenset(self._looks)
        self._expected = {name: _meaning(definition_in(base.__mro__, name)) for name in hooks}

    def holds(self, obj: Any, *args: Any, **kwargs: Any) -> bool:
        """Tell whether neither the class of ``obj`` nor the object itself has anything else.

        Args:
            obj: the owner of the hooks.
            args: not looked at, so that this can be the condition of a fast version; nor are ``kwargs``.
        """
        cls = type(obj)
        plan = plans.get(cls) or plan_of(cls)
        is_as_seen, fits = plan.answers.get(self, _UNASKED)
        if not is_as_seen():
            fits = plan.ask(self, self._looks, self._fits)
        return fits and (self.names.isdisjoint(obj.__dict__) or self.is_untouched(obj))

    def is_untouched(self, obj: Any) -> bool:
        """Tell whether the object itself has nothing else; its class has been looked at."""
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
    """Return what tells definitions apart: the flow they enter, or the one function that both drivers call."""
    return definition and (definition.flow or definition.in_place or definition)


def is_overridden(obj: Any, name: str, method: Callable[..., Any]) -> bool:
    """Tell whether the hook ``name`` of ``obj`` is anything else than our ``method``.

    Args:
        name: the hook's sync name.
        method: the sync method of ours, made of a flow.

    Returns:
        True where a subclass, or the object itself, replaced it.
    """
    if name in vars(obj) or "a" + name in vars(obj):
        return True
    definition = plan_of(type(obj)).definition(name)
    flow = facts_of(method).flow  # None where our method was patched
    return definition is None or flow is None or definition.flow is not flow


def is_written_async(obj: Any, name: str) -> bool:
    """Tell whether somebody wrote the hook ``name`` of ``obj`` as an ``async def``, which an async driver takes.

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
