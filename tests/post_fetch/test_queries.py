"""What a PostFetch asks of the database: one query for all items, and no row more than is attached."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from restflow.post_fetch import PostFetch
from tests.post_fetch.support import Fetch, attached, day, review, rows_of_queries, titled
from tests.shop.models import Author, Book, Review

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.mark.parametrize("limit", [1, 2, None])
def test_one_query_serves_all_items(fetch: Fetch, reviews: Any, database: str, limit: int | None) -> None:
    joined = PostFetch(reviews, "found", ["rating"], limit=limit, book_title="title")
    with CaptureQueriesContext(connections[database]) as queries:
        fetch(joined, titled("Emma", "Ulysses", "Dracula", "Emma"))
    assert len(queries) == 1


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_the_database_returns_at_most_limit_rows_a_key(fetch: Fetch, database: str, limit: int) -> None:
    for rating in range(20):
        review(database, "Emma", rating)
        review(database, "Ulysses", rating)
    joined = PostFetch(
        Review.objects.using(database), "found", [], limit=limit, order_by=["-rating"], book_title="title"
    )
    with rows_of_queries(database) as answers:
        fetch(joined, titled("Emma", "Ulysses"))
    (rows,) = answers
    assert Counter(title for (title,) in rows) == {"Emma": limit, "Ulysses": limit}


def test_only_the_asked_keys_come_from_the_database(fetch: Fetch, reviews: Any, database: str) -> None:
    with rows_of_queries(database) as answers:
        fetch(PostFetch(reviews, "found", [], limit=None, book_title="title"), titled("Emma"))
    assert answers == [[("Emma",)] * 3]


@pytest.mark.parametrize("limit", [1, 2, None])
@pytest.mark.parametrize("items", [[], titled(None), titled(None, None)], ids=["no items", "None", "Nones"])
def test_nothing_to_ask_is_no_query(
    fetch: Fetch, reviews: Any, database: str, limit: int | None, items: list[Any]
) -> None:
    joined = PostFetch(reviews, "found", ["rating"], limit=limit, book_title="title")
    with CaptureQueriesContext(connections[database]) as queries:
        found = fetch(joined, [dict(item) for item in items])
    assert not queries.captured_queries
    assert found == [{"title": None, "found": None if limit == 1 else []} for _ in items]


@pytest.mark.parametrize("limit", [1, None])
def test_none_matches_nothing_not_even_null(fetch: Fetch, database: str, limit: int | None) -> None:
    review(database, "Emma", 1, None)
    review(database, "Emma", 2, day(1))
    joined = PostFetch(Review.objects.using(database), "found", ["rating"], limit=limit, created="day")
    expected = [None, 2] if limit == 1 else [[], [2]]
    assert attached(fetch(joined, [{"day": None}, {"day": day(1)}])) == expected


def test_a_pair_with_none_in_it_matches_nothing(fetch: Fetch, database: str) -> None:
    review(database, "Emma", 1, None)
    joined = PostFetch(Review.objects.using(database), "found", ["rating"], book_title="title", created="day")
    items = [{"title": "Emma", "day": None}, {"title": "Emma", "day": day(1)}]
    assert attached(fetch(joined, items)) == [None, None]


def test_a_pair_with_none_in_it_is_not_asked_for(fetch: Fetch, database: str) -> None:
    for title in ("Emma", "Walden"):
        review(database, title, 1, day(1))
    joined = PostFetch(Review.objects.using(database), "found", [], book_title="title", created="day")
    items = [{"title": "Emma", "day": day(1)}, {"title": "Walden", "day": None}]
    with rows_of_queries(database) as answers:
        fetch(joined, items)
    (rows,) = answers
    assert len(rows) == 1


def test_a_query_set_of_items_is_evaluated_once(fetch: Fetch, reviews: Any, database: str) -> None:
    author = Author.objects.using(database).create(name="Austen")
    Book.objects.using(database).create(title="Emma", author=author)
    joined = PostFetch(reviews, "found", ["rating"], order_by=["-rating"], book_title="title")
    with CaptureQueriesContext(connections[database]) as queries:
        assert attached(fetch(joined, Book.objects.using(database).all())) == [5]
    assert len(queries) == 2


def test_a_generator_of_items_is_read_once(fetch: Fetch, reviews: Any) -> None:
    joined = PostFetch(reviews, "found", ["rating"], order_by=["-rating"], book_title="title")
    assert attached(fetch(joined, (item for item in titled("Emma", "Ulysses")))) == [5, 4]


def test_the_query_set_is_asked_anew_each_time(fetch: Fetch, reviews: Any, database: str) -> None:
    assert list(reviews.all())
    evaluated = reviews.all()
    assert len(evaluated) == 6
    joined = PostFetch(evaluated, "found", ["rating"], order_by=["-rating"], book_title="title")
    assert attached(fetch(joined, titled("Dracula"))) == [None]
    review(database, "Dracula", 4)
    assert attached(fetch(joined, titled("Dracula"))) == [4]
