"""Throttles in Redis: bursts, an event loop that is late, a Redis that is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import select
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from django.test import override_settings

from restflow import throttling
from tests.matrix import each_pair, each_value
from tests.site import Site
from tests.throttles import Async, Sync, every_view, throttled


class Five(throttling.AnonRateThrottle):
    rate = "5/day"


class Keyed(throttling.SimpleRateThrottle):
    rate = "5/day"

    def get_cache_key(self, request, view):
        return request


class Proxy:
    """Stands between a client and Redis. While it holds, what is sent either way lies unread."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self.redis = (place.hostname, place.port or 6379)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = place._replace(netloc=f"127.0.0.1:{self.server.getsockname()[1]}").geturl()
        self.opened = 0
        self.passing = threading.Event()
        self.passing.set()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        peers: dict[socket.socket, socket.socket] = {}
        while not self.ended.is_set():
            if not self.passing.wait(0.01):
                continue
            for ready in select.select([self.server, *peers], [], [], 0.01)[0]:
                if ready is self.server:
                    client, upstream = self.server.accept()[0], socket.create_connection(self.redis)
                    self.opened += 1
                    peers |= {client: upstream, upstream: client}
                elif ready in peers:
                    with contextlib.suppress(OSError):
                        if data := ready.recv(65536):
                            peers[ready].sendall(data)
                            continue
                    other = peers.pop(ready)
                    del peers[other]
                    ready.close()
                    other.close()
        for each in (self.server, *peers):
            each.close()


@pytest.fixture
def proxy(redis_storage) -> Iterator[Proxy]:
    proxy = Proxy(redis_storage["THROTTLE_STORAGE"])
    redis_storage["THROTTLE_STORAGE"] = proxy.url
    proxy.thread.start()
    yield proxy
    proxy.ended.set()
    proxy.thread.join()


@pytest.fixture
def dead_storage() -> dict[str, Any]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return {"THROTTLE_STORAGE": f"redis://127.0.0.1:{server.getsockname()[1]}"}


@pytest.fixture
def silent_storage() -> Iterator[dict[str, Any]]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        patience = {"socket_timeout": 0.2, "socket_connect_timeout": 0.1}
        yield {
            "THROTTLE_STORAGE": f"redis://127.0.0.1:{server.getsockname()[1]}",
            "THROTTLE_STORAGE_OPTIONS": patience,
        }


@pytest.fixture(params=["dead", "silent"])
def failing_storage(request) -> dict[str, Any]:
    storage: dict[str, Any] = request.getfixturevalue(f"{request.param}_storage")
    return storage


async def clients(site: Site, count: int) -> Counter[int]:
    """Send a request of each of many clients at once; return how often each status came."""
    asked = (site.asend("GET", "/x/", headers={"x-forwarded-for": str(number)}) for number in range(count))
    return Counter(answer.status for answer in await asyncio.gather(*asked))


# Bursts


@pytest.mark.parametrize("base", [Async, Sync])
def test_a_burst_of_clients_on_a_cold_process_is_counted_over_few_connections(base, redis_storage, proxy):
    # What redis-py and restflow have as defaults.
    redis_storage["THROTTLE_STORAGE_OPTIONS"] = {"key_prefix": redis_storage["THROTTLE_STORAGE_OPTIONS"]["key_prefix"]}
    with Site({"x/": throttled(base, Five)}, RESTFLOW=redis_storage) as site:
        assert asyncio.run(clients(site, 300)) == {200: 300}
    assert proxy.opened == 1


EAGER = pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11 starts no task eagerly")


@pytest.mark.parametrize("start", ["later", pytest.param("eager", marks=EAGER)])
def test_who_came_first_is_counted_first(start, redis_storage):
    async def burst() -> list[bool]:
        if start == "eager":
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        return await asyncio.gather(*(Keyed().aallow_request("a", None) for _ in range(600)))

    with override_settings(RESTFLOW=redis_storage):
        assert asyncio.run(burst()) == [True] * 5 + [False] * 595


