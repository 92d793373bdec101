"""The shop's serializers: plain DRF, which the async views use as they are."""

from typing import Any

from rest_framework import serializers

from shop.models import Author, Book, Review


class AuthorSerializer(serializers.ModelSerializer[Author]):
    """An author, in lists."""

    class Meta:
        model = Author
        fields = ["id", "name", "born", "died", "country"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse an author who died before being born."""
        if attrs.get("died") is not None and attrs["died"] < attrs["born"]:
            raise serializers.ValidationError({"died": "This is before the year of birth."})
        return attrs


class TitleSerializer(serializers.ModelSerializer[Book]):
    """A book, on its author's page."""

    class Meta:
        model = Book
        fields = ["id", "title", "published"]


class AuthorDetailSerializer(AuthorSerializer):
    """An author with the titles that a PostFetch attached."""

    titles = TitleSerializer(many=True, read_only=True)

    class Meta(AuthorSerializer.Meta):
        fields = [*AuthorSerializer.Meta.fields, "titles"]


class ReviewSerializer(serializers.ModelSerializer[Review]):
    """A reader's note."""

    class Meta:
        model = Review
        fields = ["reader", "rating", "text", "written"]
        read_only_fields = ["reader"]


class BookSerializer(serializers.ModelSerializer[Book]):
    """A book with the latest review, which a PostFetch attached."""

    author_name = serializers.CharField(source="author.name", read_only=True)
    latest_review = ReviewSerializer(read_only=True, allow_null=True)

    class Meta:
        model = Book
        fields = ["id", "title", "author", "author_name", "published", "language", "price_cents", "latest_review"]


class BookInputSerializer(serializers.ModelSerializer[Book]):
    """What a reader says of a book."""

    class Meta:
        model = Book
        fields = ["title", "author", "published", "language", "price_cents"]


class CatalogueSerializer(serializers.ModelSerializer[Book]):
    """A book, in the catalogue."""

    author = serializers.CharField(source="author.name")

    class Meta:
        model = Book
        fields = ["author", "title", "published", "price_cents"]


class OfferSerializer(serializers.Serializer[Any]):
    """What one seller wants."""

    seller = serializers.CharField()
    price_cents = serializers.IntegerField()


class OffersSerializer(serializers.Serializer[Any]):
    """What all sellers want for one book, and how long they took."""

    book = serializers.CharField()
    offers = OfferSerializer(many=True)
    in_flight = serializers.IntegerField(help_text="How many sellers were being asked at the same time.")
    elapsed_seconds = serializers.FloatField()
