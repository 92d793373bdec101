"""The async methods of serializers, which plain DRF serializers get too: ``ais_valid``, ``asave`` and ``adata``."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from rest_framework.serializers import BaseSerializer

from restflow.flow import TwoColoured, arun, blocking, give_twins, hook
from restflow.serializers.refusals import is_refusable, refuse_after, refuse_async_code, refuse_before
from restflow.serializers.representation import DRFS_CODE_ONLY, with_data

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    _IN = TypeVar("_IN", default=Any)

    class AsyncSerializer(BaseSerializer[_IN]):
        """The return type of the view helpers: a serializer of the given class, with the async methods."""

        async def ais_valid(self, *, raise_exception: bool = False) -> bool:
            """Validate: the ``is_valid`` of the class, of either colour."""
            ...

        async def asave(self, **kwargs: Any) -> _IN:
            """Save: the ``save`` of the class, of either colour."""
            ...

        @property
        def adata(self) -> Data:
            """``data``, to be awaited."""
            ...

else:
    AsyncSerializer = BaseSerializer  # a type only: the helpers add these methods to objects


async def data(serializer: Any) -> Any:
    """Return a serializer's ``data``, computed where that may block, since it may query.

    Returns:
        The value of its ``data``.

    Raises:
        TypeError: it is a serializer of DRF's with async code.
    """
    return await blocking(with_data, serializer)


class Data:
    """A serializer's ``data``, to be awaited; like a property, it may be awaited any number of times."""

    def __init__(self, serializer: Any) -> None:
        self.serializer = serializer

    def __await__(self) -> Generator[Any, Any, Any]:
        return arun(data(self.serializer)).__await__()


def add_async_methods(serializer: Any) -> AsyncSerializer[Any]:
    """Give a serializer ``ais_valid``, ``asave`` and ``adata``, unless its class has them.

    The serializer keeps its class, on which a registry, a schema or an error message may depend.

    Raises:
        TypeError: it is a serializer of DRF's with async code.
    """
    if not isinstance(serializer, TwoColoured):
        refuse_async_code(serializer)
        give_twins(serializer, ("is_valid", "save"), _looked_at)
        if not ("adata" in vars(serializer) or hasattr(type(serializer), "adata")):
            serializer.adata = Data(serializer)
    surfaced: Any = serializer
    return cast("AsyncSerializer[Any]", surfaced)


async def _looked_at(serializer: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call a hook of a serializer of DRF's, and refuse async code in the fields that it uses."""
    if name == "is_valid":
        await blocking(refuse_before, serializer, to_validate=True)
    result = await hook(serializer, name, *args, **kwargs)
    await blocking(refuse_after, serializer)
    return result


async def validate(serializer: Any) -> None:
    """Validate a serializer's data, with hooks of either colour.

    Raises:
        ValidationError: the data are not valid.
        TypeError: it is a serializer of DRF's with async code.
    """
    if is_refusable(serializer) and DRFS_CODE_ONLY not in vars(serializer):
        await _looked_at(serializer, "is_valid", (), {"raise_exception": True})
    else:
        await hook(serializer, "is_valid", raise_exception=True)
