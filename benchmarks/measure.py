"""Verify, count, time: what is done with a case, in this order."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import reprlib
import statistics
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from time import perf_counter, process_time, sleep
from typing import Any, NamedTuple
from unittest import mock

from asgiref.sync import ThreadSensitiveContext

from benchmarks import bound
from benchmarks.case import Case, Variant
from benchmarks.client import Reply, fetch
from benchmarks.project import Entries
from restflow.flow.lease import Lease

SEED = 20
# What the trips of an entry's requests are submitted to, where it isn't asgiref's.
_EXECUTORS: dict[str, Any] = {"restflow": Lease, "bound": bound.thread}


class Times(NamedTuple):
    """Microseconds a request, a figure for each round: its median request and its mean."""

    medians: list[float]
    means: list[float]


class WrongReply(Exception):
    """A variant answered something else than it should."""


async def verify(handlers: Entries, case: Case) -> None:
    """Assert that the variants of ``case`` answer the same, and that their checks are made.

    Raises:
        WrongReply: naming the variant, what it answered and what was expected.
    """
    expected: Any = None
    for variant in case.variants:
        reply = await send(handlers, case, variant)
        # Links to other pages name the variant.
        data = json.loads(reply.body.replace(case.url(variant).encode(), b"/"))
        shown = {key: value for key, value in data.items() if key not in case.generated}
        got = (reply.status, reply.headers.get(b"Content-Type"), list(data), shown)
        expected = expected or (case.status, b"application/json", list(data), shown)
        if got != expected:
            raise WrongReply(
                f"{case.name}: {variant.name} answered {reprlib.repr(got)}, must be {reprlib.repr(expected)}"
            )
        for refusal in case.refusals if variant is not case.floor else ():
            reply = await fetch(
                handlers.of(case, variant), case.url(variant), refusal.headers, method=case.method, body=refusal.body
            )
            if reply.status != refusal.status:
                sent = f"{variant.name} with {refusal.headers or refusal.body!r}"
                raise WrongReply(f"{case.name}: {sent} answered {reply.status}, must be {refusal.status}")


async def hops(handlers: Entries, case: Case, variant: Variant, requests: int) -> float:
    """Return how often a request goes to its worker thread, the handler's own times included.

    As many requests are sent before, which are not counted.
    """
    if executor := _EXECUTORS.get(variant.entry):
        with mock.patch.object(executor, "submit", autospec=True, side_effect=executor.submit) as submitted:
            await repeat(handlers, case, variant, requests)
            before = submitted.call_count
            await repeat(handlers, case, variant, requests)
            return float(submitted.call_count - before) / requests
    with CountingExecutor(max_workers=1) as counting:
        # Django's own context, inside this one, leaves the executor in place.
        async with ThreadSensitiveContext(executor=counting):
            await repeat(handlers, case, variant, requests)
            before = counting.submitted
            await repeat(handlers, case, variant, requests)
            return (counting.submitted - before) / requests


class CountingExecutor(ThreadPoolExecutor):
    """A thread pool that knows how often it was asked."""

    submitted = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Count the call and submit it."""
        self.submitted += 1
        return super().submit(fn, *args, **kwargs)


async def threads(handlers: Entries, case: Case, variant: Variant, requests: int) -> float:
    """Return how many threads a request starts; as many requests are sent before, which are not counted."""
    await repeat(handlers, case, variant, requests)
    with thread_starts() as started:
        await repeat(handlers, case, variant, requests)
    return len(started) / requests


@contextmanager
def thread_starts() -> Iterator[list[str]]:
    """Collect the name of each thread that is started inside the block."""
    started: list[str] = []
    start = threading.Thread.start

    def counting(self: threading.Thread) -> None:
        started.append(self.name)
        start(self)

    with mock.patch.object(threading.Thread, "start", counting):
        yield started


async def times(handlers: Entries, case: Case, rounds: int, warmup: int, requests: int) -> dict[str, Times]:
    """Time every variant in every round, a request of each in turn, in an order drawn anew for each turn.

    What else the machine does then meets all variants alike, and the median drops the requests that it hit hardest.

    Args:
        handlers: the handlers to drive.
        case: whose variants are timed.
        rounds: how many rounds are kept.
        warmup: how many rounds before them are thrown away.
        requests: how many requests each variant serves in a round.

    Returns:
        The times of each variant, by its name.
    """
    draw = random.Random(SEED)
    times = {variant.name: Times([], []) for variant in case.variants}
    for number in range(warmup + rounds):
        gc.collect()
        clocked: dict[str, list[float]] = {variant.name: [] for variant in case.variants}
        for _ in range(requests):
            for variant in draw.sample(case.variants, len(case.variants)):
                started = perf_counter()
                reply = await request(handlers, case, variant)
                clocked[variant.name].append((perf_counter() - started) * 1e6)
                await settle(case, variant, reply)
        if number >= warmup:
            for name, round_ in clocked.items():
                times[name].medians.append(statistics.median(round_))
                times[name].means.append(statistics.mean(round_))
    return times


async def cpu(handlers: Entries, case: Case, rounds: int, warmup: int, requests: int) -> dict[str, list[float]]:
    """Measure the processor's time of every variant in every round, in all threads, one variant after the other.

    Args:
        handlers: the handlers to drive.
        case: whose variants are measured.
        rounds: how many rounds are kept.
        warmup: how many rounds before them are thrown away.
        requests: how many requests each variant serves in a round.

    Returns:
        Microseconds a request of each round, by the name of the variant.
    """
    draw = random.Random(SEED)
    spent: dict[str, list[float]] = {variant.name: [] for variant in case.variants}
    for number in range(warmup + rounds):
        gc.collect()
        for variant in draw.sample(case.variants, len(case.variants)):
            started, apart = process_time(), 0.0
            for _ in range(requests):
                reply = await request(handlers, case, variant)
                before = _time_once_idle() if case.undo is not None else process_time()
                await settle(case, variant, reply)
                apart += process_time() - before
            spent_here = _time_once_idle() - started - apart
            if number >= warmup:
                spent[variant.name].append(spent_here / requests * 1e6)
    return spent


def _time_once_idle() -> float:
    """Return the processor's time after a moment for what a handler's threads do when the response was sent."""
    sleep(0.001)
    return process_time()


async def repeat(handlers: Entries, case: Case, variant: Variant, requests: int) -> None:
    """Send ``requests`` requests to ``variant``, one after the other."""
    for _ in range(requests):
        await send(handlers, case, variant)


async def send(handlers: Entries, case: Case, variant: Variant) -> Reply:
    """Send a request to ``variant`` and take back what it did."""
    return await settle(case, variant, await request(handlers, case, variant))


async def request(handlers: Entries, case: Case, variant: Variant) -> Reply:
    """Send a request to ``variant``."""
    return await fetch(handlers.of(case, variant), case.url(variant), case.headers, method=case.method, body=case.body)


async def settle(case: Case, variant: Variant, reply: Reply) -> Reply:
    """Take back what a request did, and raise if it was not answered as it should be."""
    if case.undo is not None:
        await asyncio.to_thread(case.undo)
    if reply.status != case.status:
        raise WrongReply(f"{case.name}: {variant.name} answered {reply.status}, must be {case.status}")
    return reply
