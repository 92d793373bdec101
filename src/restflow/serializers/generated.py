"""Generates, compiles and caches the source of the function that represents a serializer.

A line writes values of the usual type itself, and leaves any other to DRF's field.
"""

from __future__ import annotations

import builtins
import datetime
import decimal
import linecache
import types
import uuid
from collections.abc import Callable, Sequence
from itertools import count
from keyword import iskeyword
from typing import Any

from django.db.models import Model
from django.db.models.manager import BaseManager
from rest_framework import fields, relations

from restflow.serializers.lines import Line
from restflow.serializers.refusals import attribute_of
from restflow.serializers.sources import Read

__all__ = ["compiled", "function_of"]

# By kind: the conditions under which a line writes the value itself, and what it writes.
_KINDS: dict[str, tuple[tuple[str, str], ...]] = {
    "as it is": (("not (callable(value) or type(value) is coro)", "value"),),
    "boolean": (("value is True or value is False or value is None", "value"),),
    "choice": (
        ("type(value) is str", "value and aid_{k}.get(value, value)"),
        ("value is None", "None"),
        ("type(value) is int", "aid_{k}.get(str(value), value)"),
    ),
    "converted": (
        ("value is None", "None"),
        ("not (callable(value) or type(value) is coro)", "field_{k}.to_representation(value)"),
    ),
    "date": (("type(value) is date", "value.isoformat()"), ("value is None", "None")),
    "float": (("type(value) is float or value is None", "value"),),
    "integer": (("type(value) is int or value is None", "value"),),
    "list": (
        ("value is None", "None"),
        ("isinstance(value, BaseManager) or not (callable(value) or type(value) is coro)", "aid_{k}(value)"),
    ),
    "nested": (("value is None", "None"), ("not (callable(value) or type(value) is coro)", "aid_{k}(value)")),
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
        # It has the field's decimal places and not too many digits: quantizing would change nothing.
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


def go_on(field: Any, instance: Any, ret: dict[str, Any], represent: Callable[[Any], Any] | None = None) -> None:
    """Add one field to the representation, as DRF's loop does.

    Source: DRF 3.18, serializers.py, ``Serializer.to_representation``.

    Args:
        field: a bound field.
        instance: the object to represent, or a ``Read`` in place of it.
        ret: the representation, to which the field is added.
        represent: called with the attribute instead of the field's ``to_representation``.
    """
    try:
        attribute = attribute_of(field, instance)
    except fields.SkipField:
        return
    check_for_none = attribute.pk if isinstance(attribute, relations.PKOnlyObject) else attribute
    if check_for_none is None:
        ret[field.field_name] = None
    else:
        ret[field.field_name] = (represent or field.to_representation)(attribute)


_GLOBALS: dict[str, Any] = {
    "__builtins__": builtins,
    "BaseManager": BaseManager,
    "Decimal": decimal.Decimal,
    "KEYS": frozenset({int, str, uuid.UUID}),  # the types of primary keys that are written as they are
    "Model": Model,
    "PKOnlyObject": relations.PKOnlyObject,
    "Read": Read,
    "UUID": uuid.UUID,
    "coro": types.CoroutineType,
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
    """Return the lines that read a path as long as its values are models; ``depth`` is how far they came."""
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
    if not path:  # source="*": a serializer of the same instance
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
    return _lines_that_read(key, k, ret, of_mapping=of_mapping)


def _lines_that_read(key: tuple[Any, ...], k: int, ret: str, *, of_mapping: bool) -> list[str]:
    """Return the lines that read a value and, if it is of the expected type, represent it."""
    kind, _, path, *_ = key
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
    """Return the code of the function for these lines; None the first time, in case they never come again.

    A client may choose the fields of a response.

    Args:
        keys: the keys of the lines.
        of: the name of the serializer class, for tracebacks.
        of_mapping: whether instances are mappings.
        is_worth_it: whether to compile the first time too.
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
    """Return a function that represents these fields with the given code.

    Args:
        code: what ``compiled`` returned for the keys of the lines.
        general: represents an instance if the lines can't.
        lines: the fields, each with its line.
    """
    given = [each for field, line in lines for each in (field, line.aid)]
    return types.FunctionType(code, _GLOBALS, argdefs=(general, _NO_KEY, *given))


_NO_KEY = object()
