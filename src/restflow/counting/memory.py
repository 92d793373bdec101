"""Counts requests in the memory of this process, for both colours, without blocking."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections import OrderedDict
from typing import Any

from restflow.flow import nonblocking


class _Log:
    """The times of one key, oldest first, and what the rates that share it need of them."""

    __slots__ = ("amount", "seconds", "times")

    def __init__(self) -> None:
        self.times = array("d")
        self.seconds: float = 0
        self.amount = 0

    def add(self, now: float, amount: int, seconds: float) -> None:
        self.seconds = max(self.seconds, seconds)
        self.amount = max(self.amount, amount)
        times = self.times
        del times[: max(bisect_right(times, now - self.seconds), len(times) - self.amount)]
        times.append(max(now, times[-1]) if times else now)  # sorted even if the clock was set back


class Memory:
    """The counts of this process; a hit takes microseconds.

    Args:
        max_entries: the number of keys that are remembered; beyond it, those that stayed away longest are forgotten.
        options: what other storages take.
    """

    failures: tuple[type[Exception], ...] = ()

    def __init__(self, max_entries: int = 100_000, **options: Any) -> None:
        self._lock = threading.Lock()
        self._max_entries = max_entries
        self._logs: OrderedDict[str, _Log] = OrderedDict()  # the least recently used comes first

    @nonblocking
    def hit(self, key: str, amount: int, seconds: float, now: float) -> list[float]:
        """Count a request, unless there is no room for it.

        Args:
            amount: the requests that may be made.
            seconds: the period in which they may.
            now: the time, in seconds.

        Returns:
            The times of the requests in the period before it, newest first.
        """
        with self._lock:
            log = self._logs.get(key) or _Log()
            found = log.times[bisect_right(log.times, now - seconds) :]
            if len(found) < amount:
                log.add(now, amount, seconds)
            if log.times:
                self._logs[key] = log
                self._logs.move_to_end(key)
            self._retire(now)
        found.reverse()
        return found.tolist()

    def forget(self) -> None:
        """Begin all counts anew."""
        with self._lock:
            self._logs.clear()

    def close(self) -> None:
        """Nothing is open."""

    def _retire(self, now: float) -> None:
        """Drop clients that stayed away, two a hit: faster than new ones come, and never all at once."""
        for _ in range(min(2, len(self._logs))):
            key, log = next(iter(self._logs.items()))
            if len(self._logs) <= self._max_entries and log.times[-1] > now - log.seconds:
                break
            del self._logs[key]
