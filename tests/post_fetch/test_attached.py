"""What a PostFetch attaches: the first match or a list of them, as an attribute or a key, row by row."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import F, Sum
from django.db.models.functions import Length, Lower, Upper

from restflow.post_fetch import PostFetch
from tests.post_fetch.support import Fetch, attached, day, ratings, review, titled
from tests.shop.models import Author, Book, Review

pytestmark = pytest.mark.django_db(databases="__all__")


def test_limit_1_attaches_the_first_match_or_none(fetch: Fetch, reviews: Any) -> None:
    joined = PostFetch(reviews, "found", ["rating"], order_by=["-created"], book_title="title")
    items = fetch(joined, titled("Emma", "Ulysses", "Dracula"))
    assert items == [
        {"title": "Emma", "found": {"rating": 5, "book_title": "Emma"}},
        {"title": "Ulysses", "found": {"rating": 4, "book_title": "Ulysses"}},
        {"title": "Dracula", "found": None},
    ]


@pytest.mark.parametrize("limit", [2, None])
def test_limit_n_attaches_a_list_of_at_most_n_and_no_limit_all(fetch: Fetch, reviews: Any, limit: int | None) -> None:
    joined = PostFetch(reviews, "found", ["rating"], limit=limit, order_by=["-created"], book_title="title")
    assert attached(fetch(joined, titled("Emma", "Ulysses", "Dracula"))) == [[5, 1, 3][:limit], [4], []]


def test_instances_get_an_attribute(fetch: Fetch, reviews: Any, database: str) -> None:
    author = Author.objects.using(database).create(name="Austen")
    for title in ("Emma", "Persuasion"):
        Book.objects.using(database).create(title=title, author=author)
    books = Book.objects.using(database).all()
    found = fetch(PostFetch(reviews, "found", ["rating"], order_by=["-rating"], book_title="title"), books)
    assert [(book.title, ratings(book.found)) for book in found] == [("Emma", 5), ("Persuasion", None)]


def test_the_items_given_are_the_items_changed(fetch: Fetch, reviews: Any) -> None:
    items = titled("Emma")
    found = fetch(PostFetch(reviews, "found", ["rating"], order_by=["-rating"], book_title="title"), items)
    assert found[0] is items[0]
    assert attached(items) == [5]


def test_rows_of_values_get_a_key(fetch: Fetch, reviews: Any, database: str) -> None:
    author = Author.objects.using(database).create(name="Austen")
    Book.objects.using(database).create(title="Emma", author=author)
    rows = Book.objects.using(database).values("title", "author__name")
    joined = PostFetch(reviews, "found", ["rating"], order_by=["-rating"], book_title="title")
    assert fetch(joined, rows) == [
        {"title": "Emma", "author__name": "Austen", "found": {"rating": 5, "book_title": "Emma"}}
    ]


def test_several_keys_must_all_match(fetch: Fetch, reviews: Any) -> None:
    items = [
        {"title": "Emma", "day": day(2)},
        {"title": "Ulysses", "day": day(2)},
        {"title": "Ulysses", "day": day(3)},  # each key of it is asked for, the pair has no row
        {"title": "Emma", "day": day(3)},
    ]
    joined = PostFetch(reviews, "found", ["rating"], book_title="title", created="day")
    assert attached(fetch(joined, items)) == [1, 4, None, 5]
    joined = PostFetch(reviews, "found", ["rating"], limit=None, book_title="title", created="day")
    assert attached(fetch(joined, items)) == [[1], [4], [], [5]]


def test_items_with_the_same_key_get_rows_of_their_own(fetch: Fetch, reviews: Any) -> None:
    first, second = fetch(PostFetch(reviews, "found", ["rating"], limit=2, book_title="title"), titled("Emma", "Emma"))
    assert first["found"] == second["found"]
    first["found"][0]["rating"] = "changed"
    first["found"].pop()
    assert len(second["found"]) == 2
    assert second["found"][0]["rating"] != "changed"


def test_values_dict_adds_expressions(fetch: Fetch, reviews: Any) -> None:
    joined = PostFetch(
        reviews,
        "found",
        ["rating"],
        values_dict={"shouted": Upper("book_title"), "double": F("rating") * 2},
        order_by=["-rating"],
        book_title="title",
    )
    (emma,) = fetch(joined, titled("Emma"))
    assert emma["found"] == {"rating": 5, "book_title": "Emma", "shouted": "EMMA", "double": 10}


def test_without_values_the_keys_alone_are_attached(fetch: Fetch, reviews: Any) -> None:
    (emma,) = fetch(PostFetch(reviews, "found", [], book_title="title"), titled("Emma"))
    assert emma["found"] == {"book_title": "Emma"}


def test_annotations_of_the_query_set_are_values_and_keys(fetch: Fetch, reviews: Any) -> None:
    annotated = reviews.annotate(low=Lower("book_title"), letters=Length("book_title"))
    joined = PostFetch(annotated, "found", ["letters"], order_by=["-rating"], low="slug")
    (ulysses,) = fetch(joined, [{"slug": "ulysses"}])
    assert ulysses["found"] == {"letters": 7, "low": "ulysses"}


def test_the_query_sets_own_filters_hold(fetch: Fetch, reviews: Any) -> None:
    joined = PostFetch(
        reviews.filter(rating__lt=5), "found", ["rating"], limit=2, order_by=["-rating"], book_title="title"
    )
    assert attached(fetch(joined, titled("Emma"))) == [[3, 1]]


def test_a_manager_is_taken_for_its_query_set(fetch: Fetch, reviews: Any, database: str) -> None:
    manager = Review.objects.db_manager(database)
    assert attached(
        fetch(PostFetch(manager, "found", ["rating"], order_by=["-rating"], book_title="title"), titled("Emma"))
    ) == [5]


@pytest.mark.parametrize("limit", [1, 2, None])
def test_a_column_may_be_asked_for_under_several_names(fetch: Fetch, reviews: Any, limit: int | None) -> None:
    joined = PostFetch(
        reviews,
        "found",
        ["rating", "pk", "id", "book_title"],
        values_dict={"stars": F("rating"), "title": F("book_title"), "double": F("rating") * 2},
        limit=limit,
        order_by=["-rating"],
        book_title="title",
    )
    (ulysses,) = fetch(joined, titled("Ulysses"))
    pk = reviews.get(book_title="Ulysses").pk
    row = {"rating": 4, "pk": pk, "id": pk, "book_title": "Ulysses", "stars": 4, "title": "Ulysses", "double": 8}
    assert ulysses["found"] == (row if limit == 1 else [row])


@pytest.mark.parametrize("limit", [1, 2, None])
@pytest.mark.parametrize("order", [["book_title"], None])
def test_a_grouped_query_set_keeps_its_groups(
    fetch: Fetch, reviews: Any, limit: int | None, order: list[str] | None
) -> None:
    totals = reviews.values("book_title").annotate(total=Sum("rating"))
    joined = PostFetch(totals, "found", ["total"], limit=limit, order_by=order, book_title="title")
    (emma,) = fetch(joined, titled("Emma"))
    expected = {"book_title": "Emma", "total": 9}
    assert emma["found"] == (expected if limit == 1 else [expected])


@pytest.mark.parametrize("limit", [1, 2, None])
def test_a_distinct_query_set_attaches_no_row_twice(fetch: Fetch, database: str, limit: int | None) -> None:
    for rating in (5, 5, 1):
        review(database, "Emma", rating)
    joined = PostFetch(
        Review.objects.using(database).distinct(),
        "found",
        ["rating"],
        limit=limit,
        order_by=["-rating"],
        book_title="title",
    )
    assert attached(fetch(joined, titled("Emma"))) == [5 if limit == 1 else [5, 1]]
