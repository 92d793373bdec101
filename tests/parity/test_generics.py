"""Generic views, viewsets and routers answer as DRF's do, to the byte, where a user changes the base classes only."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import pytest
from django.db.models import Prefetch
from django.urls import include, path
from rest_framework import filters
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter, SimpleRouter
from rest_framework.urlpatterns import format_suffix_patterns

from tests.colours import ASYNC, BASES, DRF, DRF_MIXINS, SYNC, THROUGHOUT, alike
from tests.databases import fresh
from tests.matrix import some
from tests.parity.harness import ASGI, OVER, WSGI, Answer, Ask, multipart
from tests.shop.models import Author, Book, Edition, Tag
from tests.site import Site

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

HTML = {"accept": "text/html"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def asked(method: str, url: str, data: Any = None, headers: Any = None, body: bytes | None = None) -> Ask:
    return Ask(method, url, data, body, headers or {})


def in_parts(method: str, url: str, **parts: Any) -> Ask:
    body, headers = multipart(**parts)
    return Ask(method, url, None, body, headers)


def serializers_of(bases: Any) -> dict[str, Any]:
    class TagSerializer(bases.ModelSerializer):
        class Meta:
            model = Tag
            fields = ["id", "name"]

    class AuthorSerializer(bases.HyperlinkedModelSerializer):
        class Meta:
            model = Author
            fields = ["url", "name"]

    class BookSerializer(bases.ModelSerializer):
        class Meta:
            model = Book
            fields = ["id", "title", "year", "author", "tags"]

    class EditionSerializer(bases.ModelSerializer):
        class Meta:
            model = Edition
            fields = ["id", "book", "number", "language", "code", "scan", "printed"]

    return {"tag": TagSerializer, "author": AuthorSerializer, "book": BookSerializer, "edition": EditionSerializer}


class NotTheLast(BasePermission):
    """Nobody changes the author of key 2."""

    message = "The last author stays."

    def has_object_permission(self, request, view, obj):
        return request.method in {"GET", "HEAD", "OPTIONS"} or obj.pk != 2


class ByInitial(filters.BaseFilterBackend):
    def filter_queryset(self, request, queryset, view):
        initial = request.query_params.get("initial")
        return queryset.filter(title__startswith=initial) if initial else queryset

    def to_html(self, request, queryset, view):
        return "<p>By initial</p>"


def pages(bases: Any, name: str, **attributes: Any) -> Any:
    return type("Pages", (getattr(bases, name),), attributes)


# The nine concrete generic views.

CONCRETE = [
    *("CreateAPIView", "ListAPIView", "RetrieveAPIView", "DestroyAPIView", "UpdateAPIView", "ListCreateAPIView"),
    *("RetrieveUpdateAPIView", "RetrieveDestroyAPIView", "RetrieveUpdateDestroyAPIView"),
]


def concrete_views(bases: Any) -> list[Any]:
    serializer = serializers_of(bases)
    patterns = []
    for name in CONCRETE:
        attributes = {
            "__doc__": f"The view *{name}*.",
            "queryset": Author.objects.order_by("id"),
            "serializer_class": serializer["author"],
            "pagination_class": pages(bases, "PageNumberPagination", page_size=2),
            "permission_classes": [NotTheLast],
        }
        view = type(f"Author{name}", (getattr(bases, name),), attributes).as_view()
        patterns += [path(f"{name}/", view), path(f"{name}/<pk>/", view, name=f"{name}-detail")]
        if name == "RetrieveUpdateDestroyAPIView":
            patterns.append(path("author/<pk>/", view, name="author-detail"))
    return format_suffix_patterns(patterns)


BODIES = [{"name": "Woolf"}, {"name": "Austen"}, {"name": ""}, {}, [1], {"name": ["x"]}]


def asks_of_concrete_views() -> list[Ask]:
    asks = []
    for key, name in enumerate(CONCRETE, 5):  # each has its own author to delete
        one = not ("List" in name or name == "CreateAPIView")
        for url in [f"/{name}/{key}/", f"/{name}/2/", f"/{name}/99/", f"/{name}/x/"] if one else [f"/{name}/"]:
            asks += [asked(method, url, headers=headers) for method in ("GET", "OPTIONS") for headers in ({}, HTML)]
            asks += [asked(method, url) for method in ("HEAD", "TRACE", "PROPFIND")]
            asks += [asked(method, url, body) for method in ("POST", "PUT", "PATCH") for body in BODIES]
            asks += [asked("PUT", url, {"name": f"{name}{url}"}, HTML)]
            asks += [
                asked("PATCH", url, None, FORM, b"name=Form"),
                asked("PUT", url, None, {"content-type": "x/y"}, b"x"),
            ]
            asks += [asked("DELETE", url, headers=HTML), asked("DELETE", url)]
            asks += [asked("POST", url, {"name": f"{name}{url}"})] if not one else []
        if one:
            asks += [asked("GET", f"/{name}/2.json"), asked("GET", f"/{name}/2.xml"), asked("GET", f"/{name}/")]
        else:
            queries = [
                "?page=2",
                "?page=9",
                "?page=x",
                "?format=json",
                "?format=api",
                "?page=2&format=api",
                "?format=no",
            ]
            asks += [asked("GET", f"/{name}/{query}") for query in queries]
    return asks


# Viewsets under routers.


def viewsets(router_class: Callable[..., Any], options: dict[str, Any], bases: Any) -> list[Any]:
    serializer = serializers_of(bases)

    class AuthorViewSet(bases.ModelViewSet):
        """Authors, of *books*."""

        queryset = Author.objects.order_by("id")
        serializer_class = serializer["author"]
        permission_classes = [NotTheLast]
        pagination_class = pages(bases, "LimitOffsetPagination", default_limit=2, max_limit=3)
        filter_backends = [filters.SearchFilter, filters.OrderingFilter]
        search_fields = ["name", "books__title"]
        ordering_fields = ["name", "id"]

    class ByName(bases.ReadOnlyModelViewSet):
        queryset = Author.objects.order_by("name")
        serializer_class = serializer["tag"]
        lookup_field = "name"
        lookup_url_kwarg = "who"
        lookup_value_regex = "[A-Za-z]+"
        pagination_class = None

    class BookViewSet(bases.ModelViewSet):
        queryset = Book.objects.prefetch_related(Prefetch("tags", Tag.objects.order_by("name"))).order_by("year", "id")
        serializer_class = serializer["book"]
        pagination_class = pages(bases, "CursorPagination", page_size=2, ordering="year")
        filter_backends = [ByInitial]

        def get_serializer_class(self):
            return serializer["tag"] if self.action == "tags" else super().get_serializer_class()

        @action(detail=True, methods=["get", "post"], url_path="its-tags", url_name="tagged", name="Its tags")
        def tags(self, request, pk=None):
            """The tags of one book."""
            book = self.get_object()
            if request.method == "POST":
                made = self.get_serializer(data=request.data)
                made.is_valid(raise_exception=True)
                book.tags.add(made.save())
            return Response(self.get_serializer(book.tags.order_by("id"), many=True).data)

        @tags.mapping.delete
        def untag(self, request, pk=None):
            self.get_object().tags.clear()
            return Response({"action": self.action, "map": self.action_map}, status=200)

        @action(detail=False, suffix="Newest", permission_classes=[NotTheLast], pagination_class=None)
        def newest(self, request):
            found = self.filter_queryset(self.get_queryset()).order_by("-year")[:1]
            return Response(self.get_serializer(found, many=True).data)

        @action(detail=False, methods=["POST"], serializer_class=serializer["tag"], url_path=r"tag/(?P<name>\w+)")
        def tag(self, request, name):
            return Response({"name": name, "fields": list(self.get_serializer().fields), "url": self.urls()})

        def urls(self):
            view = self
            return [view.reverse_action("tagged", args=[1]), view.reverse_action(view.newest.url_name)]

        @action(detail=True)
        def about(self, request, pk=None):
            return Response(
                {
                    "cls": type(self).__name__,
                    "basename": self.basename,
                    "detail": self.detail,
                    "suffix": self.suffix,
                    "name": [self.name, self.get_view_name()],
                    "description": [self.description, self.get_view_description()],
                    "action": self.action,
                    "map": self.action_map,
                    "urls": self.get_extra_action_url_map(),
                    "args": [self.args, self.kwargs],
                    "fake": getattr(self, "swagger_fake_view", False),
                    "extra": [each.__name__ for each in self.get_extra_actions()],
                    "links": self.urls(),
                }
            )

    class EditionViewSet(bases.GenericViewSet, bases.CreateModelMixin, bases.RetrieveModelMixin):
        queryset = Edition.objects.order_by("id")
        serializer_class = serializer["edition"]

    class Ping(bases.ViewSet):
        """Says pong."""

        def list(self, request, format=None):
            return Response({"pong": self.action})

        def retrieve(self, request, pk=None, format=None):
            return Response({"pong": pk})

        def create(self, request):
            return Response(request.data, status=201)

    router = router_class(**options)
    router.register("authors", AuthorViewSet)
    router.register("names", ByName, basename="name")
    router.register("books", BookViewSet)
    router.register("editions", EditionViewSet)
    router.register("ping", Ping, basename="ping")
    return [path("api/", include(router.urls))]


NEW_BOOK = {"title": "Orlando", "year": 1928, "author": 1, "tags": [2, 1]}


def asks_of_viewsets() -> list[Ask]:
    asks = [
        asked("GET", url, headers=headers) for url in ("/api/", "/api/.json", "/api/nope/") for headers in ({}, HTML)
    ]
    queries = ["", "?search=austen", "?search=emma", "?search=%00", "?ordering=-name", "?ordering=nope"]
    queries += ["?limit=1", "?limit=1&offset=1", "?limit=0", "?limit=x&offset=-1", "?offset=99", "?limit=3&format=api"]
    asks += [asked("GET", f"/api/authors/{query}", headers=headers) for query in queries for headers in ({}, HTML)]
    asks += [asked("OPTIONS", f"/api/{name}/") for name in ("authors", "books", "names", "ping", "editions")]
    asks += [asked("GET", f"/api/names/{name}/") for name in ("Austen", "austen", "1", "")]
    asks += [asked(method, "/api/names/Austen/", {"name": "x"}) for method in ("PUT", "POST", "DELETE", "HEAD")]
    asks += [asked("POST", "/api/authors/", body) for body in BODIES]
    asks += [
        asked(method, f"/api/authors/{pk}/", {"name": f"{method}{pk}"}) for method in ("PUT", "PATCH") for pk in "129"
    ]
    asks += [asked("GET", f"/api/authors/{pk}/", headers=HTML) for pk in ("1", "2", "x")]
    # Cursors are followed by what DRF's links say.
    asks += [asked("GET", f"/api/books/{query}", headers=headers) for headers in ({}, HTML) for query in CURSORS]
    asks += [asked("GET", f"/api/books/?initial={initial}") for initial in ("E", "P", "_")]
    asks += [asked("POST", "/api/books/", NEW_BOOK), asked("POST", "/api/books/", {**NEW_BOOK, "tags": [99]})]
    asks += [asked("POST", "/api/books/", {**NEW_BOOK, "author": 99}), asked("POST", "/api/books/", {"year": "x"})]
    asks += [asked("POST", "/api/books/", None, FORM, b"title=T&year=1&author=1&tags=1&tags=2")]
    asks += [asked("PUT", "/api/books/1/", {**NEW_BOOK, "tags": []}), asked("PATCH", "/api/books/1/", {"tags": [2]})]
    asks += [asked("PUT", "/api/books/1/", {**NEW_BOOK, "title": ""}, HTML), asked("PATCH", "/api/books/99/", {})]
    asks += [asked("GET", "/api/books/1/", headers=HTML), asked("GET", "/api/books/1.json")]
    asks += [asked("POST", "/api/books/1/", NEW_BOOK), asked("DELETE", "/api/books/", NEW_BOOK)]
    tags = "/api/books/1/its-tags/"
    asks += [asked("GET", tags), asked("GET", tags, headers=HTML), asked("OPTIONS", tags), asked("HEAD", tags)]
    asks += [asked("POST", tags, {"name": "new"}), asked("POST", tags, {"name": "new"}), asked("DELETE", tags)]
    asks += [asked("POST", "/api/books/99/its-tags/", {"name": "none"})]
    asks += [asked("PUT", tags, {}), asked("GET", "/api/books/99/its-tags/"), asked("GET", tags + "?format=json")]
    newest = "/api/books/newest/"
    asks += [asked("GET", newest), asked("GET", newest, headers=HTML), asked("POST", newest), asked("OPTIONS", newest)]
    asks += [
        asked("POST", "/api/books/tag/red/"),
        asked("GET", "/api/books/tag/red/"),
        asked("POST", "/api/books/tag/"),
    ]
    asks += [asked("GET", f"/api/books/{pk}/about/", headers=headers) for pk in "19" for headers in ({}, HTML)]
    asks += [
        asked("GET", f"/api/ping/{tail}", headers=headers) for tail in ("", "7/", "7.json") for headers in ({}, HTML)
    ]
    asks += [
        asked("POST", "/api/ping/", {"a": 1}),
        asked("POST", "/api/ping/", None, None, b"{"),
        asked("PUT", "/api/ping/"),
    ]
    file = ("scan.txt", b"scanned")
    asks += [in_parts("POST", "/api/editions/", book="1", number="7", language="en", scan=file)]
    asks += [in_parts("POST", "/api/editions/", book="1", number="7", language="en", scan=file)]
    asks += [in_parts("POST", "/api/editions/", book="1", number="8", language="english", scan=("", b""))]
    asks += [in_parts("POST", "/api/editions/", book="1", number="9", language="fr", code="a b", scan=("e.txt", b""))]
    asks += [asked("POST", "/api/editions/", {"book": 1, "number": 10, "language": "de", "scan": "text"})]
    asks += [asked("GET", "/api/editions/1/"), asked("GET", "/api/editions/1/", headers=HTML)]
    asks += [asked("GET", "/api/editions/"), asked("GET", "/api/editions/", headers=HTML)]
    asks += [asked("DELETE", f"/api/authors/{pk}/") for pk in "129"]
    # As they are where routers have no trailing slash.
    return [*asks, *(asked(each.method, each.url.replace("/?", "?").rstrip("/"), each.data) for each in asks[12:40])]


CURSORS = ["", "?cursor=cD0xODEz", "?cursor=bz0x", "?cursor=cj0xJnA9MTgxNQ%3D%3D", "?cursor=!!", "?cursor="]


def slashless(bases: Any) -> list[Any]:
    return viewsets(DefaultRouter, {"trailing_slash": False, "use_regex_path": True}, bases)


def default_router(bases: Any) -> list[Any]:
    return viewsets(DefaultRouter, {}, bases)


def simple_router(bases: Any) -> list[Any]:
    return viewsets(SimpleRouter, {}, bases)


SITES: dict[Any, Callable[[], list[Ask]]] = {
    concrete_views: asks_of_concrete_views,
    default_router: asks_of_viewsets,
    simple_router: asks_of_viewsets,
    slashless: asks_of_viewsets,
}


def populate() -> None:
    Author.objects.bulk_create(Author(name=name) for name in ["Austen", "Eliot", "Shelley", "Brontë", *"ABCDEFGHI"])
    titles = [("Emma", 1815), ("Persuasion", 1817), ("Pride", 1813), ("Essays", 1813), ("Poems", 1813)]
    Book.objects.bulk_create(Book(title=title, year=year, author_id=1) for title, year in titles)
    tags = [Tag.objects.create(name=name) for name in ("novel", "classic")]
    Book.objects.get(title="Emma").tags.set(tags)


def answers(site: Any, bases: str, transport: str) -> list[Answer]:
    with (
        tempfile.TemporaryDirectory() as media,
        fresh("default"),
        Site(site(BASES[bases]), MEDIA_ROOT=media, MEDIA_URL="/media/") as served,
    ):
        populate()
        return [OVER[transport](served, each) for each in SITES[site]()]


recorded = cache(answers)


OURS = [SYNC, ASYNC, THROUGHOUT, DRF_MIXINS]


@pytest.mark.parametrize("site", [concrete_views, default_router], ids=lambda site: site.__name__)
def test_every_answer_is_that_of_drfs_classes(site: Any) -> None:
    alike(SITES[site](), answers(site, ASYNC, ASGI), recorded(site, DRF, ASGI))


@pytest.mark.parametrize(
    ("site", "bases", "transport"),
    some(
        [
            *product([concrete_views, default_router, simple_router, slashless], OURS, [ASGI]),
            *product([concrete_views, default_router], [SYNC, ASYNC], [WSGI]),
        ]
    ),
    ids=lambda value: getattr(value, "__name__", value),
)
def test_every_answer_by_other_ways_is_that_of_drfs_classes(site: Any, bases: str, transport: str) -> None:
    alike(SITES[site](), answers(site, bases, transport), recorded(site, DRF, transport))


def test_the_asks_come_to_every_kind_of_answer() -> None:
    found = {
        (ask.method, answer.status): ask
        for site in (concrete_views, default_router)
        for ask, answer in zip(SITES[site](), recorded(site, DRF, ASGI), strict=True)
    }
    assert found.keys() >= {
        *(("GET", status) for status in (200, 404, 405)),
        *(("POST", status) for status in (200, 201, 400, 404, 405)),
        *((method, status) for method in ("PUT", "PATCH") for status in (200, 400, 403, 404, 405)),
        *(("DELETE", status) for status in (200, 204, 403, 404, 405)),
        *((method, 200) for method in ("HEAD", "OPTIONS")),
        ("PUT", 415),
    }
    # DRF says in a 500 that the URL lacks what the view looks up; nothing else comes to one.
    assert {ask.url for (_, status), ask in found.items() if status == 500} == {f"/{CONCRETE[-1]}/"}
