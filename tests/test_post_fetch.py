"""PostFetch against SQLite and PostgreSQL, in both colours."""

from __future__ import annotations

import datetime
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import FieldError
from django.db import connections, models
from django.db.models import F, FilteredRelation, Q, Sum, Value
from django.db.models.functions import Concat, Length, Lower, Upper
from django.test.utils import CaptureQueriesContext
from django.utils.functional import SimpleLazyObject
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restflow.post_fetch import PostFetch
from tests.databases import ALIASES
from tests.matrix import each_value, examples, some
from tests.shop.models import Author, Book, Edition, Exhibit, Medal, Prize, Review, Tag

pytestmark = pytest.mark.django_db(databases="__all__")

Fetch = Callable[[PostFetch, Any], Any]


# Which database answers makes no difference to a colour.
@pytest.fixture(params=some(product(["sync", "async"], ALIASES)), ids="-".join)
def colour_and_database(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param


@pytest.fixture
def fetch(colour_and_database: tuple[str, str]) -> Fetch:
    """``fetch`` or ``afetch``; the async one does its blocking work on this thread, and so on its connection."""
    if colour_and_database[0] == "sync":
        return lambda post_fetch, items: post_fetch.fetch(items)
    return lambda post_fetch, items: async_to_sync(post_fetch.afetch)(items)


@pytest.fixture
def database(colour_and_database: tuple[str, str]) -> str:
    return colour_and_database[1]


def day(number: int) -> datetime.date:
    return datetime.date(2024, 1, number)


def review(database: str, title: str, rating: int, created: datetime.date | None = None) -> Review:
    return Review.objects.using(database).create(book_title=title, rating=rating, created=created)


@pytest.fixture
def reviews(database: str) -> models.QuerySet[Review]:
    """Three reviews of Emma, one of Ulysses, two of a book nobody asks about."""
    for title, rating, number in [
        ("Emma", 3, 1),
        ("Ulysses", 4, 2),
        ("Emma", 5, 3),
        ("Emma", 1, 2),
        ("Walden", 2, 4),
        ("Walden", 2, 5),
    ]:
        review(database, title, rating, day(number))
    return Review.objects.using(database)


def titled(*titles: str | None) -> list[dict[str, Any]]:
    return [{"title": title} for title in titles]


def ratings(value: Any) -> Any:
    """The ratings of one attached value."""
    if isinstance(value, list):
        return [row["rating"] for row in value]
    return None if value is None else value["rating"]


def attached(items: Any, name: str = "found") -> list[Any]:
    return [ratings(item[name] if isinstance(item, dict) else getattr(item, name)) for item in items]


@contextmanager
def rows_of_queries(database: str) -> Iterator[list[list[tuple[Any, ...]]]]:
    """The rows each query inside the block gives, by asking the database again."""
    ran: list[tuple[str, Any]] = []
    answers: list[list[tuple[Any, ...]]] = []

    def record(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        ran.append((sql, params))
        return execute(sql, params, many, context)

    with connections[database].execute_wrapper(record):
        yield answers
    with connections[database].cursor() as cursor:
        for sql, params in ran:
            cursor.execute(sql, params)
            answers.append(cursor.fetchall())


# --- what is attached -----------------------------------------------------------------------------------------------


def test_limit_1_attaches_the_first_match_or_none(fetch: Fetch, reviews: Any) -> None:
    joined = PostFetch(reviews, "found", ["rating"], order_by=["-created"], book_title="title")
    items = fetch(joined, titled("Emma", "Ulysses", "Dracula"))
    assert items == [
        {"title": "Emma", "found": {"rating": 5, "book_title": "Emma"}},
        {"title": "Ulysses", "found": {"rating": 4, "book_title": "Ulysses"}},
        {"title": "Dracula", "found": None},
    ]


def test_limit_n_attaches_a_list_of_at_most_n(fetch: Fetch, reviews: Any) -> None:
    joined = PostFetch(reviews, "found", ["rating"], limit=2, order_by=["-created"], book_title="title")
    assert attached(fetch(joined, titled("Emma", "Ulysses", "Dracula"))) == [[5, 1], [4], []]


def test_no_limit_attaches_all(fetch: Fetch, reviews: Any) -> None:
    joined = PostFetch(reviews, "found", ["rating"], limit=None, order_by=["created"], book_title="title")
    assert attached(fetch(joined, titled("Emma", "Ulysses", "Dracula"))) == [[3, 1, 5], [4], []]


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


def test_a_row_of_values_may_join_by_a_key_across_a_relation(fetch: Fetch, database: str) -> None:
    author = Author.objects.using(database).create(name="Austen")
    Book.objects.using(database).create(title="Emma", author=author, year=1815)
    rows = Book.objects.using(database).values("author__name")
    joined = PostFetch(Author.objects.using(database), "found", ["pk"], name="author__name")
    assert fetch(joined, rows) == [{"author__name": "Austen", "found": {"pk": author.pk, "name": "Austen"}}]


def test_the_join_may_cross_a_relation(fetch: Fetch, database: str) -> None:
    for name, year in [("Austen", 1815), ("Joyce", 1922), ("Austen", 1811)]:
        author, _ = Author.objects.using(database).get_or_create(name=name)
        Book.objects.using(database).create(title=f"{name} {year}", author=author, year=year)
    joined = PostFetch(
        Book.objects.using(database), "found", ["title"], limit=2, order_by=["year"], author__name="name"
    )
    (austen, joyce) = fetch(joined, [{"name": "Austen"}, {"name": "Joyce"}])
    assert [row["title"] for row in austen["found"]] == ["Austen 1811", "Austen 1815"]
    assert [row["title"] for row in joyce["found"]] == ["Joyce 1922"]


def test_a_foreign_key_joins_to_the_primary_key(fetch: Fetch, database: str) -> None:
    authors = [Author.objects.using(database).create(name=name) for name in ("Austen", "Joyce")]
    for author, title in zip(authors, ["Emma", "Ulysses"], strict=True):
        Book.objects.using(database).create(title=title, author=author)
    joined = PostFetch(Book.objects.using(database), "found", ["title"], author="pk")
    assert [author.found["title"] for author in fetch(joined, authors)] == ["Emma", "Ulysses"]


def test_a_foreign_key_joins_to_an_instance(fetch: Fetch, database: str) -> None:
    author = Author.objects.using(database).create(name="Austen")
    book = Book.objects.using(database).create(title="Emma", author=author)
    joined = PostFetch(Book.objects.using(database), "found", ["title"], author="author")
    (found,) = fetch(joined, [book])
    assert found.found == {"title": "Emma", "author": author.pk}


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


# --- order ----------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("limit", "reverse"),
    [
        (1, False),
        (2, False),
        (None, False),
        (1, True),
        (2, True),
        (None, True),
    ],
)
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


# --- grouped and distinct query sets --------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, None])
@pytest.mark.parametrize(
    "order",
    [
        ["book_title"],
        None,
    ],
)
def test_a_grouped_query_set_keeps_its_groups(
    fetch: Fetch, reviews: Any, limit: int | None, order: list[str] | None
) -> None:
    totals = reviews.values("book_title").annotate(total=Sum("rating"))
    joined = PostFetch(totals, "found", ["total"], limit=limit, order_by=order, book_title="title")
    (emma,) = fetch(joined, titled("Emma"))
    expected = {"book_title": "Emma", "total": 9}
    assert emma["found"] == (expected if limit == 1 else [expected])


@pytest.mark.parametrize(
    "limit",
    [
        1,
        2,
        None,
    ],
)
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


# --- what the database does -----------------------------------------------------------------------------------------


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


# --- mistakes -------------------------------------------------------------------------------------------------------


def test_an_instance_without_the_base_field_is_an_error(fetch: Fetch, reviews: Any) -> None:
    with pytest.raises(AttributeError, match="slug"):
        fetch(PostFetch(reviews, "found", ["rating"], book_title="slug"), [Book(title="Emma")])


def test_a_dict_without_the_base_field_is_an_error(fetch: Fetch, reviews: Any) -> None:
    with pytest.raises(KeyError, match="slug"):
        fetch(PostFetch(reviews, "found", ["rating"], book_title="slug"), titled("Emma"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Review, r"got the model Review: write Review.objects.all\(\)"),
        (Review.objects.all, r"a query set or a manager, got BaseManager.*\.all: call it"),
        (models.QuerySet, r"a query set or a manager, got QuerySet: call it"),
        (None, r"a query set or a manager, got None"),
        ([], r"a query set or a manager, got \[\]"),
        (Review(), r"a query set or a manager, got <Review"),
        (Review.objects.raw("select 1"), r"a query set or a manager, got <RawQuerySet"),
        (Review.objects.all()[:5], r"one that is sliced can't be: say limit= instead"),
    ],
    ids=["model", "method", "class", "None", "list", "instance", "raw", "slice"],
)
def test_what_is_no_query_set_is_refused_when_it_is_made(given: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        PostFetch(given, "found", ["rating"], book_title="title")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"orderby": ["-created"]}, r"^orderby=\['-created'\] is no pair of fields' names.*Did you mean order_by=\?$"),
        ({"orderby": "-created"}, r"^orderby='-created' is no pair\. .*rating\. Did you mean order_by=\?$"),
        ({"order": "created"}, r"order='created' is no pair.*Did you mean order_by=\?$"),
        ({"limt": 3}, r"limt=3 is no pair.*Did you mean limit=\?$"),
        ({"value_dict": {"x": F("rating")}}, r"value_dict=.* is no pair.*Did you mean values_dict=\?$"),
        ({"toattr": "x"}, r"toattr='x' is no pair.*Did you mean to_attr=\?$"),
        ({"novel": "title"}, r"novel='title' is no pair. Cannot resolve keyword 'novel' into field.*rating\.$"),
        (
            {"book_title__title": "title"},
            r"book_title__title='title' is no pair. Unsupported lookup 'title__in'.* permitted\.$",
        ),
        ({"values": ["stars"]}, r"Cannot resolve keyword 'stars' into field"),
        ({"order_by": ["-stars"]}, r"Cannot resolve keyword 'stars' into field"),
        ({"values_dict": {"double": F("stars") * 2}}, r"Cannot resolve keyword 'stars' into field"),
        ({"values_dict": {"stars": "rating"}}, r"must hold expressions, got stars='rating': F\('name'\) is one"),
        (
            {"queryset": Review.objects.alias(low=Lower("book_title")), "low": "title"},
            r"Use annotate\(\) to promote it",
        ),
        (
            {"values_dict": {"created": F("rating") * 2}},
            r"'created' conflicts with a field on the model",
        ),
        ({"values": [F("rating")]}, r"values must be names, got F\(rating\): put an expression into values_dict"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, dict) else "",
)
@pytest.mark.parametrize("queryset", [lambda: Review.objects.all(), lambda: Review.objects], ids=["rows", "manager"])
def test_a_keyword_or_a_name_that_can_not_be_meant_is_told_when_it_is_made(
    queryset: Any, given: dict[str, Any], said: str
) -> None:
    with pytest.raises((FieldError, TypeError, ValueError), match=said):
        PostFetch(**{"queryset": queryset(), "to_attr": "found", "values": ["rating"], "book_title": "title"} | given)


