"""drf-nested-routers' routers, mixin and hyperlinks, unmodified, with restflow's viewsets."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import include, path
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework_nested.relations import NestedHyperlinkedIdentityField, NestedHyperlinkedRelatedField
from rest_framework_nested.routers import NestedDefaultRouter, NestedSimpleRouter, SimpleRouter
from rest_framework_nested.serializers import NestedHyperlinkedModelSerializer
from rest_framework_nested.viewsets import NestedViewSetMixin

from tests.parity.harness import Ask, multipart
from tests.shop.models import Author, Book, Edition
from tests.thirdparty.support import same

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


def urls(bases: Any) -> list[Any]:
    class EditionSerializer(NestedHyperlinkedModelSerializer):
        parent_lookup_kwargs = {"book_pk": "book__pk", "author_pk": "book__author__pk"}

        class Meta:
            model = Edition
            fields = ["url", "number", "language"]

    class BookSerializer(bases.ModelSerializer):
        url = NestedHyperlinkedIdentityField(view_name="book-detail", parent_lookup_kwargs={"author_pk": "author__pk"})
        editions = NestedHyperlinkedRelatedField(
            many=True,
            read_only=True,
            view_name="edition-detail",
            parent_lookup_kwargs={"book_pk": "book__pk", "author_pk": "book__author__pk"},
        )

        class Meta:
            model = Book
            fields = ["url", "id", "title", "year", "author", "editions"]
            extra_kwargs = {"author": {"required": False}}

    class AuthorSerializer(bases.HyperlinkedModelSerializer):
        class Meta:
            model = Author
            fields = ["url", "name"]

    class AuthorViewSet(bases.ModelViewSet):
        queryset = Author.objects.order_by("pk")
        serializer_class = AuthorSerializer

    class BookViewSet(NestedViewSetMixin, bases.ModelViewSet):
        queryset = Book.objects.order_by("pk")
        serializer_class = BookSerializer
        parent_lookup_kwargs = {"author_pk": "author__pk"}

        def perform_create(self, serializer: Any) -> None:
            serializer.save(author_id=self.kwargs["author_pk"])

        @action(detail=False, methods=["get", "post"], url_path="by-year/(?P<year>[0-9]+)")
        def by_year(self, request: Any, year: str, **parents: str) -> Response:
            books = self.filter_queryset(self.get_queryset()).filter(year=year)
            return Response({"parents": parents, "titles": [book.title for book in books], "data": request.data})

    class EditionViewSet(NestedViewSetMixin, bases.ModelViewSet):
        queryset = Edition.objects.order_by("pk")
        serializer_class = EditionSerializer

        def perform_create(self, serializer: Any) -> None:
            serializer.save(book_id=self.kwargs["book_pk"])

    class PlainBooks(bases.ModelViewSet):
        serializer_class = BookSerializer

        def get_queryset(self) -> Any:
            return Book.objects.filter(author=self.kwargs["author_pk"]).order_by("-pk")

    authors = DefaultRouter()
    authors.register("authors", AuthorViewSet)
    books = NestedDefaultRouter(authors, "authors", lookup="author")
    books.register("books", BookViewSet)
    editions = NestedDefaultRouter(books, "books", lookup="book")
    editions.register("editions", EditionViewSet)
    simple = SimpleRouter(trailing_slash=False)
    simple.register("plain", AuthorViewSet, basename="plain")
    plain = NestedSimpleRouter(simple, "plain", lookup="author", trailing_slash=False)
    plain.register("books", PlainBooks, basename="plain-book")
    return [path("", include(router.urls)) for router in (authors, books, editions, simple, plain)]


def populate() -> None:
    for name, titles in {"Jane Austen": ["Emma", "Persuasion"], "George Eliot": ["Romola"]}.items():
        author = Author.objects.create(name=name)
        for year, title in enumerate(titles, 1815):
            book = Book.objects.create(title=title, year=year, author=author)
            Edition.objects.create(book=book, number=1, language="en")


READ = {
    "/": 200,
    "/authors/": 200,
    "/authors/1/": 200,
    "/authors/1/books/": 200,
    "/authors/1/books.json": 200,
    "/authors/1/books/2/": 200,
    "/authors/1/books/3/": 404,
    "/authors/2/books/3/": 200,
    "/authors/9/books/": 200,
    "/authors/1/books/by-year/1815/": 200,
    "/authors/1/books/1/editions/": 200,
    "/authors/1/books/1/editions/1/": 200,
    "/authors/1/books/1/editions/2/": 404,
    "/authors/2/books/1/editions/1/": 404,
    "/authors/2/books/3/editions/3.json": 200,
    "/plain/1/books": 200,
    "/plain/1/books/2": 200,
    "/plain/1/books/3": 404,
    "/plain/x/books/1/": 404,
}


def test_nested_lookups_find_the_same(database: str) -> None:
    answers = same(urls, [Ask(url=url) for url in READ], database, populate)
    assert [answer.status for answer in answers] == list(READ.values())
    assert [book["title"] for book in answers[3].json()] == ["Emma", "Persuasion"]
    assert answers[10].json()[0]["url"] == "http://testserver/authors/1/books/1/editions/1/"


def test_writes_below_a_parent_do_the_same(database: str) -> None:
    parts, kind = multipart(title="Lady Susan", year="1871")
    form = {"content-type": "application/x-www-form-urlencoded"}
    asks = [
        (201, Ask("POST", "/authors/1/books/", {"title": "Mansfield Park", "year": 1814})),
        (400, Ask("POST", "/authors/1/books/", {"title": "", "year": "soon"})),
        (400, Ask("POST", "/authors/1/books/", body=b"{", headers={"content-type": "application/json"})),
        (415, Ask("POST", "/authors/1/books/", body=b"<>", headers={"content-type": "text/xml"})),
        (201, Ask("POST", "/authors/1/books/", body=b"title=Sanditon&author=2", headers=form)),
        (201, Ask("POST", "/authors/1/books/", body=parts, headers=kind)),
        (200, Ask("POST", "/authors/1/books/by-year/1815/", {"said": True})),
        (201, Ask("POST", "/authors/2/books/3/editions/", {"number": 2, "language": "it"})),
        (400, Ask("POST", "/authors/2/books/3/editions/", {"number": 3, "language": "too long"})),
        (200, Ask("PATCH", "/authors/2/books/3/", {"title": "Romola, again", "author": 1})),
        (404, Ask("PATCH", "/authors/1/books/3/", {"title": "Not hers"})),
        (200, Ask("PUT", "/authors/1/books/1/", {"title": "Emma", "year": 1816})),
        (404, Ask("DELETE", "/authors/2/books/1/")),
        (204, Ask("DELETE", "/authors/1/books/1/")),
        (405, Ask("PUT", "/authors/1/books/")),
        (200, Ask("OPTIONS", "/authors/1/books/")),
        (200, Ask("GET", "/authors/1/books/", headers={"accept": "text/html"})),
        (200, Ask("GET", "/authors/1/books/2/", headers={"accept": "text/html"})),
        (200, Ask("GET", "/authors/1/books/")),
        (200, Ask("GET", "/authors/2/books/3/editions/")),
    ]
    answers = same(urls, [ask for _, ask in asks], database, populate)
    assert [answer.status for answer in answers] == [status for status, _ in asks]
    assert {book["author"] for book in answers[-2].json()} == {1}
