"""Any PostFetch gives what a join gives that reads all rows in Python."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restflow.post_fetch import PostFetch
from tests.matrix import examples
from tests.post_fetch.support import Fetch, attached, day, review
from tests.shop.models import Review

pytestmark = pytest.mark.django_db(databases="__all__")
TITLES = ["Emma", "Ulysses", "Walden"]
DAYS = [day(number) for number in (1, 2)]


def naive(
    rows: list[tuple[str, int, datetime.date | None]],
    items: list[dict[str, Any]],
    limit: int | None,
    order_by: str,
    two_keys: bool,
) -> list[Any]:
    """What each item gets, by reading all rows in Python."""
    backwards = order_by.startswith("-")
    ordered = sorted(enumerate(rows), key=lambda row: (row[1][1], row[0]), reverse=backwards)
    answers: list[Any] = []
    for item in items:
        matches = [
            rating
            for _, (title, rating, created) in ordered
            if title == item["title"] and (not two_keys or (created is not None and created == item["day"]))
        ]
        answers.append((matches[0] if matches else None) if limit == 1 else matches[:limit])
    return answers


@pytest.mark.parametrize("how", ["argument", "query set", "reversed"])
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.sampled_from(TITLES), st.integers(0, 3), st.sampled_from([*DAYS, None])), max_size=12),
    items=st.lists(
        st.fixed_dictionaries(
            {"title": st.sampled_from([*TITLES, "Dracula", None]), "day": st.sampled_from([*DAYS, None])}
        ),
        max_size=5,
    ),
    limit=st.sampled_from([1, 2, 3, None]),
    order_by=st.sampled_from(["rating", "-rating"]),
    two_keys=st.booleans(),
)
def test_any_join_gives_what_a_naive_one_gives(
    fetch: Fetch,
    database: str,
    how: str,
    rows: list[tuple[str, int, datetime.date | None]],
    items: list[dict[str, Any]],
    limit: int | None,
    order_by: str,
    two_keys: bool,
) -> None:
    Review.objects.using(database).all().delete()
    for title, rating, created in rows:
        review(database, title, rating, created)
    tie = "-pk" if order_by.startswith("-") else "pk"
    opposite = {"rating": ("-rating", "-pk"), "-rating": ("rating", "pk")}[order_by]
    queryset = {
        "argument": lambda: Review.objects.using(database),
        "query set": lambda: Review.objects.using(database).order_by(order_by, tie),
        "reversed": lambda: Review.objects.using(database).order_by(*opposite).reverse(),
    }[how]()
    queries = {"book_title": "title", "created": "day"} if two_keys else {"book_title": "title"}
    joined = PostFetch(
        queryset,
        "found",
        ["rating"],
        limit=limit,
        order_by=[order_by, tie] if how == "argument" else None,
        **queries,
    )
    found = fetch(joined, [dict(item) for item in items])
    assert attached(found) == naive(rows, items, limit, order_by, two_keys)
