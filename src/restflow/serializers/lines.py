"""What a field of DRF's becomes in the generated function that represents a serializer.

Knows how DRF's fields read and represent a value; whether they may be read so is asked in ``representation``.
"""

from __future__ import annotations

import datetime
import decimal
import linecache
import types
import uuid
import zoneinfo
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import count
from keyword import iskeyword
from operator import call
from typing import Any, NamedTuple, NoReturn

from django.conf import settings as django_settings
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.db.models.manager import BaseManager
from django.utils import timezone
from rest_framework import ISO_8601, fields, relations
from rest_framework.settings import api_settings

from restflow.flow import unchanged

__all__ = ["FIELDS", "Line", "are_drfs", "compiled", "describe", "environment_of", "function_of", "is_written_by_drf"]


class Line(NamedTuple):
    """What a field becomes: the key says all that the text of its lines depends on."""

    key: tuple[Any, ...]  # the kind, the field's name, its source, and what else the kind needs
    aid: Any = None  # an object that the lines use, beside the field itself
    asks: bool = False  # whether code of a user's may run that can reach the serializer


def describe(field: Any) -> Line | None:
    """Return what a field of a class in ``FIELDS`` becomes; None where the field itself has to be asked.

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

# How a class's fields are represented: kind, what the lines depend on, what they use.
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
    if field.source_attrs or type(name) is not str:
        return "asked", (), None
    return "method", (name,), field.parent


def _primary_key(field: Any) -> _Described:
    path = field.source_attrs
    if field.pk_field is not None or len(path) != 1 or _holds_helper(field):
        return "asked", (), None
    return "key", (), _Columns(path[0])


class _Columns(dict[type, Any]):
    """The attribute of a model that holds a foreign key, by model; None where DRF has to be asked."""

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

# By class: the kind, or what tells the kind of a field.
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

# What a line does the work of, beside reading and representing: a field that has one of its own is asked.
_HELPS: dict[type, frozenset[str]] = {
    fields.DateTimeField: frozenset({"enforce_timezone", "default_timezone"}),
    fields.DecimalField: frozenset({"quantize"}),
    relations.PrimaryKeyRelatedField: frozenset({"use_pk_only_optimization"}),
    relations.SlugRelatedField: frozenset({"use_pk_only_optimization"}),
    relations.StringRelatedField: frozenset({"use_pk_only_optimization"}),
}


def is_written_by_drf(function: Any) -> bool:
    """Tell whether DRF or Django wrote a function, and no package put its own in the place.

    Args:
        function: found under a name of theirs.
    """
    module = getattr(function, "__module__", None) or ""
    in_module = getattr(function, "__globals__", {}).get("__name__")
    return module == in_module and module.startswith(("rest_framework.", "django."))


def _as_written(owner: Any, names: Collection[str]) -> Callable[[], bool]:
    """Return what tells whether functions are as DRF wrote them; a package may have patched them before this."""
    were = all(is_written_by_drf(getattr(owner, name)) for name in names)
    return unchanged(owner, sorted(names)) if were else bool


_classes = {cls: _as_written(cls, {"get_attribute", "to_representation", *_HELPS.get(cls, ())}) for cls in FIELDS}
_functions = [
    _as_written(fields, {"get_attribute", "is_simple_callable"}),
    _as_written(relations, {"get_attribute"}),
    _as_written(timezone, {"get_current_timezone"}),
]


def are_drfs(classes: Collection[type]) -> Callable[[], bool]:
    """Return what tells whether DRF's fields represent as DRF wrote them.

    Args:
        classes: of fields; others than DRF's may be among them.
    """
    checks = [*_functions, *[_classes[cls] for cls in classes if cls in _classes]]
    return lambda: all(map(call, checks))


def environment_of(lines: Sequence[Line]) -> Callable[[], Any]:
    """Return a function that tells what the lines depend on beside the fields.

    Args:
        lines: those of one serializer.
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


# The conditions under which a value is written in place, and what is written. `value` is what was read.
_KINDS: dict[str, tuple[tuple[str, str], ...]] = {
    "as it is": (("not callable(value)", "value"),),
    "boolean": (("value is True or value is False or value is None", "value"),),
    "choice": (
        ("type(value) is str", "value and aid_{k}.get(value, value)"),
        ("value is None", "None"),
        ("type(value) is int", "aid_{k}.get(str(value), value)"),
    ),
    "converted": (("value is None", "None"), ("not callable(value)", "field_{k}.to_representation(value)")),
    "date": (("type(value) is date", "value.isoformat()"), ("value is None", "None")),
    "float": (("type(value) is float or value is None", "value"),),
    "integer": (("type(value) is int or value is None", "value"),),
    "list": (
        ("value is None", "None"),
        ("isinstance(value, BaseManager) or not callable(value)", "aid_{k}(value)"),
    ),
    "nested": (("value is None", "None"), ("not callable(value)", "aid_{k}(value)")),
    "slug": (("value is None", "None"), ("isinstance(value, Model)", "value.{config}")),
    "string": (("value is None", "None"), ("isinstance(value, Model)", "str(value)")),
    "text": (("type(value) is str or value is None", "value"),),
    "time": (("type(value) is time", "value.isoformat()"), ("value is None", "None")),
    "uuid": (("type(value) is UUID", "str(value)"), ("value is None", "None")),
}