def test_threads_that_wait_for_their_turn_are_sent_together(redis_storage, proxy):
    with override_settings(RESTFLOW=redis_storage), ThreadPoolExecutor(300) as threads:
        assert Keyed().allow_request("first", None)
        proxy.passing.clear()
        waiting = [threads.submit(Keyed().allow_request, "a", None) for _ in range(300)]
        time.sleep(0.2)  # most of them wait by then
        proxy.passing.set()
        assert Counter(each.result() for each in waiting) == {True: 5, False: 295}
    assert proxy.opened == 1


def test_a_key_that_is_no_text_is_counted_and_harms_no_other(throttle_storage):
    async def burst() -> list[bool]:
        return await asyncio.gather(*(Keyed().aallow_request(key, None) for key in ["a", "\ud800", "é"] * 6))

    with override_settings(RESTFLOW=throttle_storage):
        assert asyncio.run(burst()) == [True] * 15 + [False] * 3


@pytest.mark.parametrize("rate", [(5, None), (5, "day"), ("five", 60)])
def test_a_rate_that_is_no_number_harms_no_other(rate, throttle_storage):
    class Odd(Keyed):
        def parse_rate(self, given):
            return rate

    async def burst() -> list[Any]:
        asked = (kind().aallow_request("key", None) for kind in [Keyed, Odd] * 6)
        return await asyncio.gather(*asked, return_exceptions=True)

    with override_settings(RESTFLOW=throttle_storage):
        found = asyncio.run(burst())
    assert found[::2] == [True] * 5 + [False]
    assert all(isinstance(each, (TypeError, ValueError)) for each in found[1::2])


@pytest.mark.parametrize(("rate", "expected"), [((2, math.inf), [True, True, False]), ((math.inf, 60), [True] * 3)])
def test_a_rate_may_be_without_end(rate, expected, throttle_storage):
    class Endless(Keyed):
        def parse_rate(self, given):
            return rate

    with override_settings(RESTFLOW=throttle_storage):
        assert [Endless().allow_request("key", None) for _ in range(3)] == expected


# Requests that are cancelled


def test_requests_that_are_cancelled_leave_the_others_alone(redis_storage, proxy):
    async def main() -> list[Any]:
        assert await Keyed().aallow_request("first", None)
        proxy.passing.clear()
        sent = [asyncio.ensure_future(Keyed().aallow_request("a", None)) for _ in range(2)]
        await asyncio.sleep(0.05)
        waiting = [asyncio.ensure_future(Keyed().aallow_request("a", None)) for _ in range(4)]
        await asyncio.sleep(0.05)
        for each in (sent[0], *waiting[:2]):
            each.cancel()
        await asyncio.sleep(0)
        proxy.passing.set()
        found = await asyncio.gather(*sent, *waiting, return_exceptions=True)
        # Of those that were cancelled the one that was sent has been counted.
        found += [await Keyed().aallow_request("a", None) for _ in range(2)]
        return [isinstance(each, asyncio.CancelledError) or each for each in found]

    with override_settings(RESTFLOW=redis_storage):
        found = asyncio.run(main())
    assert found == [True] * 7 + [False]


def test_a_request_that_is_cancelled_while_redis_fails_leaves_the_others_alone(silent_storage):
    async def main() -> list[Any]:
        asked = [asyncio.ensure_future(Keyed().aallow_request("a", None)) for _ in range(2)]
        await asyncio.sleep(0.05)
        asked[0].cancel()
        return await asyncio.gather(*asked, return_exceptions=True)

    with override_settings(RESTFLOW=silent_storage):
        cancelled, failed = asyncio.run(main())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert isinstance(failed, throttling.ThrottleUnavailable)


def test_nobody_waits_for_ever_where_all_tasks_of_a_loop_are_cancelled(redis_storage, proxy):
    async def main() -> None:
        assert await Keyed().aallow_request("first", None)
        proxy.passing.clear()
        asked = [asyncio.ensure_future(Keyed().aallow_request("a", None)) for _ in range(2)]
        await asyncio.sleep(0.05)
        asked += [asyncio.ensure_future(Keyed().aallow_request("a", None)) for _ in range(2)]
        await asyncio.sleep(0.05)
        for task in asyncio.all_tasks() - {asyncio.current_task(), *asked}:
            task.cancel()
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(each) for each in found] == [asyncio.CancelledError] * 4
        # And the next is counted over a new connection.
        proxy.passing.set()
        assert await Keyed().aallow_request("another", None)

    with override_settings(RESTFLOW=redis_storage):
        asyncio.run(main())


