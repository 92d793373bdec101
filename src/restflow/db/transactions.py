"""Transactions in async code: ``atomic`` as a context manager and decorator, and ``transacted`` for flows.

Each begins and ends by a step in the request's thread. Called by users, and by the views and ``asgi``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack
from contextvars import ContextVar
from functools import wraps
from inspect import isasyncgenfunction
from types import TracebackType
from typing import Any, TypeVar, cast, overload

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from restflow.flow import arun, blocking, is_coroutine_function, may_give_coroutine

_F = TypeVar("_F", bound=Callable[..., Any])
_R = TypeVar("_R")


class Atomic(transaction.Atomic):
    """The return type of ``atomic``: Django's ``Atomic``, which also supports ``async with`` and ``async def``."""

    def __call__(self, func: _F) -> _F:
        """Run each call of ``func`` in a block.

        Args:
            func: a function of either colour.

        Returns:
            A function of the same colour.

        Raises:
            TypeError: the block would end before ``func`` runs: it is an async generator, or a wrapper of an
                ``async def``.
        """
        if is_coroutine_function(func):

            @wraps(func)
            async def inner(*args: Any, **kwargs: Any) -> Any:
                async with self:
                    return await func(*args, **kwargs)

            return cast(_F, inner)
        if isasyncgenfunction(func) or may_give_coroutine(func):
            raise TypeError(
                f"atomic() around {func!r} would end before it runs: it is async, but not an async def. Write "
                "an async def, or use `async with atomic():` inside it."
            )
        return super().__call__(func)

    async def __aenter__(self) -> None:
        """Begin the block in the request's thread, as Django's ``__enter__`` does.

        Raises:
            RuntimeError: another task of the request is in a block of the same database.
        """
        block = _Block(self)
        outer = _blocks.get()
        try:
            await arun(blocking(block.begin, outer))
        except BaseException as error:
            if block.has_begun:  # cancelled here, the caller never reaches __aexit__
                await arun(_for_sure(block.end, type(error), error, None))
            raise
        _blocks.set((*outer, block))

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        """End the block in the request's thread, as Django's ``__exit__`` does, even if the task is cancelled.

        Raises:
            RuntimeError: it was rolled back, because its connection is no longer in the block, or another task is in a
                block inside of it.
        """
        *outer, block = _blocks.get()
        _blocks.set(tuple(outer))
        await arun(_for_sure(block.end, exc_type, exc_value, exc_tb))


class _Block(transaction.Atomic):
    """One block of async code."""

    has_begun = False

    def __init__(self, given: Any) -> None:
        self.alias: str = given.using or DEFAULT_DB_ALIAS
        super().__init__(self.alias, given.savepoint, given.durable)

    def begin(self, mine: tuple[_Block, ...]) -> None:
        """Begin the block, nested in those that the task is in."""
        open_ = [each for each in connections[self.alias].atomic_blocks if type(each) is _Block]
        if open_ and open_[-1] not in mine:
            raise RuntimeError(
                "Another task of this request is in an atomic() block. The tasks of a request share a connection, so "
                "their blocks can't overlap: enter them one after the other, in one task."
            )
        self.__enter__()
        self.has_begun = True

    def end(self, exc_type: Any, exc_value: Any, exc_tb: Any) -> None:
        """End this block and no other."""
        blocks = connections[self.alias].atomic_blocks
        if self not in blocks:
            raise RuntimeError("The transaction of this atomic() block was rolled back before the block's end.")
        error = None
        while blocks[-1] is not self:
            error = RuntimeError(
                "An atomic() block ended while another task of the request was in a block inside of it. Both were "
                "rolled back."
            )
            blocks[-1].__exit__(RuntimeError, error, None)
        if error is not None and exc_type is None:
            self.__exit__(RuntimeError, error, None)
            raise error
        self.__exit__(exc_type, exc_value, exc_tb)


async def transacted(aliases: Iterable[str], flow: Callable[[], Awaitable[_R]], *, by_requests: bool = True) -> _R:
    """Run ``flow`` in a transaction of each database. A flow.

    Args:
        aliases: the aliases of the databases, from the outermost to the innermost.
        flow: returns the flow.
        by_requests: whether these are the transactions of ATOMIC_REQUESTS. If not, a database that is in one already
            gets no other.

    Returns:
        What the flow returned, after all transactions have been committed, or rolled back by ``set_rollback``.
    """
    outer, blocks = _blocks.get(), tuple(_Block(Atomic(alias, True, False)) for alias in aliases)
    begun = ExitStack()

    def begin() -> None:
        for block in blocks:
            if by_requests or not _is_atomic_request(block.alias):
                block.begin((*outer, *blocks))
                begun.push(block.end)

    _blocks.set((*outer, *blocks))
    try:
        await blocking(begin)
        result = await flow()
    except (Exception, asyncio.CancelledError) as error:  # not GeneratorExit, after which nothing can be awaited
        _blocks.set(outer)
        await _for_sure(begun.__exit__, type(error), error, error.__traceback__)
        raise
    _blocks.set(outer)
    await _for_sure(begun.__exit__, None, None, None)
    return result


def begin_transactions(aliases: Iterable[str], begun: ExitStack) -> None:
    """Begin, in sync code, the transactions that ``transacted`` begins with ``by_requests=False``.

    Args:
        aliases: the aliases of the databases, from the outermost to the innermost.
        begun: ends the transactions when it is closed.
    """
    for alias in aliases:
        if not _is_atomic_request(alias):
            begun.enter_context(Atomic(alias, True, False))


def roll_back(aliases: Iterable[str]) -> None:
    """Mark the innermost block of each database to be rolled back at its end."""
    for alias in aliases:
        transaction.set_rollback(True, alias)


def _is_atomic_request(alias: str) -> bool:
    """Tell whether this thread is in the transaction of ATOMIC_REQUESTS, rather than only in that of a ``TestCase``."""
    connection = connections[alias]
    blocks: list[Any] = connection.atomic_blocks
    return bool(connection.settings_dict["ATOMIC_REQUESTS"] and blocks and not blocks[-1]._from_testcase)


_blocks: ContextVar[tuple[_Block, ...]] = ContextVar("_blocks", default=())


async def _for_sure(function: Callable[..., object], *args: Any) -> None:
    """Call ``function`` in the request's thread, even if the task is cancelled before that begins. A flow."""
    begun = False

    def begin() -> None:
        nonlocal begun
        begun = True
        function(*args)

    cancellation: asyncio.CancelledError | None = None
    while not begun:
        try:
            await blocking(begin)
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        raise cancellation


@overload
def atomic(using: _F) -> _F: ...
@overload
def atomic(using: str | None = None, savepoint: bool = True, durable: bool = False) -> Atomic: ...
def atomic(using: Any = None, savepoint: bool = True, durable: bool = False) -> Any:
    """Create a block that is committed as a whole, or rolled back if an exception or a cancellation leaves it.

    It is ``django.db.transaction.atomic`` for both colours: for ``with`` and ``async with``, and as a decorator of a
    function of either colour. The whole block uses the request's thread and its one connection.

    Args:
        using: the database's alias, by default that of the default database; or the function to decorate.
        savepoint: whether a nested block can be rolled back by itself.
        durable: whether nesting the block in another is an error.

    Returns:
        The block, or the decorated function.

    Raises:
        TypeError: the function is async, but not an ``async def``.

    Source: Django 5.2 to 6.1, db/transaction.py, ``atomic``.
    """
    if callable(using):
        return Atomic(DEFAULT_DB_ALIAS, savepoint, durable)(using)
    return Atomic(using, savepoint, durable)
