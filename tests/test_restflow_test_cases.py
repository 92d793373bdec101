"""The test cases: their clients, and what one test leaves for the next."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import httpx
import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import SimpleTestCase, override_settings
from django.urls import path
from rest_framework import serializers, test
from rest_framework.response import Response

from restflow.test import (
    AsyncAPIClient,
    AsyncAPILiveServerTestCase,
    AsyncAPISimpleTestCase,
    AsyncAPITestCase,
    AsyncAPITransactionTestCase,
)
from restflow.views import AsyncAPIView
from tests.shop.models import Author


class AuthorSerializer(serializers.ModelSerializer[Author]):
    class Meta:
        model = Author
        fields = ["name"]


class Authors(AsyncAPIView):
    """Written by an async handler, through a serializer in the worker thread."""

    serializer_class = AuthorSerializer

    async def get(self, request: Any) -> Any:
        return await self.apaginated_response(Author.objects.order_by("name"))

    async def post(self, request: Any) -> Any:
        serializer = await self.avalidated_serializer()
        return await self.aserialized_response(await serializer.asave(), status=201)


class AuthorsSync(Authors):
    """Written by a sync handler."""

    def post(self, request: Any) -> Any:  # type: ignore[override]
        author = Author.objects.create(name=request.data["name"])
        return self.serialized_response(author, status=201)


class AuthorsAsyncORM(Authors):
    """Written by the async ORM."""

    async def post(self, request: Any) -> Any:
        author = await Author.objects.acreate(name=request.data["name"])
        return Response({"name": author.name}, status=201)


class Who(AsyncAPIView):
    async def get(self, request: Any) -> Any:
        return Response(request.user.username)


VIEWS = [Authors, AuthorsSync, AuthorsAsyncORM]
URLS = (*(path(f"{view.__name__}/", view.as_view()) for view in VIEWS), path("who/", Who.as_view()))


class Undo(Exception):
    """Rolls a block back."""


class Writes:
    """Two tests that each want an empty table and leave a row in it; whichever runs second sees what was left."""

    async def write(self) -> None:
        for view in VIEWS:
            assert not await Author.objects.filter(name=view.__name__).aexists()
            response = await self.client.post(f"/{view.__name__}/", {"name": view.__name__}, format="json")  # type: ignore[attr-defined]
            assert response.status_code == 201
            assert {"name": view.__name__} in (await self.client.get("/Authors/")).data  # type: ignore[attr-defined]

    async def test_first(self) -> None:
        await self.write()

    async def test_second(self) -> None:
        await self.write()

    def test_third_from_sync(self) -> None:
        async_to_sync(self.write)()


@override_settings(ROOT_URLCONF=URLS)
class TestCaseRollsBackTest(Writes, AsyncAPITestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        Author.objects.create(name="of the class")

    async def test_the_views_see_what_the_test_wrote(self) -> None:
        await Author.objects.acreate(name="Austen")
        await sync_to_async(Author.objects.create)(name="Burney")
        response = await self.client.get("/Authors/")
        self.assertEqual([author["name"] for author in response.data], ["Austen", "Burney", "of the class"])

    def test_the_views_write_in_the_transaction_of_the_test(self) -> None:
        with contextlib.suppress(Undo), transaction.atomic():
            for view in VIEWS:
                async_to_sync(self.client.post)(f"/{view.__name__}/", {"name": view.__name__})
            self.assertEqual(Author.objects.count(), 1 + len(VIEWS))
            raise Undo
        self.assertEqual(Author.objects.count(), 1)


@override_settings(ROOT_URLCONF=URLS)
class TransactionTestCaseFlushesTest(Writes, AsyncAPITransactionTestCase):
    async def test_what_a_view_writes_is_committed(self) -> None:
        await self.client.post("/Authors/", {"name": "Austen"})
        found: list[bool] = []

        def look() -> None:
            found.append(Author.objects.filter(name="Austen").exists())
            connection.close()

        thread = threading.Thread(target=look)
        thread.start()
        await asyncio.to_thread(thread.join)
        self.assertEqual(found, [True])


@override_settings(ROOT_URLCONF=URLS)
class LiveServerTest(Writes, AsyncAPILiveServerTestCase):
    async def test_a_real_request_to_an_async_view(self) -> None:
        await Author.objects.acreate(name="Austen")
        async with httpx.AsyncClient(base_url=self.live_server_url, timeout=30) as http:
            response = await http.post("/Authors/", json={"name": "Burney"})
            self.assertEqual((response.status_code, response.json()), (201, {"name": "Burney"}))
            response = await http.get("/Authors/")
        self.assertEqual(response.json(), [{"name": "Austen"}, {"name": "Burney"}])
        self.assertEqual(await Author.objects.acount(), 2)

    def test_a_real_request_from_a_sync_test(self) -> None:
        response = httpx.post(f"{self.live_server_url}/AuthorsAsyncORM/", json={"name": "Burney"}, timeout=30)
        self.assertEqual(response.status_code, 201)
        self.assertTrue(Author.objects.filter(name="Burney").exists())


@override_settings(ROOT_URLCONF=URLS)
class SimpleTest(AsyncAPISimpleTestCase):
    async def test_a_view_without_a_database(self) -> None:
        self.client.force_authenticate(User(username="emma"))
        self.assertEqual((await self.client.get("/who/")).data, "emma")
        self.assertEqual((await self.async_client.get("/who/")).data, "")

    def test_a_view_from_a_sync_test(self) -> None:
        self.assertEqual(async_to_sync(self.client.get)("/who/").data, "")


@pytest.mark.parametrize(
    ("case", "drfs"),
    [
        (AsyncAPISimpleTestCase, test.APISimpleTestCase),
        (AsyncAPITestCase, test.APITestCase),
        (AsyncAPITransactionTestCase, test.APITransactionTestCase),
        (AsyncAPILiveServerTestCase, test.APILiveServerTestCase),
    ],
)
def test_each_case_is_drfs_with_our_client(case: type[SimpleTestCase], drfs: type) -> None:
    assert issubclass(case, drfs)
    assert case.client_class is case.async_client_class is AsyncAPIClient
