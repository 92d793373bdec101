"""The fields of our serializers, which await async validators, defaults, sources and methods.

When a serializer of ours first uses a field that has a project's code, the field's class is replaced by a subclass that
has ``AwaitingField`` behind DRF's field classes and before ``Field``. Everything else stays DRF's code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import fields as drf
from rest_framework import relations
from rest_framework.exceptions import ValidationError
from rest_framework.serializers import BaseSerializer

from restflow.flow import called, dual, may_give_coroutine, never_awaits, remembered, result_of
from restflow.flow.trust import is_drfs
from restflow.serializers.sources import Read, follow, may_lead_to_async

# DRF's own field classes, by identity: __module__ can be set to anything.
DRFS_FIELDS = frozenset(
    cls
    for module in (drf, relations)
    for cls in vars(module).values()
    if isinstance(cls, type) and issubclass(cls, drf.Field)
)
# Those that have no child field and call no method of the serializer.
SIMPLE_FIELDS = DRFS_FIELDS - {
    drf.DictField,
    drf.HStoreField,
    drf.ListField,
    drf.SerializerMethodField,
    relations.ManyRelatedField,
    relations.PrimaryKeyRelatedField,
}
METHODS = frozenset(
    {"get_attribute", "get_default", "get_value", "run_validation", "to_internal_value", "to_representation"}
)
# Attributes that hold a field's arguments or its parents, not its children.
_NOT_HELD = frozenset({"_args", "_kwargs", "parent"})


class AwaitingField(drf.Field[Any, Any, Any, Any]):
    """The three methods of ``Field`` that call what a field is given. Source: DRF 3.18, fields.py, ``Field``."""

    def run_validators(self, value: Any) -> None:
        """Call each validator, of either colour."""
        errors: list[Any] = []
        for validator in self.validators:
            try:
                if getattr(validator, "requires_context", False):
                    called(validator, value, self)
                else:
                    called(validator, value)
            except ValidationError as error:
                if isinstance(error.detail, dict):
                    raise
                errors.extend(error.detail)
            except DjangoValidationError as error:
                errors.extend(drf.get_error_detail(error))
        if errors:
            raise ValidationError(errors)

    def get_default(self) -> Any:
        """Return the default; if it is awaitable, its result."""
        return result_of(super().get_default(), "the default of a field")

    def get_attribute(self, instance: Any) -> Any:
        """Return the value of the field's source, awaiting each attribute on the path if necessary."""
        path = self.source_attrs
        if not may_lead_to_async(type(instance), path):
            return super().get_attribute(instance)
        try:
            return follow(instance, path)
        except Exception as error:
            return super().get_attribute(Read(instance, 0, error=error))  # DRF's code decides how the error ends


class _AwaitingMethodField(drf.SerializerMethodField, AwaitingField):
    def to_representation(self, value: Any) -> Any:
        return called(getattr(self.parent, self.method_name), value)


def become_awaiting(field: Any) -> None:
    """Make a field of one of our serializers await the async code in it, and in the fields that it contains.

    Args:
        field: any field; one that runs only DRF's code is left unchanged.

    Raises:
        TypeError: a sync method of the field's class would get a coroutine from ``super()``.
        ImproperlyConfigured: an async function was set on the field itself.
    """
    if isinstance(field, (AwaitingField, BaseSerializer)) or has_drfs_code_only(field):
        return
    for name in METHODS.intersection(vars(field)):
        if may_give_coroutine(vars(field)[name]):
            raise ImproperlyConfigured(
                f"{name} was set on the field {field.field_name!r} of {type(field.parent).__name__}, and is async. "
                "Define it in a field class."
            )
    for child in held_by(field):
        become_awaiting(child)
    if type(field) not in DRFS_FIELDS or _was_given_code(field):
        field.__class__ = awaiting(type(field))


def has_drfs_code_only(field: Any) -> bool:
    """Tell whether using a field runs only code of DRF, Django and restflow.

    Args:
        field: any field; the answer is False for a field that may contain others.
    """
    return type(field) in SIMPLE_FIELDS and not _was_given_code(field)


def _was_given_code(field: Any) -> bool:
    default, validators = field.default, field.validators
    return (
        (default is not drf.empty and callable(default))
        or callable(field.initial)
        or type(validators) is not list
        or not all(map(never_awaits, map(type, validators)))
        or not METHODS.isdisjoint(vars(field))
        or (type(field) is drf.SerializerMethodField and _is_method_async(field))
    )


def _is_method_async(field: Any) -> bool:
    return may_give_coroutine(getattr(field.parent, str(field.method_name), None))


@remembered
def awaiting(cls: type[Any]) -> type[Any]:
    """Return a subclass of a field class whose instances await the async code that they call.

    Args:
        cls: a class of DRF's, or a project's, whose async methods DRF's code can call in the subclass.
    """
    base = _AwaitingMethodField if issubclass(cls, drf.SerializerMethodField) else AwaitingField
    given = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    bases = (base,) if cls is drf.SerializerMethodField else (cls, base)
    metaclass: Any = type(cls)
    made: type[Any] = metaclass(cls.__name__, bases, {**given, **dict(_duals(cls))})
    return made


def _duals(cls: type[Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the replacements for those async methods of a class that DRF's code calls.

    Raises:
        TypeError: a sync method overrides an async one, whose coroutine it would get from ``super()``.
    """
    for name in dir(cls) if cls not in DRFS_FIELDS else ():
        if not is_known_to_drf(cls, name):
            continue
        holders = [base for base in cls.__mro__ if name in vars(base)]
        awaits = [may_give_coroutine(vars(base)[name]) for base in holders]
        if awaits[0]:
            yield name, dual(vars(holders[0])[name], name, holders[0])
        elif any(awaits):
            raise TypeError(
                f"{holders[0].__qualname__}.{name} is sync and overrides {holders[awaits.index(True)].__qualname__}."
                f"{name}, which is async: super() would give it a coroutine. Write it as async def."
            )


def is_known_to_drf(cls: type, name: str) -> bool:
    """Tell whether DRF's own classes have a method of this name, which DRF then calls."""
    return not name.startswith("__") and any(name in vars(base) for base in cls.__mro__ if is_drfs(base))


def held_by(field: Any) -> Iterator[Any]:
    """Yield the fields that a field contains, as ``child`` like DRF's or in its own way.

    Args:
        field: a field whose code may use them.
    """
    for holder in (vars(field), *(vars(cls) for cls in type(field).__mro__ if not is_drfs(cls))):
        yield from (each for each in fields_in(holder) if each is not field)


def fields_in(holder: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the fields among the attributes of an object or a class, and in lists and dicts that are attributes."""
    for name, value in tuple(holder.items()):
        if isinstance(value, drf.Field):
            if name not in _NOT_HELD:
                yield value
        elif type(value) in _HOLDING and name not in _NOT_HELD:
            inside = value.values() if isinstance(value, dict) else value
            yield from (each for each in inside if isinstance(each, drf.Field))


_HOLDING = frozenset({dict, list, tuple})
