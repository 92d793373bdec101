"""The flow engine: steps, drivers, hook resolution, twins."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import operator
import sys
import threading
import time
import types
import warnings
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from concurrent.futures.thread import BrokenThreadPool
from typing import Any

import pytest
from asgiref.local import Local
from asgiref.sync import SyncToAsync, ThreadSensitiveContext, async_to_sync, sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.utils.asyncio import async_unsafe
from hypothesis import given, settings
from hypothesis import strategies as st

from restflow.flow import (
    TwoColoured,
    arun,
    asynchronous,
    attribute,
    blocking,
    call,
    hook,
    is_overridden,
    keep,
    nonblocking,
    run,
    stand_in,
    sync,
    sync_or_async,
    twin,
    unchanged,
)
from restflow.flow import worker as flow_worker
from tests.site import CountingExecutor

Driver = Callable[[Coroutine[Any, Any, Any]], Any]


def drive_in_loop(flow: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(arun(flow))


def drive_in_thread_of_loop(flow: Coroutine[Any, Any, Any]) -> Any:
    """The sync driver where it mostly runs: in the worker thread of a request."""

    async def main() -> Any:
        return await sync_to_async(run)(flow)

    return asyncio.run(main())


DRIVERS = {"run": run, "arun": drive_in_loop, "run in a worker thread": drive_in_thread_of_loop}
drivers = pytest.mark.parametrize("drive", DRIVERS.values(), ids=DRIVERS)


def counted(flow: Coroutine[Any, Any, Any]) -> tuple[Any, int]:
    """Drive a flow as a request does; return its result and its hops."""

    async def main() -> tuple[Any, int]:
        with CountingExecutor() as executor:
            async with ThreadSensitiveContext(executor=executor):
                return await arun(flow), executor.hops

    return asyncio.run(main())


def here() -> str:
    return threading.current_thread().name


def on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


# Every kind of callable, as a hook and as a plain callable ------------------------------------------------------------


async def _coroutine(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


def _wrapped(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class _AsyncCallable:
    async def __call__(self, x: int) -> int:
        await asyncio.sleep(0)
        return x + 1


class _SyncCallable:
    __hash__ = None  # type: ignore[assignment]  # can't be hashed, as some callables can't

    def __call__(self, x: int) -> int:
        assert not on_loop()
        return x + 1


class Hooks:
    def plain(self, x: int) -> int:
        assert not on_loop()
        return x + 1

    @nonblocking
    def pure(self, x: int) -> int:
        return x + 1

    async def coroutine(self, x: int) -> int:
        assert on_loop()
        await asyncio.sleep(0)
        return x + 1

    def returns_coroutine(self, x: int) -> Any:
        return _coroutine(x)

    @nonblocking
    def pure_returns_coroutine(self, x: int) -> Any:
        return _coroutine(x)

    def returns_coroutine_of_coroutine(self, x: int) -> Any:
        async def outer() -> Any:
            return _coroutine(x)

        return outer()

    decorated = _wrapped(coroutine)
    decorated_sync = _wrapped(plain)

    @staticmethod
    def static(x: int) -> int:
        assert not on_loop()
        return x + 1

    @staticmethod
    async def static_coroutine(x: int) -> int:
        return await _coroutine(x)

    @classmethod
    async def class_coroutine(cls, x: int) -> int:
        return await _coroutine(x)

    partial_coroutine = staticmethod(functools.partial(_coroutine))
    partialmethod = functools.partialmethod(coroutine, 1)
    async_callable = _AsyncCallable()
    sync_callable = _SyncCallable()

    @functools.singledispatchmethod
    def dispatched(self, x: Any) -> Any:
        raise NotImplementedError

    @dispatched.register
    async def _(self, x: int) -> int:
        return await _coroutine(x)

    @property
    def prop(self) -> Callable[[int], int]:
        return lambda x: x + 1

    @sync
    async def flow(self, x: int) -> int:
        result: int = await hook(self, "coroutine", x)
        return result


KINDS = sorted(name for name in vars(Hooks) if not name.startswith("_"))


@pytest.mark.parametrize("name", KINDS)
def test_a_hook_of_every_kind_gives_its_result(name: str) -> None:
    args = () if name == "partialmethod" else (1,)

    async def flow() -> Any:
        return await hook(Hooks(), name, *args)

    assert [drive(flow()) for drive in DRIVERS.values()] == [2] * len(DRIVERS)


@pytest.mark.parametrize("name", KINDS)
def test_a_callable_of_every_kind_gives_its_result(name: str) -> None:
    args = () if name == "partialmethod" else (1,)

    async def flow() -> Any:
        return await call(getattr(Hooks(), name), *args)

    assert [drive(flow()) for drive in DRIVERS.values()] == [2] * len(DRIVERS)


@pytest.mark.parametrize("name", KINDS)
def test_a_hook_set_on_the_object_comes_first(name: str) -> None:
    class Owner:
        def ask(self, x: int) -> int:
            raise AssertionError("the class's hook must not be called")

    owner: Any = Owner()
    owner.ask = getattr(Hooks(), name)
    args = () if name == "partialmethod" else (1,)

    async def flow() -> Any:
        return await hook(owner, "ask", *args)

    assert [drive(flow()) for drive in DRIVERS.values()] == [2] * len(DRIVERS)


@drivers
def test_an_async_hook_set_on_the_object_comes_first(drive: Driver) -> None:
    class Owner:
        def ask(self) -> str:
            return "class"

    async def aask() -> str:
        return "object, async"

    owner: Any = Owner()
    owner.aask = aask

    async def flow() -> Any:
        return await hook(owner, "ask")

    assert drive(flow()) == "object, async"


@pytest.mark.parametrize(
    ("drive", "expected"), [(run, "sync"), (drive_in_loop, "async"), (drive_in_thread_of_loop, "sync")]
)
@pytest.mark.parametrize("place", ["class", "object"])
def test_where_both_colours_are_written_the_driver_takes_its_own(drive: Driver, expected: str, place: str) -> None:
    class Both:
        def ask(self) -> str:
            return "sync"

        async def aask(self) -> str:
            return "async"

    owner: Any = Both()
    if place == "object":
        owner.ask, owner.aask = owner.ask, owner.aask

    async def flow() -> Any:
        return await hook(owner, "ask")

    assert drive(flow()) == expected


@pytest.mark.parametrize(("drive", "expected"), [(run, "sync"), (drive_in_loop, "async")])
def test_where_an_object_has_both_colours_the_driver_takes_its_own_in_the_thread_too(
    drive: Driver, expected: str
) -> None:
    async def aask() -> str:
        return "async"

    owner: Any = Places()
    owner.ask, owner.aask = lambda: "sync", _wrapped(aask)

    async def flow() -> list[str]:
        return [await hook(owner, "sync"), await hook(owner, "ask"), await hook(owner, "sync")]

    assert drive(flow())[1] == expected
    assert counted(flow())[1] == 2  # it is asked where the step before it was


@drivers
def test_a_hook_of_a_proxy_is_called(drive: Driver) -> None:
    class Proxy:
        def __getattr__(self, name: str) -> Any:
            if name == "ask":
                return lambda: "proxied"
            raise AttributeError(name)

    async def flow() -> Any:
        return await hook(Proxy(), "ask")

    assert drive(flow()) == "proxied"


@drivers
def test_a_hook_of_an_object_with_slots_is_called(drive: Driver) -> None:
    class Slotted:
        __slots__ = ()

        async def aask(self) -> str:
            return "slotted"

    async def flow() -> Any:
        return await hook(Slotted(), "ask")

    assert drive(flow()) == "slotted"


@drivers
def test_a_hook_that_is_missing_is_an_attribute_error(drive: Driver) -> None:
    async def flow() -> Any:
        return await hook(object(), "ask")

    with pytest.raises(AttributeError, match="ask"):
        drive(flow())


# Where code runs ------------------------------------------------------------------------------------------------------


class Places:
    def sync(self) -> str:
        return here()

    async def coroutine(self) -> str:
        return here()

    @nonblocking
    def pure(self) -> str:
        return here()

    @nonblocking(when=lambda self: False)
    def pure_at_times(self) -> str:
        return here()


def test_sync_code_runs_in_the_worker_thread_async_and_nonblocking_code_on_the_loop() -> None:
    async def flow() -> dict[str, str]:
        places = Places()
        return {
            name: await hook(places, name) for name in ("pure", "sync", "pure_at_times", "coroutine", "pure", "sync")
        }

    found, hops = counted(flow())
    assert found["sync"] == found["pure_at_times"] == "worker_0"
    assert found["coroutine"] == "MainThread"
    assert hops == 2


@pytest.mark.parametrize(
    ("steps", "hops"),
    [
        ("", 0),
        ("p", 0),
        ("a", 0),
        ("pappa", 0),
        ("s", 1),
        ("sssss", 1),
        ("pspspsp", 1),
        ("as", 1),
        ("sa", 1),
        ("sas", 2),
        ("saasp", 2),
        ("asasas", 3),
        ("sss" + "a" + "sss", 2),
    ],
)
def test_hops_are_the_separate_stretches_of_blocking_work(steps: str, hops: int) -> None:
    names = {"s": "sync", "a": "coroutine", "p": "pure"}

    async def flow() -> None:
        for step in steps:
            await hook(Places(), names[step])

    assert counted(flow())[1] == hops


@settings(deadline=None)
@given(st.lists(st.sampled_from("sap"), max_size=12))
def test_any_mix_of_steps_costs_one_hop_a_stretch(steps: list[str]) -> None:
    names = {"s": "sync", "a": "coroutine", "p": "pure"}

    async def flow() -> None:
        for step in steps:
            await hook(Places(), names[step])

    stretches = "".join(steps).replace("p", "").split("a")
    assert counted(flow())[1] == sum(1 for stretch in stretches if stretch)


def test_nested_flows_cost_no_hop_of_their_own() -> None:
    class View(TwoColoured, hooks=("outer", "inner")):
        @sync
        async def inner(self) -> str:
            place: str = await hook(Places(), "sync")
            return place

        @sync
        async def outer(self) -> list[str]:
            return [
                await hook(self, "inner"),
                await hook(self, "inner"),
                await call(self.inner),
                await blocking(here),
                await _sub_flow(),
            ]

    async def _sub_flow() -> str:
        return await blocking(here)

    async def flow() -> Any:
        return await hook(View(), "outer")

    assert counted(flow()) == (["worker_0"] * 5, 1)


def test_attribute_reads_a_property_of_a_users_in_the_worker_thread() -> None:
    class Owner:
        plain = "plain"

        @property
        def prop(self) -> str:
            return here()

    async def flow() -> list[str]:
        return [await attribute(Owner(), "plain"), await attribute(Owner(), "prop")]

    assert counted(flow()) == (["plain", "worker_0"], 1)


def test_attribute_that_is_missing_is_an_attribute_error() -> None:
    async def flow() -> Any:
        return await attribute(object(), "missing")

    with pytest.raises(AttributeError, match="missing"):
        run(flow())


def test_contextvars_set_in_the_thread_are_seen_on_the_loop_and_the_other_way_round() -> None:
    var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="unset")
    seen: list[str] = []

    class Steps:
        def sync(self, value: str) -> None:
            seen.append(var.get())
            var.set(value)

        async def coroutine(self, value: str) -> None:
            seen.append(var.get())
            var.set(value)

    async def flow() -> None:
        await hook(Steps(), "sync", "thread 1")
        await hook(Steps(), "sync", "thread 2")
        await hook(Steps(), "coroutine", "loop 1")
        await hook(Steps(), "sync", "thread 3")
        await hook(Steps(), "coroutine", "loop 2")

    async def main() -> str:
        await arun(flow())
        return var.get()

    assert asyncio.run(main()) == "loop 2"
    assert seen == ["unset", "thread 1", "thread 2", "loop 1", "thread 3"]


# Exceptions and the end of flows --------------------------------------------------------------------------------------


class Boom(Exception):
    pass


class Raises:
    def sync(self) -> None:
        raise Boom("sync")

    async def coroutine(self) -> None:
        raise Boom("coroutine")

    @nonblocking
    def pure(self) -> None:
        raise Boom("pure")


@drivers
@pytest.mark.parametrize("kind", ["sync", "coroutine", "pure"])
@pytest.mark.parametrize("before", [[], ["sync"], ["coroutine"], ["sync", "coroutine"], ["coroutine", "sync"]])
def test_an_exception_of_a_step_is_raised_at_its_await(drive: Driver, kind: str, before: list[str]) -> None:
    async def flow() -> list[str]:
        log: list[str] = []
        for name in before:
            await hook(Places(), name)
        try:
            await hook(Raises(), kind)
        except Boom as error:
            log.append(f"caught {error}")
        else:
            log.append("nothing raised")
        finally:
            await hook(Places(), "sync")
            log.append("finally")
        log.append(str(await hook(Hooks(), "coroutine", 1)))
        return log

    assert drive(flow()) == [f"caught {kind}", "finally", "2"]


@drivers
@pytest.mark.parametrize("before", [[], ["sync"], ["coroutine"], ["sync", "coroutine"]])
def test_an_exception_of_the_flow_reaches_the_caller(drive: Driver, before: list[str]) -> None:
    async def flow() -> None:
        for name in before:
            await hook(Places(), name)
        raise Boom("flow")

    with pytest.raises(Boom, match="flow"):
        drive(flow())


@drivers
def test_an_exception_leaves_no_reference_cycle_behind(drive: Driver, collect: Callable[[], int]) -> None:
    class Kept:
        pass

    async def flow() -> None:
        kept = Kept()
        await hook(Places(), "sync")
        with contextlib.suppress(Boom):
            await hook(Raises(), "sync")
        assert kept

    collect()
    gc.disable()
    try:
        drive(flow())
        assert not [found for found in gc.get_objects() if type(found) is Kept]
    finally:
        gc.enable()


@drivers
def test_stop_iteration_of_a_step_is_not_taken_for_the_end(drive: Driver) -> None:
    async def flow() -> None:
        await blocking(next, iter(()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        drive(flow())


@pytest.mark.parametrize("before", [[], ["sync"], ["coroutine"]])
@drivers
def test_anything_else_awaited_in_a_flow_is_reported_by_name(drive: Driver, before: list[str]) -> None:
    done: list[str] = []

    class Later:
        def __await__(self) -> Any:
            yield self
            raise AssertionError("resumed")

        def __repr__(self) -> str:
            return "<a future>"

    async def wrong_flow() -> None:
        try:
            for name in before:
                await hook(Places(), name)
            await Later()
        finally:
            done.append("finally")

    with pytest.raises(RuntimeError, match=r"The flow .*wrong_flow awaited <a future>"):
        drive(wrong_flow())
    assert done == ["finally"]


def test_a_future_and_a_sleep_awaited_in_a_flow_are_reported_by_name() -> None:
    async def sleeps() -> None:
        await asyncio.sleep(0.01)

    async def waits() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match=r"The flow .*sleeps awaited <Future"):
        drive_in_loop(sleeps())
    with pytest.raises(RuntimeError, match=r"The flow .*waits awaited <Future"):
        drive_in_loop(waits())

    loop = asyncio.new_event_loop()
    try:
        future = loop.create_future()

        async def waits_for_a_future() -> None:
            await future

        with pytest.raises(RuntimeError, match=r"The flow .*waits_for_a_future awaited <Future"):
            run(waits_for_a_future())
    finally:
        loop.close()


@drivers
def test_a_flow_may_catch_the_report_and_go_on(drive: Driver) -> None:
    class Later:
        def __await__(self) -> Any:
            yield self

    async def flow() -> str:
        with pytest.raises(RuntimeError):
            await Later()
        return "went on"

    async def ends_at_once() -> str:
        try:
            await Later()
        except RuntimeError:
            return "ended"
        return "resumed"

    assert drive(flow()) == "went on"
    assert drive(ends_at_once()) == "ended"


@pytest.mark.parametrize("step", [lambda: hook(Places(), "sync"), lambda: blocking(here), lambda: call(here)])
def test_a_step_that_is_never_awaited_warns(step: Callable[[], Any], collect: Callable[[], int]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        step()
        collect()
    assert any("never awaited" in str(warning.message) for warning in caught)


# Cancellation ---------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _kept_for_the_request() -> AsyncIterator[Executor]:
    with ThreadPoolExecutor(max_workers=1) as executor:
        async with ThreadSensitiveContext(executor=executor):
            yield executor


@contextlib.asynccontextmanager
async def _shared_by_all() -> AsyncIterator[Executor]:
    yield SyncToAsync.single_thread_executor


class Worker:
    """The worker thread of a test: one kept for the request, reached directly, or one that asgiref finds."""

    def __init__(self, opened: Callable[[], contextlib.AbstractAsyncContextManager[Executor]]) -> None:
        self.opened = opened

    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        async def inside() -> Any:
            async with self.opened() as self.executor:
                return await asyncio.wait_for(main, 20)

        return asyncio.run(inside())


@pytest.fixture(params=[_kept_for_the_request, _shared_by_all])
def worker(request: pytest.FixtureRequest) -> Worker:
    return Worker(request.param)


async def _cancelled_when(begun: threading.Event, task: asyncio.Task[Any], release: threading.Event | None) -> None:
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    if release is not None:
        await asyncio.sleep(0)
        task.cancel()  # twice: a second one must not break the wait for the thread
        await asyncio.sleep(0.01)
        release.set()


def test_a_cancelled_request_closes_the_flow_after_the_blocking_step_that_had_begun(worker: Worker) -> None:
    begun, release = threading.Event(), threading.Event()
    log: list[str] = []

    def slow() -> str:
        begun.set()
        release.wait(10)
        log.append("step done")
        return "slow"

    async def flow() -> None:
        try:
            await blocking(slow)
            log.append("went on")
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        finally:
            await hook(Places(), "sync")
            await hook(Hooks(), "coroutine", 1)
            log.append("finally")

    async def main() -> None:
        task = asyncio.ensure_future(arun(flow()))
        await _cancelled_when(begun, task, release)
        with pytest.raises(asyncio.CancelledError):
            await task

    worker.run(main())
    assert log == ["step done", "cancelled", "finally"]


def test_a_flow_cancelled_on_the_loop_is_told_at_its_await(worker: Worker) -> None:
    begun = threading.Event()
    log: list[str] = []

    class Steps:
        async def forever(self) -> None:
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                log.append("step closed")

    async def flow() -> None:
        try:
            await hook(Steps(), "forever")
        finally:
            await hook(Places(), "sync")
            log.append("finally")

    async def main() -> None:
        task = asyncio.ensure_future(arun(flow()))
        await _cancelled_when(begun, task, None)
        with pytest.raises(asyncio.CancelledError):
            await task

    worker.run(main())
    assert log == ["step closed", "finally"]


def test_a_flow_that_ends_while_it_is_cancelled_does_not_hide_the_cancellation(worker: Worker) -> None:
    begun, release = threading.Event(), threading.Event()

    class Steps:
        def sync(self) -> None:
            begun.set()
            release.wait(10)

    async def flow() -> str:
        try:
            await hook(Steps(), "sync")
        except asyncio.CancelledError:
            return "swallowed, as plain asyncio code may"
        return "done"

    async def main() -> str:
        task = asyncio.ensure_future(arun(flow()))
        await _cancelled_when(begun, task, release)
        return await task

    assert worker.run(main()) == "swallowed, as plain asyncio code may"


class After:
    """A step of each kind that must not begin once its flow was cancelled."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def sync(self) -> None:
        self.log.append("began")

    async def coroutine(self) -> None:
        self.log.append("began")


