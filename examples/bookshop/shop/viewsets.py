"""The books: an async viewset, whose actions have settings of their own."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from operator import itemgetter
from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.parsers import JSONParser
from rest_framework.permissions import IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response

from restflow.responses import EventStreamRenderer, NDJSONRenderer, ServerSentEvent
from restflow.serializers import AsyncSerializer
from restflow.throttling import OpenStreamsThrottle
from restflow.views import OFF, ActionConfig, AsyncModelViewSet, PostFetch, action
from shop import sellers, upstream
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


def own_books(view: AsyncModelViewSet[Book]) -> QuerySet[Book]:
    """The books that the reader listed."""
    return Book.objects.filter(listed_by=view.request.user.pk).select_related("author")


OFFERS = ActionConfig(
    response_serializer_class=OffersSerializer,
    throttle_classes=[OffersThrottle],
    error_format="problem",  # RFC 9457
)
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
            idempotency_key="optional",  # a book that is sent twice with one key is listed once
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
        "offers": OFFERS,
        "offers_in_turn": OFFERS,
        "catalogue": ActionConfig(
            serializer_class=CatalogueSerializer,
            renderer_classes=[CSVRenderer],
            authentication_classes=[],  # public: an outdated token does no harm
            pagination_class=OFF,
        ),
        "arriving": ActionConfig(
            serializer_class=CatalogueSerializer,
            renderer_classes=[NDJSONRenderer],
            throttle_classes=[OpenStreamsThrottle],
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

    @extend_schema(responses=CatalogueSerializer(many=True))
    @action(detail=False)
    async def arriving(self, request: Request) -> HttpResponseBase:
        """All books, a line of JSON for each, sent as the warehouse hands it out."""
        return await self.astreamed_response(upstream.handed_out(await self.aget_queryset()))

    @extend_schema(responses=BookSerializer(many=True))
    @action(detail=False)
    async def listed(self, request: Request) -> HttpResponseBase:
        """Books as they are listed, for an ``EventSource``; one that comes back is told what it missed."""
        return await self.astreamed_response(books_listed_since, as_="sse", post_fetches=[LATEST_REVIEW])

    @action(detail=True)
    async def offers(self, request: Request, pk: str) -> Response:
        """What other sellers want for one book: all of them are asked at once. The cheapest comes first."""
        book = await self.aget_object()
        started = time.perf_counter()
        answers = await sellers.ask_at_once(request, book.pk)
        return await self.aserialized_response(offers_of(book, answers, time.perf_counter() - started))

    @action(detail=True, url_path="offers-in-turn")
    def offers_in_turn(self, request: Request, pk: str) -> Response:
        """The same from sync code, which asks one after the other; a thread waits meanwhile."""
        book = self.get_object()
        started = time.perf_counter()
        answers = sellers.ask_in_turn(request, book.pk)
        return self.serialized_response(offers_of(book, answers, time.perf_counter() - started))


def offers_of(book: Book, answers: Iterable[dict[str, Any]], elapsed: float) -> dict[str, Any]:
    """What the sellers answered, the cheapest first."""
    offers = sorted(answers, key=itemgetter("price_cents"))
    return {
        "book": book.title,
        "offers": offers,
        "in_flight": max(offer["in_flight"] for offer in offers),
        "elapsed_seconds": round(elapsed, 2),
    }


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
