"""Async hooks inside DRF's loops, made callable by sync code on the serializer and on its fields."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable, Collection, ItemsView, Mapping, ValuesView
from itertools import repeat
from operator import attrgetter, is_not
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.fields import CreateOnlyDefault, DictField, Field, ListField, SerializerMethodField, empty
from rest_framework.serializers import BaseSerializer, ModelSerializer, Serializer
from rest_framework.utils.serializer_helpers import BindingDict

from restflow.drf import members
from restflow.flow import (
    TwoColoured,
    callable_from_sync,
    dual,
    gives_coroutine,
    may_give_coroutine,
    never_awaits,
    remembered,
)
from restflow.flow.steps import drop, is_awaitable, settle
from restflow.flow.trust import is_drfs, is_trusted
from restflow.serializers.representation import representing
from restflow.serializers.sources import watch_sources

# Hooks that DRF finds by the name of a field.
_BY_FIELD = ("get_", "validate_")
_ATTENDED = "_restflow_attended"
_PREPARED = "_restflow_prepared"
_SHOWN = "_restflow_shown"
REPRESENTS = "_restflow_represents"
_BEGUN = "_restflow_begun"
_READY = "_restflow_ready"
# That are called by name.
HOOKS = ("create", "update", "validate")
# That the loops ask of each field.
_OF_FIELDS = frozenset(
    {"get_attribute", "get_default", "get_value", "run_validation", "to_internal_value", "to_representation"}
)
_FUNCTIONS = frozenset({types.FunctionType, type(None)})
_CHILDREN = ("child", "child_relation", "pk_field")
# What a field was made of, and what it works on.
_NOT_HELD = frozenset(
    {"_args", "_kwargs", "_declared_fields", "_context", "instance", "initial_data", "_data", "_errors"}
    | {"_validated_data"}
)


_may_give_coroutine = remembered(may_give_coroutine)


def make_duals(cls: type[Any]) -> None:
    """Make the async hooks that ``cls`` and its mixins write callable by sync code, in the classes themselves.

    Args:
        cls: a serializer class of ours.
    """
    fields = getattr(cls, "_declared_fields", {}).values()
    methods = {field.method_name for field in fields if isinstance(field, SerializerMethodField)}
    for base in cls.__mro__:
        if not is_settled(base):
            for name, raw in list(vars(base).items()):
                is_hook = name.startswith(_BY_FIELD) or name in methods or _is_drfs(cls, name)
                if is_hook and may_give_coroutine(raw):
                    setattr(base, name, dual(raw, name, base))


def attend(serializer: Any) -> None:
    """Have the async hooks of a plain DRF serializer bridged once its loops begin.

    Args:
        serializer: a serializer of a class that is not ours.

    Raises:
        TypeError: a sync method overrides an async one.
    """
    own = vars(serializer)
    if _ATTENDED in own or not isinstance(serializer, BaseSerializer):
        return
    own[_ATTENDED] = True
    _bridge_methods(serializer)
    _ask_validators(serializer)
    for name, first in _FIRSTS.items():
        if name in own:
            _PREPARATIONS[name](serializer)
            if name == "get_initial":
                own[name] = functools.partial(_initial_of, serializer, own[name])
        else:
            own[name] = types.MethodType(first, serializer)


def _first(name: str) -> Callable[..., Any]:
    """Return a method that an object has until it is prepared for what the class's method does."""

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        if name == "to_representation":
            note_represented(self, *args, **kwargs)
        holds, own = _PREPARATIONS[name](self), vars(self)
        first = own.pop(name, None)
        try:
            method = representing(self) if name == "to_representation" else None
            result = (method or getattr(self, name))(*args, **kwargs)  # of the class, which may be a static method
            if not holds:
                _refuse_added(self)
            if name == "get_initial":
                _refuse_async_initial(self, result)
            return result
        finally:
            if not holds and first is not None:
                own[name] = first

    return method


def bridge_fields(serializer: Any) -> bool:
    """Make the async hooks of a serializer's fields callable by the loop that is about to begin.

    A nested serializer prepares its own fields when its loop begins: building them costs, and may never be needed.

    Args:
        serializer: any serializer, in the thread where its loop runs.

    Returns:
        Whether that holds for later loops too.
    """
    if vars(serializer).get(_PREPARED):
        return True
    _bridge_methods(serializer)
    of_class = tuple(map(getattr, repeat(type(serializer)), HOOKS, repeat(None)))
    if not vars(serializer).keys().isdisjoint(HOOKS) or not _never_await(of_class):
        for name in HOOKS:
            _bridge_method(serializer, name)
    if not is_settled(type(serializer)):
        for _, field in _held(serializer):
            _bridge_field(field, serializer)
    return _once_built(serializer, _bridge_built, _PREPARED)