NEXT: dict[str, Callable[[After], Any]] = {
    "blocking": lambda after: blocking(after.sync),
    "call": lambda after: call(after.sync),
    "async call": lambda after: call(after.coroutine),
    "hook": lambda after: hook(after, "sync"),
    "async hook": lambda after: hook(after, "coroutine"),
}
next_steps = pytest.mark.parametrize("following", NEXT.values(), ids=NEXT)


@next_steps
def test_a_flow_cancelled_in_a_later_step_of_its_stretch_is_told_before_the_next_begins(
    following: Any, worker: Worker
) -> None:
    begun, release = threading.Event(), threading.Event()
    log: list[str] = []

    def slow() -> None:
        begun.set()
        release.wait(10)
        log.append("slow done")

    async def flow() -> None:
        await blocking(here)
        await blocking(slow)
        try:
            await following(After(log))
        finally:
            await hook(Places(), "sync")  # a flow that was told may still take steps
            log.append("finally")

    async def main() -> None:
        task = asyncio.ensure_future(arun(flow()))
        await _cancelled_when(begun, task, release)
        with pytest.raises(asyncio.CancelledError):
            await task

    worker.run(main())
    assert log == ["slow done", "finally"]


def test_a_flow_that_ends_with_the_step_it_was_cancelled_in_is_cancelled(worker: Worker) -> None:
    begun, release = threading.Event(), threading.Event()
    log: list[str] = []

    def slow() -> None:
        begun.set()
        release.wait(10)

    async def flow() -> str:
        await blocking(here)
        await blocking(slow)
        log.append("ended")
        return "done"

    async def main() -> None:
        task = asyncio.ensure_future(arun(flow()))
        await _cancelled_when(begun, task, release)
        with pytest.raises(asyncio.CancelledError):
            await task

    worker.run(main())
    assert log == ["ended"]


