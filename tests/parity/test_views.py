"""Views under Django: as_view, decorators, middleware, transports, overrides of dispatch."""

from __future__ import annotations

import functools
import gzip
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.core.cache import cache
from django.http import HttpResponse
from django.middleware.gzip import GZipMiddleware
from django.urls import path, re_path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control, cache_page, never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import condition, require_http_methods
from django.views.decorators.vary import vary_on_cookie, vary_on_headers
from rest_framework import exceptions, permissions
from rest_framework.authentication import BaseAuthentication
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView as DRFAPIView

from restflow.views import AsyncAPIView
from tests.parity.harness import (
    ASYNC_HANDLERS,
    ASYNC_VIEW,
    BASES,
    COLOURS,
    EVERY,
    OVER,
    SYNC,
    Ask,
    Parity,
    at_root,
    directly,
    table,
)
from tests.site import Site

calls: list[str] = []


class Refusing(permissions.BasePermission):
    message = "no"

    def has_permission(self, request: Any, view: Any) -> bool:
        return "refuse" not in request.query_params


def counted(base: Any) -> Any:
    class Counted(base):
        permission_classes = [Refusing]

        def get(self, request: Any, **kwargs: Any) -> Response:
            calls.append(request.method)
            if "raise" in request.query_params:
                raise exceptions.NotFound
            return Response({"call": len(calls), "text": "x" * 300, **kwargs})

        post = get

    return Counted


# as_view


@pytest.mark.parametrize("name", COLOURS)
def test_as_view_returns_a_function_that_knows_its_class(name: str) -> None:
    def facts(base: Any) -> Any:
        cls = counted(base)
        view = cls.as_view(permission_classes=[permissions.AllowAny])
        attributes = {
            key: getattr(view, key) for key in ("initkwargs", "csrf_exempt", "login_required", "__name__", "__doc__")
        }
        return {
            **attributes,
            "cls": view.cls is cls,
            "view_class": view.view_class is cls,
            "actions": hasattr(view, "actions"),
        }

    assert facts(BASES[name]) == facts(DRFAPIView)
    assert iscoroutinefunction(counted(BASES[name]).as_view()) is (name in {ASYNC_VIEW, ASYNC_HANDLERS})


