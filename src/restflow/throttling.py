"""DRF's throttles with hooks in two colours, counting each request atomically.

DRF reads a list of times from the cache, adds one and writes it back: of two requests at a time, one is not counted.
Here a request is counted in one step, in the memory of the process or in Redis, so that of any number of concurrent
requests exactly as many pass as the rate says.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import threading
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from rest_framework import status
from rest_framework import throttling as drf
from rest_framework.exceptions import APIException

from restflow.drf import user_is_known
from restflow.flow import TwoColoured, asynchronous, attribute, blocking, hook, nonblocking, sync, twin
from restflow.settings import settings

__all__ = [
    "AnonRateThrottle",
    "BaseThrottle",
    "ScopedRateThrottle",
    "SimpleRateThrottle",
    "ThrottleUnavailable",
    "UserRateThrottle",
]

logger = logging.getLogger("restflow.throttling")


class ThrottleUnavailable(APIException):
    """The storage of the counts can't be reached, so a request can be neither counted nor allowed: 503."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "Service temporarily unavailable, try again later."
    default_code = "throttle_unavailable"


# Counting.


class _Window(NamedTuple):
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
    def hit(self, key: str, amount: int, seconds: float) -> _Window:
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
            return _Window(allowed, len(hits), hits[0] if hits else None, now)

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

    def hit(self, key: str, amount: int, seconds: float) -> _Window:
        item = self._item(amount, math.ceil(seconds))
        allowed = self._limiter.hit(item, key)
        return _window(allowed, item, self._limiter.get_window_stats(item, key))

    async def ahit(self, key: str, amount: int, seconds: float) -> _Window:
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


def _window(allowed: bool, item: Any, stats: Any) -> _Window:
    now = time.time()
    used = item.amount - stats.remaining
    # Redis keeps times to the tenth of a millisecond, so that one may seem to be yet to come.
    return _Window(allowed, used, min(now, stats.reset_time - item.get_expiry()) if used else None, now)


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


_counter = _Counter()
setting_changed.connect(_counter.forget)


# The RateLimit header fields.

_LARGEST = 999_999_999_999_999  # of an Integer, RFC 9651 section 3.3.1
_OUTSIDE_STRINGS = re.compile(r"[^\x20-\x7e]")


def _integer(value: float) -> int:
    return min(max(0, math.ceil(value)), _LARGEST)


def _announce(view: Any, name: str, amount: int, seconds: float, window: _Window) -> None:
    """Add one throttle to the view's header fields. Source: draft-ietf-httpapi-ratelimit-headers-10."""
    headers = getattr(view, "headers", None)
    if not isinstance(headers, dict) or not settings.THROTTLE_HEADERS:
        return
    policy = '"{}"'.format(_OUTSIDE_STRINGS.sub("?", name).replace("\\", "\\\\").replace('"', '\\"'))
    left = seconds if window.oldest is None else window.oldest + seconds - window.now
    fields = {
        "RateLimit-Policy": f"{policy};q={_integer(amount)};w={_integer(seconds)}",
        "RateLimit": f"{policy};r={_integer(amount - window.used)};t={_integer(left)}",
    }
    # A new dict: what default_response_headers gives may be shared.
    view.headers = headers | {
        field: f"{headers[field]}, {item}" if field in headers else item for field, item in fields.items()
    }


# The throttles.


class BaseThrottle(TwoColoured, drf.BaseThrottle, hooks=("allow_request", "get_ident", "wait")):
    """A throttle whose ``allow_request`` and ``wait`` may be written in either colour.

    Write ``allow_request`` or ``aallow_request``, sync or ``async def``: whichever name is called, the nearest override
    answers. ``wait`` has one name, and may be ``async def``.

    Source: DRF 3.18, throttling.py.
    """

    aallow_request = twin("allow_request")

    @sync
    async def get_ident(self, request: Any) -> Any:
        """Identify the machine that makes the request, as DRF does: by X-Forwarded-For and ``NUM_PROXIES``.

        Args:
            request: the request.

        Returns:
            The address.

        Source: DRF 3.18, throttling.py, ``get_ident``.
        """
        return drf.BaseThrottle.get_ident(self, request)

    aget_ident = asynchronous(get_ident)

    @sync
    async def wait(self) -> float | None:
        """Return the seconds to wait before the next request, where they are known.

        Returns:
            None.

        Source: DRF 3.18, throttling.py, ``wait``.
        """
        return None