Reviews = models.Manager.from_queryset(models.QuerySet[Review])


class Shouted(Reviews):  # type: ignore[misc, valid-type]
    """A manager whose query set has more than the model says."""

    asked = 0

    def get_queryset(self) -> Any:
        type(self).asked += 1
        return super().get_queryset().annotate(shouted=Upper("book_title"))


def shouted() -> Any:
    manager: Any = type("Manager", (Shouted,), {})()
    manager.model = Review
    return manager


@pytest.mark.parametrize(
    "names",
    [
        {"values": ["rating"], "orderby": "-created", "book_title": "title"},
        {"values": ["stars"], "book_title": "title"},
        {"values": ["shouted"], "shuted": "title"},
    ],
    ids=str,
)
@pytest.mark.parametrize("items", [[], [{"title": "EMMA"}]])
def test_what_only_a_manager_or_a_lazy_object_knows_is_told_by_the_first_fetch(
    fetch: Fetch, names: dict[str, Any], items: Any
) -> None:
    asked: list[Any] = []
    for queryset in (shouted(), SimpleLazyObject(lambda: asked.append(1) or shouted().all())):
        joined = PostFetch(queryset, "found", **names)
        assert not asked
        assert getattr(type(queryset), "asked", 0) == 0
        with pytest.raises(FieldError, match="Cannot resolve keyword"):
            fetch(joined, items)


