"""Throttles are DRF's with hooks of either colour, and say what they are missing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from rest_framework import throttling as drf
from rest_framework.test import APIRequestFactory

from restflow import throttling
from tests.matrix import each_pair
from tests.safety.support import here
from tests.site import Site
from tests.throttles import Twice, every_view, statuses, throttled

NAMES = ["BaseThrottle", "SimpleRateThrottle", "AnonRateThrottle", "UserRateThrottle", "ScopedRateThrottle"]


@pytest.mark.parametrize("name", NAMES)
def test_each_throttle_is_one_of_drfs(name):
    assert issubclass(getattr(throttling, name), getattr(drf, name))
    assert getattr(throttling, name) is not getattr(drf, name)


def hook_cases() -> dict[str, tuple[Any, list[int]]]:
    def own(value: Any) -> Any:
        return lambda self, *args: value

    return {
        "get_cache_key": (own("a key"), [200, 200, 429]),
        "get_cache_key of none": (own(None), [200, 200, 200]),
        "get_ident": (own("someone"), [200, 200, 429]),
        "get_rate": (own("1/min"), [200, 429, 429]),
        "get_rate of none": (own(None), [200, 200, 200]),
        "parse_rate": (own((1, 60)), [200, 429, 429]),
        "throttle_success": (own(False), [429, 429, 429]),
        "throttle_failure": (own(True), [200, 200, 200]),
        "allow_request": (own(False), [429, 429, 429]),
    }


def coloured(function: Any, colour: str) -> Any:
    if colour == "sync":
        return function

    async def hook(self: Any, *args: Any) -> Any:
        await asyncio.sleep(0)
        return function(self, *args)

    return hook


@each_pair
@pytest.mark.parametrize("colour", ["sync", "async", "async name"])
@pytest.mark.parametrize("case", hook_cases())
@every_view
def test_a_hook_of_either_colour_is_obeyed(base, case, colour):
    function, expected = hook_cases()[case]
    name = case.split()[0]
    attributes: dict[str, Any] = {("a" + name if colour == "async name" else name): coloured(function, colour)}
    if name != "get_rate":
        attributes["rate"] = "2/min"
    throttle = type("T", (throttling.UserRateThrottle,), attributes)
    if name == "allow_request":
        attributes["wait"] = coloured(lambda self: None, colour)
        throttle = type("T", (throttling.BaseThrottle,), attributes)
    assert statuses(throttled(base, throttle), 3) == expected


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("base_throttle", [throttling.BaseThrottle, Twice])
@every_view
def test_a_wait_of_either_colour_gives_the_retry_after(base, base_throttle, colour):
    class Throttle(base_throttle):
        allow_request = coloured(lambda self, request, view: False, "sync")
        wait = coloured(lambda self: 7.5, colour)

    with Site({"x/": throttled(base, Throttle)}) as site:
        answer = site.send("GET", "/x/")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "8")


@every_view
def test_a_throttle_that_knows_no_wait_gives_no_retry_after(base):
    class Throttle(throttling.BaseThrottle):
        def allow_request(self, request, view):
            return False

    with Site({"x/": throttled(base, Throttle)}) as site:
        answer = site.send("GET", "/x/")
    assert (answer.status, answer.headers.get("Retry-After")) == (429, None)


@pytest.mark.parametrize("colour", ["sync", "async"])
@every_view
def test_an_override_of_either_colour_may_ask_its_parents(base, colour):
    class Throttle(Twice):
        if colour == "sync":

            def allow_request(self, request, view):
                return request.method == "HEAD" or super().allow_request(request, view)

            def get_cache_key(self, request, view):
                return super().get_cache_key(request, view) + "-ours"
        else:

            async def aallow_request(self, request, view):
                return request.method == "HEAD" or await super().aallow_request(request, view)

            async def aget_cache_key(self, request, view):
                return await super().aget_cache_key(request, view) + "-ours"

    with Site({"x/": throttled(base, Throttle)}, RESTFLOW={}) as site:
        found = [site.send(method, "/x/").status for method in ("GET", "HEAD", "GET", "GET", "HEAD")]
    # The sync view answers HEAD by its GET handler too.
    assert found == [200, 200, 200, 429, 200]


@every_view
def test_rates_that_are_no_dict_are_read_where_they_may_block(base):
    class Rates(dict):
        places: list[str] = []

        def __getitem__(self, scope):
            self.places.append(here())
            return super().__getitem__(scope)

    class Scoped(throttling.ScopedRateThrottle):
        THROTTLE_RATES = Rates(a="1/min")

    assert statuses(throttled(base, Scoped, throttle_scope="a"), 2) == [200, 429]
    assert set(Rates.places) == {"thread"}


def test_a_throttle_without_a_scope_says_so():
    class Keyless(throttling.SimpleRateThrottle):
        pass

    with pytest.raises(ImproperlyConfigured, match=r"\.scope` or `\.rate` for 'Keyless'"):
        Keyless()


def test_a_throttle_without_a_key_says_so():
    class Keyless(throttling.SimpleRateThrottle):
        rate = "1/min"

    with pytest.raises(NotImplementedError, match="get_cache_key"):
        Keyless().allow_request(APIRequestFactory().get("/"), None)


def test_a_cache_of_a_throttles_own_is_refused():
    with pytest.raises(ImproperlyConfigured, match=r"Mine\.cache would not be used.*THROTTLE_STORAGE"):
        type("Mine", (throttling.UserRateThrottle,), {"cache": caches["default"]})


def test_a_throttle_is_called_directly_in_either_colour():
    async def ask() -> list[Any]:
        return [await Twice().aallow_request(APIRequestFactory().get("/"), None) for _ in range(2)]

    with override_settings(RESTFLOW={}):
        request = APIRequestFactory().get("/")
        request.user = None
        assert Twice().allow_request(request, None)
        throttle = Twice()
        assert throttle.allow_request(request, None)
        assert not throttle.allow_request(request, None)
        assert 59 < throttle.wait() <= 60
        assert (len(throttle.history), throttle.key) == (2, "throttle_user_127.0.0.1")
