"""A request's lease on a thread: an executor that runs everything submitted to it in one thread of the pool.

While the request waits for the event loop, the lease lets other leases run. ``flow/pool.py`` has the threads;
``flow/thread.py`` makes asgiref use the lease.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from restflow.flow.pool import Worker, Workers

_P = ParamSpec("_P")
_R = TypeVar("_R")


def nothing() -> None:
    """Do nothing: the default callback."""


class _Here(threading.local):
    """The lease that this thread is serving, if any."""

    lease: Lease | None = None


_here = _Here()


def last_call() -> None:
    """Let the lease that this thread serves end with the call that is running, unless another call is submitted."""
    if _here.lease is not None and not _here.lease.is_shared:
        _here.lease.is_last = True


@contextmanager
def waiting_for_the_loop() -> Generator[Callable[..., Any] | None, None, None]:
    """Let other leases run while this thread waits for the event loop; then wait for a turn again.

    Yields the function through which this thread must call anything meanwhile, or None if it serves no lease.
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


class Lease(Executor):
    """The thread of one request, as an executor: calls submitted to it run there one after the other.

    It has a thread from its first call to its end (or until it gives it back early), and a turn only while calls run in
    that thread: ``submit`` asks for a turn, ``start`` is called when there is one, ``_work`` runs the calls, ``_stop``
    gives the turn back. It keeps its turn between two calls if what it has open may hold up those that have the others.

    Attributes:
        owner: the task that serves the request; None if its context is not to be used.
        context: that task's context, in which the calls run.
        has_turn: whether its thread may work.
        is_shared: whether requests that are served inside this one (a test client called in a view) use it too.
        is_last: whether the call that is running is expected to be the last, so that the thread itself ends the lease.
        beginning: what to call before the first call; None once it has been.
    """

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
        self._worker: Worker | None = None
        self._jobs: deque[_Job] = deque()
        self._works = False  # True from when a job is submitted until none is left
        self.has_turn = False
        self.is_shared = False
        self._holds = False  # whether something is open in the thread that only the lease's end closes
        self._has_ended = False
        self.is_last = False
        self._is_through = False  # True once the thread is about to end the lease, or has
        self._has_left = False  # True once it has given its thread back early; it gets another when it needs one
        self._begin, self._ending = beginning, ending
        self.beginning: Callable[[], Any] | None = beginning

    def submit(self, function: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        """Schedule ``function`` to be called in the thread.

        Args:
            function: what to call.
            args: its positional arguments.
            kwargs: its keyword arguments.

        Returns:
            The future of its result.

        Raises:
            Overloaded: no thread is free, and the queue is full.
            RuntimeError: the lease has ended.
        """
        job = _Job(function, args, kwargs)
        with self._workers.lock:
            if self._has_ended:
                raise RuntimeError("The request has ended, and its worker thread is no longer its own.")
            if not self._works:
                has_begun = self._worker is not None or self._has_left
                if not has_begun:
                    self._workers.admit()
                self._works = True
                self._jobs.append(job)
                if self.has_turn:
                    self.start()
                else:
                    self._workers.turns.take(self.start, again=has_begun)
            else:
                self._jobs.append(job)
            self._is_through = False
        return job.future

    def has_thread(self) -> bool:
        """Tell whether it has a thread."""
        return self._worker is not None

    def start(self) -> None:
        """Start working, now that it has a turn. The lock is held."""
        worker = self._worker or self._workers.assign(self)
        if worker is None:
            self._workers.turns.decline()
            return
        self._worker, worker.leased, self.has_turn = worker, True, True
        worker.jobs.put(self._work)

    def take(self, worker: Worker) -> None:
        """Take the thread that this lease has waited for. The lock is held."""
        self._worker, worker.leased = worker, True
        self._workers.turns.take(self.start, again=False)

    def _work(self) -> None:
        """Run the submitted calls, in the thread."""
        _here.lease = self
        works = True
        while works:
            self.is_last = False
            answer = self._jobs.popleft().call(self)
            if not (self._jobs or self.is_last):
                self._workers.rest_if_awaited()
            holds = self._workers.ask(self._workers.holding)
            locks = holds and self._workers.ask(self._workers.locking)
            with self._workers.lock:
                works = bool(self._jobs)
                if not works:
                    self._stop(holds, locks)
            answer()  # only now: the task goes on at once, and may submit the next call
        _here.lease = None

    def _stop(self, holds: bool, locks: bool) -> None:
        """Stop working until another call is submitted. The lock is held."""
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
        """Let other leases run while the thread waits for the event loop."""
        self._workers.rest_if_awaited()
        if not self._workers.ask(self._workers.locking):
            with self._workers.lock:
                self._give_turn()

    def resume(self) -> None:
        """Wait for a turn before going on."""
        if not self.has_turn:
            turn = threading.Event()
            with self._workers.lock:
                self._workers.turns.take(turn.set, again=True)
            turn.wait()
            self.has_turn = True

    def in_turn(self, function: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Call ``function`` in the paused thread, once it has a turn."""
        self.resume()
        try:
            return function(*args, **kwargs)
        finally:
            self.pause()

    def leave(self) -> None:
        """Give the thread back early unless something is open in it; a later call gets another thread."""
        with self._workers.lock:
            if self._worker is not None and not (self._works or self.is_shared):
                self._worker.jobs.put(partial(self._leave_if_free, self._worker))

    def _leave_if_free(self, worker: Worker) -> None:
        self._workers.rest()
        holds = self._workers.ask(self._workers.holding)
        with self._workers.lock:
            if self._worker is worker and not (holds or self._works or self._has_ended):
                self._leave(worker)
                self._has_left, self.beginning = True, self._begin

    def end(self) -> None:
        """Give the thread back once it has run all that was submitted, without waiting for that."""
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

    def _leave(self, worker: Worker) -> None:
        """Give the thread back to the pool; it runs this lease's end before it serves another. The lock is held."""
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
    """A call that was submitted to a lease."""

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self.function, self.args, self.kwargs = function, args, kwargs
        self.future: Future[Any] = Future()

    def call(self, lease: Lease) -> Callable[[], None]:
        """Make the call, in the thread; return a function that sets the future's result or exception."""
        if not self.future.set_running_or_notify_cancel():
            return nothing
        try:
            if (beginning := lease.beginning) is not None:
                lease.beginning = None
                beginning()
            return partial(self.future.set_result, self.function(*self.args, **self.kwargs))
        except BaseException as error:
            return partial(self.future.set_exception, error)
