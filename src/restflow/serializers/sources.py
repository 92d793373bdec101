"""Follows the ``source`` of a field: whether there is async code along the path, and which value is at its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from django.core.exceptions import FieldDoesNotExist
from rest_framework.fields import is_simple_callable

from restflow.flow import called, gives_coroutine, remembered, result_of
from restflow.flow.trust import is_trusted


@remembered
def _async_names(cls: type) -> frozenset[str]:
    """Return the names of the async methods and properties that a project has defined for a class."""
    return frozenset(
        name for base in cls.__mro__ if not is_trusted(base) for name, raw in vars(base).items() if gives_coroutine(raw)
    )


@remembered
def _code_names(cls: type) -> frozenset[str]:
    """Return the names under which a project has defined code for a class: methods, properties, other descriptors."""
    return _async_names(cls).union(
        name
        for base in cls.__mro__
        if not is_trusted(base)
        for name, raw in vars(base).items()
        if hasattr(type(raw), "__get__") and not type(raw).__module__.startswith("django.db.")
    )


@remembered
def _leads_to_async(cls: Any, path: tuple[str, ...]) -> bool | None:
    """Tell whether a name on a path is async; None if only its value can tell.

    Sync code may return a coroutine, and only models tell the class of their attributes.
    """
    for attr in path[:-1]:
        if attr in _async_names(cls):
            return True
        try:
            cls = cls._meta.get_field(attr).related_model
        except (AttributeError, FieldDoesNotExist):
            return None
        if cls is None:  # not a relation: a file, a date, JSON
            return None
    if path[-1] in _async_names(cls):
        return True
    return None if path[-1] in _code_names(cls) else False


def leads_to_async(cls: type, path: Sequence[str]) -> bool:
    """Tell whether the path of a source contains async code.

    Args:
        cls: the class of the object to represent.
        path: the names of the source.
    """
    return bool(path) and _leads_to_async(cls, tuple(path)) is True


def may_lead_to_async(cls: type, path: Sequence[str]) -> bool:
    """Tell whether the path of a source may contain async code.

    Args:
        cls: the class of the object to represent.
        path: the names of the source.
    """
    return bool(path) and _leads_to_async(cls, tuple(path)) is not False


def with_code(fields: Iterable[Any], cls: type) -> Iterator[Any]:
    """Yield the fields whose source may lead to async code.

    Args:
        fields: the fields of a serializer.
        cls: the class of the object to represent.
    """
    names = _code_names(cls)
    for field in fields:
        source = field.source or field.field_name
        if ("." in source or source in names) and may_lead_to_async(cls, source.split(".")):
            yield field


def follow(value: Any, path: Sequence[str]) -> Any:
    """Return the value at the end of a path, awaiting each step. Source: DRF 3.18, fields.py, ``get_attribute``."""
    for attr in path:
        value = value[attr] if isinstance(value, Mapping) else getattr(value, attr)
        try:
            value = called(value) if is_simple_callable(value) else result_of(value, attr)
        except (AttributeError, KeyError) as error:  # DRF would take these for a missing attribute
            raise ValueError(
                f'Exception raised in callable attribute "{attr}"; original exception was: {error}'
            ) from error
    return value


class Read:
    """Replaces an instance whose attributes have been read, so that DRF's code goes on from their value."""

    def __init__(self, instance: Any, depth: int, value: Any = None, error: Exception | None = None) -> None:
        of_self = object.__getattribute__(self, "__dict__")
        of_self.update(cls=instance.__class__, depth=depth, value=value, error=error)

    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, "__dict__")["cls"] if name == "__class__" else _step(self)

    def __getitem__(self, name: str) -> Any:
        return _step(self)


def _step(read: Read) -> Any:
    state = object.__getattribute__(read, "__dict__")
    if state["error"] is not None:
        _raise(state["error"])
    if state["depth"]:
        state["depth"] -= 1
        return read
    return state["value"]


def _raise(error: Exception) -> NoReturn:
    raise error
