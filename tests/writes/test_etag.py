"""``etag``: what the client has isn't sent again, and what it has not seen isn't overwritten."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.models import F
from rest_framework import serializers
from rest_framework.authentication import BasicAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from restflow.views import (
    ActionConfig,
    AsyncModelViewSet,
    AsyncRetrieveUpdateDestroyAPIView,
    AsyncViewSet,
    ModelViewSet,
    RetrieveUpdateDestroyAPIView,
    ViewSet,
    action,
)
from tests.databases import fresh
from tests.shop.models import Author, Book
from tests.site import ENTRIES, Site

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

viewsets = pytest.mark.parametrize("base", [ModelViewSet, AsyncModelViewSet], ids=["sync", "async"])
entries = pytest.mark.parametrize("entry", ENTRIES)


class BookSerializer(serializers.ModelSerializer[Book]):
    class Meta:
        model = Book
        fields = ["id", "title", "year", "author"]


def books(base: Any, **attributes: Any) -> Any:
    given: dict[str, Any] = {
        "queryset": Book.objects.all(),
        "serializer_class": BookSerializer,
        "renderer_classes": [JSONRenderer, BrowsableAPIRenderer],
        "authentication_classes": [],
        "permission_classes": [],
        "etag": "year",
        **attributes,
    }
    return type("Books", (base,), given)


class Shop:
    """Books under a viewset, and one book."""

    def __init__(self, site: Site, **book: Any) -> None:
        self.site = site
        self.book = Book.objects.create(title="Emma", author=Author.objects.create(name="Austen"), **book)
        self.url = f"/books/{self.book.pk}/"

    def send(self, method: str, data: Any = None, *, url: str = "", **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.site.send(method, url or self.url, data, headers={"accept": "application/json", **named})

    def get(self) -> Any:
        return self.send("GET")

    def read(self) -> Book:
        return Book.objects.get()


def urls(viewset: Any) -> Any:
    router = SimpleRouter()
    router.register("books", viewset, basename="book")
    return router.urls


def opened(viewset: Any, entry: str = "django", **settings: Any) -> Site:
    return Site(urls(viewset), entry=entry, **settings)


@pytest.fixture
def open_shop() -> Iterator[Any]:
    with fresh("default"):
        yield opened


@pytest.fixture
def open_shop_anywhere(database: str) -> Iterator[Any]:
    """The shop on each database."""
    with fresh(database):
        yield opened


# Reading --------------------------------------------------------------------------------------------------------------


@viewsets
@entries
def test_what_the_client_has_is_not_sent_again(base: Any, entry: str, open_shop: Any) -> None:
    with open_shop(books(base), entry) as site:
        shop = Shop(site)
        first = shop.get()
        again = shop.send("GET", if_none_match=first.headers["ETag"])
        weak = shop.send("HEAD", if_none_match=f'"x", W/{first.headers["ETag"]}')
        Book.objects.update(year=1815)
        changed = shop.send("GET", if_none_match=first.headers["ETag"])
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert "Vary" in again.headers
    assert "Content-Type" not in again.headers
    assert weak.status == 304
    assert (changed.status, changed.json()["year"]) == (200, 1815)
    assert changed.headers["ETag"] != first.headers["ETag"]


@viewsets
def test_an_etag_is_of_one_representation(base: Any, open_shop: Any) -> None:
    class Visitors(BasicAuthentication):
        def authenticate(self, request: Any) -> Any:
            name = request.headers.get("X-Name")
            return (User(pk=len(name), username=name), None) if name else None

    with open_shop(books(base, authentication_classes=[Visitors])) as site:
        shop = Shop(site)
        tags = [
            shop.get().headers["ETag"],
            shop.send("GET", accept="text/html").headers["ETag"],
            shop.send("GET", x_name="ada").headers["ETag"],
        ]
        assert len({*tags}) == 3
        # Which of them the client has seen is all the same to a write.
        for tag in tags:
            assert shop.send("PATCH", {"title": "E."}, if_match=tag).status == 200


@viewsets
def test_if_match_counts_where_one_reads(base: Any, open_shop: Any) -> None:
    with open_shop(books(base)) as site:
        shop = Shop(site)
        assert shop.send("GET", if_match='"another"').status == 412
        assert shop.send("GET", if_match="*").status == 200


@viewsets
def test_without_etag_headers_mean_nothing(base: Any, open_shop: Any) -> None:
    with open_shop(books(base, etag=None)) as site:
        shop = Shop(site)
        assert "ETag" not in shop.get().headers
        assert shop.send("PATCH", {"year": 1}, if_match='"x"').status == 200


# Writing --------------------------------------------------------------------------------------------------------------


@viewsets
@entries
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_what_the_client_has_not_seen_is_not_overwritten(
    base: Any, entry: str, method: str, open_shop_anywhere: Any
) -> None:
    data = {"title": "Mine", "year": 2, "author": 1}
    with open_shop_anywhere(books(base), entry, RESTFLOW={"ERROR_FORMAT": "problem"}) as site:
        shop = Shop(site)
        seen = shop.get().headers["ETag"]
        Book.objects.update(year=1)
        refused = shop.send(method, data, if_match=seen)
        assert (refused.status, refused.json()["code"]) == (412, "precondition_failed")
        assert shop.read().title == "Emma"
        done = shop.send(method, data, if_match=f'"x", {shop.get().headers["ETag"]}')
        if method == "DELETE":
            assert (done.status, Book.objects.count()) == (204, 0)
        else:
            assert (done.status, done.headers["Content-Location"]) == (200, shop.url)
            assert done.headers["ETag"] == shop.get().headers["ETag"]
            assert shop.send(method, data, if_match=done.headers["ETag"]).status == 200


@viewsets
@pytest.mark.parametrize("value", ["1815", "", '"', 'W/"x"', "W/{}", '"{}', "ä", "\x00", '"x" "y"'])
def test_a_header_that_matches_nothing_refuses(base: Any, value: str, open_shop: Any) -> None:
    with open_shop(books(base)) as site:
        shop = Shop(site)
        sent = value.replace("{}", shop.get().headers["ETag"])
        assert shop.send("PATCH", {"year": 7}, if_match=sent).status == 412
        assert shop.read().year == 1900


@viewsets
def test_any_state_will_do_for_a_star(base: Any, open_shop: Any) -> None:
    with open_shop(books(base)) as site:
        shop = Shop(site)
        assert shop.send("PATCH", {"year": 6}).status == 200
        assert shop.send("PATCH", {"year": 7}, if_match="*").status == 200
        assert shop.send("PATCH", {"year": 8}, if_none_match="*").status == 412
        assert shop.read().year == 7


@viewsets
def test_a_view_may_require_that_the_client_says_what_it_has_seen(base: Any, open_shop: Any) -> None:
    with open_shop(books(base, precondition_required=True)) as site:
        shop = Shop(site)
        for method in ("PUT", "PATCH", "DELETE"):
            refused = shop.send(method, {})
            assert (refused.status, refused.json()["detail"][:13]) == (428, "Send the ETag")
        assert shop.send("PATCH", {"year": 7}, if_match=shop.get().headers["ETag"]).status == 200
        assert shop.send("POST", {"title": "New", "author": 1}, url="/books/").status == 201
        assert shop.send("OPTIONS").status == 200


@viewsets
def test_an_action_config_declares_it_for_one_action(base: Any, open_shop: Any) -> None:
    configs = {
        "retrieve": ActionConfig(etag=["year", "title"]),
        "update": ActionConfig(etag=["year", "title"], precondition_required=True),
    }
    with open_shop(books(base, etag=None, action_configs=configs)) as site:
        shop = Shop(site)
        seen = shop.get().headers["ETag"]
        assert shop.send("PUT", {}).status == 428
        assert shop.send("PATCH", {"title": "E."}, if_match='"x"').status == 200
        assert shop.send("PUT", {"title": "F.", "author": 1}, if_match=seen).status == 412


@viewsets
def test_a_refusal_comes_before_a_precondition(base: Any, open_shop: Any) -> None:
    class NotYours(BasePermission):
        def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
            return False

    with open_shop(books(base, permission_classes=[NotYours], precondition_required=True)) as site:
        shop = Shop(site)
        assert shop.send("PATCH", {"year": 7}, if_match='"x"').status == 403
        assert shop.send("PATCH", {"year": 7}, url="/books/77/").status == 404


@viewsets
def test_a_get_object_of_the_views_own_is_no_way_around(base: Any, open_shop: Any) -> None:
    def get_object(self: Any) -> Any:
        return Book.objects.get(pk=self.kwargs["pk"])

    with open_shop(books(base, get_object=get_object)) as site:
        shop = Shop(site)
        assert shop.send("PATCH", {"year": 7}, if_match='"x"').status == 412
        assert shop.send("PATCH", {"year": 7}, if_match=shop.get().headers["ETag"]).status == 200


@viewsets
def test_an_action_of_ones_own_is_compared_by_get_object(base: Any, open_shop: Any) -> None:
    def rename(self: Any, request: Any, pk: Any) -> Response:
        book = self.get_object()
        book.title = "Renamed"
        book.save()
        return Response()

    async def arename(self: Any, request: Any, pk: Any) -> Response:
        book = await self.aget_object()
        book.title = "Renamed"
        await book.asave()
        return Response()

    function = arename if base is AsyncModelViewSet else rename
    function.__name__ = "rename"
    viewset = books(base, rename=action(detail=True, methods=["post"])(function))
    with open_shop(viewset) as site:
        shop = Shop(site)
        assert shop.send("POST", url=f"{shop.url}rename/", if_match='"x"').status == 412
        assert shop.read().title == "Emma"
        assert shop.send("POST", url=f"{shop.url}rename/", if_match=shop.get().headers["ETag"]).status == 200


@viewsets
def test_an_override_of_the_check_decides(base: Any, open_shop: Any) -> None:
    def check_precondition(self: Any, obj: Any) -> None:
        if "X-Force" not in self.request.headers:
            ModelViewSet.check_precondition(self, obj)

    with open_shop(books(base, check_precondition=check_precondition)) as site:
        shop = Shop(site)
        assert shop.send("PATCH", {"year": 7}, if_match='"x"').status == 412
        assert shop.send("PATCH", {"year": 7}, if_match='"x"', x_force="1").status == 200


@viewsets
def test_a_row_that_is_gone_is_not_found(base: Any, open_shop_anywhere: Any) -> None:
    def get_object(self: Any) -> Any:
        book = Book.objects.get(pk=self.kwargs["pk"])
        Book.objects.all().delete()
        return book

    with open_shop_anywhere(books(base, get_object=get_object)) as site:
        shop = Shop(site)
        assert shop.send("PATCH", {"year": 7}, if_match="*").status == 404


@viewsets
def test_what_is_no_row_is_compared_as_it_is(base: Any, open_shop: Any) -> None:
    def get_object(self: Any) -> Any:
        return Book(pk=7, title="Emma", year=1815, author_id=1)

    with open_shop(books(base, get_object=get_object, perform_destroy=lambda self, instance: None)) as site:
        shop = Shop(site)
        assert shop.send("DELETE", if_match='"x"').status == 412
        assert shop.send("DELETE", if_match=shop.get().headers["ETag"]).status == 204


@viewsets
def test_a_value_that_the_database_computes_has_no_etag(base: Any, open_shop: Any) -> None:
    def perform_update(self: Any, serializer: Any) -> None:
        serializer.save()
        serializer.instance.year = F("year") + 1

    class Title(serializers.ModelSerializer[Book]):
        class Meta:
            model = Book
            fields = ["title"]

    with open_shop(books(base, perform_update=perform_update, serializer_class=Title)) as site:
        shop = Shop(site)
        answer = shop.send("PATCH", {"title": "E."}, if_match=shop.get().headers["ETag"])
    assert answer.status == 200
    assert "ETag" not in answer.headers


@viewsets
def test_what_get_object_gives_may_be_no_model(base: Any, open_shop: Any) -> None:
    class Title(serializers.Serializer[Any]):
        title = serializers.CharField()

    with open_shop(books(base, get_object=lambda self: {"title": "Emma"}, serializer_class=Title)) as site:
        answer = Shop(site).get()
    assert (answer.status, "ETag" in answer.headers) == (200, False)


@viewsets
def test_what_was_created_has_its_etag(base: Any, open_shop: Any) -> None:
    with open_shop(books(base)) as site:
        shop = Shop(site)
        created = shop.send("POST", {"title": "New", "author": 1}, url="/books/")
        url = f"/books/{created.json()['id']}/"
        assert shop.send("GET", url=url, if_none_match=created.headers["ETag"]).status == 304


# At the same time -----------------------------------------------------------------------------------------------------


@viewsets
def test_of_writers_that_have_seen_the_same_one_wins(base: Any, database: str, open_shop_anywhere: Any) -> None:
    if not connections[database].features.has_select_for_update:
        pytest.skip("SQLite has no locks for rows: one of two that read, then write, gets an error of the database's")

    def perform_update(self: Any, serializer: Any) -> None:
        serializer.save(year=serializer.instance.year + 1)

    with open_shop_anywhere(books(base, perform_update=perform_update), "restflow") as site:
        shop = Shop(site)
        headers = {"accept": "application/json", "if-match": shop.get().headers["ETag"]}

        async def all_at_once() -> list[Any]:
            titles = [f"Title {number}" for number in range(8)]
            return await asyncio.gather(
                *(site.asend("PATCH", shop.url, {"title": title}, headers=headers) for title in titles)
            )

        answers = asyncio.run(all_at_once())
    assert sorted(answer.status for answer in answers) == [200, *[412] * 7]
    (winner,) = (answer.json() for answer in answers if answer.status == 200)
    assert (shop.read().title, shop.read().year) == (winner["title"], 1901)


@viewsets
def test_a_write_that_fails_after_the_comparison_is_rolled_back(base: Any, open_shop_anywhere: Any) -> None:
    def perform_update(self: Any, serializer: Any) -> None:
        serializer.save()
        raise serializers.ValidationError("No.")

    with open_shop_anywhere(books(base, perform_update=perform_update)) as site:
        shop = Shop(site)
        assert shop.send("PATCH", {"year": 7}, if_match=shop.get().headers["ETag"]).status == 400
        assert shop.read().year == 1900


# Declared -------------------------------------------------------------------------------------------------------------


@viewsets
@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"etag": "updated"}, r"^Books\.etag names 'updated', which is no field of shop\.Book\.$"),
        ({"etag": 7}, r"^Books\.etag must be the name of a field or a list of names, got 7\.$"),
        ({"etag": property(lambda self: "year")}, r"^Books\.etag is a property\."),
        ({"etag": None, "precondition_required": True}, r"^Books has precondition_required and no etag"),
    ],
)
def test_a_declaration_that_means_nothing_is_refused(base: Any, attributes: Any, message: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=message):
        books(base, **attributes).as_view({"get": "retrieve"})


def test_a_config_that_means_nothing_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^ActionConfig\.etag must be the name of a field"):
        ActionConfig(etag=[])
    for base in (ViewSet, AsyncViewSet):
        plain: Any = type(
            "Plain",
            (base,),
            {"list": lambda self, request: None, "action_configs": {"list": ActionConfig(etag="year")}},
        )
        with pytest.raises(
            ImproperlyConfigured, match=r"^Plain has an ActionConfig with etag, which would count nowhere"
        ):
            plain.as_view({"get": "list"})


@pytest.mark.parametrize("base", [RetrieveUpdateDestroyAPIView, AsyncRetrieveUpdateDestroyAPIView])
def test_generic_views_have_it_too(base: Any) -> None:
    view = type("View", (base,), {"queryset": Book.objects.all(), "serializer_class": BookSerializer, "etag": "year"})
    with fresh("default"), Site({"books/<int:pk>/": view.as_view()}) as site:
        shop = Shop(site)
        assert shop.send("GET", if_none_match=shop.get().headers["ETag"]).status == 304
        assert shop.send("PATCH", {"year": 7}, if_match='"x"').status == 412


class UserSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "username", "date_joined"]


@viewsets
def test_a_moment_has_one_etag_in_whichever_time_zone_it_was_written(base: Any, open_shop: Any) -> None:
    viewset = books(base, queryset=User.objects.all(), serializer_class=UserSerializer, etag="date_joined")
    data = {"username": "ada", "date_joined": "2026-01-01T00:00:00+05:00"}
    with open_shop(viewset, TIME_ZONE="Asia/Tashkent") as site:
        created = site.send("POST", "/books/", data)
        url = f"/books/{created.json()['id']}/"
        assert site.send("GET", url, headers={"if-none-match": created.headers["ETag"]}).status == 304
