from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=100, unique=True)


class Book(models.Model):
    title = models.CharField(max_length=100)
    year = models.IntegerField(default=1900)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    tags: "models.ManyToManyField[Tag, models.Model]" = models.ManyToManyField("Tag", related_name="books", blank=True)

    class Meta:
        ordering = ["title"]


class Tag(models.Model):
    name = models.CharField(max_length=30, unique=True)


class Review(models.Model):
    book_title = models.CharField(max_length=100)
    rating = models.IntegerField()
    created = models.DateField(null=True)


class Prize(models.Model):
    title = models.CharField(max_length=100)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, to_field="name", related_name="prizes")


class Medal(Prize):
    metal = models.CharField(max_length=30, unique=True)


class Exhibit(models.Model):
    prize = models.ForeignKey(Prize, on_delete=models.CASCADE, null=True, related_name="+")
    medal = models.ForeignKey(Medal, on_delete=models.CASCADE, null=True, related_name="+")
    metal = models.ForeignKey(Medal, on_delete=models.CASCADE, null=True, to_field="metal", related_name="+")


class Edition(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="editions")
    number = models.IntegerField(default=1)
    language = models.CharField(max_length=2)
    printed = models.DateField(null=True)
    code = models.SlugField(unique=True, null=True)  # noqa: DJ001 - of null a unique field has any number
    title = models.CharField(max_length=30, blank=True, unique_for_date="printed")
    details = models.JSONField(default=dict)
    scan = models.FileField(upload_to="scans", blank=True)

    class Meta:
        unique_together = [("book", "number")]
        constraints = [
            models.UniqueConstraint(
                fields=["book", "language"],
                condition=models.Q(number__gt=1),
                name="one_reprint_a_language",
                violation_error_message="There is a reprint in this language.",
                violation_error_code="reprinted",
            )
        ]