def _bridge_built(serializer: Any, fields: dict[str, Any]) -> None:
    for field in fields.values():
        _bridge_own(field)
    if are_plain(fields.values()):
        for field in fields.values():
            _ask_validators(field)
    else:
        for name, field in fields.items():
            _bridge_one(serializer, name, field)
    named = map(getattr, repeat(serializer), map("validate_".__add__, fields), repeat(None))
    if any(map(is_not, named, repeat(None))):
        for name, field in fields.items():
            if not field.read_only:
                _bridge_method(serializer, "validate_" + name)


def bridge_shown_fields(serializer: Any) -> bool:
    """Make the async hooks that a representation asks callable: validators and validate methods are not among them.

    Args:
        serializer: any serializer, in the thread where its loop runs.

    Returns:
        Whether that holds for later representations too.
    """
    own = vars(serializer)
    if own.get(_SHOWN) or own.get(_PREPARED):
        _watch_sources(serializer, _fields(serializer))
        return True
    _bridge_methods(serializer)
    return _once_built(serializer, _bridge_shown, _SHOWN)


def note_represented(serializer: Any, instance: Any) -> None:
    """Note of what class the next instance is that a serializer represents."""
    vars(serializer)[REPRESENTS] = type(instance)


def _watch_sources(serializer: Any, fields: dict[str, Any]) -> None:
    if isinstance(serializer, Serializer):
        watch_sources(serializer, fields, vars(serializer).get(REPRESENTS, object))


def _bridge_shown(serializer: Any, fields: dict[str, Any]) -> None:
    _watch_sources(serializer, fields)
    for field in fields.values():
        _bridge_own(field)
    if not are_plain(fields.values()):
        for name, field in fields.items():
            if field.default is not empty or not is_simple(type(field)):
                _bridge_named(serializer, name, field)


def know_as_prepared(serializer: Any, *, to_validate: bool) -> None:
    """Note that nothing has to be done with a serializer of ours, and nobody will change it.

    Args:
        to_validate: whether that is known of what validation asks too.
    """
    vars(serializer)[_SHOWN] = True
    if to_validate:
        vars(serializer)[_PREPARED] = True


def forget_prepared(serializer: Any) -> None:
    """Forget what ``know_as_prepared`` noted: somebody may change the serializer from now on."""
    if isinstance(serializer, TwoColoured):
        vars(serializer).pop(_SHOWN, None)
        vars(serializer).pop(_PREPARED, None)


_Preparation = Callable[[Any, dict[str, Any]], None]


def _once_built(serializer: Any, prepare: _Preparation, preparation: str) -> bool:
    """Prepare a serializer's fields: now, or where DRF's loop comes to build them.

    Returns:
        Whether it is done, and holds for later loops too.
    """
    own, cls = vars(serializer), type(serializer)
    prepared = None
    if hasattr(cls, "get_fields"):
        maker = own.get("get_fields")
        if type(maker) is not _GetFields:
            maker = own["get_fields"] = _GetFields(serializer, maker or serializer.get_fields)
        maker.preparations[preparation] = prepare
        if "fields" not in own and getattr(cls, "fields", None) is Serializer.fields:
            if not (_is_drfs_function(maker.get_fields) and _builds_as_drf(cls)):
                return False  # what an override does before DRF's code may decide on the fields
            try:
                prepared = _fields(serializer)
            except Exception:
                return False  # DRF's loop meets it, if it needs the fields
    if prepared is None:
        prepared = _fields(serializer)
        prepare(serializer, prepared)
    if hasattr(type(getattr(cls, "fields", None)), "__set__"):  # a property may give others each time
        _refuse_others(serializer, prepared)
        return False
    fields: Any = getattr(serializer, "fields", None)
    if type(fields) in {BindingDict, QuickFields}:
        fields.__class__ = _Fields
    if type(fields) is not _Fields:
        return False
    own[preparation] = True
    return True


class _GetFields:
    """A serializer's ``get_fields``, which prepares what its class's gives: however often it is asked."""

    def __init__(self, serializer: Any, get_fields: Callable[[], dict[str, Any]]) -> None:
        self.serializer, self.get_fields = serializer, get_fields
        self.preparations: dict[str, _Preparation] = {}

    def __call__(self) -> dict[str, Any]:
        fields = self.get_fields()
        for prepare in self.preparations.values():
            prepare(self.serializer, fields)
        for field in fields.values():
            vars(field)[_READY] = True
        return fields


