"""One history for a scope and a client, as in DRF: shared by rates, read by hooks, forgotten with Django's cache."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core import mail
from django.core.cache import cache, caches
from django.core.cache.backends.filebased import FileBasedCache
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework import throttling as drf
from rest_framework.test import APIRequestFactory

from restflow import throttling
from tests.safety.support import here
from tests.site import Site
from tests.throttles import Async, OverDRF, Sync, every_view, statuses, throttled

COLOURS = {"async": Async, "sync": Sync}


def anonymous() -> Any:
    request = APIRequestFactory().get("/")
    request.user = AnonymousUser()
    return request


# Shared by rates


def of_rates(module: Any, rates: dict[str, str], clock: Callable[[], float]) -> dict[str, Any]:
    """Make throttles of one scope, one for each rate."""
    own = {"scope": "shared", "timer": staticmethod(clock)}
    return {name: type(name, (module.UserRateThrottle,), {**own, "rate": rate}) for name, rate in rates.items()}


@pytest.mark.parametrize("colour", COLOURS)
def test_a_view_of_a_lower_rate_counts_what_went_to_the_others(colour, throttle_storage):
    # The documented way to make one view stricter.
    class TwoADay(throttling.UserRateThrottle):
        rate = "2/day"

    class Usual(throttling.UserRateThrottle):
        rate = "5/day"

    base = COLOURS[colour]
    with Site({"a/": throttled(base, Usual), "b/": throttled(base, TwoADay)}, RESTFLOW=throttle_storage) as site:
        found = [site.send("GET", f"/{route}/").status for route in "aabaaaab"]
    assert found == [200, 200, 429, 200, 200, 200, 429, 429]


@pytest.mark.parametrize("colour", COLOURS)
@settings(max_examples=30, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rates=st.fixed_dictionaries(dict.fromkeys("abc", st.sampled_from(["1/s", "3/s", "2/m", "4/m", "3/h", "9/h"]))),
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0, 0, 0.5, 1, 29, 30, 60, 1800])), max_size=30),
)
def test_rates_of_one_scope_let_through_what_drf_does_and_lose_nothing(
    colour: str, throttle_storage: dict[str, Any], rates: dict[str, str], steps: Any
) -> None:
    options = throttle_storage.get("THROTTLE_STORAGE_OPTIONS", {})
    if options:
        options = {**options, "key_prefix": f"{options['key_prefix']}-{time.monotonic_ns()}"}
    now = [1_800_000_000.0]
    periods = {name: {"s": 1, "m": 60, "h": 3600}[rate[-1]] for name, rate in rates.items()}
    ours, theirs = of_rates(throttling, rates, lambda: now[0]), of_rates(drf, rates, lambda: now[0])
    counted: list[float] = []
    agreed = True
    cache.clear()

    async def series() -> None:
        nonlocal agreed
        # Each rate is known to the history from its first request on, and that is long ago.
        for name, delay in [*zip("abc", [0, 3601, 3601], strict=True), ("a", 3601), *steps]:
            now[0] += delay
            # A rate that has a time in its period finds it, whatever other rates share the history.
            found = [at for at in counted if at > now[0] - periods[name]]
            throttle, its = ours[name](), theirs[name]()
            allowed = await asked(throttle)
            assert allowed == (len(found) < int(rates[name][0]))
            if allowed:
                counted.append(now[0])
            if agreed:
                # DRF forgets what the shorter period does not need, and then lets more through: never the other way.
                agreed = its.allow_request(anonymous(), None) == allowed
                assert agreed or not allowed
            if len(set(periods.values())) == 1:
                assert agreed
                assert (throttle.history, throttle.now, throttle.key) == (its.history, its.now, its.key)

    async def asked(throttle: Any) -> bool:
        if colour == "async":
            allowed: bool = await throttle.aallow_request(anonymous(), None)
        else:
            allowed = await asyncio.to_thread(throttle.allow_request, anonymous(), None)
        return allowed

    with override_settings(RESTFLOW={**throttle_storage, "THROTTLE_STORAGE_OPTIONS": options}):
        asyncio.run(series())


def test_a_log_is_no_longer_than_what_its_rates_need(throttle_storage):
    now = [1e9]
    made = of_rates(throttling, {"a": "5/s", "b": "2/day"}, lambda: now[0])
    with override_settings(RESTFLOW=throttle_storage):
        assert made["b"]().allow_request(anonymous(), None)
        for _ in range(50):
            now[0] += 1
            assert made["a"]().allow_request(anonymous(), None)
        strict = made["b"]()
        assert not strict.allow_request(anonymous(), None)
        # No more than it takes to see that it is more than any of them allows. How long to wait is unknown, as in DRF.
        assert (len(strict.history), strict.wait()) == (6, None)


@pytest.mark.parametrize("colour", COLOURS)
def test_the_fields_tell_when_there_is_room_where_another_rate_let_more_through(colour, throttle_storage):
    now = [1e9]
    made = of_rates(throttling, {"a": "5/min", "b": "2/min"}, lambda: now[0])
    base = COLOURS[colour]
    views = {f"{name}/": throttled(base, throttle) for name, throttle in made.items()}
    with Site(views, RESTFLOW=throttle_storage) as site:
        for _ in range(4):
            site.send("GET", "/a/")
            now[0] += 10
        answer = site.send("GET", "/b/")
    # Requests at 0, 10, 20 and 30; now it is 40. There is room for one of two when that of 20 leaves.
    assert answer.headers["RateLimit"] == '"shared";r=0;t=40'
    assert "Retry-After" not in answer.headers


def test_a_clock_that_is_set_back_lets_nobody_through(throttle_storage):
    now = [1e9]
    made = of_rates(throttling, {"a": "2/min"}, lambda: now[0])["a"]
    with override_settings(RESTFLOW=throttle_storage):
        assert [made().allow_request(anonymous(), None) for _ in range(1)] == [True]
        now[0] -= 3600
        assert [made().allow_request(anonymous(), None) for _ in range(3)] == [True, False, False]
        now[0] += 3600 + 61
        assert made().allow_request(anonymous(), None)


# Read by hooks


def noting(module: Any, kind: str, seen: list[Any]) -> Any:
    """Make a throttle whose hooks note what DRF's attributes hold there."""

    class Noting(module.UserRateThrottle):
        rate = "2/min"
        timer = staticmethod(lambda: seen[0][0])

        def note(self, place: str) -> None:
            seen.append((place, list(self.history), self.now, self.key))

    def success(self: Any) -> Any:
        self.note("before")
        answer = super(Noting, self).throttle_success()
        self.note("after")
        return answer

    def failure(self: Any) -> Any:
        self.note("failure")
        return super(Noting, self).throttle_failure()

    def wait(self: Any) -> Any:
        self.note("wait")
        return super(Noting, self).wait()

    async def asuccess(self: Any) -> Any:
        self.note("before")
        answer = await super(Noting, self).athrottle_success()
        self.note("after")
        return answer

    async def afailure(self: Any) -> Any:
        self.note("failure")
        return await super(Noting, self).athrottle_failure()

    Noting.wait = wait
    if kind == "sync hooks":
        Noting.throttle_success, Noting.throttle_failure = success, failure
    else:
        Noting.athrottle_success, Noting.athrottle_failure = asuccess, afailure
    return Noting


