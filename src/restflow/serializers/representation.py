"""Representation by a generated function, which has a few lines for each field instead of DRF's loop.

Decides whether DRF's loop would run, and whether the function still does the same. If it can't tell, DRF's loop runs.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Model
from django.db.models.manager import BaseManager
from rest_framework import serializers as drf
from rest_framework.fields import Field
from rest_framework.relations import ManyRelatedField
from rest_framework.utils.serializer_helpers import BindingDict

from restflow.flow import TwoColoured
from restflow.flow.trust import is_frameworks_function
from restflow.serializers.fields import AwaitingField
from restflow.serializers.generated import compiled, function_of, go_on
from restflow.serializers.lines import FIELDS, Line, are_drfs, describe, environment_of
from restflow.serializers.refusals import (
    await_in_shown,
    is_refusable,
    refuse_after,
    refuse_async_sources,
    refuse_before,
)
from restflow.settings import settings

__all__ = ["BOUND", "DRFS_CODE_ONLY", "LENT", "know_representation", "represent", "representing", "with_data"]

_Represent = Callable[[Any], Any]

_READABLE: Any = drf.Serializer._readable_fields
_FIELDS: Any = drf.Serializer.fields
_GET_ATTRIBUTE: Any = Field.get_attribute
_OF_ONE: Any = drf.Serializer.to_representation
_OF_LIST: Any = drf.ListSerializer.to_representation
_ROWS_BEFORE = 3

# Attributes that are set on serializers.
BOUND = "_restflow_bound"
"""Its generated function (``_Bound``), or how many rows it has represented without one."""
LENT = "_restflow_lent"
"""Where its fields go when it is done, whether they were lent or built: until then, no user code can reach them."""
DRFS_CODE_ONLY = "_restflow_drfs_code_only"
"""Set on a private serializer (``private.py``) while it is known to call no code but DRF's."""

_ARE_DRFS = all(map(is_frameworks_function, (_OF_ONE, _OF_LIST, _READABLE.fget, _FIELDS.func, _GET_ATTRIBUTE)))

# The functions, DRF's own and ours, that do what DRF's `to_representation` does.
_known: dict[Any, Callable[[Any, Any], _Represent | None]] = {}


def know_representation(function: Any, fast: Callable[[Any, Any], _Represent | None]) -> None:
    """Register a ``to_representation`` that does the same as DRF's.

    Args:
        function: the function in a serializer class.
        fast: called with a serializer and an instance; returns a function that represents instances of its class, or
            None if ``function`` itself has to be called.
    """
    _known[function] = fast


def represent(serializer: Any, method: Any) -> _Represent | None:
    """Return a fast replacement for a method that may be DRF's own ``to_representation``.

    Args:
        serializer: a serializer.
        method: the bound method that would be called.

    Returns:
        The replacement; None if the method is not DRF's, and so has to be called.
    """
    function = getattr(method, "__func__", None)
    if not _ARE_DRFS or function not in _DRFS_OWN or getattr(method, "__self__", None) is not serializer:
        return None
    if function is _OF_LIST:
        return _List(serializer)
    return (_generated(serializer) if settings.FAST_VERSIONS else None) or types.MethodType(_represent_one, serializer)


def _generated(serializer: Any) -> _Represent | None:
    own = vars(serializer)
    bound = own.get(BOUND, 0)
    if type(bound) is int:
        # Making the function costs as much as DRF's loop over a few rows, so it waits for more rows than that.
        if bound < _ROWS_BEFORE and LENT not in own:
            own[BOUND] = bound + 1
            return None
        bound = _bind(serializer, once=True)
    elif not bound.holds():  # it may have been changed since it was last used
        bound = _bind(serializer, once=False)
    return None if bound is None else bound.represent


def _represent_one(serializer: Any, instance: Any) -> dict[str, Any]:
    """Represent an instance, as DRF's loop does. Source: DRF 3.18, serializers.py, ``Serializer.to_representation``."""
    ret: dict[str, Any] = {}
    cls = type(serializer)
    # A project's own `fields` property may build new fields at each access, so each is prepared here, when it is used.
    awaits = cls.fields is not _FIELDS and TwoColoured in cls.__mro__ and DRFS_CODE_ONLY not in vars(serializer)
    for field in serializer._readable_fields:
        if awaits:
            await_in_shown((field,), type(instance))
        go_on(field, instance, ret)
    return ret


_DRFS_OWN = frozenset({_OF_ONE, _OF_LIST})


def representing(serializer: Any) -> _Represent | None:
    """Return a fast replacement for a serializer's ``to_representation``.

    Args:
        serializer: any serializer.

    Returns:
        The replacement; None if the method has to be called.
    """
    return represent(serializer, serializer.to_representation)


