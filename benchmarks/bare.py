"""The same answers by Django alone, as short as they can be: nothing is checked but that a new book is unique."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from benchmarks.data import SHOWN, WRITTEN
from benchmarks.models import Book


def shown(book: Book, fields: Iterable[str] = SHOWN) -> dict[str, Any]:
    return {name: getattr(book, name) for name in fields}


def page(request: HttpRequest, count: int, books: Iterable[Book]) -> dict[str, Any]:
    """The first page of several, as ``PageNumberPagination`` answers it."""
    following = f"{request.build_absolute_uri(request.path)}?page=2"
    return {"count": count, "next": following, "previous": None, "results": [shown(book) for book in books]}


def made(model: type[Book], data: dict[str, Any]) -> Book:
    """A new book, not saved."""
    values = {name: data[name] for name in WRITTEN}
    values["price"], values["published"] = Decimal(data["price"]), date.fromisoformat(data["published"])
    return model(**values)


def view_of(work: str, model: type[Book]) -> Callable[..., JsonResponse]:
    """Return the sync view for ``work``: "list100", "detail" or "create"."""

    def list100(request: HttpRequest) -> JsonResponse:
        return JsonResponse(page(request, model.objects.count(), model.objects.all()[:100]))

    def detail(request: HttpRequest, pk: int) -> JsonResponse:
        return JsonResponse(shown(model.objects.get(pk=pk)))

    def create(request: HttpRequest) -> JsonResponse:
        book = made(model, json.loads(request.body))
        if model.objects.filter(isbn=book.isbn).exists():
            return JsonResponse({"isbn": ["taken"]}, status=400)
        book.save(force_insert=True)
        return JsonResponse(shown(book, ("id", *WRITTEN)), status=201)

    view: Callable[..., JsonResponse] = csrf_exempt({"list100": list100, "detail": detail, "create": create}[work])
    return view
