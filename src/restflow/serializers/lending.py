"""Reuses built fields: those of a serializer that no user code can reach are kept, and lent to the next one.

``private`` has checked a class before its fields are lent: simple fields of DRF's own, no project's code, no defaults.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain
from operator import call
from typing import Any

from django.core.signals import setting_changed
from django.db.models.manager import BaseManager
from django.utils.translation import get_language
from rest_framework import fields as drf_fields
from rest_framework import serializers as drf
from rest_framework.validators import UniqueValidator

from restflow.drf import members
from restflow.flow import never_awaits, unchanged
from restflow.flow.trust import is_frameworks
from restflow.serializers.representation import BOUND, LENT
from restflow.settings import settings

__all__ = ["Stock", "lend", "take_back"]

_MOST = 64  # kept for each class and language; no more are in use at once than requests
_BUILDERS = tuple(
    name for name in vars(drf.ModelSerializer) if name.startswith(("build_", "get_", "include_", "serializer_"))
)
_FUNCTIONS = tuple(name for name, value in vars(drf).items() if name.startswith("get_") and callable(value))
_OF_FIELDS = ("__init__", "__new__", "bind", "default_error_messages", "default_validators", "get_validators")
# The functions that build fields, as they are at import.
_functions_are_drfs = unchanged(drf, _FUNCTIONS)
_classes_are_drfs: dict[type, Callable[[], bool]] = {
    cls: unchanged(cls, _OF_FIELDS)
    for cls in vars(drf_fields).values()
    if isinstance(cls, type) and issubclass(cls, drf_fields.Field)
}
# A new object whenever settings change, since fields depend on them.
_generation = [object()]

_Kept = dict[Any, deque[tuple[Any, Any]]]


def _forget(**kwargs: Any) -> None:
    _generation[0] = object()


setting_changed.connect(_forget)


class Stock:
    """The built fields of one serializer class, kept as long as everything that they are built from is unchanged."""

    def __init__(self, cls: Any, meta: Any, holders: Iterable[Mapping[str, Any]], declared: Iterable[Any]) -> None:
        self.builders_are_drfs = unchanged(cls, _BUILDERS)
        self.model = getattr(meta, "model", None)
        # What can be changed in place: lists in Meta, arguments of declared fields.
        held = [value for holder in holders for _, value in members(holder) if type(value) in {dict, list, set, tuple}]
        mapping = getattr(cls, "serializer_field_mapping", None)
        self.configuration = [mapping, *held, *chain.from_iterable((field._args, field._kwargs) for field in declared)]
        self.begin()

    def begin(self) -> None:
        """Discard all fields, and record what fields are built from now."""
        self.kept: _Kept = {}
        self.generation = _generation[0]
        self.may_lend: bool | None = None  # unknown until fields have been built
        self.classes_are_drfs: list[Callable[[], bool]] = []
        self.messages: list[Any] = []
        self.model_fields: list[Any] = []
        self.note()
        self.kept = {}  # again, because another thread may have kept some that were not checked

    def note(self) -> None:
        """Record the contents of everything that fields are built from, including validators."""
        held = [*self.configuration, *self.messages, *map(vars, self.model_fields)]
        self.held = [*held, *_held_by_validators(held)]
        self.held_then = _copied(self.held)
        if self.model is not None:
            meta = self.model._meta
            self.manager = meta.default_manager
            self.constraints, self.together = [*meta.constraints], [*meta.unique_together]

    def is_model_as_noted(self) -> bool:
        """Tell whether the model still has the recorded manager and constraints."""
        if self.model is None:
            return True
        meta = self.model._meta
        return (
            meta.default_manager is self.manager
            and meta.constraints == self.constraints
            and [*meta.unique_together] == self.together
        )

    def holds(self) -> bool:
        """Tell whether DRF would now build fields like the ones that are kept."""
        if self.generation is not _generation[0] or self.held != self.held_then or not self.is_model_as_noted():
            self.begin()
        return (
            self.may_lend is not False
            and self.builders_are_drfs()
            and _functions_are_drfs()
            and all(map(call, self.classes_are_drfs))
        )

    def look(self, fields: Collection[Any]) -> bool:
        """Tell whether fields of this class may be reused."""
        if self.may_lend is None:
            classes, sources = {*map(type, fields)}, {field.source for field in fields}
            if self.model is not None:
                self.model_fields = [
                    field
                    for field in self.model._meta.get_fields()
                    if field.name in sources or ("pk" in sources and field is self.model._meta.pk)
                ]
            self.may_lend = (
                classes <= _classes_are_drfs.keys()
                and all(map(_may_be_lent, fields))
                and all(map(self.is_settled, self.model_fields))
            )
            if self.may_lend:
                known = {base for cls in classes for base in cls.__mro__ if base in _classes_are_drfs}
                self.classes_are_drfs = [_classes_are_drfs[base] for base in known]
                self.messages = [vars(base).get("default_error_messages") for base in known]
                self.note()
            else:
                self.model_fields = []
        return self.may_lend

    def is_settled(self, field: Any) -> bool:
        """Tell whether a model field is fully described by its attributes, which a project's class may compute."""
        # A field of a parent model is built from that model.
        return (
            is_frameworks(type(field))
            and not field.is_relation
            and field.model is self.model
            and hasattr(field, "validators")
        )


