"""How often a request goes to its thread on our entry: once for neighbouring sync work, and not at all without any."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf.urls.i18n import i18n_patterns
from django.contrib.messages import add_message
from django.contrib.sessions.backends import signed_cookies
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.http import HttpResponse
from django.middleware import clickjacking, common, csrf
from django.urls import path
from django.utils import translation
from django.utils.translation import trans_real
from rest_framework import permissions, throttling
from rest_framework.authentication import BaseAuthentication
from rest_framework.response import Response

from restflow.views import AsyncAPIView
from tests.entry import stack
from tests.entry.stack import place
from tests.matrix import each_pair
from tests.site import OURS, Answer, Site

SEVEN = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
INSTALLED = ["django.contrib.messages"]


def ask(view: Any, middleware: list[str], method: str = "GET", **options: Any) -> Answer:
    headers = options.pop("headers", None)
    stack.plan.clear()
    with Site({"x/": view}, entry=OURS, MIDDLEWARE=middleware, **options) as site:
        return asyncio.run(site.asend(method, "/x/", headers=headers))


def kind(function: Any, number: int = 0) -> str:
    return stack.path_of(function, number)


async def aview(request: Any) -> HttpResponse:
    return HttpResponse(place())


def view(request: Any) -> HttpResponse:
    return HttpResponse(place())


class Sync(BaseAuthentication, permissions.BasePermission, throttling.BaseThrottle):
    def authenticate(self, request: Any) -> None: ...
    def has_permission(self, request: Any, view: Any) -> bool:
        return True

    def allow_request(self, request: Any, view: Any) -> bool:
        return True


class Ping(AsyncAPIView):
    authentication_classes: Any = ()

    async def get(self, request: Any) -> Response:
        return Response(place())


class SyncPolicies(AsyncAPIView):
    authentication_classes = [Sync]
    permission_classes = [Sync, Sync, Sync]
    throttle_classes = [Sync]

    async def get(self, request: Any) -> Response:
        return Response(place())


class AllSync(SyncPolicies):
    def get(self, request: Any) -> Response:
        return Response(place())


@pytest.mark.parametrize("middleware", [[], SEVEN])
@pytest.mark.parametrize(
    ("called", "hops"),
    [(aview, 0), (Ping.as_view(), 0), (view, 1), (SyncPolicies.as_view(), 1), (AllSync.as_view(), 1)],
)
def test_the_default_middleware_costs_nothing(middleware: list[str], called: Any, hops: int) -> None:
    answer = ask(called, middleware)
    assert (answer.status, answer.hops) == (200, hops)
    assert answer.body.strip(b'"') == (b"thread" if called is view or (hops and called.cls is AllSync) else b"loop")


@pytest.mark.parametrize(
    ("middleware", "called", "hops"),
    [
        ([kind(stack.hooks)], aview, 2),  # one before, one after
        ([kind(stack.hooks, 0), kind(stack.hooks, 1), kind(stack.hooks, 2)], aview, 2),
        ([kind(stack.hooks, 0), *SEVEN, kind(stack.hooks, 1)], aview, 2),
        ([*SEVEN[:3], kind(stack.hooks, 0), *SEVEN[3:], kind(stack.hooks, 1)], AllSync.as_view(), 1),
        ([kind(stack.hooks, 0), *SEVEN, kind(stack.hooks, 1)], view, 1),
        ([kind(stack.opted_out)], aview, 2),
        ([kind(stack.sync_function)], aview, 1),
        ([kind(stack.sync_function, 0), kind(stack.sync_function, 1)], aview, 1),
        ([kind(stack.sync_function, 0), *SEVEN, kind(stack.hooks, 1), kind(stack.own_call, 2)], view, 1),
        ([kind(stack.async_function)], aview, 0),
        ([kind(stack.async_function, 0), *SEVEN, kind(stack.own_acall, 1)], aview, 0),
        ([kind(stack.either_function)], aview, 0),
        ([kind(stack.either_function, 0), kind(stack.sync_function, 1)], aview, 1),
        ([kind(stack.async_function)], view, 1),
        ([kind(stack.hooks, 0), kind(stack.async_function, 1), kind(stack.hooks, 2)], view, 3),
        ([kind(stack.not_used)], aview, 0),
    ],
)
def test_neighbouring_sync_work_is_one_trip(middleware: list[str], called: Any, hops: int) -> None:
    answer = ask(called, middleware)
    assert (answer.status, answer.hops) == (200, hops)


# How often a request goes to its thread that has one such middleware, around an async view and around a sync one.
BUDGETS = {
    stack.hooks: (2, 1),
    stack.opted_out: (2, 1),
    stack.own_call: (1, 1),
    stack.own_acall: (0, 1),
    stack.sync_function: (1, 1),
    stack.async_function: (0, 1),
    stack.either_function: (0, 1),
    stack.not_used: (0, 1),
}


@each_pair
@pytest.mark.parametrize("function", stack.KINDS)
@pytest.mark.parametrize("at", range(len(SEVEN) + 1))
@pytest.mark.parametrize("called", [aview, view])
def test_a_middleware_costs_the_same_wherever_it_stands_among_djangos(function: Any, at: int, called: Any) -> None:
    answer = ask(called, [*SEVEN[:at], kind(function), *SEVEN[at:]])
    assert (answer.status, answer.hops) == (200, BUDGETS[function][called is view])


def seen_in(cls: type, name: str, sync: list[str]) -> type:
    """A subclass of ``cls`` whose ``name`` says where it was called."""

    def method(self: Any, *args: Any) -> Any:
        sync.append(place())
        return getattr(super(made, self), name)(*args)

    made: Any = type("Made", (cls,), {name: method})
    return made  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (common.CommonMiddleware, "process_request"),
        (common.CommonMiddleware, "process_response"),
        (csrf.CsrfViewMiddleware, "process_view"),
        (csrf.CsrfViewMiddleware, "_get_secret"),
        (csrf.CsrfViewMiddleware, "_accept"),
        (SessionMiddleware, "process_response"),
        (clickjacking.XFrameOptionsMiddleware, "get_xframe_options_value"),
    ],
)
def test_what_a_subclass_overrides_runs_in_the_thread(cls: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[str] = []
    monkeypatch.setattr(stack, "overriding", seen_in(cls, name, where), raising=False)
    answer = ask(aview, [f"{stack.__name__}.overriding"])
    assert (answer.status, set(where)) == (200, {"thread"})


def test_a_patched_hook_of_djangos_runs_in_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[str] = []
    original = common.CommonMiddleware.process_request

    def patched(self: Any, request: Any) -> Any:
        where.append(place())
        return original(self, request)

    monkeypatch.setattr(common.CommonMiddleware, "process_request", patched)
    assert ask(aview, SEVEN).status == 200
    assert where == ["thread"]


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (SessionBase, "is_empty"),
        (SessionBase, "__init__"),
        (signed_cookies.SessionStore, "is_empty"),
        (common.CommonMiddleware, "should_redirect_with_slash"),
        (common.CommonMiddleware, "get_full_path_with_slash"),
        (clickjacking.XFrameOptionsMiddleware, "get_xframe_options_value"),
    ],
)
def test_a_method_that_is_patched_between_two_requests_runs_in_the_thread(
    cls: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `mock.patch.object` does it, while the server runs."""
    where: list[str] = []
    original = getattr(cls, name)

    def patched(self: Any, *args: Any, **kwargs: Any) -> Any:
        where.append(place())
        return original(self, *args, **kwargs)

    async def both() -> None:
        await site.asend("GET", "/x")
        monkeypatch.setattr(cls, name, patched)
        await site.asend("GET", "/x")
        assert set(where) == {"thread"}
        monkeypatch.undo()
        assert (await site.asend("GET", "/x/")).hops == 0

    options = {"SESSION_ENGINE": signed_cookies.__name__}
    with Site({"x/": aview}, entry=OURS, MIDDLEWARE=SEVEN, **options) as site:
        asyncio.run(both())


