"""How much of a matrix of cases is tested: enough to show every value, or, in a long run, all of it.

A matrix is what varies in several ways at once: each hook, in each colour, in each place. Most of what breaks one of
its cases breaks many. ``make test`` takes a few of them; ``make test-long`` takes them all.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from heapq import heappop, heappush
from itertools import combinations, product
from typing import Any

import pytest

LONG = os.environ.get("RESTFLOW_TESTS") == "long"


def examples(few: int) -> int:
    """Return how many examples Hypothesis is to try: a ``few``, or, in a long run, twenty times as many."""
    return few * 20 if LONG else few


def some(cases: Iterable[Any], *, together: int = 1) -> list[Any]:
    """Choose a few cases that show every value, and as many different pairs of values as these few can.

    Args:
        cases: tuples of values, or ``pytest.param``s. Values are told apart by identity.
        together: 2 to show every pair of values that occurs in a case, not only every value.

    Returns:
        The chosen cases in their order; in a long run, all.
    """
    cases = list(cases)
    if LONG:
        return cases
    shown = [list(enumerate(map(id, getattr(case, "values", case)))) for case in cases]
    pairs = [list(combinations(values, 2)) for values in shown]
    wanted = [set(combinations(values, together)) for values in shown]
    missing = set().union(*wanted)
    times: Counter[Any] = Counter()

    def key(index: int) -> tuple[int, int, int]:
        """Order the cases: what shows most that is missing, then what was shown the least, comes first."""
        seen = sum(times[each] for each in (*shown[index], *pairs[index]))
        return -len(wanted[index] & missing), seen, index

    chosen: list[int] = []
    queue = sorted(map(key, range(len(cases))))
    while missing:
        # A choice puts others further back, never forward: who still comes before the next comes first of all.
        best = key(heappop(queue)[-1])
        if queue and best > queue[0]:
            heappush(queue, best)
            continue
        chosen.append(best[-1])
        missing -= wanted[best[-1]]
        times.update((*shown[best[-1]], *pairs[best[-1]]))
    return [cases[index] for index in sorted(chosen)]


def grouped(cases: Iterable[tuple[Any, ...]]) -> list[tuple[Any, list[tuple[Any, ...]]]]:
    """Put the cases of one first value together, for a test that takes them all: ``(first, [rest, ...])``."""
    groups: dict[int, tuple[Any, list[tuple[Any, ...]]]] = {}
    for first, *rest in cases:
        groups.setdefault(id(first), (first, []))[1].append(tuple(rest))
    return list(groups.values())


def each_value(test: Any) -> Any:
    """Take some cases of the ``parametrize`` marks below, which show every value of each."""
    return _reduced(test, together=1)


def each_pair(test: Any) -> Any:
    """Take some cases of the ``parametrize`` marks below, which show every pair of values of two of them."""
    return _reduced(test, together=2)


def _reduced(test: Any, together: int) -> Any:
    if LONG:
        return test
    marks = [mark for mark in test.pytestmark if mark.name == "parametrize"]
    assert len(marks) > 1, f"{test.__name__} has one parametrize mark: choose its cases with some()"
    names = [name for mark in marks for name in _names(mark)]
    test.pytestmark = [mark for mark in test.pytestmark if mark not in marks]
    cases = some(product(*map(_params, marks)), together=together)
    joined = [
        pytest.param(
            *(value for param in case for value in param.values),
            id="-".join(param.id for param in case),
            marks=[mark for param in case for mark in param.marks],
        )
        for case in cases
    ]
    indirect = [name for mark in marks if mark.kwargs.get("indirect") for name in _names(mark)]
    return pytest.mark.parametrize(names, joined, indirect=indirect)(test)


def _names(mark: pytest.Mark) -> list[str]:
    names: Any = mark.args[0]
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)


def _params(mark: pytest.Mark) -> list[Any]:
    """Return the cases of one mark as ``pytest.param``s with the names that pytest would give them."""
    names, ids = _names(mark), mark.kwargs.get("ids")
    params = []
    for index, case in enumerate(mark.args[1]):
        param = case if hasattr(case, "marks") else pytest.param(*(case if len(names) > 1 else [case]))
        if callable(ids) or ids is None:
            shown = [
                (callable(ids) and ids(value)) or _shown(value, f"{name}{index}")
                for name, value in zip(names, param.values, strict=True)
            ]
        else:
            shown = [[*ids][index]]
        params.append(pytest.param(*param.values, id=param.id or "-".join(map(str, shown)), marks=param.marks))
    return params


def _shown(value: Any, otherwise: str) -> str:
    return str(value) if isinstance(value, str | int | None) else getattr(value, "__name__", otherwise)