def _initial_of(serializer: Any, get_initial: Callable[[], Any]) -> Any:
    values = get_initial()
    _refuse_async_initial(serializer, values)
    return values


def _refuse_async_initial(serializer: Any, values: Any) -> None:
    """Refuse a coroutine for an initial value, of a function that came to a field of DRF's while it was at work."""
    for name, value in values.items() if isinstance(values, dict) else ():
        if is_awaitable(value):
            drop(settle(value))
            raise ImproperlyConfigured(
                f"The initial value of {type(serializer).__name__}.{name} is async, and was set while the "
                "serializer was at work. Set it where the field is made."
            )


# What ``get_fields`` asks, and a class may write.
_BUILDERS = tuple(name for name in vars(ModelSerializer) if name.startswith(("build_", "get_", "include_")))


def _builds_as_drf(cls: type) -> bool:
    return all(
        method is None or _is_drfs_function(method) for method in map(getattr, repeat(cls), _BUILDERS, repeat(None))
    )


def _is_drfs_function(method: Any) -> bool:
    written_in = getattr(getattr(method, "__func__", method), "__globals__", {}).get("__name__", "")
    return all(str(name).startswith("rest_framework.") for name in (written_in, getattr(method, "__module__", "")))


def _refuse_added(serializer: Any) -> None:
    """Refuse async code in fields that an override added to those that DRF built: they were not prepared."""
    fields = vars(serializer).get("fields")
    for name, field in fields.fields.items() if type(fields) is BindingDict else ():
        if _READY not in vars(field) and _has_async_code(field):
            raise ImproperlyConfigured(
                f"The field {name!r} was added to {type(serializer).__name__} while it was at work, and has async code "
                "that nobody awaited. Add it in get_fields."
            )


def _refuse_others(serializer: Any, prepared: Mapping[str, Any]) -> None:
    """Refuse async code in the fields that the loop will find, where they are not those that were prepared."""
    for name, field in _fields(serializer).items():
        if not (field is prepared.get(name) or _READY in vars(field)) and _has_async_code(field):
            cls = type(serializer)
            raise ImproperlyConfigured(
                f"{cls.__name__}.fields gives new fields each time it is read, and the field {name!r} has async code "
                f"that nobody would await. Make {cls.__name__}.fields a cached_property."
            )


def _has_async_code(field: Any, around: tuple[type, ...] = ()) -> bool:
    own = vars(field)
    default = field.default.default if isinstance(field.default, CreateOnlyDefault) else field.default
    put_on = map(own.get, _OF_FIELDS.intersection(own))
    if _async_methods(type(field)) or any(map(_is_async, (*field.validators, default, *put_on))):
        return True
    inside: Collection[Any] = [each for _, each in _children(field)]
    if isinstance(field, BaseSerializer) and hasattr(field, "fields"):
        around, inside = (*around, type(field)), () if type(field) in around else _fields(field).values()
    return any(_has_async_code(each, around) for each in inside)


def async_code_in(cls: Any) -> list[str]:
    """Return what in a plain serializer class is async, which a view of DRF's would not await.

    Returns:
        The names of methods and of declared fields; none of one of our classes, which awaits them.
    """
    if TwoColoured in cls.__mro__ or BaseSerializer not in cls.__mro__:
        return []
    methods = [
        name
        for name in dir(cls)
        if (_is_drfs(cls, name) or name.startswith(_BY_FIELD)) and gives_coroutine(inspect.getattr_static(cls, name))
    ]
    declared = getattr(cls, "_declared_fields", {})
    return methods + [name for name, field in declared.items() if _has_async_code(field)]


def _is_async(function: Any) -> bool:
    is_code = isinstance(function, (types.FunctionType, types.MethodType, functools.partial))
    return may_give_coroutine(function if is_code else getattr(type(function), "__call__", None))  # noqa: B004


class QuickFields(BindingDict):
    """The fields of a serializer. DRF goes through them for each row, in Python; these are a dict's own views."""

    def values(self) -> ValuesView[Any]:
        """Return the fields."""
        return self.fields.values()

    def items(self) -> ItemsView[str, Any]:
        """Return the fields with their names."""
        return self.fields.items()


