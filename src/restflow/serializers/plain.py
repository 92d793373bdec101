"""Serializers that run no code but DRF's, of which nothing has to be made callable across colours."""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain
from operator import attrgetter, is_
from typing import Any

from django.db.models import Model
from rest_framework import serializers as drf
from rest_framework.utils.serializer_helpers import BindingDict

from restflow.drf import is_inert, members
from restflow.flow import TwoColoured, blocking, hook, never_awaits, remember
from restflow.serializers.bridging import are_plain, is_settled, is_simple, know_as_prepared
from restflow.serializers.surface import with_async_surface

_Look = tuple[list[tuple[Any, tuple[Any, ...]]], bool]

_validators_of = attrgetter("validators")
_UNSEEN = "_restflow_unseen"
_answers: dict[type, _Look] = {}


def runs_drfs_code_only(cls: type[Any]) -> bool:
    """Tell whether a serializer class, and what it declares, is configuration of DRF's classes and nothing else.

    What was found is remembered, and holds while the class and its ``Meta`` hold the same.

    Args:
        cls: a serializer class.
    """
    looked = _answers.get(cls)
    if looked is None or not all(_is_as_seen(*seen) for seen in looked[0]):
        looked = _look(cls)
        remember(_answers, cls, looked)
    return looked[1]


def _is_as_seen(holder: Any, values: tuple[Any, ...]) -> bool:
    return len(holder) == len(values) and all(map(is_, holder.values(), values))


def _look(cls: type[Any]) -> _Look:
    holders: list[Any] = [vars(base) for base in cls.__mro__ if not is_settled(base)]
    meta = getattr(cls, "Meta", None)
    of_meta = [vars(base) for base in getattr(meta, "__mro__", ()) if base is not object]
    declared = [holder["_declared_fields"] for holder in holders if "_declared_fields" in holder]
    seen = [(holder, (*holder.values(),)) for holder in (*holders, *of_meta, *declared)]
    fits = (
        type(cls) is drf.SerializerMetaclass
        and type(meta) in {type, type(None)}
        and issubclass(cls, drf.Serializer)
        and all(_is_configuration(holder, meta) for holder in holders)
        and all(map(_is_meta, of_meta))
        and all(map(_is_drfs_field, (field for fields in declared for field in fields.values())))
    )
    return seen, fits


def _is_configuration(holder: Any, meta: Any) -> bool:
    return all(value is meta or name == "_declared_fields" or is_inert(value) for name, value in members(holder))


def _is_meta(holder: Any) -> bool:
    return all(
        is_inert(value) or (name == "model" and isinstance(value, type) and issubclass(value, Model))
        for name, value in members(holder)
    )


def _is_drfs_field(field: Any) -> bool:
    return is_simple(type(field)) and is_inert(list(field._args)) and is_inert(field._kwargs)


def leave_unseen(serializer: Any) -> Any:
    """Leave a serializer as it was built until its loops begin: no code of a user's will have seen it by then.

    Args:
        serializer: one of a class that runs DRF's code only.

    Returns:
        The same serializer, for ``prepared``.
    """
    vars(serializer)[_UNSEEN] = True
    return serializer


def prepared(serializer: Any, *, to_validate: bool = False) -> Any:
    """Make what the loops of a serializer ask callable by sync code, where that was put off.

    Args:
        serializer: any serializer, in the thread where its loop runs.
        to_validate: whether its loop validates; else it represents.

    Returns:
        The same serializer.
    """
    if vars(serializer).pop(_UNSEEN, False):
        one: Any = serializer.child if isinstance(serializer, drf.ListSerializer) else serializer
        fields = one.fields
        if type(fields) is BindingDict and _asks_drf_only(one, fields.fields.values(), to_validate):
            for each in {id(one): one, id(serializer): serializer}.values():
                if isinstance(each, TwoColoured):
                    know_as_prepared(each, to_validate=to_validate)
        else:
            with_async_surface(serializer)
    return serializer


def _asks_drf_only(serializer: Any, fields: Collection[Any], to_validate: bool) -> bool:
    if not are_plain(fields):
        return False
    validators = chain.from_iterable(map(_validators_of, (serializer, *fields))) if to_validate else ()
    return all(map(never_awaits, set(map(type, validators))))


async def represented(serializer: Any) -> Any:
    """Return the ``data`` of a serializer that was built for it.

    Args:
        serializer: any serializer.

    Returns:
        What its ``data`` is.
    """
    return await blocking(_represented, serializer)


def _represented(serializer: Any) -> Any:
    return prepared(serializer).data


async def validated(serializer: Any) -> None:
    """Validate the data of a serializer that was built for it.

    Args:
        serializer: any serializer.

    Raises:
        ValidationError: the data are not valid.
    """
    if _UNSEEN in vars(serializer):
        await blocking(prepared, serializer, to_validate=True)
    await hook(serializer, "is_valid", raise_exception=True)
