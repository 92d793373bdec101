"""DRF's serializers with hooks in two colours, and the async surface of those that are plain DRF's."""

from typing import TYPE_CHECKING

from restflow.serializers.classes import (
    BaseSerializer,
    HyperlinkedModelSerializer,
    ListSerializer,
    ModelSerializer,
    Serializer,
)
from restflow.serializers.surface import Data, data, with_async_surface

if TYPE_CHECKING:
    from restflow.serializers.surface import AsyncSerializer as AsyncSerializer

__all__ = [
    "BaseSerializer",
    "Data",
    "HyperlinkedModelSerializer",
    "ListSerializer",
    "ModelSerializer",
    "Serializer",
    "data",
    "with_async_surface",
]
