"""A user's code in a serializer is called where DRF calls it, and not to look for async code."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from rest_framework import generics
from rest_framework import serializers as drf

from restflow import serializers, views
from tests.matrix import each_pair
from tests.shop.models import Author, Book, Edition
from tests.site import Site

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("each_version")]

families = pytest.mark.parametrize("m", [drf, serializers], ids=["DRF's", "ours"])
prefixes = pytest.mark.parametrize("prefix", ["", "Async"], ids=["sync", "async"])


@pytest.fixture(autouse=True)
def _edition() -> None:
    book = Book.objects.create(pk=1, title="Emma", author=Author.objects.create(pk=1, name="Austen"))
    printed = datetime.date(1815, 12, 23)
    Edition.objects.create(pk=1, book=book, printed=printed, details={"pages": 3}, scan="scans/emma.pdf")


def site(views: Any, prefix: str, model: Any, serializer: Any) -> Site:
    given = {"queryset": model.objects.order_by("pk"), "serializer_class": serializer, "pagination_class": None}
    names = {"x/": f"{prefix}ListCreateAPIView", "x/<int:pk>/": f"{prefix}RetrieveUpdateDestroyAPIView"}
    made = {route: type("View", (getattr(views, name),), given).as_view() for route, name in names.items()}
    return Site(made, DEBUG_PROPAGATE_EXCEPTIONS=True)


HOOKS = {
    "fields": {"validate_empty_values", "get_fields", "build_field"},
    "validators": {"get_validators", "get_unique_together_validators", "_writable_fields", "run_validators"},
}


def telling(base: Any, hooks: set[str], called: list[str], **attributes: Any) -> Any:
    """Make a serializer class whose overrides note that they are called."""

    def tell(name: str) -> Any:
        def method(self: Any, *args: Any) -> Any:
            called.append(name)
            return getattr(super(made, self), name)(*args)

        def read(self: Any) -> Any:
            called.append(name)
            return getattr(super(made, self), name)

        return property(read) if name in {"fields", "_writable_fields"} else method

    made = type("Telling", (base,), {**{name: tell(name) for name in hooks}, **attributes})
    return made


BODIES: list[Any] = [{"name": "New"}, {"name": ""}, {}, [], ["no", "object"], "text", None]


@each_pair
@families
@prefixes
@pytest.mark.parametrize("hooks", HOOKS)
@pytest.mark.parametrize("is_nested", [False, True], ids=["alone", "nested"])
def test_what_drf_does_not_ask_is_not_asked(m: Any, prefix: str, hooks: str, is_nested: bool) -> None:
    """Validators of a GET, fields for data that are no object: an override may count on its place."""
    outcomes = []
    for module, base, name in ((generics, drf.ModelSerializer, ""), (views, m.ModelSerializer, prefix)):
        called: list[str] = []
        meta = type("Meta", (), {"model": Author, "fields": ["name"]})
        serializer = telling(base, HOOKS[hooks], called, Meta=meta)
        model: Any = Author
        sent = [("GET", "/x/1/", None), ("GET", "/x/", None)]
        sent += [] if is_nested else [("POST", "/x/", body) for body in BODIES]
        if is_nested:
            meta = type("Meta", (), {"model": Book, "fields": ["id", "author"]})
            serializer = type("Around", (base,), {"Meta": meta, "author": serializer(read_only=True)})
            model = Book
        asked: list[Any] = []
        with site(module, name, model, serializer) as served:
            for method, url, body in sent:
                called.clear()
                answer = served.send(method, url, body)
                asked.append((answer.status, answer.body, set(called)))
        Author.objects.exclude(pk=1).delete()
        outcomes.append(asked)
    assert outcomes[1] == outcomes[0]


@families
@prefixes
def test_a_property_of_the_fields_is_asked_once_a_row(m: Any, prefix: str) -> None:
    """It may build them anew each time, which is what representing costs most."""
    Author.objects.bulk_create(Author(pk=pk, name=str(pk)) for pk in range(2, 30))
    called: list[str] = []
    meta = type("Meta", (), {"model": Author, "fields": ["id", "name"]})
    with site(views, prefix, Author, telling(m.ModelSerializer, {"fields"}, called, Meta=meta)) as served:
        assert len(served.send("GET", "/x/").json()) == 29
    assert 29 <= len(called) < 33


@each_pair
@families
@prefixes
@pytest.mark.parametrize("is_list", [False, True], ids=["one", "many"])
def test_a_source_leads_through_what_a_field_of_the_model_holds(m: Any, prefix: str, is_list: bool) -> None:
    class EditionSerializer(m.ModelSerializer):
        year = drf.IntegerField(source="printed.year", read_only=True)
        pages = drf.IntegerField(source="details.pages", read_only=True)
        file = drf.CharField(source="scan.name", read_only=True)
        address = drf.CharField(source="scan.url", read_only=True)
        author = drf.CharField(source="book.author.name", read_only=True)

        class Meta:
            model = Edition
            fields = ("year", "pages", "file", "address", "author")

    with site(views, prefix, Edition, EditionSerializer) as served:
        answer = served.send("GET", "/x/" if is_list else "/x/1/")
    expected = {
        "year": 1815,
        "pages": 3,
        "file": "scans/emma.pdf",
        "address": "/scans/emma.pdf",
        "author": "Austen",
    }
    assert answer.json() == ([expected] if is_list else expected)