async def _as_far_as_the_thread() -> None:
    """Let a task that was just made go to its thread, by the loop's next turns."""
    for _ in range(3):
        await asyncio.sleep(0)


async def _cancelled_once_its_thread_is_done(flow: Coroutine[Any, Any, Any], worker: Worker) -> None:
    """Cancel a flow when its thread is done and the event loop has yet to hear of it."""
    task = asyncio.ensure_future(arun(flow))
    await _as_far_as_the_thread()
    worker.executor.submit(here).result(10)  # the one worker is free again; the loop stood still meanwhile
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_flow_cancelled_between_its_last_step_and_the_loop_is_cancelled(worker: Worker) -> None:
    log: list[str] = []

    async def flow() -> str:
        await blocking(here)
        log.append("ended")
        return "done"

    worker.run(_cancelled_once_its_thread_is_done(flow(), worker))
    assert log == ["ended"]


def test_a_flow_that_fails_between_its_last_step_and_the_cancellation_raises_its_own_error(worker: Worker) -> None:
    async def flow() -> None:
        await blocking(here)
        raise Boom

    async def main() -> None:
        with pytest.raises(Boom):
            await _cancelled_once_its_thread_is_done(flow(), worker)

    worker.run(main())


@pytest.mark.parametrize("kind", ["hook", "returned"])
def test_an_async_step_that_was_reached_before_the_cancellation_never_begins(
    kind: str, worker: Worker, collect: Callable[[], int]
) -> None:
    log: list[str] = []

    async def flow() -> None:
        after = After(log)
        await blocking(here)
        try:
            # What a step returned is a coroutine already: left behind it would warn, and a warning fails the test.
            await (hook(after, "coroutine") if kind == "hook" else blocking(after.coroutine))
        finally:
            await hook(Places(), "sync")
            log.append("finally")

    worker.run(_cancelled_once_its_thread_is_done(flow(), worker))
    collect()
    assert log == ["finally"]


