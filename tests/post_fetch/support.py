"""What the tests of PostFetch share: rows that are made, and what was attached."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from restflow.post_fetch import PostFetch
from tests.shop.models import Review

Fetch = Callable[[PostFetch, Any], Any]


def day(number: int) -> datetime.date:
    return datetime.date(2024, 1, number)


def review(database: str, title: str, rating: int, created: datetime.date | None = None) -> Review:
    return Review.objects.using(database).create(book_title=title, rating=rating, created=created)


def titled(*titles: str | None) -> list[dict[str, Any]]:
    return [{"title": title} for title in titles]


def ratings(value: Any) -> Any:
    """The ratings of one attached value."""
    if isinstance(value, list):
        return [row["rating"] for row in value]
    return None if value is None else value["rating"]


def attached(items: Any, name: str = "found") -> list[Any]:
    return [ratings(item[name] if isinstance(item, dict) else getattr(item, name)) for item in items]


@contextmanager
def rows_of_queries(database: str) -> Iterator[list[list[tuple[Any, ...]]]]:
    """The rows each query inside the block gives, by asking the database again."""
    ran: list[tuple[str, Any]] = []
    answers: list[list[tuple[Any, ...]]] = []

    def record(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        ran.append((sql, params))
        return execute(sql, params, many, context)

    with connections[database].execute_wrapper(record):
        yield answers
    with connections[database].cursor() as cursor:
        for sql, params in ran:
            cursor.execute(sql, params)
            answers.append(cursor.fetchall())
