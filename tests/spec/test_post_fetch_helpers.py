"""The section "Helper methods": post_fetches, perform_post_fetches, aperform_post_fetches."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.response import Response

from restflow.views import PostFetch
from tests.shop.models import Author, Book
from tests.spec.serializers import Found, PageOfTwo, served
from tests.spec.support import base, view_class

BOOK_OF = {"queryset": Book.objects.all(), "to_attr": "book", "values": ["title"]}


@pytest.fixture
def authors() -> list[Author]:
    found = [Author.objects.create(name=name) for name in ("Austen", "Joyce", "Nobody")]
    for author, title in zip(found, ["Emma", "Ulysses"], strict=False):
        Book.objects.create(title=title, author=author)
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("many", [True, False])
def test_post_fetches_run_before_serialisation(colour: str, many: bool, authors: list[Author]) -> None:
    joined = PostFetch(**BOOK_OF, author_id="pk")
    view = view_class(
        colour,
        "serialized_response",
        lambda view: ((authors if many else authors[0],), {"many": many, "post_fetches": [joined]}),
        serializer_class=Found,
    )
    assert served(view).json() == (["Emma", "Ulysses", None] if many else "Emma")


class Recorded:
    """A join that says which of its names was called, where, and with what."""

    def __init__(self, ran: list[Any], number: int = 0) -> None:
        self.ran = ran
        self.number = number

    def fetch(self, items: Any) -> None:
        self.note("fetch", items)

    def note(self, name: str, items: Any) -> None:
        self.ran.append((name, self.number, list(items), type(items)))
        for item in items:
            item["book"] = {"title": f"{name} {self.number}"}


class AsyncRecorded(Recorded):
    """One with both names in the same class, so that each helper has its own."""

    def fetch(self, items: Any) -> None:
        super().fetch(items)

    async def afetch(self, items: Any) -> None:
        assert threading.current_thread() is threading.main_thread()
        self.note("afetch", items)


@pytest.mark.parametrize(
    ("kind", "colour", "name"),
    [
        (AsyncRecorded, "async", "afetch"),
        (Recorded, "async", "fetch"),
        (Recorded, "sync", "fetch"),
        (AsyncRecorded, "sync", "fetch"),
    ],
)
@pytest.mark.parametrize("helper", ["serialized_response", "paginated_response"])
def test_afetch_is_awaited_when_available(kind: Any, colour: str, name: str, helper: str) -> None:
    ran: list[Any] = []
    view = view_class(
        colour,
        helper,
        lambda view: (([{}],), {"post_fetches": [kind(ran)]} | ({"many": True} if "serialized" in helper else {})),
        serializer_class=Found,
    )
    assert served(view).json() == [f"{name} 0"]
    assert [call[0] for call in ran] == [name]


MANY: dict[str, dict[str, Any]] = {"serialized_response": {"many": True}, "paginated_response": {}}


@pytest.mark.parametrize("name", ["perform_post_fetches", "aperform_post_fetches"])
@pytest.mark.parametrize("helper", ["serialized_response", "paginated_response"])
def test_the_two_post_fetch_helpers_back_the_keyword(name: str, helper: str) -> None:
    colour = "async" if name.startswith("a") else "sync"
    asked: list[Any] = []

    def note(items: Any) -> None:
        asked.append(items)

    class View(
        view_class(colour, helper, lambda view: (([{"book": None}],), {"post_fetches": [Recorded([])]} | MANY[helper]))
    ):  # type: ignore[misc]
        serializer_class = Found

        if colour == "sync":

            def perform_post_fetches(self, items: Any, *args: Any, **kwargs: Any) -> Any:
                note(items)
                return super().perform_post_fetches(items, *args, **kwargs)
        else:

            async def aperform_post_fetches(self, items: Any, *args: Any, **kwargs: Any) -> Any:
                note(items)
                return await super().aperform_post_fetches(items, *args, **kwargs)

    assert served(View).json() == ["fetch 0"]
    assert len(asked) == 1


def test_they_iterate_the_joins_and_call_each(colour: str) -> None:
    ran: list[Any] = []
    items = [{"n": 1}, {"n": 2}]
    view = view_class(
        colour,
        "perform_post_fetches",
        lambda view: ((items, [Recorded(ran, 1), AsyncRecorded(ran, 2), Recorded(ran, 3)]), {}),
        Response,
    )
    assert [item["n"] for item in served(view).json()] == [1, 2]
    second = "afetch" if colour == "async" else "fetch"
    assert [call[:2] for call in ran] == [("fetch", 1), (second, 2), ("fetch", 3)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("paged", [True, False])
def test_post_fetches_given_to_a_helper_cost_one_query_each(colour: str, paged: bool, authors: list[Author]) -> None:
    joined = PostFetch(**BOOK_OF, author_id="pk")
    queries: list[int] = []

    class View(base(colour)):  # type: ignore[misc]
        serializer_class = Found
        pagination_class = PageOfTwo if paged else None

        def get(self, request: Any) -> Any:  # a sync handler: the query log is its thread's
            with CaptureQueriesContext(connection) as log:
                response = self.paginated_response(Author.objects.order_by("pk"), post_fetches=[joined, joined])
            queries.append(len(log))
            return response

    data = served(View).json()
    assert (data["results"] if paged else data) == ["Emma", "Ulysses", None][: 2 if paged else 3]
    assert queries == [(2 if paged else 1) + 2]  # the count and the page, and one for each join


@pytest.mark.parametrize("helper", ["perform_post_fetches", "serialized_response"])
def test_a_single_object_is_wrapped_in_a_list_and_unwrapped(colour: str, helper: str) -> None:
    ran: list[Any] = []
    given: list[Any] = []
    item = {"n": 1}
    arguments = {
        "perform_post_fetches": ((item, [Recorded(ran)]), {"many": False}),
        "serialized_response": ((item,), {"post_fetches": [Recorded(ran)]}),
    }[helper]
    view = view_class(
        colour,
        helper,
        lambda view: arguments,
        lambda value: given.append(value) or (value if isinstance(value, Response) else Response(value)),
        serializer_class=Found,
    )
    data = served(view).json()
    assert [(call[2], call[3]) for call in ran] == [([item], list)]
    if helper == "perform_post_fetches":
        assert given == [item]
        assert given[0] is item
    else:
        assert data == "fetch 0"