@pytest.mark.parametrize("kind", ["sync hooks", "async hooks"])
@every_view
def test_hooks_find_the_history_that_they_find_in_drf(base, kind, throttle_storage):
    now = [1e9]
    seen: dict[str, list[Any]] = {"drf": [now], "ours": [now]}
    cache.clear()
    views = {
        "drf/": throttled(OverDRF, noting(drf, "sync hooks", seen["drf"])),
        "ours/": throttled(base, noting(throttling, kind, seen["ours"])),
    }
    with Site(views, RESTFLOW=throttle_storage) as site:
        for delay in (0, 10, 10, 45):
            now[0] += delay
            for url in views:
                site.send("GET", f"/{url}")
    assert seen["ours"] == seen["drf"]
    assert [entry[0] for entry in seen["ours"][1:]] == ["before", "after"] * 2 + ["failure", "wait"] + [
        "before",
        "after",
    ]


def copied(module: Any, kind: str) -> Any:
    """Make a throttle with an allow_request of its own, written as DRF's, for a rate that the request decides on."""

    class Copied(module.UserRateThrottle):
        rate = "1/day"

    def allow_request(self: Any, request: Any, view: Any) -> Any:
        self.num_requests, self.duration = self.parse_rate("2/min")
        self.key = self.get_cache_key(request, view)
        self.history = self.cache.get(self.key, [])
        self.now = self.timer()
        while self.history and self.history[-1] <= self.now - self.duration:
            self.history.pop()
        if len(self.history) >= self.num_requests:
            return self.throttle_failure()
        return self.throttle_success()

    async def aallow_request(self: Any, request: Any, view: Any) -> Any:
        self.num_requests, self.duration = self.parse_rate("2/min")
        self.key = await self.aget_cache_key(request, view)
        self.history = await self.cache.aget(self.key, [])
        self.now = self.timer()
        if len(self.history) >= self.num_requests:
            return await self.athrottle_failure()
        return await self.athrottle_success()

    if kind == "sync":
        Copied.allow_request = allow_request
    else:
        Copied.aallow_request = aallow_request
    return Copied