def _conditions(key: tuple[Any, ...], k: int) -> tuple[tuple[str, str], ...]:
    kind, _, _, *config = key
    if kind == "datetime":
        zone = config[0]
        is_usual = f"type(value) is datetime and value.tzinfo is {None if zone == 'naive' else 'utc'}"
        return (is_usual, _DATETIMES[zone].format(k=k)), ("value is None", "None")
    if kind == "decimal":
        to_string, places, digits = config
        # That many decimal places, and no more digits than there may be: rounding it changes nothing.
        is_usual = (
            "type(value) is Decimal "
            f"and (text := str(value))[-{places + 1}:-{places}] == '.' "
            f"and len(text) <= {digits + 1} and 'E' not in text"
        )
        return (is_usual, "text" if to_string else "value"), ("value is None", "None")
    named = str(config[0]) if config else ""
    return tuple((condition, written.format(k=k, config=named)) for condition, written in _KINDS[kind])


_DATETIMES = {
    "naive": "value.isoformat()",
    "utc": "value.replace(tzinfo=None).isoformat() + 'Z'",
    "zone": "zulu(value.astimezone(aid_{k}).isoformat())",
}


def _zulu(text: str) -> str:
    return text[:-6] + "Z" if text.endswith("+00:00") else text


class _Read:
    """Stands for an instance that was read: DRF's own code goes on from what that gave, and reads nothing again."""

    def __init__(self, instance: Any, depth: int, value: Any = None, error: Exception | None = None) -> None:
        of_self = object.__getattribute__(self, "__dict__")
        of_self.update(cls=instance.__class__, depth=depth, value=value, error=error)

    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, "__dict__")["cls"] if name == "__class__" else _step(self)

    def __getitem__(self, name: str) -> Any:
        return _step(self)


def _step(read: _Read) -> Any:
    state = object.__getattribute__(read, "__dict__")
    if state["error"] is not None:
        _raise(state["error"])
    if state["depth"]:
        state["depth"] -= 1
        return read
    return state["value"]


def _raise(error: Exception) -> NoReturn:
    raise error


def go_on(field: Any, instance: Any, ret: dict[str, Any], represent: Callable[[Any], Any] | None = None) -> None:
    """Do for one field what DRF's loop does. Source: DRF 3.18, serializers.py, ``Serializer.to_representation``.

    Args:
        field: a bound field.
        instance: what is represented, or what stands for it.
        ret: the representation, which is added to.
        represent: what represents the attribute instead of the field's ``to_representation``.
    """
    try:
        attribute = field.get_attribute(instance)
    except fields.SkipField:
        return
    check_for_none = attribute.pk if isinstance(attribute, relations.PKOnlyObject) else attribute
    if check_for_none is None:
        ret[field.field_name] = None
    else:
        ret[field.field_name] = (represent or field.to_representation)(attribute)


_GLOBALS: dict[str, Any] = {
    "BaseManager": BaseManager,
    "Decimal": decimal.Decimal,
    "KEYS": frozenset({int, str, uuid.UUID}),  # of what type a primary key is written in place
    "Model": Model,
    "PKOnlyObject": relations.PKOnlyObject,
    "Read": _Read,
    "UUID": uuid.UUID,
    "date": datetime.date,
    "datetime": datetime.datetime,
    "go_on": go_on,
    "time": datetime.time,
    "utc": datetime.UTC,
    "zulu": _zulu,
}


def _read(value: str, attr: str, *, of_mapping: bool) -> str:
    if of_mapping:
        return f"{value}[{attr!r}]"
    return f"{value}.{attr}" if attr.isidentifier() and not iskeyword(attr) else f"getattr({value}, {attr!r})"


def _path(path: tuple[str, ...], *, of_mapping: bool) -> list[str]:
    """Return the lines that read a path, as far as models lead; ``depth`` is where it ended."""
    first, *others = path
    lines = [f"value = {_read('instance', first, of_mapping=of_mapping)}"]
    if others:
        lines.append("depth = 0")
    for depth, attr in enumerate(others):
        lines += [
            "    " * depth + "if isinstance(value, Model):",
            "    " * depth + f"    value = {_read('value', attr, of_mapping=False)}",
            "    " * depth + f"    depth = {depth + 1}",
        ]
    return lines


