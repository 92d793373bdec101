"""What the table of books holds, and what is shown and written of it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

ROWS = 1000
WRITTEN = ("isbn", "title", "author", "pages", "price", "published")
SHOWN = ("id", *WRITTEN, "in_print")
NEW = {
    "isbn": "9780000000000",
    "title": "A book that is made",
    "author": "Ada",
    "pages": 320,
    "price": "24.90",
    "published": "2024-02-29",
}


def made(model: Any) -> Iterator[Any]:
    """Make the rows of the table of ``model``."""
    return (
        model(
            isbn=f"978{number:010}",
            title=f"Book {number}",
            author=f"Author {number % 50}",
            pages=100 + number,
            price=f"{number % 90}.95",
            published=datetime.date(2000, 1, 1) + datetime.timedelta(days=number),
            in_print=number % 3 > 0,
        )
        for number in range(1, ROWS + 1)
    )


def fill(model: Any) -> None:
    """Fill the table of ``model``."""
    model.objects.bulk_create(made(model))
