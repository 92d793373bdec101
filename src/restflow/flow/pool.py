"""Threads for blocking code: a bounded pool, of which a request leases one from its first blocking step to its end.

Touches no request and no database: what is done in a thread at a lease's beginning and end, and when it has nothing to
do, is given by ``restflow.asgi``, which makes the leases.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from contextvars import Context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, ParamSpec, TypeVar
from weakref import WeakSet

from restflow.flow.turns import Turns

logger = logging.getLogger("restflow.flow")

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Overloaded(Exception):
    """No thread may begin to work, and as many requests wait for a turn as may."""


async def in_any_thread(function: Callable[[], _R]) -> _R:
    """Call what can't be left undone, though every thread is leased, in one of the event loop's own."""
    return await asyncio.to_thread(function)


def _nothing() -> None:
    pass


def _always() -> bool:
    return True


def _never() -> bool:
    return False


class _Here(threading.local):
    """The lease that this thread serves, while it does."""

    lease: Lease | None = None


_here = _Here()


def last_call() -> None:
    """Have the lease that this thread serves end with the call that runs, unless it is asked for another."""
    if _here.lease is not None and not _here.lease.is_shared:
        _here.lease.is_last = True


@contextmanager
def waiting_for_the_loop() -> Generator[Callable[..., Any] | None, None, None]:
    """Let others work while this thread waits for the event loop; then wait for a turn again.

    Gives what has to call whatever the thread is to do meanwhile, if anything.
    """
    lease = _here.lease
    if lease is None:
        yield None
        return
    lease.pause()
    try:
        yield lease.in_turn
    finally:
        lease.resume()


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
        locking: called in a leased thread that is to wait; whether others may have to wait for what it has open. If so,
            it keeps its turn: those who have the turns could all be waiting for it.
        patience: seconds without a turn given back after which one more thread works than may.
        idle: seconds after which a thread that nobody needed ends.
    """

    def __init__(
        self,
        limits: Callable[[], Limits],
        *,
        retiring: Callable[[], Any] = _nothing,
        resting: Callable[[], Any] = _nothing,
        moment: Callable[[], float | None] = _nothing,
        holding: Callable[[], bool] = _always,
        locking: Callable[[], bool] = _never,
        patience: float = 1,
        idle: float = 60,
    ) -> None:
        self.limits, self.retiring, self.resting, self.moment = limits, retiring, resting, moment
        self.holding, self.locking = holding, locking
        self.idle_for = idle
        self.lock = threading.Lock()  # of the leases too
        self._threads: set[_Worker] = set()
        self._idle: list[_Worker] = []  # the last to have worked is the first to work again, so the others can retire
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
        beginning: Callable[[], Any] = _nothing,
        ending: Callable[[], Any] = _nothing,
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

    def assign(self, lease: Lease) -> _Worker | None:
        """Return a thread for ``lease``; None if it has to wait for one."""
        if self._idle:
            return self._idle.pop()
        if len(self._threads) < self.limits().threads:
            worker = _Worker(self)
            worker.thread.start()
            self._threads.add(worker)
            return worker
        self._threadless[lease] = None
        return None

    def free(self, worker: _Worker) -> None:
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

    def retire(self, worker: _Worker) -> bool:
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