def _lines(key: tuple[Any, ...], k: int, *, of_mapping: bool) -> list[str]:
    kind, name, path, *config = key
    ret = f"ret[{name!r}]"
    ask = f"go_on(field_{k}, instance, ret)"
    if kind == "asked" or (kind == "key" and of_mapping):
        return [ask]
    if kind == "many":
        return [f"go_on(field_{k}, instance, ret, aid_{k})"]
    if kind == "method":
        return [f"{ret} = {_read(f'aid_{k}', config[0], of_mapping=False)}(instance)"]
    if not path:  # a serializer of the same instance
        return [f"{ret} = aid_{k}(instance)"]
    if kind == "key":
        return [
            f"column = aid_{k}[type(instance)]",
            "value = no_key if column is None else getattr(instance, column, no_key)",
            "if value is None or type(value) in KEYS:",
            f"    {ret} = value",
            "else:",
            f"    {ask}",
        ]
    represent = f", aid_{k}" if kind in {"nested", "list"} else ""
    depth = "depth" if len(path) > 1 else "0"
    other = f"go_on(field_{k}, Read(instance, {depth}, value), ret{represent})"
    lines = ["try:", *("    " + line for line in _path(path, of_mapping=of_mapping))]
    lines += [
        "except Exception as error:",
        f"    go_on(field_{k}, Read(instance, 0, error=error), ret{represent})",
        "else:",
    ]
    conditions = _conditions(key, k)
    if len(path) > 1:
        lines += [f"    if depth != {len(path) - 1}:", f"        {other}"]
    for number, (condition, written) in enumerate(conditions):
        lines.append(f"    {'elif' if number or len(path) > 1 else 'if'} {condition}:")
        if "astimezone" in written:
            lines += ["        try:", f"            {ret} = {written}", "        except OverflowError:"]
            lines.append(f"            {other}")
        else:
            lines.append(f"        {ret} = {written}")
    return [*lines, "    else:", f"        {other}"]


def _source(keys: tuple[Any, ...], *, of_mapping: bool) -> str:
    arguments = "".join(f", field_{k}, aid_{k}" for k in range(len(keys)))
    body = ["ret = {}"]
    if any(key[0] != "asked" and not key[2] for key in keys):
        body += ["if instance is None or isinstance(instance, PKOnlyObject):", "    return general(instance)"]
    for k, key in enumerate(keys):
        body.append(f"# {key[1]!r}: {key[0]}".replace("\n", " "))
        body += _lines(key, k, of_mapping=of_mapping)
    body.append("return ret")
    return f"def represent(instance, general, no_key{arguments}):\n" + "".join(f"    {line}\n" for line in body)


_codes: dict[Any, types.CodeType | None] = {}
_MOST = 1024
_numbers = count(1)


def compiled(keys: tuple[Any, ...], of: str, *, of_mapping: bool, is_worth_it: bool) -> types.CodeType | None:
    """Return the code of the function with these lines; None where it comes once: a client may choose the fields.

    Args:
        keys: those of the lines.
        of: the name of the serializer's class, for tracebacks.
        of_mapping: whether instances are mappings.
        is_worth_it: whether to compile what comes the first time.
    """
    key = (keys, of, of_mapping)
    code = _codes.get(key)
    if code is None:
        is_new = key not in _codes
        if is_new and len(_codes) >= _MOST:
            _forget()
        code = _codes[key] = None if is_new and not is_worth_it else _compile(keys, of, of_mapping=of_mapping)
    return code


def _compile(keys: tuple[Any, ...], of: str, *, of_mapping: bool) -> types.CodeType:
    source = _source(keys, of_mapping=of_mapping)
    filename = f"<representation of {of}, {next(_numbers)}>"
    made: dict[str, Any] = {}
    exec(compile(source, filename, "exec"), made)
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    code: types.CodeType = made["represent"].__code__
    return code


def _forget() -> None:
    for code in tuple(_codes.values()):
        if code is not None:
            linecache.cache.pop(code.co_filename, None)
    _codes.clear()


def function_of(
    code: types.CodeType, general: Callable[[Any], Any], lines: Sequence[tuple[Any, Line]]
) -> Callable[[Any], Any]:
    """Return the function of a code that represents by these fields.

    Args:
        code: what ``compiled`` returned for the lines' keys.
        general: represents an instance where the lines can't.
        lines: the fields, and what they become.
    """
    given = [each for field, line in lines for each in (field, line.aid)]
    return types.FunctionType(code, _GLOBALS, argdefs=(general, _NO_KEY, *given))


_NO_KEY = object()
