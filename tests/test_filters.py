"""restflow's filter backends: as DRF's, in both colours, and DRF's own beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework import filters as drf
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView as DRFAPIView

from restflow import filters
from restflow.pagination import CursorPagination
from restflow.views import APIView, AsyncAPIView
from tests.safety.hooks import COLOURS as WRITTEN
from tests.safety.hooks import written
from tests.safety.support import Refused, here
from tests.shop.models import Author, Book
from tests.site import Answer, Site

pytestmark = pytest.mark.django_db(transaction=True)  # views read in threads of their own


class BookSerializer(serializers.ModelSerializer):
    class Meta:
        model = Book
        fields = ["title", "year"]


@pytest.fixture(autouse=True)
def _books() -> None:
    for name, titles in {"Austen": ["Emma", "Persuasion"], "Joyce": ["Ulysses", "Dubliners, and others"]}.items():
        author = Author.objects.create(name=name)
        for number, title in enumerate(titles):
            Book.objects.create(title=title, year=1900 + number, author=author)


Make = Callable[..., Any]


def over_drf(*backends: Any, **attributes: Any) -> Any:
    """A view that filters as DRF's generic views do."""

    class View(DRFAPIView):
        serializer_class = BookSerializer

        def get(self, request: Any) -> Response:
            queryset = Book.objects.all()
            for backend in backends:
                queryset = backend().filter_queryset(self.request, queryset, self)
            return Response(BookSerializer(queryset, many=True).data)

    return type("Books", (View,), attributes)


def over_sync(*backends: Any, **attributes: Any) -> Any:
    class View(APIView):
        serializer_class = BookSerializer

        def get(self, request: Any) -> Response:
            queryset: Any = Book.objects.all()
            for backend in backends:
                queryset = backend().filter_queryset(self.request, queryset, self)
            return self.serialized_response(queryset, many=True)

    return type("Books", (View,), attributes)


def over_async(*backends: Any, **attributes: Any) -> Any:
    class View(AsyncAPIView):
        serializer_class = BookSerializer

        async def get(self, request: Any) -> Response:
            queryset: Any = Book.objects.all()
            for backend in backends:
                queryset = await backend().afilter_queryset(self.request, queryset, self)
            return await self.aserialized_response(queryset, many=True)

    return type("Books", (View,), attributes)


MAKERS = {"sync": over_sync, "async": over_async}


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> Make:
    return MAKERS[request.param]


def ask(view: Any, query: str = "") -> Answer:
    with Site({"books/": view.as_view()}) as site:
        return site.send("GET", f"/books/?{query}")


def titles(answer: Answer) -> list[str]:
    return [book["title"] for book in answer.json()]


# As DRF's


@pytest.mark.parametrize("name", filters.__all__)
def test_each_class_is_drfs_of_the_same_name(name: str) -> None:
    assert issubclass(getattr(filters, name), getattr(drf, name))
    assert issubclass(getattr(filters, name), filters.BaseFilterBackend)


FIELDS = {"search_fields": ["title", "^author__name"], "ordering_fields": ["year", "title"], "ordering": "-title"}
QUERIES = ["", "search=emma", "search=aus", "search=u&ordering=year,-title", 'search="s, and"', "search=nothing"]
QUERIES += ["ordering=-year", "ordering=author", "ordering=,", "search=a%00b", "search=,"]


@pytest.mark.parametrize("attributes", [FIELDS, {"ordering_fields": "__all__"}, {}], ids=["fields", "all", "none"])
def test_searching_and_ordering_are_drfs(make: Make, attributes: Any) -> None:
    for query in [*QUERIES, "ordering=author"]:
        theirs = ask(over_drf(drf.SearchFilter, drf.OrderingFilter, **attributes), query)
        ours = ask(make(filters.SearchFilter, filters.OrderingFilter, **attributes), query)
        assert (ours.status, ours.body) == (theirs.status, theirs.body)


# Both names, and both colours