LOCALE = "django.middleware.locale.LocaleMiddleware"


async def greeting(request: Any) -> HttpResponse:
    return HttpResponse(f"{translation.gettext('Yes')} {await sync_to_async(translation.gettext)('No')}")


@pytest.fixture
def _no_translations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trans_real, "_translations", {})


@pytest.mark.usefixtures("_no_translations")
def test_a_language_is_loaded_in_the_thread_and_then_chosen_in_place() -> None:
    async def both() -> None:
        for language, text in (("de", b"Ja Nein"), ("fr", b"Oui Non")):
            answers = [await site.asend("GET", "/x/", headers={"accept-language": language}) for _ in range(2)]
            assert [answer.body for answer in answers] == [text, text]
            assert [answer.headers["Content-Language"] for answer in answers] == [language, language]
            assert [answer.hops for answer in answers] == [2, 1]  # one of them is the view's

    with Site({"x/": greeting}, entry=OURS, MIDDLEWARE=[LOCALE]) as site:
        asyncio.run(both())


@pytest.mark.usefixtures("_no_translations")
@pytest.mark.parametrize("default_is_prefixed", [True, False])
def test_a_language_in_the_path_is_so_too(default_is_prefixed: bool) -> None:
    async def main() -> list[tuple[bytes, int]]:
        answers = [await site.asend("GET", path_) for path_ in paths for _ in range(2)]
        return [(answer.body, answer.hops) for answer in answers]

    paths = ["/de/x/", "/en/x/" if default_is_prefixed else "/x/"]
    urls = i18n_patterns(path("x/", aspeaks), prefix_default_language=default_is_prefixed)
    with Site(urls, entry=OURS, MIDDLEWARE=[LOCALE], LANGUAGE_CODE="en") as site:
        assert asyncio.run(main()) == [(b"de", 1), (b"de", 0), (b"en", 0), (b"en", 0)]  # German falls back on it
        assert asyncio.run(site.asend("GET", "/nothing/")).status == 404


