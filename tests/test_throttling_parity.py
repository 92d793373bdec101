"""The same requests at the same times, throttled by DRF's classes and by restflow's, get the same answers."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.cache import cache
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework import throttling as drf
from rest_framework.authentication import BaseAuthentication
from rest_framework.response import Response
from rest_framework.settings import api_settings

from restflow import throttling
from tests.matrix import examples
from tests.parity.harness import BASES, COLOURS
from tests.site import Answer, Site

RATES = {
    "user": "3/min",
    "anon": "2/s",
    "uploads": "2/hour",
    "key": "1/d",
    "none": None,
    "zero": "0/min",
    "less": "-1/min",
    "open": None,
}


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class ByHeader(BaseAuthentication):
    def authenticate(self, request: Any) -> Any:
        pk = request.headers.get("x-user")
        if pk == "lazy":
            return AnonymousUser(), None
        return (User(pk=int(pk)), None) if pk else None


def throttles(module: Any, names: list[str]) -> list[Any]:
    """Make throttles over the classes of DRF's or restflow's module."""

    class Clocked:
        THROTTLE_RATES = RATES
        timer = staticmethod(lambda: time.time())

    class Keyed(Clocked, module.SimpleRateThrottle):
        scope = "key"

        def get_cache_key(self, request: Any, view: Any) -> Any:
            return request.headers.get("x-key")

    def simple(name: str) -> Any:
        return type(name, (Clocked, module.UserRateThrottle), {"scope": name})

    made = {
        "user": type("User", (Clocked, module.UserRateThrottle), {}),
        "anon": type("Anon", (Clocked, module.AnonRateThrottle), {}),
        "scoped": type("Scoped", (Clocked, module.ScopedRateThrottle), {}),
        "keyed": Keyed,
        "rate": type("Rate", (Clocked, module.UserRateThrottle), {"rate": "2/m", "scope": None}),
    }
    return [made.get(name) or simple(name) for name in names]


def view(base: Any, module: Any, names: list[str], scope: str | None) -> Any:
    class V(base):
        authentication_classes = [ByHeader]
        throttle_classes = throttles(module, names)
        throttle_scope = scope

        def get(self, request: Any) -> Any:
            return Response({"user": str(request.user.pk)})

    return V.as_view()


def seen(answer: Answer) -> Any:
    return answer.status, answer.headers, answer.body


who = st.fixed_dictionaries(
    {},
    optional={
        "x-user": st.sampled_from(["1", "2", "lazy"]),
        "x-forwarded-for": st.sampled_from(["1.1.1.1", "1.1.1.1, 2.2.2.2", " 3.3.3.3,2.2.2.2"]),
        "x-key": st.sampled_from(["a", "b"]),
    },
)
# Whole numbers, so that requests come at the very end of another's window.
steps = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 20, 30, 60, 3600, 86400]), who), min_size=4, max_size=14)
policies = st.lists(
    st.sampled_from(["user", "anon", "scoped", "keyed", "rate", "none", "zero", "less"]), min_size=1, max_size=3
)


@pytest.mark.parametrize("colour", COLOURS)
@settings(
    max_examples=examples(25), deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=steps,
    names=policies,
    scope=st.sampled_from([None, "", "uploads", "open"]),
    proxies=st.sampled_from([None, 0, 1, 2]),
)
def test_a_series_of_requests_is_throttled_as_drf_does(
    colour: str,
    monkeypatch: pytest.MonkeyPatch,
    throttle_storage: dict[str, Any],
    steps: Any,
    names: list[str],
    scope: str | None,
    proxies: int | None,
) -> None:
    is_redis = throttle_storage["THROTTLE_STORAGE"] != "memory://"
    options = throttle_storage.get("THROTTLE_STORAGE_OPTIONS", {})
    if is_redis:
        options = {"key_prefix": f"{options['key_prefix']}-{time.monotonic_ns()}"}
    clock = Clock()
    views = {"drf/": view(BASES["drf"], drf, names, scope), "ours/": view(BASES[colour], throttling, names, scope)}
    restflow = {**throttle_storage, "THROTTLE_STORAGE_OPTIONS": options, "THROTTLE_HEADERS": False}
    cache.clear()
    with monkeypatch.context() as patch, Site(views, RESTFLOW=restflow) as site, asyncio.Runner() as runner:
        patch.setattr(time, "time", clock)
        patch.setattr(api_settings, "NUM_PROXIES", proxies)
        for delay, headers in steps:
            clock.now += delay
            theirs, ours = (runner.run(site.asend("GET", url, headers=headers)) for url in ("/drf/", "/ours/"))
            assert seen(ours) == seen(theirs)


@pytest.mark.parametrize("colour", COLOURS)
def test_retry_after_is_the_time_until_the_oldest_request_leaves(
    colour: str, monkeypatch: pytest.MonkeyPatch, throttle_storage: dict[str, Any]
) -> None:
    clock = Clock()
    site_of = Site({"ours/": view(BASES[colour], throttling, ["user"], None)}, RESTFLOW=throttle_storage)
    with site_of as site, asyncio.Runner() as runner:
        monkeypatch.setattr(time, "time", clock)
        retry = []
        for delay in (0, 10, 10, 10, 0, 31, 1, 8.5):
            clock.now += delay
            answer = runner.run(site.asend("GET", "/ours/"))
            retry.append(answer.headers.get("Retry-After"))
    # Refused requests are not counted: the fourth and fifth do not lengthen the wait.
    assert retry == [None, None, None, "30", "30", None, "8", None]
