"""A view on a generic view of DRF's, restflow's or a peer's: the same for all of them."""

from __future__ import annotations

from typing import Any

from rest_framework.pagination import PageNumberPagination

from benchmarks.models import Book


def serializer_of(base: Any, model: type[Book], fields: tuple[str, ...]) -> Any:
    meta = type("Meta", (), {"model": model, "fields": fields})
    return type("BookSerializer", (base,), {"Meta": meta})


def view_of(
    base: Any,
    serializer_base: Any,
    model: type[Book],
    fields: tuple[str, ...],
    page_size: int = 100,
) -> Any:
    attributes = {
        "queryset": model.objects.all(),
        "serializer_class": serializer_of(serializer_base, model, fields),
        "pagination_class": type("Pages", (PageNumberPagination,), {"page_size": page_size}),
    }
    return type(base.__name__, (base,), attributes).as_view()