def _copied(value: Any) -> Any:
    """Return a copy of nested dicts, lists, sets and tuples with the same objects in them, for a fast comparison."""
    if type(value) is dict:
        return {key: _copied(each) for key, each in value.items()}
    return type(value)(map(_copied, value)) if type(value) in {list, set, tuple} else value


def _held_by_validators(value: Any) -> Iterator[dict[str, Any]]:
    if type(value) in {dict, list, set, tuple}:
        for each in value.values() if type(value) is dict else value:
            yield from _held_by_validators(each)
    elif callable(value) and is_frameworks(type(value)) and hasattr(value, "__dict__"):
        yield vars(value)


def _may_be_lent(field: Any) -> bool:
    """Tell whether building a field again would give the same field, and whether using it leaves it unchanged."""
    # FilePathField reads the disk, and choices may come from a function.
    has_choices = issubclass(type(field), drf_fields.ChoiceField)
    choices = (*field._args, field._kwargs.get("choices"))[0] if has_choices else ()
    return (
        type(choices) in {list, tuple}
        and not issubclass(type(field), drf_fields.FilePathField)
        and type(field.validators) is list
        and all(map(_depends_on_nothing, field.validators))
    )


def _depends_on_nothing(validator: Any) -> bool:
    # A query set may have been made for one request: that of a tenant, say.
    if type(validator) is UniqueValidator:
        return isinstance(validator.queryset, BaseManager)
    cls: Any = type(validator)
    return never_awaits(cls) and not getattr(validator, "requires_context", False)


_NO_MESSAGES = object()


def lend(serializer: Any, stock: Stock, *, to_validate: bool) -> bool:
    """Give a serializer the fields that were built for an earlier one, if there are any.

    Args:
        serializer: a private serializer, which no code of the project can reach.
        stock: the stock of its class.
        to_validate: whether it will validate, not only represent.

    Returns:
        Whether it got fields.
    """
    own = vars(serializer)
    if not settings.FAST_VERSIONS or "fields" in own or not stock.holds():
        return False
    # Validators' messages are translated when the fields are built.
    kept = stock.kept.setdefault(get_language() if to_validate else _NO_MESSAGES, deque(maxlen=_MOST))
    own[LENT] = stock, kept
    try:
        fields, bound = kept.pop()
    except IndexError:
        return False
    fields.serializer = serializer
    for field in fields.fields.values():
        field.parent = serializer
    own["fields"] = fields
    if bound is not None:  # pragma: no branch - None if it only validated
        bound.serializer = serializer
        own[BOUND] = bound
    return True


def take_back(serializer: Any) -> None:
    """Keep a serializer's fields for a later one; if its fields are read again, it builds new ones.

    Args:
        serializer: a private serializer that is no longer needed.
    """
    own = vars(serializer)
    stock, kept = own.pop(LENT, (None, None))
    if stock is None or not stock.look(own["fields"].fields.values()):
        return
    fields, bound = own.pop("fields"), own.pop(BOUND, None)
    fields.serializer = None
    for field in fields.fields.values():
        field.parent = None
    if bound is not None:  # pragma: no branch - None if it only validated
        bound.serializer = None
    kept.append((fields, bound))