async def aspeaks(request: Any) -> HttpResponse:
    return HttpResponse(translation.get_language())


@pytest.mark.parametrize("module", [translation, trans_real])
def test_another_way_to_find_the_language_runs_in_the_thread(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[str] = []

    def of_the_user(request: Any, check_path: bool = False) -> str:
        where.append(place())
        return "de"

    monkeypatch.setattr(module, "get_language_from_request", of_the_user)
    if module is trans_real:  # Django remembers its functions where they were asked for once
        monkeypatch.setattr(translation._trans, "get_language_from_request", of_the_user, raising=False)
    assert ask(aspeaks, [LOCALE]).body == b"de"
    assert where == ["thread"]


class Store(signed_cookies.SessionStore):
    where: list[str] = []

    def __init__(self, session_key: Any = None) -> None:
        self.where.append(place())
        super().__init__(session_key)


class Emptied(signed_cookies.SessionStore):
    def is_empty(self) -> bool:
        Store.where.append(place())
        return True


SessionStore = Store


@pytest.mark.parametrize("store", [Store, Emptied])
def test_a_session_store_of_ones_own_runs_in_the_thread(store: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "SessionStore", store)
    Store.where.clear()
    assert ask(aview, SEVEN, SESSION_ENGINE=__name__).status == 200
    assert set(Store.where) == {"thread"}


async def writes(request: Any) -> HttpResponse:
    await request.session.aset("seen", True)
    return HttpResponse()


async def forgets(request: Any) -> HttpResponse:
    del request.session, request._messages
    return HttpResponse()


async def says(request: Any) -> HttpResponse:
    await sync_to_async(add_message)(request, 20, "hello")
    return HttpResponse()


def gzipped(request: Any) -> HttpResponse:
    return HttpResponse("x" * 1000)


async def agzipped(request: Any) -> HttpResponse:
    return HttpResponse("x" * 1000)


async def missing(request: Any) -> HttpResponse:
    return HttpResponse(status=404)


GZIP = ["django.middleware.gzip.GZipMiddleware"]
CONDITIONAL = ["django.middleware.http.ConditionalGetMiddleware"]
BROKEN = ["django.middleware.common.BrokenLinkEmailsMiddleware"]
LOGIN = [*SEVEN[:5], "django.contrib.auth.middleware.LoginRequiredMiddleware"]
SIGNED = {"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"}
CACHED = {"SESSION_ENGINE": "django.contrib.sessions.backends.cache"}
LOCMEM = {"CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}}
FILES = {"CACHES": {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "/tmp"}}}


@pytest.mark.parametrize(
    ("called", "middleware", "settings", "headers", "hops"),
    [
        (aview, SEVEN, {"SESSION_SAVE_EVERY_REQUEST": True, **SIGNED}, {}, 1),
        (writes, SEVEN, SIGNED, {}, 1),
        (aview, SEVEN, SIGNED, {"cookie": "sessionid=x"}, 0),
        (aview, SEVEN, {**CACHED, **LOCMEM}, {}, 0),
        (aview, SEVEN, {**CACHED, **FILES}, {}, 1),
        (aview, SEVEN, {"SESSION_ENGINE": "django.contrib.sessions.backends.file"}, {}, 1),
        (aview, SEVEN, {"CSRF_USE_SESSIONS": True, **SIGNED}, {}, 1),
        (aview, SEVEN, {"PREPEND_WWW": True}, {"host": "www.testserver"}, 1),
        (aview, SEVEN, {"MESSAGE_STORAGE": "django.contrib.messages.storage.session.SessionStorage"}, {}, 1),
        (says, SEVEN, SIGNED, {}, 2),  # a message is added, and stored
        (forgets, SEVEN, {}, {}, 0),
        (missing, SEVEN, {}, {}, 0),
        (aview, GZIP, {}, {"accept-encoding": "gzip"}, 0),
        (agzipped, GZIP, {}, {"accept-encoding": "gzip"}, 1),
        (agzipped, GZIP, {}, {}, 0),
        (aview, CONDITIONAL, {}, {}, 1),
        (missing, BROKEN, {}, {}, 1),
        (aview, BROKEN, {}, {}, 0),
        (aview, LOGIN, SIGNED, {}, 1),
    ],
)
def test_djangos_middleware_goes_to_the_thread_where_it_may_block(
    called: Any, middleware: list[str], settings: dict[str, Any], headers: dict[str, str], hops: int
) -> None:
    options = {"ALLOWED_HOSTS": ["testserver", "www.testserver"], "LOGIN_URL": "/login/", **settings}
    answer = ask(called, middleware, headers=headers, **options)
    assert (answer.status < 500, answer.hops) == (True, hops)


@pytest.mark.parametrize(("method", "hops"), [("HEAD", 0), ("POST", 1)])
def test_csrf_is_checked_in_the_thread_and_unsafe_requests_only(method: str, hops: int) -> None:
    answer = ask(aview, SEVEN, method)
    assert (answer.status, answer.hops) == (403 if method == "POST" else 200, hops)


def test_a_view_exempt_from_csrf_is_not_checked() -> None:
    class Writable(Ping):
        post = Ping.get

    answer = ask(Writable.as_view(), SEVEN, "POST")
    assert (answer.status, answer.hops) == (200, 0)


@pytest.mark.parametrize("status", [404, 500])
@pytest.mark.parametrize(
    ("handler", "level", "hops"),
    [
        (None, "CRITICAL", 0),  # the logger asks nobody
        (logging.NullHandler(), "DEBUG", 0),
        (logging.Handler("CRITICAL"), "DEBUG", 0),
        (logging.StreamHandler(), "DEBUG", 1),
    ],
)
def test_logging_goes_to_the_thread_where_a_handler_would_write(
    status: int, handler: logging.Handler | None, level: str, hops: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def wrong(request: Any) -> HttpResponse:
        return HttpResponse(status=status)

    logger = logging.getLogger("django.request")
    was = logger.level, logger.propagate, logger.handlers
    logger.propagate, logger.handlers = False, [handler] if handler else []
    logger.setLevel(level)
    try:
        answer = ask(wrong, [])
    finally:
        logger.setLevel(was[0])
        logger.propagate, logger.handlers = was[1:]
    assert (answer.status, answer.hops) == (status, hops)


def test_django_logs_by_default_what_only_a_filter_turns_down() -> None:
    """Under Django's own logging, whose console is for DEBUG and whose mail for errors, a 404 costs nothing."""
    from django.utils import log

    handlers = [logging.StreamHandler(), log.AdminEmailHandler()]
    handlers[0].addFilter(log.RequireDebugTrue())
    handlers[1].addFilter(log.RequireDebugFalse())
    handlers[1].setLevel("ERROR")
    logger = logging.getLogger("django.request")
    was = logger.level, logger.propagate, logger.handlers
    logger.propagate, logger.handlers = False, handlers
    logger.setLevel("INFO")
    try:
        assert ask(missing, []).hops == 0
    finally:
        logger.setLevel(was[0])
        logger.propagate, logger.handlers = was[1:]


def test_the_logger_of_last_resort_writes() -> None:
    logger = logging.getLogger("django.request")
    was = logger.level, logger.propagate, logger.handlers
    logger.propagate, logger.handlers = False, []
    logger.setLevel("INFO")
    try:
        assert ask(missing, []).hops == 1
        logger.addFilter(lambda record: False)
        assert ask(missing, []).hops == 1
    finally:
        logger.filters.clear()
        logger.setLevel(was[0])
        logger.propagate, logger.handlers = was[1:]


class Cache(LocMemCache):
    closed_in: list[str] = []

    def close(self, **kwargs: Any) -> None:
        self.closed_in.append(place())


async def caches(request: Any) -> HttpResponse:
    return HttpResponse(str(cache.key_prefix))


def test_a_cache_that_was_used_and_has_to_be_closed_is_closed_in_the_thread() -> None:
    Cache.closed_in.clear()
    answer = ask(caches, [], CACHES={"default": {"BACKEND": f"{__name__}.Cache"}})
    assert (answer.status, answer.hops, Cache.closed_in) == (200, 1, ["thread"])