class SimpleRateThrottle(
    BaseThrottle,
    drf.SimpleRateThrottle,
    hooks=("get_cache_key", "get_rate", "parse_rate", "throttle_failure", "throttle_success"),
):
    """A throttle by rate, that needs a ``get_cache_key``, of either colour.

    Rates, scopes and keys are DRF's. The counts are not kept in Django's cache but where
    ``RESTFLOW["THROTTLE_STORAGE"]`` says: DRF's ``cache`` and ``timer`` are not used, and neither ``history`` nor
    ``now`` is set. ``window`` holds what the request found instead: ``used``, the requests in the window, and
    ``oldest``, the time of the first. Throttles with the same key and another rate count apart.

    Raises:
        ImproperlyConfigured: a subclass sets ``cache``.

    Source: DRF 3.18, throttling.py.
    """

    rate: str | None
    num_requests: int | None
    duration: int | None
    key: Any
    window: _Window

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.cache is not drf.SimpleRateThrottle.cache:
            raise ImproperlyConfigured(
                f"{cls.__name__}.cache would not be used: restflow's throttles do not count in Django's cache. Remove "
                f"it and set RESTFLOW['THROTTLE_STORAGE'], or derive {cls.__name__} from rest_framework.throttling."
            )

    aget_cache_key = twin("get_cache_key")

    @sync
    async def get_rate(self) -> str | None:
        """Return the rate of the throttle's scope.

        Returns:
            The rate in DRF's form (``"100/day"``); None for no limit.

        Raises:
            ImproperlyConfigured: there is no scope, or no rate for it.

        Source: DRF 3.18, throttling.py, ``get_rate``.
        """
        if type(getattr(type(self), "THROTTLE_RATES", None)) is dict:
            return drf.SimpleRateThrottle.get_rate(self)
        return await blocking(drf.SimpleRateThrottle.get_rate, self)

    aget_rate = asynchronous(get_rate)

    @sync
    async def parse_rate(self, rate: str | None) -> tuple[int | None, int | None]:
        """Return what a rate says.

        Args:
            rate: ``"requests/period"``, the period by its first letter: s, m, h or d.

        Returns:
            The number of requests and the seconds; two Nones for no limit.

        Source: DRF 3.18, throttling.py, ``parse_rate``.
        """
        return drf.SimpleRateThrottle.parse_rate(self, rate)

    aparse_rate = asynchronous(parse_rate)

    @sync
    async def allow_request(self, request: Any, view: Any) -> bool:
        """Count the request, unless there is no room for it.

        Args:
            request: the request.
            view: the view it is for; its ``headers`` get the RateLimit fields.

        Returns:
            Whether it was counted. True, too, where there is no rate or no key, and where the storage is down and
            ``RESTFLOW["THROTTLE_FAILS_OPEN"]`` is set.

        Raises:
            ThrottleUnavailable: the storage is down.

        Source: DRF 3.18, throttling.py, ``allow_request``.
        """
        if not await self._is_limited(view):
            return True
        self.key = await hook(self, "get_cache_key", request, view)
        if self.key is None:
            return True
        amount: Any = self.num_requests
        seconds: Any = self.duration
        counter = await _counter.get()
        try:
            self.window = await hook(counter, "hit", str(self.key), amount, seconds)
        except counter.failures as error:
            return _without_count(error)
        _announce(view, await attribute(self, "scope") or type(self).__name__, amount, seconds, self.window)
        answer: bool = await hook(self, "throttle_success" if self.window.allowed else "throttle_failure")
        return answer

    async def _is_limited(self, view: Any) -> bool:
        return await attribute(self, "rate") is not None

    aallow_request = asynchronous(allow_request)

    @sync
    async def throttle_success(self) -> bool:
        """Answer for a request that was counted.

        Returns:
            True.

        Source: DRF 3.18, throttling.py, ``throttle_success``.
        """
        return True

    athrottle_success = asynchronous(throttle_success)

    @sync
    async def throttle_failure(self) -> bool:
        """Answer for a request that found no room.

        Returns:
            False.

        Source: DRF 3.18, throttling.py, ``throttle_failure``.
        """
        return False

    athrottle_failure = asynchronous(throttle_failure)

    @sync
    async def wait(self) -> float | None:
        """Return the seconds until the oldest request leaves the window, shared out as DRF does.

        Returns:
            The seconds; None where the window holds more requests than the rate allows.

        Source: DRF 3.18, throttling.py, ``wait``.
        """
        amount: Any = self.num_requests
        seconds: Any = self.duration
        if self.window.oldest is not None:
            seconds -= self.window.now - self.window.oldest
        available = amount - self.window.used + 1
        return seconds / float(available) if available > 0 else None


