"""On an event loop: a count costs no hop, sync code of a throttle waits elsewhere, connections are the loop's own."""

from __future__ import annotations

import asyncio
import gc
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils.functional import SimpleLazyObject
from rest_framework.authentication import BaseAuthentication

from restflow import throttling
from tests.safety.support import Gate, through
from tests.site import Site
from tests.throttles import Async, Twice, throttled


def hops(*throttles: Any, **options: Any) -> list[int]:
    attributes = options.pop("attributes", {})
    with Site({"x/": throttled(Async, *throttles, **attributes)}, **options) as site:
        return [site.send("GET", "/x/").hops for _ in range(3)]


def test_a_count_costs_an_async_view_no_hop(throttle_storage):
    class Anon(throttling.AnonRateThrottle):
        rate = "2/min"

    class Scoped(throttling.ScopedRateThrottle):
        THROTTLE_RATES = {"a": "9/min"}

    first, *others = hops(Twice, Anon, Scoped, attributes={"throttle_scope": "a"}, RESTFLOW=throttle_storage)
    # Redis' libraries are imported once, in the worker thread.
    assert first == (throttle_storage["THROTTLE_STORAGE"] != "memory://")
    assert others == [0, 0]


class WaitingKey(Twice):
    gate: Gate

    def get_cache_key(self, request, view):
        self.gate.wait()
        return "key"


class WaitingRates(throttling.ScopedRateThrottle):
    gate: Gate

    class Rates(dict):
        def __getitem__(self, scope):
            WaitingRates.gate.wait()
            return "1/min"

    THROTTLE_RATES = Rates()


class WaitingScope(Twice):
    gate: Gate

    @property
    def scope(self):
        self.gate.wait()
        return "scope"


class WaitingUser(throttling.UserRateThrottle):
    rate = "2/min"
    gate: Gate


class WaitingAnon(throttling.AnonRateThrottle):
    rate = "2/min"
    gate: Gate


class Lazy(BaseAuthentication):
    gate: Gate

    async def authenticate(self, request):
        def user() -> Any:
            self.gate.wait()
            return User(pk=1)

        return SimpleLazyObject(user), None


@pytest.mark.parametrize("throttle", [WaitingKey, WaitingRates, WaitingScope, WaitingUser, WaitingAnon])
def test_the_loop_goes_on_while_sync_code_of_a_throttle_waits(throttle, throttle_storage, monkeypatch):
    gate = Gate()
    monkeypatch.setattr(throttle, "gate", gate, raising=False)
    monkeypatch.setattr(Lazy, "gate", gate, raising=False)
    lazy = throttle in (WaitingUser, WaitingAnon)
    view = throttled(Async, throttle, throttle_scope="a", authentication_classes=[Lazy] if lazy else [])
    with Site({"x/": view}, RESTFLOW=throttle_storage) as site:
        answer = asyncio.run(through(gate, lambda: site.asend("GET", "/x/")))
    assert answer.status == 200
    assert set(gate.places) == {"thread"}


def test_each_loop_has_connections_of_its_own_and_closes_them(redis_storage):
    with Site({"x/": throttled(Async, Twice)}, RESTFLOW=redis_storage) as site:
        loops = []

        async def some() -> list[int]:
            loops.append(weakref.ref(asyncio.get_running_loop()))
            return [answer.status for answer in await asyncio.gather(*(site.asend("GET", "/x/") for _ in range(5)))]

        found = asyncio.run(some()) + asyncio.run(some())
        with ThreadPoolExecutor(2) as threads:
            for done in [threads.submit(asyncio.run, some()) for _ in range(2)]:
                found += done.result()
        gc.collect()  # an unclosed connection would warn
        assert [loop() for loop in loops] == [None] * 4
    assert found.count(200) == 2


def test_loops_that_are_open_together_count_together(redis_storage):
    with (
        Site({"x/": throttled(Async, Twice)}, RESTFLOW=redis_storage) as site,
        asyncio.Runner() as one,
        asyncio.Runner() as other,
    ):
        found = [runner.run(site.asend("GET", "/x/")).status for runner in (one, other, one, other)]
    assert found == [200, 200, 429, 429]


def test_a_loop_that_was_closed_in_haste_is_forgotten(redis_storage):
    with Site({"x/": throttled(Async, Twice)}, RESTFLOW=redis_storage) as site:
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(site.asend("GET", "/x/")).status == 200
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()  # without loop.shutdown_asyncgens(), as asyncio.run calls it
        forgotten = weakref.ref(loop)
        del loop
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            assert [asyncio.run(site.asend("GET", "/x/")).status for _ in range(2)] == [200, 429]
            gc.collect()
            assert forgotten() is None


def test_a_change_of_settings_lets_go_of_connections(redis_storage):
    with asyncio.Runner() as runner:
        for _ in range(2):
            with Site({"x/": throttled(Async, Twice)}, RESTFLOW=redis_storage) as site:
                assert runner.run(site.asend("GET", "/x/")).status == 200
            gc.collect()
            runner.run(asyncio.sleep(0.05))
