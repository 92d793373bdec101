"""Refuses async code in a plain DRF serializer, where nothing would await it, by an error that names it.

Looks at classes, their declarations and built fields; calls none of their code.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import is_
from typing import Any, NoReturn

from django.db.models import Model
from rest_framework.fields import CreateOnlyDefault, Field, SerializerMethodField
from rest_framework.serializers import BaseSerializer, HyperlinkedModelSerializer, ListSerializer, Serializer
from rest_framework.utils.serializer_helpers import BindingDict

from restflow.flow import (
    TwoColoured,
    is_coroutine_function,
    keep,
    may_give_coroutine,
    never_awaits,
    remembered,
    result_of,
    unchanged,
)
from restflow.flow.natures import facts_of
from restflow.flow.steps import drop, is_awaitable, settle
from restflow.flow.trust import is_frameworks_function
from restflow.serializers.fields import (
    DRFS_FIELDS,
    METHODS,
    SIMPLE_FIELDS,
    AwaitingField,
    awaiting,
    become_awaiting,
    fields_in,
    has_drfs_code_only,
    held_by,
    is_known_to_drf,
)
from restflow.serializers.sources import leads_to_async, with_code

_BY_FIELD = ("get_", "validate_")
_Held = list[tuple[Mapping[str, Any], tuple[str, ...], tuple[Any, ...]]]


def is_refusable(serializer: Any) -> bool:
    """Tell whether a serializer is DRF's and not ours, so that its async code would not be awaited."""
    return isinstance(serializer, BaseSerializer) and not isinstance(serializer, TwoColoured)


def refuse_async_code(serializer: Any) -> None:
    """Refuse a serializer of DRF's that has async code, as far as that can be known before it is used.

    Args:
        serializer: any serializer; ours are accepted, as they await async code.

    Raises:
        TypeError: there is async code; the message names it.
    """
    if not is_refusable(serializer):
        return
    cls, own = type(serializer), vars(serializer)
    for what in async_code_in(cls):
        _refuse(cls, what)
    for name, value in tuple(own.items()):
        if type(value) in _FUNCTIONS and _is_called(cls, name) and _is_async(value):
            _refuse(cls, name)
    if isinstance(serializer, ListSerializer):
        refuse_async_code(serializer.child)
        return
    for field in fields_in(own):
        for what in () if has_drfs_code_only(field) else _async_code_of_field(field):
            _refuse(cls, f"{field.field_name or 'a field that it holds'}{what}")
    if type(own.get("fields")) is BindingDict:
        refuse_async_fields(serializer, own["fields"].fields.values())


def _is_called(cls: type, name: str) -> bool:
    return name.startswith(_BY_FIELD) or is_known_to_drf(cls, name)


_FUNCTIONS = frozenset({types.FunctionType, types.MethodType})


def refuse_before(serializer: Any, *, to_validate: bool) -> None:
    """Before the loops of a serializer of DRF's begin, refuse it if its fields have async code.

    Args:
        serializer: any serializer; its fields are built if DRF's loop would build them first.
        to_validate: whether it will validate, not only represent.

    Raises:
        TypeError: there is async code; the message names it.
    """
    if runs_drfs_loops(serializer):
        _refuse_built(serializer, build=_builds_fields(serializer, to_validate))


def _builds_fields(serializer: Any, to_validate: bool) -> bool:
    """Tell whether DRF's loop begins by building the fields, which it does only if there is data to process."""
    own = vars(serializer)
    given = own.get("initial_data") if to_validate else own.get("instance")
    if isinstance(serializer, ListSerializer):
        given = given[0] if type(given) is list and given else None
    return isinstance(given, Mapping) if to_validate else given is not None


def refuse_after(serializer: Any) -> None:
    """After the loops of a serializer of DRF's have run, refuse it if an override has added async code meanwhile.

    Raises:
        TypeError: there is async code; the message names it.
    """
    _refuse_built(serializer, build=getattr(_class_of_one(serializer), "fields", None) is not Serializer.fields)


def _class_of_one(serializer: Any) -> Any:
    return type(serializer.child if isinstance(serializer, ListSerializer) else serializer)


def _refuse_built(serializer: Any, *, build: bool) -> None:
    refuse_async_code(serializer)
    one: Any = serializer.child if isinstance(serializer, ListSerializer) else serializer
    for each in {id(one): one, id(serializer): serializer}.values():
        if is_refusable(each) and any(map(_is_async_object, _validators_of(each, is_built=True))):
            _refuse(type(each), "validators")
    if is_refusable(one) and (build or "fields" in vars(one)):
        fields = getattr(one, "fields", None)
        if isinstance(fields, Mapping):
            refuse_async_fields(one, [*fields.values()])


def refuse_async_fields(serializer: Any, fields: Iterable[Any]) -> None:
    """Refuse async code in built fields.

    Args:
        serializer: the owner of the fields, for the message.
        fields: bound fields.

    Raises:
        TypeError: there is async code; the message names the field.
    """
    for field in fields:
        for what in () if has_drfs_code_only(field) else _async_code_of_field(field):
            _refuse(type(serializer), f"{field.field_name}{what}")


