"""DRF's serializers with hooks in two colours.

Two of DRF's loops are written again here (``run_validation``, ``to_internal_value``), because they call a project's
code; the others run as they are. ``fields`` has what the fields need for the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import Model
from rest_framework import serializers as drf
from rest_framework.exceptions import ValidationError
from rest_framework.fields import SkipField, empty, get_error_detail
from rest_framework.settings import api_settings

from restflow.flow import TwoColoured, async_twin, called, dual, may_give_coroutine, must_be_awaited, result_of
from restflow.flow.trust import is_ours
from restflow.serializers.fields import AwaitingField, is_known_to_drf
from restflow.serializers.refusals import await_in, await_in_shown, is_drfs_own
from restflow.serializers.representation import DRFS_CODE_ONLY, know_representation, represent
from restflow.serializers.surface import Data, add_async_methods

_IN = TypeVar("_IN")
_MT = TypeVar("_MT", bound=Model)

must_be_awaited("is_valid", is_view=False)


class BaseSerializer(
    TwoColoured,
    drf.BaseSerializer[_IN],
    AwaitingField,
    hooks=(
        "create",
        "is_valid",
        "run_validation",
        "save",
        "to_internal_value",
        "to_representation",
        "update",
        "validate",
    ),
):
    """DRF's ``BaseSerializer``, whose hooks may be ``async def``, under DRF's name or with an ``a`` before it.

    It validates, saves and represents as DRF does, in the worker thread where it may block. Async code in it runs on
    the request's event loop: the hooks of the class (``validate``, ``validate_<field>``, ``get_<field>``, ``create``,
    …), the validators and defaults of its fields, and the methods of a project's own fields. On a sync view or in a
    script, the same code runs to its result.

    Source: DRF 3.18, serializers.py, BaseSerializer.
    """

    if TYPE_CHECKING:

        async def ais_valid(self, *, raise_exception: bool = False) -> bool:
            """Validate ``initial_data``: ``is_valid``, to be awaited."""
            ...

        async def arun_validation(self, data: Any = empty) -> Any:
            """Return the validated value of ``data``: ``run_validation``, to be awaited."""
            ...

        async def avalidate(self, attrs: Any) -> Any:
            """Validate all fields together: ``validate``, to be awaited."""
            ...

        async def ato_internal_value(self, data: Any) -> Any:
            """Return the native values of ``data``: ``to_internal_value``, to be awaited."""
            ...

        async def asave(self, **kwargs: Any) -> _IN:
            """Create or update the instance: ``save``, to be awaited."""
            ...

        async def acreate(self, validated_data: Any) -> _IN:
            """Return a new instance: ``create``, to be awaited."""
            ...

        async def aupdate(self, instance: _IN, validated_data: Any) -> _IN:
            """Return the updated instance: ``update``, to be awaited."""
            ...

        async def ato_representation(self, instance: Any) -> Any:
            """Return the primitive values of ``instance``: ``to_representation``, to be awaited."""
            ...

    else:
        ais_valid = async_twin("is_valid")
        arun_validation = async_twin("run_validation")
        avalidate = async_twin("validate")
        ato_internal_value = async_twin("to_internal_value")
        asave = async_twin("save")
        acreate = async_twin("create")
        aupdate = async_twin("update")
        ato_representation = async_twin("to_representation")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        _make_callable_by_sync_code(cls)
        super().__init_subclass__(**kwargs)

    @classmethod
    def many_init(cls, *args: Any, **kwargs: Any) -> Any:
        """Return DRF's list serializer for ``many=True``, with the async methods."""
        made: Any = super().many_init(*args, **kwargs)
        if type(made) is drf.ListSerializer:  # DRF's default; a Meta.list_serializer_class is left alone
            made.__class__ = ListSerializer
        return add_async_methods(made)

    @property
    def adata(self) -> Data:
        """``data``, to be awaited."""
        return Data(self)

    def save(self, **kwargs: Any) -> Any:
        """Create or update the instance, as DRF does."""
        super().save(**kwargs)
        self.instance: Any = _awaited(self.instance, f"{type(self).__name__}.create or update")
        return self.instance

    def to_representation(  # pyright: ignore[reportIncompatibleMethodOverride]  # the name is DRF's
        self, instance: Any
    ) -> Any:
        """Return the primitive values of an instance, as DRF does."""
        fast = _fast(self, instance)
        return super().to_representation(instance) if fast is None else fast(instance)


def _awaited(saved: Any, name: str) -> Any:
    # ListSerializer.create returns a list of what the child's create returned.
    value = result_of(saved, name)
    return [result_of(each, name) for each in value] if type(value) is list else value


_BY_FIELD = ("get_", "validate_")


def _make_callable_by_sync_code(cls: type[Any]) -> None:
    """Wrap the async hooks of a class and its mixins, so that DRF's sync code gets their results."""
    fields = getattr(cls, "_declared_fields", {}).values()
    methods = {field.method_name for field in fields if isinstance(field, drf.SerializerMethodField)}
    for base in cls.__mro__:
        for name, raw in () if is_drfs_own(base) or is_ours(base) else [*vars(base).items()]:
            is_hook = name.startswith(_BY_FIELD) or name in methods or is_known_to_drf(cls, name)
            if is_hook and may_give_coroutine(raw):
                setattr(base, name, dual(raw, name, base))