def test_a_hop_that_is_cancelled_before_it_begins_never_runs(worker: Worker) -> None:
    begun, release = threading.Event(), threading.Event()
    log: list[str] = []

    def first() -> None:
        begun.set()
        release.wait(10)

    async def flow() -> None:
        try:
            await blocking(log.append, "ran")
        finally:
            log.append("finally")

    async def main() -> None:
        holder = asyncio.ensure_future(sync_to_async(first)())
        assert await asyncio.to_thread(begun.wait, 10)
        task = asyncio.ensure_future(arun(flow()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
        await holder

    worker.run(main())
    assert log == ["finally"]


def test_a_trip_whose_executor_is_shut_down_is_cancelled() -> None:
    gate, log = threading.Event(), []

    async def flow() -> None:
        try:
            await blocking(log.append, "ran")
        finally:
            log.append("finally")

    async def main() -> None:
        executor = ThreadPoolExecutor(max_workers=1)
        executor.submit(gate.wait, 10)
        async with ThreadSensitiveContext(executor=executor):
            task = asyncio.ensure_future(arun(flow()))
            await _as_far_as_the_thread()
            executor.shutdown(wait=False, cancel_futures=True)
            gate.set()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, 10)

    asyncio.run(main())
    assert log == ["finally"]


def test_a_trip_whose_thread_can_not_be_started_fails() -> None:
    def broken() -> None:
        raise Boom

    async def flow() -> None:
        await blocking(here)

    async def main() -> None:
        async with ThreadSensitiveContext(executor=ThreadPoolExecutor(max_workers=1, initializer=broken)):
            await asyncio.wait_for(arun(flow()), 10)

    with pytest.raises(BrokenThreadPool):
        asyncio.run(main())


@pytest.mark.parametrize("bridged_before", [0, 1, 3])
def test_an_async_hook_bridged_from_the_thread_is_cancelled(bridged_before: int, worker: Worker) -> None:
    """Regression: in asgiref 3.13 a bridge that used sync_to_async made a later one in the same hop miss it."""
    begun = threading.Event()
    log: list[str] = []

    class Steps(TwoColoured, hooks=("short", "long")):
        async def ashort(self) -> str:
            return await sync_to_async(here)()

        async def along(self) -> None:
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                log.append("hook closed")

        def sync(self) -> None:
            for _ in range(bridged_before):
                self.short()  # type: ignore[attr-defined]
            self.long()  # type: ignore[attr-defined]
            log.append("went on")

    async def flow() -> None:
        try:
            await hook(Steps(), "sync")
        finally:
            log.append("finally")

    async def main() -> None:
        task = asyncio.ensure_future(arun(flow()))
        await _cancelled_when(begun, task, None)
        with pytest.raises(asyncio.CancelledError):
            await task

    worker.run(main())
    assert log == ["hook closed", "finally"]


class Catching(TwoColoured, hooks=("catch",)):
    """Its async hook catches what cancels it, as asyncio code may; a sync step asks for it, once or more."""

    def __init__(self, times: int = 1) -> None:
        self.times = times
        self.begun = [threading.Event() for _ in range(times)]
        self.caught: list[int] = []

    async def acatch(self, number: int) -> None:
        self.begun[number].set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.caught.append(number)

    def sync(self) -> str:
        for number in range(self.times):
            self.catch(number)  # type: ignore[attr-defined]
        return "went on"


async def _cancelled_at_each(steps: Catching) -> str:
    async def flow() -> str:
        result: str = await hook(steps, "sync")
        return result

    task = asyncio.ensure_future(arun(flow()))
    for begun in steps.begun:
        assert await asyncio.to_thread(begun.wait, 10)
        task.cancel()
    return await task


def test_a_cancellation_that_a_bridged_hook_catches_is_over(worker: Worker) -> None:
    steps = Catching()
    assert worker.run(_cancelled_at_each(steps)) == "went on"
    assert steps.caught == [0]


def test_each_bridged_hook_of_a_stretch_is_told_of_a_cancellation_of_its_own() -> None:
    steps = Catching(times=3)
    assert Worker(_kept_for_the_request).run(_cancelled_at_each(steps)) == "went on"
    assert steps.caught == [0, 1, 2]


def test_a_thread_that_ends_while_its_last_bridge_is_told_is_not_waited_for_again(worker: Worker) -> None:
    class Steps(Catching):
        async def acatch(self, number: int) -> None:
            task = asyncio.current_task()
            assert task is not None
            # The loop stands still until the thread is done: it comes to neither's news before both are there.
            task.add_done_callback(lambda _: worker.executor.submit(here).result(10))
            await super().acatch(number)

    assert worker.run(_cancelled_at_each(Steps())) == "went on"


def test_a_context_variable_set_before_a_cancellation_is_seen_after_it(worker: Worker) -> None:
    begun, release = threading.Event(), threading.Event()
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    def slow() -> None:
        variable.set("in the thread")
        begun.set()
        release.wait(10)

    seen: list[str] = []

    async def flow() -> None:
        await blocking(slow)

    async def request() -> None:
        try:
            await arun(flow())
        finally:
            seen.append(variable.get())

    async def main() -> None:
        task = asyncio.ensure_future(request())
        await _cancelled_when(begun, task, release)
        with pytest.raises(asyncio.CancelledError):
            await task

    worker.run(main())
    assert seen == ["in the thread"]


def test_a_local_of_asgirefs_is_the_same_on_the_loop_and_in_the_thread(worker: Worker) -> None:
    """Source: asgiref takes its `Local`s along, by which Django keeps the active language and the URLconf."""
    local = Local()
    seen: list[str] = []

    def change() -> None:
        seen.append(local.value)
        local.value = "of the thread"

    async def flow() -> None:
        await blocking(change)
        await hook(Steps(), "look")
        await blocking(change)

    class Steps:
        async def look(self) -> None:
            seen.append(local.value)
            local.value = "of the loop again"

    async def main() -> None:
        local.value = "of the loop"
        await arun(flow())
        seen.append(local.value)

    worker.run(main())
    assert seen == ["of the loop", "of the thread", "of the loop again", "of the thread"]


def test_an_exception_that_is_handled_around_a_flow_is_seen_in_its_thread(worker: Worker) -> None:
    """Source: asgiref hands ``sys.exc_info()`` to the thread, for ``logging.exception`` and bare ``raise``."""

    async def flow() -> Any:
        return await blocking(lambda: sys.exc_info()[1])

    async def main() -> Any:
        try:
            raise Boom
        except Boom:
            return await arun(flow())

    assert isinstance(worker.run(main()), Boom)


def test_an_asgiref_whose_source_was_not_read_is_left_to_find_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    assert flow_worker.KNOWN, "the asgiref installed is new: read its SyncToAsync.__call__, then name it known"
    monkeypatch.setattr(flow_worker, "KNOWN", False)
    variable = contextvars.ContextVar("variable", default="unset")

    async def flow() -> tuple[str, str]:
        name = await blocking(here)
        await blocking(variable.set, "set in the thread")
        return name, variable.get()

    assert counted(flow()) == (("worker_0", "set in the thread"), 1)


@pytest.mark.parametrize("known", [True, False])
def test_a_loop_that_ends_waits_for_the_blocking_step_that_has_begun(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_worker, "KNOWN", known)
    begun, log = threading.Event(), []

    def slow() -> None:
        begun.set()
        time.sleep(0.05)
        log.append("step done")

    async def flow() -> None:
        try:
            await blocking(slow)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    async def main() -> None:
        asyncio.ensure_future(arun(flow()))  # noqa: RUF006 - the loop's end is what this is about
        assert await asyncio.to_thread(begun.wait, 10)

    asyncio.run(main())
    assert log == ["step done", "cancelled"]


def test_a_bridge_asked_for_after_the_cancellation_is_refused(worker: Worker) -> None:
    begun, release = threading.Event(), threading.Event()
    log: list[str] = []

    class Steps(TwoColoured, hooks=("ask",)):
        async def aask(self) -> None:
            log.append("asked")

        def sync(self) -> None:
            begun.set()
            release.wait(10)
            self.ask()  # type: ignore[attr-defined]

    async def flow() -> None:
        await hook(Steps(), "sync")

    async def main() -> None:
        task = asyncio.ensure_future(arun(flow()))
        await _cancelled_when(begun, task, release)
        with pytest.raises(asyncio.CancelledError):
            await task

    worker.run(main())
    assert log == []


@pytest.mark.parametrize("is_first", [True, False])
def test_a_coroutine_returned_by_a_step_of_a_cancelled_flow_is_closed(
    is_first: bool, worker: Worker, collect: Callable[[], int]
) -> None:
    begun, release = threading.Event(), threading.Event()

    def returns_coroutine() -> Any:
        begun.set()
        release.wait(10)
        return _coroutine(1)

    async def flow() -> None:
        if not is_first:
            await blocking(here)
        await blocking(returns_coroutine)

    async def main() -> None:
        task = asyncio.ensure_future(arun(flow()))
        await _cancelled_when(begun, task, release)
        with pytest.raises(asyncio.CancelledError):
            await task

    worker.run(main())
    collect()  # a coroutine left behind would warn, and a warning fails the test


def test_a_flow_thrown_away_is_closed(worker: Worker) -> None:
    log: list[str] = []

    class Steps:
        async def forever(self) -> None:
            await asyncio.sleep(60)

    async def flow() -> None:
        try:
            await hook(Steps(), "forever")
        finally:
            log.append("finally")

    async def main() -> None:
        driven = arun(flow())
        driven.send(None)
        driven.close()

    worker.run(main())
    assert log == ["finally"]


def test_a_flow_thrown_away_in_its_thread_ends_there() -> None:
    begun, release, ended = threading.Event(), threading.Event(), threading.Event()
    log: list[str] = []
    loops = threading.current_thread()

    def slow() -> None:
        begun.set()
        release.wait(10)

    async def flow() -> None:
        try:
            await blocking(slow)
            log.append("went on")
        finally:
            log.append("ended here" if threading.current_thread() is loops else "ended there")
            ended.set()

    async def main() -> None:
        driven = arun(flow())
        driven.send(None)
        assert await asyncio.to_thread(begun.wait, 10)
        driven.close()
        release.set()
        assert await asyncio.to_thread(ended.wait, 10)

    asyncio.run(main())
    assert log == ["ended there"]


def test_a_flow_thrown_away_while_it_waits_for_its_thread_never_runs_there() -> None:
    log: list[str] = []

    async def flow() -> None:
        try:
            await blocking(log.append, "ran")
        finally:
            log.append("finally")

    async def main() -> None:
        release = threading.Event()
        with CountingExecutor() as executor:
            async with ThreadSensitiveContext(executor=executor):
                executor.submit(release.wait, 10)
                driven = arun(flow())
                driven.send(None)
                driven.close()
                assert log == ["finally"]
                release.set()
                executor.submit(here).result(10)  # its turn has come and gone

    asyncio.run(main())
    assert log == ["finally"]


def test_without_a_worker_the_flow_is_told() -> None:
    async def flow() -> str:
        try:
            await blocking(here)
        except RuntimeError as error:
            return str(error)
        return "ran"

    async def main() -> str:
        executor = CountingExecutor()
        executor.shutdown()
        async with ThreadSensitiveContext(executor=executor):
            return await arun(flow())

    assert "shutdown" in asyncio.run(main())


# The sync driver on an event loop -------------------------------------------------------------------------------------


def test_sync_code_on_the_loop_that_asks_for_an_async_hook_is_told_what_to_do() -> None:
    class View(TwoColoured, hooks=("ask",)):
        async def aask(self) -> None: ...

    async def main() -> None:
        View().ask()  # type: ignore[attr-defined]

    with pytest.raises(RuntimeError, match=r"aask, which is async.*Await the async twin"):
        asyncio.run(main())


def test_a_refusal_stops_a_flow_that_may_block_the_loop() -> None:
    async def flow() -> str:
        return await blocking(here)

    async def main() -> None:
        run(flow(), refusal="not here")

    with pytest.raises(RuntimeError, match="not here"):
        asyncio.run(main())
    assert run(flow(), refusal="not here") == here()


@async_unsafe("the database")
def _query() -> str:
    return "rows"


class _Querying(TwoColoured, hooks=("ask",)):
    @sync
    async def ask(self) -> str:
        """Ask."""
        return await blocking(_query)

    aask = asynchronous(ask)


def test_a_sync_twin_that_queries_on_the_loop_names_its_async_twin() -> None:
    async def main() -> None:
        _Querying().ask()

    with pytest.raises(SynchronousOnlyOperation, match=r"Await _Querying\.aask\(\) instead"):
        asyncio.run(main())


def test_a_sync_twin_passes_on_what_others_raise() -> None:
    class Other(_Querying):
        @sync
        async def ask(self) -> str:
            raise SynchronousOnlyOperation("from elsewhere")

        aask = asynchronous(ask)

    with pytest.raises(SynchronousOnlyOperation, match="from elsewhere"):
        Other().ask()


def test_both_twins_give_the_flows_result() -> None:
    assert _Querying().ask() == "rows"
    assert asyncio.run(_Querying().aask()) == "rows"


# Twins ----------------------------------------------------------------------------------------------------------------


class Base(TwoColoured, hooks=("ask",)):
    """A base of ours, with a flow under both names."""

    @sync
    async def ask(self, x: int, *, y: int = 2) -> list[str]:
        """Ask the base."""
        return ["base"]

    aask = asynchronous(ask)


def test_twins_carry_name_docstring_and_signature_of_their_flow() -> None:
    import inspect

    assert (Base.ask.__name__, Base.aask.__name__) == ("ask", "aask")
    assert (Base.ask.__qualname__, Base.aask.__qualname__) == ("Base.ask", "Base.aask")
    assert Base.ask.__doc__ == Base.aask.__doc__ == "Ask the base."
    assert (
        str(inspect.signature(Base.ask))
        == str(inspect.signature(Base.aask))
        == ("(self, x: 'int', *, y: 'int' = 2) -> 'list[str]'")
    )


class SyncOverride(Base):
    def ask(self, x: int, *, y: int = 2) -> list[str]:  # type: ignore[override]
        return ["sync", *super().ask(x)]


class AsyncOverride(Base):
    async def aask(self, x: int, *, y: int = 2) -> list[str]:  # type: ignore[override]
        return ["async", *await super().aask(x)]


class AsyncUnderSyncName(Base):
    async def ask(self, x: int, *, y: int = 2) -> list[str]:  # type: ignore[override]
        return ["async def", *await super().aask(x)]


class SyncMixin:
    def ask(self, x: int) -> list[str]:
        return ["mixin", *super().ask(x)]  # type: ignore[misc]


class AsyncMixin:
    async def ask(self, x: int) -> list[str]:
        return ["async mixin", *await super().aask(x)]  # type: ignore[misc]


class FromSyncMixin(SyncMixin, Base):
    pass


class FromAsyncMixin(AsyncMixin, Base):
    pass


class AsyncOverSync(SyncOverride):
    async def aask(self, x: int) -> list[str]:  # type: ignore[override]
        return ["async", *await super().aask(x)]


class SyncOverAsync(AsyncOverride):
    def ask(self, x: int) -> list[str]:  # type: ignore[override]
        return ["sync", *super().ask(x)]


class AsyncOverMixin(FromSyncMixin):
    async def aask(self, x: int) -> list[str]:  # type: ignore[override]
        return ["async", *await super().aask(x)]


class SyncOverDual(AsyncUnderSyncName):
    def ask(self, x: int) -> list[str]:  # type: ignore[override]
        return ["sync", *super().ask(x)]  # type: ignore[misc]


class AsyncOverDual(AsyncUnderSyncName):
    async def ask(self, x: int) -> list[str]:  # type: ignore[override]
        return ["async def", *await super().ask(x)]


class SyncOverAsyncMixin(FromAsyncMixin):
    def ask(self, x: int) -> list[str]:  # type: ignore[override]
        return ["sync", *super().ask(x)]


class AwaitsMixinBySyncName(FromAsyncMixin):
    async def ask(self, x: int) -> list[str]:
        return ["async def", *await super().ask(x)]


class Diamond(SyncOverride, AsyncOverride):
    pass


class BetweenMixin(SyncMixin):
    def ask(self, x: int) -> list[str]:
        return ["between", *super().ask(x)]


class Interleaved(FromSyncMixin, BetweenMixin):
    async def aask(self, x: int) -> list[str]:
        return ["async", *await super().aask(x)]


CLASSES = {
    Base: ["base"],
    SyncOverride: ["sync", "base"],
    AsyncOverride: ["async", "base"],
    AsyncUnderSyncName: ["async def", "base"],
    FromSyncMixin: ["mixin", "base"],
    FromAsyncMixin: ["async mixin", "base"],
    AsyncOverSync: ["async", "sync", "base"],
    SyncOverAsync: ["sync", "async", "base"],
    AsyncOverMixin: ["async", "mixin", "base"],
    SyncOverDual: ["sync", "async def", "base"],
    AsyncOverDual: ["async def", "async def", "base"],
    SyncOverAsyncMixin: ["sync", "async mixin", "base"],
    AwaitsMixinBySyncName: ["async def", "async mixin", "base"],
    Diamond: ["sync", "async", "base"],
    Interleaved: ["async", "between", "mixin", "base"],
}
classes = pytest.mark.parametrize(("cls", "expected"), CLASSES.items(), ids=[cls.__name__ for cls in CLASSES])


@classes
@drivers
def test_the_nearest_override_is_called_and_super_reaches_the_next(
    drive: Driver, cls: type, expected: list[str]
) -> None:
    async def flow() -> Any:
        return await hook(cls(), "ask", 1)

    assert drive(flow()) == expected


@classes
def test_both_names_called_directly_reach_the_nearest_override(cls: Any, expected: list[str]) -> None:
    assert cls().ask(1) == expected
    assert asyncio.run(cls().aask(1)) == expected


@classes
def test_the_sync_name_called_in_a_worker_thread_reaches_the_nearest_override(cls: Any, expected: list[str]) -> None:
    async def main() -> Any:
        return await sync_to_async(lambda: cls().ask(1))()

    assert asyncio.run(main()) == expected


@pytest.mark.parametrize("name", ["ask", "aask"])
@pytest.mark.parametrize("cls", CLASSES, ids=[cls.__name__ for cls in CLASSES])
def test_a_patch_of_the_class_is_obeyed_and_so_is_its_end(cls: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def flow() -> Any:
        return await hook(cls(), "ask", 1)

    async def patched_async(self: Any, x: int) -> list[str]:
        return ["patched"]

    def patched(self: Any, x: int) -> list[str]:
        return ["patched"]

    expected = CLASSES[cls]
    assert drive_in_loop(flow()) == expected
    with monkeypatch.context() as patch:
        patch.setattr(cls, name, patched if name == "ask" else patched_async)
        both_written = cls in {Base} or (name == "ask") == (cls.__dict__.get("aask") is not None)
        assert drive_in_loop(flow()) == ["patched"] or both_written
        assert (cls().ask(1) if name == "ask" else asyncio.run(cls().aask(1))) == ["patched"]
    assert drive_in_loop(flow()) == expected


def test_a_patch_of_one_name_is_reached_by_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    class View(Base):
        pass

    monkeypatch.setattr(View, "ask", lambda self, x: ["patched"])
    assert asyncio.run(View().aask(1)) == ["patched"]
    monkeypatch.undo()

    async def patched(self: Any, x: int) -> list[str]:
        return ["patched"]

    monkeypatch.setattr(View, "aask", patched)
    assert View().ask(1) == ["patched"]


def test_an_async_def_under_the_sync_name_gives_its_coroutine_on_the_loop() -> None:
    async def main() -> Any:
        return await AsyncUnderSyncName().ask(1)

    assert asyncio.run(main()) == ["async def", "base"]
    assert asyncio.iscoroutinefunction(AsyncUnderSyncName.ask) if hasattr(asyncio, "iscoroutinefunction") else True


def test_either_is_awaited_on_the_loop_and_runs_to_its_result_elsewhere() -> None:
    class View:
        @sync_or_async
        async def get(self, x: int) -> str:
            """Get."""
            place: str = await hook(Places(), "sync")
            return place

    async def main() -> list[Any]:
        return [await View().get(1), await sync_to_async(lambda: View().get(1))()]

    assert View().get(1) == here()  # type: ignore[comparison-overlap]
    on_the_loop, in_the_thread = asyncio.run(main())
    assert on_the_loop == in_the_thread != here()
    assert View.get.__doc__ == "Get."


def test_a_declared_twin_calls_the_hook_of_the_class_that_writes_it() -> None:
    class Foreign:
        def ask(self) -> str:
            return "foreign"

    class Ours(TwoColoured, Foreign, hooks=("ask",)):
        aask = twin("ask")

    class Sub(Ours):
        def ask(self) -> str:
            return "sub, " + super().ask()

    assert asyncio.run(Ours().aask()) == "foreign"
    assert asyncio.run(Sub().aask()) == "sub, foreign"


def test_a_twin_of_a_hook_nobody_writes_is_an_attribute_error() -> None:
    class Ours(TwoColoured, hooks=("ask",)):
        aask = twin("ask")

    with pytest.raises(AttributeError, match="'Ours' object has no attribute 'ask'"):
        asyncio.run(Ours().aask())


def test_super_of_a_hook_nobody_writes_is_an_attribute_error() -> None:
    class Ours(TwoColoured, hooks=("ask",)):
        aask = twin("ask")

    class Sub(Ours):
        async def aask(self) -> Any:
            return await super().aask()

    with pytest.raises(AttributeError, match="'Sub' object has no attribute 'ask'"):
        asyncio.run(Sub().aask())


def test_asynchronous_takes_only_what_sync_made() -> None:
    with pytest.raises(TypeError, match="made by sync"):
        asynchronous(here)  # type: ignore[arg-type]


def test_an_override_that_would_never_be_asked_is_refused_when_the_class_is_made() -> None:
    class Behind:
        def ask(self, x: int) -> list[str]:
            return ["behind"]

    with pytest.raises(TypeError, match=r"Behind\.ask would never be called on Wrong.*List Behind first"):

        class Wrong(Base, Behind):
            pass

    class Right(Behind, Base):
        pass

    assert asyncio.run(Right().aask(1)) == ["behind"]


# What is known of functions -------------------------------------------------------------------------------------------


def test_nonblocking_is_for_sync_functions() -> None:
    with pytest.raises(TypeError, match="async def"):

        @nonblocking
        async def ask() -> None: ...


def test_a_wrapper_of_a_nonblocking_function_is_not_covered() -> None:
    class Owner:
        @_wrapped
        @nonblocking
        def ask(self) -> str:
            return here()

    async def flow() -> Any:
        return await hook(Owner(), "ask")

    assert counted(flow()) == ("worker_0", 1)


def test_an_override_of_a_nonblocking_function_is_not_covered() -> None:
    class Owner(Places):
        def pure(self) -> str:
            return super().pure()

    async def flow() -> Any:
        return await hook(Owner(), "pure")

    assert counted(flow()) == ("worker_0", 1)


@drivers
def test_a_wrapper_of_a_twin_is_not_taken_for_the_flow(drive: Driver) -> None:
    class Owner(Base):
        @_wrapped
        def ask(self, x: int) -> list[str]:  # type: ignore[override]
            return ["wrapped", *super().ask(x)]

    class Wraps(Base):
        def ask(self, x: int) -> list[str]:  # type: ignore[override]
            raise NotImplementedError

    def loud(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(self: Any, x: int) -> list[str]:
            return ["loud", *function(self, x)]

        return wrapper

    class Loud(Base):
        ask = loud(Base.ask)

    async def flow() -> Any:
        return [await hook(Owner(), "ask", 1), await hook(Loud(), "ask", 1)]

    assert drive(flow()) == [["wrapped", "base"], ["loud", "base"]]


def test_a_flow_stands_in_for_a_function_but_not_for_its_override() -> None:
    class Theirs:
        def ask(self) -> str:
            return "theirs"

    async def flow_of_ours(self: Any) -> str:
        return "ours"

    class Sub(Theirs):
        def ask(self) -> str:
            return "sub of " + super().ask()

    stand_in(Theirs.ask, flow_of_ours)

    async def flow() -> list[str]:
        return [await hook(Theirs(), "ask"), await hook(Sub(), "ask")]

    assert run(flow()) == ["ours", "sub of theirs"]


def test_super_of_a_declared_twin_enters_the_flow_that_stands_in() -> None:
    class Theirs:
        def ask(self) -> str:
            return "theirs"

    async def flow_of_ours(self: Any) -> str:
        return "ours"

    stand_in(Theirs.ask, flow_of_ours)

    class Ours(TwoColoured, Theirs, hooks=("ask",)):
        aask = twin("ask")

    class Sub(Ours):
        async def aask(self) -> str:
            return f"sub of {await super().aask()}"

    assert asyncio.run(Sub().aask()) == "sub of ours"
    assert Sub().ask() == "sub of ours"


def test_overridden_tells_an_override_of_a_class_an_object_or_a_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(Base):
        pass

    own: Any = Plain()
    own.ask = here
    asked: Any = Base.ask
    assert not is_overridden(Plain(), "ask", asked)
    assert is_overridden(SyncOverride(), "ask", asked)
    assert is_overridden(AsyncOverride(), "ask", asked)
    assert is_overridden(own, "ask", asked)
    monkeypatch.setattr(Plain, "ask", here)
    assert is_overridden(Plain(), "ask", asked)
    assert is_overridden(object.__new__(type("Bare", (), {})), "ask", asked)


def test_what_is_remembered_of_classes_made_for_one_request_is_bounded() -> None:
    async def flow() -> None:
        for number in range(5000):
            cls = type("Made", (), {"ask": lambda self, number=number: number})
            assert await hook(cls(), "ask") == number

    run(flow())
    from restflow.flow.plan import plans

    assert len(plans) <= 4096


def test_a_memory_that_is_full_is_emptied() -> None:
    memory: dict[Any, Any] = {}
    for number in range(4097):
        keep(memory, number, number)
    assert memory == {4096: 4096}


def test_requests_side_by_side_do_not_meet() -> None:
    class Steps:
        def sync(self, number: int) -> tuple[int, str]:
            return number, here()

        async def coroutine(self, number: int) -> int:
            await asyncio.sleep(0)
            return number

    async def flow(number: int) -> list[Any]:
        steps = Steps()
        return [
            await hook(steps, "sync", number),
            await hook(steps, "coroutine", number),
            await hook(steps, "sync", number),
        ]

    async def request(number: int) -> list[Any]:
        with CountingExecutor() as executor:
            async with ThreadSensitiveContext(executor=executor):
                return await arun(flow(number))

    async def main() -> list[list[Any]]:
        return await asyncio.gather(*(request(number) for number in range(50)))

    for number, found in enumerate(asyncio.run(main())):
        assert found == [(number, "worker_0"), number, (number, "worker_0")]


def test_a_flow_under_async_to_sync_runs_its_blocking_steps_in_the_callers_thread() -> None:
    async def flow() -> list[str]:
        return [await blocking(here), await hook(Places(), "coroutine"), await hook(Places(), "sync")]

    async def main() -> list[str]:
        return await arun(flow())

    thread, loop, again = async_to_sync(main)()
    assert thread == again == here() != loop


def _wrapped(function: Any) -> Any:
    """Wrap a function of any colour in a sync one that does not say what it wraps."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def test_a_sync_wrapper_around_an_async_hook_gives_sync_code_no_coroutine() -> None:
    async def answer(*args: Any) -> bool:
        await asyncio.sleep(0)
        return False

    class Base(TwoColoured, hooks=("asks", "is_static", "knows", "promises")):
        asks = _wrapped(answer)
        is_static = staticmethod(_wrapped(answer))
        promises = nonblocking(_wrapped(answer))

        @_wrapped
        def knows(self, value: Any) -> Any:
            return value if value is not None else answer()

    class Sub(Base):
        def asks(self) -> bool:
            return bool(super().asks())

    base, sub = Base(), Sub()
    assert (base.asks(), base.is_static(), base.knows(1), base.knows(None), sub.asks()) == (
        False,
        False,
        1,
        False,
        False,
    )

    async def on_the_loop() -> None:
        assert base.knows(1) == 1
        unanswered = base.asks()
        with pytest.raises(TypeError, match="was not awaited"):
            bool(unanswered)
        assert await base.asks() is False  # type: ignore[misc]  # sync code sees a bool
        assert await arun(hook(base, "promises")) is False
        assert await sub.aasks() is False  # type: ignore[attr-defined]

    asyncio.run(on_the_loop())
    assert vars(Base)["asks"].__wrapped__.__code__ is _wrapped(answer).__code__  # no wrapper around a wrapper


@pytest.mark.parametrize("is_async", [False, True])
def test_a_class_that_was_made_for_one_request_is_let_go(is_async: bool, collect: Callable[[], int]) -> None:
    def allow(role: str) -> type:
        class HasRole(TwoColoured, hooks=("has_permission", "has_object_permission")):
            if is_async:

                async def has_permission(self) -> str:
                    return role

            else:

                def has_permission(self) -> str:
                    return role

        class HasOwnRole(HasRole):
            has_object_permission = HasRole.has_permission

        return HasOwnRole

    made = [weakref.ref(allow(str(number))) for number in range(3)]
    collect()
    assert [cls() for cls in made] == [None, None, None]


# What is looked at for each request ----------------------------------------------------------------------------------


class Anything:
    """Equal to anything, as a proxy may be to what it stands for."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def _family() -> tuple[type, type, type]:
    base = type("Base", (), {"a": lambda self: 1, "b": property(lambda self: 2), "c": staticmethod(here)})
    mixin = type("Mixin", (), {"d": (1, 2)})
    return base, mixin, type("Leaf", (mixin, base), {"e": None})


NAMES = ("a", "b", "c", "d", "e", "missing")
CHANGES = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2]),
        st.sampled_from(NAMES),
        st.sampled_from(["set", "equal", "none", "delete", "put back", "look"]),
    ),
    max_size=8,
)


