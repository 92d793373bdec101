"""Sync code on the event loop is told to await the async twin, where it would block or get a coroutine."""

from __future__ import annotations

import asyncio

import pytest
from django.core.exceptions import SynchronousOnlyOperation
from django.utils.asyncio import async_unsafe

from restflow.flow import TwoColoured, asynchronous, blocking, run, sync
from tests.flow.support import here


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
def query() -> str:
    return "rows"


class Querying(TwoColoured, hooks=("ask",)):
    @sync
    async def ask(self) -> str:
        """Ask."""
        return await blocking(query)

    aask = asynchronous(ask)


def test_a_sync_twin_that_queries_on_the_loop_names_its_async_twin() -> None:
    async def main() -> None:
        Querying().ask()

    with pytest.raises(SynchronousOnlyOperation, match=r"Await Querying\.aask\(\) instead"):
        asyncio.run(main())


def test_a_sync_twin_passes_on_what_others_raise() -> None:
    class Other(Querying):
        @sync
        async def ask(self) -> str:
            raise SynchronousOnlyOperation("from elsewhere")

        aask = asynchronous(ask)

    with pytest.raises(SynchronousOnlyOperation, match="from elsewhere"):
        Other().ask()


def test_both_twins_give_the_flows_result() -> None:
    assert Querying().ask() == "rows"
    assert asyncio.run(Querying().aask()) == "rows"
