"""``PostFetch``: fetches the related rows of a page that has already been fetched, in one query.

Queries the database, and sets attributes on the given items. Called by users, and by the view helpers for
``post_fetches=``.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db.models import F, ForeignKey, Manager, Model, QuerySet, Window
from django.db.models.base import ModelBase
from django.db.models.functions import DenseRank, RowNumber
from django.db.models.manager import BaseManager
from django.utils.functional import LazyObject

from restflow.flow import TwoColoured, asynchronous, blocking, sync

__all__ = ["PostFetch"]
__dir__ = __all__.copy

_RANK = "_restflow_rank"
_KEY = "_restflow_key_"
_Keyed = tuple[Any, tuple[Any, ...]]


class PostFetch(TwoColoured, hooks=("fetch",)):
    """Attaches related rows to items that were fetched, paginated or built elsewhere, with one query for all of them.

    For joins that ``prefetch_related`` can't make: rows of ``.values()``, dicts, other databases, the latest N per
    item. It holds no state of a fetch, so one instance serves all requests.

    ``PostFetch(Review.objects.all(), "latest_review", ["rating"], order_by=["-created"], book_id="pk")`` gives each
    book its latest review.

    Args:
        queryset: the query set of the related rows.
        to_attr: the attribute that receives the rows, or the key if the item is a dict.
        values: the fields of the related rows. A row is attached as a dict of these and of the fields in ``queries``.
        values_dict: more values of each row, as expressions by name.
        limit: 1 attaches the first match or None, N a list of up to N, None a list of all. The database returns at most
            ``limit`` rows per key.
        order_by: the order of the matches; by default that of the query set.
        queries: ``secondary_field="base_field"`` pairs that join a related row to an item.

    Raises:
        TypeError: ``queryset`` is a model, or otherwise not a query set, or sliced; a keyword is not an argument and
            can't be a pair; ``values`` or ``values_dict`` has an entry that belongs in the other.
        ValueError: ``limit`` is not a positive number, no pair is given, or ``values`` or ``order_by`` is a string.
        FieldError: the related rows have no such field. Raised by the first fetch if that is not known earlier: until
            Django has loaded all models, or if a manager has a ``get_queryset`` of its own.
    """

    _is_checked = False

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
        _insist_on_a_query_set(queryset)
        if not queries:
            raise ValueError("PostFetch needs at least one pair secondary_field='base_field'.")
        for name, value in {"values": values, "order_by": order_by}.items():
            if isinstance(value, str):
                raise ValueError(f"{name} must be a list of names, got {value!r}: write [{value!r}].")
        _insist_on_names(values, values_dict or {}, queries)
        self.queryset = queryset
        self.to_attr = to_attr
        self.values = tuple(values)
        self.values_dict = dict(values_dict or {})
        self.limit = limit
        self.order_by = tuple(order_by or ())
        self.queries = queries
        if (rows := _rows_known_of(queryset)) is not None:
            self._check(rows)

    @sync
    async def fetch(self, items: Iterable[Any]) -> list[Any]:
        """Attach the related rows to each of ``items``.

        Args:
            items: instances or dicts; a query set is evaluated once.

        Returns:
            The items, as a list.

        Raises:
            AttributeError: an instance has no attribute with the name of a base field.
            KeyError: a dict has no such key.
            ValueError: ``to_attr`` is a field of an instance's model.
            FieldError: the related rows have no such field.
        """
        return await blocking(self._attach, items)

    afetch = asynchronous(fetch)

    def _check(self, rows: QuerySet[Any, Any]) -> None:
        """Make Django look up every name that a fetch reads from the related rows."""
        if rows.query.is_sliced:
            raise TypeError("PostFetch filters its query set, and one that is sliced can't be: say limit= instead.")
        for name, base in self.queries.items():
            try:
                rows.filter(**{f"{name}__in": ()})
            except FieldError as error:
                raise FieldError(
                    f"{name}={base!r} is no pair. {str(error).rstrip('.')}.{_did_you_mean(name)}"
                ) from error
        _selecting(self._ordered(rows), self._shown(), self.values_dict)
        self._is_checked = True

    def _attach(self, items: Iterable[Any]) -> list[Any]:
        if not self._is_checked:
            self._check(self.queryset.all())
        found = list(items)
        joins_of = {kind: self._joins(kind) for kind in set(map(type, found))}
        # Usually one group, so one query. Items of several models may have foreign keys to different columns.
        groups: dict[tuple[str, ...], list[_Keyed]] = {}
        for item in found:
            joins = joins_of[type(item)]
            key = tuple(join.key_of(item) for join in joins)
            groups.setdefault(tuple(join.lookup for join in joins), []).append((item, key))
        for lookups, group in groups.items():
            self._attach_matches(lookups, group)
        return found

    def _joins(self, kind: type) -> tuple[_Join, ...]:
        if issubclass(kind, Model) and _has_field(kind, self.to_attr):
            raise ValueError(
                f"to_attr={self.to_attr!r} is a field of {kind.__name__}, whose value it would replace: take another."
            )
        return tuple(_join(self.queryset.model, secondary, kind, base) for secondary, base in self.queries.items())

    def _attach_matches(self, lookups: Sequence[str], group: list[_Keyed]) -> None:
        matches: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        if asked := {key for _, key in group if None not in key}:
            for row, key in self._rows(lookups, asked):
                matches.setdefault(key, []).append(row)
        for item, key in group:
            # Each item gets its own copies, so that changing one row does not change another item's.
            rows = [dict(row) for row in matches.get(key, ())]
            _write(item, self.to_attr, rows if self.limit != 1 else rows[0] if rows else None)

    def _ordered(self, queryset: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
        if self.order_by:
            return queryset.order_by(*self.order_by)
        if not queryset.ordered and queryset.query.group_by is None:
            return queryset.order_by("pk")
        return queryset

    def _shown(self) -> dict[str, Any]:
        return {field: F(field) for field in (*self.values, *self.queries)} | self.values_dict

    def _rows(self, lookups: Sequence[str], keys: set[tuple[Any, ...]]) -> Iterator[_Keyed]:
        columns = zip(lookups, zip(*keys, strict=True), strict=True)
        queryset = self.queryset.filter(**{f"{lookup}__in": set(column) for lookup, column in columns})
        queryset = self._ordered(queryset)
        shown = self._shown()
        if self.limit is not None:
            queryset = queryset.alias(**{_RANK: self._rank(queryset, lookups, shown)})
            queryset = queryset.filter(**{f"{_RANK}__lte": self.limit})
        selected = shown | {f"{_KEY}{lookup}": F(lookup) for lookup in lookups}
        rows, source = _selecting(queryset, selected, self.values_dict)
        for row in rows:
            key = tuple(row[source[f"{_KEY}{lookup}"]] for lookup in lookups)
            yield {name: row[source[name]] for name in shown}, key

    def _rank(self, queryset: QuerySet[Any, Any], lookups: Iterable[str], shown: Mapping[str, Any]) -> Window:
        # Django's compiler resolves the ordering (relations, reversed query sets, "?"); Django's own sliced
        # prefetch (db/models/fields/related_descriptors.py) ranks the same way.
        compiler = queryset.query.get_compiler(using=queryset.db)
        order = [expression for expression, _ in compiler.get_order_by()]
        partition = [F(lookup) for lookup in lookups]
        if queryset.query.distinct:  # equal rows, of which one will remain, share a rank
            order += list(shown.values())
            return Window(DenseRank(), partition_by=partition, order_by=order)
        return Window(RowNumber(), partition_by=partition, order_by=order or None)


def _selecting(
    queryset: QuerySet[Any, Any], selected: Mapping[str, Any], values_dict: Mapping[str, Any]
) -> tuple[Any, dict[str, str]]:
    """Return the rows as dicts, and a mapping from each name to the key under which a row has it."""
    source = _once(queryset, selected)
    fields = [name for name in source.values() if name not in values_dict and not name.startswith(_KEY)]
    expressions = {name: selected[name] for name in source.values() if name not in fields}
    return queryset.values(*dict.fromkeys(fields), **expressions), source


def _once(queryset: QuerySet[Any, Any], selected: Mapping[str, Any]) -> dict[str, str]:
    """Return, for each name, the first name that refers to the same column.

    Django's compiler miscounts the columns of a query that filters by a window and selects a column twice.
    """
    query = queryset.query.clone()
    first: dict[Any, str] = {}
    return {name: first.setdefault(meant.resolve_expression(query), name) for name, meant in selected.items()}


def _insist_on_a_query_set(given: Any) -> None:
    """Refuse what is known not to be a query set, by its type, because a lazy object must not be evaluated."""
    kind = type(given)
    if issubclass(kind, ModelBase):
        name = given.__name__
        raise TypeError(f"PostFetch needs a query set, got the model {name}: write {name}.objects.all().")
    if issubclass(kind, type) or not (issubclass(kind, LazyObject) or hasattr(given, "filter")):
        got = f"{given.__qualname__}: call it" if hasattr(given, "__qualname__") else reprlib.repr(given)
        raise TypeError(f"PostFetch needs a query set or a manager, got {got}.")


def _insist_on_names(values: Iterable[Any], values_dict: Mapping[str, Any], queries: Mapping[str, Any]) -> None:
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"values must be names, got {value!r}: put an expression into values_dict, under a name.")
    for name, value in values_dict.items():
        if not hasattr(value, "resolve_expression"):
            raise TypeError(f"values_dict must hold expressions, got {name}={value!r}: F('name') is one.")
    for name, value in queries.items():
        if not isinstance(value, str):
            raise TypeError(f"{name}={value!r} is no pair of fields' names, and no argument.{_did_you_mean(name)}")


def _rows_known_of(queryset: Any) -> QuerySet[Any, Any] | None:
    """Return a query set of the related rows, of which only the fields are looked up; None if it is too early for that.

    A manager with a ``get_queryset`` of its own may need a request. Until all models are loaded, reverse relations are
    unknown.
    """
    rows: Any
    if issubclass(type(queryset), QuerySet):
        # Not the project's subclass, which may refuse to be used outside a request.
        rows = QuerySet(queryset.model, queryset.query.chain())
        rows._fields = queryset._fields
    elif issubclass(type(queryset), BaseManager) and type(queryset).get_queryset is BaseManager.get_queryset:
        rows = QuerySet(queryset.model)
    else:
        return None
    return rows if rows.model._meta.apps.models_ready else None


_ARGUMENTS = ("limit", "order_by", "queryset", "to_attr", "values", "values_dict")


def _did_you_mean(name: str) -> str:
    close = get_close_matches(name, _ARGUMENTS, 1)
    return f" Did you mean {close[0]}=?" if close else ""


def _has_field(model: type[Model], name: str) -> bool:
    """Tell whether an attribute of a model's instances belongs to a field."""
    try:
        field: Any = model._meta.get_field(name)
    except FieldDoesNotExist:
        field = None
    if field is not None and (field.concrete or not field.auto_created):
        return True
    relations: Any = model._meta.related_objects
    return name == "pk" or any(relation.get_accessor_name() == name for relation in relations)


class _Join(NamedTuple):
    """How one pair joins items of one type: the value of ``base`` is compared with the related rows' ``lookup``."""

    lookup: str
    base: str
    target: Any  # the field of the related model that is compared, or None

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
    """Return the prefix before the last name in a path of fields, and the last field; None if that is not a field."""
    *through, last = path.split("__")
    try:
        for name in through:
            model = model._meta.get_field(name).related_model
        field = model._meta.pk if last == "pk" else model._meta.get_field(last)
    except (FieldDoesNotExist, AttributeError):  # an annotation or a transform is no field
        field = None
    return "".join(f"{name}__" for name in through), field


def _target(field: Any) -> Any:
    """Return the field whose values a relation holds, or the field itself if it is not a relation."""
    while field is not None and field.is_relation:
        related = field.related_model  # None for a generic foreign key
        field = field.target_field if isinstance(field, ForeignKey) else related and related._meta.pk
    return field


def _read(item: Any, field: str) -> Any:
    return item[field] if isinstance(item, Mapping) else getattr(item, field)


def _write(item: Any, field: str, value: Any) -> None:
    if isinstance(item, MutableMapping):
        item[field] = value
    else:
        setattr(item, field, value)