# An event loop that is late


def late(kind: str) -> Any:
    """Make a throttle whose loop is held by others, for longer than Redis is waited for, at each of many turns."""

    class Late(throttling.AnonRateThrottle):
        rate = "1/day"

        async def get_cache_key(self, request, view):
            async def hold() -> None:
                for _ in range(15):
                    time.sleep(0.05)  # noqa: ASYNC251 - it is what is tested
                    await asyncio.sleep(0)

            self.holding = asyncio.ensure_future(hold())
            return await super().aget_cache_key(request, view)

        if kind == "in a thread before":
            # The flow is in the thread when it counts.
            def get_ident(self, request):
                return super().get_ident(request)

    return Late


@each_pair
@pytest.mark.parametrize("kind", ["on the loop", "in a thread before"])
@pytest.mark.parametrize("fails_open", [False, True])
@pytest.mark.parametrize("start", ["cold", "warm"])
def test_that_the_loop_is_late_is_not_taken_for_redis(start, fails_open, kind, redis_storage, caplog):
    options = {**redis_storage["THROTTLE_STORAGE_OPTIONS"], "socket_timeout": 0.3, "socket_connect_timeout": 0.3}
    storage = {**redis_storage, "THROTTLE_STORAGE_OPTIONS": options, "THROTTLE_FAILS_OPEN": fails_open}
    views = {"x/": throttled(Async, late(kind)), "y/": throttled(Async, Five)}

    async def main() -> list[int]:
        if start == "warm":
            assert (await site.asend("GET", "/y/", headers={"x-forwarded-for": "another"})).status == 200
        return [(await site.asend("GET", "/x/")).status for _ in range(2)]

    with Site(views, RESTFLOW=storage) as site:
        assert asyncio.run(main()) == [200, 429]
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


# A Redis that is late, or dead


@each_value
@every_view
@pytest.mark.parametrize("fails_open", [False, True])
def test_a_burst_while_redis_fails_is_answered(base, fails_open, failing_storage):
    with Site({"x/": throttled(base, Five)}, RESTFLOW={**failing_storage, "THROTTLE_FAILS_OPEN": fails_open}) as site:
        assert asyncio.run(clients(site, 40)) == {200 if fails_open else 503: 40}


@pytest.mark.parametrize("base", [Async, Sync])
def test_a_redis_that_hangs_on_an_open_connection_is_not_waited_for(base, redis_storage, proxy, caplog):
    options = {**redis_storage["THROTTLE_STORAGE_OPTIONS"], "socket_timeout": 2.0, "socket_connect_timeout": 2.0}
    storage = {**redis_storage, "THROTTLE_STORAGE_OPTIONS": options}
    with Site({"x/": throttled(base, Five)}, RESTFLOW=storage) as site, asyncio.Runner() as runner:
        assert runner.run(clients(site, 1)) == {200: 1}
        proxy.passing.clear()
        assert runner.run(clients(site, 20)) == {503: 20}
        proxy.passing.set()
        assert runner.run(clients(site, 20)) == {200: 20}


def test_the_log_says_how_long_redis_was_waited_for(silent_storage, caplog):
    silent_storage["THROTTLE_STORAGE"] += "?socket_timeout=0.3"  # comes before the options
    with Site({"x/": throttled(Async, Five)}, RESTFLOW=silent_storage) as site:
        assert site.send("GET", "/x/").status == 503
    (record,) = [record for record in caplog.records if record.name == "restflow.throttling"]
    assert str(record.exc_info[1]) == "Redis did not answer in 0.3 seconds."


def test_a_key_under_which_another_program_keeps_something_else_can_not_be_counted(redis_storage):
    prefix = redis_storage["THROTTLE_STORAGE_OPTIONS"]["key_prefix"]
    with redis.Redis.from_url(redis_storage["THROTTLE_STORAGE"]) as client:
        client.lpush(f"{{{prefix}}}:throttle_anon_127.0.0.1", "1")
    for base in (Async, Sync):
        with Site({"x/": throttled(base, Five)}, RESTFLOW=redis_storage) as site:
            assert site.send("GET", "/x/").status == 503
            assert site.send("GET", "/x/", headers={"x-forwarded-for": "another"}).status == 200
