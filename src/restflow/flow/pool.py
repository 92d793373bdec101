"""Threads for blocking code: a bounded pool, of which a request leases one from its first blocking step to its end.

Touches no request and no database: what is done in a thread at a lease's beginning and end, and when it has nothing to
do, is given by ``restflow.asgi``, which makes the leases. ``flow/lease.py`` has what a lease does with its thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar
from weakref import WeakSet

from restflow.flow.lease import Lease, nothing
from restflow.flow.turns import Turns

logger = logging.getLogger("restflow.flow")

_R = TypeVar("_R")


class Overloaded(Exception):
    """No thread may begin to work, and as many requests wait for a turn as may."""


async def in_any_thread(function: Callable[[], _R]) -> _R:
    """Call what can't be left undone, though every thread is leased, in one of the event loop's own."""
    return await asyncio.to_thread(function)


def _always() -> bool:
    return True


def _never() -> bool:
    return False


class Limits(NamedTuple):
    """The bounds of a pool.

    Attributes:
        at_once: how many threads may work at the same time; one that waits for its request doesn't.
        queue: how many leases may wait for their first turn or for a thread.
        threads: how many threads there may be.
    """

    at_once: int
    queue: int
    threads: int


class Workers:
    """A pool of threads.

    Args:
        limits: called when a request needs a thread.
        retiring: called in each thread before it ends.
        resting: called in a leased thread that is to wait: for a moment, or while others wait for a turn.
        moment: returns how long a thread has had nothing to do before it rests, in seconds; None for never.
        holding: called in a leased thread after each call; whether something is open there that only the lease's end
            closes. If not, the end waits for what the thread does next: it need not be awakened for it.
        locking: called in a leased thread that holds something and is to wait; whether others may have to wait for what
            it has open. If so, it keeps its turn: those who have the turns could all be waiting for it.
        patience: seconds without a turn given back after which one more thread works than may.
        idle: seconds after which a thread that nobody needed ends.
    """

    def __init__(
        self,
        limits: Callable[[], Limits],
        *,
        retiring: Callable[[], Any] = nothing,
        resting: Callable[[], Any] = nothing,
        moment: Callable[[], float | None] = nothing,
        holding: Callable[[], bool] = _always,
        locking: Callable[[], bool] = _never,
        patience: float = 1,
        idle: float = 60,
    ) -> None:
        self.limits, self.retiring, self.resting, self.moment = limits, retiring, resting, moment
        self.holding, self.locking = holding, locking
        self.idle_for = idle
        self.lock = threading.Lock()  # of the leases too
        self._threads: set[Worker] = set()
        self._idle: list[Worker] = []  # the last to have worked is the first to work again, so the others can retire
        self.turns = Turns(self.lock, lambda: limits().at_once, patience)
        self._threadless: dict[Lease, None] = {}  # what waits for a thread besides, in order
        self._all_idle = threading.Condition(self.lock)
        _pools.add(self)

    def begin_anew(self) -> None:  # pragma: no cover - in a forked process, which the test of it is not measured in
        """Have no threads: none has come along into a forked process."""
        self.turns.clear()
        for each in (self._threads, self._idle, self._threadless):
            each.clear()

    def lease(
        self,
        context: Context | None = None,
        *,
        beginning: Callable[[], Any] = nothing,
        ending: Callable[[], Any] = nothing,
    ) -> Lease:
        """Return a lease for one request; it takes a thread when it is first asked to run something.

        Args:
            context: that of the task which calls this, where nobody else's code is in it.
            beginning: called in the thread before anything else, as part of it.
            ending: called in the thread when the lease has ended, if it took one; it must not raise.
        """
        return Lease(self, context, beginning=beginning, ending=ending)

    def close(self) -> None:
        """Wait until no thread is leased, and end them all. It blocks."""
        with self.lock:
            self._all_idle.wait_for(lambda: len(self._idle) == len(self._threads))
            threads, self._idle = self._idle, []
            self._threads.clear()
        for worker in threads:
            worker.jobs.put(None)
        for worker in threads:
            worker.thread.join()

    async def aclose(self) -> None:
        """Do the same from an event loop."""
        await in_any_thread(self.close)

    # For leases and threads. The lock is held, but where it is said.

    def admit(self) -> None:
        """Refuse a lease that would wait with more others than may.

        Raises:
            Overloaded: it would.
        """
        limits = self.limits()
        waits = self.turns.are_taken() or not (self._idle or len(self._threads) < limits.threads)
        if waits and len(self.turns) + len(self._threadless) >= limits.queue:
            raise Overloaded

    def rest_if_awaited(self) -> None:
        """Have the thread that calls this, without the lock, rest at once if others wait for its turn."""
        if self.turns and self.moment() is not None:
            self.rest()

    def rest(self) -> None:
        """Have the thread that calls this, without the lock, rest. An error is logged: a thread has others to serve."""
        try:
            self.resting()
        except Exception:
            logger.exception("What a thread has open could not be given back.")

    def ask(self, callback: Callable[[], bool]) -> bool:
        """Ask ``holding`` or ``locking``, without the lock, in the thread that is meant; in doubt it does."""
        try:
            return callback()
        except Exception:
            logger.exception("What a thread has open could not be told.")
            return True

    def assign(self, lease: Lease) -> Worker | None:
        """Return a thread for ``lease``; None if it has to wait for one."""
        if self._idle:
            return self._idle.pop()
        if len(self._threads) < self.limits().threads:
            worker = Worker(self)
            worker.thread.start()
            self._threads.add(worker)
            return worker
        self._threadless[lease] = None
        return None

    def free(self, worker: Worker) -> None:
        """Have ``worker`` serve the lease that waits longest for a thread."""
        if self._threadless:
            lease = next(iter(self._threadless))
            del self._threadless[lease]
            lease.take(worker)
        else:
            self._idle.append(worker)
            self._all_idle.notify_all()

    def forget(self, lease: Lease) -> None:
        """Let a lease that waits wait no longer."""
        self._threadless.pop(lease, None)
        self.turns.forget(lease.start)

    def retire(self, worker: Worker) -> bool:
        """Take leave of ``worker``, without the lock; False if it has just been leased."""
        with self.lock:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            self._threads.remove(worker)
            return True


_pools: WeakSet[Workers] = WeakSet()
_held: list[Workers] = []


def _hold_all() -> None:
    """Have no other thread change a pool while the process is forked."""
    _held.extend(_pools)
    for pool in _held:
        pool.lock.acquire()


def _let_go(*, in_child: bool) -> None:
    for pool in _held:
        if in_child:  # pragma: no cover - the test of it is not measured in the child
            pool.begin_anew()
        pool.lock.release()
    _held.clear()


if sys.platform != "win32":  # pragma: no branch - which has no fork, and isn't tested
    os.register_at_fork(
        before=_hold_all,
        after_in_parent=partial(_let_go, in_child=False),
        after_in_child=partial(_let_go, in_child=True),
    )


class Worker:
    """One thread, and what it is to do."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers
        self.leased = False
        self.ending: Callable[[], Any] = nothing  # of the last lease, if it is still to be called
        self.jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # A daemon: a server that stops without lifespan must not hang for a thread that waits for work.
        self.thread = threading.Thread(target=self._work, name="restflow-worker", daemon=True)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self.end_last()
            job()
            del job  # it holds a request, and this thread may wait long
            self.end_last()
        self.end_last()
        self.workers.retiring()

    def _next(self) -> Callable[[], None] | None:
        """Wait for something to do; None to end."""
        moment = self.workers.moment() if self.leased or self.ending is not nothing else None
        if moment is not None:
            with suppress(Empty):
                return self.jobs.get(timeout=max(moment, 0))
            self.end_last()
            self.workers.rest()
        while True:
            with suppress(Empty):
                return self.jobs.get(timeout=self.workers.idle_for)
            if self.workers.retire(self):
                return None

    def end_last(self) -> None:
        """End the last lease, in its thread."""
        ending, self.ending = self.ending, nothing
        ending()
