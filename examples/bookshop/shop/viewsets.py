"""The books: an async viewset, whose actions have settings of their own."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from operator import itemgetter
from typing import Any

import httpx
from django.conf import settings
from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.parsers import JSONParser
from rest_framework.permissions import IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from restflow.responses import EventStreamRenderer, ServerSentEvent
from restflow.serializers import AsyncSerializer
from restflow.throttling import OpenStreamsThrottle
from restflow.views import OFF, ActionConfig, AsyncModelViewSet, PostFetch, action
from shop.models import Book, Review
from shop.policies import FastPages, IsListerOrReadOnly, OffersThrottle, Pages, ShelfHasRoom
from shop.renderers import CSVRenderer
from shop.serializers import BookInputSerializer, BookSerializer, CatalogueSerializer, OffersSerializer

# One query for all the books of a page, whatever their number; the database returns one review for each book.
LATEST_REVIEW = PostFetch(
    Review.objects.all(),
    to_attr="latest_review",
    values=["reader", "rating", "text", "written"],
    order_by=["-written", "-id"],
    book_id="id",
)

# Reading the certificates takes a while, so it is done once and not for each request.
TLS = ssl.create_default_context()


class UpstreamUnavailable(APIException):
    """The sellers can't be asked, or did not answer."""

    status_code = 502
    default_detail = "The sellers did not answer."


def own_books(view: AsyncModelViewSet[Book]) -> QuerySet[Book]:
    """The books that the reader listed."""
    return Book.objects.filter(listed_by=view.request.user.pk).select_related("author")


CHANGE = ActionConfig(
    request_serializer_class=BookInputSerializer,
    permission_classes=[IsAuthenticatedOrReadOnly, IsListerOrReadOnly],
    etag=["title", "price_cents"],  # If-Match: the lister has seen the book as it is
    precondition_required=False,
)


class BookViewSet(AsyncModelViewSet[Book]):
    """All books, each with its latest review; the reader who listed one may change it."""

    queryset = Book.objects.select_related("author")
    serializer_class = BookSerializer
    pagination_class = Pages
    lookup_value_regex = "[0-9]+"
    search_fields = ["title", "author__name"]
    ordering_fields = ["published", "price_cents", "id"]

    # What an action leaves out, it has from the class, and the class from the settings.
    action_configs = {
        "list": ActionConfig(filter_backends=[SearchFilter, OrderingFilter]),
        "create": ActionConfig(
            request_serializer_class=BookInputSerializer,
            parser_classes=[JSONParser],
            permission_classes=[IsAuthenticated, ShelfHasRoom],
            atomic=True,  # the shelf is counted and the book put on it in one transaction
        ),
        "update": CHANGE,
        "partial_update": CHANGE,
        "destroy": CHANGE,
        "shelf": ActionConfig(
            queryset=own_books,
            permission_classes=[IsAuthenticated],
            pagination_class=FastPages,
        ),
        "offers": ActionConfig(
            response_serializer_class=OffersSerializer,
            throttle_classes=[OffersThrottle],
            error_format="problem",  # RFC 9457
        ),
        "catalogue": ActionConfig(
            serializer_class=CatalogueSerializer,
            renderer_classes=[CSVRenderer],
            authentication_classes=[],  # public: an outdated token does no harm
            pagination_class=OFF,
        ),
        "listed": ActionConfig(
            renderer_classes=[EventStreamRenderer],
            throttle_classes=[OpenStreamsThrottle],
            pagination_class=OFF,
        ),
    }

    async def list(self, request: Request) -> Response:
        """A page of books."""
        books = await self.afilter_queryset(await self.aget_queryset())
        return await self.apaginated_response(books, post_fetches=[LATEST_REVIEW])

    async def retrieve(self, request: Request, pk: str) -> Response:
        """One book."""
        return await self.aserialized_response(await self.aget_object(), post_fetches=[LATEST_REVIEW])

    async def aperform_create(self, serializer: AsyncSerializer[Book]) -> None:
        """Note who listed the book."""
        book = await serializer.asave(listed_by=self.request.user)
        await LATEST_REVIEW.afetch([book])

    async def aperform_update(self, serializer: AsyncSerializer[Book]) -> None:
        """Show the changed book with its review."""
        book = await serializer.asave()
        await LATEST_REVIEW.afetch([book])

    @extend_schema(responses=BookSerializer(many=True))
    @action(detail=False)
    async def shelf(self, request: Request) -> Response:
        """The books that you listed."""
        return await self.list(request)

    @extend_schema(responses=CatalogueSerializer(many=True))
    @action(detail=False)
    def catalogue(self, request: Request) -> Response:
        """All books in one CSV file; a sync action, which runs in the worker thread."""
        return self.paginated_response(self.get_queryset())

    @extend_schema(responses=BookSerializer(many=True))
    @action(detail=False)
    async def listed(self, request: Request) -> HttpResponseBase:
        """Books as they are listed, for an ``EventSource``; one that comes back is told what it missed."""
        return await self.astreamed_response(books_listed_since, as_="sse", post_fetches=[LATEST_REVIEW])

    @action(detail=True)
    async def offers(self, request: Request, pk: str) -> Response:
        """What other sellers want for one book: all of them are asked at once. The cheapest comes first."""
        book = await self.aget_object()
        origin = request.build_absolute_uri("/").rstrip("/")
        if origin not in settings.UPSTREAM_ORIGINS:
            raise UpstreamUnavailable("No sellers are known at this address.")

        started = time.perf_counter()
        try:
            async with httpx.AsyncClient(base_url=origin, timeout=5, trust_env=False, verify=TLS) as client:
                answers = await asyncio.gather(*(ask(client, seller, book.pk) for seller in settings.SELLERS))
        except httpx.HTTPError as error:
            raise UpstreamUnavailable from error
        elapsed = time.perf_counter() - started

        return await self.aserialized_response(
            {
                "book": book.title,
                "offers": sorted(answers, key=itemgetter("price_cents")),
                "in_flight": max(answer["in_flight"] for answer in answers),
                "elapsed_seconds": round(elapsed, 2),
            }
        )


async def books_listed_since(last_event_id: str | None) -> AsyncIterator[ServerSentEvent]:
    """Each book after the one that the client saw last, or after those that there are."""
    books = Book.objects.select_related("author").order_by("pk")
    if last_event_id is not None and last_event_id.isdecimal():
        last = int(last_event_id)
    else:
        newest = await books.alast()
        last = newest.pk if newest else 0
    while True:
        async for book in books.filter(pk__gt=last):
            last = book.pk
            yield ServerSentEvent(book, event="book", id=book.pk)
        await asyncio.sleep(1)


async def ask(client: httpx.AsyncClient, seller: str, pk: int) -> dict[str, Any]:
    """One seller's answer."""
    answer = await client.get(reverse("upstream", [seller, pk]))
    offer: dict[str, Any] = answer.raise_for_status().json()
    return offer
