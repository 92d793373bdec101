"""Before and after a handler: parses a body if reading it may block, and sets the view's headers on the response.

Looks at handlers and calls none. Used by both versions of ``dispatch``; ``headers_of`` only by the fast one, since the
general one reads DRF's ``default_response_headers``.
"""

from __future__ import annotations

import inspect
import types
from itertools import compress, repeat
from typing import Any

from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from rest_framework.views import APIView

from restflow.flow import blocking, is_coroutine_function, remembered
from restflow.request import read_ahead


def headers_of(view: APIView) -> dict[str, str]:
    """Return DRF's ``default_response_headers``, for a view in which that and all it calls is DRF's own."""
    names = view.http_method_names
    headers = {"Allow": _allow((*names,), (*map(hasattr, repeat(view), names),))}
    if len(view.renderer_classes) > 1:
        headers["Vary"] = "Accept"
    return headers


@remembered
def _allow(names: tuple[str, ...], has: tuple[bool, ...]) -> str:
    return ", ".join(name.upper() for name in compress(names, has))


async def prepare_body(request: Any, handler: Any) -> None:
    """Before async code reads a body whose parsing may block, parse it in the thread.

    Args:
        request: a request of ours that has a body.
        handler: the handler that is about to be called.
    """
    if reads_on_the_loop(handler):
        await read_ahead(request)


def reads_on_the_loop(handler: Any) -> bool:
    """Tell whether a handler is async code, so that reading the request in it must not block.

    Args:
        handler: a handler, bound to its view.
    """
    if type(handler) is types.MethodType and type(handler.__func__) is types.FunctionType:
        return _is_known_async(handler.__func__)
    return _is_async(handler)


def _is_async(function: Any) -> bool:
    return is_coroutine_function(function) or is_coroutine_function(inspect.unwrap(function))


_is_known_async = remembered(_is_async)  # only for methods, which live as long as their class


async def put_headers(view: APIView, response: HttpResponseBase) -> None:
    """Set a view's headers on its response, as ``finalize_response`` does."""
    headers = view.headers
    vary = headers.pop("Vary", None)
    if vary is not None:
        patch_vary_headers(response, [name.strip() for name in vary.split(",") if name.strip()])
    for name, value in headers.items():
        if type(value) is str:
            response[name] = value
        else:  # lazy values are evaluated when they are set
            await blocking(response.__setitem__, name, value)