@pytest.mark.parametrize("kind", ["sync", "async"])
@every_view
def test_an_allow_request_that_was_copied_from_drf_counts_as_it_does_there(base, kind):
    cache.clear()
    with Site({"x/": throttled(base, copied(throttling, kind))}, RESTFLOW={}) as site:
        found = [site.send("GET", "/x/") for _ in range(3)]
    assert [answer.status for answer in found] == [200, 200, 429]
    assert 59 <= int(found[-1].headers["Retry-After"]) <= 60


@pytest.mark.parametrize("kind", ["method", "async method", "on the instance", "patched"])
@every_view
def test_a_timer_of_ones_own_is_obeyed(base, kind, throttle_storage):
    now = [1e9]

    class Timed(throttling.UserRateThrottle):
        rate = "1/min"
        if kind == "method":

            def timer(self):
                return now[0]

        elif kind == "async method":

            async def timer(self):
                return now[0]

        elif kind == "on the instance":

            def __init__(self):
                super().__init__()
                self.timer = lambda: now[0]

    found = []
    with (
        Site({"x/": throttled(base, Timed)}, RESTFLOW=throttle_storage) as site,
        mock.patch.object(drf.SimpleRateThrottle, "timer", (lambda self: now[0]) if kind == "patched" else time.time),
    ):
        for delay in (0, 59, 1):
            now[0] += delay
            found.append(site.send("GET", "/x/").status)
    assert found == [200, 429, 200]


# Forgotten with Django's cache


class Once(throttling.UserRateThrottle):
    rate = "1/day"


LOC_MEM = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "throttles"}
DUMMY = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}


class Asked(FileBasedCache):
    """A cache that it takes I/O to ask; notes who asks it, and where."""

    places: list[str] = []

    def get(self, *args, **kwargs):
        self.places.append(here())
        return super().get(*args, **kwargs)


@pytest.fixture(params=["locmem", "file", "database"])
def default_cache(request, tmp_path, transactional_db):
    place = {
        "locmem": LOC_MEM,
        "file": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": tmp_path},
        "database": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "throttles"},
    }[request.param]
    with override_settings(CACHES={"default": place}):
        if request.param == "database":
            call_command("createcachetable")
        yield cache
        cache.clear()
        if request.param == "database":
            with connection.cursor() as cursor:
                cursor.execute("DROP TABLE throttles")