class _Fields(QuickFields):
    """The fields of a serializer that was prepared: those that are added are prepared as well."""

    def __setitem__(self, key: str, field: Any) -> None:
        super().__setitem__(key, field)
        _bridge_own(field)
        _bridge_named(self.serializer, key, field)


_default_of = attrgetter("default")


def are_plain(fields: Collection[Any]) -> bool:
    """Tell whether none of these fields has code but DRF's, or a default to be called.

    Args:
        fields: the fields of a serializer.
    """
    return not any(map(is_not, map(_default_of, fields), repeat(empty))) and _are_simple(frozenset(map(type, fields)))


def _bridge_named(serializer: Any, name: str, field: Any) -> None:
    _bridge_one(serializer, name, field)
    if not field.read_only:
        _bridge_method(serializer, "validate_" + name)


def _bridge_own(field: Any) -> None:
    """Make the async functions that somebody put on a field itself callable by the loops."""
    own = vars(field)
    if not _OF_FIELDS.isdisjoint(own):
        own.update({name: callable_from_sync(own[name]) for name in _OF_FIELDS.intersection(own)})


def _bridge_one(serializer: Any, name: str, field: Any) -> None:
    if is_simple(type(field)):
        _bridge_values(field)
    else:
        _bridge_field(field)
        if isinstance(field, SerializerMethodField):
            _bridge_method(serializer, field.method_name or f"get_{name}", only_async=True)


def _fields(serializer: Any) -> dict[str, Any]:
    fields = getattr(serializer, "fields", None)
    if isinstance(fields, BindingDict):
        plain: dict[str, Any] = fields.fields  # much quicker to go through
        return plain
    return dict(_children(serializer)) if fields is None else dict(fields)


def bridge_validators(field: Any) -> None:
    """Make a field's async validators callable by the loop that is about to run them.

    Args:
        field: any field or serializer.
    """
    validators = field.validators
    given = validators if type(validators) is list else [*validators]  # what was given may be read once only
    made = given if all(map(never_awaits, map(type, given))) else [callable_from_sync(each) for each in given]
    if made is validators:
        return
    of_class = getattr(type(field), "validators", None)
    if type(of_class) is not property or of_class.fset is not None:
        field.validators = made
    elif any(map(_is_async, given)):
        raise ImproperlyConfigured(
            f"{type(field).__name__}.validators is a property, and nobody would await the async validator that it "
            "gives. Override get_validators instead."
        )


def _never_await(functions: tuple[Any, ...]) -> bool:
    # A proxy equals what it stands for: no key.
    return _FUNCTIONS.issuperset(map(type, functions)) and _are_settled(functions)


@remembered
def _are_settled(functions: tuple[Any, ...]) -> bool:
    return all(function is None or callable_from_sync(function) is function for function in functions)


def _ask_validators(field: Any) -> None:
    """Have a field's validators looked at when they are run, however late they were added."""
    own = field.__dict__
    if "run_validators" not in own:
        own["run_validators"] = types.MethodType(_run_validators, field)


def _run_validators(self: Any, value: Any) -> None:
    bridge_validators(self)
    type(self).run_validators(self, value)


def bridge_initial(serializer: Any) -> bool:
    """Make what the fields of a serializer begin with callable by the loop that is about to ask for it.

    Returns:
        Whether that holds for later loops too.
    """
    bridge_fields(serializer)
    return _once_built(serializer, _bridge_initial, _BEGUN)


def _bridge_initial(serializer: Any, fields: dict[str, Any]) -> None:
    for field in (serializer, *fields.values()):
        if callable(initial := field.initial):
            field.initial = callable_from_sync(initial)


# The methods by which the loops of a serializer begin.
_PREPARATIONS: dict[str, Callable[[Any], bool]] = {
    "get_initial": bridge_initial,
    "run_validation": bridge_fields,
    "to_internal_value": bridge_fields,
    "to_representation": bridge_shown_fields,
}


_FIRSTS = {name: _first(name) for name in _PREPARATIONS}


def _bridge_field(field: Any, *around: Any) -> None:
    if isinstance(field, BaseSerializer):
        if not isinstance(field, TwoColoured):
            attend(field)
    else:
        _bridge_methods(field)
        for _, child in _children(field) if is_settled(type(field)) else _held(field):
            if not any(child is each for each in around):
                _bridge_field(child, *around, field)
    _bridge_values(field)


def _bridge_values(field: Any) -> None:
    if not isinstance(field, BaseSerializer):
        _ask_validators(field)
    default = field.default
    if default is not empty and callable(default):
        field.default = _bridged_default(default)


