"""What each of DRF's fields becomes in the function that represents a serializer: a kind, and its configuration.

Knows what DRF's fields do, and checks that they still do it. The code of each kind is in ``generated``.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from keyword import iskeyword
from operator import call
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.utils import timezone
from rest_framework import ISO_8601, fields, relations
from rest_framework.settings import api_settings

from restflow.flow import unchanged
from restflow.flow.trust import is_frameworks_function

__all__ = ["FIELDS", "Line", "are_drfs", "describe", "environment_of"]


class Line(NamedTuple):
    """How a field is represented: ``key`` determines the text of its lines."""

    key: tuple[Any, ...]  # kind, name of the field, source path, and configuration of the kind
    aid: Any = None  # an object that the line uses, such as a dict of choices
    asks: bool = False  # whether it runs a user's code, which may change the serializer


def describe(field: Any) -> Line | None:
    """Return the line for a field of a class in ``FIELDS``; None if the field itself has to be called.

    Args:
        field: a bound field.
    """
    own = field.__dict__
    if "to_representation" in own or "get_attribute" in own:
        return None
    kind, look = FIELDS[type(field)]
    config: tuple[Any, ...] = ()
    aid = None
    if look is not None:
        kind, config, aid = look(field)
    path = tuple(own["source_attrs"])
    if not path and kind not in _WITHOUT_PATH:
        kind = "asked"
    asks = kind == "method" or (kind in _WITH_CHILDREN and not all(type(each) in FIELDS for each in _children(own)))
    return Line((kind, own["field_name"], path, *config), aid, asks)


_WITH_CHILDREN = frozenset({"asked", "converted", "many"})


def _children(own: Mapping[str, Any]) -> Iterator[Any]:
    return (child for child in map(own.get, ("child", "child_relation", "pk_field")) if child is not None)


_WITHOUT_PATH = frozenset({"asked", "many", "method"})

# A field's kind, its configuration and its aid.
_Described = tuple[str, tuple[Any, ...], Any]


def _holds_helper(field: Any) -> bool:
    return not vars(field).keys().isdisjoint(_HELPS[type(field)])


def _datetime(field: Any) -> _Described:
    if not _is_iso(field, "DATETIME_FORMAT") or _holds_helper(field):
        return "converted", (), None
    zone = field.timezone if hasattr(field, "timezone") else _current_timezone()
    return "datetime", ("naive" if zone is None else "utc" if _is_utc(zone) else "zone",), zone


def _is_utc(zone: Any) -> bool:
    return zone is datetime.UTC or (type(zone) is zoneinfo.ZoneInfo and zone.key == "UTC")


def _current_timezone() -> Any:
    return timezone.get_current_timezone() if django_settings.USE_TZ else None


def _is_iso(field: Any, setting: str) -> bool:
    output_format = getattr(field, "format", getattr(api_settings, setting))
    return isinstance(output_format, str) and output_format.lower() == ISO_8601


def _date(field: Any) -> _Described:
    return "date" if _is_iso(field, "DATE_FORMAT") else "converted", (), None


def _time(field: Any) -> _Described:
    return "time" if _is_iso(field, "TIME_FORMAT") else "converted", (), None


def _decimal(field: Any) -> _Described:
    to_string = getattr(field, "coerce_to_string", api_settings.COERCE_DECIMAL_TO_STRING)
    places, digits = field.decimal_places, field.max_digits
    known = type(places) is int and type(digits) is int and 0 < places <= digits and not _holds_helper(field)
    if not known or field.localize or field.normalize_output:
        return "converted", (), None
    return "decimal", (bool(to_string), places, digits), None


def _big_integer(field: Any) -> _Described:
    to_string = getattr(field, "coerce_to_string", api_settings.COERCE_BIGINT_TO_STRING)
    return "converted" if to_string else "integer", (), None


def _uuid(field: Any) -> _Described:
    return "uuid" if field.uuid_format == "hex_verbose" else "converted", (), None


def _choice(field: Any) -> _Described:
    values = field.choice_strings_to_values
    return ("choice", (), values) if type(values) is dict else ("converted", (), None)


def _json(field: Any) -> _Described:
    return "converted" if field.binary else "as it is", (), None


def _method(field: Any) -> _Described:
    name = field.method_name
    if field.source_attrs or type(name) is not str:  # pragma: no cover - only if set by hand
        return "asked", (), None
    return "method", (name,), field.parent


def _primary_key(field: Any) -> _Described:
    path = field.source_attrs
    if field.pk_field is not None or len(path) != 1 or _holds_helper(field):
        return "asked", (), None
    return "key", (), _Columns(path[0])


class _Columns(dict[type, Any]):
    """A mapping from a model to the attribute that holds a foreign key; None if DRF's code has to be called."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __missing__(self, cls: Any) -> Any:
        column = None
        if issubclass(cls, Model) and cls.serializable_value is Model.serializable_value:
            try:
                column = getattr(cls._meta.get_field(self.name), "attname", None)
            except FieldDoesNotExist:
                column = None
        self[cls] = column
        return column