@pytest.mark.parametrize("initkwargs", [{"unknown": 1}, {"get": None}, {"options": None}], ids=str)
@pytest.mark.parametrize("name", COLOURS)
def test_as_view_refuses_what_drf_refuses(name: str, initkwargs: Any) -> None:
    messages = []
    for base in (DRFAPIView, BASES[name]):
        with pytest.raises(TypeError) as raised:
            counted(base).as_view(**initkwargs)
        messages.append(str(raised.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    "initkwargs",
    [
        {"permission_classes": [permissions.IsAuthenticated]},
        {"permission_classes": ()},
        {"renderer_classes": [JSONRenderer]},
        {"renderer_classes": []},
        {"http_method_names": ["post"]},
        {"authentication_classes": []},
    ],
    ids=str,
)
def test_initkwargs_override_the_class(parity: Parity, initkwargs: Any) -> None:
    parity(counted, initkwargs=initkwargs, before=calls.clear)
    parity(counted, "GET", "/?refuse", initkwargs=initkwargs, before=calls.clear)


# Decorators


DECORATORS: dict[str, Any] = {
    "never_cache": never_cache,
    "cache_control": cache_control(private=True, max_age=5),
    "vary_on_headers": vary_on_headers("X-Tenant", "Accept"),
    "vary_on_cookie": vary_on_cookie,
    "cache_page": cache_page(60),
    "csrf_protect": csrf_protect,
    "require": require_http_methods(["GET", "HEAD"]),
    "condition": condition(etag_func=lambda request, *args, **kwargs: '"tag"'),
}


def _plain(function: Any) -> Any:
    """A decorator that knows of one colour only."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        response = function(*args, **kwargs)
        response["X-Plain"] = type(response).__name__
        return response

    return wrapper


def decorated(name: str, method: str) -> Any:
    decorator = DECORATORS[name]
    return lambda base: method_decorator(decorator, name=method)(
        type("Decorated", (counted(base),), _own(base, method))
    )


def _own(base: Any, method: str) -> dict[str, Any]:
    return {method: getattr(counted(base), method)} if method == "get" else {}


def _start() -> None:
    calls.clear()
    cache.clear()


asks = [
    Ask(),
    Ask("GET", "/?refuse"),
    Ask("GET", "/?raise"),
    Ask("GET", headers={"accept": "text/html"}),
    Ask("POST"),
    Ask("HEAD"),
    Ask("GET", headers={"if-none-match": '"tag"'}),
    Ask("GET", headers={"x-tenant": "a"}),
]


@pytest.mark.parametrize("name", DECORATORS)
@table
def test_djangos_decorators_on_dispatch(parity: Parity, name: str) -> None:
    parity(decorated(name, "dispatch"), "GET", "/", *asks, before=_start)
    assert len(calls) < len(asks) + 1


@pytest.mark.parametrize("name", [name for name in DECORATORS if name not in {"csrf_protect", "cache_page"}])
@table
def test_djangos_decorators_on_a_handler(parity: Parity, name: str) -> None:
    parity(decorated(name, "get"), "GET", "/", *asks, before=_start)


def test_the_first_answer_of_a_cached_handler(parity: Parity) -> None:
    assert parity(decorated("cache_page", "get"), before=_start).status == 200


def test_the_second_answer_of_a_cached_handler(parity: Parity) -> None:
    assert parity(decorated("cache_page", "get"), "GET", "/", Ask(), before=_start).json()["call"] == 1


@pytest.mark.parametrize("name", DECORATORS)
@table
def test_djangos_decorators_around_the_view_function(parity: Parity, name: str) -> None:
    parity(counted, "GET", "/", *asks, before=_start, urls=lambda view: [path("", DECORATORS[name](view))])


# A sync decorator around an async def gets a coroutine in plain Python too.
@pytest.mark.parametrize(("where", "colour"), [("dispatch", EVERY), ("get", SYNC), ("get", ASYNC_VIEW)])
def test_a_decorator_of_one_colour(colour: str, transport: str, where: str) -> None:
    parity = Parity(colour, transport)

    def make(base: Any) -> Any:
        return method_decorator(_plain, name=where)(type("V", (counted(base),), _own(base, where)))

    assert parity(make, before=_start).header["X-Plain"] == "Response"


def test_an_override_of_dispatch_in_drfs_words(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(counted(base)):
            def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
                if "early" in request.GET:
                    return Response("never rendered") if "broken" in request.GET else HttpResponse("early", status=299)
                response = super().dispatch(request, *args, **kwargs)
                response["X-Dispatched"] = type(self.request).__name__
                response.render()
                response["X-Length"] = str(len(response.content))
                return response

        return V

    answer = parity(make, "GET", "/", Ask("GET", "/?early"), Ask("GET", "/?early&broken"), Ask("POST"), before=_start)
    assert int(answer.header["X-Length"]) == len(answer.body)


def test_a_dispatch_that_is_decorated_and_overridden_below(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class Middle(counted(base)):
            @method_decorator(never_cache)
            def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
                return super().dispatch(request, *args, **kwargs)

        @method_decorator(vary_on_headers("X-A"), name="dispatch")
        class Outer(Middle):
            pass

        return Outer

    answer = parity(make, before=_start)
    assert "X-A" in answer.header["Vary"]
    assert "no-cache" in answer.header["Cache-Control"]


# Middleware


class GZip(GZipMiddleware):
    max_random_bytes = 0


class TemplateResponses:
    """Middleware with every hook, which notes what it is handed."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        response = self.get_response(request)
        response["X-Seen"] = f"{request.seen} {getattr(response, 'is_rendered', None)} {hasattr(response, 'data')}"
        return response

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> Any:
        request.seen = [view.__name__, view.cls.__name__, args, kwargs]

    def process_template_response(self, request: Any, response: Any) -> Any:
        response["X-Template"] = str(response.is_rendered)
        response.add_post_render_callback(
            lambda rendered: rendered.__setitem__("X-Callback", str(rendered.is_rendered))
        )
        if "mutate" in request.GET:
            response.data = {"mutated": True}
        if "fresh" in request.GET:
            response.render()
        return response


STACK = [
    "django.middleware.security.SecurityMiddleware",
    "tests.parity.test_views.GZip",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "tests.parity.test_views.TemplateResponses",
]


@pytest.mark.parametrize("url", ["/", "/?refuse", "/?raise", "/?mutate", "/?fresh", "/missing"])
@table
def test_djangos_middleware_sees_what_it_sees_of_drf(parity: Parity, url: str) -> None:
    requests = [
        Ask("GET", url, headers={"accept-encoding": "gzip"}),
        Ask("GET", url, headers={"accept": "text/html", "accept-language": "fr"}),
        Ask("HEAD", url),
        Ask("POST", url, data={"a": 1}),
        Ask("OPTIONS", url, headers={"accept-encoding": "gzip"}),
    ]
    answer = parity(counted, "GET", url, *requests, before=_start, MIDDLEWARE=STACK, SESSION_ENGINE=SIGNED)
    if "missing" not in url:
        assert answer.header["X-Callback"] == "True"
    if answer.header.get("Content-Encoding") == "gzip":
        assert gzip.decompress(answer.body)


SIGNED = "django.contrib.sessions.backends.signed_cookies"


def test_login_required_middleware_exempts_the_view(parity: Parity) -> None:
    middleware = [*STACK, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    assert parity(counted, before=_start, MIDDLEWARE=middleware, SESSION_ENGINE=SIGNED).status == 200


def test_the_site_wide_cache_keeps_the_rendered_response(parity: Parity) -> None:
    middleware = ["django.middleware.cache.UpdateCacheMiddleware", "django.middleware.cache.FetchFromCacheMiddleware"]
    answer = parity(
        counted,
        "GET",
        "/",
        Ask(),
        Ask("GET", headers={"accept": "text/html"}),
        Ask(),
        before=_start,
        MIDDLEWARE=middleware,
    )
    assert answer.json()["call"] == 1
    assert len(calls) == 2


# Transports


@pytest.mark.parametrize("name", COLOURS)
@pytest.mark.parametrize("over", [*OVER, "direct"])
def test_a_view_answers_alike_however_it_is_reached(over: str, name: str) -> None:
    others = [Ask("POST", data={"a": 1}), Ask("PUT"), Ask("OPTIONS"), Ask("GET", headers={"accept": "a/b"})]
    for ask in (*asks, *others):
        answers = []
        for base in (DRFAPIView, BASES[name]):
            _start()
            view = counted(base).as_view()
            if over == "direct":
                answers.append(directly(view, ask))
                continue
            with Site(at_root(view)) as site:
                answers.append(OVER[over](site, ask))
        assert answers[0] == answers[1]
        assert answers[0].status in {200, 403, 404, 405, 406}


def test_url_arguments_reach_the_handler_and_the_view(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(base):
            def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
                context = request.parser_context
                return Response(
                    [args, kwargs, self.args, self.kwargs, context["args"], context["kwargs"], request.method]
                )

        return V

    urls = lambda view: [re_path(r"^n/(\d+)$", view), path("k/<int:pk>/<slug>", view, {"extra": "x"})]  # noqa: E731
    assert parity(make, "GET", "/n/5", urls=urls).json()[0] == ["5"]
    assert parity(make, "GET", "/k/5/a", urls=urls).json()[1] == {"pk": 5, "slug": "a", "extra": "x"}


def test_lazy_authentication_of_a_sync_handler(transport: str) -> None:
    class Own(BaseAuthentication):
        def authenticate(self, request: Any) -> Any:
            raise exceptions.AuthenticationFailed("late")

        def authenticate_header(self, request: Any) -> str:
            return "Own"

    def make(base: Any) -> Any:
        class V(base):
            authentication_classes = [Own]

            def perform_authentication(self, request: Any) -> None:
                pass

            def get(self, request: Any) -> Response:
                return Response(str(request.user) if "read" in request.query_params else "unread")

        return V

    for colour in (SYNC, ASYNC_VIEW):
        parity = Parity(colour, transport)
        assert [parity(make, "GET", url).status for url in ("/", "/?read")] == [200, 401]


@pytest.mark.parametrize("renderers", [[JSONRenderer], [BrowsableAPIRenderer, JSONRenderer]], ids=len)
def test_name_and_description_are_the_views(parity: Parity, renderers: Any) -> None:
    def make(base: Any) -> Any:
        class LongNamedAPIView(counted(base)):
            """Title
            =====

            * a `list`
            """

            def get_view_description(self, html: bool = False) -> str:
                return super().get_view_description(html) + ("!" if html else "?")

        return LongNamedAPIView

    for method in ("GET", "OPTIONS"):
        answer = parity(
            make,
            method,
            headers={"accept": "text/html, application/json"},
            initkwargs={"renderer_classes": renderers},
            before=_start,
        )
        assert b"Long Named Api" in answer.body or method == "GET"


def test_the_bases_are_what_they_say() -> None:
    assert BASES["drf"] is DRFAPIView
    assert all(issubclass(BASES[name], DRFAPIView) for name in COLOURS)
    assert issubclass(BASES[ASYNC_HANDLERS], AsyncAPIView)
    assert iscoroutinefunction(counted(BASES[ASYNC_HANDLERS]).get)