@pytest.mark.django_db(databases=["default"])
def test_a_manager_or_a_lazy_object_that_knows_more_than_the_model_is_joined(fetch: Fetch) -> None:
    review("default", "Emma", 5)
    for queryset in (shouted(), SimpleLazyObject(lambda: shouted().all())):
        joined = PostFetch(queryset, "found", ["rating"], order_by=["shouted"], shouted="title")
        assert attached(fetch(joined, titled("EMMA", "Emma"))) == [5, None]


class Scoped(models.QuerySet[Review]):
    """A query set that refuses to be used outside a request."""

    in_request = False

    def filter(self, *args: Any, **kwargs: Any) -> Any:
        assert type(self).in_request
        return super().filter(*args, **kwargs)

    def _clone(self) -> Any:
        assert type(self).in_request
        return super()._clone()  # type: ignore[misc]


def test_no_code_of_a_query_sets_own_runs_before_a_request(
    fetch: Fetch, reviews: Any, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = PostFetch(Scoped(Review, using=database), "found", ["rating"], order_by=["rating"], book_title="title")
    with pytest.raises(FieldError, match="novel"):
        PostFetch(Scoped(Review, using=database), "found", ["rating"], novel="title")
    monkeypatch.setattr(Scoped, "in_request", True)
    assert attached(fetch(joined, titled("Emma"))) == [1]


@pytest.mark.parametrize(
    "made",
    [
        lambda: PostFetch(Review.objects.annotate(low=Lower("book_title")), "x", ["low"], low="title"),
        lambda: PostFetch(Review.objects.all(), "x", ["rating"], order_by=["?"], created__year="year"),
        lambda: PostFetch(Book.objects.all(), "x", ["author__name"], order_by=["author__name"], tags__name="tag"),
        lambda: PostFetch(Book.objects.all(), "x", ["title"], editions="edition", tags="tag", pk="pk"),
        lambda: PostFetch(Edition.objects.all(), "x", ["details__pages"], details__isbn="isbn"),
        lambda: PostFetch(Author.objects, "x", ["books__title"], prizes__medal__metal="metal"),
        lambda: PostFetch(
            Book.objects.alias(few=FilteredRelation("editions", condition=Q(editions__number=1))), "x", [], few="pk"
        ),
        lambda: PostFetch(
            Review.objects.values("book_title").annotate(sum=Sum("rating")),
            "x",
            ["sum"],
            values_dict={"rating": Sum("rating")},
            book_title="title",
        ),
    ],
)
def test_what_may_work_is_not_refused(made: Any, fetch: Fetch) -> None:
    assert fetch(made(), []) == []


def test_what_can_not_be_known_before_all_models_are_loaded_is_told_by_the_first_fetch(tmp_path: Path) -> None:
    (tmp_path / "early").mkdir()
    (tmp_path / "early" / "__init__.py").touch()
    (tmp_path / "early" / "models.py").write_text(
        """
from django.db import models
from restflow.post_fetch import PostFetch

class Author(models.Model):
    name = models.CharField(max_length=10)

WRITTEN = PostFetch(Author.objects.all(), "found", ["name"], book="title")  # of a model that comes later
MISTAKEN = PostFetch(Author.objects, "found", ["name"], orderby="name", name="title")

class Book(models.Model):
    author = models.ForeignKey(Author, models.CASCADE)
"""
    )
    (tmp_path / "run.py").write_text(
        """
import django
from django.conf import settings
from django.core.exceptions import FieldError

settings.configure(INSTALLED_APPS=["early"])
django.setup()
from early.models import MISTAKEN, WRITTEN

print(WRITTEN.fetch([]))
try:
    MISTAKEN.fetch([])
except FieldError as error:
    print(error)
"""
    )
    run = subprocess.run(
        [sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.stderr == ""
    first, second = run.stdout.splitlines()
    assert first == "[]"
    assert second.startswith("orderby='name' is no pair.")
    assert second.endswith("Did you mean order_by=?")


@pytest.mark.parametrize(
    ("item", "names"),
    [
        (lambda: Book(title="Emma"), ["title", "author", "author_id", "tags", "editions", "pk", "id"]),
        (lambda: Author(name="Austen"), ["name", "books", "prizes"]),
        (lambda: Exhibit(), ["prize", "medal_id"]),
        (lambda: Medal(), ["title", "metal", "prize_ptr"]),
        (lambda: Prize(), ["medal"]),
    ],
)
def test_an_attribute_that_is_a_field_of_the_item_is_refused(fetch: Fetch, reviews: Any, item: Any, names: Any) -> None:
    for name in names:
        for items in ([item()], [{"pk": "Emma"}, item()]):
            with pytest.raises(ValueError, match=rf"to_attr='{name}' is a field of \w+, whose value it would replace"):
                fetch(PostFetch(reviews, name, ["rating"], book_title="pk"), items)


def test_an_attribute_that_is_no_field_of_the_item_may_have_any_name(
    fetch: Fetch, reviews: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Book, "latest", None, raising=False)
    # `edition` is how a query names the relation whose attribute is `editions`; a key of a dict is the dict's.
    for name in ("latest", "edition", "rating", "book_title"):
        joined = PostFetch(reviews, name, ["rating"], order_by=["-rating"], book_title="title")
        (book,) = fetch(joined, [Book(title="Emma")])
        assert ratings(getattr(book, name)) == 5
    (row,) = fetch(PostFetch(reviews, "title", ["rating"], order_by=["-rating"], book_title="title"), titled("Emma"))
    assert ratings(row["title"]) == 5


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        PostFetch(Review.objects.all(), "found", ["rating"], limit=limit, book_title="title")


def test_a_join_without_a_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="pair"):
        PostFetch(Review.objects.all(), "found", ["rating"])


@pytest.mark.parametrize("given", [{"values": "rating"}, {"values": ["rating"], "order_by": "rating"}])
def test_one_name_where_a_list_belongs_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match=r"must be a list of names, got 'rating': write \['rating'\]"):
        PostFetch(Review.objects.all(), "found", book_title="title", **given)


# --- one instance for all -------------------------------------------------------------------------------------------


@pytest.mark.django_db(databases="__all__", transaction=True)
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_concurrent_threads_share_one_instance(database: str, colour: str) -> None:
    count = 8
    for number in range(count):
        review(database, f"Book {number}", number)
    joined = PostFetch(Review.objects.using(database), "found", ["rating"], book_title="title")
    together = Barrier(count)

    def one_request(number: int) -> list[Any]:
        together.wait()
        try:
            seen = []
            for other in range(count):
                items = titled(f"Book {number}", f"Book {other}")
                seen.append(attached(joined.fetch(items) if colour == "sync" else async_to_sync(joined.afetch)(items)))
            return seen
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(one_request, range(count)))
    assert answers == [[[number, other] for other in range(count)] for number in range(count)]


