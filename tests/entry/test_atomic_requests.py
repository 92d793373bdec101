"""ATOMIC_REQUESTS on our entry: async views are in a transaction as sync ones are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.http import HttpResponse
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.response import Response

from restflow.db import atomic
from restflow.views import AsyncAPIView
from tests.entry.support import scope_of, talk
from tests.site import OURS, CountingWorkers, Site

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.fixture(autouse=True)
def _atomic_requests() -> Iterator[None]:
    for settings in connections.settings.values():
        settings["ATOMIC_REQUESTS"] = True
    yield
    for settings in connections.settings.values():
        settings["ATOMIC_REQUESTS"] = False


def names(database: str) -> list[str]:
    return sorted(User.objects.using(database).values_list("username", flat=True))


def write(database: str, name: str) -> None:
    assert connections[database].in_atomic_block
    User.objects.using(database).create(username=name)


awrite = sync_to_async(write)


def ask(view: Any, **options: Any) -> Any:
    with Site({"x/": view}, entry=OURS, **options) as site:
        return site.send("GET", "/x/")


@pytest.mark.parametrize("error", [None, LookupError])
def test_a_plain_async_view_is_in_a_transaction(database: str, error: Any) -> None:
    async def view(request: Any) -> HttpResponse:
        await awrite(database, "ada")
        await asyncio.sleep(0.1)  # longer than RELEASE_AFTER
        await awrite(database, "bob")
        if error:
            raise error
        return HttpResponse()

    assert ask(view).status == (500 if error else 200)
    assert names(database) == ([] if error else ["ada", "bob"])


class Writes(BasePermission):
    database = ""

    def has_permission(self, request: Any, view: Any) -> bool:
        write(view.database, "by a check")
        return True


class View(AsyncAPIView):
    permission_classes = [Writes]
    database = ""
    error: Any = None


class AsyncHandler(View):
    async def get(self, request: Any) -> Response:
        await awrite(self.database, "by the handler")
        if self.error:
            raise self.error
        return Response({})


class SyncHandler(View):
    def get(self, request: Any) -> Response:  # type: ignore[override]
        write(self.database, "by the handler")
        if self.error:
            raise self.error
        return Response({})


@pytest.mark.parametrize("view", [AsyncHandler, SyncHandler])
@pytest.mark.parametrize("error", [None, ValidationError("no"), PermissionDenied("no")])
def test_the_checks_and_the_handler_are_in_it_and_an_error_response_rolls_it_back(
    database: str, view: Any, error: Any
) -> None:
    answer = ask(view.as_view(database=database, error=error))
    assert answer.status == (200 if error is None else error.status_code)
    assert names(database) == ([] if error else ["by a check", "by the handler"])


def test_it_costs_no_trip_of_its_own_beside_sync_code() -> None:
    with Site({"x/": SyncHandler.as_view(database="default")}, entry=OURS) as site:
        assert asyncio.run(site.asend("GET", "/x/")).hops == 1


def test_blocks_of_the_view_are_inside_of_it(database: str) -> None:
    async def view(request: Any) -> HttpResponse:
        async with atomic(database):
            await awrite(database, "ada")
        with pytest.raises(RuntimeError, match="durable"):
            await atomic(database, durable=True).__aenter__()
        await sync_to_async(transaction.set_rollback)(True, database)
        return HttpResponse()

    assert ask(view).status == 200
    assert names(database) == []


def test_a_view_can_be_left_out_of_it(database: str) -> None:
    @transaction.non_atomic_requests(using="postgres")
    @transaction.non_atomic_requests
    async def view(request: Any) -> HttpResponse:
        await User.objects.using(database).acreate(username="ada")
        raise LookupError

    assert ask(view).status == 500
    assert names(database) == ["ada"]


def test_a_transaction_that_can_not_begin_is_an_error_and_the_view_is_not_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[Any] = []

    async def view(request: Any) -> HttpResponse:
        called.append(request)
        return HttpResponse()

    # The innermost, since it is the first.
    broken = {**connections.settings["default"], "ENGINE": "django.db.backends.dummy"}
    monkeypatch.setitem(connections.settings, "default", broken)
    with Site({"x/": view}, entry=OURS) as site:
        assert asyncio.run(site.asend("GET", "/x/")).status == 500
    assert not called


def test_a_client_that_leaves_rolls_it_back(database: str) -> None:
    async def main() -> None:
        leave, wrote = asyncio.Event(), asyncio.Event()

        async def view(request: Any) -> HttpResponse:
            await awrite(database, "ada")
            wrote.set()
            await asyncio.sleep(60)
            return HttpResponse()

        async def after(request: Any) -> HttpResponse:
            return HttpResponse(await User.objects.using(database).acount())

        with Site({"x/": view, "after/": after}, entry=OURS, workers=CountingWorkers(1)) as site:
            served = asyncio.create_task(talk(site, scope_of("/x/"), leave=leave))
            await wrote.wait()
            leave.set()
            await served
            assert (await site.asend("GET", "/after/")).body == b"0"

    asyncio.run(main())