def with_data(serializer: Any) -> Any:
    """Return a serializer's ``data``, represented by the generated function if DRF's code would represent it.

    Args:
        serializer: any serializer.

    Raises:
        TypeError: it is a serializer of DRF's with async code.
    """
    if drf.BaseSerializer not in type(serializer).__mro__:
        return serializer.data
    own = vars(serializer)
    is_checked = is_refusable(serializer) and DRFS_CODE_ONLY not in own
    if "_data" not in own and _represents_instance(serializer):
        fast = representing(serializer)
        if fast is not None:
            if is_checked:
                refuse_before(serializer, to_validate=False)
            _refuse_sources(serializer)
            own["_data"] = fast(serializer.instance)
    data = serializer.data
    if is_checked:
        refuse_after(serializer)
    return data


def _refuse_sources(serializer: Any) -> None:
    instance, one = serializer.instance, serializer
    items = [instance]
    if isinstance(serializer, drf.ListSerializer):
        one = serializer.child
        items = instance if type(instance) is list else []
    cls: Any = type(one)
    if is_refusable(one) and cls.to_representation is _OF_ONE and cls.fields is _FIELDS:
        refuse_async_sources(one, items)


def _represents_instance(serializer: Any) -> bool:
    """Tell whether ``data`` would represent the instance. Source: DRF 3.18, serializers.py, ``BaseSerializer.data``."""
    own, cls = vars(serializer), type(serializer)
    return (
        cls.data in _DATA
        and own.get("instance") is not None
        and not own.get("_errors")
        and ("initial_data" not in own or "_validated_data" in own)
    )


_DATA = {drf.Serializer.data, drf.ListSerializer.data}


def _is_known(serializer: Any) -> bool:
    function = getattr(type(serializer), "to_representation", None)
    return "to_representation" not in vars(serializer) and type(function) is types.FunctionType and function in _known


class _Representing:
    """Represents one instance after another with a nested serializer or a list's child."""

    def __init__(self, serializer: Any) -> None:
        self.serializer = serializer
        self.kind: Any = None
        self.fast: _Represent | None = None

    def __call__(self, instance: Any) -> Any:
        if type(instance) is not self.kind:
            self.look(instance)
        if self.fast is None:
            return self.serializer.to_representation(instance)
        return self.fast(instance)

    def look(self, instance: Any) -> None:
        serializer, self.fast, self.kind = self.serializer, None, None
        if _is_known(serializer):
            self.fast = _known[type(serializer).to_representation](serializer, instance)
            bound = getattr(self.fast, "__self__", None)
            if type(bound) is _Bound:
                self.fast = bound.function_for(type(instance)) or self.fast
            if type(bound) is _Bound or type(self.fast) is _List:
                self.kind = type(instance)


def _fast_of_drf(serializer: Any, instance: Any) -> _Represent | None:
    return representing(serializer)


for _function in (_OF_ONE, _OF_LIST):
    know_representation(_function, _fast_of_drf)


class _List:
    """A replacement for ``ListSerializer.to_representation``. Source: DRF 3.18, serializers.py."""

    def __init__(self, serializer: Any) -> None:
        self.serializer = serializer

    def __call__(self, data: Any) -> Any:
        iterable = data.all() if isinstance(data, BaseManager) else data
        return [*map(_Representing(self.serializer.child), iterable)]


