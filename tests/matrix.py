"""How much of a matrix of cases is tested: enough to show every value, or, in a long run, all of it.

A matrix is what varies in several ways at once: each hook, in each colour, in each place. Most of what breaks one of
its cases breaks many. ``make test`` takes those that ``some`` chooses; ``make test-long`` takes them all.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from itertools import combinations
from typing import Any

LONG = os.environ.get("RESTFLOW_TESTS") == "long"


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
    chosen: set[int] = set()
    times: Counter[Any] = Counter()
    while missing:
        best = min(
            (index for index in range(len(cases)) if wanted[index] & missing),
            key=lambda index: (
                -len(wanted[index] & missing),
                sum(times[each] for each in (*shown[index], *pairs[index])),
            ),
        )
        chosen.add(best)
        missing -= wanted[best]
        times.update((*shown[best], *pairs[best]))
    return [cases[index] for index in sorted(chosen)]


def grouped(cases: Iterable[tuple[Any, ...]]) -> list[tuple[Any, list[tuple[Any, ...]]]]:
    """Put the cases of one first value together, for a test that takes them all: ``(first, [rest, ...])``."""
    groups: dict[int, tuple[Any, list[tuple[Any, ...]]]] = {}
    for first, *rest in cases:
        groups.setdefault(id(first), (first, []))[1].append(tuple(rest))
    return list(groups.values())
