"""The system checks: each finds what is wrong in a bad project, and nothing in a good one."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial, wraps
from io import StringIO
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.cache import caches
from django.core.checks import CheckMessage, run_checks
from django.core.handlers.asgi import ASGIHandler
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections
from django.db.models import Avg, Manager
from django.db.transaction import atomic as atomic_block
from django.db.transaction import non_atomic_requests
from django.http import HttpResponse
from django.test import override_settings
from django.urls import include, path
from django.utils import translation
from django.utils.decorators import method_decorator, sync_and_async_middleware, sync_only_middleware
from django.utils.deprecation import MiddlewareMixin
from django.views.decorators.cache import cache_control, never_cache
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import authentication, permissions, throttling
from rest_framework.generics import RetrieveAPIView
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter, SimpleRouter
from rest_framework.views import APIView as DRFAPIView

import restflow.throttling
from restflow.asgi import ASGIHandler as OurASGIHandler
from restflow.views import (
    ActionConfig,
    APIView,
    AsyncAPIView,
    AsyncModelViewSet,
    AsyncReadOnlyModelViewSet,
    ModelViewSet,
    PostFetch,
    action,
)
from tests.shop.models import Book, Review

REMOTE = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}}


@contextmanager
def project(urlpatterns: Any, **given: Any) -> Iterator[None]:
    """A project with these URLs and restflow among its apps."""
    apps = [*settings.INSTALLED_APPS, "restflow"]
    with override_settings(ROOT_URLCONF=tuple(urlpatterns), INSTALLED_APPS=apps, **given):
        yield


def routed(viewset: Any) -> Any:
    router = SimpleRouter()
    router.register("books", viewset, basename="book")
    return router.urls


def messages(urlpatterns: Any, **given: Any) -> list[CheckMessage]:
    with project(urlpatterns, **given):
        return run_checks(tags=["restflow"])


def said(urlpatterns: Any, **given: Any) -> list[tuple[str, str, str]]:
    return [
        (str(message.id).split(".")[1], message.msg, str(message.hint)) for message in messages(urlpatterns, **given)
    ]


def at(view: Any) -> Any:
    return [path("x/", view.as_view())]


class Books(AsyncModelViewSet):
    queryset = Book.objects.all()


class SyncBooks(ModelViewSet):
    queryset = Book.objects.all()


COLOURS = pytest.mark.parametrize("base", [Books, SyncBooks])


def of(base: Any, **attributes: Any) -> Any:
    return type("View", (base,), {"__module__": __name__, **attributes})


def misconfigured(base: Any) -> Any:
    """A viewset with a config of a method that is no action, unless a route names it."""
    return of(base, shelve=lambda self, request: Response(), action_configs={"shelve": ActionConfig()})


# The command.


@pytest.mark.django_db  # Django's own checks ask the database what it can do
def test_the_command_says_what_is_wrong() -> None:
    viewset = misconfigured(Books)
    output = StringIO()
    with project(routed(viewset)), pytest.raises(SystemCheckError) as refusal:
        call_command("check", stdout=output)
    assert "(restflow.E001)" in str(refusal.value)
    assert "View.action_configs has 'shelve', which is no action of it." in str(refusal.value)
    assert "HINT: Make the method an action" in str(refusal.value)


@pytest.mark.django_db
def test_the_command_passes_a_project_without_mistakes() -> None:
    class Fetching(Books):
        action_configs = {"list": ActionConfig(permission_classes=[permissions.AllowAny])}
        latest = PostFetch(Review.objects.all(), "latest", ["rating"], order_by=["-created"], book_title="title")

        async def list(self, request: Any) -> Response:
            return Response()

    output = StringIO()
    with project([*routed(Fetching), *at(APIView), path("plain/", lambda request: HttpResponse())]):
        call_command("check", stdout=output, fail_level="DEBUG")
    assert "no issues" in output.getvalue()


def test_the_package_works_and_checks_nothing_outside_of_the_installed_apps() -> None:
    code = """
