"""The items of a stream: iterables of either colour, generators and query sets.

Iterates a project's code by steps of ``restflow.flow``. Used by ``parts``.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Iterator
from itertools import islice
from typing import Any

from django.db.models import Manager, QuerySet

from restflow.flow import awaited, blocking

ROWS = 500  # rows, or items of a list, that are taken at a time


class Source:
    """Provides the items of a stream, some at a time: from sync code, in the worker thread; subclasses do it otherwise.

    If the source raises, the items that it had produced are returned first.

    Args:
        items: the iterable of items.
        chunk_size: how many are taken at a time.
    """

    is_async = False

    def __init__(self, items: Any, chunk_size: int) -> None:
        self._items, self._chunk_size = items, chunk_size
        self._iterator: Any = None
        self._error: Exception | None = None
        self._is_closed = False

    async def take(self) -> list[Any]:
        """Return the next items; an empty list at the end. A flow.

        Raises:
            Exception: what the source raised.
        """
        return await blocking(self._take)

    def _take(self) -> list[Any]:
        if self._error is not None:
            raise self._error
        if self._iterator is None:
            self._iterator = self._begin()
        taken: list[Any] = []
        try:
            taken.extend(islice(self._iterator, self._chunk_size))
        except Exception as error:
            if not taken:
                raise
            self._error = error
        return taken

    def _begin(self) -> Iterator[Any]:
        return iter(self._items)

    async def close(self) -> None:
        """Close the iterator, if it is a generator. A flow.

        Raises:
            Exception: what it raised while it was closed.
        """
        if not self._is_closed:
            self._is_closed = True
            close = getattr(self._items if self._iterator is None else self._iterator, "close", None)
            if close is not None:
                await blocking(close)


class Unopened(Source):
    """A placeholder for the source that a callable returns, until a view has called it."""

    def __init__(self) -> None:
        super().__init__((), 1)

    def _begin(self) -> Iterator[Any]:
        raise TypeError("Only restflow's views call a stream's callable with the Last-Event-ID: return it from one.")


class QuerySource(Source):
    """A query set, whose rows are read from a server-side cursor if the database has them."""

    def _begin(self) -> Iterator[Any]:
        rows: QuerySet[Any, Any] = self._items
        return iter(rows) if rows._result_cache is not None else rows.iterator(chunk_size=self._chunk_size)


class AsyncSource(Source):
    """An async iterable, which runs on the event loop."""

    is_async = True

    async def take(self) -> list[Any]:
        """Return the next items; an empty list at the end."""
        taken: list[Any] = await awaited(self._atake)
        return taken

    async def _atake(self) -> list[Any]:
        if self._error is not None:
            raise self._error
        if self._iterator is None:
            self._iterator = aiter(self._items)
        taken: list[Any] = []
        try:
            while len(taken) < self._chunk_size:
                taken.append(await anext(self._iterator))
        except StopAsyncIteration:
            pass
        except Exception as error:
            if not taken:
                raise
            self._error = error
        return taken

    async def close(self) -> None:
        """Close the iterator, if it is a generator."""
        close: Any = getattr(self._items if self._iterator is None else self._iterator, "aclose", None)
        if close is not None:
            await awaited(close)


def source_of(items: Any, chunk_size: int | None) -> Source:
    """Return the source for the items of a stream.

    Args:
        items: an iterable of either colour, a query set or a manager.
        chunk_size: how many to take at a time; None means one from a generator, and many from a list or a query set.

    Raises:
        TypeError: ``items`` can't be iterated, or is a string or a dict.
        ValueError: ``chunk_size`` is less than 1.
    """
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1, got {chunk_size!r}.")
    if isinstance(items, Manager):
        items = items.all()
    if isinstance(items, QuerySet):
        return QuerySource(items, chunk_size or ROWS)
    if isinstance(items, AsyncIterable):
        return AsyncSource(items, chunk_size or 1)
    if not isinstance(items, Iterable) or isinstance(items, (str, bytes, dict)):
        raise TypeError(
            f"A stream needs an iterable of items, sync or async, or a query set, got {type(items).__name__}."
        )
    return Source(items, chunk_size or (ROWS if isinstance(items, (list, tuple)) else 1))
