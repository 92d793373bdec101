"""ActionConfig(atomic=True): checks and handler are in one transaction, in both colours and on either entry."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from django.http import HttpResponse
from django.test import AsyncClient, override_settings
from django.urls import path
from rest_framework import views as drf_views
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request as DRFRequest
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from restflow.db import atomic
from restflow.views import ActionConfig, APIView, AsyncAPIView, AsyncViewSet, ViewSet, ViewSetMixin, action
from tests.entry.support import scope_of, talk
from tests.site import DJANGO, ENTRIES, OURS, CountingWorkers, Site

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.fixture(params=ENTRIES)
def entry(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture(params=[ViewSet, AsyncViewSet])
def base(request: pytest.FixtureRequest) -> Any:
    return request.param


def names(database: str = "default") -> list[str]:
    return sorted(User.objects.using(database).values_list("username", flat=True))


def is_atomic(database: str = "default") -> bool:
    return connections[database].in_atomic_block


def write(name: str, database: str = "default") -> None:
    User.objects.using(database).create(username=f"{name} {'in' if is_atomic(database) else 'outside'}")


class Authenticates(BaseAuthentication):
    def authenticate(self, request: Any) -> None:
        write("authentication")


class Permits(BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        write("permission")
        return True


class PermitsAsync(BasePermission):
    async def has_permission(self, request: Any, view: Any) -> bool:  # type: ignore[override]
        await sync_to_async(write)("async permission")
        return True


class Denies(BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        write("permission")
        return False


class Throttles(BaseThrottle):
    def allow_request(self, request: Any, view: Any) -> bool:
        write("throttle")
        return True


CHECKS = {
    "authentication_classes": [Authenticates],
    "permission_classes": [Permits, PermitsAsync],
    "throttle_classes": [Throttles],
}
CHECKED = ["async permission in", "authentication in", "permission in", "throttle in"]


def viewset_of(base: Any, handle: Any = None, *, is_async: bool | None = None, **attributes: Any) -> Any:
    """A viewset whose ``list`` writes and does what ``handle`` does, in the colour of its base."""

    def handler(self: Any, request: Any) -> Any:
        write("handler")
        return (handle and handle(request)) or Response({})

    async def async_handler(self: Any, request: Any) -> Any:
        await asyncio.sleep(0)
        return await sync_to_async(handler)(self, request)

    of_loop = base.view_is_async if is_async is None else is_async
    given = {"__module__": __name__, "list": async_handler if of_loop else handler, **attributes}
    return type("Users", (base,), {"action_configs": {"list": ActionConfig(atomic=True)}, **given})


def ask(viewset: Any, entry: str, method: str = "GET", **options: Any) -> Any:
    actions = {
        method: action for method, action in {"get": "list", "post": "create"}.items() if hasattr(viewset, action)
    }
    with Site({"x/": viewset.as_view(actions)}, entry=entry, **options) as site:
        return asyncio.run(site.asend(method, "/x/"))


def test_the_checks_and_the_handler_are_in_one_transaction(base: Any, entry: str) -> None:
    assert ask(viewset_of(base, **CHECKS), entry).status == 200
    assert names() == sorted([*CHECKED, "handler in"])


def test_a_sync_handler_of_an_async_viewset_is_in_it_and_that_is_one_trip() -> None:
    viewset = viewset_of(AsyncViewSet, is_async=False, permission_classes=[Permits])
    assert ask(viewset, OURS).hops == 1
    assert names() == ["handler in", "permission in"]


@pytest.mark.parametrize("error", [ValidationError("no"), PermissionDenied("no"), LookupError("no")])
def test_an_error_of_the_handler_rolls_it_back(base: Any, entry: str, error: Exception) -> None:
    def handle(request: Any) -> None:
        raise error

    assert ask(viewset_of(base, handle, **CHECKS), entry).status == getattr(error, "status_code", 500)
    assert names() == []


def test_so_does_a_check_that_refuses(base: Any, entry: str) -> None:
    assert ask(viewset_of(base, permission_classes=[Denies]), entry).status == 403
    assert names() == []


def lenient(exc: Exception, context: Any) -> Response:
    """A handler of errors that does not call DRF's, and so not ``set_rollback``."""
    write("exception handler")
    return Response({}, status=200)