def test_a_fetch_leaves_the_instance_as_it_was(fetch: Fetch, reviews: Any) -> None:
    joined = PostFetch(
        reviews, "found", ["rating"], values_dict={"both": Concat("book_title", Value("!"))}, book_title="title"
    )
    before = {name: value for name, value in vars(joined).items() if name != "queryset"}
    sql = str(joined.queryset.all().query)
    fetch(joined, titled("Emma"))
    assert {name: value for name, value in vars(joined).items() if name != "queryset"} == before
    assert str(joined.queryset.all().query) == sql


# --- against a naive model ------------------------------------------------------------------------------------------

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


# --- foreign keys ---------------------------------------------------------------------------------------------------


@pytest.fixture
def authors(database: str) -> list[Author]:
    """Two authors, each with a book (a foreign key to the primary key) and a prize (one to the name)."""
    authors = [Author.objects.using(database).create(name=name) for name in ("Austen", "Joyce")]
    for author in authors:
        Book.objects.using(database).create(title=f"A book of {author.name}", author=author)
        Prize.objects.using(database).create(title=f"A prize of {author.name}", author=author)
    return authors


@each_value
@pytest.mark.parametrize("limit", [1, 2, None])
@pytest.mark.parametrize(
    ("base", "related", "pair"),
    [
        pytest.param(base, related, pair, id=f"{base.__name__}, {related.__name__}, {pair}")
        for base, related, pair in [
            (Author, Book, {"author": "pk"}),
            (Author, Prize, {"author": "name"}),
            (Book, Book, {"author": "author"}),
            (Book, Book, {"author_id": "author_id"}),
            (Prize, Prize, {"author": "author"}),
            (Prize, Prize, {"author_id": "author_id"}),
            (Book, Prize, {"author": "author"}),
            (Book, Prize, {"author_id": "author"}),
            (Book, Prize, {"author__pk": "author"}),
            (Prize, Book, {"author": "author"}),
            (Prize, Book, {"author__pk": "author"}),
            (Prize, Book, {"author__name": "author"}),
            (Book, Author, {"pk": "author"}),
            (Prize, Author, {"pk": "author"}),
            (Prize, Author, {"id": "author"}),
            (Prize, Author, {"name": "author"}),
            (Book, Author, {"books": "pk"}),
            (Prize, Book, {"author__prizes": "pk"}),
        ]
    ],
)
def test_foreign_keys_join_to_the_row_that_they_refer_to_in_one_query(
    fetch: Fetch,
    database: str,
    authors: list[Author],
    base: type[models.Model],
    related: type[models.Model],
    pair: dict[str, str],
    limit: int | None,
) -> None:
    name = "name" if related is Author else "author__name"
    joined = PostFetch(related._default_manager.using(database), "found", [name], limit=limit, **pair)
    items = list(base._default_manager.using(database).order_by("pk"))
    with CaptureQueriesContext(connections[database]) as queries:
        fetch(joined, items)
    assert len(queries) == 1
    found = [[item.found] if limit == 1 else item.found for item in items]  # type: ignore[attr-defined]
    assert [[row[name] for row in rows] for rows in found] == [["Austen"], ["Joyce"]]
    assert {field for rows in found for row in rows for field in row} == {name, *pair}


