"""The order a PostFetch attaches in: its own, the query set's, the model's, else the primary key's."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import F

from restflow.post_fetch import PostFetch
from tests.post_fetch.support import Fetch, attached, titled
from tests.shop.models import Author, Book, Tag

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.mark.parametrize("limit", [2, None])
@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        (["rating"], [1, 3, 5]),
        (["-rating"], [5, 3, 1]),
        (["created"], [3, 1, 5]),
        ([F("rating").desc()], [5, 3, 1]),
        ([F("rating")], [1, 3, 5]),
        ([F("rating") * -1], [5, 3, 1]),
        ([F("created").desc(nulls_last=True)], [5, 1, 3]),
        (["book_title", "-rating"], [5, 3, 1]),
    ],
    ids=str,
)
def test_order_by_orders_the_matches(
    fetch: Fetch, reviews: Any, limit: int | None, order_by: list[Any], expected: list[int]
) -> None:
    joined = PostFetch(reviews, "found", ["rating"], limit=limit, order_by=order_by, book_title="title")
    assert attached(fetch(joined, titled("Emma"))) == [expected[:limit]]


@pytest.mark.parametrize(
    ("ordered", "expected", "limit"),
    [
        pytest.param(ordered, expected, limit, id=f"{name}, {limit}")
        for name, ordered, expected in [
            ("desc", lambda reviews: reviews.order_by("-rating"), [5, 3, 1]),
            ("asc", lambda reviews: reviews.order_by("rating"), [1, 3, 5]),
            ("expression", lambda reviews: reviews.order_by(F("rating").desc()), [5, 3, 1]),
            ("alias", lambda reviews: reviews.alias(worth=F("rating") * -1).order_by("worth"), [5, 3, 1]),
            ("reversed twice", lambda reviews: reviews.order_by("rating").reverse().reverse(), [1, 3, 5]),
            ("reversed asc", lambda reviews: reviews.order_by("rating").reverse(), [5, 3, 1]),
            ("reversed desc", lambda reviews: reviews.order_by("-rating").reverse(), [1, 3, 5]),
        ]
        for limit in (1, 2, None)
    ],
)
def test_without_order_by_the_query_sets_order_holds(
    fetch: Fetch, reviews: Any, ordered: Any, expected: list[int], limit: int | None
) -> None:
    joined = PostFetch(ordered(reviews), "found", ["rating"], limit=limit, book_title="title")
    assert attached(fetch(joined, titled("Emma"))) == [expected[0] if limit == 1 else expected[:limit]]


@pytest.mark.parametrize("limit", [1, 2, None])
@pytest.mark.parametrize("reverse", [False, True])
def test_the_models_ordering_holds(fetch: Fetch, database: str, limit: int | None, reverse: bool) -> None:
    author = Author.objects.using(database).create(name="Austen")
    for title in ("Persuasion", "Emma", "Sanditon"):
        Book.objects.using(database).create(title=title, author=author)
    books = Book.objects.using(database)  # Meta.ordering is by title
    joined = PostFetch(books.reverse() if reverse else books.all(), "found", ["title"], limit=limit, author_id="pk")
    (found,) = fetch(joined, [author])
    expected = ["Sanditon", "Persuasion", "Emma"] if reverse else ["Emma", "Persuasion", "Sanditon"]
    titles = [row["title"] for row in ([found.found] if limit == 1 else found.found)]
    assert titles == expected[:limit]


@pytest.mark.parametrize("limit", [2, None])
def test_without_any_order_the_primary_key_orders(fetch: Fetch, reviews: Any, limit: int | None) -> None:
    joined = PostFetch(reviews.all(), "found", ["rating"], limit=limit, book_title="title")
    assert attached(fetch(joined, titled("Emma"))) == [[3, 5, 1][:limit]]


def test_order_by_comes_before_the_query_sets_order(fetch: Fetch, reviews: Any) -> None:
    joined = PostFetch(
        reviews.order_by("rating"), "found", ["rating"], limit=2, order_by=["-rating"], book_title="title"
    )
    assert attached(fetch(joined, titled("Emma"))) == [[5, 3]]


@pytest.mark.parametrize("by_argument", [True, False])
def test_a_random_order_attaches_any_of_the_matches(
    fetch: Fetch, reviews: Any, database: str, by_argument: bool
) -> None:
    queryset = reviews.all() if by_argument else reviews.order_by("?")
    order_by = ["?"] if by_argument else None
    joined = PostFetch(queryset, "found", ["rating"], limit=2, order_by=order_by, book_title="title")
    seen = set()
    for _ in range(40):  # each of the three comes with 2 in 3; to miss one in 40 rounds is 1 in 10^19
        ((first, second),) = attached(fetch(joined, titled("Emma")))
        assert first != second
        seen |= {first, second}
    assert seen == {1, 3, 5}


@pytest.mark.parametrize("limit", [1, 2, None])
@pytest.mark.parametrize("by_argument", [True, False])
def test_a_relation_orders_by_its_models_ordering(
    fetch: Fetch, database: str, limit: int | None, by_argument: bool
) -> None:
    author = Author.objects.using(database).create(name="Austen")
    tag = Tag.objects.using(database).create(name="novel")
    for title in ("Persuasion", "Emma", "Sanditon"):
        tag.books.add(Book.objects.using(database).create(title=title, author=author))
    pairs = Book.tags.through.objects.using(database)
    joined = PostFetch(
        pairs.all() if by_argument else pairs.order_by("book"),
        "found",
        ["book__title"],
        limit=limit,
        order_by=["book"] if by_argument else None,
        tag_id="pk",
    )
    (found,) = fetch(joined, [tag])
    titles = [row["book__title"] for row in ([found.found] if limit == 1 else found.found)]
    assert (
        titles
        == [pair.book.title for pair in pairs.order_by("book")][:limit]
        == ["Emma", "Persuasion", "Sanditon"][:limit]
    )