@pytest.mark.usefixtures("default_cache")
@every_view
def test_a_cache_that_is_cleared_between_tests_begins_the_counts_anew(base, throttle_storage):
    with Site({"x/": throttled(base, Once)}, RESTFLOW=throttle_storage) as site:
        for _ in range(3):
            assert [site.send("GET", "/x/").status for _ in range(2)] == [200, 429]
            cache.clear()


@every_view
def test_in_production_the_cache_is_not_asked(base, throttle_storage, tmp_path, monkeypatch):
    monkeypatch.setattr(Asked, "places", [])
    place = {"BACKEND": f"{__name__}.Asked", "LOCATION": tmp_path}
    with (
        override_settings(CACHES={"default": place}),
        Site({"x/": throttled(base, Once)}, RESTFLOW=throttle_storage) as site,
    ):
        with monkeypatch.context() as patch:
            patch.delattr(mail, "outbox")
            found = [site.send("GET", "/x/").status for _ in range(2)]
            cache.clear()
            found += [site.send("GET", "/x/").status]
            assert (found, Asked.places) == ([200, 429, 429], [])
        # In tests it is, where it may wait.
        for _ in range(2):
            site.send("GET", "/x/")
        assert set(Asked.places) == {"thread"}


@every_view
def test_with_a_dummy_cache_tests_are_not_limited_as_in_drf_but_production_is(base, throttle_storage, monkeypatch):
    with (
        override_settings(CACHES={"default": DUMMY}),
        Site({"x/": throttled(base, Once)}, RESTFLOW=throttle_storage) as site,
    ):
        assert [site.send("GET", "/x/").status for _ in range(3)] == [200] * 3
        monkeypatch.delattr(mail, "outbox")
        assert [site.send("GET", "/x/").status for _ in range(2)][-1] == 429


def test_other_caches_are_not_meant(throttle_storage):
    places = {"default": LOC_MEM, "other": {**LOC_MEM, "LOCATION": "other"}}
    with (
        override_settings(CACHES=places),
        Site({"x/": throttled(Async, Once)}, RESTFLOW=throttle_storage) as site,
    ):
        assert site.send("GET", "/x/").status == 200
        caches["other"].clear()
        cache.delete("anything")
        assert site.send("GET", "/x/").status == 429


@pytest.mark.usefixtures("default_cache")
def test_after_a_clearing_counts_are_exact_again(throttle_storage):
    class Some(throttling.AnonRateThrottle):
        rate = "20/hour"

    view, request = throttled(Sync, Some), APIRequestFactory().get("/")
    with override_settings(RESTFLOW=throttle_storage), ThreadPoolExecutor(8) as threads:
        for _ in range(5):
            start = threading.Barrier(8)

            def ask(_: int, start: threading.Barrier = start) -> list[int]:
                start.wait()
                found = [view(request).status_code for _ in range(5)]
                connection.close()
                return found

            found = [status for each in threads.map(ask, range(8)) for status in each]
            # In Redis, what is counted in the moment of the clearing may go with it.
            assert 20 <= found.count(200) <= 20 + 7 * (throttle_storage["THROTTLE_STORAGE"] != "memory://")
            cache.clear()


def test_another_process_that_shares_the_counts_forgets_them_too(redis_storage):
    """In Redis the counts of all processes are one."""
    with override_settings(RESTFLOW=redis_storage, CACHES={"default": LOC_MEM}):
        assert Once().allow_request(anonymous(), None)
        cache.clear()
        # Another throttle notices it, under a key of its own.
        other = type("Other", (Once,), {"scope": "other"})
        assert other().allow_request(anonymous(), None)
    with override_settings(RESTFLOW=redis_storage):
        assert [Once().allow_request(anonymous(), None) for _ in range(2)] == [True, False]
        assert not other().allow_request(anonymous(), None)


def test_statuses_begin_anew_with_the_setting_too():
    assert statuses(throttled(Async, Once), 2) == statuses(throttled(Async, Once), 2) == [200, 429]
