"""Throttles: exact counts, hooks in either colour, the RateLimit fields, and storages that fail."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import sys
import threading
import time
import tracemalloc
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.contrib.auth.models import User
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.utils.functional import SimpleLazyObject
from rest_framework import throttling as drf
from rest_framework.authentication import BaseAuthentication
from rest_framework.test import APIRequestFactory

from restflow import throttling
from tests.safety.support import Gate, here, through
from tests.site import Answer, Site
from tests.throttles import Async, Sync, every_view, statuses, throttled

NAMES = ["BaseThrottle", "SimpleRateThrottle", "AnonRateThrottle", "UserRateThrottle", "ScopedRateThrottle"]


class Twice(throttling.UserRateThrottle):
    rate = "2/min"


class Keyed(throttling.SimpleRateThrottle):
    rate = "2/min"

    def get_cache_key(self, request, view):
        return "key"


@pytest.mark.parametrize("name", NAMES)
def test_each_throttle_is_one_of_drfs(name):
    assert issubclass(getattr(throttling, name), getattr(drf, name))
    assert getattr(throttling, name) is not getattr(drf, name)


# Counts


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


# Hooks


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


# The RateLimit fields


def fields(answer: Answer) -> tuple[Any, Any]:
    return answer.headers.get("RateLimit-Policy"), answer.headers.get("RateLimit")


@every_view
def test_the_fields_tell_of_the_policy_and_of_what_is_left(base, throttle_storage, monkeypatch):
    now = [1e9]
    monkeypatch.setattr(time, "time", lambda: now[0])
    found = []
    with Site({"x/": throttled(base, Twice)}, RESTFLOW=throttle_storage) as site:
        for delay in (0, 20.5, 10):
            now[0] += delay
            answer = site.send("GET", "/x/")
            found.append((answer.status, answer.headers.get("Retry-After"), *fields(answer)))
    assert found == [
        (200, None, '"user";q=2;w=60', '"user";r=1;t=60'),
        (200, None, '"user";q=2;w=60', '"user";r=0;t=40'),
        (429, "30", '"user";q=2;w=60', '"user";r=0;t=30'),
    ]


@every_view
def test_each_throttle_that_counted_is_a_member_of_the_lists(base):
    class Burst(throttling.UserRateThrottle):
        scope, rate = "burst", "9/s"

    class Sustained(throttling.AnonRateThrottle):
        scope, rate = "sustained", "1/day"

    class Uncounted(throttling.UserRateThrottle):
        rate = "5/min"

        def get_cache_key(self, request, view):
            return None

    class Unlimited(throttling.ScopedRateThrottle):
        pass

    with Site({"x/": throttled(base, Burst, Uncounted, Sustained, Unlimited)}, RESTFLOW={}) as site:
        found = [site.send("GET", "/x/") for _ in range(2)]
    assert [answer.status for answer in found] == [200, 429]
    for answer, left in zip(found, (8, 7), strict=True):
        policy, limit = fields(answer)
        assert policy == '"burst";q=9;w=1, "sustained";q=1;w=86400'
        assert limit.startswith(f'"burst";r={left};t=1, "sustained";r=0;t=8')


@pytest.mark.parametrize(
    ("scope", "shown"),
    [(None, '"Named"'), ('a"b\\c', '"a\\"b\\\\c"'), ("naïve\r\nX: y", '"na?ve??X: y"')],
)
def test_the_name_of_a_policy_is_a_string_of_structured_fields(scope, shown):
    throttle = type("Named", (throttling.UserRateThrottle,), {"scope": scope, "rate": "5/min"})
    with Site({"x/": throttled(Async, throttle)}, RESTFLOW={}) as site:
        policy, limit = fields(site.send("GET", "/x/"))
    assert (policy, limit) == (f"{shown};q=5;w=60", f"{shown};r=4;t=60")


@pytest.mark.parametrize(("rate", "q", "t"), [("0/min", 0, 60), ("-1/min", 0, 60), (f"{10**20}/min", 10**15 - 1, 60)])
def test_numbers_are_integers_of_structured_fields(rate, q, t):
    throttle = type("T", (throttling.UserRateThrottle,), {"rate": rate})
    with Site({"x/": throttled(Async, throttle)}, RESTFLOW={}) as site:
        assert fields(site.send("GET", "/x/")) == (f'"user";q={q};w=60', f'"user";r={q};t={t}')


@every_view
def test_the_fields_can_be_switched_off(base):
    with Site({"x/": throttled(base, Twice)}, RESTFLOW={"THROTTLE_HEADERS": False}) as site:
        assert fields(site.send("GET", "/x/")) == (None, None)


@every_view
def test_headers_that_views_share_are_left_alone(base):
    shared = {"X-Ours": "1"}
    with Site({"x/": throttled(base, Twice, default_response_headers=shared)}, RESTFLOW={}) as site:
        answer = site.send("GET", "/x/")
    assert (answer.headers["X-Ours"], fields(answer)[1]) == ("1", '"user";r=1;t=60')
    assert shared == {"X-Ours": "1"}


# Where it runs


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


# Storages


@pytest.mark.parametrize("url", ["memcached://127.0.0.1", "redis+cluster://127.0.0.1", "", None])
def test_an_unknown_storage_says_which_there_are(url):
    with (
        pytest.raises(ImproperlyConfigured, match=r"must be 'memory://' or a URL that begins with redis://.*, got "),
        override_settings(RESTFLOW={"THROTTLE_STORAGE": url}),
    ):
        Keyed().allow_request(APIRequestFactory().get("/"), None)


def test_an_unknown_setting_says_which_there_are():
    with (
        pytest.raises(ImproperlyConfigured, match=r"no setting 'THROTTLE_FAIL_OPEN'.*THROTTLE_FAILS_OPEN"),
        override_settings(RESTFLOW={"THROTTLE_FAIL_OPEN": True}),
    ):
        Keyed().allow_request(APIRequestFactory().get("/"), None)


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "redis"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis", None)
    with (
        pytest.raises(ImproperlyConfigured, match=r"'redis'.*pip install redis"),
        override_settings(RESTFLOW={"THROTTLE_STORAGE": "redis://127.0.0.1"}),
    ):
        Keyed().allow_request(APIRequestFactory().get("/"), None)


@pytest.fixture
def dead_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def silent_port():
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@every_view
def test_a_request_that_can_not_be_counted_is_refused(base, dead_port, caplog):
    with Site({"x/": throttled(base, Twice)}, RESTFLOW={"THROTTLE_STORAGE": f"redis://127.0.0.1:{dead_port}"}) as site:
        answer = site.send("GET", "/x/")
    assert (answer.status, answer.json()) == (503, {"detail": "Service temporarily unavailable, try again later."})
    assert fields(answer) == (None, None)
    (record,) = [record for record in caplog.records if record.name == "restflow.throttling"]
    assert (record.levelno, record.getMessage()) == (
        logging.ERROR,
        "The throttle storage failed; a request was refused.",
    )
    assert record.exc_info is not None
    assert record.exc_info[2] is not None


class Tells(Twice):
    def allow_request(self, request, view):
        answer = super().allow_request(request, view)
        request.left = self.num_requests - len(self.history)
        return answer


@pytest.mark.parametrize("throttle", [Twice, Tells])
@every_view
def test_it_is_allowed_where_throttles_fail_open(base, throttle, dead_port, caplog):
    storage = {"THROTTLE_STORAGE": f"redis://127.0.0.1:{dead_port}", "THROTTLE_FAILS_OPEN": True}
    with Site({"x/": throttled(base, throttle)}, RESTFLOW=storage) as site:
        answer = site.send("GET", "/x/")
    assert (answer.status, fields(answer)) == (200, (None, None))
    records = [record.getMessage() for record in caplog.records if record.name == "restflow.throttling"]
    assert records == ["The throttle storage failed; a request was allowed."]


@every_view
def test_a_storage_that_does_not_answer_is_not_waited_for_long(base, silent_port):
    storage = {
        "THROTTLE_STORAGE": f"redis://127.0.0.1:{silent_port}",
        "THROTTLE_STORAGE_OPTIONS": {"socket_timeout": 0.1},
    }
    assert statuses(throttled(base, Twice), 2, **storage) == [503, 503]


def test_the_loop_goes_on_while_a_storage_does_not_answer(silent_port):
    storage = {
        "THROTTLE_STORAGE": f"redis://127.0.0.1:{silent_port}",
        "THROTTLE_STORAGE_OPTIONS": {"socket_timeout": 0.5},
    }

    async def both() -> tuple[int, int]:
        request = asyncio.ensure_future(site.asend("GET", "/x/"))
        turns = 0
        while not request.done():
            await asyncio.sleep(0.01)
            turns += 1
        return request.result().status, turns

    with Site({"x/": throttled(Async, Twice)}, RESTFLOW=storage) as site:
        status, turns = asyncio.run(both())
    assert status == 503
    assert turns > 5


@every_view
def test_counting_goes_on_when_redis_is_back(base, redis_storage):
    name = redis_storage["THROTTLE_STORAGE_OPTIONS"]["client_name"] = uuid4().hex
    with (
        Site({"x/": throttled(base, Twice)}, RESTFLOW=redis_storage) as site,
        asyncio.Runner() as runner,
        redis.Redis.from_url(redis_storage["THROTTLE_STORAGE"]) as client,
    ):
        assert runner.run(site.asend("GET", "/x/")).status == 200
        # As a restart of Redis does: the connections are cut, and the scripts are forgotten.
        ours = [connection["id"] for connection in client.client_list() if connection["name"] == name]
        assert ours
        for connection in ours:
            client.client_kill_filter(_id=connection)
        client.script_flush()
        assert [runner.run(site.asend("GET", "/x/")).status for _ in range(2)] == [200, 429]


# Loops


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
