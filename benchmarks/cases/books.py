"""``list100``, ``detail`` and ``create``: DRF's generic views on a real database, with plain serializers and ours."""

from __future__ import annotations

import datetime
import json
from functools import partial
from importlib import import_module
from typing import Any

from django.db import connections
from rest_framework import generics as drf
from rest_framework import serializers as drf_serializers
from rest_framework.pagination import PageNumberPagination

from benchmarks.case import Case, Refusal, Variant
from benchmarks.models import Book
from restflow import serializers
from restflow.views import generics

ROWS = 1000
WRITTEN = ("isbn", "title", "author", "pages", "price", "published")
SHOWN = ("id", *WRITTEN, "in_print")
NEW = {
    "isbn": "9780000000000",
    "title": "A book that is made",
    "author": "Ada",
    "pages": 320,
    "price": "24.90",
    "published": "2024-02-29",
}


class Pages(PageNumberPagination):
    page_size = 100


def fill(model: type[Book]) -> None:
    """Fill the table of ``model``."""
    model.objects.bulk_create(
        model(
            isbn=f"978{number:010}",
            title=f"Book {number}",
            author=f"Author {number % 50}",
            pages=100 + number,
            price=f"{number % 90}.95",
            published=datetime.date(2000, 1, 1) + datetime.timedelta(days=number),
            in_print=number % 3 > 0,
        )
        for number in range(1, ROWS + 1)
    )


def remove(model: type[Book]) -> None:
    """Remove the book that a request made, and leave no connection to this thread."""
    model.objects.filter(isbn=NEW["isbn"]).delete()
    connections[model.database].close()


def serializer_of(base: Any, model: type[Book], fields: tuple[str, ...]) -> Any:
    meta = type("Meta", (), {"model": model, "fields": fields})
    return type("BookSerializer", (base,), {"Meta": meta})


def view_of(base: Any, serializer_base: Any, model: type[Book], fields: tuple[str, ...]) -> Any:
    attributes = {
        "queryset": model.objects.all(),
        "serializer_class": serializer_of(serializer_base, model, fields),
        "pagination_class": Pages,
    }
    return type(base.__name__, (base,), attributes).as_view()


def variants(name: str, model: type[Book], fields: tuple[str, ...]) -> tuple[Variant, ...]:
    """Return the ways to write a view on DRF's generic view ``name``; the goals are set against DRF's own."""
    plain = drf_serializers.ModelSerializer
    asynchronous = getattr(generics, f"Async{name}")
    found = [
        Variant("DRF", view_of(getattr(drf, name), plain, model, fields)),
        Variant("restflow sync", view_of(getattr(generics, name), plain, model, fields)),
        Variant("restflow async, DRF's serializer", view_of(asynchronous, plain, model, fields), goal=1.0),
        Variant(
            "restflow async, its own serializer",
            view_of(asynchronous, serializers.ModelSerializer, model, fields),
            goal=1.0,
        ),
    ]
    try:
        peer, peer_serializers = import_module("adrf.generics"), import_module("adrf.serializers")
    except ImportError:
        pass
    else:
        view = view_of(getattr(peer, name), peer_serializers.ModelSerializer, model, fields)
        found.append(Variant("adrf", view))
    return tuple(found)


def cases(model: type[Book], database: str) -> tuple[Case, ...]:
    """Return the three cases on one database."""
    taken = {**NEW, "isbn": f"978{1:010}"}
    return (
        Case(name=f"list100-{database}", variants=variants("ListAPIView", model, SHOWN)),
        Case(
            name=f"detail-{database}",
            variants=variants("RetrieveAPIView", model, SHOWN),
            route="<int:pk>/",
            tail=f"{ROWS // 2}/",
        ),
        Case(
            name=f"create-{database}",
            variants=variants("CreateAPIView", model, ("id", *WRITTEN)),
            method="POST",
            body=json.dumps(NEW).encode(),
            status=201,
            generated=frozenset({"id"}),
            undo=partial(remove, model),
            refusals=(Refusal((), 400, json.dumps(taken).encode()),),
        ),
    )
