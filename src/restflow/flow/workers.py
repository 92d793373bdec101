"""Threads for blocking code: a bounded pool, of which a request leases one from its first blocking step to its end."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from contextvars import Context
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Overloaded(Exception):
    """Every thread is leased, and as many requests wait for one as may."""


async def in_any_thread(function: Callable[[], _R]) -> _R:
    """Call what can't be left undone, though every thread is leased, in one of the event loop's own."""
    return await asyncio.to_thread(function)


def _nothing() -> None:
    pass


def _always() -> bool:
    return True


class _Here(threading.local):
    """The lease that this thread serves, while it does."""

    lease: Lease | None = None


_here = _Here()


def last_call() -> None:
    """Have the lease that this thread serves end with the call that runs, unless it is asked for another."""
    if _here.lease is not None:
        _here.lease.is_last = True


class Workers:
    """A pool of threads.

    Args:
        limits: called when a request needs a thread; returns the most threads there may be, and the most requests that
            may wait for one.
        retiring: called in each thread before it ends.
        resting: called in a leased thread, once it has had nothing to do for a moment; it must not raise.
        moment: returns how long that is, in seconds; None for never.
        holding: called in a leased thread after each call; whether something is open there that only the lease's end
            closes. If not, the end waits for what the thread does next: it need not be awakened for it.
        idle: seconds after which a thread that nobody needed ends.
    """

    def __init__(
        self,
        limits: Callable[[], tuple[int, int]],
        *,
        retiring: Callable[[], Any] = _nothing,
        resting: Callable[[], Any] = _nothing,
        moment: Callable[[], float | None] = _nothing,
        holding: Callable[[], bool] = _always,
        idle: float = 60,
    ) -> None:
        self.limits, self.retiring, self.resting, self.moment = limits, retiring, resting, moment
        self.holding = holding
        self.idle_for = idle
        self.lock = threading.Lock()  # of the leases too
        self._threads: set[_Worker] = set()
        self._idle: list[_Worker] = []  # the last to have worked is the first to work again, so the others can retire
        self._waiting: dict[Lease, None] = {}  # in order
        self._process = os.getpid()
        self._all_idle = threading.Condition(self.lock)

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

    def assign(self, lease: Lease) -> _Worker | None:
        """Return a thread for ``lease``; None if it has to wait for one. The lock is held."""
        if self._process != os.getpid():  # no thread has come along into a forked process
            self._process = os.getpid()
            self._threads.clear()
            self._idle.clear()
            self._waiting.clear()
        if self._idle:
            return self._idle.pop()
        most, waiting = self.limits()
        if len(self._threads) < most:
            worker = _Worker(self)
            worker.thread.start()
            self._threads.add(worker)
            return worker
        if len(self._waiting) >= waiting:
            raise Overloaded
        self._waiting[lease] = None
        return None

    def free(self, worker: _Worker) -> None:
        """Have ``worker`` serve the lease that waits longest. The lock is held."""
        if self._waiting:
            lease = next(iter(self._waiting))
            del self._waiting[lease]
            lease.take(worker)
        else:
            self._idle.append(worker)
            self._all_idle.notify_all()

    def forget(self, lease: Lease) -> None:
        """Let a lease that waits for a thread wait no longer. The lock is held."""
        del self._waiting[lease]

    def retire(self, worker: _Worker) -> bool:
        """Take leave of ``worker``; False if it has just been leased."""
        with self.lock:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            self._threads.remove(worker)
            return True


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
            self.workers.resting()
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
        self._ended = False
        self._jobs: list[_Job] = []  # until there is a thread
        self._unfinished = 0  # calls that the thread is still to make
        self._holds = False
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
        job = _Job(self, function, args, kwargs)
        with self._workers.lock:
            if self._ended:
                raise RuntimeError("The request has ended, and its worker thread is no longer its own.")
            if self._worker is None and not self._jobs and (worker := self._workers.assign(self)) is not None:
                self.take(worker)
            self._unfinished += 1
            self._is_through = False
            if self._worker is None:
                self._jobs.append(job)
            else:
                self._worker.jobs.put(job.run)
        return job.future

    def take(self, worker: _Worker) -> None:
        """Have ``worker`` do what has waited for it. The lock is held."""
        self._worker = worker
        worker.leased = True
        for job in self._jobs:
            worker.jobs.put(job.run)
        self._jobs.clear()

    def finish(self) -> None:
        """Note, in the thread, that it has made a call."""
        holds = self._workers.holding()
        with self._workers.lock:
            self._unfinished -= 1
            self._holds = holds
            if holds and self.is_last and not self._unfinished and self._worker is not None:
                self._worker.ending, self._is_through = self._ending, True

    def end(self) -> None:
        """Give the thread back once it has done all it was asked to. Returns at once."""
        with self._workers.lock:
            self._ended = True
            worker = self._worker
            if worker is None:
                if self._jobs:
                    self._workers.forget(self)
            elif self._unfinished or (self._holds and not self._is_through):
                worker.jobs.put(self._end_there)
            else:
                self._leave(worker)
        for job in self._jobs:
            job.future.cancel()

    def _leave(self, worker: _Worker) -> None:
        """Let the thread serve another lease, which begins by ending this one. The lock is held."""
        if not self._is_through:
            worker.ending = self._ending
        worker.leased, self._worker = False, None
        self._workers.free(worker)

    def _end_there(self) -> None:
        worker = self._worker
        assert worker is not None
        with self._workers.lock:
            self._leave(worker)
        worker.end_last()


class _Job:
    """A call that a lease was asked to make."""

    def __init__(self, lease: Lease, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self.lease, self.function, self.args, self.kwargs = lease, function, args, kwargs
        self.future: Future[Any] = Future()

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            self.lease.finish()
            return
        settle: Callable[[Any], None] = self.future.set_result
        _here.lease, self.lease.is_last = self.lease, False
        try:
            if (beginning := self.lease.beginning) is not None:
                self.lease.beginning = None
                beginning()
            outcome = self.function(*self.args, **self.kwargs)
        except BaseException as error:
            settle, outcome = self.future.set_exception, error
        _here.lease = None
        self.lease.finish()
        settle(outcome)
