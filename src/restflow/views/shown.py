"""Methods that a view appears to have only if they can answer.

DRF's metadata, browsable API and schemas take a view with ``get_serializer`` or ``get_queryset`` for one that has a
serializer or rows. Where the view has none, reading the method raises AttributeError.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

from restflow.flow import Descriptor

_F = TypeVar("_F", bound=Callable[..., Any])


class _Shown(Descriptor):
    def __init__(self, function: Callable[..., Any], why_not: Callable[[Any, type], AttributeError | None]) -> None:
        self.function, self.why_not = function, why_not

    def __get__(self, view: Any, owner: type) -> Any:
        if view is None:
            return self.function
        if (error := self.why_not(view, owner)) is not None:
            raise error
        return types.MethodType(self.function, view)


def shown_unless(why_not: Callable[[Any, Any], AttributeError | None]) -> Callable[[_F], _F]:
    """Make a method exist on some views only.

    Args:
        why_not: takes the view and its class, and returns the error to raise instead, or None if the method exists.
    """

    def decorate(function: _F) -> _F:
        method: Any = _Shown(function, why_not)
        return method  # type: ignore[no-any-return]

    return decorate


def is_handling(view: Any) -> bool:
    """Tell whether a view's handler is running, rather than DRF's introspection.

    DRF sets ``response`` when the handler is done; what runs then is the browsable API. Schemas have no request.
    """
    state = vars(view)
    return state.get("request") is not None and "response" not in state and not state.get("_restflow_hides_serializer")


@contextmanager
def no_serializer_on_show(view: Any) -> Generator[None, None, None]:
    """Hide ``get_serializer`` from the metadata of a view without a serializer class.

    Args:
        view: the view whose metadata is being determined.
    """
    view._restflow_hides_serializer = True
    try:
        yield
    finally:
        del view._restflow_hides_serializer
