"""``request_started`` and ``request_finished``: who receives them, and whether ending a request blocks.

Knows Django's own receivers and ``HttpResponseBase.close``. Used by ``restflow.asgi``.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from operator import is_
from typing import Any

from django.core.cache import caches, close_caches
from django.core.cache.backends.base import BaseCache
from django.core.handlers import base
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections, reset_queries
from django.http.response import HttpResponseBase
from django.urls import set_urlconf

# Django's own receivers. They work on connections, which belong to threads: call them in the request's thread.
AT_START = (reset_queries, close_old_connections)
AT_END = (close_caches, close_old_connections, base.reset_urlconf)


class Receivers:
    """The receivers of a signal for one sender.

    Args:
        signal: the signal.
        sender: the class of the handler.
        known: Django's own receivers.
    """

    def __init__(self, signal: Any, sender: type, known: Sequence[Any]) -> None:
        self.signal, self.sender, self.known = signal, sender, known
        self._seen: list[Any] = []
        self._djangos: list[Any] = []
        self._others = False

    def _look(self) -> None:
        connected = list(self.signal.receivers)
        if self._seen != connected:
            receivers, async_receivers = self.signal._live_receivers(self.sender)
            # By identity, because wrapt's proxies compare equal to the function they wrap.
            self._djangos = [each for each in receivers if any(map(partial(is_, each), self.known))]
            self._others = bool(async_receivers) or len(receivers) > len(self._djangos)
            self._seen = connected

    def are_djangos(self) -> bool:
        """Tell whether all receivers are Django's own."""
        self._look()
        return not self._others

    def djangos(self) -> list[Any]:
        """Return Django's own receivers that are connected."""
        self._look()
        return self._djangos


def closes_in_place(response: Any) -> bool:
    """Tell whether closing ``response``, which includes running Django's receivers, never blocks."""
    if any(type(cache).close is not BaseCache.close for cache in caches.all(initialized_only=True)):
        return False
    return response is None or (
        type(response).close is HttpResponseBase.close
        and "close" not in vars(response)
        and all(map(_is_harmless, response._resource_closers))
    )


def close_in_place(response: Any) -> None:
    """Close a response for which ``closes_in_place`` is true, and reset the URLconf, as Django's receivers would.

    Source: Django 5.2 to 6.1, http/response.py, ``HttpResponseBase.close``.
    """
    if response is not None:
        for closer in response._resource_closers:
            with suppress(Exception):
                closer()
        response._resource_closers.clear()
        response.closed = True
    set_urlconf(None)


def _is_harmless(closer: Any) -> bool:
    request = getattr(closer, "__self__", None)
    return (
        isinstance(request, ASGIRequest)
        and closer.__func__ is ASGIRequest.close
        and type(request._stream) is io.BytesIO
        and not vars(request).get("_files")
    )
