"""Counts requests in Redis, in batches, over one connection for all threads and one for each event loop."""

from __future__ import annotations

import asyncio
import math
import struct
import threading
from collections import deque
from collections.abc import AsyncGenerator, Generator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context
from importlib import import_module
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from django.core.exceptions import ImproperlyConfigured

# A Lua script, so that counting is atomic. One run counts all requests that are waiting.
_SCRIPT = """
-- KEYS: the number of times that all was forgotten, then the log of each request.
-- ARGV: whether to forget all now, then of each request the time, and the seconds and the amount of its rate.
-- Answers with the times that each request found.
--
-- A log is a string of doubles: how often all was forgotten when it began, the longest period and the largest amount
-- that were asked of it, and the times, oldest first.
local head = 24
local forgotten = tonumber(redis.call(ARGV[1] == '1' and 'INCR' or 'GET', KEYS[1]) or 0)

local function first_after(log, time)
    local low, high = head + 1, #log + 1
    while low < high do
        local middle = low + 8 * math.floor((high - low) / 16)
        if struct.unpack('<d', log, middle) > time then high = middle else low = middle + 8 end
    end
    return low
end

local answers = {}
for i = 2, #KEYS do
    local now, seconds, amount = tonumber(ARGV[3 * i - 4]), tonumber(ARGV[3 * i - 3]), tonumber(ARGV[3 * i - 2])
    local log = redis.call('GET', KEYS[i])
    if not log or struct.unpack('<d', log) ~= forgotten then
        log = struct.pack('<ddd', forgotten, seconds, amount)
    end
    local found = log:sub(first_after(log, now - seconds))
    if #found / 8 < amount then
        local _, longest, largest = struct.unpack('<ddd', log)
        longest, largest = math.max(longest, seconds), math.max(largest, amount)
        local kept = log:sub(math.max(first_after(log, now - longest), #log + 1 - 8 * largest))
        if #kept > 0 then now = math.max(now, (struct.unpack('<d', kept, #kept - 7))) end
        log = struct.pack('<ddd', forgotten, longest, largest) .. kept .. struct.pack('<d', now)
        redis.call('SET', KEYS[i], log, 'PX', string.format('%.0f', math.min(math.max(1, longest * 1000), 1e15)))
    end
    answers[i - 1] = found
end
return answers
"""

_AT_ONCE = 250  # requests in one run of the script, which blocks Redis for 6 µs each


class _Hit(NamedTuple):
    """A request that waits to be counted."""

    key: bytes
    now: float
    seconds: float
    amount: float
    answer: Any
    """The future, of asyncio or of concurrent.futures, for the times that are found."""


class _Queue:
    """Requests that wait for one connection, in the order they came.

    Args:
        script: the Lua script that counts them.
        forgotten: the key of the number of resets.
        forgetting: contains a 1 if all counts are to be reset before the next request is counted.
    """

    def __init__(self, script: Any, forgotten: str, forgetting: deque[int]) -> None:
        self._script = script
        self._forgotten = forgotten
        self._forgetting = forgetting
        self.waiting: deque[_Hit] = deque()

    def take(self) -> list[_Hit]:
        """Return the next requests to count, without those that were cancelled."""
        taken: list[_Hit] = []
        while self.waiting and len(taken) < _AT_ONCE:
            hit = self.waiting.popleft()
            if not hit.answer.done():
                taken.append(hit)
        return taken

    def ask(self, hits: Sequence[_Hit]) -> Any:
        """Run the script for these requests; if it is async, the result must be awaited."""
        args: list[float] = [self._forgets()]
        for hit in hits:
            args += hit.now, hit.seconds, hit.amount
        return self._script(keys=[self._forgotten, *(hit.key for hit in hits)], args=args)

    def _forgets(self) -> int:
        try:
            return self._forgetting.pop()
        except IndexError:
            return 0

    @contextmanager
    def answering(self, hits: Sequence[_Hit]) -> Generator[None]:
        """Pass an error to all requests that wait for it, so that none waits for ever."""
        try:
            yield
        except Exception as error:
            for hit in hits:
                if not hit.answer.done():
                    hit.answer.set_exception(error)
        except BaseException:  # cancellation or KeyboardInterrupt too
            for hit in hits:
                hit.answer.cancel()
            raise

    def answer(self, hits: Sequence[_Hit], found: Sequence[bytes]) -> None:
        """Give each request the times that were found for it."""
        for hit, times in zip(hits, found, strict=True):
            if not hit.answer.done():
                hit.answer.set_result(list(reversed(struct.unpack(f"<{len(times) // 8}d", times))))


class _Threads(_Queue):
    """Counts for all threads of the process: the thread that gets the connection sends all waiting requests."""

    def __init__(self, pool: Any, *args: Any) -> None:
        super().__init__(*args)
        self._pool = pool
        self._turn = threading.Lock()

    def count(self, hit: _Hit) -> list[float]:
        self.waiting.append(hit)
        while not hit.answer.done():
            with self._turn:
                hits = self.take()
                if hits:
                    with self.answering(hits):
                        self.answer(hits, self.ask(hits))
        found: list[float] = hit.answer.result()
        return found

    def close(self) -> None:
        with self._turn:
            self._pool.disconnect()


