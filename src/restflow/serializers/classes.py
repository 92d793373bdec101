"""DRF's serializers with hooks in two colours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from django.db.models import Model
from rest_framework import serializers as drf
from rest_framework.fields import empty

from restflow.flow import TwoColoured, async_twin, must_be_awaited
from restflow.serializers.bridging import (
    bridge_fields,
    bridge_initial,
    bridge_shown_fields,
    bridge_validators,
    make_duals,
    note_represented,
)
from restflow.serializers.representation import know_representation, represent
from restflow.serializers.surface import Data, add_async_methods

_IN = TypeVar("_IN")
_MT = TypeVar("_MT", bound=Model)

must_be_awaited("is_valid", is_view=False)


class BaseSerializer(
    TwoColoured,
    drf.BaseSerializer[_IN],
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
    """DRF's ``BaseSerializer`` whose hooks may be ``async def``, under DRF's name or under that name with an ``a``.

    DRF's own code validates, saves and represents, in the worker thread where it may block. What is ``async def`` in it
    runs on the request's event loop: the hooks of the class (``validate``, ``validate_<field>``, ``get_<field>``,
    ``create``, …), the validators and defaults of its fields, and the methods of fields of your own. On a sync view or
    in a script the same runs to its result.

    Source: DRF 3.18, serializers.py, BaseSerializer.
    """

    _restflow_shown = False
    _restflow_represents: type | None = None

    if TYPE_CHECKING:

        async def ais_valid(self, *, raise_exception: bool = False) -> bool:
            """Validate ``initial_data``; ``is_valid``, to be awaited."""
            ...

        async def arun_validation(self, data: Any = empty) -> Any:
            """Return the validated value of ``data``; ``run_validation``, to be awaited."""
            ...

        async def avalidate(self, attrs: Any) -> Any:
            """Check all fields together; ``validate``, to be awaited."""
            ...

        async def ato_internal_value(self, data: Any) -> Any:
            """Return the native values of ``data``; ``to_internal_value``, to be awaited."""
            ...

        async def asave(self, **kwargs: Any) -> _IN:
            """Create or update the instance; ``save``, to be awaited."""
            ...

        async def acreate(self, validated_data: Any) -> _IN:
            """Return a new instance; ``create``, to be awaited."""
            ...

        async def aupdate(self, instance: _IN, validated_data: Any) -> _IN:
            """Return the instance, changed; ``update``, to be awaited."""
            ...

        async def ato_representation(self, instance: Any) -> Any:
            """Return the primitive values of ``instance``; ``to_representation``, to be awaited."""
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
        make_duals(cls)
        super().__init_subclass__(**kwargs)

    @classmethod
    def many_init(cls, *args: Any, **kwargs: Any) -> Any:
        """Return DRF's list serializer for ``many=True``, with the async surface."""
        made: Any = super().many_init(*args, **kwargs)
        if type(made) is drf.ListSerializer:  # DRF's default, which it does not take from the class
            made.__class__ = ListSerializer
        return add_async_methods(made)

    @property
    def adata(self) -> Data:
        """``data``, to be awaited."""
        return Data(self)

    # Where DRF's loops begin.

    def run_validation(self, data: Any = empty) -> Any:
        """Validate ``data``, as DRF does."""
        bridge_fields(self)
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        """Return the native values of ``data``, as DRF does."""
        bridge_fields(self)
        return super().to_internal_value(data)

    def run_validators(self, value: Any) -> None:
        """Run the serializer's own validators, as DRF does."""
        bridge_validators(self)
        super().run_validators(value)

    def to_representation(self, instance: Any) -> Any:
        """Return the primitive values of an instance, as DRF does."""
        fast = _fast(self, instance)
        return super().to_representation(instance) if fast is None else fast(instance)

    def get_initial(self) -> Any:
        """Return the values of an unbound serializer, as DRF does."""
        bridge_initial(self)
        return super().get_initial()


def _fast(serializer: Any, instance: Any) -> Callable[[Any], Any] | None:
    """Prepare a serializer for instances of a class, and return what represents them where DRF's function would."""
    # Asked for each item of a list.
    if not serializer._restflow_shown or serializer._restflow_represents is not type(instance):
        note_represented(serializer, instance)
        bridge_shown_fields(serializer)
    above: Any = super(BaseSerializer, serializer)
    return represent(serializer, above.to_representation)


know_representation(BaseSerializer.to_representation, _fast)

# DRF's class comes first where it writes hooks: what it writes is nearer than BaseSerializer's.


class Serializer(BaseSerializer[_IN], drf.Serializer[_IN]):
    """DRF's ``Serializer`` with hooks in two colours. Source: DRF 3.18, serializers.py."""


class ListSerializer(BaseSerializer[_IN], drf.ListSerializer[_IN]):
    """DRF's ``ListSerializer`` with hooks in two colours. Source: DRF 3.18, serializers.py."""

    def to_representation(  # pyright: ignore[reportIncompatibleMethodOverride]  # the name is DRF's
        self, data: Any
    ) -> Any:
        """Return the primitive values of a list of instances, as DRF does."""
        return super().to_representation(data)


know_representation(ListSerializer.to_representation, _fast)


class ModelSerializer(drf.ModelSerializer[_MT], Serializer[_MT]):
    """DRF's ``ModelSerializer`` with hooks in two colours. Source: DRF 3.18, serializers.py."""


class HyperlinkedModelSerializer(drf.HyperlinkedModelSerializer[_MT], ModelSerializer[_MT]):
    """DRF's ``HyperlinkedModelSerializer`` with hooks in two colours. Source: DRF 3.18, serializers.py."""


# Schema generators take the nearest docstring for the description of a user's class, past DRF's bases only.
for _cls in (TwoColoured, BaseSerializer, Serializer, ListSerializer, ModelSerializer, HyperlinkedModelSerializer):
    _cls.__doc__ = None
