"""Counts of throttles are exact, apart for each client and scope, and take no room that clients choose."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from django.contrib.auth.models import User
from django.test import override_settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.test import APIRequestFactory

from restflow import throttling
from tests.site import Site
from tests.throttles import Async, Sync, Twice, every_view, throttled


class Slowly(int):
    """A limit that gives other threads a turn at the moment a count is compared with it."""

    __hash__ = int.__hash__

    def __gt__(self, other):
        time.sleep(0.0001)
        return super().__gt__(other)


def test_threads_and_an_event_loop_share_one_exact_count(throttle_storage):
    class Some(throttling.AnonRateThrottle):
        rate = "100/hour"

        def parse_rate(self, rate):
            amount, seconds = super().parse_rate(rate)
            return Slowly(amount), seconds

    sync, request = throttled(Sync, Some), APIRequestFactory().get("/")
    with Site({"x/": throttled(Async, Some)}, RESTFLOW=throttle_storage) as site, ThreadPoolExecutor(8) as threads:

        async def on_the_loop() -> list[int]:
            return [answer.status for answer in await asyncio.gather(*(site.asend("GET", "/x/") for _ in range(150)))]

        start = threading.Barrier(9)

        def in_a_thread(_: int) -> list[int]:
            start.wait()
            return [sync(request).status_code for _ in range(25)]

        in_threads = [threads.submit(in_a_thread, number) for number in range(8)]
        start.wait()
        found = asyncio.run(on_the_loop())
        for done in in_threads:
            found += done.result()
    assert (found.count(200), found.count(429)) == (100, 250)


def test_the_first_requests_of_a_process_make_one_count_between_them():
    class Once(throttling.AnonRateThrottle):
        rate = "1/hour"

    view, request = throttled(Sync, Once), APIRequestFactory().get("/")
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(16) as threads:
            for _ in range(30):
                start = threading.Barrier(16)

                def ask(start: threading.Barrier = start) -> int:
                    start.wait()
                    return view(request).status_code

                with override_settings(RESTFLOW={}):
                    found = [done.result() for done in [threads.submit(ask) for _ in range(16)]]
                assert found.count(200) == 1
    finally:
        sys.setswitchinterval(interval)


@every_view
def test_users_and_scopes_are_counted_apart(base, throttle_storage):
    class ByHeader(BaseAuthentication):
        def authenticate(self, request):
            return User(pk=int(request.headers["x-user"])), None

    class Scoped(throttling.ScopedRateThrottle):
        THROTTLE_RATES = {"a": "1/min", "b": "1/min"}

    views = {
        f"{scope}/": throttled(base, Scoped, throttle_scope=scope, authentication_classes=[ByHeader]) for scope in "ab"
    }
    with Site(views, RESTFLOW=throttle_storage) as site:
        found = [site.send("GET", f"/{scope}/", headers={"x-user": user}).status for user in "12" for scope in "aab"]
    assert found == [200, 429, 200, 200, 429, 200]


def test_clients_that_stay_away_are_forgotten(monkeypatch):
    now = [7e9]
    monkeypatch.setattr(time, "time", lambda: now[0])
    request = APIRequestFactory().get("/")
    view = throttled(Sync, Twice)

    def held(clients: range) -> int:
        for number in clients:
            request.META["REMOTE_ADDR"] = f"{number:0>100}"
            assert view(request).status_code == 200
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    with override_settings(RESTFLOW={}):
        held(range(1))
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            # Those of this minute are remembered.
            assert held(range(1, 1001)) - before > 200_000
            now[0] += 61
            request.META["REMOTE_ADDR"] = "another"
            for _ in range(1000):
                view(request)
            assert held(range(1)) - before < 100_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("gaps", [0, 1])
def test_in_memory_who_stayed_away_longest_is_forgotten_beyond_the_maximum(gaps):
    request = APIRequestFactory().get("/")
    view = throttled(Sync, type("Once", (throttling.AnonRateThrottle,), {"rate": "1/day"}))

    def ask(clients: str) -> list[int]:
        found = []
        for client in clients:
            request.META["REMOTE_ADDR"] = client
            found.append(view(request).status_code)
        return found

    with override_settings(RESTFLOW={"THROTTLE_STORAGE_OPTIONS": {"max_entries": 4 - gaps}}):
        assert ask("abc") == [200, 200, 200]
        assert ask("a") == [429]  # and so it was here a moment ago
        assert ask("d") == [200]
        assert ask("acd") == [429, 429, 429]
        assert ask("b") == [200 if gaps else 429]


def test_names_that_clients_make_long_take_no_room(throttle_storage):
    request = APIRequestFactory().get("/")
    view = throttled(Sync, Twice)

    def ask(number: int) -> int:
        request.META["HTTP_X_FORWARDED_FOR"] = f"{number}" + 50_000 * "x"
        vars(request).pop("headers", None)
        return view(request).status_code

    with override_settings(RESTFLOW=throttle_storage):
        ask(0)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            assert {ask(number) for number in range(1, 200)} == {200}
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] - before < 1_000_000
        finally:
            tracemalloc.stop()
        # They are told apart all the same.
        assert [ask(7), ask(7), ask(201)] == [200, 429, 200]
    if throttle_storage["THROTTLE_STORAGE"] != "memory://":
        with redis.Redis.from_url(throttle_storage["THROTTLE_STORAGE"]) as client:
            keys = list(client.scan_iter("*" + throttle_storage["THROTTLE_STORAGE_OPTIONS"]["key_prefix"] + "*"))
        assert len(keys) == 201
        assert max(map(len, keys)) < 200
