"""Private serializers: they run only DRF's code, and no user code can reach them before they are done.

Decides which are, by their class and their fields, and represents and validates them. Called by the view helpers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, ValuesView
from itertools import chain, repeat
from operator import attrgetter, is_
from typing import Any

from django.db.models import Model
from rest_framework import serializers as drf
from rest_framework.fields import empty
from rest_framework.utils.serializer_helpers import BindingDict

from restflow.drf import is_inert, members
from restflow.flow import blocking, is_generated, keep, never_awaits, unchanged
from restflow.serializers import classes as ours
from restflow.serializers.fields import SIMPLE_FIELDS, has_drfs_code_only
from restflow.serializers.lending import Stock, lend, take_back
from restflow.serializers.refusals import held_now, is_as_held
from restflow.serializers.representation import BOUND, DRFS_CODE_ONLY, LENT, with_data
from restflow.serializers.sources import with_code
from restflow.serializers.surface import add_async_methods, validate

_Seen = list[tuple[Mapping[str, Any], tuple[str, ...], tuple[Any, ...]]]

_PRIVATE = "_restflow_private"
_COUNTED = "_creation_counter"  # changes with each field that is made anywhere
# Hooks that DRF's code calls, and that a class may write.
_HOOKS = ("create", "update", "validate", "is_valid", "save", "ais_valid", "asave")


def _written_in(base: type) -> dict[str, Any]:
    return {name: value for name, value in members(vars(base)) if not (name == _COUNTED or is_generated(value))}


# DRF's classes and ours as they are at import: a later patch is somebody else's code.
_LISTS = frozenset({drf.ListSerializer, ours.ListSerializer})
_KNOWN: dict[type, dict[str, Any]] = {
    base: _written_in(base)
    for cls in (drf.HyperlinkedModelSerializer, ours.HyperlinkedModelSerializer, *_LISTS)
    for base in cls.__mro__
    if base is not object
}


def _is_as_imported(base: type) -> bool:
    now, then = _written_in(base), _KNOWN[base]
    return now.keys() == then.keys() and all(now[name] is value for name, value in then.items())


_Answer = tuple[tuple[type, ...], _Seen, list[tuple[Mapping[str, Any], int]], Callable[[], bool], Stock | None]
_answers: dict[type, _Answer] = {}

# The attributes that DRF and restflow set on a serializer. Any other was set by the project.
_HELD = frozenset(
    {"_errors", "_validated_data", "_validators", "fields", "url_field_name", _PRIVATE, BOUND, LENT, DRFS_CODE_ONLY}
    | vars(drf.ListSerializer(child=drf.HyperlinkedModelSerializer(data={})).child).keys()
)


def runs_drfs_code_only(cls: type[Any]) -> bool:
    """Tell whether a serializer class only configures DRF's classes, and so runs no code of the project.

    The answer is cached, and holds while the class, its bases and its ``Meta`` hold the same objects, DRF's classes
    have as many attributes, and the hooks that a class may override are DRF's.
    """
    answer = _answers.get(cls)
    if answer is None or not _still_holds(cls, answer):
        answer = _look_at_class(cls)
        keep(_answers, cls, answer)
    return answer[-1] is not None


def _still_holds(cls: type, answer: _Answer) -> bool:
    mro, seen, sizes, has_its_hooks, _ = answer
    return (
        mro is cls.__mro__
        and all(len(holder) == size for holder, size in sizes)
        and has_its_hooks()
        and is_as_held(seen)
    )


def _look_at_class(cls: type[Any]) -> _Answer:
    mro = cls.__mro__
    if type(cls) is not drf.SerializerMetaclass or drf.Serializer not in mro:
        return mro, [], [], unchanged(cls, ()), None
    # Noted before it is looked at: if another thread replaces something meanwhile, the next comparison notices.
    known = [base for base in mro if base in _KNOWN]
    sizes: list[tuple[Mapping[str, Any], int]] = [(vars(base), len(vars(base))) for base in known]
    theirs = [vars(base) for base in mro if base not in _KNOWN and base is not object]
    # From the class's __dict__: reading an attribute of the class may run code (a descriptor, a metaclass).
    meta: Any = next((holder["Meta"] for holder in theirs if "Meta" in holder), None)
    of_meta = [vars(base) for base in meta.__mro__ if base is not object] if type(meta) is type else []
    declared = [holder["_declared_fields"] for holder in theirs if "_declared_fields" in holder]
    seen = held_now([*theirs, *of_meta, *declared])
    fits = (
        all(map(_is_as_imported, known))
        and type(meta) in {type, type(None)}
        and all(_is_configuration(holder, meta) for holder in theirs)
        and all(map(_is_meta, of_meta))
        and all(map(_is_drfs_field, chain.from_iterable(tuple(fields.values()) for fields in declared)))
    )
    # Only of a class that fits: on others, reading a hook may run code.
    has_its_hooks = unchanged(cls, _HOOKS if fits else ())
    fits = fits and all(map(_is_as_imported, known))
    of_fields = chain.from_iterable(tuple(fields.values()) for fields in declared)
    return mro, seen, sizes, has_its_hooks, Stock(cls, meta, of_meta, of_fields) if fits else None


def _is_configuration(holder: Mapping[str, Any], meta: Any) -> bool:
    return all(value is meta or name == "_declared_fields" or is_inert(value) for name, value in members(holder))


def _is_meta(holder: Mapping[str, Any]) -> bool:
    return all(is_inert(value) or (name == "model" and _is_model(value)) for name, value in members(holder))


def _is_model(value: Any) -> bool:
    return issubclass(type(value), type) and issubclass(value, Model)  # isinstance would evaluate a lazy object


def _is_drfs_field(field: Any) -> bool:
    return type(field) in SIMPLE_FIELDS and is_inert(list(field._args)) and is_inert(field._kwargs)


def keep_private(serializer: Any) -> Any:
    """Mark a serializer as private: no code of the project will see it before its loops have run.

    Args:
        serializer: a serializer whose class runs only DRF's code.

    Returns:
        The same serializer, for ``validated`` or ``represented``.
    """
    vars(serializer)[_PRIVATE] = True
    return serializer


def is_private(serializer: Any) -> bool:
    """Tell whether a serializer is still private, with no code of the project having run that could have reached it."""
    return _PRIVATE in vars(serializer)


async def represented(serializer: Any) -> Any:
    """Return the ``data`` of a serializer that was built only for this.

    Returns:
        The value of its ``data``.
    """
    return await blocking(_represented, serializer)


async def validated(serializer: Any) -> None:
    """Validate the data of a serializer that was built only for this.

    Raises:
        ValidationError: the data are not valid.
    """
    private = is_private(serializer) and await blocking(_make_ready, serializer, to_validate=True)
    try:
        await validate(serializer)
    except Exception:
        if private:
            await blocking(_show, serializer)  # code that handles the error may reach the serializer
        raise


def _represented(serializer: Any) -> Any:
    if is_private(serializer) and (DRFS_CODE_ONLY in vars(serializer) or _make_ready(serializer)):
        data = with_data(serializer) if _has_sync_sources(serializer) else _NOTHING
        if data is not _NOTHING:  # the fields were used as DRF would, so the next serializer can have them
            take_back(serializer.child if type(serializer) in _LISTS else serializer)
        _show(serializer)  # the data have a reference to the serializer
        if data is not _NOTHING:
            return data
    return with_data(serializer)


_NOTHING = object()


def _make_ready(serializer: Any, *, to_validate: bool = False) -> bool:
    """Get the fields of a private serializer, lent or built, and make it cheap to use if they run only DRF's code too.

    Returns:
        Whether they do; if not, the serializer is no longer private.
    """
    one: Any = serializer.child if type(serializer) in _LISTS else serializer
    answer = _answers.get(type(one))
    stock = None if answer is None else answer[-1]
    is_lent = stock is not None and lend(one, stock, to_validate=to_validate)
    fields: Any = getattr(one, "fields", None)
    if type(fields) not in {BindingDict, QuickFields} or not (is_lent or _asks_drf_only(one, fields.fields.values())):
        _show(serializer)
        return False
    fields.__class__ = QuickFields
    vars(serializer)[DRFS_CODE_ONLY] = vars(one)[DRFS_CODE_ONLY] = True
    return True


def _asks_drf_only(serializer: Any, fields: Collection[Any]) -> bool:
    validators = serializer.validators
    return (
        _HELD.issuperset(vars(serializer))
        and type(validators) is list  # an iterator could be read only once
        and all(map(never_awaits, map(type, validators)))
        and all(map(has_drfs_code_only, fields))
        and all(map(is_, map(_default_of, fields), repeat(empty)))
    )


_default_of = attrgetter("default")


def _has_sync_sources(serializer: Any) -> bool:
    """Tell whether no source of a field leads to async code in the objects to be represented."""
    instance, is_list = serializer.instance, type(serializer) in _LISTS
    fields = (serializer.child if is_list else serializer).fields.fields.values()
    items = instance if is_list and type(instance) is list else [instance]
    return not any(any(with_code(fields, cls)) for cls in set(map(type, items)))


def _show(serializer: Any) -> None:
    """Make a private serializer an ordinary one, since code of the project may see it from now on."""
    del vars(serializer)[_PRIVATE]
    for each in (serializer, serializer.child) if type(serializer) in _LISTS else (serializer,):
        vars(each).pop(LENT, None)
        vars(each).pop(DRFS_CODE_ONLY, None)
        add_async_methods(each)


class QuickFields(BindingDict):
    """The fields of a serializer, with a fast ``values``: DRF's own loops over them in Python for each row."""

    def values(self) -> ValuesView[Any]:
        """Return the fields."""
        return self.fields.values()
