"""What a normal run takes of a matrix, and that a long run takes all of it."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from tests import matrix
from tests.matrix import each_pair, each_value, grouped, some

AXES = ["abcdefg", "xyz", "123", "-+"]
ALL = list(product(*AXES))


@pytest.fixture(autouse=True)
def _normal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "LONG", False)


def values(cases: list[tuple[str, ...]], together: int) -> set[tuple[tuple[int, str], ...]]:
    return {each for case in cases for each in combinations(enumerate(case), together)}


@pytest.mark.parametrize(("together", "most"), [(1, 7), (2, 25)])
def test_every_value_or_pair_is_shown_by_few_cases(together: int, most: int) -> None:
    chosen = some(ALL, together=together)
    assert values(chosen, together) == values(ALL, together)
    assert len(chosen) <= most
    assert chosen == [case for case in ALL if case in chosen]


def test_what_never_occurs_together_is_not_asked_for() -> None:
    possible = [case for case in ALL if case[:2] != ("a", "x")]
    assert values(some(possible, together=2), 2) == values(possible, 2)


def test_axes_of_one_length_do_not_go_in_step() -> None:
    assert len({case[1:3] for case in some(ALL)}) > 3


def test_a_long_run_takes_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "LONG", True)
    assert some(ALL) == ALL

    @pytest.mark.parametrize("a", "xyz")
    @pytest.mark.parametrize("b", "123")
    def test() -> None: ...

    marks = list(test.pytestmark)
    assert each_value(test).pytestmark == marks


def test_marks_become_one_with_their_names_ids_and_marks() -> None:
    @each_pair
    @pytest.mark.parametrize("a", ["x", pytest.param("y", marks=pytest.mark.xfail)])
    @pytest.mark.parametrize(("b", "c"), [(1, len), (2, None)], ids=["one", "two"])
    @pytest.mark.filterwarnings("ignore")
    def test() -> None: ...

    kept, mark = test.pytestmark
    assert (kept.name, mark.args[0]) == ("filterwarnings", ["b", "c", "a"])
    assert [param.values for param in mark.args[1]] == [(1, len, "x"), (1, len, "y"), (2, None, "x"), (2, None, "y")]
    assert [param.id for param in mark.args[1]] == ["one-x", "one-y", "two-x", "two-y"]
    assert [[each.name for each in param.marks] for param in mark.args[1]] == [[], ["xfail"], [], ["xfail"]]


def test_one_mark_alone_is_refused() -> None:
    @pytest.mark.parametrize(("a", "b"), [(1, 2)])
    def test() -> None: ...

    with pytest.raises(AssertionError, match=r"choose its cases with some\(\)"):
        each_pair(test)


def test_cases_of_one_first_value_are_together() -> None:
    assert grouped([("a", 1), ("b", 2, 3), ("a", 4)]) == [("a", [(1,), (4,)]), ("b", [(2, 3)])]
