"""Which handlers a view has, and what they may do."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import compress, repeat
from typing import Any

from rest_framework.views import APIView

from restflow.flow import is_computed, is_coroutine_function, remember, unchanged

_STRINGS = frozenset({str})
_PLAIN = frozenset({types.FunctionType, type(None)})


def headers_of(view: APIView) -> dict[str, str]:
    """Return DRF's ``default_response_headers``, where that and what it asks is DRF's.

    Args:
        view: the view.
    """
    cls, names = type(view), (*view.http_method_names,)
    known = _known_handlers.get((cls, names))
    if known is None or not known[0]():
        known = _look_for_handlers(cls, names)
        remember(_known_handlers, (cls, names), known)
    of_class = known[1] if vars(view).keys().isdisjoint(names) else None
    headers = {"Allow": _allow(names, map(hasattr, repeat(view), names)) if of_class is None else of_class}
    if len(view.renderer_classes) > 1:
        headers["Vary"] = "Accept"
    return headers


# By class and methods: whether its handlers are those there were, and DRF's header; None where the view itself decides.
_known_handlers: dict[tuple[type, tuple[str, ...]], tuple[Callable[[], bool], str | None]] = {}
_READERS = ("__getattr__", "__getattribute__")
_READS_PLAINLY: Any = object.__getattribute__


def _look_for_handlers(cls: type, names: tuple[str, ...]) -> tuple[Callable[[], bool], str | None]:
    if not _STRINGS.issuperset(map(type, names)) or any(map(is_computed, repeat(cls), (*names, "__getattr__"))):
        return unchanged(cls, ()), None
    is_as_seen = unchanged(cls, (*names, *_READERS))
    handlers = [getattr(cls, name, None) for name in names]
    reads_plainly = not hasattr(cls, "__getattr__") and cls.__getattribute__ is _READS_PLAINLY
    is_plain = reads_plainly and _PLAIN.issuperset(map(type, handlers))
    return is_as_seen, _allow(names, handlers) if is_plain else None


def _allow(names: tuple[str, ...], has: Iterable[Any]) -> str:
    return ", ".join(name.upper() for name in compress(names, has))


def reads_on_the_loop(handler: Any) -> bool:
    """Tell whether a handler is async code, so that what it reads of the request must not block.

    Args:
        handler: a handler, as it is bound to its view.
    """
    if type(handler) is types.MethodType and type(handler.__func__) is types.FunctionType:
        return _function_reads_on_the_loop(handler.__func__)
    return is_coroutine_function(handler) or is_coroutine_function(inspect.unwrap(handler))


@lru_cache(maxsize=1024)
def _function_reads_on_the_loop(function: Any) -> bool:
    return is_coroutine_function(function) or is_coroutine_function(inspect.unwrap(function))
