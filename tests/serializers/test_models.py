"""Serializers over models do on an async view what DRF's own do on DRF's own view, on each database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections, transaction
from django.urls import path
from rest_framework import serializers as drf
from rest_framework.authentication import BaseAuthentication
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.response import Response
from rest_framework.validators import UniqueTogetherValidator, UniqueValidator
from rest_framework.views import APIView as DRFAPIView

from restflow import serializers as restflow
from restflow.views import APIView, AsyncAPIView
from tests.matrix import LONG, grouped, some
from tests.parity.harness import multipart
from tests.safety.support import here
from tests.shop.models import Author, Book, Edition, Tag
from tests.site import Site, on_loop

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


# Each view writes the same files again.
FILES = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"allow_overwrite": True}}


class Router:
    """Sends every query to one database."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return self.alias

    db_for_write = db_for_read

    def allow_relation(self, obj1: Any, obj2: Any, **hints: Any) -> bool:
        return True


class Alice(BaseAuthentication):
    def authenticate(self, request: Any) -> Any:
        return User.objects.get(username="alice"), None


class DRFView(DRFAPIView):
    """Creates, lists, shows, changes and deletes by the class in ``make``."""

    make: Any
    model: Any = Book
    authentication_classes = [Alice]
    parser_classes = [JSONParser, MultiPartParser]

    def serializer(self, *args: Any, **kwargs: Any) -> Any:
        return self.make(*args, context={"request": self.request, "view": self, "format": None}, **kwargs)

    def post(self, request: Any) -> Response:
        serializer = self.serializer(data=request.data, many=isinstance(request.data, list))
        serializer.is_valid(raise_exception=True)
        serializer.save(**self.extra)
        return Response(serializer.data, status=201)

    def get(self, request: Any, pk: int | None = None) -> Response:
        if pk is None:
            return Response(self.serializer(self.model.objects.order_by("pk"), many=True).data)
        return Response(self.serializer(self.model.objects.get(pk=pk)).data)

    def put(self, request: Any, pk: int, *, partial: bool = False) -> Response:
        serializer = self.serializer(self.model.objects.get(pk=pk), data=request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        serializer.save(**self.extra)
        return Response(serializer.data)

    def patch(self, request: Any, pk: int) -> Response:
        return self.put(request, pk, partial=True)

    @property
    def extra(self) -> dict[str, Any]:
        return getattr(self.make, "extra", {})


class SyncView(APIView, DRFView):
    def serializer(self, *args: Any, **kwargs: Any) -> Any:
        return self.get_serializer(*args, serializer_class=self.make, **kwargs)


class SyncHandlers(AsyncAPIView, DRFView):
    def serializer(self, *args: Any, **kwargs: Any) -> Any:
        return self.get_serializer(*args, serializer_class=self.make, **kwargs)


class AsyncHandlers(AsyncAPIView, DRFView):
    async def post(self, request: Any) -> Response:
        serializer = await self.avalidated_serializer(serializer_class=self.make, many=isinstance(request.data, list))
        await serializer.asave(**self.extra)
        return Response(await serializer.adata, status=201)

    async def get(self, request: Any, pk: int | None = None) -> Response:
        if pk is None:
            items = self.model.objects.order_by("pk")
            return await self.aserialized_response(items, many=True, serializer_class=self.make)
        return await self.aserialized_response(await self.model.objects.aget(pk=pk), serializer_class=self.make)

    async def put(self, request: Any, pk: int, *, partial: bool = False) -> Response:
        instance = await self.model.objects.aget(pk=pk)
        serializer = await self.aget_serializer(
            instance, data=request.data, partial=partial, serializer_class=self.make
        )
        await serializer.ais_valid(raise_exception=True)
        await serializer.asave(**self.extra)
        return Response(await serializer.adata)

    async def patch(self, request: Any, pk: int) -> Response:
        return await self.put(request, pk, partial=True)


VIEWS = {"sync view": SyncView, "sync handlers": SyncHandlers, "async handlers": AsyncHandlers}
FAMILIES = {"drf": drf, "restflow": restflow}


@pytest.fixture
def routed(database: str, settings: Any, tmp_path: Any) -> Iterator[str]:
    settings.DATABASE_ROUTERS = [Router(database)]
    settings.STORAGES = {**settings.STORAGES, "default": FILES}
    settings.MEDIA_ROOT = tmp_path
    yield database
    connections.close_all()


def fill(database: str) -> None:
    call_command("flush", verbosity=0, interactive=False, database=database, inhibit_post_migrate=True)
    User.objects.create(username="alice")
    ada, bob = (Author.objects.create(name=name) for name in ("ada", "bob"))
    emma = Book.objects.create(title="Emma", year=1815, author=ada)
    Book.objects.create(title="Persuasion", year=1817, author=bob)
    emma.tags.set(Tag.objects.create(name=name) for name in ("novel", "irony"))
    Edition.objects.create(book=emma, number=1, language="en", code="first", printed="1815-12-23", title="x")


Ask = tuple[str, str, Any]


def answers(database: str, view: Any, make: Any, asks: list[Ask], **attributes: Any) -> list[tuple[int, bytes]]:
    fill(database)
    served = type("View", (view,), {"make": make, "serializer_class": make, **attributes}).as_view()
    urls = [path("x/", served, name="book-list"), path("x/<int:pk>/", served, name="book-detail")]
    urls += [path("authors/<int:pk>/", served, name="author-detail"), path("tags/<pk>/", served, name="tag-detail")]
    got = []
    with Site(urls, REST_FRAMEWORK={"LIST_SERIALIZER_ERRORS_AS_DICT": True}) as site:
        for method, url, sent in asks:
            if isinstance(sent, tuple):
                answer = on_loop(site.asend(method, url, body=sent[0], headers=sent[1]))
            else:
                answer = on_loop(site.asend(method, url, sent))
            got.append((answer.status, answer.body))
    return got


def books(m: Any) -> Any:
    class Books(m.ModelSerializer):
        class Meta:
            model = Book
            fields = "__all__"

    return Books


def renamed(m: Any) -> Any:
    class Renamed(m.ModelSerializer):
        name = drf.CharField(source="title", max_length=10, validators=[UniqueValidator(Book.objects.all())])
        writer = drf.SlugRelatedField(source="author", slug_field="name", queryset=Author.objects.all())
        writer_name = drf.CharField(source="author.name", read_only=True)
        shown = drf.StringRelatedField(source="author")
        tags = drf.SlugRelatedField(slug_field="name", queryset=Tag.objects.all(), many=True, required=False)
        user = drf.HiddenField(default=drf.CurrentUserDefault())

        class Meta:
            model = Book
            fields = ["id", "name", "writer", "writer_name", "shown", "tags", "year", "user"]
            extra_kwargs = {"year": {"min_value": 1000}}

        def create(self, validated_data: Any) -> Any:
            validated_data["title"] += " by " + validated_data.pop("user").username
            return super().create(validated_data)

        def update(self, instance: Any, validated_data: Any) -> Any:
            validated_data.pop("user", None)
            return super().update(instance, validated_data)

    return Renamed


def linked(m: Any) -> Any:
    class Linked(m.HyperlinkedModelSerializer):
        class Meta:
            model = Book
            fields = ["url", "title", "author", "tags"]

    return Linked


def deep(m: Any) -> Any:
    class Deep(m.ModelSerializer):
        class Meta:
            model = Book
            fields = ["id", "title", "author", "tags"]
            depth = 2

    return Deep


def nested(m: Any) -> Any:
    class Editions(m.ModelSerializer):
        class Meta:
            model = Edition
            fields = ["id", "number", "language", "code", "details"]

    class Authors(m.ModelSerializer):
        class Meta:
            model = Author
            fields = ["name"]

    class Nested(m.ModelSerializer):
        author = Authors()
        editions = Editions(many=True)

        class Meta:
            model = Book
            fields = ["id", "title", "author", "editions"]

        def create(self, validated_data: Any) -> Any:
            editions = validated_data.pop("editions")
            author = Author.objects.create(**validated_data.pop("author"))
            with transaction.atomic():
                book = Book.objects.create(author=author, **validated_data)
                for edition in editions:
                    Edition.objects.create(book=book, **edition)
            return book

    return Nested


def unwritable(m: Any) -> Any:
    class Unwritable(nested(m)):
        def create(self, validated_data: Any) -> Any:
            return m.ModelSerializer.create(self, validated_data)

    return Unwritable


def saved_with_more(m: Any) -> Any:
    class More(m.ModelSerializer):
        extra = {"year": 1999}

        class Meta:
            model = Book
            fields = ["id", "title", "author", "year"]

    return More


def editions(m: Any) -> Any:
    class Editions(m.ModelSerializer):
        class Meta:
            model = Edition
            fields = "__all__"

    return Editions


def declared(m: Any) -> Any:
    class Declared(m.ModelSerializer):
        book = drf.PrimaryKeyRelatedField(queryset=Book.objects.all())
        number = drf.IntegerField()

        class Meta:
            model = Edition
            fields = ["book", "number", "language"]
            validators = [UniqueTogetherValidator(Edition.objects.all(), fields=["book", "number"])]

    return Declared


def lists(m: Any) -> Any:
    class Items(m.ListSerializer):
        def create(self, validated_data: Any) -> Any:
            return Book.objects.bulk_create([Book(**item) for item in validated_data])

    class Bulk(m.ModelSerializer):
        class Meta:
            model = Book
            fields = ["title", "author"]
            list_serializer_class = Items

    return Bulk


def form(**parts: Any) -> Any:
    return multipart(book="1", **parts)


BOOK: dict[str, Any] = {"title": "Sanditon", "author": 1, "tags": [1, 2], "year": 1925}
EDITION = {
    "book": 2,
    "number": 1,
    "language": "en",
    "code": "new",
    "printed": "1820-01-01",
    "title": "",
    "details": {"a": [1, None]},
}
LISTED: Ask = ("GET", "/x/", None)
CASES: dict[str, tuple[Any, list[Ask], dict[str, Any]]] = {
    "model": (
        books,
        [
            LISTED,
            ("POST", "/x/", BOOK),
            ("POST", "/x/", {**BOOK, "author": 99, "tags": [1, 77], "year": "x"}),
            ("POST", "/x/", {**BOOK, "author": True, "tags": "x"}),
            ("POST", "/x/", {}),
            ("POST", "/x/", [BOOK, {**BOOK, "title": "Two", "tags": []}]),
            ("POST", "/x/", [BOOK, {}]),
            ("PUT", "/x/1/", {**BOOK, "tags": [2]}),
            ("PUT", "/x/1/", {"title": "only"}),
            ("PATCH", "/x/1/", {"title": "only", "tags": []}),
            ("PATCH", "/x/1/", {"year": None}),
            ("GET", "/x/1/", None),
            LISTED,
        ],
        {},
    ),
    "renamed": (
        renamed,
        [
            LISTED,
            ("POST", "/x/", {"name": "Emma", "writer": "ada"}),
            ("POST", "/x/", {"name": "Emma 2", "writer": "bob", "tags": ["irony"], "year": 2000}),
            ("POST", "/x/", {"name": "Emma 3", "writer": "nobody", "tags": ["none"], "year": 3}),
            ("PATCH", "/x/1/", {"name": "Emma"}),
            ("PATCH", "/x/2/", {"name": "Emma"}),
            LISTED,
        ],
        {},
    ),
    "hyperlinked": (
        linked,
        [
            LISTED,
            ("POST", "/x/", {"title": "L", "author": "http://testserver/authors/2/", "tags": ["/tags/1/"]}),
            ("POST", "/x/", {"title": "L", "author": "/x/1/", "tags": ["/nowhere/", "/tags/x/", 3]}),
            ("PATCH", "/x/1/", {"tags": []}),
        ],
        {},
    ),
    "depth": (deep, [LISTED, ("GET", "/x/1/", None), ("POST", "/x/", {"title": "D"})], {}),
    "nested writes": (
        nested,
        [
            LISTED,
            ("POST", "/x/", {"title": "N", "author": {"name": "eve"}, "editions": [{"language": "fr"}]}),
            ("POST", "/x/", {"title": "N", "author": {"name": "ada"}, "editions": [{"language": "french"}, {}]}),
            ("POST", "/x/", {"title": "N", "author": {"name": "joe"}, "editions": [{"language": "fr"}] * 2}),
            LISTED,
        ],
        {},
    ),
    "unwritable nested": (
        unwritable,
        [("POST", "/x/", {"title": "N", "author": {"name": "eve"}, "editions": []}), LISTED],
        {},
    ),
    "save with more": (
        saved_with_more,
        [("POST", "/x/", BOOK), ("PATCH", "/x/2/", {}), ("POST", "/x/", {}), LISTED],
        {},
    ),
    "unique": (
        editions,
        [
            ("POST", "/x/", EDITION),
            ("POST", "/x/", EDITION),
            ("POST", "/x/", {**EDITION, "code": None, "number": 1, "language": "de", "title": "a"}),
            ("POST", "/x/", {**EDITION, "code": None, "number": 2, "title": "b"}),
            ("POST", "/x/", {**EDITION, "code": None, "number": 3, "title": "c"}),
            ("POST", "/x/", {**EDITION, "book": 1, "code": "a b", "number": 5, "printed": "1815-12-23", "title": "x"}),
            ("POST", "/x/", {**EDITION, "book": 1, "code": "ab", "number": 5, "printed": "1815-12-23", "title": "x"}),
            ("PATCH", "/x/1/", {"number": 1, "code": "first"}),
            ("PATCH", "/x/2/", {"code": "first", "details": "text"}),
            ("PATCH", "/x/2/", {"book": 1, "number": 1}),
            LISTED,
        ],
        {"model": Edition},
    ),
    "files": (
        editions,
        [
            (
                "POST",
                "/x/",
                form(number="2", language="en", printed="1816-01-01", code="f", title="s", scan=("a.txt", b"scan")),
            ),
            (
                "POST",
                "/x/",
                form(number="3", language="fr", printed="1816-01-01", code="g", title="t", scan=("b.txt", b"")),
            ),
            ("POST", "/x/", form(number="4", language="de", printed="1817-01-01", code="h", title="u", details="{")),
            ("PATCH", "/x/1/", multipart(details='{"x": 1}')),
            ("PATCH", "/x/1/", {"scan": "no file"}),
            LISTED,
        ],
        {"model": Edition},
    ),
    "declared validators": (
        declared,
        [
            ("POST", "/x/", {"book": 1, "number": 1, "language": "en"}),
            ("POST", "/x/", {"book": 1, "number": 2, "language": "en"}),
            ("POST", "/x/", {"number": 2, "language": "en"}),
            ("PATCH", "/x/2/", {"number": 1}),
        ],
        {"model": Edition},
    ),
    "a list of one's own": (lists, [("POST", "/x/", [BOOK, BOOK]), ("POST", "/x/", [{}, BOOK]), LISTED], {}),
}


OTHERS = dict(grouped(some(product(CASES, ["sync view", "sync handlers"], FAMILIES), together=2)))


@pytest.mark.parametrize("case", CASES)
def test_serializers_over_models_do_what_drfs_do(case: str, routed: str) -> None:
    make, asks, attributes = CASES[case]
    expected = answers(routed, DRFView, make(drf), asks, **attributes)
    assert {201, 400} <= {status for status, _ in expected} or case in {"depth", "unwritable nested"}, expected
    others = OTHERS[case] if LONG or routed == "default" else []
    for name, family in (*others, *product(["async handlers"], FAMILIES)):
        got = answers(routed, VIEWS[name], make(FAMILIES[family]), asks, **attributes)
        assert (name, family, got) == (name, family, expected)


def test_an_async_hook_inside_a_transaction_is_part_of_it(routed: str) -> None:
    class Books(restflow.ModelSerializer):
        class Meta:
            model = Book
            fields = ["title", "author"]

        async def name_author(self, name: str) -> Author:
            return await Author.objects.acreate(name=name)

        async def validate_title(self, value: str) -> str:
            assert here() == "loop"
            await self.name_author(value)
            if value == "refused":
                raise drf.ValidationError("refused")
            return value

        async def acreate(self, validated_data: Any) -> Any:
            assert await Author.objects.filter(name=validated_data["title"]).aexists()
            if validated_data["title"] == "broken":
                raise drf.ValidationError("broken")
            return await super().acreate(validated_data)

    for view in (SyncView, SyncHandlers):

        class Atomic(view):  # type: ignore[misc,valid-type]
            def post(self, request: Any) -> Response:
                with transaction.atomic(using=routed):
                    response = DRFView.post(self, request)
                    if request.data["title"] == "rolled back":
                        transaction.set_rollback(True, using=routed)
                    return response

        asks: list[Ask] = [
            ("POST", "/x/", {"title": title, "author": 1}) for title in ("kept", "refused", "broken", "rolled back")
        ]
        got = answers(routed, Atomic, Books, asks)
        assert [status for status, _ in got] == [201, 400, 400, 201]
        assert json.loads(got[1][1]) == {"title": ["refused"]}
        assert set(Author.objects.values_list("name", flat=True)) == {"ada", "bob", "kept"}
        assert set(Book.objects.values_list("title", flat=True)) == {"Emma", "Persuasion", "kept"}


def test_a_relation_may_find_its_rows_in_async_code(routed: str) -> None:
    class Authors(drf.PrimaryKeyRelatedField):
        async def get_queryset(self) -> Any:
            first = await Author.objects.order_by("pk").afirst()
            return Author.objects.filter(pk=first.pk)

    class Tags(drf.SlugRelatedField):
        async def get_queryset(self) -> Any:
            return Tag.objects.exclude(name="irony")

    class Books(restflow.ModelSerializer):
        author = Authors()
        tags = Tags(slug_field="name", many=True)

        class Meta:
            model = Book
            fields = ["title", "author", "tags"]

    asks: list[Ask] = [
        ("POST", "/x/", {"title": "A", "author": 1, "tags": ["novel"]}),
        ("POST", "/x/", {"title": "A", "author": 2, "tags": ["irony"]}),
    ]
    for view in VIEWS.values():
        created, refused = answers(routed, view, Books, asks)
        assert created == (201, b'{"title":"A","author":1,"tags":["novel"]}')
        assert (refused[0], sorted(json.loads(refused[1]))) == (400, ["author", "tags"])
