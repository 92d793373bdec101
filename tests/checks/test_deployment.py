"""How a project with async views is served: transactions (W008), connections (E009 to W010), middleware (W011)."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.handlers.asgi import ASGIHandler
from django.db import connections
from django.db.transaction import non_atomic_requests
from django.urls import path
from django.utils.decorators import sync_and_async_middleware, sync_only_middleware
from django.utils.deprecation import MiddlewareMixin

from restflow.asgi import ASGIHandler as OurASGIHandler
from restflow.views import APIView, AsyncAPIView
from tests.checks.support import at, messages, said


@pytest.fixture
def atomic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)


@pytest.mark.usefixtures("atomic")
def test_atomic_requests_are_warned_of_for_async_views_alone() -> None:
    assert said(at(APIView)) == []
    ((number, text, hint),) = said(at(AsyncAPIView))
    assert number == "W008"
    assert "ATOMIC_REQUESTS of the database 'default'" in text
    assert "restflow.asgi" in hint
    assert "non_atomic_requests" in hint
    assert "ASGI_APPLICATION" in hint
    assert said([path("x/", non_atomic_requests(AsyncAPIView.as_view()))]) == []


@pytest.mark.usefixtures("atomic")
def test_atomic_requests_are_none_on_our_entry() -> None:
    assert said(at(AsyncAPIView), ASGI_APPLICATION=f"{__name__}.ours") == []
    assert [number for number, *_ in said(at(AsyncAPIView), ASGI_APPLICATION=f"{__name__}.djangos")] == ["W008"]


class Router:
    """As Channels'."""

    def __init__(self, http: Any) -> None:
        self.application_mapping = {"http": http, "websocket": None}


class Wrapper:
    """As ASGI middleware is written, by Starlette's convention."""

    def __init__(self, app: Any) -> None:
        self.app = app


class Endless:
    @property
    def app(self) -> Any:
        return self


djangos = ASGIHandler()
ours = OurASGIHandler()
routed_djangos, routed_ours = Router(djangos), Wrapper(Router(ours))
djangos_with_files, ours_with_files = ASGIStaticFilesHandler(djangos), ASGIStaticFilesHandler(ours)
foreign, endless = object(), Endless()
APPLICATIONS = {
    "error": ("djangos", "routed_djangos", "djangos_with_files"),
    "nothing": ("ours", "routed_ours", "ours_with_files"),
    "warning": ("foreign", "endless", "not_there"),
}


@pytest.mark.parametrize("age", [60, None])
@pytest.mark.parametrize(
    ("level", "application"), [(level, name) for level, names in APPLICATIONS.items() for name in names]
)
def test_connections_that_outlive_their_threads_are_an_error_on_djangos_entry(
    level: str, application: str, age: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", age)
    given = {"ASGI_APPLICATION": f"{__name__}.{application}"}
    found = messages(at(AsyncAPIView), **given)
    expected = {"error": ["restflow.E009"], "warning": ["restflow.W009"], "nothing": []}
    assert [message.id for message in found] == expected[level]
    for message in found:
        assert message.is_serious() is (level == "error")
        assert f"CONN_MAX_AGE of the database 'default' is {age}" in message.msg
        assert "restflow.asgi" in str(message.hint)
    assert messages(at(APIView), **given) == []


def test_they_are_a_warning_where_the_settings_do_not_say_what_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 60)
    assert [number for number, *_ in said(at(AsyncAPIView))] == ["W009"]


def test_connections_that_are_closed_after_each_request_are_right() -> None:
    assert said(at(AsyncAPIView), ASGI_APPLICATION=f"{__name__}.djangos") == []


def add_pool(pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    postgres = {**connections.settings["default"], "ENGINE": "django.db.backends.postgresql", "OPTIONS": {"pool": pool}}
    monkeypatch.setitem(connections.settings, "pooled", postgres)


OURS = {"ASGI_APPLICATION": f"{__name__}.ours"}


@pytest.mark.parametrize(
    ("pool", "threads", "size"),
    [
        (True, 10, 4),
        ({"min_size": 2}, 10, 2),
        ({"min_size": 2, "max_size": 9}, 10, 9),
        ({"max_size": 20}, 1000, 20),
        ({"max_size": 10}, 10, None),
        ({"min_size": 12}, 10, None),
        (False, 10, None),
        ({}, 10, None),
    ],
)
def test_a_pool_that_is_smaller_than_the_threads_is_a_warning(
    pool: Any, threads: int, size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_pool(pool, monkeypatch)
    found = said(at(AsyncAPIView), RESTFLOW={"WORKER_THREADS": threads})
    if size is None:
        assert found == []
    else:
        ((number, text, hint),) = found
        assert number == "W010"
        assert f"'pooled' has {size} connections, and WORKER_THREADS allows {threads} requests" in text
        assert f"Lower RESTFLOW['WORKER_THREADS'] to {size}" in hint
    assert said(at(APIView), RESTFLOW={"WORKER_THREADS": threads}) == []


@pytest.mark.parametrize(("given", "is_warned"), [(OURS, True), ({}, False)])
def test_the_default_of_threads_counts_on_our_entry(
    given: Any, is_warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_pool(True, monkeypatch)
    assert [number for number, *_ in said(at(AsyncAPIView), **given)] == (["W010"] if is_warned else [])


def test_another_databases_pool_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "OPTIONS", {"pool": {"min": 1}})
    assert said(at(AsyncAPIView), **OURS) == []


@sync_only_middleware
def sync_function(get_response: Any) -> Any:
    return get_response


def plain_function(get_response: Any) -> Any:
    return get_response


class OwnCall:
    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        return self.get_response(request)


class OptedOut(MiddlewareMixin):
    async_capable = False

    def __call__(self, request: Any) -> Any:
        return self.get_response(request)


class HooksAlone(MiddlewareMixin):
    async_capable = False

    def process_request(self, request: Any) -> None: ...


@sync_and_async_middleware
def both_colours(get_response: Any) -> Any:
    return get_response


DEFAULT = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.cache.UpdateCacheMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]


def test_sync_only_middleware_is_named_with_what_it_costs() -> None:
    sync = [f"{__name__}.{name}" for name in ("sync_function", "plain_function", "OwnCall", "OptedOut")]
    right = [f"{__name__}.{name}" for name in ("HooksAlone", "both_colours")]
    given = {"MIDDLEWARE": [*sync, *right, *DEFAULT, f"{__name__}.not_there"]}
    found = said(at(AsyncAPIView), **given)
    assert [number for number, *_ in found] == ["W011"] * 4
    for (_, text, hint), path_ in zip(found, sync, strict=True):
        assert text.startswith(f"The middleware {path_} is sync only. Each request holds a thread")
        assert "sync_and_async_middleware" in hint
    assert said(at(APIView), **given) == []
