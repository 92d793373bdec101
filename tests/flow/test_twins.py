"""A flow has a sync and an async name; a hook of others gets its async name by a declared twin."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from restflow.flow import TwoColoured, asynchronous, hook, run, stand_in, sync_or_async, twin
from tests.flow.bases import Base
from tests.flow.support import Places, here


def test_twins_carry_name_docstring_and_signature_of_their_flow() -> None:
    assert (Base.ask.__name__, Base.aask.__name__) == ("ask", "aask")
    assert (Base.ask.__qualname__, Base.aask.__qualname__) == ("Base.ask", "Base.aask")
    assert Base.ask.__doc__ == Base.aask.__doc__ == "Ask the base."
    assert (
        str(inspect.signature(Base.ask))
        == str(inspect.signature(Base.aask))
        == ("(self, x: 'int', *, y: 'int' = 2) -> 'list[str]'")
    )


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


def test_a_twin_of_a_hook_nobody_writes_is_an_attribute_error_to_super_too() -> None:
    class Ours(TwoColoured, hooks=("ask",)):
        aask = twin("ask")

    class Sub(Ours):
        async def aask(self) -> Any:
            return await super().aask()

    for cls in (Ours, Sub):
        with pytest.raises(AttributeError, match=f"'{cls.__name__}' object has no attribute 'ask'"):
            asyncio.run(cls().aask())


def test_asynchronous_takes_only_what_sync_made() -> None:
    with pytest.raises(TypeError, match="made by sync"):
        asynchronous(here)  # type: ignore[arg-type]


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
