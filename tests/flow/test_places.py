"""Blocking steps run in the worker thread, one trip for each stretch of them, and all else on the loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import ThreadSensitiveContext, async_to_sync
from hypothesis import example, given, settings
from hypothesis import strategies as st

from restflow.flow import TwoColoured, arun, attribute, blocking, call, hook, nonblocking, sync
from tests.flow.support import Places, bare_wrapper, counted, here, wrapped
from tests.site import CountingExecutor


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


@settings(deadline=None)
@given(st.text("sap", max_size=12))
@example("")
@example("pspspsp")
@example("sas")
@example("saasp")
@example("sssasss")
def test_any_mix_of_steps_costs_one_hop_a_stretch_of_blocking_ones(steps: str) -> None:
    names = {"s": "sync", "a": "coroutine", "p": "pure"}

    async def flow() -> None:
        for step in steps:
            await hook(Places(), names[step])

    stretches = steps.replace("p", "").split("a")
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


def test_nonblocking_is_for_sync_functions() -> None:
    with pytest.raises(TypeError, match="async def"):

        @nonblocking
        async def ask() -> None: ...


@pytest.mark.parametrize("wrapper", [wrapped, bare_wrapper])
def test_a_wrapper_of_a_nonblocking_function_is_not_covered(wrapper: Any) -> None:
    class Owner:
        @wrapper
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
