"""An exception is raised at the await of its step, and what is awaited that is no step, or never, is reported."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from restflow.flow import blocking, call, hook, nonblocking, run
from tests.flow.support import Boom, Driver, Places, add_one, drive_in_loop, drivers, here


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
        log.append(str(await call(add_one, 1)))
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
