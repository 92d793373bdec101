"""Throttles whose cache waits (W004, W005), and that count one scope in two places (W007)."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import caches
from rest_framework import throttling
from rest_framework.views import APIView as DRFAPIView

import restflow.throttling
from restflow.views import APIView, AsyncAPIView
from tests.checks.support import AsyncAllow, at, of, said

REMOTE = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}}


class DRFThrottle(throttling.AnonRateThrottle):
    rate = "1/s"


class AsyncDRFThrottle(DRFThrottle):
    async def allow_request(self, request: Any, view: Any) -> bool:  # type: ignore[override]
        return True


class OurThrottle(restflow.throttling.AnonRateThrottle):
    rate = "1/s"


class OwnCache(DRFThrottle):
    scope = "own"
    cache = caches["default"]


def test_a_drf_throttle_with_a_cache_that_waits_is_a_warning_on_an_async_view() -> None:
    view = of(AsyncAPIView, throttle_classes=[DRFThrottle])
    assert said(at(view)) == []
    assert said(at(of(APIView, throttle_classes=[DRFThrottle])), CACHES=REMOTE) == []
    assert said(at(of(AsyncAPIView, throttle_classes=[OurThrottle, OwnCache, AsyncAllow])), CACHES=REMOTE) == []
    ((number, text, hint),) = said(at(view), CACHES=REMOTE)
    assert number == "W004"
    assert text == (
        "tests.checks.test_throttles.DRFThrottle reads DatabaseCache in the worker thread at each request of the async "
        "tests.checks.support.View."
    )
    assert "restflow.throttling" in hint


def test_an_async_throttle_over_drfs_with_a_cache_that_waits_is_a_warning() -> None:
    view = of(AsyncAPIView, throttle_classes=[AsyncDRFThrottle])
    assert said(at(view)) == []
    ((number, text, hint),) = said(at(view), CACHES=REMOTE)
    assert number == "W005"
    assert "read DatabaseCache on the event loop" in text
    assert "restflow.throttling" in hint


class DRFScoped(throttling.ScopedRateThrottle):
    pass


class OurScoped(restflow.throttling.ScopedRateThrottle):
    pass


@pytest.mark.parametrize(
    ("theirs", "ours", "scope"),
    [
        (DRFThrottle, OurThrottle, "anon"),
        (DRFScoped, OurScoped, "uploads"),
        (DRFThrottle, type("Own", (OurScoped,), {"scope_attr": "own_scope"}), "anon"),
    ],
)
@pytest.mark.parametrize("base", [APIView, AsyncAPIView, DRFAPIView])
def test_a_scope_that_is_counted_in_two_places_is_a_warning(base: Any, theirs: Any, ours: Any, scope: str) -> None:
    scopes = {"throttle_scope": "uploads", "own_scope": "anon"}
    their_view = of(base, throttle_classes=[theirs], **scopes)
    our_view = of(AsyncAPIView, throttle_classes=[AsyncAllow, ours], **scopes)
    other = of(AsyncAPIView, throttle_classes=[ours], throttle_scope="other", own_scope=None)
    others = type("Other", (ours,), {"scope": "other"})
    assert said([*at(their_view), *at(of(base, throttle_classes=[others], throttle_scope="other"))]) == []
    assert said([*at(our_view), *at(other)]) == []
    ((number, text, hint),) = said([*at(their_view), *at(our_view)])
    assert number == "W007"
    assert text == (
        f"Requests of the scope {scope!r} are counted by {__name__}.{ours.__qualname__}, and apart from it, in "
        f"Django's cache, by {__name__}.{theirs.__qualname__}: a client may make as many as both allow."
    )
    assert "restflow.throttling" in hint