def _fast(serializer: Any, instance: Any) -> Callable[[Any], Any] | None:
    """Make the fields of a serializer await async code, and return a fast ``to_representation``, if there is one."""
    # Called for each item of a list.
    if drf.Serializer in type(serializer).__mro__:
        _await_in_shown(serializer, type(instance))
    above: Any = super(BaseSerializer, serializer)
    return represent(serializer, above.to_representation)


def _await_in_shown(serializer: Any, cls: type) -> None:
    if type(serializer).fields is not drf.Serializer.fields:
        return  # an override may build new fields at each access; `_represent_one` deals with those
    own, fields = vars(serializer), [*serializer.fields.values()]
    if DRFS_CODE_ONLY not in own and own.get(_SHOWN) != (cls, fields):
        await_in_shown(fields, cls)
        own[_SHOWN] = cls, fields


_SHOWN = "_restflow_shown"


know_representation(BaseSerializer.to_representation, _fast)

# Where DRF's class writes hooks it is listed first, so that they come before BaseSerializer's in the MRO.


class Serializer(BaseSerializer[_IN], drf.Serializer[_IN]):
    """DRF's ``Serializer`` with hooks in two colours. Source: DRF 3.18, serializers.py."""

    def run_validation(self, data: Any = empty) -> Any:
        """Validate ``data``. Source: DRF 3.18, serializers.py, ``Serializer.run_validation``."""
        is_empty_value, data = self.validate_empty_values(data)
        if is_empty_value:
            return data
        value = self.to_internal_value(data)
        try:
            self.run_validators(value)
            value = called(self.validate, value)
            assert value is not None, ".validate() should return the validated data"
        except (ValidationError, DjangoValidationError) as error:
            raise ValidationError(detail=drf.as_serializer_error(error)) from error
        return value

    def to_internal_value(self, data: Any) -> Any:
        """Return the native values of ``data``. Source: DRF 3.18, serializers.py, ``Serializer.to_internal_value``."""
        if DRFS_CODE_ONLY in vars(self):
            return super().to_internal_value(data)
        if not isinstance(data, Mapping):
            message = self.error_messages["invalid"].format(datatype=type(data).__name__)
            raise ValidationError({api_settings.NON_FIELD_ERRORS_KEY: [message]}, code="invalid")
        ret: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for field in self._writable_fields:
            await_in(field)
            name: Any = field.field_name
            validate_method = getattr(self, f"validate_{name}", None)
            primitive_value = field.get_value(data)
            try:
                validated_value = field.run_validation(primitive_value)
                if validate_method is not None:
                    validated_value = called(validate_method, validated_value)
            except ValidationError as error:
                errors[name] = error.detail
            except DjangoValidationError as error:
                errors[name] = get_error_detail(error)
            except SkipField:
                pass
            else:
                self.set_value(ret, field.source_attrs, validated_value)
        if errors:
            raise ValidationError(errors)
        return ret

    def _read_only_defaults(self) -> dict[str, Any]:
        defaults: dict[str, Any] = super()._read_only_defaults()
        return {source: result_of(value, f"the default of {source}") for source, value in defaults.items()}

    def get_initial(self) -> Any:
        """Return the values of an unbound serializer, as DRF does."""
        values = super().get_initial()
        return {name: result_of(value, f"the initial value of {name}") for name, value in values.items()}


class ListSerializer(BaseSerializer[_IN], drf.ListSerializer[_IN]):
    """DRF's ``ListSerializer`` with hooks in two colours. Source: DRF 3.18, serializers.py."""

    run_validation = Serializer.run_validation

    def run_child_validation(self, data: Any) -> Any:
        """Validate one item, as DRF does."""
        await_in(self.child)
        return super().run_child_validation(data)

    def to_representation(  # pyright: ignore[reportIncompatibleMethodOverride]  # the name is DRF's
        self, data: Any
    ) -> Any:
        """Return the primitive values of a list of instances, as DRF does."""
        await_in(self.child)
        return super().to_representation(data)


know_representation(ListSerializer.to_representation, _fast)


class ModelSerializer(drf.ModelSerializer[_MT], Serializer[_MT]):
    """DRF's ``ModelSerializer`` with hooks in two colours. Source: DRF 3.18, serializers.py."""


class HyperlinkedModelSerializer(drf.HyperlinkedModelSerializer[_MT], ModelSerializer[_MT]):
    """DRF's ``HyperlinkedModelSerializer`` with hooks in two colours. Source: DRF 3.18, serializers.py."""


# Schema generators describe a class by its nearest docstring, and skip DRF's but not ours.
for _cls in (TwoColoured, BaseSerializer, Serializer, ListSerializer, ModelSerializer, HyperlinkedModelSerializer):
    _cls.__doc__ = None