class _Worker:
    """One thread, and what it is to do."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers
        self.leased = False
        self.ending: Callable[[], Any] = _nothing  # of the last lease, if it is still to be called
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
        moment = self.workers.moment() if self.leased or self.ending is not _nothing else None
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
        ending, self.ending = self.ending, _nothing
        ending()


class Lease(Executor):
    """The thread of one request, as an executor: what is submitted runs there, one after the other."""

    def __init__(
        self,
        workers: Workers,
        context: Context | None,
        *,
        beginning: Callable[[], Any],
        ending: Callable[[], Any],
    ) -> None:
        self.owner = None if context is None else asyncio.current_task()
        self.context = context
        self._workers = workers
        self._worker: _Worker | None = None
        self._jobs: deque[_Job] = deque()
        self._works = False  # does what it was asked to, or waits for a turn or a thread to do it
        self.has_turn = False
        self.is_shared = False  # with requests that are served inside of this one
        self._holds = False
        self._has_ended = False
        self.is_last = False
        self._is_through = False  # the thread has ended the lease, or is about to
        self._ending = ending
        self.beginning: Callable[[], Any] | None = beginning  # until it was called

    def submit(self, function: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        """Have ``function`` called in the thread.

        Args:
            function: what to call.
            args: its positional arguments.
            kwargs: its keyword arguments.

        Returns:
            The future of what it returns.

        Raises:
            Overloaded: there is no thread, and no room to wait for one.
            RuntimeError: the lease has ended.
        """
        job = _Job(function, args, kwargs)
        with self._workers.lock:
            if self._has_ended:
                raise RuntimeError("The request has ended, and its worker thread is no longer its own.")
            if not self._works:
                if self._worker is None:
                    self._workers.admit()
                self._works = True
                self._jobs.append(job)
                if self.has_turn:
                    self.start()
                else:
                    self._workers.turns.take(self.start, again=self._worker is not None)
            else:
                self._jobs.append(job)
            self._is_through = False
        return job.future

    def has_thread(self) -> bool:
        """Tell whether it has taken a thread."""
        return self._worker is not None

    def start(self) -> None:
        """Work, having a turn. The lock is held."""
        worker = self._worker or self._workers.assign(self)
        if worker is None:
            self._workers.turns.decline()
            return
        self._worker, worker.leased, self.has_turn = worker, True, True
        worker.jobs.put(self._work)

    def take(self, worker: _Worker) -> None:
        """Take the thread that this has waited for. The lock is held."""
        self._worker, worker.leased = worker, True
        self._workers.turns.take(self.start, again=False)

    def _work(self) -> None:
        """Do, in the thread, what there is to do."""
        _here.lease = self
        works = True
        while works:
            self.is_last = False
            settle = self._jobs.popleft().call(self)
            if not (self._jobs or self.is_last):
                self._workers.rest_if_awaited()
            holds, locks = self._workers.ask(self._workers.holding), self._workers.ask(self._workers.locking)
            with self._workers.lock:
                works = bool(self._jobs)
                if not works:
                    self._stop(holds, locks)
            settle()
        _here.lease = None

    def _stop(self, holds: bool, locks: bool) -> None:
        """Work no more until there is something to do. The lock is held."""
        self._works, self._holds = False, holds
        assert self._worker is not None
        if self._has_ended:
            self._leave(self._worker)
        elif holds and self.is_last:
            self._worker.ending, self._is_through = self._ending, True
            self._give_turn()
        elif not locks:
            self._give_turn()

    def _give_turn(self) -> None:
        if self.has_turn:
            self.has_turn = False
            self._workers.turns.give()

    def pause(self) -> None:
        """Let others work while the thread waits for the event loop."""
        self._workers.rest_if_awaited()
        if not self._workers.ask(self._workers.locking):
            with self._workers.lock:
                self._give_turn()

    def resume(self) -> None:
        """Wait for a turn to go on."""
        if not self.has_turn:
            turn = threading.Event()
            with self._workers.lock:
                self._workers.turns.take(turn.set, again=True)
            turn.wait()
            self.has_turn = True

    def in_turn(self, function: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Call ``function`` in the thread while it is paused, when it has a turn."""
        self.resume()
        try:
            return function(*args, **kwargs)
        finally:
            self.pause()

    def end(self) -> None:
        """Give the thread back once it has done all it was asked to. Returns at once."""
        with self._workers.lock:
            self._has_ended = True
            worker = self._worker
            if worker is None:
                self._workers.forget(self)
            elif self._holds and not (self._works or self._is_through):
                worker.jobs.put(self._end_there)
            elif not self._works:
                self._leave(worker)
        if worker is None:
            for job in self._jobs:
                job.future.cancel()

    def _leave(self, worker: _Worker) -> None:
        """Let the thread serve another lease, before which it ends this one. The lock is held."""
        if not self._is_through:
            worker.ending = self._ending
        worker.leased, self._worker = False, None
        self._workers.free(worker)
        self._give_turn()

    def _end_there(self) -> None:
        assert self._worker is not None
        with self._workers.lock:
            self._leave(self._worker)


class _Job:
    """A call that a lease was asked to make."""

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self.function, self.args, self.kwargs = function, args, kwargs
        self.future: Future[Any] = Future()

    def call(self, lease: Lease) -> Callable[[], None]:
        """Make it, in the thread; return what tells of its outcome."""
        if not self.future.set_running_or_notify_cancel():
            return _nothing
        try:
            if (beginning := lease.beginning) is not None:
                lease.beginning = None
                beginning()
            return partial(self.future.set_result, self.function(*self.args, **self.kwargs))
        except BaseException as error:
            return partial(self.future.set_exception, error)