@pytest.mark.parametrize("where", ["setting", "view"])
def test_so_does_an_error_that_is_answered_by_code_of_the_projects(base: Any, entry: str, where: str) -> None:
    def handle(request: Any) -> None:
        raise LookupError

    own = {"handle_exception": lambda self, exc: lenient(exc, {})} if where == "view" else {}
    given = {"REST_FRAMEWORK": {"EXCEPTION_HANDLER": f"{__name__}.lenient"}} if where == "setting" else {}
    assert ask(viewset_of(base, handle, **own), entry, **given).status == 200
    assert names() == []


def test_an_error_response_that_the_handler_returns_does_not(base: Any, entry: str) -> None:
    assert ask(viewset_of(base, lambda request: Response({}, status=400)), entry).status == 400
    assert names() == ["handler in"]


@pytest.mark.parametrize("where", ["class", "base"])
def test_so_does_an_error_that_is_answered_by_what_was_put_on_the_class_meanwhile(
    base: Any, entry: str, where: str
) -> None:
    parent = type("Parent", (base,), {})
    replaced = {"class": lambda: viewset, "base": lambda: parent}[where]

    def handle(request: Any) -> None:
        replaced().handle_exception = lambda self, exc: lenient(exc, {})
        raise LookupError

    viewset = viewset_of(parent, handle)
    assert ask(viewset, entry).status == 200
    assert names() == []


@pytest.mark.parametrize("error", [None, LookupError])
def test_what_the_handler_puts_on_the_view_to_answer_errors_commits_none(base: Any, entry: str, error: Any) -> None:
    def handle(request: Any) -> None:
        request.parser_context["view"].handle_exception = lambda exc: lenient(exc, {})
        if error is not None:
            raise error

    is_sync = base is ViewSet  # DRF's own loop asks nobody else then, so that nobody would roll back: it is refused
    assert ask(viewset_of(base, handle), entry).status == (500 if is_sync else 200)
    assert names() == (["handler in"] if error is None and not is_sync else [])


@pytest.mark.parametrize("name", ["handle_exception", "initialize_request"])
def test_a_property_in_place_of_a_method_commits_no_error(base: Any, entry: str, name: str) -> None:
    def handle(request: Any) -> None:
        raise LookupError

    # DRF's own loop finds nothing but what the property gives, so that it is refused.
    viewset = viewset_of(base, handle, **{name: property(lambda self: getattr(super(viewset, self), name))})
    assert ask(viewset, entry).status == 500
    assert names() == []


