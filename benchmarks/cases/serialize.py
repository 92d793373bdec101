"""``serialize``: the data of 100 rows, at once and one by one, without a database and without rendering."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.http import HttpRequest, JsonResponse
from rest_framework import serializers as drf_serializers

from benchmarks.case import Case, Variant
from benchmarks.data import SHOWN, made
from benchmarks.generic import serializer_of
from benchmarks.models import SQLiteBook
from restflow import serializers
from restflow.views import APIView

REQUESTED = 100  # rows a request, so that the handler hardly counts


def view_of(data_of: Callable[[list[Any]], Any], count: int) -> Callable[..., Any]:
    rows: list[Any] = []

    async def view(request: HttpRequest) -> JsonResponse:
        if not rows:
            rows.extend(full_rows(count))
        for _ in range(REQUESTED // count):
            data = data_of(rows)
        return JsonResponse({"last": dict(data[-1])["title"]})

    return view


def full_rows(count: int) -> Iterable[Any]:
    """Return rows as a database gives them."""
    for number, row in zip(range(1, count + 1), made(SQLiteBook), strict=False):
        row.pk = number
        row.price = row._meta.get_field("price").to_python(row.price)
        yield row


def by_itself(base: Any) -> Callable[[list[Any]], Any]:
    cls = serializer_of(base, SQLiteBook, SHOWN)

    def data_of(rows: list[Any]) -> Any:
        return cls(rows, many=True).data if len(rows) > 1 else [cls(rows[0]).data]

    return data_of


def by_view(base: Any) -> Callable[[list[Any]], Any]:
    attributes = {"serializer_class": serializer_of(base, SQLiteBook, SHOWN), "request": None}
    view = type("Books", (APIView,), attributes)()

    def data_of(rows: list[Any]) -> Any:
        if len(rows) > 1:
            return view.serialized_response(rows, many=True).data
        return [view.serialized_response(rows[0]).data]

    return data_of


def case(count: int, goal: float) -> Case:
    """Return the ways to represent so many rows; the goal is that of views."""
    plain, ours = drf_serializers.ModelSerializer, serializers.ModelSerializer
    variants = (
        Variant("bound: DRF's data", view_of(by_itself(plain), count), entry="bound"),
        Variant("bound: restflow's data", view_of(by_itself(ours), count), entry="bound"),
        Variant("bound: a view's, DRF's serializer", view_of(by_view(plain), count), goal, "bound"),
        Variant("bound: a view's, restflow's serializer", view_of(by_view(ours), count), goal, "bound"),
    )
    return Case(name=f"serialize{count}", variants=variants, by_cpu=True)


CASES = (case(100, 0.25), case(1, 0.15))