def await_in(field: Any) -> None:
    """Make a field of one of our serializers await the async code in it; refuse such code in a serializer of DRF's.

    Args:
        field: a field that is about to be used.

    Raises:
        TypeError: there is async code; the message names it.
    """
    become_awaiting(field)
    if is_refusable(field) and runs_drfs_loops(field):
        _refuse_built(field, build=True)
    else:
        refuse_async_code(field)


def await_in_shown(fields: Sequence[Any], cls: type) -> None:
    """Make fields of one of our serializers await the async code in them, and in the attributes that they read.

    Args:
        fields: fields that are about to represent an instance.
        cls: the class of the instance.

    Raises:
        TypeError: there is async code; the message names it.
    """
    for field in fields:
        await_in(field)
    for field in with_code(fields, cls):
        if not isinstance(field, AwaitingField):
            field.__class__ = awaiting(type(field))


def runs_drfs_loops(serializer: Any) -> bool:
    """Tell whether a serializer of DRF's builds its fields first thing in DRF's loops, before any other code runs."""
    return all(is_frameworks_function(getattr(_class_of_one(serializer), name, None)) for name in _LOOPS)


_LOOPS = ("is_valid", "run_validation", "to_internal_value", "to_representation")


def refuse_async_sources(serializer: Any, instances: Iterable[Any]) -> None:
    """Refuse fields of a serializer of DRF's whose source leads to async code.

    Args:
        serializer: a serializer whose fields may be built now.
        instances: the objects to be represented.

    Raises:
        TypeError: there is such a field; the message names it.
    """
    for cls in set(map(type, instances)):
        for field in with_code(serializer.fields.values(), cls):
            if leads_to_async(cls, field.source_attrs):
                refuse_source(field)


def attribute_of(field: Any, instance: Any) -> Any:
    """Return a field's attribute, as DRF does, or the result of an awaitable, which a serializer of DRF's refuses.

    Raises:
        TypeError: it is awaitable, and the serializer is DRF's; the message names the field.
    """
    value = field.get_attribute(instance)
    if is_awaitable(value):
        if isinstance(field.parent, TwoColoured):
            return result_of(value, f"the source of {field.field_name}")
        drop(settle(value))
        refuse_source(field)
    return value


def refuse_source(field: Any) -> NoReturn:
    """Raise an error for a field whose source leads to async code.

    Raises:
        TypeError: always; the message names the field.
    """
    cls = type(field.parent)
    raise TypeError(
        f"The source of {cls.__module__}.{cls.__qualname__}.{field.field_name} leads to async code, and the field "
        f"would represent its coroutine. Derive {cls.__name__} from restflow.serializers, or make the code sync."
    )


def _refuse(cls: type, what: str) -> NoReturn:
    raise TypeError(
        f"{cls.__module__}.{cls.__qualname__}.{what} is async, and {cls.__name__} is a serializer of DRF's, which "
        f"awaits nothing. Derive {cls.__name__} from restflow.serializers."
    )


_found: dict[type, tuple[tuple[Any, ...], _Held, Callable[[], bool], list[str]]] = {}
# Hooks that a package may have patched on DRF's classes.
_HOOKS = (
    "create",
    "is_valid",
    "run_validation",
    "save",
    "to_internal_value",
    "to_representation",
    "update",
    "validate",
)


def async_code_in(cls: Any) -> list[str]:
    """Return the names of the async code in a serializer class of DRF's, its bases and its declared fields.

    The answer is cached, and holds while its bases, its declared fields and its ``Meta`` hold the same objects.

    Args:
        cls: any class; for one of ours, which awaits async code, the list is empty.
    """
    if BaseSerializer not in cls.__mro__ or TwoColoured in cls.__mro__:
        return []
    found, of_drf = _found.get(cls), (cls.__mro__, *map(len, map(vars, cls.__mro__)))
    if found is None or found[0] != of_drf or not (is_as_held(found[1]) and found[2]()):
        found = of_drf, held_now(_holders(cls)), unchanged(cls, _HOOKS), [*_async_code(cls)]
        keep(_found, cls, found)
    return found[-1]


def held_now(holders: Iterable[Mapping[str, Any]]) -> _Held:
    """Return the contents of mappings, to be compared with their contents later."""
    return [(holder, tuple(held), tuple(held.values())) for holder in holders for held in [dict(holder)]]


def is_as_held(held: _Held) -> bool:
    """Tell whether mappings still hold the identical objects."""
    return all(
        len(holder) == len(names) and all(map(is_, map(holder.get, names), values)) for holder, names, values in held
    )


def _holders(cls: Any) -> Iterator[Mapping[str, Any]]:
    for base in cls.__mro__:
        if not is_drfs_own(base):
            yield vars(base)
            declared = vars(base).get("_declared_fields")
            if type(declared) is dict:
                yield declared
            meta = vars(base).get("Meta")
            if type(meta) is type:
                yield from (vars(each) for each in meta.__mro__ if each is not object)


