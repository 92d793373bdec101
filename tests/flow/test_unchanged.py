"""A look finds every change of what it looks at, once a request."""

from __future__ import annotations

import operator
import types
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restflow.flow import unchanged
from tests.flow.support import here, on_loop


class Anything:
    """Equal to anything, as a proxy may be to what it stands for."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def family_of_classes() -> tuple[type, type, type]:
    base = type("Base", (), {"a": lambda self: 1, "b": property(lambda self: 2), "c": staticmethod(here)})
    mixin = type("Mixin", (), {"d": (1, 2)})
    return base, mixin, type("Leaf", (mixin, base), {"e": None})


NAMES = ("a", "b", "c", "d", "e", "missing")


CHANGES = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2]),
        st.sampled_from(NAMES),
        st.sampled_from(["set", "equal", "none", "delete", "put back", "look"]),
    ),
    max_size=8,
)


@given(changes=CHANGES, warm=st.sampled_from([0, 1, 3, 40]))
def test_a_look_finds_every_change_of_a_class_and_of_its_bases(changes: Any, warm: int) -> None:
    family = family_of_classes()
    leaf = family[2]
    values = [getattr(leaf, name, "absent") for name in NAMES]
    first = [dict(vars(cls)) for cls in family]
    same = unchanged(leaf, NAMES)
    for place, name, change in changes:
        for _ in range(warm):  # the interpreter specialises code that runs often
            same()
        cls = family[place]
        if change == "delete":
            if name in vars(cls):
                delattr(cls, name)
        elif change == "put back":
            if name in first[place]:
                setattr(cls, name, first[place][name])
        elif change != "look":
            setattr(cls, name, {"equal": Anything(), "none": None, "set": object()}[change])
        now = [getattr(leaf, name, "absent") for name in NAMES]
        assert same() is all(map(operator.is_, now, values))


def test_a_look_follows_a_change_of_bases() -> None:
    base, mixin, leaf = family_of_classes()
    same = unchanged(leaf, NAMES)
    for _ in range(40):
        assert same()
    leaf.__bases__ = (mixin, type("Other", (base,), {"a": lambda self: 3}))
    assert not same()
    leaf.__bases__ = (mixin, base)
    assert same()


def test_a_look_at_a_dotted_name_follows_each_part() -> None:
    module = types.ModuleType("module")
    base, _, leaf = family_of_classes()
    vars(module).update(Leaf=leaf, helper=here)
    same = unchanged(module, ("Leaf.a", "helper"))
    for _ in range(40):
        assert same()
    found = base.a  # type: ignore[attr-defined]
    for change, back in (
        (lambda: setattr(base, "a", here), lambda: setattr(base, "a", found)),
        (lambda: setattr(module, "helper", on_loop), lambda: setattr(module, "helper", here)),
        (lambda: delattr(module, "Leaf"), lambda: setattr(module, "Leaf", leaf)),
    ):
        change()
        assert not same()
        back()
        assert same()


def test_a_look_at_a_dotted_name_that_leads_nowhere_never_finds_the_same() -> None:
    assert not unchanged(types.ModuleType("module"), ("Absent.__init__",))()


def test_a_look_at_what_is_new_each_time_never_finds_the_same() -> None:
    assert not unchanged(type("C", (), {"made": classmethod(here)}), ("made",))()


def test_a_look_at_no_name_finds_nothing_changed() -> None:
    assert unchanged(object, ())()


def test_a_coroutine_that_is_dropped_meanwhile_is_warned_of() -> None:
    async def check() -> None: ...

    given: dict[type, Any] = {}
    # Read by no function of Python's, so that it is dropped in the comparison itself.
    owner = type("Meta", (type,), {"name": property(given.pop)})("Owner", (), {})
    given[owner] = None
    is_unchanged = unchanged(owner, ["name"])
    given[owner] = check()
    with pytest.warns(RuntimeWarning, match="check' was never awaited"):
        assert not is_unchanged()
