"""django-filter's backend and filter sets, unmodified, on restflow's views."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.urls import include, path
from django_filters import rest_framework as filters
from rest_framework.filters import OrderingFilter
from rest_framework.routers import SimpleRouter

from tests.colours import ASYNC, BASES
from tests.databases import fresh
from tests.parity.harness import Ask
from tests.shop.models import Author, Book, Tag
from tests.site import Site
from tests.thirdparty.support import same

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


def authors_named(request: Any) -> Any:
    """What an author may be chosen from depends on the request."""
    return Author.objects.filter(name__startswith=request.query_params.get("initial", "")) if request else None


class BookFilter(filters.FilterSet):
    title = filters.CharFilter(lookup_expr="icontains")
    year = filters.RangeFilter()
    author = filters.ModelChoiceFilter(queryset=authors_named)
    tagged = filters.ModelMultipleChoiceFilter(
        field_name="tags__name", to_field_name="name", queryset=Tag.objects.all()
    )
    old = filters.BooleanFilter(method="before_1850")
    century = filters.ChoiceFilter(choices=[("18", "18th"), ("19", "19th")], method="in_century")
    by = filters.BaseInFilter(field_name="author__name", lookup_expr="in")
    sort = filters.OrderingFilter(fields={"year": "year", "author__name": "author"})

    class Meta:
        model = Book
        fields = ["title", "year"]

    def before_1850(self, queryset: Any, name: str, value: bool) -> Any:
        return queryset.filter(year__lt=1850) if value else queryset.filter(year__gte=1850)

    def in_century(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(year__gt=int(value) * 100 - 100, year__lte=int(value) * 100)


def urls(bases: Any) -> list[Any]:
    class BookSerializer(bases.ModelSerializer):
        class Meta:
            model = Book
            fields = ["id", "title", "year", "author", "tags"]

    class Pages(bases.PageNumberPagination):
        page_size = 2

    class Books(bases.ListCreateAPIView):
        queryset = Book.objects.order_by("pk")
        serializer_class = BookSerializer
        filter_backends = [filters.DjangoFilterBackend]
        filterset_class = BookFilter

    class ByFields(bases.ListAPIView):
        queryset = Book.objects.all()
        serializer_class = BookSerializer
        pagination_class = Pages
        filter_backends = [filters.DjangoFilterBackend, OrderingFilter]
        filterset_fields = {"year": ["exact", "gte", "lt"], "author__name": ["exact", "istartswith"]}
        ordering_fields = ["year", "title"]
        ordering = ["pk"]

    class BookViewSet(bases.ModelViewSet):
        queryset = Book.objects.order_by("pk")
        serializer_class = BookSerializer
        filter_backends = [filters.DjangoFilterBackend]
        filterset_fields = ["year", "tags"]

        def filter_queryset(self, queryset: Any) -> Any:
            queryset = super().filter_queryset(queryset)
            assert queryset.count() >= 0  # it queries, where it runs
            return queryset

    router = SimpleRouter()
    router.register("books", BookViewSet, basename="book")
    return [
        path("books/filtered/", Books.as_view()),
        path("books/by-fields/", ByFields.as_view()),
        path("viewset/", include(router.urls)),
    ]


def populate() -> None:
    novel, satire = Tag.objects.create(name="novel"), Tag.objects.create(name="satire")
    for name, books in {
        "Jane Austen": [("Emma", 1815), ("Persuasion", 1817)],
        "George Eliot": [("Middlemarch", 1871), ("Silas Marner", 1861)],
        "Jonathan Swift": [("Gulliver's Travels", 1726)],
    }.items():
        author = Author.objects.create(name=name)
        for title, year in books:
            Book.objects.create(title=title, year=year, author=author).tags.set([novel] if year > 1800 else [satire])


FOUND = {
    "filtered/": 5,
    "filtered/?title=MA": 3,
    "filtered/?title=": 5,
    "filtered/?year_min=1816&year_max=1865": 2,
    "filtered/?author=1": 2,
    "filtered/?author=1&initial=J": 2,
    "filtered/?tagged=satire&tagged=novel": 5,
    "filtered/?tagged=satire": 1,
    "filtered/?old=true": 3,
    "filtered/?old=false": 2,
    "filtered/?century=18": 1,
    "filtered/?by=Jane%20Austen,George%20Eliot": 4,
    "filtered/?sort=-year": 5,
    "filtered/?sort=author,-year&title=ma": 3,
}
REFUSED = [
    "filtered/?year_min=soon",
    "filtered/?author=99",
    "filtered/?author=1&initial=G",
    "filtered/?tagged=none",
    "filtered/?century=20",
    "filtered/?sort=shelf",
    "by-fields/?year=x&year__gte=y",
]


def test_filters_find_the_same(database: str) -> None:
    answers = same(urls, [Ask(url=f"/books/{url}") for url in FOUND], database, populate)
    assert {url: len(answer.json()) for url, answer in zip(FOUND, answers, strict=True)} == FOUND


def test_what_a_filter_can_t_read_is_refused_the_same(database: str) -> None:
    answers = same(urls, [Ask(url=f"/books/{url}") for url in REFUSED], database, populate)
    assert {answer.status for answer in answers} == {400}


def test_filters_go_with_pages_ordering_and_forms(database: str) -> None:
    html = {"accept": "text/html"}
    answers = same(
        urls,
        [
            Ask(url="/books/by-fields/?year__gte=1800&ordering=-year"),
            Ask(url="/books/by-fields/?year__gte=1800&ordering=-year&page=2"),
            Ask(url="/books/by-fields/?author__name__istartswith=j&year__lt=1816"),
            Ask(url="/books/by-fields/?year__gte=1800&page=3"),
            Ask(url="/books/filtered/?title=m", headers=html),
            Ask(url="/books/filtered/?year_min=soon", headers=html),
            Ask(url="/books/by-fields/", headers=html),
            Ask("OPTIONS", "/books/filtered/"),
            Ask("POST", "/books/filtered/?year_min=soon", {"title": "Romola", "year": 1863, "author": 2, "tags": [1]}),
        ],
        database,
        populate,
    )
    assert [answer.status for answer in answers] == [200, 200, 200, 404, 200, 400, 200, 200, 201]
    assert b"Field filters" in answers[4].body


def test_a_viewset_filters_its_objects_too(database: str) -> None:
    answers = same(
        urls,
        [
            Ask(url="/viewset/books/?year=1815"),
            Ask(url="/viewset/books/1/?year=1815"),
            Ask(url="/viewset/books/1/?year=1816"),
            Ask(url="/viewset/books/1/?year=never"),
            Ask("PATCH", "/viewset/books/1/?tags=1", {"year": 1816}),
            Ask("PUT", "/viewset/books/1/?tags=2", {"year": 1816}),
            Ask("DELETE", "/viewset/books/1/?year=1815"),
            Ask("DELETE", "/viewset/books/1/?year=1816"),
        ],
        database,
        populate,
    )
    assert [answer.status for answer in answers] == [200, 200, 404, 400, 200, 404, 404, 204]
    assert json.loads(answers[0].body)[0]["title"] == "Emma"


def test_a_filtered_page_costs_one_hop() -> None:
    with fresh("default"), Site(urls(BASES[ASYNC])) as site:
        populate()
        answer = site.send("GET", "/books/by-fields/?year__gte=1800&ordering=-year")
    assert (answer.status, answer.hops) == (200, 1)
    assert [book["year"] for book in answer.json()["results"]] == [1871, 1861]
