"""DRF's throttles, with hooks in two colours, counting atomically.

DRF reads a list of times from the cache, appends one and writes it back, so one of two concurrent requests may not be
counted. Here a request is counted in one step, in memory or in Redis, so that the rate holds exactly for any number of
concurrent requests. ``views/policies.py`` calls the throttles, and they call ``restflow.counting``.
"""

from __future__ import annotations

import logging
import math
import re
import time
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework import status
from rest_framework import throttling as drf
from rest_framework.exceptions import APIException

from restflow.counting import counter, shortened
from restflow.drf import user_is_known
from restflow.flow import TwoColoured, asynchronous, attribute, blocking, hook, must_be_awaited, sync, twin
from restflow.settings import settings
from restflow.streams import hold

__all__ = [
    "AnonRateThrottle",
    "BaseThrottle",
    "OpenStreamsThrottle",
    "ScopedRateThrottle",
    "SimpleRateThrottle",
    "ThrottleUnavailable",
    "UserRateThrottle",
]
__dir__ = __all__.copy

logger = logging.getLogger("restflow.throttling")


class ThrottleUnavailable(APIException):
    """The storage of the counts can't be reached, so a request can be neither counted nor allowed: a 503."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "Service temporarily unavailable, try again later."
    default_code = "throttle_unavailable"


# The RateLimit header fields.

_LARGEST = 999_999_999_999_999  # of an Integer, RFC 9651 section 3.3.1
_OUTSIDE_STRINGS = re.compile(r"[^\x20-\x7e]")


def _integer(value: float) -> int:
    return min(max(0, math.ceil(value)), _LARGEST)


def _announce(view: Any, name: str, amount: int, seconds: float, history: list[float], now: float) -> None:
    """Add one throttle to the view's RateLimit header fields. Source: draft-ietf-httpapi-ratelimit-headers-10."""
    headers = getattr(view, "headers", None)
    if not isinstance(headers, dict) or not settings.THROTTLE_HEADERS:
        return
    policy = '"{}"'.format(_OUTSIDE_STRINGS.sub("?", name).replace("\\", "\\\\").replace('"', '\\"'))
    used = len(history) + (len(history) < amount)
    # The request after whose expiry there is room: the oldest, unless another rate with this key allows more.
    left = seconds - (now - history[min(amount, len(history)) - 1]) if history and amount > 0 else seconds
    fields = {
        "RateLimit-Policy": f"{policy};q={_integer(amount)};w={_integer(seconds)}",
        "RateLimit": f"{policy};r={_integer(amount - used)};t={_integer(left)}",
    }
    # A new dict, because default_response_headers may return a shared one.
    view.headers = headers | {
        field: f"{headers[field]}, {item}" if field in headers else item for field, item in fields.items()
    }


# The throttles.


must_be_awaited("allow_request", is_view=False)


class BaseThrottle(TwoColoured, drf.BaseThrottle, hooks=("allow_request", "get_ident", "wait")):
    """Base class of throttles whose ``allow_request`` and ``wait`` may be of either colour.

    Write ``allow_request`` or ``aallow_request``, sync or ``async def``. Whichever name is called, the nearest override
    runs. ``wait`` has one name, and may be ``async def``.

    Source: DRF 3.18, throttling.py.
    """

    aallow_request = twin("allow_request")

    @sync
    async def get_ident(self, request: Any) -> Any:
        """Return the address that identifies the client, from X-Forwarded-For and ``NUM_PROXIES``, as in DRF.

        Returns:
            The address.

        Source: DRF 3.18, throttling.py, ``get_ident``.
        """
        return drf.BaseThrottle.get_ident(self, request)

    aget_ident = asynchronous(get_ident)

    @sync
    async def wait(self) -> float | None:
        """Return the number of seconds to wait before the next request, if it is known.

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
    """A throttle by rate; a subclass defines ``get_cache_key``, in either colour.

    Rates, scopes and keys are DRF's, and so are the results: ``history``, the times of the requests in the period,
    newest first, and ``now``. The times are not stored in Django's cache but in ``RESTFLOW["THROTTLE_STORAGE"]``, and
    the request is counted before ``throttle_success`` is called. Throttles with the same key share one history.

    Raises:
        ImproperlyConfigured: a subclass sets ``cache``.

    Source: DRF 3.18, throttling.py.
    """

    rate: str | None
    num_requests: int | None
    duration: int | None
    key: Any
    now: float
    history: list[float]

    _is_counted = False
    """Whether our ``allow_request`` has counted. An override written for DRF counts in Django's cache."""

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
        """Parse a rate.

        Args:
            rate: ``"requests/period"``; only the first letter of the period counts: s, m, h or d.

        Returns:
            The number of requests and of seconds; None and None for no limit.

        Source: DRF 3.18, throttling.py, ``parse_rate``.
        """
        return drf.SimpleRateThrottle.parse_rate(self, rate)

    aparse_rate = asynchronous(parse_rate)

    @sync
    async def allow_request(self, request: Any, view: Any) -> bool:
        """Count the request, unless the limit has been reached.

        Args:
            view: the view; its ``headers`` get the RateLimit fields.

        Returns:
            Whether it was counted. Also True if there is no rate or no key, or if the storage is down and
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
        # `timer` as DRF's throttles have it. time.time is looked up at each call, so that tests can replace it.
        now = self.now = time.time() if self.timer is _CLOCK else await hook(self, "timer")
        self.history, self._is_counted = [], False
        storage = await counter.get()
        try:
            history = await hook(storage, "hit", shortened(str(self.key)), amount, seconds, now)
        except storage.failures as error:
            return _without_count(error)
        self.history, self._is_counted = history, True
        is_allowed = len(history) < amount
        _announce(view, await attribute(self, "scope") or type(self).__name__, amount, seconds, history, now)
        answer: bool = await hook(self, "throttle_success" if is_allowed else "throttle_failure")
        return answer

    async def _is_limited(self, view: Any) -> bool:
        return await attribute(self, "rate") is not None

    aallow_request = asynchronous(allow_request)

    @sync
    async def throttle_success(self) -> bool:
        """Return True for a request that was counted, and add it to ``history``.

        Returns:
            True.

        Source: DRF 3.18, throttling.py, ``throttle_success``.
        """
        if not self._is_counted:
            return await blocking(drf.SimpleRateThrottle.throttle_success, self)
        self.history.insert(0, self.now)
        return True

    athrottle_success = asynchronous(throttle_success)

    @sync
    async def throttle_failure(self) -> bool:
        """Return False for a request over the limit.

        Returns:
            False.

        Source: DRF 3.18, throttling.py, ``throttle_failure``.
        """
        return False

    athrottle_failure = asynchronous(throttle_failure)

    @sync
    async def wait(self) -> float | None:
        """Return the number of seconds until the oldest request leaves the period, divided among the rest as in DRF.

        Returns:
            The seconds; None if the period has more requests than the rate allows.

        Source: DRF 3.18, throttling.py, ``wait``.
        """
        return drf.SimpleRateThrottle.wait(self)


_CLOCK: Any = drf.SimpleRateThrottle.timer


def _without_count(error: Exception) -> bool:
    """Allow or refuse a request that could not be counted."""
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
    """Call a function that reads the user: directly if that can't block, otherwise in the thread."""
    return function(request) if user_is_known(request) else await blocking(function, request)


