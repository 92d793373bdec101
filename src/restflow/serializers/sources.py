"""Async methods and properties of what is represented, where a field's ``source`` leads to one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from rest_framework import fields as drf

from restflow.flow import TwoColoured, gives_coroutine, remembered, result_of
from restflow.flow.steps import drop, is_awaitable, settle
from restflow.flow.trust import is_trusted


@remembered
def async_names(cls: type) -> frozenset[str]:
    """Return the names of the async methods and properties that somebody wrote for a class.

    Args:
        cls: the class of what is represented; Django's own ``asave`` and the like don't count.
    """
    return frozenset(
        name for base in cls.__mro__ if not is_trusted(base) for name, raw in vars(base).items() if gives_coroutine(raw)
    )


@remembered
def _code_names(cls: type) -> frozenset[str]:
    """Return the names under which somebody wrote code for a class: methods, properties, other descriptors."""
    return async_names(cls).union(
        name
        for base in cls.__mro__
        if not is_trusted(base)
        for name, raw in vars(base).items()
        if hasattr(type(raw), "__get__") and not type(raw).__module__.startswith("django.db.")
    )


@remembered
def _leads_to_async(cls: Any, attrs: tuple[str, ...]) -> bool | None:
    """Tell whether a name of a path is async; None where only what it gives can tell.

    Sync code may hand on a coroutine, and models only say of what class their attributes are.
    """
    for attr in attrs[:-1]:
        if attr in async_names(cls):
            return True
        try:
            cls = cls._meta.get_field(attr).related_model
        except (AttributeError, FieldDoesNotExist):
            return None
    if attrs[-1] in async_names(cls):
        return True
    return None if attrs[-1] in _code_names(cls) else False


def lead_to_async(fields: Mapping[str, Any], cls: type) -> bool:
    """Tell whether the source of a field leads, or may lead, to async code.

    Args:
        fields: the fields of a serializer, by name.
        cls: the class of what is represented.
    """
    return any(leads is not False for _, leads in _sources(fields, cls))


def _sources(fields: Mapping[str, Any], cls: type) -> Iterator[tuple[str, bool | None]]:
    names = _code_names(cls)
    for name, field in fields.items():
        source = field.source or name  # DRF notes the path where a field is bound, which is yet to come
        if "." in source or source in names:
            yield name, _leads_to_async(cls, tuple(source.split(".")))


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
    for name, leads in _sources(fields, cls):
        field = fields[name]
        if leads is False or "get_attribute" in vars(field):
            continue
        if leads and not isinstance(serializer, TwoColoured):
            raise _refusal(type(serializer), name)
        field.get_attribute = _Along(field) if leads else _AtTheEnd(field)


def _refusal(cls: type, name: str) -> TypeError:
    return TypeError(
        f"The source of {cls.__module__}.{cls.__qualname__}.{name} leads to async code, and the field would represent "
        f"its coroutine. Derive {cls.__name__} from restflow.serializers, or make the code sync."
    )


class _AtTheEnd:
    """A field's ``get_attribute``, of which what it gives is awaited where it can be."""

    def __init__(self, field: Any) -> None:
        self.field = field

    def __call__(self, instance: Any) -> Any:
        field = self.field
        value = type(field).get_attribute(field, instance)
        if is_awaitable(value) and not isinstance(field.parent, TwoColoured):
            drop(settle(value))
            raise _refusal(type(field.parent), field.field_name)
        return result_of(value)


class _Along:
    """A field's ``get_attribute``, where names of its path are async. Source: DRF 3.18, fields.py, ``Field``."""

    def __init__(self, field: Any) -> None:
        self.field = field

    def __call__(self, instance: Any) -> Any:
        field = self.field
        try:
            return _follow(instance, field.source_attrs)
        except (AttributeError, KeyError):
            if field.default is not drf.empty:
                return field.get_default()
            if field.allow_null:
                return None
            if not field.required:
                raise drf.SkipField from None
            raise


def _follow(value: Any, attrs: Sequence[str]) -> Any:
    """Return what a path leads to, with everything awaited. Source: DRF 3.18, fields.py, ``get_attribute``."""
    for attr in attrs:
        try:
            value = value[attr] if isinstance(value, Mapping) else getattr(value, attr)
        except ObjectDoesNotExist:
            return None
        try:
            value = result_of(value() if drf.is_simple_callable(value) else value)
        except (AttributeError, KeyError) as error:  # which would mean that there is none
            raise ValueError(
                f"Exception raised in callable attribute {attr!r}; original exception was: {error}"
            ) from error
    return value
