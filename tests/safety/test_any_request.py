"""Whatever bytes a client sends in the headers that restflow reads, and as its body, the answer is no 5xx."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

from hypothesis import example, given, settings
from hypothesis import strategies as st
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView as DRFAPIView

from restflow.responses import SSEResponse
from restflow.views import APIView, AsyncAPIView, AsyncRetrieveUpdateDestroyAPIView, RetrieveUpdateDestroyAPIView
from tests.entry.support import body as message_of
from tests.entry.support import scope_of, talk
from tests.matrix import examples
from tests.shop.models import Book
from tests.site import ENTRIES, Site
from tests.streams.support import RENDERERS, as_async, async_view, sync_view

Headers = list[tuple[bytes, bytes]]


class BookSerializer(serializers.ModelSerializer[Book]):
    class Meta:
        model = Book
        fields = ["title", "year"]


class OfABook:
    """What a view needs for a book that is in no database."""

    authentication_classes: list[Any] = []
    serializer_class = BookSerializer
    etag = "year"

    def get_object(self) -> Book:
        book = Book(pk=1, title="Emma", year=1816)
        self.check_precondition(book)  # type: ignore[attr-defined]
        return book

    def perform_update(self, serializer: Any) -> None:
        pass

    def perform_destroy(self, instance: Any) -> None:
        pass


class OfAnOrder:
    authentication_classes: list[Any] = []
    idempotency_key = "optional"

    def post(self, request: Any) -> Response:
        return Response({"data": str(request.data)}, status=201)


class OfDRF(DRFAPIView):
    """What DRF negotiates where we stream."""

    renderer_classes = RENDERERS
    authentication_classes: list[Any] = []

    def get(self, request: Any) -> Response:
        return Response({})


def stream(view: Any, request: Any) -> SSEResponse:
    return SSEResponse(lambda last_id: as_async([{"data": last_id, "id": 1}]))


def made(what: type, *bases: Any) -> list[Any]:
    return [type("View", (what, base), {}).as_view() for base in bases]


VIEWS = {
    "book": made(OfABook, RetrieveUpdateDestroyAPIView, AsyncRetrieveUpdateDestroyAPIView),
    "order": made(OfAnOrder, APIView, AsyncAPIView),
    "stream": [view(stream, authentication_classes=[]) for view in (sync_view, async_view)] + [OfDRF.as_view()],
}
URLS = {f"{name}/{number}": view for name, views in VIEWS.items() for number, view in enumerate(views)}

names = st.sampled_from([b"idempotency-key", b"if-match", b"if-none-match", b"last-event-id", b"accept"])
known = st.sampled_from(
    [
        *(b"*", b'"', b'W/"x"', b'"x", "y"', b'"\xff"', b'"\xed\xa0\x80"', b"a" * 9000, b"\x00", b"a\r\nb: c", b""),
        *(b"*/*", b"text/event-stream", b"application/json", b"text/event-stream; indent=x", b"a/b;c", b";q=1"),
    ]
)
content_types = st.sampled_from(  # Django makes no request of one that is too long, or has a NUL in its charset
    [
        *(b"", b"x", b"application/json", b"application/json; charset=x", b"multipart/form-data; boundary=x"),
        *(b"multipart/form-data", b"application/x-www-form-urlencoded", b"text/event-stream; \xff"),
    ]
)
headers = st.builds(
    lambda others, content_type: [*others, (b"content-type", content_type)],
    st.lists(st.tuples(names, known | st.binary(max_size=30)), max_size=6),
    content_types,
)
bodies = st.binary(max_size=40) | st.sampled_from(
    [
        b"{",
        b"{}",
        b'{"a": 1e999}',
        b'"\\ud800"',
        b"a=1&b=%ff",
        b'{"year": "\\u0000"}',
        b"[" * 2000,
        b"\xef\xbb\xbf{}",
        b"--x--",
    ]
)
formats = st.sampled_from(["", "sse", "json", "ndjson", "SSE", "api", "%00"]) | st.text(max_size=5).map(quote)


async def asked(site: Site, method: str, url: str, query: str, sent: Headers, content: bytes) -> int:
    scope = scope_of(url, method, query_string=query.encode(), headers=[(b"host", b"testserver"), *sent])
    async with site.request(wait=True):
        return int((await talk(site, scope, message_of(content)))[0]["status"])


@settings(max_examples=examples(40), deadline=None)
@given(
    st.sampled_from([*VIEWS]),
    st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]),
    headers,
    bodies,
    formats,
)
@example("stream", "GET", [(b"accept", b"text/event-stream; indent=x"), (b"last-event-id", b"\x00\xff")], b"", "sse")
def test_no_header_and_no_body_breaks_a_view(name: str, method: str, sent: Headers, content: bytes, form: str) -> None:
    async def main(site: Site) -> set[int]:
        urls = [f"/{name}/{number}" for number in range(len(VIEWS[name]))]
        return {await asked(site, method, url, f"format={form}", sent, content) for url in urls for _ in range(2)}

    found: set[int] = set()
    for entry in ENTRIES:
        with Site(URLS, entry=entry) as site:
            found |= asyncio.run(main(site))
    assert max(found) < 500
    if name == "stream":
        assert len(found) == 1, found  # as DRF answers it