def _bridged_default(value: Any) -> Any:
    if type(value) is CreateOnlyDefault and callable(value.default):
        return CreateOnlyDefault(_bridged_default(value.default))
    return callable_from_sync(value)


def _bridge_methods(field: Any) -> None:
    for name, method in _async_methods(type(field)):
        if name not in vars(field):
            setattr(field, name, types.MethodType(method, field))


def _bridge_method(serializer: Any, name: str, *, only_async: bool = False) -> None:
    method = getattr(serializer, name, None)
    function = method.__func__ if type(method) is types.MethodType else None
    if method is None or (only_async and function is not None and not _may_give_coroutine(function)):
        return
    if (ours := callable_from_sync(method)) is not method:
        setattr(serializer, name, ours)


def _children(field: Any) -> list[tuple[str, Any]]:
    own = vars(field)
    return [(name, own[name]) for name in _CHILDREN if isinstance(own.get(name), Field)]


def _held(field: Any) -> list[tuple[str, Any]]:
    """Return the fields that code of a user's may ask, wherever the object or its class keeps them."""
    return [*_fields_in(vars(field)), *_held_by_class(type(field))]


@remembered
def _held_by_class(cls: type) -> list[tuple[str, Any]]:
    return [found for base in cls.__mro__ if not is_settled(base) for found in _fields_in(vars(base))]


def _fields_in(kept: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in kept.items():
        if isinstance(value, Field):
            found.append((name, value))
        elif isinstance(value, (dict, list, tuple)) and name not in _NOT_HELD:
            values = value.values() if isinstance(value, dict) else value
            found += [(name, each) for each in values if isinstance(each, Field)]
    return [each for each in found if each[0] != "parent"]


@remembered
def is_simple(cls: type[Any]) -> bool:
    """Tell whether the fields of a class have no code but DRF's, and no fields of their own."""
    return cls.__module__ == Field.__module__ and not issubclass(cls, (DictField, ListField, SerializerMethodField))


@remembered
def _are_simple(classes: frozenset[type]) -> bool:
    return all(map(is_simple, classes))


def is_settled(cls: type) -> bool:
    """Tell whether a class is DRF's, Django's or ours, or was made by them and holds no code of its own.

    Args:
        cls: any class. One that was made by calling ``type`` has the module of DRF's metaclass, and is not in it.
    """
    return cls in _SETTLED or _look_whether_settled(cls)


_SETTLED: set[type] = set()  # they are there for good


def _look_whether_settled(cls: type) -> bool:
    name = cls.__module__
    if not is_trusted(cls):
        return False
    if getattr(sys.modules.get(name), cls.__name__, None) is cls:
        _SETTLED.add(cls)  # a class that is being made is not in its module yet: only a yes is kept
        return True
    # DRF's nested serializers are made for each request.
    return not any(_is_code(name, value) for name, value in members(vars(cls))) and all(map(is_settled, cls.__bases__))


def _is_code(name: str, value: Any) -> bool:
    return name != "Meta" and (callable(value) or hasattr(type(value), "__get__"))


def _is_drfs(cls: type, name: str) -> bool:
    """Tell whether DRF's own code knows a method of this name."""
    return not name.startswith("__") and any(name in vars(base) for base in cls.__mro__ if is_drfs(base))


@remembered
def _async_methods(cls: type[Any]) -> tuple[tuple[str, Callable[..., Any]], ...]:
    """Return what an instance of ``cls`` needs in place of its async methods that DRF calls.

    Raises:
        TypeError: a sync method stands before an async one, whose coroutine ``super()`` would give it.
    """
    found: list[tuple[str, Callable[..., Any]]] = []
    if is_settled(cls):
        return ()
    for name in dir(cls):
        if not _is_drfs(cls, name) and not (name.startswith("validate_") and issubclass(cls, BaseSerializer)):
            continue
        holders = [base for base in cls.__mro__ if name in vars(base)]
        awaits = [may_give_coroutine(vars(base)[name]) for base in holders]
        if awaits[0]:
            found.append((name, dual(vars(holders[0])[name], name, holders[0])))
        elif any(awaits):
            raise TypeError(
                f"{holders[0].__qualname__}.{name} is sync and overrides {holders[awaits.index(True)].__qualname__}."
                f"{name}, which is async: super() would give it a coroutine. Write it as async def"
                + (", or inherit from restflow.serializers." if issubclass(cls, BaseSerializer) else ".")
            )
    return tuple(found)