@pytest.mark.parametrize(("model", "key"), [(Book, "pk"), (Prize, "name")])
def test_a_row_of_values_joins_by_what_the_foreign_key_holds(
    fetch: Fetch, database: str, authors: list[Author], model: type[models.Model], key: str
) -> None:
    joined = PostFetch(model._default_manager.using(database), "found", ["title"], author="author")
    rows = fetch(joined, model._default_manager.using(database).order_by("pk").values("author"))
    assert [row["found"]["author"] for row in rows] == [getattr(author, key) for author in authors]
    joined = PostFetch(Author.objects.using(database), "found", ["name"], **{key: "author"})
    assert [row["found"]["name"] for row in fetch(joined, rows)] == ["Austen", "Joyce"]


@pytest.mark.parametrize("model", [Book, Prize])
def test_an_instance_in_a_dict_counts_as_what_the_foreign_key_refers_to(
    fetch: Fetch, database: str, authors: list[Author], model: type[models.Model]
) -> None:
    joined = PostFetch(model._default_manager.using(database), "found", ["author__name"], author="by")
    items = fetch(joined, [{"by": author} for author in authors])
    assert [item["found"]["author__name"] for item in items] == ["Austen", "Joyce"]


def test_an_instance_in_a_dict_counts_as_its_primary_key_elsewhere(
    fetch: Fetch, database: str, authors: list[Author]
) -> None:
    review(database, "Emma", authors[0].pk)
    reviews = Review.objects.using(database)
    assert attached(fetch(PostFetch(reviews, "found", [], rating="by"), [{"by": authors[0]}])) == [authors[0].pk]
    annotated = reviews.annotate(author=F("rating"))
    joined = PostFetch(annotated, "found", ["rating"], author="by")
    assert attached(fetch(joined, [{"by": authors[0]}])) == [authors[0].pk]