class _Loop(_Queue):
    """Counts for one event loop: a task sends waiting requests until there are none left.

    It is a task of its own, so that a cancelled request does not disturb the connection.
    """

    def __init__(self, seconds: float, *args: Any) -> None:
        super().__init__(*args)
        self._seconds = seconds
        self._is_working = False
        self._task: asyncio.Task[None]

    async def count(self, hit: _Hit) -> list[float]:
        self.waiting.append(hit)
        if not self._is_working:
            self._is_working = True
            # In an empty context, since it works for all requests.
            self._task = asyncio.get_running_loop().create_task(self._work(), context=Context())
        found: list[float] = await hit.answer
        return found

    async def _work(self) -> None:
        try:
            while hits := self.take():
                with self.answering(hits):
                    async with _deadline(self._seconds):
                        found = await self.ask(hits)
                    self.answer(hits, found)
        finally:
            self._is_working = False
            for hit in self.waiting:  # left over only after a cancellation
                hit.answer.cancel()


_PARTS = 50


@asynccontextmanager
async def _deadline(seconds: float) -> AsyncGenerator[None]:
    """Raise TimeoutError after ``seconds``, not counting the time for which the event loop was blocked.

    While something blocks the loop, an answer of Redis may arrive and remain unread; a timer that expired meanwhile
    would fire first. So the time is counted in parts, each of which counts once, however late its timer fires: between
    two parts the loop reads its sockets.
    """
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle

    def wait(parts: int) -> asyncio.TimerHandle:
        return loop.call_later(seconds / _PARTS, tick, parts - 1)

    def tick(left: int) -> None:
        nonlocal timer
        if left:
            timer = wait(left)
        else:
            limit.reschedule(loop.time())

    timer = wait(_PARTS)
    try:
        async with asyncio.timeout(None) as limit:
            yield
    except TimeoutError as error:
        raise TimeoutError(f"Redis did not answer in {seconds:g} seconds.") from error
    finally:
        timer.cancel()


class Redis:
    """Counts in Redis, over one connection for all threads and one for each event loop.

    One is enough, since all waiting requests are sent at once. More would all be opened at once in a burst.
    """

    # Redis is usually near: one that does not answer soon is down.
    defaults = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0}

    def __init__(self, url: str, key_prefix: str = "restflow", **options: Any) -> None:
        try:
            redis: Any = import_module("redis")
            aioredis: Any = import_module("redis.asyncio")
        except ImportError as error:
            raise ImproperlyConfigured(
                "RESTFLOW['THROTTLE_STORAGE'] needs the package 'redis', of the extra \"throttling\": pip install redis"
            ) from error
        self.failures = (redis.RedisError, OSError)
        # The braces are a hash tag: in a cluster, all keys of a script must be in one slot.
        self._prefix = f"{{{key_prefix}}}"
        url = url.replace("redis+unix:", "unix:")
        # redis-py would retry three times, for seconds. One immediate retry covers an idle connection that was closed.
        # A request that timed out is not sent again.
        once = {"backoff": redis.backoff.NoBackoff(), "retries": 1, "supported_errors": (redis.ConnectionError,)}
        options = {**self.defaults, **options, **redis.connection.parse_url(url), "retry": redis.retry.Retry(**once)}
        client: Any = redis.Redis(connection_pool=redis.ConnectionPool(**options))
        self._forgetting: deque[int] = deque(maxlen=1)
        self._threads = _Threads(
            client.connection_pool, client.register_script(_SCRIPT), self._prefix, self._forgetting
        )

        options |= {**aioredis.connection.parse_url(url), "retry": aioredis.retry.Retry(**once)}
        # redis-py's timeouts would include delays of the event loop itself; see _deadline.
        self._patience = max(options[name] or math.inf for name in self.defaults)
        options |= dict.fromkeys(self.defaults)
        self._client: Any = lambda: aioredis.Redis(connection_pool=aioredis.ConnectionPool(**options))
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[_Loop, Any]] = WeakKeyDictionary()

    def hit(self, key: str, amount: int, seconds: float, now: float) -> list[float]:
        """Count a request, unless the limit has been reached; see ``Memory.hit``."""
        return self._threads.count(self._hit(key, now, seconds, amount, Future()))

    async def ahit(self, key: str, amount: int, seconds: float, now: float) -> list[float]:
        """Count a request, unless the limit has been reached; see ``Memory.hit``."""
        loop = asyncio.get_running_loop()
        queue = await self._on(loop)
        return await queue.count(self._hit(key, now, seconds, amount, loop.create_future()))

    def _hit(self, key: str, now: float, seconds: float, amount: float, answer: Any) -> _Hit:
        # A value that can't be sent (a lone surrogate, say) must fail its own request, not all in the batch.
        sent = f"{self._prefix}:{key}".encode(errors="surrogatepass")
        return _Hit(sent, float(now), float(seconds), float(amount), answer)

    def forget(self) -> None:
        """Reset all counts, for every process that counts here."""
        self._forgetting.append(1)

    def close(self) -> None:
        """Close the connections; those of event loops are closed when their loops next run."""
        self._loops.clear()
        self._threads.close()

    async def _on(self, loop: asyncio.AbstractEventLoop) -> _Loop:
        # A connection can only be used on the loop that opened it.
        found = self._loops.get(loop)
        if found is None:
            for other in self._loops.keyrefs():  # a copy, since other threads may add loops
                if (closed := other()) is not None and closed.is_closed():
                    self._loops.pop(closed, None)
            opened = self._open(loop)
            self._loops[loop] = found = await anext(opened), opened
        return found[0]

    async def _open(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[_Loop, None]:
        """Yield the queue of ``loop``.

        The connection is closed when the loop shuts down its async generators.
        """
        client = self._client()
        try:
            yield _Loop(self._patience, client.register_script(_SCRIPT), self._prefix, self._forgetting)
        finally:
            self._loops.pop(loop, None)
            await client.connection_pool.disconnect()
