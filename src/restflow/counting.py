"""Requests counted in one step, in the memory of the process or in Redis."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from restflow.flow import blocking, nonblocking
from restflow.settings import settings


class Window(NamedTuple):
    """What a request found: whether it was counted, how many are in the window now, and the time of the oldest."""

    allowed: bool
    used: int
    oldest: float | None
    now: float


class _Memory:
    """Counts in the memory of this process, for both colours; a hit takes microseconds and never waits for I/O.

    Not the memory storage of ``limits``: it starts a thread at a hit, which the event loop would wait for, two threads
    that start it at a time fail, and the keys of all clients ever seen stay in memory (limits 5.8).
    """

    failures: tuple[type[Exception], ...] = ()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hits: OrderedDict[tuple[str, int, float], deque[float]] = OrderedDict()

    @nonblocking
    def hit(self, key: str, amount: int, seconds: float) -> Window:
        log = (key, amount, seconds)
        with self._lock:
            now = time.time()
            hits = self._hits.pop(log, None) or deque()
            while hits and hits[0] <= now - seconds:
                hits.popleft()
            allowed = len(hits) < amount
            if allowed:
                hits.append(now)
            self._forget(now)
            if hits:
                self._hits[log] = hits
            return Window(allowed, len(hits), hits[0] if hits else None, now)

    def _forget(self, now: float) -> None:
        """Drop clients that stayed away, two a hit: faster than new ones come, and never all at once."""
        for _ in range(min(2, len(self._hits))):
            log, hits = self._hits.popitem(last=False)
            if hits[-1] > now - log[2]:
                self._hits[log] = hits


class _Redis:
    """Counts in Redis, by the scripts of ``limits``; a client for sync code and one for each event loop."""

    # Redis is near, or it is down: a request waits for it no longer than a second. A full pool says only that this
    # process is busy, so a burst waits for its turn longer.
    defaults = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0, "max_connections": 50, "timeout": 10.0}

    def __init__(self, url: str, key_prefix: str = "LIMITS", **options: Any) -> None:
        try:
            from limits import RateLimitItemPerSecond
            from limits.aio.storage import RedisStorage as AsyncRedisStorage
            from limits.aio.strategies import MovingWindowRateLimiter as AsyncMovingWindow
            from limits.storage import RedisStorage
            from limits.strategies import MovingWindowRateLimiter as MovingWindow
        except ImportError as error:
            raise _missing("limits") from error
        try:
            import redis.backoff
            from redis import asyncio as aioredis
            from redis.asyncio.retry import Retry as AsyncRetry
            from redis.retry import Retry
        except ImportError as error:
            raise _missing("redis") from error

        def connect(pools: Any, retries: Any, storages: Any, limiters: Any, scheme: str = "", **kinds: Any) -> Any:
            # Redis-py would try three times more, for seconds. Once more, at once, is for a connection that was cut
            # while nobody used it. A request that got no answer in time is not sent again.
            retry = retries(redis.backoff.NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
            pool = pools.from_url(url.replace("redis+unix:", "unix:"), retry=retry, **{**self.defaults, **options})
            return pool, limiters(storages(scheme + url, connection_pool=pool, key_prefix=key_prefix, **kinds))

        self.failures = (redis.RedisError, OSError)
        self._item = RateLimitItemPerSecond
        self._limiter = connect(redis.BlockingConnectionPool, Retry, RedisStorage, MovingWindow)[1]
        self._connect = partial(
            connect,
            aioredis.BlockingConnectionPool,
            AsyncRetry,
            AsyncRedisStorage,
            AsyncMovingWindow,
            "async+",
            implementation="redispy",
        )
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Any, Any]] = WeakKeyDictionary()

    def hit(self, key: str, amount: int, seconds: float) -> Window:
        item = self._item(amount, math.ceil(seconds))
        allowed = self._limiter.hit(item, key)
        return _window(allowed, item, self._limiter.get_window_stats(item, key))

    async def ahit(self, key: str, amount: int, seconds: float) -> Window:
        item = self._item(amount, math.ceil(seconds))
        limiter = await self._on_this_loop()
        allowed = await limiter.hit(item, key)
        return _window(allowed, item, await limiter.get_window_stats(item, key))

    def close(self) -> None:
        """Let go of the clients. Their loops close the connections when they next run."""
        self._clients.clear()

    async def _on_this_loop(self) -> Any:
        # A connection belongs to the loop it was opened on.
        loop = asyncio.get_running_loop()
        found = self._clients.get(loop)
        if found is None:
            for other in self._clients.keyrefs():  # a copy: other threads may have loops too
                if (closed := other()) is not None and closed.is_closed():
                    self._clients.pop(closed, None)
            opened = self._open(loop)
            self._clients[loop] = found = await anext(opened), opened
        return found[0]

    async def _open(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[Any, None]:
        """Yield a limiter for ``loop``. The loop ends its generators before it is closed, and so the connections."""
        pool, limiter = self._connect()
        try:
            yield limiter
        finally:
            self._clients.pop(loop, None)
            await pool.disconnect()


def _window(allowed: bool, item: Any, stats: Any) -> Window:
    now = time.time()
    used = item.amount - stats.remaining
    # Redis keeps times to the tenth of a millisecond, so that one may seem to be yet to come.
    return Window(allowed, used, min(now, stats.reset_time - item.get_expiry()) if used else None, now)


def _missing(package: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"RESTFLOW['THROTTLE_STORAGE'] needs the package {package!r}. Install what the extra \"throttling\" names: "
        "pip install limits redis"
    )


class _Counter:
    """The counter that the settings name; one for all threads and event loops of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: _Memory | _Redis | None = None

    async def get(self) -> _Memory | _Redis:
        if self._made is not None:
            return self._made
        if settings.THROTTLE_STORAGE == "memory://":
            return self._make()
        return await blocking(self._make)  # imports take a while, once

    def _make(self) -> _Memory | _Redis:
        with self._lock:
            if self._made is None:
                url, options = settings.THROTTLE_STORAGE, settings.THROTTLE_STORAGE_OPTIONS
                if url == "memory://":
                    self._made = _Memory()
                elif isinstance(url, str) and url.startswith(("redis://", "rediss://", "redis+unix://")):
                    self._made = _Redis(url, **options)
                else:
                    raise ImproperlyConfigured(
                        "RESTFLOW['THROTTLE_STORAGE'] must be 'memory://' or a URL that begins with redis://, "
                        f"rediss:// or redis+unix://, got {url!r}."
                    )
            return self._made

    def forget(self, *, setting: str, **kwargs: Any) -> None:
        if setting == "RESTFLOW":
            with self._lock:
                made, self._made = self._made, None
            if isinstance(made, _Redis):
                made.close()


counter = _Counter()
setting_changed.connect(counter.forget)
