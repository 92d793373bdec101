"""Limits how many threads of a pool work at the same time, first come, first served.

Knows nothing of threads: whoever waits for a turn passes a callable. Used by ``flow/pool.py``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Turns:
    """The turns of a pool, whose lock is held by the caller of each method.

    If no turn is given back for ``patience``, all that have one may be waiting for a request that has none: for a lock
    in memory or in Redis that it keeps while it awaits something. So every ``patience`` seconds one more of those that
    had a turn before goes on.

    Args:
        lock: the pool's.
        at_once: returns how many turns there are.
        patience: seconds.
    """

    def __init__(self, lock: threading.Lock, at_once: Callable[[], int], patience: float) -> None:
        self._lock, self._at_once, self._patience = lock, at_once, patience
        self._waiting: dict[Callable[[], None], bool] = {}  # in order; True: had a turn before
        self._is_watched = False
        self.clear()

    def clear(self) -> None:
        """Reset: all turns are free, and the queue is empty."""
        self._waiting.clear()
        self._taken = self._given_back = 0

    def __len__(self) -> int:
        """Return how many wait for a turn."""
        return len(self._waiting)

    def are_taken(self) -> bool:
        """Tell whether a newcomer has to wait."""
        return self._taken >= self._at_once()

    def take(self, start: Callable[[], None], *, again: bool) -> None:
        """Call ``start`` as soon as it can have a turn.

        Args:
            start: starts the work.
            again: whether it had a turn before.
        """
        if not self.are_taken():
            self._taken += 1
            start()
            return
        self._waiting[start] = again
        self._watch()

    def give(self) -> None:
        """Give back the turn of a thread that has stopped working, to the one that has waited longest."""
        self.decline()
        while self._waiting and not self.are_taken():
            self._let_go_on(next(iter(self._waiting)))

    def decline(self) -> None:
        """Give a turn back without passing it on."""
        self._taken -= 1
        self._given_back += 1

    def forget(self, start: Callable[[], None]) -> None:
        """Remove ``start`` from the queue."""
        self._waiting.pop(start, None)

    def _let_go_on(self, start: Callable[[], None]) -> None:
        del self._waiting[start]
        self._taken += 1
        start()

    def _watch(self) -> None:
        if not self._is_watched:
            self._is_watched = True
            timer = threading.Timer(self._patience, self._look, (self._given_back,))
            timer.daemon = True
            timer.start()

    def _look(self, given_back: int) -> None:
        with self._lock:
            self._is_watched = False
            if self._given_back == given_back:
                begun = next((start for start, again in self._waiting.items() if again), None)
                if begun is not None:
                    self._let_go_on(begun)
            if self._waiting:
                self._watch()
