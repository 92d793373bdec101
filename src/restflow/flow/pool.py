"""A bounded pool of threads for blocking code. A request leases one from its first blocking step to its end.

Knows nothing of requests or databases: ``restflow.asgi`` passes what to call in the thread when a lease begins and ends
and when the thread is idle. ``flow/lease.py`` has what a lease does with its thread.
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
    """All threads that may work are working, and the queue for a turn is full."""


async def in_any_thread(function: Callable[[], _R]) -> _R:
    """Call a function that must run even if every thread is leased, in the event loop's default executor."""
    return await asyncio.to_thread(function)


def _always() -> bool:
    return True


def _never() -> bool:
    return False


class Limits(NamedTuple):
    """The limits of a pool.

    Attributes:
        at_once: how many threads may work at the same time; a thread that waits for its request doesn't count.
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
        resting: called in a leased thread that has had nothing to do for ``moment``, or while others wait for a turn.
        moment: returns for how many seconds a thread has nothing to do before it rests; None for never.
        holding: called in a leased thread after each call; whether something is open there that only the lease's end
            closes. If not, the thread is not woken for the end: it runs the end before whatever it does next.
        locking: called in a leased thread that holds something and is about to wait; whether others may have to wait
            for what it has open. If so, it keeps its turn: otherwise those that have the turns could all be waiting for
            it.
        patience: seconds without a turn given back after which one more thread than ``at_once`` may work.
        idle: seconds after which an unused thread ends.
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
        self.lock = threading.Lock()  # guards the leases as well
        self._threads: set[Worker] = set()
        self._idle: list[Worker] = []  # last in, first out, so that those at the front can time out
        self.turns = Turns(self.lock, lambda: limits().at_once, patience)
        self._threadless: dict[Lease, None] = {}  # the leases that wait for a thread, in order
        self._all_idle = threading.Condition(self.lock)
        _pools.add(self)

    def begin_anew(self) -> None:  # pragma: no cover - in a forked process, which the test of it is not measured in
        """Forget all threads: a forked process has none of them."""
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
        """Return a lease for one request; it takes a thread when a call is first submitted.

        Args:
            context: the context of the task that calls this, if no other code runs in it.
            beginning: called in the thread as part of the first call.
            ending: called in the thread when the lease has ended, if it took a thread; must not raise.
        """
        return Lease(self, context, beginning=beginning, ending=ending)

    def close(self) -> None:
        """Wait, blocking, until no thread is leased, and end them all."""
        with self.lock:
            self._all_idle.wait_for(lambda: len(self._idle) == len(self._threads))
            threads, self._idle = self._idle, []
            self._threads.clear()
        for worker in threads:
            worker.jobs.put(None)
        for worker in threads:
            worker.thread.join()

    async def aclose(self) -> None:
        """The same as ``close``, from an event loop."""
        await in_any_thread(self.close)

    # Called by leases and threads. The caller holds the lock unless the docstring says otherwise.

    def admit(self) -> None:
        """Refuse a new lease if it would have to wait and the queue is full.

        Raises:
            Overloaded: the queue is full.
        """
        limits = self.limits()
        waits = self.turns.are_taken() or not (self._idle or len(self._threads) < limits.threads)
        if waits and len(self.turns) + len(self._threadless) >= limits.queue:
            raise Overloaded

    def rest_if_awaited(self) -> None:
        """Call ``resting`` in the current thread, without the lock, if others wait for a turn."""
        if self.turns and self.moment() is not None:
            self.rest()

    def rest(self) -> None:
        """Call ``resting`` in the current thread, without the lock; log exceptions, as the thread must go on."""
        try:
            self.resting()
        except Exception:
            logger.exception("What a thread has open could not be given back.")

    def ask(self, callback: Callable[[], bool]) -> bool:
        """Call ``holding`` or ``locking`` in the thread concerned, without the lock.

        An exception is logged, and means True.
        """
        try:
            return callback()
        except Exception:
            logger.exception("What a thread has open could not be told.")
            return True

    def assign(self, lease: Lease) -> Worker | None:
        """Return a thread for ``lease``, or None if it has to wait for one."""
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
        """Give ``worker`` to the lease that has waited longest for a thread."""
        if self._threadless:
            lease = next(iter(self._threadless))
            del self._threadless[lease]
            lease.take(worker)
        else:
            self._idle.append(worker)
            self._all_idle.notify_all()

    def forget(self, lease: Lease) -> None:
        """Remove a lease from the queues."""
        self._threadless.pop(lease, None)
        self.turns.forget(lease.start)

    def retire(self, worker: Worker) -> bool:
        """Remove ``worker`` from the pool, without the lock; return False if it has just been leased."""
        with self.lock:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            self._threads.remove(worker)
            return True


_pools: WeakSet[Workers] = WeakSet()
_held: list[Workers] = []


def _hold_all() -> None:
    """Lock all pools while the process is forked."""
    _held.extend(_pools)
    for pool in _held:
        pool.lock.acquire()


def _let_go(*, in_child: bool) -> None:
    for pool in _held:
        if in_child:  # pragma: no cover - the test of it is not measured in the child
            pool.begin_anew()
        pool.lock.release()
    _held.clear()


if sys.platform != "win32":  # pragma: no branch - it has no fork
    os.register_at_fork(
        before=_hold_all,
        after_in_parent=partial(_let_go, in_child=False),
        after_in_child=partial(_let_go, in_child=True),
    )


class Worker:
    """One thread, and its queue of jobs."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers
        self.leased = False
        self.ending: Callable[[], Any] = nothing  # the last lease's, while it has not been called yet
        self.jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # A daemon, so that a server without lifespan events can exit while threads wait for work.
        self.thread = threading.Thread(target=self._work, name="restflow-worker", daemon=True)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self.end_last()
            job()
            del job  # frees the request; this thread may wait for a long time
            self.end_last()
        self.end_last()
        self.workers.retiring()

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next job; return None to end."""
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
        """Run the end of the last lease, in its thread."""
        ending, self.ending = self.ending, nothing
        ending()
