"""What a serializer represents, or the error it ends with, and how many rows make it use a generated function."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rest_framework.renderers import JSONRenderer

from restflow.views import GenericAPIView

TIMES = 6  # the first rows are represented by DRF's loop, as what comes once is; others by a generated function


class Reader:
    """An instance that notes what is read of it, and raises what it holds instead of giving it."""

    noted: list[str] = []

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def __str__(self) -> str:
        self.noted.append("str")
        return "reader"

    __repr__ = __str__

    def __getattr__(self, name: str) -> Any:
        self.noted.append(name)
        try:
            value = self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(name) from None
        if isinstance(value, Exception):
            raise value
        return value


_ADDRESS = re.compile(" at 0x[0-9a-f]+")  # a function that is written as text


def outcome(make: Callable[[], Any]) -> Any:
    """Return the bytes, or the error, the data, so that types are compared too, and what was read."""
    Reader.noted.clear()
    try:
        data = make()
    except Exception as error:
        return type(error), _ADDRESS.sub("", str(error)), [*Reader.noted]
    read = [*Reader.noted]
    try:
        rendered: Any = _ADDRESS.sub("", JSONRenderer().render(data).decode())
    except Exception as error:
        rendered = (type(error), str(error))
    return rendered, _typed(data), read


def _typed(data: Any) -> Any:
    if isinstance(data, dict):
        return [(name, _typed(value)) for name, value in data.items()]
    if isinstance(data, list):
        return [_typed(value) for value in data]
    told = str(data) if not callable(data) else data.__class__.__name__
    return type(data).__name__, _ADDRESS.sub("", told)


def by_view(cls: Any, instance: Any, **kwargs: Any) -> Any:
    """Represent by a plain serializer, as views do."""
    view = GenericAPIView()
    view.request = None
    return view.serialized_response(instance, serializer_class=cls, **kwargs).data
