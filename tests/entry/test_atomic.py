"""restflow.db.atomic: one transaction on one connection, around async code too, on either entry."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.core.exceptions import SynchronousOnlyOperation
from django.db import IntegrityError, connections, transaction
from django.http import HttpResponse
from django.test import AsyncClient, override_settings
from rest_framework.response import Response

from restflow.db import atomic
from restflow.views import AsyncAPIView
from tests.entry.support import scope_of, talk
from tests.site import ENTRIES, OURS, CountingWorkers, Site

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


class Left(Exception):
    """Leaves a block."""


@pytest.fixture(params=ENTRIES)
def entry(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture
def serve(database: str, entry: str) -> Callable[..., list[str]]:
    """Serves one request by a view, and returns the names of the users there are afterwards."""

    def serve(view: Any) -> list[str]:
        async def viewed(request: Any) -> HttpResponse:
            await view(database)
            return HttpResponse()

        with Site({"x/": viewed}, entry=entry, DEBUG_PROPAGATE_EXCEPTIONS=True) as site:
            assert asyncio.run(site.asend("GET", "/x/")).status == 200
        return names(database)

    return serve


def names(database: str) -> list[str]:
    return sorted(User.objects.using(database).values_list("username", flat=True))


async def add(database: str, name: str) -> None:
    await User.objects.using(database).acreate(username=name)


async def fail(database: str, name: str) -> None:
    await add(database, name)
    raise Left


def state(database: str) -> tuple[int, Any, bool]:
    connection = connections[database]
    return threading.get_ident(), connection.connection, connection.in_atomic_block


def test_a_block_is_on_one_connection_and_committed_as_a_whole(serve: Any) -> None:
    async def view(database: str) -> None:
        async with atomic(database):
            await add(database, "ada")
            first = await sync_to_async(state)(database)
            await asyncio.sleep(0.1)  # longer than RELEASE_AFTER
            await add(database, "bob")
            assert await sync_to_async(state)(database) == first
            assert first[2]
        assert not (await sync_to_async(state)(database))[2]

    assert serve(view) == ["ada", "bob"]


def test_the_default_database_is_the_default(entry: str) -> None:
    async def view(request: Any) -> HttpResponse:
        async with atomic():
            assert (await sync_to_async(state)("default"))[2]
        return HttpResponse()

    with Site({"x/": view}, entry=entry, DEBUG_PROPAGATE_EXCEPTIONS=True) as site:
        assert asyncio.run(site.asend("GET", "/x/")).status == 200


def test_an_exception_rolls_the_block_back(serve: Any) -> None:
    async def view(database: str) -> None:
        await add(database, "ada")
        with pytest.raises(Left):
            async with atomic(database):
                await fail(database, "bob")

    assert serve(view) == ["ada"]


@pytest.mark.parametrize("savepoint", [True, False])
def test_a_block_inside_of_another_is_a_savepoint_of_it(serve: Any, savepoint: bool) -> None:
    async def view(database: str) -> None:
        async with atomic(database):
            await add(database, "ada")
            with pytest.raises(Left):
                async with atomic(database, savepoint=savepoint):
                    await fail(database, "bob")
            if savepoint:
                async with atomic(database):
                    await add(database, "cleo")

    assert serve(view) == (["ada", "cleo"] if savepoint else [])


def test_a_durable_block_must_not_be_inside_of_another(serve: Any) -> None:
    async def view(database: str) -> None:
        async with atomic(database, durable=True):
            await add(database, "ada")
        async with atomic(database):
            with pytest.raises(RuntimeError, match="durable"):
                await atomic(database, durable=True).__aenter__()
            await add(database, "bob")

    assert serve(view) == ["ada", "bob"]


def test_sync_code_inside_of_a_block_has_blocks_of_its_own(serve: Any) -> None:
    def sync(database: str) -> None:
        with suppress(Left), atomic(database):
            User.objects.using(database).create(username="bob")
            raise Left
        with transaction.atomic(database):
            User.objects.using(database).create(username="cleo")

    async def view(database: str) -> None:
        async with atomic(database):
            await add(database, "ada")
            await sync_to_async(sync)(database)

    assert serve(view) == ["ada", "cleo"]


@pytest.mark.parametrize("fails", [False, True])
def test_callbacks_are_called_in_the_thread_when_the_outermost_block_is_committed(serve: Any, fails: bool) -> None:
    called: list[Any] = []

    async def view(database: str) -> None:
        thread = await sync_to_async(threading.get_ident)()

        def note() -> None:
            called.append((threading.get_ident() == thread, connections[database].in_atomic_block))

        try:
            async with atomic(database):
                async with atomic(database):
                    await sync_to_async(transaction.on_commit)(note, database)
                assert not called
                if fails:
                    raise Left
        except Left:
            pass

    serve(view)
    assert called == ([] if fails else [(True, False)])


def test_an_error_of_the_commit_is_raised(serve: Any) -> None:
    def spoil(database: str) -> None:
        transaction.on_commit(partial(User.objects.using(database).create, username="ada"), database)

    async def view(database: str) -> None:
        await add(database, "ada")
        with pytest.raises(IntegrityError):
            async with atomic(database):
                await sync_to_async(spoil)(database)

    assert serve(view) == ["ada"]


def test_an_async_function_is_decorated(serve: Any) -> None:
    async def view(database: str) -> None:
        await atomic(database)(add)(database, "ada")
        decorated = atomic(using=database)(fail)
        for name in ("bob", "cleo"):
            with pytest.raises(Left):
                await decorated(database, name)

    assert serve(view) == ["ada"]


@atomic
def add_here(name: str) -> bool:
    User.objects.create(username=name)
    return connections["default"].in_atomic_block


@atomic
async def aadd_here(name: str) -> bool:
    await User.objects.acreate(username=name)
    return (await sync_to_async(state)("default"))[2]


def test_the_bare_decorator_is_for_both_colours(entry: str) -> None:
    async def view(request: Any) -> HttpResponse:
        assert await sync_to_async(add_here)("ada")
        assert await aadd_here("bob")
        return HttpResponse()

    with Site({"x/": view}, entry=entry, DEBUG_PROPAGATE_EXCEPTIONS=True) as site:
        asyncio.run(site.asend("GET", "/x/"))
    assert names("default") == ["ada", "bob"]


def test_a_handler_is_decorated(database: str, entry: str) -> None:
    class View(AsyncAPIView):
        @atomic(database)
        async def get(self, request: Any) -> Response:
            await fail(database, "ada")
            return Response({})

        def handle_exception(self, exc: Exception) -> Response:
            return Response({"error": type(exc).__name__})

    with Site({"x/": View.as_view()}, entry=entry) as site:
        assert asyncio.run(site.asend("GET", "/x/")).json() == {"error": "Left"}
    assert names(database) == []


async def generator() -> Any:
    yield


def handing_on() -> Any:
    def wrapper(*args: Any) -> Any:
        return wrapped(*args)

    wrapped = add
    return wrapper


@pytest.mark.parametrize("function", [generator, handing_on()])
def test_what_would_run_after_its_block_is_refused(function: Any) -> None:
    with pytest.raises(TypeError, match="would end before it runs"):
        atomic(function)


def test_one_block_serves_many_requests_at_once(database: str, entry: str) -> None:
    block = atomic(database)

    async def view(request: Any, number: int) -> HttpResponse:
        try:
            async with block:
                await add(database, f"user {number}")
                await asyncio.sleep(0.01)
                if number % 2:
                    raise Left
        except Left:
            pass
        return HttpResponse()

    async def main() -> None:
        if database == "default":  # SQLite has one writer
            for number in range(4):
                await site.asend("GET", f"/{number}/")
        else:
            await asyncio.gather(*(site.asend("GET", f"/{number}/") for number in range(4)))

    with Site({"<int:number>/": view}, entry=entry, DEBUG_PROPAGATE_EXCEPTIONS=True) as site:
        asyncio.run(main())
    assert names(database) == ["user 0", "user 2"]


def test_with_is_refused_on_the_event_loop(serve: Any) -> None:
    async def view(database: str) -> None:
        with pytest.raises(SynchronousOnlyOperation):
            atomic(database).__enter__()

    assert serve(view) == []


# Tasks of one request.


def test_tasks_inside_of_a_block_are_part_of_it(serve: Any) -> None:
    async def view(database: str) -> None:
        with suppress(Left):
            async with atomic(database):
                await asyncio.gather(add(database, "ada"), add(database, "bob"))
                raise Left

    assert serve(view) == []


def test_blocks_of_two_tasks_are_refused_to_overlap(serve: Any) -> None:
    async def view(database: str) -> None:
        async def block(name: str) -> None:
            async with atomic(database):
                await add(database, name)

        found = await asyncio.gather(block("ada"), block("bob"), return_exceptions=True)
        assert found[0] is None
        assert isinstance(found[1], RuntimeError)
        assert "Another task" in str(found[1])
        await block("cleo")

    assert serve(view) == ["ada", "cleo"]


def test_a_task_has_a_block_inside_of_the_one_it_was_made_in(serve: Any) -> None:
    async def view(database: str) -> None:
        async def block(name: str) -> None:
            async with atomic(database):
                await fail(database, name)

        async with atomic(database):
            await add(database, "ada")
            with pytest.raises(Left):
                await asyncio.create_task(block("bob"))

    assert serve(view) == ["ada"]


@pytest.mark.parametrize("fails", [False, True])
def test_a_block_that_ends_around_another_tasks_is_rolled_back_and_so_is_that(serve: Any, fails: bool) -> None:
    async def view(database: str) -> None:
        entered, over = asyncio.Event(), asyncio.Event()

        async def inner() -> None:
            async with atomic(database):
                await add(database, "bob")
                entered.set()
                await over.wait()

        async def outer() -> None:
            nonlocal task
            async with atomic(database):
                await add(database, "ada")
                task = asyncio.create_task(inner())
                await entered.wait()
                if fails:
                    raise Left

        task: Any = None
        with pytest.raises(Left if fails else RuntimeError, match=None if fails else "inside of it"):
            await outer()
        over.set()
        with pytest.raises(RuntimeError, match="rolled back before"):
            await task
        await add(database, "cleo")

    assert serve(view) == ["cleo"]


# Cancellation.


@pytest.mark.parametrize("stage", ["body", "begin", "end"])
@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5])
def test_a_cancellation_at_any_turn_leaves_no_transaction_open(serve: Any, stage: str, turns: int) -> None:
    async def view(database: str) -> None:
        reached = asyncio.Event()

        async def work() -> None:
            block = atomic(database)
            if stage == "begin":
                reached.set()
            async with block:
                await add(database, "ada")
                if stage == "body":
                    reached.set()
                    await asyncio.sleep(60)
                reached.set()

        task = asyncio.create_task(work())
        await reached.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()  # whoever cancels may be impatient
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError | None)
        assert not (await sync_to_async(state)(database))[2]
        await add(database, "bob")

    assert serve(view) in ([["bob"]] if stage == "body" else [["bob"], ["ada", "bob"]])


@pytest.mark.parametrize("stage", ["begin", "end"])
def test_who_is_cancelled_while_a_block_begins_or_ends_finds_it_rolled_back_or_committed(
    serve: Any, stage: str
) -> None:
    """The thread is held where the cancellation comes: before the statement, which has then begun."""

    async def view(database: str) -> None:
        loop, waiting = asyncio.get_running_loop(), asyncio.Event()
        gate = threading.Event()

        def hold(before: Any, *args: Any, **kwargs: Any) -> Any:
            loop.call_soon_threadsafe(waiting.set)
            assert gate.wait(10)
            return before(*args, **kwargs)

        def arm() -> None:
            connection = connections[database]
            connection.ensure_connection()
            name = "set_autocommit" if stage == "begin" else "commit"
            setattr(connection, name, partial(hold, getattr(connection, name)))

        def disarm() -> None:
            vars(connections[database]).pop("set_autocommit", None)
            vars(connections[database]).pop("commit", None)

        async def work() -> None:
            async with atomic(database):
                await add(database, "ada")

        await sync_to_async(arm)()
        task = asyncio.create_task(work())
        await waiting.wait()
        task.cancel()
        await asyncio.sleep(0)
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not (await sync_to_async(state)(database))[2]
        await sync_to_async(disarm)()

    assert serve(view) == ([] if stage == "begin" else ["ada"])


def test_a_client_that_leaves_rolls_the_block_back(database: str, entry: str) -> None:
    async def main() -> None:
        leave, began = asyncio.Event(), asyncio.Event()

        async def view(request: Any) -> HttpResponse:
            async with atomic(database):
                await add(database, "ada")
                began.set()
                await asyncio.sleep(60)
            return HttpResponse()

        async def after(request: Any) -> HttpResponse:
            return HttpResponse(await User.objects.using(database).acount())

        with Site({"x/": view, "after/": after}, entry=entry, workers=CountingWorkers(1)) as site:
            served = asyncio.create_task(talk(site, scope_of("/x/"), leave=leave))
            await began.wait()
            leave.set()
            await served
            assert (await site.asend("GET", "/after/")).body == b"0"

    asyncio.run(main())


def test_a_block_that_outlives_its_request_is_rolled_back(database: str) -> None:
    tasks: list[Any] = []

    async def main() -> None:
        began, over = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            async with atomic(database):
                await add(database, "ada")
                began.set()
                await over.wait()

        async def view(request: Any) -> HttpResponse:
            tasks.append(asyncio.create_task(work()))
            await began.wait()
            return HttpResponse()

        with Site({"x/": view}, entry=OURS, workers=CountingWorkers(1)) as site:
            assert (await site.asend("GET", "/x/")).status == 200
            over.set()
            with pytest.raises(RuntimeError, match="rolled back before"):
                await tasks[0]
            assert (await site.asend("GET", "/__plain__")).status == 200

    asyncio.run(main())
    assert names(database) == []


@pytest.mark.django_db(transaction=False, databases="__all__")
def test_in_a_test_case_a_block_is_inside_of_the_tests(database: str) -> None:
    async def view(request: Any) -> HttpResponse:
        async with atomic(database, durable=True):
            await add(database, "ada")
        with pytest.raises(Left):
            async with atomic(database):
                await fail(database, "bob")
        return HttpResponse()

    with Site({"x/": view}) as site, override_settings(ROOT_URLCONF=site.override.options["ROOT_URLCONF"]):
        assert async_to_sync(AsyncClient().get)("/x/").status_code == 200
    assert names(database) == ["ada"]
    assert connections[database].in_atomic_block
