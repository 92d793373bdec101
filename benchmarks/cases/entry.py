"""``entry`` and its kind: Django's ASGI handler and restflow's around the same views, with and without middleware.

A bound is the least that any handler could cost (``benchmarks/bound.py``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import HttpRequest, JsonResponse
from rest_framework import generics as drf
from rest_framework import serializers as drf_serializers

from benchmarks.bare import view_of as bare_view_of
from benchmarks.bound import in_one_trip
from benchmarks.case import Case, Variant
from benchmarks.cases import books, ping, policies
from benchmarks.data import SHOWN, WRITTEN
from benchmarks.generic import view_of
from benchmarks.models import Book
from benchmarks.project import DEFAULT_MIDDLEWARE
from restflow import serializers
from restflow.views import generics


def plain(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"member": "ada"})


VIEWS: dict[str, Any] = {
    "Django async def": policies.plain,
    "Django def": plain,
    "DRF APIView": policies.DRFGuarded.as_view(),
    "restflow AsyncAPIView": type("Pong", (ping.NoPolicies, policies.AsyncGuarded), {"get": policies.pong}).as_view(),
    "restflow AsyncAPIView, sync policies": policies.AsyncGuarded.as_view(),
    "restflow AsyncAPIView, async policies": policies.AsyncGuardedAsync.as_view(),
}


def case(name: str, middleware: tuple[str, ...], goals: tuple[float | None, ...]) -> Case:
    """Return the views on both handlers; the floor is a plain view on Django's."""
    stock = tuple(Variant(f"Django's entry: {view}", function) for view, function in VIEWS.items())
    ours = tuple(
        Variant(f"restflow's entry: {view}", function, goal, "restflow")
        for (view, function), goal in zip(VIEWS.items(), goals, strict=True)
    )
    bound = Variant("bound: Django async def", policies.plain, entry="bound")
    return Case(name, (*stock, *ours, bound), policies.token("ada"), middleware=middleware, by_cpu=True)


CASES = (
    case("entry", (), (0.10, None, None, 0.20, 0.36, 0.25)),
    case("entry-default", DEFAULT_MIDDLEWARE, (0.06, None, None, 0.08, 0.13, 0.10)),
)

# The view, and its goal.
_GENERIC = {"list100": ("ListAPIView", 0.70), "detail": ("RetrieveAPIView", 0.36), "create": ("CreateAPIView", 0.45)}


def generic_cases(model: type[Book], database: str) -> tuple[Case, ...]:
    """Return the generic views on both handlers, with the default middleware; the floor is DRF's on Django's."""
    plain, own = drf_serializers.ModelSerializer, serializers.ModelSerializer
    found = []
    for of_books in books.cases(model, database):
        work = of_books.name.removesuffix(f"-{database}")
        name, goal = _GENERIC[work]
        drfs, ours = getattr(drf, name), getattr(generics, f"Async{name}")
        fields = ("id", *WRITTEN) if work == "create" else SHOWN
        variants = (
            Variant("Django's entry: DRF", view_of(drfs, plain, model, fields)),
            Variant("restflow's entry: DRF", view_of(drfs, plain, model, fields), entry="restflow"),
            Variant(
                "restflow's entry: restflow async, DRF's serializer",
                view_of(ours, plain, model, fields),
                goal,
                "restflow",
            ),
            Variant(
                "restflow's entry: restflow async, its own serializer",
                view_of(ours, own, model, fields),
                goal,
                "restflow",
            ),
            Variant("bound: DRF in one trip", in_one_trip(view_of(drfs, plain, model, fields)), entry="bound"),
            Variant(
                "bound: Django alone in one trip",
                in_one_trip(bare_view_of(work, model)),
                entry="bound",
            ),
        )
        found.append(
            replace(
                of_books, name=f"entry-{of_books.name}", variants=variants, middleware=DEFAULT_MIDDLEWARE, by_cpu=True
            )
        )
    return tuple(found)