HOOKS = [
    ("BaseFilterBackend", "filter_queryset"),
    ("SearchFilter", "filter_queryset"),
    ("SearchFilter", "get_search_fields"),
    ("SearchFilter", "get_search_terms"),
    ("SearchFilter", "construct_search"),
    ("SearchFilter", "must_call_distinct"),
    ("OrderingFilter", "filter_queryset"),
    ("OrderingFilter", "get_ordering"),
    ("OrderingFilter", "get_default_ordering"),
    ("OrderingFilter", "get_valid_fields"),
    ("OrderingFilter", "get_default_valid_fields"),
    ("OrderingFilter", "remove_invalid_fields"),
]


def refuse(self: Any, *args: Any) -> Any:
    raise Refused


def reaching(hook: str) -> tuple[dict[str, Any], str]:
    """The view's attributes and the query with which DRF's code comes to ``hook``."""
    if hook == "get_default_ordering":
        return FIELDS, ""
    return ({} if hook == "get_default_valid_fields" else FIELDS), "search=e&ordering=year"


@pytest.mark.parametrize(("name", "hook"), HOOKS)
def test_an_override_in_any_colour_is_asked(make: Make, name: str, hook: str) -> None:
    attributes, query = reaching(hook)
    for attr, method in (written(colour, hook, refuse) for colour in WRITTEN):
        own = type("Own", (getattr(filters, name),), {attr: method})
        mixed = type("Mixed", (type("Mixin", (), {attr: method}), getattr(filters, name)), {})
        for cls in (own, mixed):
            assert ask(make(cls, **attributes), query).status == 418


@pytest.mark.parametrize("colour", WRITTEN)
def test_what_an_inner_override_answers_is_taken(make: Make, colour: str) -> None:
    attr, method = written(colour, "get_search_fields", lambda self, view, request: ["author__name"])
    search = type("Search", (filters.SearchFilter,), {attr: method})
    attr, method = written(colour, "get_default_ordering", lambda self, view: ("-year",))
    order = type("Order", (filters.OrderingFilter,), {attr: method})
    assert titles(ask(make(search, order), "search=austen")) == ["Persuasion", "Emma"]


@pytest.mark.parametrize("colour", WRITTEN)
@pytest.mark.parametrize("name", ["SearchFilter", "OrderingFilter"])
def test_an_override_goes_on_with_super(make: Make, name: str, colour: str) -> None:
    places = []
    base = getattr(filters, name)

    def sync_hook(self: Any, request: Any, queryset: Any, view: Any) -> Any:
        places.append(here())
        return super(cls, self).filter_queryset(request, queryset, view).filter(year=1901)

    async def async_hook(self: Any, request: Any, queryset: Any, view: Any) -> Any:
        places.append(here())
        return (await super(cls, self).afilter_queryset(request, queryset, view)).filter(year=1901)

    attr = "afilter_queryset" if colour == "a-name" else "filter_queryset"
    cls: Any = type("Own", (base,), {attr: sync_hook if colour == "sync" else async_hook})
    assert titles(ask(make(cls, **FIELDS), "search=aus&ordering=title"))[-1] == "Persuasion"
    assert len(places) == 1
    if make is over_async:
        assert places == ["thread" if colour == "sync" else "loop"]


def test_a_cursor_asks_an_async_ordering() -> None:
    class ByYear(filters.OrderingFilter):
        async def get_ordering(self, request: Any, queryset: Any, view: Any) -> Any:
            return ("-year", "title")

    class Pages(CursorPagination):
        page_size = 1

    class View(AsyncAPIView):
        serializer_class = BookSerializer
        pagination_class = Pages
        filter_backends = [ByYear]

        async def get(self, request: Any) -> Response:
            return await self.apaginated_response(Book.objects.all())

    assert [book["title"] for book in ask(View).json()["results"]] == ["Dubliners, and others"]


@pytest.mark.parametrize("field", ["title", "^title", "=title", "@title", "$title"])
def test_a_search_whatever_the_accents_looks_up_what_drfs_does(field):
    ours, theirs = filters.UnaccentedSearchFilter(), drf.UnaccentedSearchFilter()
    assert ours.construct_search(field, Book.objects.all()) == theirs.construct_search(field, Book.objects.all())
    assert type(ours).afilter_queryset
