"""Collects the queries that a block of a test sends, in all threads, for our ``assertNumQueries``."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any
from unittest import TestCase
from weakref import WeakSet

from django.core.signals import request_started
from django.db import DEFAULT_DB_ALIAS, connections, reset_queries
from django.db.backends.signals import connection_created
from django.test.utils import CaptureQueriesContext

from restflow.flow import arun, blocking

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from django.db.backends.base.base import BaseDatabaseWrapper

# Connections are per thread, and a thread can't list those of another.
_opened: WeakSet[BaseDatabaseWrapper] = WeakSet()


def _note_opened(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    _opened.add(connection)


connection_created.connect(_note_opened)


class CountedQueries(CaptureQueriesContext):
    """Asserts how many queries are sent to a database inside ``with`` or ``async with``.

    It is Django's ``CaptureQueriesContext`` for all connections to the database: those already open, in any thread, and
    those opened meanwhile. ``async with`` includes the connection of the thread in which its sync code runs.

    Args:
        case: the test case, which fails if the number differs.
        expected: the expected number of queries.
        using: the database's alias.

    Source: Django 6.1, test/utils.py, ``CaptureQueriesContext``.
    """

    def __init__(self, case: TestCase, expected: int, using: str) -> None:
        self.case = case
        self.expected = expected
        self.using = using
        # For each connection: how many queries it had logged, and whether logging was on.
        self.before: dict[BaseDatabaseWrapper, tuple[int, bool]] = {}
        self.resets = False

    @property
    def captured_queries(self) -> list[dict[str, str]]:
        """The queries, with their ``sql`` and ``time``, connection by connection."""
        return [
            query
            for connection, (logged, _) in self.before.items()
            for query in islice(connection.queries_log, logged, None)
        ]

    def __enter__(self) -> Self:
        connection_created.connect(self._watch)
        self.resets = request_started.disconnect(reset_queries)
        for connection in [connections[self.using], *_opened]:
            self._watch(connection)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        connection_created.disconnect(self._watch)
        if self.resets:
            request_started.connect(reset_queries)
        for connection, (_, was_logging) in self.before.items():
            connection.force_debug_cursor = was_logging
        if exc_type is None:
            listed = "\n".join(f"{number}. {query['sql']}" for number, query in enumerate(self, start=1))
            message = f"{len(self)} queries executed, {self.expected} expected\nCaptured queries were:\n{listed}"
            if len(self) != self.expected:
                self.case.fail(message)

    async def __aenter__(self) -> Self:
        _opened.add(await arun(blocking(connections.__getitem__, self.using)))
        return self.__enter__()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(exc_type, error, traceback)

    def _watch(self, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        if connection.alias == self.using and connection not in self.before:
            self.before[connection] = (len(connection.queries_log), connection.force_debug_cursor)
            connection.force_debug_cursor = True


class CountsQueries(TestCase):
    """A mixin for test cases that counts the queries of all threads; Django's counts those of one connection."""

    if not TYPE_CHECKING:  # Django's stubs declare it

        def assertNumQueries(self, num, func=None, *args, using=DEFAULT_DB_ALIAS, **kwargs):
            """Assert how many queries are sent inside ``with``, or by a function.

            Args:
                num: the expected number.
                func: the function to call; without it, a context manager is returned, in which code may await.
                args: the positional arguments of ``func``.
                using: the database's alias.
                kwargs: the keyword arguments of ``func``.

            Raises:
                AssertionError: there were more or fewer queries; the message lists them.

            Source: Django 6.1, test/testcases.py, ``assertNumQueries``.
            """
            counted = CountedQueries(self, num, using)
            if func is None:
                return counted
            with counted:
                func(*args, **kwargs)
            return None

    def aassertNumQueries(self, num: int, *, using: str = DEFAULT_DB_ALIAS) -> CountedQueries:
        """Assert how many queries are sent inside ``async with``, in all threads.

        Args:
            num: the expected number.
            using: the database's alias.

        Raises:
            AssertionError: there were more or fewer queries; the message lists them.
        """
        return CountedQueries(self, num, using)
