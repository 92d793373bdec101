"""The rest of the shop's API: sync views for authors, an async generic view for reviews."""

from django.db.models import QuerySet
from django.shortcuts import aget_object_or_404, get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from restflow.serializers import AsyncSerializer
from restflow.views import APIView, AsyncListCreateAPIView, PostFetch
from shop.models import Author, Book, Review
from shop.policies import FirstReview, Pages
from shop.serializers import AuthorDetailSerializer, AuthorSerializer, ReviewSerializer

TITLES = PostFetch(
    Book.objects.all(),
    to_attr="titles",
    values=["id", "title", "published"],
    order_by=["published", "id"],
    limit=None,
    author_id="id",
)


@extend_schema(exclude=True)
class Index(APIView):
    """Where to go from here."""

    def get(self, request: Request) -> Response:
        """List the addresses."""
        return Response(
            {
                "authors": reverse("authors", request=request),
                "an author": reverse("author", [1], request=request),
                "books": reverse("book-list", request=request),
                "a book": reverse("book-detail", [1], request=request),
                "its reviews": reverse("reviews", [1], request=request),
                "its offers": reverse("book-offers", [1], request=request),
                "its offers, asked for in turn": reverse("book-offers-in-turn", [1], request=request),
                "all books as CSV": reverse("book-catalogue", request=request),
                "the schema": reverse("schema", request=request),
                "try it out": reverse("docs", request=request),
            }
        )


class AuthorList(APIView):
    """All authors; a sync view."""

    serializer_class = AuthorSerializer
    pagination_class = Pages

    @extend_schema(responses=AuthorSerializer(many=True))
    def get(self, request: Request) -> Response:
        """A page of authors."""
        return self.paginated_response(Author.objects.all())

    @extend_schema(responses={201: AuthorSerializer})
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


class BookReviews(AsyncListCreateAPIView[Review]):
    """What readers wrote about one book, the latest first; each writes one review."""

    queryset = Review.objects.all()
    serializer_class = ReviewSerializer
    pagination_class = Pages
    permission_classes = [IsAuthenticatedOrReadOnly, FirstReview]

    async def get_book(self) -> Book:
        """The book that the address names."""
        return await aget_object_or_404(Book, pk=self.kwargs["pk"])

    async def aget_queryset(self) -> QuerySet[Review]:
        """The reviews of that book."""
        reviews = await super().aget_queryset()
        return reviews.filter(book=await self.get_book())

    async def aperform_create(self, serializer: AsyncSerializer[Review]) -> None:
        """Sign the review."""
        await serializer.asave(book=await self.get_book(), reader=self.request.user.get_username())