def is_drfs_own(base: type) -> bool:
    """Tell whether a class is one of DRF's serializers or their bases, by identity: ``__module__`` can be set."""
    return base in _DRFS


_DRFS = frozenset(base for cls in (HyperlinkedModelSerializer, ListSerializer) for base in cls.__mro__)


def _async_code(cls: Any, around: tuple[type, ...] = ()) -> Iterator[str]:
    declared = getattr(cls, "_declared_fields", None)
    fields: Mapping[str, Any] = declared if isinstance(declared, dict) else {}
    methods = {field.method_name for field in fields.values() if isinstance(field, SerializerMethodField)}
    for base in cls.__mro__:
        for name, raw in tuple(vars(base).items()):
            if (name in methods or _is_called(cls, name)) and _is_async_method(name, raw):
                yield name
    for name, field in fields.items():
        yield from (f"{name}{what}" for what in _async_code_of_field(field, (*around, cls)))
    yield from _async_code_of_meta(next((vars(b)["Meta"] for b in cls.__mro__ if "Meta" in vars(b)), None), around)


def _is_async_method(name: str, raw: Any) -> bool:
    function = raw.__func__ if isinstance(raw, (staticmethod, classmethod)) else raw
    if type(function) is types.FunctionType and function.__name__ == name and "__wrapped__" not in vars(function):
        # Not a decorator's wrapper, so async functions in its closure need not be what it returns.
        return facts_of(function).is_dual or is_coroutine_function(function)
    return name != "Meta" and not isinstance(raw, (type, Mapping)) and _is_async(function)


def _is_async(function: Any) -> bool:
    return facts_of(function).is_dual or may_give_coroutine(function)


def _async_code_of_meta(meta: Any, around: tuple[type, ...]) -> Iterator[str]:
    if type(meta) is not type:
        return
    held = {name: value for base in reversed(meta.__mro__) for name, value in vars(base).items()}
    for validator in _listed(held.get("validators")):
        if _is_async_object(validator):
            yield "Meta.validators"
    extra = held.get("extra_kwargs")
    for name, given in extra.items() if type(extra) is dict else ():
        functions = (*_listed(given.get("validators")), given.get("default")) if type(given) is dict else ()
        if any(map(_is_async_object, functions)):
            yield f"Meta.extra_kwargs[{name!r}]"
    of_list = held.get("list_serializer_class")
    if isinstance(of_list, type) and TwoColoured not in of_list.__mro__ and of_list not in around:
        yield from (f"Meta.list_serializer_class.{what}" for what in _async_code(of_list, (*around, of_list)))
    model = held.get("model")
    if isinstance(model, type) and issubclass(model, Model):
        for field in model._meta.local_fields if model._meta.apps.ready else ():
            if any(map(_is_async_object, vars(field).get("_validators", ()))):
                yield f"Meta.model.{field.name}.validators"


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, (list, tuple)) else ()


def _async_code_of_field(field: Any, around: tuple[Any, ...] = ()) -> Iterator[str]:
    """Yield the names of the async code in a field and in the fields that it contains."""
    if isinstance(field, TwoColoured) or any(field is each for each in around):
        return
    own = vars(field)
    if isinstance(field, BaseSerializer):
        if type(field) not in around:
            yield from (f".{what}" for what in _async_code(type(field), (*around, type(field))))
    else:
        put_on = [name for name in METHODS.intersection(own) if _is_async(own[name])]
        yield from (f".{name}" for name in (*_async_methods(type(field)), *put_on))
    if any(map(_is_async_object, _validators_of(field, is_built=field.parent is not None))):
        yield ".validators"
    for name in ("default", "initial"):
        value = own.get(name)
        if _is_async_object(value.default if type(value) is CreateOnlyDefault else value):
            yield f".{name}"
    if type(field) not in SIMPLE_FIELDS:
        built = own.get("fields")
        inside = [*built.fields.values()] if isinstance(built, BindingDict) else []
        for child in (*inside, *held_by(field)):
            named = child.field_name or "child"
            yield from (f".{named}{what}" for what in _async_code_of_field(child, (*around, field)))


def _validators_of(field: Any, *, is_built: bool) -> Iterable[Any]:
    """Return the validators that a field is known to have, without calling the ``get_validators`` of a project."""
    if type(field).validators is Field.validators:
        # DRF builds the list at first use. Until then, those of the class are all that is known.
        return _listed(vars(field).get("_validators", field.default_validators))
    return _listed(field.validators if is_built else None)  # a property of the project's class


def _is_async_object(value: Any) -> bool:
    return callable(value) and not isinstance(value, type) and not never_awaits(type(value)) and _is_async(value)


@remembered
def _async_methods(cls: type[Any]) -> tuple[str, ...]:
    """Return the names of the async methods of a field class that DRF's code calls."""
    return tuple(
        name
        for base in cls.__mro__
        if base not in DRFS_FIELDS
        for name, raw in vars(base).items()
        if is_known_to_drf(cls, name) and _is_async_method(name, raw)
    )
