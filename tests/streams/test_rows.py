"""Rows of a database, streamed through serializers: few at a time, and nothing left open."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import TestCase, override_settings
from django.urls import path
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.test import APIClient

from restflow.responses import NDJSONResponse, ServerSentEvent, SSEResponse
from restflow.views import ActionConfig, APIView, AsyncAPIView, AsyncModelViewSet, PostFetch
from restflow.views.decorators import action
from tests.databases import ALIASES
from tests.shop.models import Author, Review
from tests.site import ENTRIES, Site
from tests.streams.support import RENDERERS, Client, async_view, dispatched, sync_view

each_entry = pytest.mark.parametrize("entry", ENTRIES)
pytestmark = pytest.mark.django_db(transaction=True, databases=ALIASES)


class AuthorSerializer(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["name"]


class Streaming:
    """Answers with a stream of authors in the format that was negotiated; sync or async by its base."""

    renderer_classes = RENDERERS
    serializer_class = AuthorSerializer
    authentication_classes: list[Any] = []
    arguments: dict[str, Any] = {}

    def items(self) -> Any:
        return Author.objects.order_by("name")


class SyncStreaming(Streaming, APIView):
    def get(self, request: Any) -> Any:
        return self.streamed_response(self.items(), **self.arguments)


class AsyncStreaming(Streaming, AsyncAPIView):
    async def get(self, request: Any) -> Any:
        return await self.astreamed_response(self.items(), **self.arguments)


each_base = pytest.mark.parametrize("base", [SyncStreaming, AsyncStreaming])


@pytest.fixture
def authors() -> None:
    Author.objects.bulk_create(Author(name=name) for name in ["Ada", "Grace", "Mary"])


def answered(view: Any, accept: str, entry: str, **settings: Any) -> Any:
    with Site({"x/": view}, entry=entry, **settings) as site:
        return asyncio.run(site.asend("GET", "/x/", headers={"accept": accept}))


@each_entry
@each_base
@pytest.mark.parametrize("items", ["query set", "manager", "evaluated", "generator", "async generator"])
def test_rows_are_represented_in_the_format_that_was_negotiated(
    authors: None, entry: str, base: Any, items: str
) -> None:
    queryset = Author.objects.order_by("name")

    def synchronous() -> Any:
        yield from queryset

    async def asynchronous() -> Any:
        async for author in queryset:
            yield author

    given = {
        "query set": lambda self: queryset,
        "manager": lambda self: Author.objects,
        "evaluated": lambda self: queryset,
        "generator": lambda self: synchronous(),
        "async generator": lambda self: asynchronous(),
    }[items]
    if items == "evaluated":
        len(queryset)
    view = type("View", (base,), {"items": given}).as_view()
    events = answered(view, "text/event-stream", entry)
    assert [event.data for event in dispatched(events.body)] == [
        '{"name":"Ada"}',
        '{"name":"Grace"}',
        '{"name":"Mary"}',
    ]
    assert answered(view, "application/x-ndjson", entry).body == b'{"name":"Ada"}\n{"name":"Grace"}\n{"name":"Mary"}\n'
    assert answered(view, "application/json", entry).body == b'[{"name":"Ada"},{"name":"Grace"},{"name":"Mary"}]'


@each_entry
@each_base
@pytest.mark.parametrize("size", [1, 3])
def test_an_event_has_an_instance_as_its_data(authors: None, entry: str, base: Any, size: int) -> None:
    def events() -> Any:
        for author in Author.objects.order_by("name")[:1]:
            yield ServerSentEvent(author, event="author", id=author.name)
            yield ServerSentEvent(comment="no data")
            yield author

    view = type(
        "View", (base,), {"items": lambda self: events(), "arguments": {"stream": {"chunk_size": size}}}
    ).as_view()
    answer = answered(view, "text/event-stream", entry)
    assert (
        answer.body.replace(b":\n\n", b"")
        == b'event: author\nid: Ada\ndata: {"name":"Ada"}\n\n: no data\n\ndata: {"name":"Ada"}\n\n'
    )


@each_base
def test_it_takes_the_keywords_of_a_serialized_response(authors: None, base: Any) -> None:
    class Shouting(serializers.Serializer):
        name = serializers.SerializerMethodField()

        def get_name(self, author: Any) -> str:
            return str(author.name).upper() + self.context["mark"]

    arguments = {
        "as_": "ndjson",
        "status": 202,
        "headers": {"A": "b"},
        "serializer_class": Shouting,
        "context": {"mark": "!"},
        "stream": {"chunk_size": 2},
    }
    answer = answered(type("View", (base,), {"arguments": arguments}).as_view(), "text/event-stream", "django")
    assert (answer.status, answer.headers["A"]) == (202, "b")
    assert answer.body == b'{"name":"ADA!"}\n{"name":"GRACE!"}\n{"name":"MARY!"}\n'


@each_base
def test_a_format_that_there_is_not_is_refused(base: Any) -> None:
    view = type("View", (base,), {"arguments": {"as_": "xml"}}).as_view()
    with (
        override_settings(ROOT_URLCONF=(path("x/", view),)),
        pytest.raises(ValueError, match="There is no stream as 'xml'"),
    ):
        APIClient().get("/x/")


@each_entry
@each_base
def test_post_fetches_run_once_for_the_rows_that_are_taken_at_a_time(authors: None, entry: str, base: Any) -> None:
    for name in ("Ada", "Mary"):
        Review.objects.create(book_title=name, rating=len(name))

    class WithRating(serializers.ModelSerializer):
        rating = serializers.SerializerMethodField()

        class Meta:
            model = Author
            fields = ["name", "rating"]

        def get_rating(self, author: Any) -> Any:
            return author.review and author.review["rating"]

    class Counted(PostFetch):
        def fetch(self, items: Any) -> Any:
            counts.append(len(items))
            return super().fetch(items)

    counts: list[int] = []
    fetch = Counted(Review.objects.all(), to_attr="review", values=["rating"], book_title="name")
    arguments = {"serializer_class": WithRating, "post_fetches": [fetch], "stream": {"chunk_size": 2}}
    answer = answered(type("View", (base,), {"arguments": arguments}).as_view(), "application/json", entry)
    assert json.loads(answer.body) == [
        {"name": "Ada", "rating": 3},
        {"name": "Grace", "rating": None},
        {"name": "Mary", "rating": 4},
    ]
    assert counts == [2, 1]


@each_entry
def test_rows_are_read_in_chunks_while_they_are_sent(database: str, entry: str) -> None:
    Author.objects.using(database).bulk_create(Author(name=str(number)) for number in range(10))
    queryset = Author.objects.using(database).order_by("pk").values_list("name", flat=True)

    async def main(site: Site) -> None:
        async with Client(site, "/x/").asking() as client:
            await client.serving
            bodies = [message["body"] for message in client.sent[1:] if message.get("body")]
            assert [body.count(b"\n") for body in bodies] == [4, 4, 2]

    with Site({"x/": async_view(lambda *_: NDJSONResponse(queryset, chunk_size=4))}, entry=entry) as site:
        asyncio.run(main(site))


@each_entry
@pytest.mark.parametrize("view", [sync_view, async_view])
@pytest.mark.parametrize("leaves", [True, False])
def test_no_cursor_and_no_connection_is_left_open(database: str, entry: str, view: Any, leaves: bool) -> None:
    Author.objects.using(database).bulk_create(Author(name=str(number)) for number in range(10))
    open_ones: list[Any] = []

    def rows() -> Any:
        try:
            for author in Author.objects.using(database).iterator(chunk_size=2):
                open_ones.append(connections[database])
                yield author.name
        finally:
            open_ones.append("ended")

    async def main(site: Site) -> None:
        async with Client(site, "/x/").asking() as client:
            await client.until(lambda: bool(client.body))
            await (client.leave() if leaves else client.serving)

    with Site({"x/": view(lambda *_: NDJSONResponse(rows()))}, entry=entry) as site:
        asyncio.run(main(site))
    assert open_ones[-1] == "ended"
    assert all(each.connection is None for each in open_ones[:-1])


@each_entry
def test_a_connection_that_an_async_stream_does_not_need_is_given_back_while_it_waits(entry: str) -> None:
    seen: list[Any] = []

    def query() -> None:
        Author.objects.count()
        seen.append(connections["default"])

    async def feed() -> Any:
        yield "first"
        for _ in range(1000):
            if seen[0].connection is None:
                break
            await asyncio.sleep(0.005)
        else:
            raise AssertionError
        yield "given back"

    class View(AsyncAPIView):
        async def get(self, request: Any) -> Any:
            await sync_to_async(query)()
            return SSEResponse(feed())

    answer = answered(View.as_view(), "*/*", entry, RESTFLOW={"RELEASE_AFTER": 0.01})
    assert b"given back" in answer.body


# Transactions end before a stream, as in Django.


@each_entry
@pytest.mark.parametrize("base", [SyncStreaming, AsyncStreaming])
def test_a_stream_of_a_view_in_a_transaction_begins_after_it(database: str, entry: str, base: Any) -> None:
    Author.objects.using(database).create(name="Ada")

    def items(self: Any) -> Any:
        for author in Author.objects.using(database).iterator(chunk_size=1):
            seen.append(connections[database].in_atomic_block)
            yield author

    seen: list[bool] = []
    view = type("View", (base,), {"items": items, "atomic": database}).as_view()
    answer = answered(view, "application/json", entry)
    assert answer.body == b'[{"name":"Ada"}]'
    assert seen == [False]


def test_in_a_transaction_what_is_raised_first_comes_too_late_for_a_status() -> None:
    def items(self: Any) -> Any:
        raise PermissionDenied
        yield

    view = type("View", (AsyncStreaming,), {"items": items, "atomic": True}).as_view()
    answer = answered(view, "text/event-stream", "django")
    assert answer.status == 200
    assert answer.body.startswith(b"event: error")


class InATestCase(TestCase):
    def test_a_stream_begins_in_the_transaction_of_a_test_case(self) -> None:
        Author.objects.create(name="Ada")

        def refused(self: Any) -> Any:
            raise PermissionDenied
            yield

        async def asynchronous() -> Any:
            async for author in Author.objects.all():
                yield author

        for base in (SyncStreaming, AsyncStreaming):
            for items, status in ((lambda self: Author.objects.all(), 200), (refused, 403)):
                view = type("View", (base,), {"items": items}).as_view()
                with override_settings(ROOT_URLCONF=(path("x/", view),)):
                    response: Any = APIClient().get("/x/", HTTP_ACCEPT="application/json")
                assert response.status_code == status
                if status == 200:
                    assert response.getvalue() == b'[{"name":"Ada"}]'
            view = type("View", (base,), {"items": lambda self: asynchronous()}).as_view()
            with override_settings(ROOT_URLCONF=(path("x/", view),)):
                assert APIClient().get("/x/", HTTP_ACCEPT="application/json").getvalue() == b'[{"name":"Ada"}]'


@each_entry
def test_an_action_streams_by_its_config(authors: None, entry: str) -> None:
    class Authors(AsyncModelViewSet):
        queryset = Author.objects.order_by("name")
        serializer_class = AuthorSerializer
        authentication_classes: list[Any] = []
        action_configs = {"feed": ActionConfig(renderer_classes=RENDERERS[1:])}

        @action(detail=False)
        async def feed(self, request: Any) -> Any:
            return await self.astreamed_response(await self.aget_queryset())

    views = {"feed/": Authors.as_view({"get": "feed"}), "list/": Authors.as_view({"get": "list"})}
    with Site(views, entry=entry) as site:
        feed, plain, refused = (
            asyncio.run(site.asend("GET", url, headers={"accept": accept}))
            for url, accept in [
                ("/feed/", "text/event-stream"),
                ("/list/", "application/json"),
                ("/list/", "text/event-stream"),
            ]
        )
    assert (feed.status, feed.body.count(b"data:")) == (200, 3)
    assert (plain.status, refused.status) == (200, 406)
