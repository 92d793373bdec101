"""The RateLimit fields tell of the policy of each throttle that counted, and of what is left."""

from __future__ import annotations

import time

import pytest

from restflow import throttling
from tests.site import Site
from tests.throttles import Async, Twice, every_view, fields, throttled


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
