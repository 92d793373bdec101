"""``PostFetch``: related rows for a page that is already fetched, in one query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

from django.core.exceptions import FieldDoesNotExist
from django.db.models import F, ForeignKey, Manager, Model, QuerySet, Window
from django.db.models.functions import DenseRank, RowNumber

from restflow.flow import TwoColoured, asynchronous, blocking, sync

__all__ = ["PostFetch"]

_RANK = "_restflow_rank"
_KEY = "_restflow_key_"
_Keyed = tuple[Any, tuple[Any, ...]]


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
        ValueError: ``limit`` is not a positive number, no pair is given, or ``values`` or ``order_by`` is a string.
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
        for name, value in {"values": values, "order_by": order_by}.items():
            if isinstance(value, str):
                raise ValueError(f"{name} must be a list of names, got {value!r}: write [{value!r}].")
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
        joins_of = {kind: self._joins(kind) for kind in set(map(type, found))}
        # One group, and so one query, unless foreign keys of several models among the items hold different columns.
        groups: dict[tuple[str, ...], list[_Keyed]] = {}
        for item in found:
            joins = joins_of[type(item)]
            key = tuple(join.key_of(item) for join in joins)
            groups.setdefault(tuple(join.lookup for join in joins), []).append((item, key))
        for lookups, group in groups.items():
            self._attach_matches(lookups, group)
        return found

    def _joins(self, kind: type) -> tuple[_Join, ...]:
        return tuple(_join(self.queryset.model, secondary, kind, base) for secondary, base in self.queries.items())

    def _attach_matches(self, lookups: Sequence[str], group: list[_Keyed]) -> None:
        matches: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        if asked := {key for _, key in group if None not in key}:
            for row, key in self._rows(lookups, asked):
                matches.setdefault(key, []).append(row)
        for item, key in group:
            # Each item gets rows of its own: what a serializer does to one must not show in another.
            rows = [dict(row) for row in matches.get(key, ())]
            _write(item, self.to_attr, rows if self.limit != 1 else rows[0] if rows else None)

    def _rows(self, lookups: Sequence[str], keys: set[tuple[Any, ...]]) -> Iterator[_Keyed]:
        columns = zip(lookups, zip(*keys, strict=True), strict=True)
        queryset = self.queryset.filter(**{f"{lookup}__in": set(column) for lookup, column in columns})
        if self.order_by:
            queryset = queryset.order_by(*self.order_by)
        elif not queryset.ordered and queryset.query.group_by is None:
            queryset = queryset.order_by("pk")
        shown = {field: F(field) for field in (*self.values, *self.queries)} | self.values_dict
        if self.limit is not None:
            queryset = queryset.alias(**{_RANK: self._rank(queryset, lookups, shown)})
            queryset = queryset.filter(**{f"{_RANK}__lte": self.limit})
        selected = shown | {f"{_KEY}{lookup}": F(lookup) for lookup in lookups}
        source = _once(queryset, selected)
        fields = [name for name in source.values() if name not in self.values_dict and not name.startswith(_KEY)]
        expressions = {name: selected[name] for name in source.values() if name not in fields}
        for row in queryset.values(*dict.fromkeys(fields), **expressions):
            key = tuple(row[source[f"{_KEY}{lookup}"]] for lookup in lookups)
            yield {name: row[source[name]] for name in shown}, key

    def _rank(self, queryset: QuerySet[Any, Any], lookups: Iterable[str], shown: Mapping[str, Any]) -> Window:
        # The order as Django compiles it, which knows of relations, reversed query sets and "?"; Django's own sliced
        # prefetch (db/models/fields/related_descriptors.py) ranks the same way.
        compiler = queryset.query.get_compiler(using=queryset.db)
        order = [expression for expression, _ in compiler.get_order_by()]
        partition = [F(lookup) for lookup in lookups]
        if queryset.query.distinct:  # rows that will turn out equal share a rank
            order += list(shown.values())
            return Window(DenseRank(), partition_by=partition, order_by=order)
        return Window(RowNumber(), partition_by=partition, order_by=order or None)


def _once(queryset: QuerySet[Any, Any], selected: Mapping[str, Any]) -> dict[str, str]:
    """Return for each name the first that means the same column.

    Django's compiler loses count of the columns of a query that filters by a window and selects one of them twice.
    """
    query = queryset.query.clone()
    first: dict[Any, str] = {}
    return {name: first.setdefault(meant.resolve_expression(query), name) for name, meant in selected.items()}


class _Join(NamedTuple):
    """How items of one type are joined by one pair: what ``base`` holds, against the related rows' ``lookup``."""

    lookup: str
    base: str
    target: Any  # the field that a related instance counts as, or None

    def key_of(self, item: Any) -> Any:
        value = _read(item, self.base)
        if not isinstance(value, Model):
            return value
        target = self.target
        return value.pk if target is None or not isinstance(value, target.model) else getattr(value, target.attname)


def _join(model: type[Model], secondary: str, kind: type, base: str) -> _Join:
    prefix, field = _resolve(model, secondary)
    key = _resolve(kind, base)[1] if issubclass(kind, Model) else None
    if not isinstance(key, ForeignKey) or key.name != base:
        return _Join(secondary, base, _target(field))
    # The column of a foreign key is read instead of the relation, which could be a query for each item. Where the two
    # sides refer to different fields of the related model, the database looks up the one that the items have.
    target = _target(key)
    lookup = secondary
    if field is not None and _target(field) != target:
        if field.related_model and issubclass(field.related_model, target.model):
            lookup = f"{prefix}{field.name}__{target.name}"
        elif getattr(field, "primary_key", False) and issubclass(field.model, target.model):
            lookup = f"{prefix}{target.name}"
    return _Join(lookup, key.attname, target)


def _resolve(model: Any, path: str) -> tuple[str, Any]:
    """Return what stands before the last name of a path of fields, and the field; None where it is no field."""
    *through, last = path.split("__")
    try:
        for name in through:
            model = model._meta.get_field(name).related_model
        field = model._meta.pk if last == "pk" else model._meta.get_field(last)
    except (FieldDoesNotExist, AttributeError):  # an annotation, a transform
        field = None
    return "".join(f"{name}__" for name in through), field


def _target(field: Any) -> Any:
    """Return the field whose values a relation holds; the field itself where it is no relation."""
    while field is not None and field.is_relation:
        related = field.related_model  # None of a generic foreign key
        field = field.target_field if isinstance(field, ForeignKey) else related and related._meta.pk
    return field


def _read(item: Any, field: str) -> Any:
    return item[field] if isinstance(item, Mapping) else getattr(item, field)


def _write(item: Any, field: str, value: Any) -> None:
    if isinstance(item, MutableMapping):
        item[field] = value
    else:
        setattr(item, field, value)