import django
from django.conf import settings
settings.configure(ROOT_URLCONF=(), INSTALLED_APPS=["rest_framework"])
django.setup()
import restflow.views
from django.core.checks.registry import registry
assert "restflow" not in registry.tags_available()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_app_may_come_before_those_whose_models_the_settings_of_drf_need() -> None:
    code = """
import django
from django.conf import settings
apps = ["restflow", "django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "tests.shop"]
authentication = {"DEFAULT_AUTHENTICATION_CLASSES": ["tests.docs.accounts.Nobody"]}
settings.configure(ROOT_URLCONF=(), INSTALLED_APPS=apps, REST_FRAMEWORK=authentication)
django.setup()
import sys
assert "restflow.views" not in sys.modules
from django.core.checks.registry import registry
assert "restflow" in registry.tags_available()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("url_conf", [None, "tests.no_such_module"])
def test_a_url_conf_that_is_not_there_is_left_to_django(url_conf: Any) -> None:
    from restflow.checks import check_views

    with override_settings(ROOT_URLCONF=url_conf):
        assert check_views() == []


def test_a_view_that_can_not_be_looked_at_is_named_and_the_others_are_checked() -> None:
    class Strange(type):
        def __getattribute__(cls, name: str) -> Any:
            if name == "http_method_names" and sys._getframe(1).f_globals["__name__"] == "restflow.checks":
                raise RuntimeError("not now")
            return super().__getattribute__(name)

    class View(AsyncAPIView, metaclass=Strange):
        pass

    found = said([*at(View), *routed(misconfigured(Books))])
    assert [(number, text.rpartition(">.")[2]) for number, text, _ in found] == [
        ("I001", "View could not be checked: RuntimeError: not now"),
        ("E001", "tests.test_checks.View.action_configs has 'shelve', which is no action of it."),
    ]


def test_views_are_found_behind_includes_and_decorators_and_named_once() -> None:
    viewset = misconfigured(Books)
    wrapped = viewset.as_view({"get": "list"})

    async def undone(request: Any) -> Any:
        return await wrapped(request)

    for urlpatterns in (
        [path("api/", include((routed(viewset), "api")))],
        [path("x/", cache_control(max_age=1)(wrapped))],
        [path("x/", undone)],
        [*routed(viewset), path("x/", wrapped)],
    ):
        assert [number for number, *_ in said(urlpatterns)] == ["E001"]


def test_views_of_drf_itself_are_not_looked_at_for_what_is_restflows() -> None:
    assert said(at(of(DRFAPIView, latest=BAD_FETCHES["ratng"]))) == []


# E001: an action that is none.


@COLOURS
def test_a_config_of_a_method_that_is_no_action_is_an_error(base: Any) -> None:
    @action(detail=True)
    def praise(self: Any, request: Any, pk: Any) -> Response:
        return Response()

    good = {name: ActionConfig() for name in ("list", "create", "update", "partial_update", "metadata", "praise")}
    assert said(routed(of(base, praise=praise, action_configs=good))) == []
    (message,) = messages(routed(misconfigured(base)))
    assert (message.id, message.level) == ("restflow.E001", 40)
    assert message.msg == "tests.test_checks.View.action_configs has 'shelve', which is no action of it."


def test_a_config_that_a_base_shares_out_needs_one_viewset_that_has_its_action() -> None:
    class Shared:
        action_configs = {"create": ActionConfig()}

    reading = type("Reading", (Shared, AsyncReadOnlyModelViewSet), {"queryset": Book.objects.all()})
    writing = of(type("Writing", (Shared, Books), {}))
    assert said([*routed(reading), *routed(writing)]) == []
    assert [number for number, *_ in said(routed(reading))] == ["E001"]


def test_a_config_of_such_a_method_that_as_view_is_given_is_an_error_too() -> None:
    given = {"action_configs": {"shelve": ActionConfig()}}
    viewset = of(Books, shelve=lambda self, request: Response())
    assert [number for number, *_ in said([path("x/", viewset.as_view({"get": "list"}, **given))])] == ["E001"]


def test_an_action_that_only_a_route_names_is_one() -> None:
    viewset = misconfigured(Books)
    assert said([path("x/", viewset.as_view({"get": "shelve"}))]) == []
    assert [number for number, *_ in said(routed(viewset))] == ["E001"]


# W008: ATOMIC_REQUESTS.


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


# E009, W009, W010, W011: how a project with async views is served.


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
    postgres = {**connections.settings["default"], "ENGINE": "django.db.backends.postgresql", "OPTIONS": {"pool": pool}}
    monkeypatch.setitem(connections.settings, "pooled", postgres)
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
    postgres = {**connections.settings["default"], "ENGINE": "django.db.backends.postgresql", "OPTIONS": {"pool": True}}
    monkeypatch.setitem(connections.settings, "pooled", postgres)
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


# E005: a PostFetch of fields that are not there.


def fetch(*values: str, **kwargs: Any) -> PostFetch:
    given: dict[str, Any] = {"order_by": ["-created"], "book_title": "title", **kwargs}
    queryset = given.pop("queryset", Review.objects.all())
    return PostFetch(queryset, "latest", list(values), **given)


def late(failing: bool = False) -> Any:
    """A manager with a query set of its own; of others a PostFetch knows when it is made."""

    class Late(Manager[Review]):
        def get_queryset(self) -> Any:
            if failing:
                raise RuntimeError("outside of a request")
            return super().get_queryset()

    manager: Any = Late()
    manager.model = Review
    return manager


GOOD_FETCHES = {
    "fields": fetch("rating", "created"),
    "an annotation": fetch("mean", queryset=Review.objects.annotate(mean=Avg("rating"))),
    "an expression": fetch("rating", values_dict={"mean": Avg("rating")}),
    "a relation": PostFetch(Book.objects, "written", ["author__name"], author_id="pk"),
    "a manager that fails, which can't be known": fetch("rating", queryset=late(failing=True)),
}
BAD_FETCHES = {
    "ratng": fetch("ratng", queryset=late()),
    "creatd": fetch("rating", order_by=["creatd"], queryset=late()),
    "boook": fetch("rating", boook="title", queryset=late()),
}


@pytest.mark.parametrize("name", GOOD_FETCHES)
@pytest.mark.parametrize("colour", [APIView, AsyncAPIView])
def test_a_post_fetch_of_fields_that_are_there_is_right(colour: Any, name: str) -> None:
    assert said(at(of(colour, fetches=[GOOD_FETCHES[name]]))) == []


@pytest.mark.parametrize("name", BAD_FETCHES)
@pytest.mark.parametrize("colour", [APIView, AsyncAPIView])
@pytest.mark.parametrize("place", ["class", "list", "base", "module"])
def test_a_post_fetch_of_a_field_that_is_not_there_is_an_error(
    colour: Any, name: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = BAD_FETCHES[name]
    view = {
        "class": lambda: of(colour, latest=bad),
        "list": lambda: of(colour, latest=(bad,)),
        "base": lambda: of(of(colour, latest=bad)),
        "module": lambda: of(colour, __module__="catalogue"),
    }[place]()
    module = ModuleType("catalogue")
    module.latest = bad  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "catalogue", module)
    ((number, text, _),) = said(at(view))
    assert number == "E005"
    assert text.startswith(f"The PostFetch latest of {'catalogue' if place == 'module' else 'View'} names a field")
    assert f"'{name}'" in text


# E006: async checks on views of DRF's.


@pytest.mark.parametrize("composed", [False, True])
@pytest.mark.parametrize(
    ("name", "module", "base", "hook"),
    [
        ("permission_classes", "permissions", "BasePermission", "has_permission"),
        ("permission_classes", "permissions", "BasePermission", "has_object_permission"),
        ("throttle_classes", "throttling", "BaseThrottle", "allow_request"),
        ("authentication_classes", "authentication", "BaseAuthentication", "authenticate"),
    ],
)
def test_an_async_check_on_a_view_of_drfs_is_an_error_unless_it_is_built_on_restflows(
    name: str, module: str, base: str, hook: str, composed: bool
) -> None:
    async def asked(self: Any, *args: Any) -> None: ...

    def found(package: str) -> Any:
        component = type("Mine", (getattr(importlib.import_module(f"{package}.{module}"), base),), {hook: asked})
        if composed and name == "permission_classes":
            component = permissions.AllowAny & ~component
        return said(at(of(DRFAPIView, **{name: [component]})))

    ((number, text, hint),) = found("rest_framework")
    assert number == "E006"
    assert text.endswith(
        f".Mine.{hook} is async, and {__name__}.View, which is no view of restflow's, takes the coroutine for the "
        "answer: for a yes."
    )
    assert hint.startswith(f"Derive Mine from its base's namesake in restflow.{module}, ")
    assert found("restflow") == []


@pytest.mark.parametrize("part", ["validate", "validate_title", "get_shout", "validator", "field"])
def test_async_code_in_a_serializer_of_a_view_of_drfs_is_an_error(part: str) -> None:
    async def code(self: Any, *args: Any) -> Any: ...

    def found(package: str) -> Any:
        module = importlib.import_module(f"{package}.serializers")
        field = type("Field", (module.CharField,), {"to_representation": code} if part == "field" else {})
        validators = [partial(code, None)] if part == "validator" else []
        body = {"title": field(validators=validators), "shout": module.SerializerMethodField(), part: code}
        body["__module__"] = __name__
        serializer = type("Mine", (module.Serializer,), body)
        return said([path("x/", of(RetrieveAPIView, serializer_class=serializer).as_view())])

    ((number, text, hint),) = found("rest_framework")
    name = {"validator": "title", "field": "title"}.get(part, part)
    assert number == "E006"
    assert f".Mine.{name} is async, and {__name__}.View" in text
    assert "restflow.serializers" in hint
    assert found("restflow") == []


# E007 and W006: what the URLconf puts around an async view.


def passing_on(view: Any) -> Any:
    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize(
    "decorate", [atomic_block, translation.override("de"), lambda view: passing_on(atomic_block(view))]
)
def test_a_sync_context_manager_around_an_async_view_is_an_error(decorate: Any) -> None:
    ((number, text, _),) = said([path("x/", decorate(AsyncAPIView.as_view()))])
    assert (number, text.split(" in the URLconf")[0]) == (
        "E007",
        "A sync context manager stands around restflow.views.base.AsyncAPIView.as_view()",
    )
    assert said([path("x/", decorate(APIView.as_view()))]) == []


def test_a_sync_wrapper_around_an_async_view_is_a_warning() -> None:
    ((number, text, _),) = said([path("x/", passing_on(AsyncAPIView.as_view()))])
    assert number == "W006"
    assert text.startswith("passing_on.<locals>.wrapper (")
    assert said([path("x/", passing_on(APIView.as_view())), path("y/", never_cache(AsyncAPIView.as_view()))]) == []


# E008: an async exception handler.


async def async_handler(exc: Any, context: Any) -> Any: ...


def test_an_async_exception_handler_is_an_error_where_views_of_drfs_are_served() -> None:
    given = {"REST_FRAMEWORK": {"EXCEPTION_HANDLER": f"{__name__}.async_handler"}}
    router = DefaultRouter()
    router.register("books", Books)
    ((number, text, hint),) = said(router.urls, **given)
    assert number == "E008"
    assert "rest_framework.routers.APIRootView" in text
    assert "async_to_sync" in hint
    assert said(at(AsyncAPIView), **given) == []
    assert said(router.urls) == []


# W001: what a sync view opens an event loop for.


class AsyncPermission(permissions.BasePermission):
    async def has_permission(self, request: Any, view: Any) -> bool:  # type: ignore[override]
        return True


class BothPermission(permissions.BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return True

    async def ahas_permission(self, request: Any, view: Any) -> bool:
        return True


class AsyncAuthentication(authentication.BaseAuthentication):
    async def aauthenticate(self, request: Any) -> Any:
        return None


class AsyncAllow(throttling.BaseThrottle):
    async def allow_request(self, request: Any, view: Any) -> bool:  # type: ignore[override]
        return True


@pytest.mark.parametrize(
    ("name", "component", "hook"),
    [
        ("permission_classes", AsyncPermission, "AsyncPermission.has_permission"),
        ("permission_classes", permissions.AllowAny & ~AsyncPermission, "AsyncPermission.has_permission"),
        ("authentication_classes", AsyncAuthentication, "AsyncAuthentication.authenticate"),
        ("throttle_classes", AsyncAllow, "AsyncAllow.allow_request"),
    ],
)
def test_an_async_component_of_a_sync_view_is_a_warning(name: str, component: Any, hook: str) -> None:
    assert said(at(of(AsyncAPIView, **{name: [component]}))) == []
    ((number, text, hint),) = said(at(of(APIView, **{name: [component]})))
    assert number == "W001"
    assert text == (
        f"tests.test_checks.{hook} is async only, and tests.test_checks.View is sync: each request opens an event loop "
        "for it."
    )
    assert hint.startswith("Derive View from the async view, or give")


def test_a_component_of_both_colours_is_no_warning() -> None:
    assert said(at(of(APIView, permission_classes=[BothPermission, permissions.IsAuthenticated]))) == []


def test_classes_that_a_property_chooses_are_not_known() -> None:
    assert said(at(of(APIView, permission_classes=property(lambda view: [AsyncPermission])))) == []


def test_classes_that_as_view_is_given_are_checked() -> None:
    view = APIView.as_view(permission_classes=[AsyncPermission])
    assert [number for number, *_ in said([path("x/", view)])] == ["W001"]


# W002: a sync handler before an async one.


def test_a_sync_handler_before_an_async_one_is_a_warning() -> None:
    def get(self: Any, request: Any) -> Response:
        return Response()

    async def aget(self: Any, request: Any) -> Response:
        return Response()

    asynchronous = of(AsyncAPIView, get=aget, __qualname__="Asynchronous")
    assert said(at(of(AsyncAPIView, get=get))) == []
    assert said(at(of(APIView, get=get))) == []
    assert said(at(of(of(AsyncAPIView, get=get), get=aget))) == []
    ((number, text, hint),) = said(at(of(asynchronous, get=get)))
    assert (number, hint) == ("W002", "Write `async def get`.")
    assert text == (
        "tests.test_checks.View.get is sync, and stands before the async get of tests.test_checks.Asynchronous: it "
        "runs in the worker thread."
    )
    assert said(routed(of(Books, list=get))) == []  # as a viewset is ported


@pytest.mark.parametrize(
    "decorate", [extend_schema_view(list=extend_schema(summary="All")), method_decorator(never_cache, "list")]
)
def test_a_decorated_action_of_ours_is_not_one_that_was_written_async(decorate: Any) -> None:
    decorated = decorate(of(Books))
    assert said(routed(of(decorated, list=lambda self, request: Response()))) == []


# W003: PATCH beside PUT.


@COLOURS
def test_a_guard_of_update_alone_is_a_warning(base: Any) -> None:
    guard = ActionConfig(permission_classes=[permissions.IsAdminUser])
    assert said(routed(of(base, action_configs={"update": guard, "partial_update": guard}))) == []
    assert said(routed(of(base, action_configs={"update": ActionConfig(pagination_class=None)}))) == []
    viewset = of(base, action_configs={"update": guard})
    assert said([path("x/", viewset.as_view({"put": "update"}))]) == []
    ((number, text, hint),) = said(routed(viewset))
    assert number == "W003"
    assert "'update' with permission_classes, and none of 'partial_update': PATCH is checked by the class" in text
    assert "partial_update" in hint


# W004 and W005: caches that wait.


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
        "tests.test_checks.DRFThrottle reads DatabaseCache in the worker thread at each request of the async "
        "tests.test_checks.View."
    )
    assert "restflow.throttling" in hint


def test_an_async_throttle_over_drfs_with_a_cache_that_waits_is_a_warning() -> None:
    view = of(AsyncAPIView, throttle_classes=[AsyncDRFThrottle])
    assert said(at(view)) == []
    ((number, text, hint),) = said(at(view), CACHES=REMOTE)
    assert number == "W005"
    assert "read DatabaseCache on the event loop" in text
    assert "restflow.throttling" in hint


# W007: a scope that is counted in two places.


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
        f"Requests of the scope {scope!r} are counted by tests.test_checks.{ours.__qualname__}, and apart from it, in "
        f"Django's cache, by tests.test_checks.{theirs.__qualname__}: a client may make as many as both allow."
    )
    assert "restflow.throttling" in hint


def test_every_check_is_in_the_reference() -> None:
    import re
    from pathlib import Path

    root = Path(__file__).parent.parent
    sources = [(root / "src/restflow" / name).read_text() for name in ("checks.py", "deployment.py")]
    given = set(re.findall(r"\b([EWI]\d{3})\b", "".join(sources)))
    documented = set(re.findall(r"`restflow\.([EWI]\d{3})`", (root / "docs/reference/checks.md").read_text()))
    assert given == documented
