"""Storages of throttles: settings that name none, servers that fail, and what becomes of the request."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from uuid import uuid4

import pytest
import redis
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from rest_framework.test import APIRequestFactory

from restflow import throttling
from tests.site import Site
from tests.throttles import Async, Twice, every_view, fields, statuses, throttled


class Keyed(throttling.SimpleRateThrottle):
    rate = "2/min"

    def get_cache_key(self, request, view):
        return "key"


STORAGES = r"must be 'memory://' or a URL that begins with redis://.*, got "


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("THROTTLE_STORAGE", "memcached://127.0.0.1", STORAGES),
        ("THROTTLE_STORAGE", "redis+cluster://127.0.0.1", STORAGES),
        ("THROTTLE_STORAGE", "", STORAGES),
        ("THROTTLE_STORAGE", None, STORAGES),
        ("THROTTLE_FAIL_OPEN", True, r"no setting 'THROTTLE_FAIL_OPEN'.*THROTTLE_FAILS_OPEN"),
    ],
)
def test_an_unknown_storage_or_setting_says_which_there_are(name, value, said):
    with pytest.raises(ImproperlyConfigured, match=said), override_settings(RESTFLOW={name: value}):
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
