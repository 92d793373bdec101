"""The table of the cases that need one: the same in each database."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models


class Book(models.Model):
    database: ClassVar[str]

    isbn = models.CharField(max_length=13, unique=True)
    title = models.CharField(max_length=200)
    author = models.CharField(max_length=100)
    pages = models.PositiveIntegerField()
    price = models.DecimalField(max_digits=8, decimal_places=2)
    published = models.DateField()
    in_print = models.BooleanField(default=True)

    class Meta:
        abstract = True
        ordering = ("id",)


class SQLiteBook(Book):
    database = "default"


class PostgreSQLBook(Book):
    database = "postgres"


class Router:
    """Each model has a database of its own."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return getattr(model, "database", None)

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, model: Any = None, **hints: Any) -> bool:
        return db == getattr(model, "database", "default")
