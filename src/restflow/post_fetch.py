"""``PostFetch``: related rows for a page that is already fetched, in one query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any

from django.db.models import F, Manager, Model, QuerySet, Window
from django.db.models.functions import DenseRank, RowNumber

from restflow.flow import TwoColoured, asynchronous, blocking, sync

__all__ = ["PostFetch"]

_RANK = "_restflow_rank"


class PostFetch(TwoColoured, hooks=("fetch",)):
    """Attach related rows to items that were fetched, paginated or built elsewhere, with one query for all of them.

    For joins that ``prefetch_related`` can't make: rows of ``.values()``, dicts, other databases, the latest N of each.
    It holds no state of a fetch, so one instance serves all requests.

    ``PostFetch(Review.objects.all(), "latest_review", ["rating"], order_by=["-created"], book_id="pk")`` gives each
    book its latest review.

    Args:
        queryset: where the related rows come from.
        to_attr: the attribute, or the key where the item is a dict, that receives them.
        values: the fields of the related rows. A row is attached as a dict of these and of the fields in ``queries``.
        values_dict: further values of each row, as expressions by name.
        limit: 1 attaches the first match or None, N a list of up to N, None a list of all. The database returns at most
            ``limit`` rows a key.
        order_by: the order of the matches; without it the query set's own.
        queries: ``secondary_field="base_field"`` pairs that join a related row to an item.

    Raises:
        ValueError: ``limit`` is not a positive number, or no pair is given.
    """

    def __init__(
        self,
        queryset: QuerySet[Any, Any] | Manager[Any],
        to_attr: str,
        values: Sequence[str],
        values_dict: Mapping[str, Any] | None = None,
        limit: int | None = 1,
        order_by: Sequence[Any] | None = None,
        **queries: str,
    ) -> None:
        if limit is not None and limit < 1:
            raise ValueError(f"limit must be a positive number or None, got {limit!r}.")
        if not queries:
            raise ValueError("PostFetch needs at least one pair secondary_field='base_field'.")
        self.queryset = queryset
        self.to_attr = to_attr
        self.values = tuple(values)
        self.values_dict = dict(values_dict or {})
        self.limit = limit
        self.order_by = tuple(order_by or ())
        self.queries = queries

    @sync
    async def fetch(self, items: Iterable[Any]) -> list[Any]:
        """Attach the related rows to each of ``items``.

        Args:
            items: instances or dicts; a query set is evaluated once.

        Returns:
            The items, as a list.

        Raises:
            AttributeError: an instance has no attribute of a base field's name.
            KeyError: a dict has no such key.
        """
        return await blocking(self._attach, items)

    afetch = asynchronous(fetch)

    def _attach(self, items: Iterable[Any]) -> list[Any]:
        found = list(items)
        keys = [tuple(_key(item, field) for field in self.queries.values()) for item in found]
        matches: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        if asked := {key for key in keys if None not in key}:
            for row in self._rows(asked):
                matches.setdefault(tuple(row[field] for field in self.queries), []).append(row)
        for item, key in zip(found, keys, strict=True):
            # Each item gets rows of its own: what a serializer does to one must not show in another.
            rows = [dict(row) for row in matches.get(key, ())]
            _write(item, self.to_attr, rows if self.limit != 1 else rows[0] if rows else None)
        return found

    def _rows(self, keys: set[tuple[Any, ...]]) -> Iterable[dict[str, Any]]:
        columns = zip(self.queries, zip(*keys, strict=True), strict=True)
        queryset = self.queryset.filter(**{f"{field}__in": set(column) for field, column in columns})
        if self.order_by:
            queryset = queryset.order_by(*self.order_by)
        elif not queryset.ordered and queryset.query.group_by is None:
            queryset = queryset.order_by("pk")
        fields = dict.fromkeys([*self.values, *self.queries])
        if self.limit is not None:
            queryset = queryset.alias(**{_RANK: self._rank(queryset, fields)}).filter(**{f"{_RANK}__lte": self.limit})
        rows: Iterable[dict[str, Any]] = queryset.values(*fields, **self.values_dict)
        return rows

    def _rank(self, queryset: QuerySet[Any, Any], fields: Iterable[str]) -> Window:
        # The order as Django compiles it, which knows of relations, reversed query sets and "?"; Django's own sliced
        # prefetch (db/models/fields/related_descriptors.py) ranks the same way.
        compiler = queryset.query.get_compiler(using=queryset.db)
        order = [expression for expression, _ in compiler.get_order_by()]
        partition = [F(field) for field in self.queries]
        if queryset.query.distinct:  # rows that will turn out equal share a rank
            order += [F(field).asc() for field in fields] + list(self.values_dict.values())
            return Window(DenseRank(), partition_by=partition, order_by=order)
        return Window(RowNumber(), partition_by=partition, order_by=order or None)


def _key(item: Any, field: str) -> Any:
    value = _read(item, field)
    return value.pk if isinstance(value, Model) else value


def _read(item: Any, field: str) -> Any:
    return item[field] if isinstance(item, Mapping) else getattr(item, field)


def _write(item: Any, field: str, value: Any) -> None:
    if isinstance(item, MutableMapping):
        item[field] = value
    else:
        setattr(item, field, value)