def test_an_annotation_joins_to_the_column_of_a_foreign_key(fetch: Fetch, database: str, authors: list[Author]) -> None:
    review(database, "Austen", 1)
    annotated = Review.objects.using(database).annotate(author=F("book_title"))
    (austen, joyce) = fetch(PostFetch(annotated, "found", ["rating"], author="author"), Prize.objects.using(database))
    assert (ratings(austen.found), ratings(joyce.found)) == (1, None)


def test_a_plain_field_joins_to_the_column_of_a_foreign_key(fetch: Fetch, database: str, authors: list[Author]) -> None:
    review(database, "Joyce", authors[0].pk)
    reviews = Review.objects.using(database)
    books = fetch(PostFetch(reviews, "found", ["rating"], rating="author"), Book.objects.using(database).order_by("pk"))
    assert attached(books) == [authors[0].pk, None]
    prizes = Prize.objects.using(database).order_by("pk")
    prizes = fetch(PostFetch(reviews, "found", ["rating"], book_title="author"), prizes)
    assert attached(prizes) == [None, authors[0].pk]


@pytest.mark.parametrize(
    ("secondary", "base"),
    [
        ("medal", "medal"),
        ("medal", "prize"),
        ("prize", "medal"),
        ("medal", "metal"),
        ("metal", "medal"),
        ("metal", "metal"),
    ],
)
def test_foreign_keys_to_a_model_and_to_its_child_join(fetch: Fetch, database: str, secondary: str, base: str) -> None:
    author = Author.objects.using(database).create(name="Austen")
    Prize.objects.using(database).create(title="None", author=author)  # so that no two keys are the same by chance
    for metal in ("gold", "silver"):
        medal = Medal.objects.using(database).create(title=metal, author=author, metal=metal)
        Exhibit.objects.using(database).create(prize=medal, medal=medal, metal=medal)
    joined = PostFetch(Exhibit.objects.using(database), "found", ["metal"], **{secondary: base})
    exhibits = Exhibit.objects.using(database).order_by("pk")
    assert [exhibit.found["metal"] for exhibit in fetch(joined, exhibits)] == ["gold", "silver"]
    joined = PostFetch(Medal.objects.using(database), "found", ["metal"], pk=base)
    assert [exhibit.found["metal"] for exhibit in fetch(joined, exhibits)] == ["gold", "silver"]


def test_items_of_several_models_may_be_joined_at_once(fetch: Fetch, database: str, authors: list[Author]) -> None:
    joined = PostFetch(Prize.objects.using(database), "found", ["title"], author="author")
    items = [*Book.objects.using(database).order_by("pk"), *Prize.objects.using(database).order_by("-pk")]
    assert [item.found["title"] for item in fetch(joined, items)] == [
        "A prize of Austen",
        "A prize of Joyce",
        "A prize of Joyce",
        "A prize of Austen",
    ]


def test_a_reverse_relation_gives_the_instance_to_join_by(fetch: Fetch, database: str, authors: list[Author]) -> None:
    for prize in Prize.objects.using(database).order_by("pk"):
        Medal(prize_ptr=prize, title=prize.title, author=prize.author, metal=prize.title).save_base(using=database)
    joined = PostFetch(Exhibit.objects.using(database), "found", ["metal"], medal="medal")
    medals = Medal.objects.using(database).order_by("pk")
    Exhibit.objects.using(database).create(medal=medals[1], metal=medals[0])
    (austen, joyce) = fetch(joined, Prize.objects.using(database).order_by("pk"))
    assert (austen.found, joyce.found) == (None, {"medal": medals[1].pk, "metal": medals[0].metal})


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
