"""A PostFetch joins across relations: an instance and a foreign key count as the row they refer to."""

from __future__ import annotations

import pytest
from django.db import connections, models
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from restflow.post_fetch import PostFetch
from tests.matrix import each_value
from tests.post_fetch.support import Fetch, attached, ratings, review
from tests.shop.models import Author, Book, Exhibit, Medal, Prize, Review

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def authors(database: str) -> list[Author]:
    """Two authors, each with a book (a foreign key to the primary key) and a prize (one to the name)."""
    authors = [Author.objects.using(database).create(name=name) for name in ("Austen", "Joyce")]
    for author in authors:
        Book.objects.using(database).create(title=f"A book of {author.name}", author=author)
        Prize.objects.using(database).create(title=f"A prize of {author.name}", author=author)
    return authors


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


def test_a_foreign_key_joins_to_an_instance(fetch: Fetch, database: str) -> None:
    author = Author.objects.using(database).create(name="Austen")
    book = Book.objects.using(database).create(title="Emma", author=author)
    joined = PostFetch(Book.objects.using(database), "found", ["title"], author="author")
    (found,) = fetch(joined, [book])
    assert found.found == {"title": "Emma", "author": author.pk}


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