def _string(field: Any) -> _Described:
    return "converted" if _holds_helper(field) else "string", (), None


def _slug(field: Any) -> _Described:
    slug = field.slug_field
    is_name = (
        not _holds_helper(field)
        and type(slug) is str
        and slug.isidentifier()
        and not iskeyword(slug)
        and "__" not in slug
    )
    return ("slug", (slug,), None) if is_name else ("converted", (), None)


def _many(field: Any) -> _Described:
    child = field.child_relation
    is_key = type(child) is relations.PrimaryKeyRelatedField and child.pk_field is None
    if is_key and "to_representation" not in vars(child):
        return "many", (), _primary_keys
    return "many", (), None


def _primary_keys(iterable: Any) -> Any:
    return [value.pk for value in iterable]


_Look = Callable[[Any], _Described] | None
_TEXT: tuple[str, _Look] = ("text", None)
_CONVERTED: tuple[str, _Look] = ("converted", None)
_ASKED: tuple[str, _Look] = ("asked", None)

# By class: the kind of its fields, or a function that tells it.
FIELDS: dict[type, tuple[str, _Look]] = {
    fields.BigIntegerField: ("", _big_integer),
    fields.BooleanField: ("boolean", None),
    fields.CharField: _TEXT,
    fields.ChoiceField: ("", _choice),
    fields.DateField: ("", _date),
    fields.DateTimeField: ("", _datetime),
    fields.DecimalField: ("", _decimal),
    fields.DictField: _CONVERTED,
    fields.DurationField: _CONVERTED,
    fields.EmailField: _TEXT,
    fields.FileField: _CONVERTED,
    fields.FilePathField: ("", _choice),
    fields.FloatField: ("float", None),
    fields.HStoreField: _CONVERTED,
    fields.IPAddressField: _TEXT,
    fields.ImageField: _CONVERTED,
    fields.IntegerField: ("integer", None),
    fields.JSONField: ("", _json),
    fields.ListField: _CONVERTED,
    fields.ModelField: _ASKED,
    fields.MultipleChoiceField: _CONVERTED,
    fields.ReadOnlyField: ("as it is", None),
    fields.RegexField: _TEXT,
    fields.SerializerMethodField: ("", _method),
    fields.SlugField: _TEXT,
    fields.TimeField: ("", _time),
    fields.URLField: _TEXT,
    fields.UUIDField: ("", _uuid),
    relations.HyperlinkedIdentityField: _ASKED,
    relations.HyperlinkedRelatedField: _ASKED,
    relations.ManyRelatedField: ("", _many),
    relations.PrimaryKeyRelatedField: ("", _primary_key),
    relations.SlugRelatedField: ("", _slug),
    relations.StringRelatedField: ("", _string),
}

# Helper methods whose work a line does itself. A field with its own version of one is asked instead.
_HELPS: dict[type, frozenset[str]] = {
    fields.DateTimeField: frozenset({"enforce_timezone", "default_timezone"}),
    fields.DecimalField: frozenset({"quantize"}),
    relations.PrimaryKeyRelatedField: frozenset({"use_pk_only_optimization"}),
    relations.SlugRelatedField: frozenset({"use_pk_only_optimization"}),
    relations.StringRelatedField: frozenset({"use_pk_only_optimization"}),
}


def _as_written(owner: Any, names: Collection[str]) -> Callable[[], bool]:
    """Return a function that tells whether functions are still DRF's own; it never does if they were patched before."""
    were = all(is_frameworks_function(getattr(owner, name)) for name in names)
    return unchanged(owner, sorted(names)) if were else bool


_classes = {cls: _as_written(cls, {"get_attribute", "to_representation", *_HELPS.get(cls, ())}) for cls in FIELDS}
_functions = [
    _as_written(fields, {"get_attribute", "is_simple_callable"}),
    _as_written(relations, {"get_attribute"}),
    _as_written(timezone, {"get_current_timezone"}),
]


def are_drfs(classes: Collection[type]) -> Callable[[], bool]:
    """Return a function that tells whether DRF's fields still represent with DRF's own code.

    Args:
        classes: classes of fields; those that are not DRF's are ignored.
    """
    checks = [*_functions, *[_classes[cls] for cls in classes if cls in _classes]]
    return lambda: all(map(call, checks))


def environment_of(lines: Sequence[Line]) -> Callable[[], Any]:
    """Return a function that returns everything but the fields that the lines depend on: settings and the time zone.

    Args:
        lines: the lines of one serializer.
    """
    if any(line.key[0] == "datetime" for line in lines):
        return _with_timezone
    return _settings


def _settings() -> Any:
    return (
        api_settings.DATETIME_FORMAT,
        api_settings.DATE_FORMAT,
        api_settings.TIME_FORMAT,
        api_settings.COERCE_DECIMAL_TO_STRING,
        api_settings.COERCE_BIGINT_TO_STRING,
    )


def _with_timezone() -> Any:
    return _settings(), _current_timezone()
