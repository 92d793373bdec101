"""What a PostFetch refuses, as early as it can be known, and what it does not refuse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import FieldError
from django.db import models
from django.db.models import F, FilteredRelation, Q, Sum
from django.db.models.functions import Lower, Upper
from django.utils.functional import SimpleLazyObject

from restflow.post_fetch import PostFetch
from tests.post_fetch.support import Fetch, attached, ratings, review, titled
from tests.shop.models import Author, Book, Edition, Exhibit, Medal, Prize, Review

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.mark.parametrize(("item", "error"), [(Book(title="Emma"), AttributeError), ({"title": "Emma"}, KeyError)])
def test_an_item_without_the_base_field_is_an_error(fetch: Fetch, reviews: Any, item: Any, error: Any) -> None:
    with pytest.raises(error, match="slug"):
        fetch(PostFetch(reviews, "found", ["rating"], book_title="slug"), [item])


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
