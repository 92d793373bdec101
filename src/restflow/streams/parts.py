"""The parts of a stream, in the order in which they are sent, encoded as the items arrive.

Sends heartbeats while nothing arrives (``formats`` has their bytes). Iterates the source by steps of ``restflow.flow``,
in either colour. ``response`` passes the parts to Django's handlers.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import aclosing
from functools import partial
from typing import Any

from restflow.db.sessions import close_free
from restflow.flow import arun, blocking, may_block_here, on_loop, run, without_fail
from restflow.flow.streaming import END, LATE, Producer, iterated, keeps_connections, leave_thread
from restflow.settings import settings
from restflow.streams.formats import Format
from restflow.streams.sources import Source

logger = logging.getLogger("django.request")

Represent = Callable[[list[Any]], Awaitable[list[Any]]]
"""A flow that converts items to what is sent for them."""


class StreamFailed(Exception):
    """A stream failed in the middle, in a format that can signal this only by closing the connection."""


class Parts:
    """The parts of one stream, as bytes; iterated once, in either colour.

    Nothing is produced ahead: an item is taken when the one before it has been sent.

    Args:
        source: provides the items.
        form: the format in which they are written.
        represent: converts them to what is written; None if they are written as they are.
        heartbeat: seconds of silence after which a heartbeat is sent; None for none.
    """

    def __init__(self, source: Source, form: Format, represent: Represent | None, heartbeat: float | None) -> None:
        self.source = source
        self._format, self._represent = form, represent
        self._heartbeat = heartbeat if form.heartbeat else None
        self.request: Any = None
        self._is_first = True
        self._is_over = False
        self._endings: list[Callable[[], Any]] = []
        self._producer: Producer[bytes] | None = None
        self._iterator: Generator[bytes, None, None] | None = None  # iterates an async source for sync code
        self._ahead: list[Any] = []  # parts that were produced before the response was iterated

    async def _next(self) -> bytes | None:
        """Return the next items as bytes; None at the end. A flow."""
        items = await self.source.take()
        if not items:
            return None
        if self._represent is not None:
            items = await self._represent(items)
        in_place = may_block_here() or self._format.is_light(items)
        write, is_first, self._is_first = self._format.written, self._is_first, False
        return write(items, is_first=is_first) if in_place else await blocking(write, items, is_first=is_first)

    async def _produce(self) -> AsyncGenerator[bytes, None]:
        try:
            while (part := await arun(self._next())) is not None:
                yield part
        finally:
            await arun(self.source.close())

    # Before the first part is sent.

    async def abegin(self, seconds: float | None) -> None:
        """On the event loop that will send the stream, produce the first part, or wait at most ``seconds`` for it.

        Raises:
            Exception: what the source raised before the first part.
        """
        producer = self._producer = Producer(self._produce())
        try:
            self._ahead.append(await producer.next(seconds if self._format.heartbeat else None))
        except BaseException:
            await self.aclose()
            raise
        producer.leave_thread()

    def begin(self, seconds: float | None) -> None:
        """Do the same if sync code will send the stream.

        Raises:
            Exception: what the source raised before the first part.
        """
        if self.source.is_async:
            self._iterator = iterated(partial(self._begun, seconds))
            next(self._iterator)
            return
        try:
            self._ahead.append(run(self._next()) or END)
        except BaseException:
            self._close_source()
            raise

    async def _begun(self, seconds: float | None) -> AsyncGenerator[bytes, None]:
        await self.abegin(seconds)
        yield b""
        async with aclosing(aiter(self)) as parts:
            async for part in parts:
                yield part

    # While they are sent.

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        """Yield the parts, on the event loop.

        Raises:
            StreamFailed: the stream failed, and the format can't represent an error.
        """
        if self._is_over:
            return
        try:
            if self._format.opening:
                yield self._format.opening
            while (part := await self._part()) is not END:
                yield self._format.heartbeat if part is LATE else part
            if self._format.closing:
                yield self._format.closing
        except Exception as error:
            await without_fail(partial(self._log, error))
            yield self._failure()
        finally:
            await self.aclose()

    async def _part(self) -> Any:
        if self._ahead:
            return self._ahead.pop()
        if self._producer is None:
            self._producer = Producer(self._produce())
        heartbeat, moment = self._heartbeat, settings.RELEASE_AFTER
        if self.source.is_async and moment is not None:
            if heartbeat is not None:
                moment = min(moment, heartbeat)
                heartbeat -= moment
            part = await self._producer.next(moment)
            if part is not LATE:
                return part
            await self._rest()
        return await self._producer.next(heartbeat)

    async def _rest(self) -> None:
        """Release what can be had again while the source is silent.

        That is connections in a thread of asgiref's, and a thread of our pool if the settings allow it. Threads of our
        pool close connections by themselves.
        """
        if keeps_connections():
            await arun(blocking(close_free))
        elif settings.STREAMS_LEAVE_THREADS:
            leave_thread()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the parts, from sync code; an async source runs on a single event loop.

        Raises:
            StreamFailed: the stream failed, and the format can't represent an error.
        """
        if self._is_over:
            return iter(())
        if self._iterator is None:
            self._iterator = iterated(self.__aiter__) if self.source.is_async else self._iterate()
        return self._iterator

    def _iterate(self) -> Generator[bytes, None, None]:
        try:
            if self._format.opening:
                yield self._format.opening
            while (part := self._ahead.pop() if self._ahead else run(self._next()) or END) is not END:
                yield part
            if self._format.closing:
                yield self._format.closing
        except Exception as error:
            self._log(error)
            yield self._failure()
        finally:
            self._close_source()

    def _failure(self) -> bytes:
        if self._format.failure is None:
            raise StreamFailed("A stream failed after it had begun: the connection is closed.") from None
        return self._format.failure

    # Closing. What it raises can only be logged, since nobody receives it.

    def when_over(self, function: Callable[[], Any]) -> None:
        """Have ``function`` called when the stream has ended, whichever way; at once, if it has."""
        self._endings.append(function)
        if self._is_over:
            self._tell()

    def _tell(self) -> None:
        while self._endings:
            self._endings.pop()()

    async def aclose(self) -> None:
        """Close the stream and its source."""
        if self._is_over and self._producer is None:
            return
        producer, self._producer, self._is_over = self._producer, None, True
        try:
            await (arun(self.source.close()) if producer is None else producer.aclose())
        except Exception as error:
            await without_fail(partial(self._log, error))
        finally:
            self._tell()

    def close(self) -> None:
        """Close the stream, from any thread, if it was not iterated to its end; this may block."""
        if self._is_over:
            return
        self._is_over = True
        if self._iterator is not None:
            self._iterator.close()
        if not (self.source.is_async or on_loop()):  # on the loop it may be running, and the producer closes it
            self._close_source()
        self.abandon()

    def abandon(self) -> None:
        """Close a stream that nothing will iterate: Django's handler drops the response if the client has disconnected.

        A generator that runs in a task of its own would never end if it were left to the garbage collector.
        """
        if self._producer is not None:
            self._producer.close()
        self._tell()

    def _close_source(self) -> None:
        self._is_over = True
        try:
            run(self.source.close())
        except Exception as error:
            self._log(error)
        self._tell()

    def _log(self, error: Exception) -> None:
        path = getattr(self.request, "path", "")
        logger.error("A stream failed: %s", path, exc_info=error, extra={"status_code": 500, "request": self.request})
