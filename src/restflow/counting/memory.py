"""Counts requests in the memory of this process, for both colours, without blocking."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections import OrderedDict
from typing import Any

from restflow.flow import nonblocking


class _Log:
    """The times of one key, oldest first, and how many of them the rates that share it need."""

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
        max_entries: how many keys are kept; beyond that, the least recently used are dropped.
        options: options of other storages, ignored.
    """

    failures: tuple[type[Exception], ...] = ()

    def __init__(self, max_entries: int = 100_000, **options: Any) -> None:
        self._lock = threading.Lock()
        self._max_entries = max_entries
        self._logs: OrderedDict[str, _Log] = OrderedDict()  # the least recently used comes first

    @nonblocking
    def hit(self, key: str, amount: int, seconds: float, now: float) -> list[float]:
        """Count a request, unless the limit has been reached.

        Args:
            amount: how many requests may be made in a period.
            seconds: the length of the period.
            now: the time, in seconds.

        Returns:
            The times of the earlier requests in the period, newest first.
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
        """Reset all counts."""
        with self._lock:
            self._logs.clear()

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def _retire(self, now: float) -> None:
        """Drop up to two idle clients per hit: faster than new ones arrive, and never all at once."""
        for _ in range(min(2, len(self._logs))):
            key, log = next(iter(self._logs.items()))
            if len(self._logs) <= self._max_entries and log.times[-1] > now - log.seconds:
                break
            del self._logs[key]