async def _key_by_user(throttle: SimpleRateThrottle, request: Any) -> str:
    key = await _of_user(_user_key, request)
    return await _key(throttle, key[0] if key else await hook(throttle, "get_ident", request))


async def _key(throttle: SimpleRateThrottle, ident: Any) -> str:
    form: str = await attribute(throttle, "cache_format")
    return form % {"scope": await attribute(throttle, "scope"), "ident": ident}


class AnonRateThrottle(SimpleRateThrottle, drf.AnonRateThrottle):
    """Throttles requests that are not authenticated, by address. Source: DRF 3.18, throttling.py."""

    @sync
    async def get_cache_key(self, request: Any, view: Any) -> str | None:
        """Return the key under which to count the request.

        Returns:
            The scope and the address; None for an authenticated user.

        Source: DRF 3.18, throttling.py, ``AnonRateThrottle.get_cache_key``.
        """
        if await _of_user(_is_authenticated, request):
            return None
        return await _key(self, await hook(self, "get_ident", request))

    aget_cache_key = asynchronous(get_cache_key)


class UserRateThrottle(SimpleRateThrottle, drf.UserRateThrottle):
    """Throttles users by primary key, and other clients by address. Source: DRF 3.18, throttling.py."""

    @sync
    async def get_cache_key(self, request: Any, view: Any) -> str | None:
        """Return the key under which to count the request.

        Returns:
            The scope, and the user's primary key or the address.

        Source: DRF 3.18, throttling.py, ``UserRateThrottle.get_cache_key``.
        """
        return await _key_by_user(self, request)

    aget_cache_key = asynchronous(get_cache_key)


class ScopedRateThrottle(SimpleRateThrottle, drf.ScopedRateThrottle):
    """Throttles by the view's ``throttle_scope``. Source: DRF 3.18, throttling.py."""

    async def _is_limited(self, view: Any) -> bool:
        self.scope = await attribute(view, self.scope_attr, None)
        if not self.scope:
            return False
        self.rate = await hook(self, "get_rate")
        self.num_requests, self.duration = await hook(self, "parse_rate", self.rate)
        return self.rate is not None

    @sync
    async def get_cache_key(self, request: Any, view: Any) -> str | None:
        """Return the key under which to count the request.

        Returns:
            The scope, and the user's primary key or the address.

        Source: DRF 3.18, throttling.py, ``ScopedRateThrottle.get_cache_key``.
        """
        return await _key_by_user(self, request)

    aget_cache_key = asynchronous(get_cache_key)


class OpenStreamsThrottle(BaseThrottle):
    """Limits how many streams are open at the same time, by user, or by address for unauthenticated requests.

    They are counted in the memory of the process until the response ends, however it ends. If the view returns anything
    but a stream, the request counts until the view has returned.
    """

    limit = 5
    """How many streams a user may have open in one process."""

    scope = "streams"
    """Throttles with the same scope share their counts."""

    @sync
    async def allow_request(self, request: Any, view: Any) -> bool:
        """Count the request until it has ended, unless ``limit`` streams are open.

        Returns:
            Whether it was counted.
        """
        key = await _of_user(_user_key, request)
        ident = f"user {key[0]}" if key else f"address {await hook(self, 'get_ident', request)}"
        name, most = f"{await attribute(self, 'scope')} {ident}", await attribute(self, "limit")
        return hold(getattr(request, "_request", request), shortened(name), most)

    aallow_request = asynchronous(allow_request)