def test_an_error_after_the_handler_does(base: Any, entry: str) -> None:
    def finalize_response(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise LookupError

    assert ask(viewset_of(base, finalize_response=finalize_response), entry).status == 500
    assert names() == []


def test_it_is_for_its_action_alone(base: Any, entry: str) -> None:
    viewset = viewset_of(base, create=viewset_of(base).list, **CHECKS)
    assert ask(viewset, entry, "POST").status == 200
    assert set(names()) == {name.replace(" in", " outside") for name in [*CHECKED, "handler in"]}


@pytest.mark.parametrize("of_config", [False, None, True])
def test_a_config_comes_before_the_viewset(base: Any, entry: str, of_config: Any) -> None:
    viewset = viewset_of(base, atomic=True, action_configs={"list": ActionConfig(atomic=of_config)})
    assert ask(viewset, entry).status == 200
    assert names() == ["handler outside" if of_config is False else "handler in"]


def test_the_decorator_of_an_action_says_it_too(base: Any) -> None:
    viewset = viewset_of(base)
    extra: Any = action(detail=False, atomic=True)(viewset.list)
    with Site({"x/": viewset.as_view({"get": "list"}, **extra.kwargs)}) as site:
        site.send("GET", "/x/")
    assert names() == ["handler in"]


@pytest.mark.parametrize("colour", [APIView, AsyncAPIView])
def test_a_view_that_is_no_viewset_has_the_attribute(colour: Any, entry: str) -> None:
    class View(colour):  # type: ignore[misc]
        def get(self, request: Any) -> Response:
            write("handler")
            raise ValidationError("no")

        def post(self, request: Any) -> Response:
            write("handler")
            return Response({})

    with Site({"x/": View.as_view(atomic=True), "y/": View.as_view()}, entry=entry) as site:
        assert [asyncio.run(site.asend(method, "/x/")).status for method in ("GET", "POST")] == [400, 200]
        assert names() == ["handler in"]
        assert asyncio.run(site.asend("POST", "/y/")).status == 200
    assert names() == ["handler in", "handler outside"]


def test_a_property_may_decide(base: Any, entry: str) -> None:
    decides = property(lambda self: self.request.method == "POST")
    viewset = viewset_of(base, atomic=decides, action_configs={})
    viewset.create = viewset.list
    for method in ("GET", "POST"):
        assert ask(viewset, entry, method).status == 200
    assert names() == ["handler in", "handler outside"]


def test_an_initialize_request_may_change_the_method_and_stand_alone(base: Any, entry: str) -> None:
    def initialize_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        request.method = "GET"
        self.action = "list"
        return DRFRequest(request)

    assert ask(viewset_of(base, initialize_request=initialize_request), entry, "POST").status == 200
    assert names() == ["handler in"]


@pytest.mark.parametrize("given", ["postgres", ["postgres"], ("default", "postgres")])
def test_other_databases_are_named(database: str, base: Any, entry: str, given: Any) -> None:
    if "postgres" not in connections:
        pytest.skip("PostgreSQL is not running")
    seen: list[bool] = []

    def handle(request: Any) -> None:
        seen.append(is_atomic(database))
        write("handler", database)
        raise ValidationError("no")

    config = ActionConfig(atomic=given)
    ask(viewset_of(base, handle, action_configs={"list": config}, authentication_classes=[]), entry)
    assert seen == [database == "postgres" or "default" in given]
    assert ("handler in" in names(database)) is False


# The transaction itself.


@pytest.mark.parametrize("fails", [False, True])
def test_callbacks_are_called_after_the_commit(base: Any, entry: str, fails: bool) -> None:
    called: list[bool] = []

    def handle(request: Any) -> None:
        transaction.on_commit(lambda: called.append(is_atomic()))
        assert not called
        if fails:
            raise ValidationError("no")

    ask(viewset_of(base, handle), entry)
    assert called == ([] if fails else [False])


def test_blocks_of_the_handler_are_inside_of_it(base: Any, entry: str) -> None:
    def handle(request: Any) -> None:
        with pytest.raises(RuntimeError, match="durable"):
            transaction.atomic(durable=True).__enter__()
        with suppress(LookupError), transaction.atomic():
            write("inner")
            raise LookupError

    assert ask(viewset_of(base, handle), entry).status == 200
    assert names() == ["handler in"]


def test_async_blocks_of_the_handler_are_inside_of_it(entry: str) -> None:
    async def handler(self: Any, request: Any) -> Response:
        async with atomic():
            await sync_to_async(write)("inner")
        raise ValidationError("no")

    assert ask(viewset_of(AsyncViewSet, list=handler), entry).status == 400
    assert names() == []


def test_a_transaction_that_can_not_begin_is_an_error_and_nothing_is_asked(
    base: Any, entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {**connections.settings["default"], "ENGINE": "django.db.backends.dummy"}
    config = ActionConfig(atomic=["postgres", "broken"] if "postgres" in connections else "broken")
    called: list[Any] = []
    monkeypatch.setitem(connections.settings, "broken", broken)
    viewset = viewset_of(base, called.append, action_configs={"list": config}, **CHECKS)
    assert ask(viewset, entry).status == 500
    assert not called
    assert names() == []


@pytest.mark.parametrize("exempt", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_under_atomic_requests_it_is_the_same_transaction(
    base: Any, entry: str, exempt: bool, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if base.view_is_async and entry == DJANGO and not exempt:
        pytest.skip("Django refuses to serve it")
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    depths: list[int] = []

    def handle(request: Any) -> None:
        depths.append(len(connections["default"].atomic_blocks))
        if fails:
            raise ValidationError("no")

    view = viewset_of(base, handle, **CHECKS).as_view({"get": "list"})
    view = transaction.non_atomic_requests(view) if exempt else view
    with Site({"x/": view}, entry=entry) as site:
        assert asyncio.run(site.asend("GET", "/x/")).status == (400 if fails else 200)
    assert depths == [1]
    assert names() == ([] if fails else sorted([*CHECKED, "handler in"]))


@pytest.mark.parametrize("stage", ["check", "handler"])
def test_a_client_that_leaves_rolls_it_back(entry: str, stage: str) -> None:
    async def main() -> None:
        leave, wrote = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            wrote.set()
            await asyncio.sleep(60)

        class Waits(BasePermission):
            async def has_permission(self, request: Any, view: Any) -> bool:  # type: ignore[override]
                await sync_to_async(write)("permission")
                if stage == "check":
                    await wait()
                return True

        async def handler(self: Any, request: Any) -> Any:
            await sync_to_async(write)("handler")
            await wait()

        async def after(request: Any) -> HttpResponse:
            return HttpResponse(f"{await User.objects.acount()} {await sync_to_async(is_atomic)()}")

        viewset = viewset_of(AsyncViewSet, list=handler, permission_classes=[Waits])
        views = {"x/": viewset.as_view({"get": "list"}), "after/": after}
        with Site(views, entry=entry, workers=CountingWorkers(1)) as site:
            served = asyncio.create_task(talk(site, scope_of("/x/"), leave=leave))
            await wrote.wait()
            leave.set()
            await served
            assert (await site.asend("GET", "/after/")).body == b"0 False"

    asyncio.run(main())


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8])
@pytest.mark.parametrize("stage", ["begin", "handler", "end"])
def test_a_cancellation_at_any_turn_leaves_no_transaction_open(stage: str, turns: int) -> None:
    """The requests of a test client share a thread, and so what one left there."""

    async def main() -> None:
        reached = asyncio.Event()

        async def handler(self: Any, request: Any) -> Response:
            await User.objects.acreate(username="ada")
            if stage == "handler":
                reached.set()
                await asyncio.sleep(60)
            reached.set()
            return Response({})

        viewset = viewset_of(AsyncViewSet, list=handler)
        with override_settings(ROOT_URLCONF=(path("x/", viewset.as_view({"get": "list"})),)):
            if stage == "begin":
                reached.set()
            task = asyncio.create_task(AsyncClient().get("/x/"))
            await reached.wait()
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()  # whoever cancels may be impatient
            await asyncio.gather(task, return_exceptions=True)
            assert not await sync_to_async(is_atomic)()
            if stage == "handler":
                assert await User.objects.acount() == 0

    async_to_sync(main)()  # so that its thread is this one


@pytest.mark.django_db(transaction=False)
@pytest.mark.parametrize("fails", [False, True])
def test_in_a_test_case_it_is_a_savepoint(base: Any, fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    threads: list[int] = []

    def handle(request: Any) -> None:
        threads.append(threading.get_ident())
        if fails:
            raise ValidationError("no")

    view = transaction.non_atomic_requests(viewset_of(base, handle).as_view({"get": "list"}))
    with override_settings(ROOT_URLCONF=(path("x/", view),)):
        response = async_to_sync(AsyncClient().get)("/x/")
    assert response.status_code == (400 if fails else 200)
    assert threads == [threading.get_ident()]
    assert names() == ([] if fails else ["handler in"])


# Mistakes.


@pytest.mark.parametrize("value", [1, ["default", None], lambda view: True])
def test_what_names_no_database_is_refused(base: Any, value: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"ActionConfig\.atomic must be True, False, a database's alias or"):
        ActionConfig(atomic=value)
    with pytest.raises(ImproperlyConfigured, match=r"Users\.atomic must be True, False, a database's alias or"):
        viewset_of(base, atomic=value).as_view({"get": "list"})


def test_a_database_that_is_not_there_is_refused(base: Any) -> None:
    said = "Users.atomic names 'replica', which is not in DATABASES"
    with pytest.raises(ImproperlyConfigured, match=said):
        viewset_of(base, action_configs={"list": ActionConfig(atomic="replica")}).as_view({"get": "list"})
    with pytest.raises(ImproperlyConfigured, match=said):
        viewset_of(base, atomic=["default", "replica"]).as_view({"get": "list"})
    with pytest.raises(ImproperlyConfigured, match=said):
        viewset_of(base).as_view({"get": "list"}, atomic="replica")


def test_a_viewset_whose_view_is_drfs_can_not_have_it() -> None:
    class Users(ViewSetMixin, drf_views.APIView):  # type: ignore[misc]
        action_configs = {"list": ActionConfig(atomic=True)}

        def list(self, request: Any) -> Response:
            return Response({})

    with pytest.raises(ImproperlyConfigured, match="derive Users from restflow's views"):
        Users.as_view({"get": "list"})
