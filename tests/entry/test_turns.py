"""Only so many threads work at once: a thread waits for its turn, and gives it back where it waits or holds nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.db import connections
from django.http import HttpResponse, JsonResponse

from restflow.db import atomic
from restflow.flow.lease import last_call
from restflow.flow.pool import Limits, Workers
from restflow.flow.turns import Turns
from tests.entry import stack
from tests.entry.support import ident, send_all
from tests.site import OURS, Answer, CountingWorkers, Site


def test_no_more_threads_work_at_once_than_may_though_more_requests_have_one() -> None:
    working, most = 0, 0

    def work() -> None:
        nonlocal working, most
        working += 1
        most = max(most, working)
        time.sleep(0.005)
        working -= 1

    async def view(request: Any) -> JsonResponse:
        await sync_to_async(work)()
        await together.wait()  # so each has its thread, and none works
        await sync_to_async(work)()
        return JsonResponse({})

    async def main() -> list[Answer]:
        nonlocal together
        together = asyncio.Barrier(9)
        return await send_all(site, *["/x/"] * 9)

    together = asyncio.Barrier(9)
    with Site({"x/": view}, entry=OURS, workers=CountingWorkers(9, at_once=2)) as site:
        assert [answer.status for answer in asyncio.run(main())] == [200] * 9
    assert most == 2


def test_turns_are_taken_in_order() -> None:
    order: list[int] = []
    gate = threading.Event()
    workers = Workers(lambda: Limits(1, 10, 10))
    leases = [workers.lease() for _ in range(5)]
    for lease in leases:
        lease.submit(ident).result()  # each has its thread
    futures = [leases[0].submit(gate.wait, 10)]
    futures += [lease.submit(order.append, number) for number, lease in enumerate(leases[1:])]
    gate.set()
    for future in futures:
        future.result()
    assert order == [0, 1, 2, 3]
    for lease in leases:
        lease.end()
    workers.close()


@pytest.mark.parametrize(("moment", "rests"), [(60, 1), (None, 0)])
def test_a_thread_rests_at_once_where_another_waits_for_its_turn(moment: float | None, rests: int) -> None:
    rested: list[int] = []
    gate = threading.Event()
    workers = Workers(lambda: Limits(1, 10, 10), resting=lambda: rested.append(ident()), moment=lambda: moment)
    first, second = workers.lease(), workers.lease()
    blocked = first.submit(gate.wait, 10)
    waits = second.submit(ident)
    gate.set()
    blocked.result()
    waits.result()
    assert len(rested) == rests
    first.end()
    second.end()
    workers.close()


def test_a_lock_that_a_request_keeps_while_it_waits_elsewhere_stops_nobody_for_ever() -> None:
    lock = threading.Lock()

    async def view(request: Any) -> HttpResponse:
        await sync_to_async(lock.acquire)()
        await asyncio.sleep(0.001)
        await sync_to_async(lock.release)()
        return HttpResponse()

    workers = CountingWorkers(20, at_once=2, patience=0.01)
    with Site({"x/": view}, entry=OURS, workers=workers) as site:
        answers = asyncio.run(send_all(site, *["/x/"] * 12))
    assert [answer.status for answer in answers] == [200] * 12


def test_a_thread_that_waits_for_the_loop_lets_others_work() -> None:
    view_is_there, let_go = asyncio.Event(), asyncio.Event()

    async def view(request: Any) -> HttpResponse:
        view_is_there.set()
        await let_go.wait()
        return HttpResponse()

    async def main(site: Site) -> list[int]:
        held = asyncio.create_task(site.asend("GET", "/x/"))
        await view_is_there.wait()
        served = await site.asend("GET", "/other/")
        let_go.set()
        return [served.status, (await held).status]

    views = {"x/": view, "other/": lambda request: HttpResponse()}
    middleware = [stack.path_of(stack.sync_function, 0)]
    stack.plan.clear()
    with Site(views, entry=OURS, workers=CountingWorkers(9, at_once=1), MIDDLEWARE=middleware) as site:
        assert asyncio.run(main(site)) == [200, 200]


@pytest.mark.parametrize("middleware", [[], [stack.path_of(stack.sync_function, 0)]])
def test_a_thread_that_waits_for_the_loop_works_for_it_in_its_turn(middleware: list[str]) -> None:
    working, most = 0, 0
    counting = threading.Lock()

    def work() -> None:
        nonlocal working, most
        with counting:
            working += 1
            most = max(most, working)
        time.sleep(0.005)
        with counting:
            working -= 1

    async def view(request: Any) -> HttpResponse:
        await sync_to_async(work)()
        await asyncio.sleep(0.01)
        await asyncio.create_task(sync_to_async(work)())
        return HttpResponse()

    stack.plan.clear()
    with Site({"x/": view}, entry=OURS, workers=CountingWorkers(9, at_once=2), MIDDLEWARE=middleware) as site:
        answers = asyncio.run(send_all(site, *["/x/"] * 9))
    assert [answer.status for answer in answers] == [200] * 9
    assert most <= 2


@pytest.mark.django_db(transaction=True, databases="__all__")
@pytest.mark.parametrize("middleware", [[], [stack.path_of(stack.sync_function, 0)]])
def test_who_has_locked_a_row_is_not_kept_from_working_by_those_who_wait_for_it(middleware: list[str]) -> None:
    if "postgres" not in connections:
        pytest.skip("PostgreSQL is not running")
    users = User.objects.using("postgres")
    users.create(pk=1, username="ada")

    async def view(request: Any) -> HttpResponse:
        async with atomic("postgres"):
            user = await users.select_for_update().aget(pk=1)
            await asyncio.sleep(0.01)  # so the others come to the lock
            user.first_name += "x"
            await user.asave()
        return HttpResponse()

    async def main() -> list[Answer]:
        async with asyncio.timeout(20):
            return await send_all(site, *["/x/"] * 5)

    stack.plan.clear()
    with Site({"x/": view}, entry=OURS, workers=CountingWorkers(9, at_once=2), MIDDLEWARE=middleware) as site:
        assert [answer.status for answer in asyncio.run(main())] == [200] * 5
    assert users.get().first_name == "xxxxx"


@pytest.mark.parametrize("ends", ["while it has its turn", "by its last call"])
def test_a_lease_that_ends_in_a_transaction_gives_its_turn_back(ends: str) -> None:
    workers = Workers(lambda: Limits(1, 1, 2), locking=lambda: True)
    first, second = workers.lease(), workers.lease()
    first.submit(ident if ends == "while it has its turn" else last_call).result()
    waits = second.submit(ident)
    first.end()
    assert waits.result(10) > 0
    second.end()
    workers.close()


def test_any_number_of_leases_may_have_a_turn_before_they_have_a_thread() -> None:
    gate = threading.Event()
    workers = Workers(lambda: Limits(1, 2000, 1))
    first, others = workers.lease(), [workers.lease() for _ in range(2000)]
    blocked = first.submit(gate.wait, 10)
    asked = [lease.submit(ident) for lease in others]
    gate.set()
    blocked.result()
    first.end()
    for lease, future in zip(others, asked, strict=True):
        assert future.result(10) > 0
        lease.end()
    workers.close()


def test_one_more_goes_on_only_where_no_turn_was_given_back() -> None:
    lock, let_on, newcomer = threading.Lock(), threading.Event(), threading.Event()
    turns = Turns(lock, lambda: 1, 0.02)
    with lock:
        turns.take(lambda: None, again=False)
        turns.take(lambda: None, again=True)
        turns.give()  # to the second, so the first look finds that one was given back
        turns.take(newcomer.set, again=False)
    time.sleep(0.1)  # for some looks that find nobody who had a turn before
    with lock:
        turns.take(let_on.set, again=True)
    assert let_on.wait(10)
    assert not newcomer.is_set()
    with lock:
        turns.clear()  # the newcomer would be looked after for ever


def test_what_a_waiting_thread_does_for_the_loop_may_ask_the_loop_again() -> None:
    @async_to_sync
    async def answer() -> int:
        return await sync_to_async(lambda: 1)()

    async def view(request: Any) -> JsonResponse:
        return JsonResponse({"answer": await sync_to_async(lambda: answer() + answer())()})

    middleware = [stack.path_of(stack.sync_function, 0)]
    stack.plan.clear()
    workers = CountingWorkers(9, at_once=1)
    with Site({"x/": view}, entry=OURS, workers=workers, MIDDLEWARE=middleware) as site:
        assert asyncio.run(site.asend("GET", "/x/")).json() == {"answer": 2}


def test_what_a_bridge_left_running_uses_the_thread_that_waits_around_it() -> None:
    async def view(request: Any) -> JsonResponse:
        tasks: list[Any] = []
        over = asyncio.Event()

        async def later() -> int:
            await over.wait()
            return await sync_to_async(lambda: 1)()

        @async_to_sync
        async def begin() -> None:
            tasks.append(asyncio.create_task(later()))

        await sync_to_async(lambda: begin())()
        over.set()
        return JsonResponse({"answer": await tasks[0]})

    middleware = [stack.path_of(stack.sync_function, 0)]
    stack.plan.clear()
    workers = CountingWorkers(9, at_once=1)
    with Site({"x/": view}, entry=OURS, workers=workers, MIDDLEWARE=middleware) as site:
        assert asyncio.run(site.asend("GET", "/x/")).json() == {"answer": 1}