@given(changes=CHANGES, warm=st.sampled_from([0, 1, 3, 40]))
def test_a_look_finds_every_change_of_a_class_and_of_its_bases(changes: Any, warm: int) -> None:
    family = _family()
    leaf = family[2]
    values = [getattr(leaf, name, "absent") for name in NAMES]
    first = [dict(vars(cls)) for cls in family]
    same = unchanged(leaf, NAMES)
    for place, name, change in changes:
        for _ in range(warm):  # the interpreter specialises code that runs often
            same()
        cls = family[place]
        if change == "delete":
            if name in vars(cls):
                delattr(cls, name)
        elif change == "put back":
            if name in first[place]:
                setattr(cls, name, first[place][name])
        elif change != "look":
            setattr(cls, name, {"equal": Anything(), "none": None, "set": object()}[change])
        now = [getattr(leaf, name, "absent") for name in NAMES]
        assert same() is all(map(operator.is_, now, values))


def test_a_look_follows_a_change_of_bases() -> None:
    base, mixin, leaf = _family()
    same = unchanged(leaf, NAMES)
    for _ in range(40):
        assert same()
    leaf.__bases__ = (mixin, type("Other", (base,), {"a": lambda self: 3}))
    assert not same()
    leaf.__bases__ = (mixin, base)
    assert same()


def test_a_look_at_a_dotted_name_follows_each_part() -> None:
    module = types.ModuleType("module")
    base, _, leaf = _family()
    vars(module).update(Leaf=leaf, helper=here)
    same = unchanged(module, ("Leaf.a", "helper"))
    for _ in range(40):
        assert same()
    found = base.a  # type: ignore[attr-defined]
    for change, back in (
        (lambda: setattr(base, "a", here), lambda: setattr(base, "a", found)),
        (lambda: setattr(module, "helper", on_loop), lambda: setattr(module, "helper", here)),
        (lambda: delattr(module, "Leaf"), lambda: setattr(module, "Leaf", leaf)),
    ):
        change()
        assert not same()
        back()
        assert same()


def test_a_look_at_a_dotted_name_that_leads_nowhere_never_finds_the_same() -> None:
    assert not unchanged(types.ModuleType("module"), ("Absent.__init__",))()


def test_a_look_at_what_is_new_each_time_never_finds_the_same() -> None:
    assert not unchanged(type("C", (), {"made": classmethod(here)}), ("made",))()


def test_a_look_at_no_name_finds_nothing_changed() -> None:
    assert unchanged(object, ())()
