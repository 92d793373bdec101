"""`assertNumQueries` and `aassertNumQueries`: what they count, in whose threads, and what they say."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.signals import request_started
from django.db import connection, connections, reset_queries
from django.test import override_settings
from django.urls import path
from rest_framework.response import Response
from rest_framework.test import APIClient

from restflow.test import AsyncAPITestCase, AsyncAPITransactionTestCase
from restflow.views import AsyncAPIView
from tests.shop.models import Author
from tests.site import ENTRIES, Site


class TwoQueries(AsyncAPIView):
    def get(self, request: Any) -> Response:
        return Response([Author.objects.count(), Author.objects.exists()])


class TwoQueriesAwaited(AsyncAPIView):
    async def get(self, request: Any) -> Response:
        return Response([await Author.objects.acount(), await Author.objects.aexists()])


VIEWS = {"sync": TwoQueries.as_view(), "async": TwoQueriesAwaited.as_view()}
URLS = tuple(path(route, view) for route, view in VIEWS.items())


@override_settings(ROOT_URLCONF=URLS)
class CountsTest(AsyncAPITestCase):
    async def test_around_awaits(self) -> None:
        for url in ("/sync", "/async"):
            async with self.aassertNumQueries(2):
                assert (await self.client.get(url)).data == [0, False]

    async def test_the_sync_form_around_awaits(self) -> None:
        with self.assertNumQueries(3):
            await self.client.get("/sync")
            await Author.objects.acount()

    def test_in_a_sync_test(self) -> None:
        with self.assertNumQueries(2) as counted:
            async_to_sync(self.client.get)("/async")
        assert "COUNT(" in counted[0]["sql"]
        self.assertNumQueries(1, Author.objects.count)

    async def test_none(self) -> None:
        async with self.aassertNumQueries(0):
            pass
        await Author.objects.acount()

    async def test_too_many_are_listed(self) -> None:
        with pytest.raises(AssertionError, match=r"(?s)2 queries executed, 1 expected.*1\. SELECT COUNT.*2\. SELECT 1"):
            async with self.aassertNumQueries(1):
                await self.client.get("/sync")

    async def test_an_error_inside_is_the_one_that_is_raised(self) -> None:
        with pytest.raises(ZeroDivisionError):
            async with self.aassertNumQueries(7):
                _ = 1 / 0

    def test_afterwards_nothing_is_logged(self) -> None:
        assert not connection.force_debug_cursor
        with self.assertNumQueries(0), self.assertNumQueries(0):
            assert connection.force_debug_cursor
        assert not connection.force_debug_cursor
        assert request_started.disconnect(reset_queries)
        request_started.connect(reset_queries)

    def test_queries_are_not_forgotten_where_a_request_begins(self) -> None:
        with self.assertNumQueries(3):
            Author.objects.count()
            APIClient().get("/sync")

    def test_what_does_not_forget_them_stays_so(self) -> None:
        request_started.disconnect(reset_queries)
        try:
            with self.assertNumQueries(0):
                pass
            assert not request_started.disconnect(reset_queries)
        finally:
            request_started.connect(reset_queries)


class Case(AsyncAPITransactionTestCase):
    def runTest(self) -> None: ...


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("url", VIEWS)
def test_a_servers_threads_are_counted(entry: str, url: str) -> None:
    async def twice() -> None:
        async with Case().aassertNumQueries(4):
            await site.asend("GET", f"/{url}")
            await site.asend("GET", f"/{url}")

    with Site(VIEWS, entry=entry) as site:
        asyncio.run(twice())
        with Case().assertNumQueries(2):
            site.send("GET", f"/{url}")


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_another_thread_opened_before_is_counted() -> None:
    opened, go = threading.Event(), threading.Event()

    def work() -> None:
        Author.objects.count()
        opened.set()
        go.wait(10)
        Author.objects.count()
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    assert opened.wait(10)
    with Case().assertNumQueries(1):
        go.set()
        thread.join()


@pytest.mark.django_db(transaction=True)
def test_the_queries_of_another_database_are_not_counted() -> None:
    connections.settings["second"] = connections.settings["default"]
    try:
        with Case().assertNumQueries(0, using="second"), Case().assertNumQueries(1):
            Author.objects.count()
    finally:
        del connections["second"], connections.settings["second"]