class _Bound:
    """The generated function for a serializer's fields, with the state of the fields for which it is valid.

    Args:
        once: whether it may be needed only for the call that it is made for; its fields are then not noted.

    Attributes:
        represent: the function to call with an instance; the function for its kind is made when first needed.
        lines: the fields that are shown, each with its line.
        is_watched: whether a user's code runs between two lines, so that the fields are compared for each row.
        is_unseen: whether no user code can reach the fields, so that they need not be compared.
        is_known: whether it can be told later if it still holds.
    """

    def __init__(self, serializer: Any, fields: BindingDict, *, once: bool) -> None:
        self.serializer, self.fields = serializer, fields
        self.all = [*fields.fields.values()]
        children = [field.child_relation for field in self.all if type(field) is ManyRelatedField]
        self.are_drfs = are_drfs({*map(type, self.all), *map(type, children)})
        described = [(field, _line(field)) for field in self.all if not field.write_only]
        # Code that runs between two lines, here or in a serializer around this one, may activate another time zone.
        if not _stands_alone(serializer) or any(line.asks or line.key[0] in _NESTED for _, line in described):
            described = [(field, _asking_for_zone(line)) for field, line in described]
        self.lines = described
        self.keys = tuple([line.key for _, line in described])
        self.functions: dict[bool, _Represent] = {}  # by whether the instance is a mapping
        self.rows = 0
        self.is_watched = any(line.asks for _, line in described)
        self.represent = self.watching if self.is_watched else self.quick
        self.now = environment_of([line for _, line in described])
        self.is_unseen = LENT in vars(serializer)
        self.is_known = self.is_watched or not once or self.is_unseen
        self.environment = self.now() if self.is_known else None
        if self.is_known and not self.is_unseen:
            self.see()

    def see(self) -> None:
        # DRF's own fields are compared by their whole __dict__, others by what the lines use of them.
        lines = dict(self.lines)
        self.others = [(field, field in lines and lines[field].key) for field in self.all if type(field) not in FIELDS]
        known = [field for field in self.all if type(field) in FIELDS]
        children = [vars(field.child_relation) for field in known if type(field) is ManyRelatedField]
        self.own = [*map(vars, known), *children]
        self.nested = [line.aid for _, line in self.lines if type(line.aid) is _Representing]
        self.seen = [*map(dict, self.own)]

    def holds(self) -> bool:
        """Tell whether everything is as it was when the function was generated."""
        are_same = LENT in vars(self.serializer) if self.is_unseen else self.is_known and self.are_fields_as_seen()
        return are_same and self.now() == self.environment and self.are_drfs()

    def are_fields_as_seen(self) -> bool:
        for nested in self.nested:
            nested.kind = None
        return (
            vars(self.serializer).get("fields") is self.fields
            and [*self.fields.fields.values()] == self.all
            and self.own == self.seen
            and (not self.others or all(_key(field) == key for field, key in self.others))
        )

    def quick(self, instance: Any) -> Any:
        function = self.functions.get(isinstance(instance, Mapping))
        return self.first(instance) if function is None else function(instance)

    def function_for(self, cls: type) -> _Represent | None:
        """Return the function for instances of a class, if it exists and they can't be mappings."""
        is_quick = not self.is_watched and issubclass(cls, Model) and not issubclass(cls, Mapping)
        return self.functions.get(False) if is_quick else None

    def watching(self, instance: Any) -> Any:
        """Represent an instance when project code between the lines may change the fields for the next row."""
        if self.are_fields_as_seen():
            return self.quick(instance)
        bound = _bind(self.serializer, once=False)
        return _represent_one(self.serializer, instance) if bound is None else bound.quick(instance)

    def general(self, instance: Any) -> Any:
        return _represent_one(self.serializer, instance)

    def first(self, instance: Any) -> Any:
        self.rows += 1
        of_mapping = isinstance(instance, Mapping)
        name = type(self.serializer).__qualname__
        code = compiled(self.keys, name, of_mapping=of_mapping, is_worth_it=self.rows > _FEW)
        if code is None:
            return self.general(instance)
        function = self.functions[of_mapping] = function_of(code, self.general, self.lines)
        return function(instance)


# Compiling costs as much as representing so many rows.
_FEW = 30


def _bind(serializer: Any, *, once: bool) -> _Bound | None:
    cls = type(serializer)
    if not (cls._readable_fields is _READABLE and cls.fields is _FIELDS):
        return None
    fields = serializer.fields
    if not isinstance(fields, BindingDict):
        return None
    bound = vars(serializer)[BOUND] = _Bound(serializer, fields, once=once)
    return bound if bound.are_drfs() else None


def _line(field: Any) -> Line:
    """Return the line for a field."""
    cls = type(field)
    line = describe(field) if cls in FIELDS else None
    if line is not None:
        return line
    if isinstance(field, drf.BaseSerializer) and "get_attribute" not in vars(field) and _reads_as_drf(field, cls):
        kind = "list" if isinstance(field, drf.ListSerializer) else "nested"
        return Line((kind, field.field_name, tuple(field.source_attrs)), _Representing(field))
    return Line(("asked", field.field_name, ()), asks=True)


def _reads_as_drf(field: Any, cls: Any) -> bool:
    # In our fields, a name in the middle of a path may be async.
    return cls.get_attribute is _GET_ATTRIBUTE or (
        cls.get_attribute is AwaitingField.get_attribute and len(field.source_attrs) < 2
    )


_NESTED = frozenset({"nested", "list"})


def _stands_alone(serializer: Any) -> bool:
    parent = serializer.parent
    return (parent.parent if isinstance(parent, drf.ListSerializer) else parent) is None


def _asking_for_zone(line: Line) -> Line:
    kind, *others = line.key
    return Line(("converted", *others[:2])) if kind == "datetime" else line


def _key(field: Any) -> Any:
    return not field.write_only and _line(field).key
