"""What is done before a handler is called: ``Allow`` names those of the view, and a body is parsed that may block.

Looks at handlers and calls none; has the request parse its body. Both versions of ``dispatch`` come here, for the
headers the fast one only: the general one asks DRF's ``default_response_headers``.
"""

from __future__ import annotations

import inspect
import types
from itertools import compress, repeat
from typing import Any

from rest_framework.views import APIView

from restflow.flow import is_coroutine_function, remembered
from restflow.request import has_body, read_ahead


def headers_of(view: APIView) -> dict[str, str]:
    """Return DRF's ``default_response_headers``, where that and what it asks is DRF's."""
    names = view.http_method_names
    headers = {"Allow": _allow((*names,), (*map(hasattr, repeat(view), names),))}
    if len(view.renderer_classes) > 1:
        headers["Vary"] = "Accept"
    return headers


@remembered
def _allow(names: tuple[str, ...], has: tuple[bool, ...]) -> str:
    return ", ".join(name.upper() for name in compress(names, has))


async def prepare_body(request: Any, handler: Any) -> None:
    """Have a body that may block when it is parsed parsed in the thread, before async code reads it.

    Args:
        request: the request, of any class.
        handler: the handler that is about to be called.
    """
    if has_body(request) and reads_on_the_loop(handler):
        await read_ahead(request)


def reads_on_the_loop(handler: Any) -> bool:
    """Tell whether a handler is async code, so that what it reads of the request must not block.

    Args:
        handler: a handler, as it is bound to its view.
    """
    if type(handler) is types.MethodType and type(handler.__func__) is types.FunctionType:
        return _is_known_async(handler.__func__)
    return _is_async(handler)


def _is_async(function: Any) -> bool:
    return is_coroutine_function(function) or is_coroutine_function(inspect.unwrap(function))


_is_known_async = remembered(_is_async)  # of methods, which live as long as their classes
