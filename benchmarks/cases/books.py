"""``list100``, ``detail`` and ``create``: DRF's generic views on a real database, with plain serializers and ours."""

from __future__ import annotations

import json
from functools import partial
from importlib import import_module

from django.db import connections
from rest_framework import generics as drf
from rest_framework import serializers as drf_serializers

from benchmarks.case import Case, Refusal, Variant
from benchmarks.data import NEW, ROWS, SHOWN, WRITTEN
from benchmarks.generic import view_of
from benchmarks.models import Book
from restflow import serializers
from restflow.views import generics


def remove(model: type[Book]) -> None:
    """Remove the book that a request made, and leave no connection to this thread."""
    model.objects.filter(isbn=NEW["isbn"]).delete()
    connections[model.database].close()


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