def _without_count(error: Exception) -> bool:
    """Answer for a request that could not be counted."""
    is_open = settings.THROTTLE_FAILS_OPEN
    logger.error("The throttle storage failed; a request was %s.", "allowed" if is_open else "refused", exc_info=error)
    if is_open:
        return True
    raise ThrottleUnavailable from error


def _is_authenticated(request: Any) -> bool:
    return bool(request.user and request.user.is_authenticated)


def _user_key(request: Any) -> tuple[Any, ...]:
    return (request.user.pk,) if _is_authenticated(request) else ()


async def _of_user(function: Any, request: Any) -> Any:
    """Call a function that reads the user, in place where that can't block."""
    return function(request) if user_is_known(request) else await blocking(function, request)


async def _key_by_user(throttle: SimpleRateThrottle, request: Any) -> str:
    known = await _of_user(_user_key, request)
    return await _key(throttle, known[0] if known else await hook(throttle, "get_ident", request))


async def _key(throttle: SimpleRateThrottle, ident: Any) -> str:
    form: str = await attribute(throttle, "cache_format")
    return form % {"scope": await attribute(throttle, "scope"), "ident": ident}


class AnonRateThrottle(SimpleRateThrottle, drf.AnonRateThrottle):
    """Throttle those who are not authenticated, by address. Source: DRF 3.18, throttling.py."""

    @sync
    async def get_cache_key(self, request: Any, view: Any) -> str | None:
        """Return the key to count under.

        Args:
            request: the request.
            view: the view it is for.

        Returns:
            The scope and the address; None for an authenticated user.

        Source: DRF 3.18, throttling.py, ``AnonRateThrottle.get_cache_key``.
        """
        if await _of_user(_is_authenticated, request):
            return None
        return await _key(self, await hook(self, "get_ident", request))

    aget_cache_key = asynchronous(get_cache_key)


class UserRateThrottle(SimpleRateThrottle, drf.UserRateThrottle):
    """Throttle users by their key, others by address. Source: DRF 3.18, throttling.py."""

    @sync
    async def get_cache_key(self, request: Any, view: Any) -> str | None:
        """Return the key to count under.

        Args:
            request: the request.
            view: the view it is for.

        Returns:
            The scope, and the user's primary key or the address.

        Source: DRF 3.18, throttling.py, ``UserRateThrottle.get_cache_key``.
        """
        return await _key_by_user(self, request)

    aget_cache_key = asynchronous(get_cache_key)


class ScopedRateThrottle(SimpleRateThrottle, drf.ScopedRateThrottle):
    """Throttle by the scope that the view names in ``throttle_scope``. Source: DRF 3.18, throttling.py."""

    async def _is_limited(self, view: Any) -> bool:
        self.scope = await attribute(view, self.scope_attr, None)
        if not self.scope:
            return False
        self.rate = await hook(self, "get_rate")
        self.num_requests, self.duration = await hook(self, "parse_rate", self.rate)
        return self.rate is not None

    @sync
    async def get_cache_key(self, request: Any, view: Any) -> str | None:
        """Return the key to count under.

        Args:
            request: the request.
            view: the view it is for.

        Returns:
            The scope, and the user's primary key or the address.

        Source: DRF 3.18, throttling.py, ``ScopedRateThrottle.get_cache_key``.
        """
        return await _key_by_user(self, request)

    aget_cache_key = asynchronous(get_cache_key)
