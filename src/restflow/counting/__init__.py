"""Atomic request counting, in the memory of the process or in Redis, as the settings say.

In tests, notices that Django's default cache was cleared. Called by ``restflow.throttling`` only.

Each key has one log: the times of the requests counted under it. Rates that share a key share a log, as in DRF, where
the log is a list in the cache. DRF cuts that list to the period of the rate that used it last. Here a log keeps what
its longest period and largest limit need, so that no rate loses requests to another.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.core import mail
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from restflow.counting.memory import Memory
from restflow.counting.redis import Redis
from restflow.flow import blocking
from restflow.settings import settings

__all__ = ["counter", "shortened"]

_LONGEST_KEY = 128


def shortened(key: str) -> str:
    """Return a key for storage: itself, or its hash if it is long, as a client can make it (X-Forwarded-For)."""
    if len(key) <= _LONGEST_KEY:
        return key
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


_MARK = f"restflow.throttling.{uuid4().hex}"


class _Mark:
    """A mark in Django's default cache, which test suites clear between tests to reset DRF's counts.

    If it is missing, the cache has been cleared. It is not looked at in production.
    """

    def __init__(self, forget: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._forget = forget
        self._has_looked = False

    async def look(self) -> None:
        if "outbox" in vars(mail):  # Django's test environment, and pytest-django, set this
            if isinstance(caches["default"], LocMemCache):
                self._look()
            else:
                await blocking(self._look)

    def _look(self) -> None:
        cache = caches["default"]
        with self._lock:
            if not cache.get(_MARK):
                if self._has_looked:
                    self._forget()
                cache.set(_MARK, True, timeout=86400)
            self._has_looked = True


class _Counter:
    """The storage from the settings, shared by all threads and event loops of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: tuple[Memory | Redis, _Mark] | None = None

    async def get(self) -> Memory | Redis:
        """Return the storage.

        In tests, its counts are reset if Django's default cache has been cleared.
        """
        made = self._made
        if made is None:
            in_memory = settings.THROTTLE_STORAGE == "memory://"
            made = self._make() if in_memory else await blocking(self._make)  # the first call imports modules
        storage, mark = made
        await mark.look()
        return storage

    def _make(self) -> tuple[Memory | Redis, _Mark]:
        with self._lock:
            if self._made is None:
                storage = _storage()
                self._made = storage, _Mark(storage.forget)
            return self._made

    def forget(self, *, setting: str, **kwargs: Any) -> None:
        if setting in ("RESTFLOW", "CACHES"):
            with self._lock:
                made, self._made = self._made, None
            if made is not None:
                made[0].close()


def _storage() -> Memory | Redis:
    url, options = settings.THROTTLE_STORAGE, settings.THROTTLE_STORAGE_OPTIONS
    if url == "memory://":
        return Memory(**options)
    if isinstance(url, str) and url.startswith(("redis://", "rediss://", "redis+unix://")):
        return Redis(url, **options)
    raise ImproperlyConfigured(
        "RESTFLOW['THROTTLE_STORAGE'] must be 'memory://' or a URL that begins with redis://, "
        f"rediss:// or redis+unix://, got {url!r}."
    )


counter = _Counter()
setting_changed.connect(counter.forget)
