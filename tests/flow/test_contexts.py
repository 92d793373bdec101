"""The loop and the worker thread see one context: variables, asgiref's locals, the exception being handled."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from typing import Any

import pytest
from asgiref.local import Local

from restflow.flow import arun, blocking, hook
from restflow.flow import thread as flow_thread
from tests.flow.support import Boom, Slow, Worker, cancelled, counted, here


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


def test_a_context_variable_set_before_a_cancellation_is_seen_after_it(worker: Worker) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    slow = Slow()

    def sets_it() -> None:
        variable.set("in the thread")
        slow()

    seen: list[str] = []

    async def flow() -> None:
        await blocking(sets_it)

    async def request() -> None:
        try:
            await arun(flow())
        finally:
            seen.append(variable.get())

    with pytest.raises(asyncio.CancelledError):
        worker.run(cancelled(request(), slow.begun, slow.release))
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
    assert flow_thread.KNOWN, "the asgiref installed is new: read its SyncToAsync.__call__, then name it known"
    monkeypatch.setattr(flow_thread, "KNOWN", False)
    variable = contextvars.ContextVar("variable", default="unset")

    async def flow() -> tuple[str, str]:
        name = await blocking(here)
        await blocking(variable.set, "set in the thread")
        return name, variable.get()

    assert counted(flow()) == (("worker_0", "set in the thread"), 1)
