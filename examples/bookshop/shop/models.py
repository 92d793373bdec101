"""Authors, their books, and what readers wrote about them."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone


class Author(models.Model):
    """Somebody who wrote books."""

    name = models.CharField(max_length=100, unique=True)
    born = models.SmallIntegerField()
    died = models.SmallIntegerField(null=True, blank=True)
    country = models.CharField(max_length=50, help_text="The country whose literature the author is filed under.")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class Book(models.Model):
    """A book that the shop sells."""

    title = models.CharField(max_length=200)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    published = models.SmallIntegerField(help_text="The year in which the first book edition was complete.")
    language = models.CharField(max_length=30, help_text="The language it was written in; titles are in English.")
    price_cents = models.PositiveIntegerField()
    listed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="listed_books")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["author", "title"], name="one_book_of_a_title_by_author")]

    def __str__(self) -> str:
        return self.title


class Review(models.Model):
    """A reader's note on a book."""

    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="reviews")
    reader = models.CharField(max_length=150)
    rating = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(5)])
    text = models.CharField(max_length=300)
    written = models.DateField(default=timezone.localdate)

    class Meta:
        ordering = ["-written", "-id"]

    def __str__(self) -> str:
        return f"{self.reader}: {self.rating}/5"
