"""Async methods and properties of what is represented, where a field's ``source`` leads to one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from rest_framework import fields as drf

from restflow.flow import TwoColoured, awaited, gives_coroutine
from restflow.flow.refusals import is_settled
from restflow.flow.steps import drop, is_awaitable, settle


@lru_cache(maxsize=1024)
def async_names(cls: type) -> frozenset[str]:
    """Return the names of the async methods and properties that somebody wrote for a class.

    Args:
        cls: the class of what is represented; Django's own ``asave`` and the like don't count.
    """
    return frozenset(
        name for base in cls.__mro__ if not is_settled(base) for name, raw in vars(base).items() if gives_coroutine(raw)
    )


_UNKNOWN = -1


@lru_cache(maxsize=1024)
def _first_async(cls: Any, attrs: tuple[str, ...]) -> int | None:
    """Return the place of the first name of a path that is async; None where none is.

    ``_UNKNOWN``, where the path leads through what models don't say the class of.
    """
    for place, attr in enumerate(attrs):
        if attr in async_names(cls):
            return place
        if place + 1 < len(attrs):
            try:
                cls = cls._meta.get_field(attr).related_model
            except (AttributeError, FieldDoesNotExist):
                return _UNKNOWN
    return None


def lead_to_async(fields: Mapping[str, Any], cls: type) -> bool:
    """Tell whether the source of a field leads, or may lead, to async code.

    Args:
        fields: the fields of a serializer, by name.
        cls: the class of what is represented.
    """
    return any(place is not None for _, place in _places(fields, cls))


def _places(fields: Mapping[str, Any], cls: type) -> Iterator[tuple[str, int | None]]:
    names = async_names(cls)
    for name, field in fields.items():
        source = field.source or name  # DRF notes the path where a field is bound, which is yet to come
        if "." in source or source in names:
            yield name, _first_async(cls, tuple(source.split(".")))


def watch_sources(serializer: Any, fields: Mapping[str, Any], cls: type) -> None:
    """Have no field take a coroutine for the value that it represents.

    A serializer of ours awaits it; one of DRF's is refused. DRF calls whatever a source leads to, and a coroutine is
    true, and has a ``str``.

    Args:
        serializer: any serializer, in the thread where its loop runs.
        fields: its fields, by name.
        cls: the class of what is about to be represented.

    Raises:
        TypeError: the serializer is DRF's, and a source of it leads to async code.
    """
    for name, place in _places(fields, cls):
        field = fields[name]
        if place is None or "get_attribute" in vars(field):
            continue
        if place == _UNKNOWN:
            field.get_attribute = partial(_awaited_at_end, field)
        elif isinstance(serializer, TwoColoured):
            field.get_attribute = partial(_awaited_within, field, place)
        else:
            raise _refusal(type(serializer), name)


def _refusal(cls: type, name: str) -> TypeError:
    return TypeError(
        f"The source of {cls.__module__}.{cls.__qualname__}.{name} leads to async code, and the field would represent "
        f"its coroutine. Derive {cls.__name__} from restflow.serializers, or make the code sync."
    )


def _awaited_at_end(field: Any, instance: Any) -> Any:
    """Return what a field represents, awaited where it can be."""
    value = type(field).get_attribute(field, instance)
    if is_awaitable(value) and not isinstance(field.parent, TwoColoured):
        drop(settle(value))
        raise _refusal(type(field.parent), field.field_name)
    return awaited(value)


def _awaited_within(field: Any, place: int, instance: Any) -> Any:
    """Return what a field represents, where one name of its path is async. Source: DRF 3.18, fields.py."""
    attrs = field.source_attrs
    value = drf.get_attribute(instance, attrs[:place])
    value = awaited(_read(value, attrs[place]))
    return drf.get_attribute(value, attrs[place + 1 :])


def _read(value: Any, attr: str) -> Any:
    found = getattr(value, attr)
    return found() if callable(found) else found
