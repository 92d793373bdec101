"""The async surface of serializers, for DRF's own as they are."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, cast

from rest_framework.serializers import BaseSerializer

from restflow.flow import TwoColoured, arun, blocking, give_twins
from restflow.serializers.bridging import attend

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    _IN = TypeVar("_IN", default=Any)

    class AsyncSerializer(BaseSerializer[_IN]):
        """What the view helpers hand back: a serializer of the class given, with the async surface."""

        async def ais_valid(self, *, raise_exception: bool = False) -> bool:
            """Validate; ``is_valid`` of the class, in whichever colour it is written."""
            ...

        async def asave(self, **kwargs: Any) -> _IN:
            """Save; ``save`` of the class, in whichever colour it is written."""
            ...

        @property
        def adata(self) -> Data:
            """``data``, to be awaited."""
            ...

else:
    AsyncSerializer = BaseSerializer  # for annotations: the helpers add the three to serializers of any class


_SURFACED = "_restflow_surfaced"


async def data(serializer: Any) -> Any:
    """Return a serializer's ``data``; building it may query, so it is built where that may block.

    Returns:
        What its ``data`` is.
    """
    return await blocking(getattr, serializer, "data")


class Data:
    """A serializer's ``data``, to be awaited; any number of times, as a property may."""

    def __init__(self, serializer: Any) -> None:
        self.serializer = serializer

    def __await__(self) -> Generator[Any, Any, Any]:
        return arun(data(self.serializer)).__await__()


def add_async_methods(serializer: Any) -> AsyncSerializer[Any]:
    """Give a serializer ``ais_valid``, ``asave`` and ``adata``, where its class has none of its own.

    The serializer keeps its class: what a registry, a schema or an error message reads of it stays true. Async hooks
    that a plain DRF class writes are bridged on the object.

    Raises:
        TypeError: a plain class overrides an async hook by a sync one, which would take a coroutine from ``super()``.
    """
    if not isinstance(serializer, TwoColoured) and _SURFACED not in vars(serializer):
        attend(serializer)
        give_twins(serializer, ("is_valid", "save"))
        if not hasattr(type(serializer), "adata"):
            serializer.adata = Data(serializer)
        vars(serializer)[_SURFACED] = True
    surfaced: Any = serializer
    return cast("AsyncSerializer[Any]", surfaced)
