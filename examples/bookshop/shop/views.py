"""The shop's API: sync views for authors, async ones for books."""

import asyncio
import ssl
import time
from operator import itemgetter

import httpx
from django.conf import settings
from django.shortcuts import aget_object_or_404, get_object_or_404
from rest_framework.exceptions import APIException
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from restflow.views import APIView, AsyncAPIView, PostFetch
from shop.models import Author, Book, Review
from shop.policies import FirstReview, IsListerOrReadOnly, OffersThrottle, Pages, ShelfHasRoom
from shop.serializers import AuthorDetailSerializer, AuthorSerializer, BookSerializer, ReviewSerializer

# One query for all the books of a page, whatever their number; the database returns one review for each book.
LATEST_REVIEW = PostFetch(
    Review.objects.all(),
    to_attr="latest_review",
    values=["reader", "rating", "text", "written"],
    order_by=["-written", "-id"],
    book_id="id",
)

TITLES = PostFetch(
    Book.objects.all(),
    to_attr="titles",
    values=["id", "title", "published"],
    order_by=["published", "id"],
    limit=None,
    author_id="id",
)

# Reading the certificates takes a while, so it is done once and not for each request.
TLS = ssl.create_default_context()


class Index(APIView):
    """Where to go from here."""

    def get(self, request: Request) -> Response:
        """List the addresses."""
        return Response(
            {
                "authors": reverse("authors", request=request),
                "an author": reverse("author", [1], request=request),
                "books": reverse("books", request=request),
                "a book": reverse("book", [1], request=request),
                "its reviews": reverse("reviews", [1], request=request),
                "its offers": reverse("offers", [1], request=request),
            }
        )


class AuthorList(APIView):
    """All authors; a sync view."""

    serializer_class = AuthorSerializer
    pagination_class = Pages

    def get(self, request: Request) -> Response:
        """A page of authors."""
        return self.paginated_response(Author.objects.all())

    def post(self, request: Request) -> Response:
        """Add an author."""
        author = self.validated_serializer().save()
        return self.serialized_response(author, status=201)


class AuthorDetail(APIView):
    """One author with all titles; a sync view."""

    serializer_class = AuthorDetailSerializer

    def get(self, request: Request, pk: int) -> Response:
        """The author."""
        author = get_object_or_404(Author, pk=pk)
        return self.serialized_response(author, post_fetches=[TITLES])


class BookList(AsyncAPIView):
    """All books, each with its latest review."""

    serializer_class = BookSerializer
    pagination_class = Pages
    permission_classes = [IsAuthenticatedOrReadOnly, ShelfHasRoom]

    async def get(self, request: Request) -> Response:
        """A page of books."""
        return await self.apaginated_response(Book.objects.select_related("author"), post_fetches=[LATEST_REVIEW])

    async def post(self, request: Request) -> Response:
        """List a book for sale."""
        serializer = await self.avalidated_serializer()
        book = await serializer.asave(listed_by=request.user)
        return await self.aserialized_response(book, status=201, post_fetches=[LATEST_REVIEW])


class BookDetail(AsyncAPIView):
    """One book; the reader who listed it may change it."""

    serializer_class = BookSerializer
    permission_classes = [IsAuthenticatedOrReadOnly, IsListerOrReadOnly]

    async def get_book(self, request: Request, pk: int) -> Book:
        """The book, if the request may do with it what it asks for."""
        book = await aget_object_or_404(Book.objects.select_related("author"), pk=pk)
        await self.acheck_object_permissions(request, book)
        return book

    async def get(self, request: Request, pk: int) -> Response:
        """The book."""
        book = await self.get_book(request, pk)
        return await self.aserialized_response(book, post_fetches=[LATEST_REVIEW])

    async def patch(self, request: Request, pk: int) -> Response:
        """Change some of its fields."""
        book = await self.get_book(request, pk)
        serializer = await self.avalidated_serializer(instance=book, partial=True)
        book = await serializer.asave()
        return await self.aserialized_response(book, post_fetches=[LATEST_REVIEW])

    async def delete(self, request: Request, pk: int) -> Response:
        """Take it off the shelf."""
        book = await self.get_book(request, pk)
        await book.adelete()
        return Response(status=204)


class BookReviews(AsyncAPIView):
    """What readers wrote about one book."""

    serializer_class = ReviewSerializer
    pagination_class = Pages
    permission_classes = [IsAuthenticatedOrReadOnly, FirstReview]

    async def get(self, request: Request, pk: int) -> Response:
        """A page of reviews, the latest first."""
        book = await aget_object_or_404(Book, pk=pk)
        return await self.apaginated_response(book.reviews.all())

    async def post(self, request: Request, pk: int) -> Response:
        """Write a review."""
        book = await aget_object_or_404(Book, pk=pk)
        serializer = await self.avalidated_serializer()
        review = await serializer.asave(book=book, reader=request.user.username)
        return await self.aserialized_response(review, status=201)


class UpstreamUnavailable(APIException):
    """The sellers can't be asked, or did not answer."""

    status_code = 502
    default_detail = "The sellers did not answer."


class BookOffers(AsyncAPIView):
    """What other sellers want for one book: all of them are asked at once."""

    throttle_classes = [OffersThrottle]

    async def get(self, request: Request, pk: int) -> Response:
        """The offers, the cheapest first, and how long the sellers took."""
        book = await aget_object_or_404(Book, pk=pk)
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

        offers = [{"seller": answer["seller"], "price_cents": answer["price_cents"]} for answer in answers]
        return Response(
            {
                "book": book.title,
                "offers": sorted(offers, key=itemgetter("price_cents")),
                "in_flight": max(answer["in_flight"] for answer in answers),
                "elapsed_seconds": round(elapsed, 2),
            }
        )


async def ask(client: httpx.AsyncClient, seller: str, pk: int) -> dict:
    """One seller's answer."""
    answer = await client.get(reverse("upstream", [seller, pk]))
    return answer.raise_for_status().json()
