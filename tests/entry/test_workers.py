"""The threads of our entry: leased by a request from its first blocking step to its end, and bounded."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection, connections, reset_queries
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import override_settings
from rest_framework import permissions
from rest_framework.response import Response

from restflow.db import atomic
from restflow.flow.lease import last_call
from restflow.flow.pool import Limits, Workers
from restflow.views import AsyncAPIView
from tests.entry.support import ident, scope_of, send_all, talk
from tests.site import OURS, CountingWorkers, Site

sleep = sync_to_async(time.sleep)


@pytest.mark.django_db(transaction=True)
def test_all_sync_code_of_a_request_runs_in_one_thread() -> None:
    seen: list[int] = []

    class Permission(permissions.BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            seen.append(ident())
            return True

    class View(AsyncAPIView):
        permission_classes = [Permission]

        async def get(self, request: Any) -> Response:
            seen.append(await sync_to_async(ident)())
            await asyncio.sleep(0)
            await User.objects.acount()
            seen.extend(await asyncio.gather(*(sync_to_async(ident)() for _ in range(3))))
            return Response({})

    with Site({"x/": View.as_view()}, entry=OURS) as site:
        asyncio.run(site.asend("GET", "/x/"))
    assert len(seen) == 5
    assert len(set(seen)) == 1
    assert threading.get_ident() not in seen


def test_requests_at_once_have_threads_of_their_own_which_later_ones_use_again() -> None:
    threads: list[int] = []

    async def view(request: Any) -> HttpResponse:
        await asyncio.gather(sleep(0.05), sync_to_async(threads.append)(0))
        threads.append(await sync_to_async(ident)())
        return HttpResponse()

    async def main() -> None:
        await send_all(site, "/x/", "/x/", "/x/")
        first = {thread for thread in threads if thread}
        assert len(first) == 3
        while (
            threads[-1] not in first or len(threads) == 6
        ):  # a thread that has just ended its work may not be free yet
            assert len(threads) < 200
            await send_all(site, "/x/")

    with Site({"x/": view}, entry=OURS) as site:
        asyncio.run(main())


def test_a_thread_local_is_the_requests_until_its_end() -> None:
    local = threading.local()

    def write(value: int) -> None:
        local.value = value

    async def view(request: Any, number: int) -> JsonResponse:
        await sync_to_async(write)(number)
        await asyncio.sleep(0.01)
        return JsonResponse({"value": await sync_to_async(lambda: local.value)()})

    with Site({"<int:number>/": view}, entry=OURS, workers=CountingWorkers(3)) as site:
        answers = asyncio.run(send_all(site, *(f"/{number}/" for number in range(9))))
    assert [answer.json()["value"] for answer in answers] == list(range(9))


def test_past_the_most_threads_requests_wait_in_order() -> None:
    order: list[int] = []

    async def view(request: Any, number: int) -> HttpResponse:
        await sync_to_async(order.append)(number)
        await asyncio.sleep(0.01)
        return HttpResponse()

    with Site({"<int:number>/": view}, entry=OURS, workers=CountingWorkers(1)) as site:
        answers = asyncio.run(send_all(site, *(f"/{number}/" for number in range(6))))
    assert order == list(range(6))
    assert {answer.status for answer in answers} == {200}


@pytest.mark.parametrize("middleware", [[], ["django.middleware.locale.LocaleMiddleware"]])
def test_past_the_longest_queue_they_are_answered_503(middleware: list[str]) -> None:
    class View(AsyncAPIView):
        async def get(self, request: Any) -> Response:
            await sleep(0.05)
            return Response({})

    with Site({"x/": View.as_view()}, entry=OURS, workers=CountingWorkers(1, 1), MIDDLEWARE=middleware) as site:
        answers = asyncio.run(send_all(site, *["/x/"] * 4))
    assert [answer.status for answer in answers] == [200, 200, 503, 503]
    assert answers[2].headers["Retry-After"] == "1"


def test_what_blocks_nowhere_is_served_though_no_thread_is_free() -> None:
    async def slow(request: Any) -> HttpResponse:
        await sleep(0.05)
        return HttpResponse()

    async def fast(request: Any) -> HttpResponse:
        return HttpResponse("at once")

    with Site({"slow/": slow, "fast/": fast}, entry=OURS, workers=CountingWorkers(1, 0)) as site:
        answers = asyncio.run(send_all(site, "/slow/", "/fast/"))
    assert (answers[1].status, answers[1].body, answers[1].hops) == (200, b"at once", 0)


def test_a_client_that_leaves_the_queue_makes_room() -> None:
    called: list[int] = []

    async def main() -> None:
        async def view(request: Any, number: int) -> HttpResponse:
            waiting.set()
            await sync_to_async(called.append)(number)
            await leave.wait()
            return HttpResponse()

        leave, waiting = asyncio.Event(), asyncio.Event()
        with Site({"<int:number>/": view}, entry=OURS, workers=CountingWorkers(1, 1)) as site:
            first = asyncio.create_task(site.asend("GET", "/1/"))
            await waiting.wait()
            gone = asyncio.Event()
            second = asyncio.create_task(talk(site, scope_of("/2/"), leave=gone))
            await asyncio.sleep(0.01)
            gone.set()
            assert await second == []
            third = asyncio.create_task(site.asend("GET", "/3/"))
            await asyncio.sleep(0.01)
            leave.set()
            assert (await first).status == (await third).status == 200

    asyncio.run(main())
    assert called == [1, 3]


@pytest.mark.django_db(transaction=True, databases="__all__")
@pytest.mark.parametrize(("max_age", "kept"), [(0, False), (60, True)])
def test_a_connection_is_kept_for_the_next_request_as_long_as_the_settings_say(
    database: str, max_age: int, kept: bool
) -> None:
    seen: list[Any] = []

    async def view(request: Any) -> HttpResponse:
        def query() -> None:
            connections[database].settings_dict["CONN_MAX_AGE"] = max_age
            seen.append(connections[database].connection)
            connections[database].ensure_connection()
            seen.append(connections[database].connection)

        await sync_to_async(query)()
        return HttpResponse()

    async def main() -> None:
        await site.asend("GET", "/x/")
        await site.asend("GET", "/x/")

    was = connections.settings[database]["CONN_MAX_AGE"]
    try:
        with Site({"x/": view}, entry=OURS, workers=CountingWorkers(1)) as site:
            asyncio.run(main())
    finally:
        connections.settings[database]["CONN_MAX_AGE"] = was
    before_first, first, before_second, _ = seen
    assert before_first is None
    assert before_second is (first if kept else None)


@pytest.mark.django_db(transaction=True)
def test_the_log_of_queries_begins_anew_with_each_request() -> None:
    logged: list[int] = []

    async def view(request: Any) -> HttpResponse:
        await User.objects.acount()
        logged.append(await sync_to_async(lambda: len(connection.queries))())
        return HttpResponse()

    async def main() -> None:
        await site.asend("GET", "/x/")
        await site.asend("GET", "/x/")

    with Site({"x/": view}, entry=OURS, workers=CountingWorkers(1), DEBUG=True) as site:
        asyncio.run(main())
    assert logged == [1, 1]
    reset_queries()


@pytest.mark.django_db(transaction=True)
def test_a_task_that_outlives_its_request_still_reaches_the_database() -> None:
    async def main() -> int:
        tasks: list[Any] = []
        over = asyncio.Event()

        async def later() -> int:
            await over.wait()
            count = await User.objects.acount()
            await sync_to_async(connections.close_all)()
            return count

        async def view(request: Any) -> HttpResponse:
            await User.objects.acount()
            tasks.append(asyncio.create_task(later()))
            return HttpResponse()

        with Site({"x/": view}, entry=OURS) as site:
            assert (await site.asend("GET", "/x/")).status == 200
            over.set()
            return int(await tasks[0])

    assert asyncio.run(main()) == 0


def test_a_thread_that_nobody_needs_ends() -> None:
    ended = threading.Event()
    workers = Workers(lambda: Limits(1, 0, 1), retiring=ended.set, idle=0.01)
    lease = workers.lease()
    thread = lease.submit(threading.current_thread).result()
    lease.end()
    assert ended.wait(10)
    thread.join()
    again = workers.lease()  # and the next that is needed is a new one
    assert again.submit(threading.current_thread).result() is not thread
    again.end()
    workers.close()


def test_a_leased_thread_does_not_end_though_it_waits() -> None:
    workers = Workers(lambda: Limits(1, 0, 1), idle=0.01)
    lease = workers.lease()
    thread = lease.submit(ident).result()
    time.sleep(0.05)
    assert lease.submit(ident).result() == thread
    lease.end()
    workers.close()


@pytest.mark.django_db(transaction=True, databases="__all__")
@pytest.mark.parametrize("bridged", [False, True])
def test_the_end_of_a_request_inside_of_another_is_not_the_end_of_the_other(database: str, bridged: bool) -> None:
    users = User.objects.using(database)

    def inner(request: Any) -> JsonResponse:
        return JsonResponse({"in transaction": connections[database].in_atomic_block})

    async def ask() -> None:
        messages = await talk(site, scope_of("/inner/"))
        assert messages[1]["body"] == b'{"in transaction": true}'

    async def outer(request: Any) -> JsonResponse:
        async with atomic(database):
            await users.acreate(username="ada")
            await (sync_to_async(async_to_sync(ask))() if bridged else ask())
            await users.acreate(username="grace")
        return JsonResponse({"users": await users.acount()})

    for signal in (
        request_started,
        request_finished,
    ):  # they close what is in a transaction, as Django's test client knows
        signal.disconnect(close_old_connections)
    try:
        with Site({"inner/": inner, "outer/": outer}, entry=OURS, workers=CountingWorkers(1)) as site:
            answer = asyncio.run(site.asend("GET", "/outer/"))
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)
    assert answer.json() == {"users": 2}


def test_a_lease_of_a_thread_that_holds_nothing_ends_before_the_next_begins() -> None:
    log: list[str] = []
    workers = Workers(lambda: Limits(1, 0, 1), holding=lambda: False)
    first = workers.lease(ending=lambda: log.append("first ends"))
    first.submit(ident).result()
    first.end()
    assert log == []
    second = workers.lease(beginning=lambda: log.append("second begins"))
    second.submit(ident).result()
    second.end()
    workers.close()
    assert log == ["first ends", "second begins"]


@pytest.mark.parametrize("moment", [0.01, None])
def test_a_lease_of_a_thread_that_holds_nothing_ends_though_no_other_comes(moment: float | None) -> None:
    ended = threading.Event()
    workers = Workers(lambda: Limits(1, 0, 1), holding=lambda: False, moment=lambda: moment, idle=0.05)
    lease = workers.lease(ending=ended.set)
    lease.submit(ident).result()
    lease.end()
    assert ended.wait(10)
    workers.close()


def test_a_lease_ends_with_its_last_call() -> None:
    log: list[str] = []
    ended = threading.Event()

    def end() -> None:
        log.append("ended")
        ended.set()

    workers = Workers(lambda: Limits(1, 0, 1))
    lease = workers.lease(ending=end)
    lease.submit(last_call).result()
    assert ended.wait(10)
    lease.submit(log.append, "asked for more").result()
    lease.end()
    workers.close()
    assert log == ["ended", "asked for more", "ended"]


def test_a_lease_that_ended_with_its_last_call_does_not_end_again() -> None:
    log: list[str] = []
    workers = Workers(lambda: Limits(1, 0, 1))
    lease = workers.lease(ending=lambda: log.append("ended"))
    lease.submit(last_call).result()
    lease.end()
    workers.close()
    assert log == ["ended"]
    last_call()  # in a thread that serves no lease it is nothing


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
@pytest.mark.django_db(transaction=True, databases=["default"])
def test_a_stream_is_read_in_the_session_of_its_view() -> None:
    def rows() -> Iterator[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT word FROM of_this_session")
            yield from (word for (word,) in cursor.fetchall())

    def view(request: Any) -> StreamingHttpResponse:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE of_this_session (word text)")
            cursor.execute("INSERT INTO of_this_session VALUES ('kept')")
        return StreamingHttpResponse(rows())

    with Site({"x/": view}, entry=OURS, workers=CountingWorkers(1)) as site:
        answer = asyncio.run(site.asend("GET", "/x/"))
    assert answer.body == b"kept"


@pytest.mark.parametrize("name", ["holding", "locking", "resting"])
def test_a_thread_that_can_not_tell_what_is_open_goes_on(name: str, caplog: pytest.LogCaptureFixture) -> None:
    told = threading.Event()

    def fail() -> bool:
        told.set()
        raise LookupError("from a backend")

    ended: list[str] = []
    callbacks: dict[str, Any] = {name: fail}
    workers = Workers(lambda: Limits(1, 1, 1), moment=lambda: 0, **callbacks)
    lease = workers.lease(ending=lambda: ended.append("ended"))
    assert lease.submit(ident).result(10)
    assert told.wait(10)
    assert lease.submit(ident).result(10)
    lease.end()
    other = workers.lease()
    assert other.submit(ident).result(10)
    other.end()
    workers.close()
    assert ended == ["ended"]
    assert "What a thread has open could not be" in caplog.text


@pytest.mark.filterwarnings("ignore:.*use of fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    workers = Workers(lambda: Limits(1, 0, 1))
    lease = workers.lease()
    lease.submit(ident).result()
    child = os.fork()
    if not child:
        status = 1
        try:
            own = workers.lease()
            own.submit(ident).result(10)
            own.end()
            workers.close()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert lease.submit(ident).result(10)
    lease.end()
    workers.close()


def test_a_lease_that_has_ended_takes_nothing_on() -> None:
    workers = Workers(lambda: Limits(1, 1, 1))
    lease = workers.lease()
    lease.end()
    with pytest.raises(RuntimeError, match="ended"):
        lease.submit(ident)


def test_what_a_lease_was_asked_in_the_queue_is_given_up_with_it() -> None:
    workers = Workers(lambda: Limits(1, 1, 1))
    first, second = workers.lease(), workers.lease()
    first.submit(ident).result()
    asked = [second.submit(ident), second.submit(ident)]
    second.end()
    assert all(future.cancelled() for future in asked)
    third = workers.lease()
    waits = third.submit(ident)
    first.end()
    assert waits.result() > 0
    third.end()
    workers.close()


def test_a_beginning_that_fails_is_told_to_whoever_asked_and_is_not_repeated() -> None:
    def fail() -> None:
        raise LookupError("at the beginning")

    workers = Workers(lambda: Limits(1, 1, 1))
    lease = workers.lease(beginning=fail)
    with pytest.raises(LookupError, match="at the beginning"):
        lease.submit(ident).result()
    assert lease.submit(ident).result() > 0
    lease.end()
    workers.close()


def test_a_job_given_up_before_it_began_is_not_done() -> None:
    workers = Workers(lambda: Limits(1, 1, 1))
    lease = workers.lease()
    gate = threading.Event()
    lease.submit(gate.wait)
    asked = lease.submit(ident)
    assert asked.cancel()
    gate.set()
    lease.end()
    workers.close()


def test_the_settings_say_how_many_threads_there_are() -> None:
    from restflow.asgi import ASGIHandler

    with override_settings(RESTFLOW={"WORKER_THREADS": 3, "WORKER_QUEUE": 4, "WORKER_LEASES": 5}):
        assert ASGIHandler.workers.limits() == (3, 4, 5)
    assert ASGIHandler.workers.limits() == (40, 1000, 1000)


def test_a_connection_that_can_not_be_closed_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def close_if_unusable_or_obsolete(self) -> None:
            raise LookupError("from the driver")

        connection = None
        queries_log: list[Any] = []

    def break_it(alias: str) -> None:
        connections[alias] = Broken()

    async def view(request: Any) -> HttpResponse:
        await sync_to_async(break_it)("default")
        return HttpResponse()

    caplog.set_level("ERROR", "django.request")

    async def both() -> list[int]:
        return [(await site.asend("GET", "/x/")).status, (await site.asend("GET", "/x/")).status]

    with Site({"x/": view}, entry=OURS, workers=CountingWorkers(1)) as site:
        assert asyncio.run(both()) == [200, 500]  # the next request begins with closing it, as in Django
        site.workers.retiring = lambda: connections.__delitem__("default")
    assert "A database connection could not be closed." in caplog.messages


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
def test_a_file_is_closed_though_every_thread_is_taken(tmp_path: Any) -> None:
    file = (tmp_path / "file").open("wb+")

    async def main() -> None:
        over = asyncio.Event()

        async def slow(request: Any) -> HttpResponse:
            await sync_to_async(ident)()
            await over.wait()
            return HttpResponse()

        async def view(request: Any) -> HttpResponse:
            response = HttpResponse()
            response._resource_closers.append(file.close)  # type: ignore[attr-defined]
            return response

        with Site({"slow/": slow, "x/": view}, entry=OURS, workers=CountingWorkers(1, 0)) as site:
            first = asyncio.create_task(site.asend("GET", "/slow/"))
            await asyncio.sleep(0.01)
            assert (await site.asend("GET", "/x/")).status == 200
            over.set()
            await first

    asyncio.run(main())
    assert file.closed


@pytest.mark.django_db(transaction=True, databases="__all__")
@pytest.mark.parametrize("fails", [False, True])
def test_a_sync_view_is_in_a_transaction_where_the_settings_say_so(database: str, fails: bool) -> None:
    def view(request: Any) -> HttpResponse:
        User.objects.using(database).create(username="ada")
        assert connections[database].in_atomic_block
        if fails:
            raise LookupError
        return HttpResponse()

    async def count() -> int:
        def counted() -> int:
            try:
                return User.objects.using(database).count()
            finally:
                connections.close_all()

        return await sync_to_async(counted)()

    connections.settings[database]["ATOMIC_REQUESTS"] = True
    try:
        with Site({"x/": view}, entry=OURS) as site:
            assert asyncio.run(site.asend("GET", "/x/")).status == (500 if fails else 200)
        assert asyncio.run(count()) == (0 if fails else 1)
    finally:
        connections.settings[database]["ATOMIC_REQUESTS"] = False
