"""Connections are given back while a request waits, unless something depends on their session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.db.backends.signals import connection_created
from django.db.models import Count, Exists, F, OuterRef, Q, Sum, Value, Window
from django.db.models.functions import Cast, Coalesce, Concat, Lower, Now, RowNumber, TruncDate, Upper
from django.http import HttpResponse, JsonResponse
from django.test import AsyncClient, override_settings
from rest_framework.response import Response

from restflow import db
from restflow.views import AsyncAPIView
from tests.entry.support import changed
from tests.entry.tenants.base import PATH
from tests.site import ENTRIES, OURS, CountingWorkers, Site

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
AT_ONCE = {"RELEASE_AFTER": 0}


def waits(
    database: str,
    first: Callable[[Any], Any],
    second: Callable[[Any], Any] = lambda connection: None,
    setting: Any = AT_ONCE,
) -> tuple[bool, Any]:
    """Serve a request that calls ``first`` with its connection, waits, and calls ``second``.

    Returns:
        Whether the connection was closed meanwhile, and what ``second`` returned.
    """
    seen: dict[str, Any] = {}
    workers = CountingWorkers()

    def before() -> None:
        workers.rested.clear()
        seen["kept"] = first(connections[database])
        seen["before"] = connections[database].connection

    def after() -> None:
        seen["closed"] = connections[database].connection is not seen["before"]
        seen["second"] = second(connections[database])

    async def view(request: Any) -> HttpResponse:
        await sync_to_async(before)()
        if setting["RELEASE_AFTER"] is not None:
            await asyncio.to_thread(workers.rested.wait)
        await sync_to_async(after)()
        return HttpResponse()

    with Site({"x/": view}, entry=OURS, workers=workers, RESTFLOW=setting, DEBUG_PROPAGATE_EXCEPTIONS=True) as site:
        assert asyncio.run(site.asend("GET", "/x/")).status == 200
    return seen["closed"], seen["second"]


def run(*statements: str) -> Callable[[Any], Any]:
    def first(connection: Any) -> None:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    return first


def ask(statement: str) -> Callable[[Any], Any]:
    def second(connection: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()[0]

    return second


def _rows(connection: Any) -> None:
    users = User.objects.using(connection.alias)
    ada = users.create(username="ada", first_name="Ada")
    User.objects.using(connection.alias).bulk_create([User(username=f"user {number}") for number in range(300)])
    users.filter(pk=ada.pk).update(last_name=F("username"))
    users.get_or_create(username="ada")
    users.update_or_create(username="ada", defaults={"first_name": Value("A")})


def _questions(connection: Any) -> None:
    users = User.objects.using(connection.alias)
    older = User.objects.filter(pk__lt=OuterRef("pk"))
    assert not users.exists()
    list(users.filter(Q(username__icontains="a") | ~Q(pk__in=[1, 2])).order_by(Lower("username"))[2:5])
    list(users.annotate(day=TruncDate("date_joined"), place=Window(RowNumber()), has=Exists(older)))
    list(
        users.annotate(
            name=Upper(Concat("first_name", Value(" "), Coalesce("last_name", Cast("pk", User.last_name.field))))
        )[:1]
    )  # type: ignore[attr-defined]
    list(users.filter(pk=1).union(users.filter(pk=2)))
    users.aggregate(many=Count("pk", filter=Q(is_active=True), distinct=True), total=Sum("pk"))
    users.filter(date_joined__year=2020, date_joined__lt=Now()).delete()


def _transactions(connection: Any) -> None:
    with transaction.atomic(connection.alias), transaction.atomic(connection.alias):
        User.objects.using(connection.alias).select_for_update().first()


def _many_rows(connection: Any) -> None:
    User.objects.using(connection.alias).bulk_create([User(username=f"user {number}") for number in range(300)])
    for _ in User.objects.using(connection.alias).iterator(10):
        pass


@pytest.mark.parametrize("work", [_rows, _questions, _transactions, _many_rows])
def test_a_connection_is_closed_while_its_request_waits(database: str, work: Callable[[Any], None]) -> None:
    assert waits(database, work, ask("SELECT COUNT(*) FROM auth_user"))[0]


def test_none_switches_it_off(database: str) -> None:
    assert not waits(database, _questions, setting={"RELEASE_AFTER": None})[0]


def test_a_database_in_memory_is_never_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings, "default", {**connections.settings["default"], "NAME": ":memory:"})

    def drop(connection: Any) -> None:  # Django's own close leaves it open, too
        connection.connection.close()
        connection.connection = None

    assert not waits("default", ask("SELECT 1"), drop)[0]


def test_less_than_no_time_is_at_once(database: str) -> None:
    assert waits(database, _questions, setting={"RELEASE_AFTER": -1})[0]


@pytest.mark.parametrize(
    ("statements", "question", "answer"),
    [
        (["SET search_path TO pg_catalog"], "SHOW search_path", "pg_catalog"),
        (["SET app.tenant = '7'"], "SELECT current_setting('app.tenant')", "7"),
        (["SELECT set_config('app.tenant', '7', false)"], "SELECT current_setting('app.tenant')", "7"),
        (["SELECT \"set_config\"('app.tenant', '7', false)"], "SELECT current_setting('app.tenant')", "7"),
        (["SELECT set_config/**/('app.tenant', '7', false)"], "SELECT current_setting('app.tenant')", "7"),
        (["SELECT 1; SET app.tenant = '7'"], "SELECT current_setting('app.tenant')", "7"),
        (
            ["UPDATE pg_settings SET setting = 'pg_catalog' WHERE name = 'search_path'"],
            "SHOW search_path",
            "pg_catalog",
        ),
        (["LISTEN news"], "SELECT count(*) FROM pg_listening_channels()", 1),
        (["CREATE TEMPORARY TABLE held (id int)"], "SELECT count(*) FROM held", 0),
        (["SELECT 1 AS id INTO TEMPORARY held"], "SELECT count(*) FROM held", 1),
        (["SELECT pg_advisory_lock(7)"], "SELECT pg_advisory_unlock(7)", True),
        (["PREPARE held AS SELECT 7"], "EXECUTE held", 7),
        (["SELECT nextval('auth_user_id_seq')"], "SELECT currval('auth_user_id_seq') > 0", True),
        (["SELECT 1", "DECLARE held CURSOR WITH HOLD FOR SELECT 7"], "FETCH held", 7),
        (["SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"], "SHOW transaction_read_only", "on"),
    ],
)
def test_what_was_left_in_a_session_survives_the_wait(
    postgres: str, statements: list[str], question: str, answer: Any
) -> None:
    assert waits(postgres, run(*statements), ask(question)) == (False, answer)


def test_a_composed_statement_survives_the_wait(postgres: str) -> None:
    from psycopg import sql

    def first(connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier("pg_catalog")))

    assert waits(postgres, first, ask("SHOW search_path")) == (False, "pg_catalog")


def test_a_long_statement_is_read_to_its_end(postgres: str) -> None:
    long = "SELECT " + "1, " * 1000 + "set_config('app.tenant', '7', false)"
    assert waits(postgres, run(long), ask("SELECT current_setting('app.tenant')")) == (False, "7")


def test_a_backend_that_sends_what_it_likes_keeps_its_connection(postgres: str) -> None:
    with changed(ENGINE="tests.entry.tenants"):
        assert waits(postgres, ask("SELECT 1"), ask("SHOW search_path")) == (False, PATH)


def test_a_cursor_that_is_read_keeps_its_connection(database: str) -> None:
    def first(connection: Any) -> Any:
        with transaction.atomic(database):
            User.objects.using(database).bulk_create([User(username=f"user {number}") for number in range(300)])
        rows.append(iter(User.objects.using(database).order_by("pk").iterator(10)))
        return next(rows[0])

    rows: list[Any] = []
    assert waits(database, first, lambda connection: len(list(rows.pop()))) == (False, 299)


@pytest.mark.parametrize("held", [lambda c: c.set_autocommit(False), lambda c: transaction.atomic(c.alias).__enter__()])
def test_a_transaction_keeps_its_connection_and_ends_with_the_request(database: str, held: Any) -> None:
    def first(connection: Any) -> None:
        held(connection)
        User.objects.using(database).create(username="ada")

    assert waits(database, first, lambda connection: User.objects.using(database).count()) == (False, 1)
    assert not User.objects.using(database).exists()


def test_a_thread_serves_the_next_request_though_a_transaction_was_left_open(database: str) -> None:
    def leave() -> None:
        transaction.atomic(database).__enter__()
        User.objects.using(database).create(username="ada")

    async def view(request: Any, leaves: int) -> HttpResponse:
        if leaves:
            await sync_to_async(leave)()
        return HttpResponse(await User.objects.using(database).acount())

    async def both() -> list[bytes]:
        return [(await site.asend("GET", f"/{leaves}/")).body for leaves in (1, 0)]

    with Site({"<int:leaves>/": view}, entry=OURS, workers=CountingWorkers(1)) as site:
        assert asyncio.run(both()) == [b"1", b"0"]


def test_a_connection_that_is_shared_between_threads_is_kept(database: str) -> None:
    assert not waits(database, lambda connection: (ask("SELECT 1")(connection), connection.inc_thread_sharing()))[0]


def test_a_connection_with_an_execute_wrapper_of_the_projects_is_kept(postgres: str) -> None:
    def wrapper(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        context["connection"].connection.execute("SET app.tenant = '7'")
        return execute(sql, params, many, context)

    def first(connection: Any) -> None:
        connection.ensure_connection()
        with connection.execute_wrapper(wrapper):
            ask("SELECT 1")(connection)

    assert waits(postgres, first, ask("SELECT current_setting('app.tenant')")) == (False, "7")


def test_a_wrapper_that_is_in_place_when_a_connection_is_opened_is_taken_away_by_who_put_it_there(
    database: str,
) -> None:
    called: list[str] = []

    def wrapper(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        called.append(sql)
        return execute(sql, params, many, context)

    def first(connection: Any) -> None:
        with connection.execute_wrapper(wrapper):
            ask("SELECT 1")(connection)
        ask("SELECT 2")(connection)

    assert not waits(database, first)[0]
    assert called == ["SELECT 1"]


def test_what_a_receiver_sets_when_a_connection_is_opened_is_set_again(postgres: str) -> None:
    def receiver(connection: Any, **kwargs: Any) -> None:
        if connection.vendor == "postgresql":
            run("SET app.tenant = '7'")(connection)

    connection_created.connect(receiver)
    try:
        assert waits(postgres, ask("SELECT 1"), ask("SELECT current_setting('app.tenant')")) == (True, "7")
    finally:
        connection_created.disconnect(receiver)


def test_a_connection_that_can_not_be_closed_is_logged(caplog: pytest.LogCaptureFixture, database: str) -> None:
    def first(connection: Any) -> None:
        ask("SELECT 1")(connection)
        connection._close = partial(fail, connection.connection)

    def fail(raw: Any) -> None:
        raw.close()
        raise LookupError("from the driver")

    assert waits(database, first)[0]
    assert "A database connection could not be closed." in caplog.messages


def test_more_requests_than_the_pool_has_connections_wait_at_once(postgres: str) -> None:
    waiting = 0

    async def view(request: Any) -> JsonResponse:
        nonlocal waiting
        await User.objects.using(postgres).acount()
        waiting += 1
        if waiting == 12:
            everybody.set()
        await everybody.wait()
        return JsonResponse({"users": await User.objects.using(postgres).acount()})

    async def main() -> list[int]:
        nonlocal everybody
        everybody = asyncio.Event()
        return [answer.status for answer in await asyncio.gather(*(site.asend("GET", "/x/") for _ in range(12)))]

    everybody = asyncio.Event()
    pool = {"min_size": 0, "max_size": 2, "timeout": 60}
    with (
        changed(OPTIONS={"pool": pool}),
        Site({"x/": view}, entry=OURS, DEBUG_PROPAGATE_EXCEPTIONS=True) as site,
    ):
        assert asyncio.run(main()) == [200] * 12


def test_no_more_connections_are_kept_than_threads_may_work(database: str) -> None:
    kept, most = 0, 0

    async def view(request: Any) -> JsonResponse:
        nonlocal kept, most
        users = await User.objects.using(database).acount()
        kept += 1
        most = max(most, kept)
        if kept == 2:
            two.set()
        await two.wait()
        await asyncio.sleep(0.005)  # for a third, which must not come
        kept -= 1
        return JsonResponse({"users": users + await User.objects.using(database).acount()})

    async def main() -> list[int]:
        nonlocal two
        two = asyncio.Event()
        return [answer.status for answer in await asyncio.gather(*(site.asend("GET", "/x/") for _ in range(9)))]

    two = asyncio.Event()
    workers = CountingWorkers(9, at_once=2)
    with Site({"x/": view}, entry=OURS, workers=workers, RESTFLOW={"RELEASE_AFTER": None}) as site:
        assert asyncio.run(main()) == [200] * 9
    assert most == 2


@pytest.mark.parametrize("entry", ENTRIES)
def test_release_gives_a_connection_back_at_once(database: str, entry: str) -> None:
    seen: list[Any] = []

    def raw() -> None:
        seen.append(connections[database].connection)

    class View(AsyncAPIView):
        async def get(self, request: Any) -> Response:
            await User.objects.using(database).acount()
            await sync_to_async(raw)()
            await db.release()
            await sync_to_async(raw)()
            return Response({"users": await User.objects.using(database).acount()})

    with Site({"x/": View.as_view()}, entry=entry, RESTFLOW={"RELEASE_AFTER": None}) as site:
        assert asyncio.run(site.asend("GET", "/x/")).json() == {"users": 0}
    assert seen[0] is not None
    assert seen[1] is None


@pytest.mark.django_db(transaction=False, databases="__all__")
def test_in_a_test_case_nothing_is_closed(database: str) -> None:
    async def view(request: Any) -> JsonResponse:
        await User.objects.using(database).acreate(username="ada")
        await db.release()
        return JsonResponse({"users": await User.objects.using(database).acount()})

    with Site({"x/": view}) as site, override_settings(ROOT_URLCONF=site.override.options["ROOT_URLCONF"]):
        assert async_to_sync(AsyncClient().get)("/x/").json() == {"users": 1}
