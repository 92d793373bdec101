"""The nearest override is called, whichever of its two names it has, and super() reaches the next."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from restflow.flow import hook, is_overridden
from tests.flow.bases import CLASSES, AsyncOverride, AsyncUnderSyncName, Base, SyncOverride, classes
from tests.flow.support import Driver, bare_wrapper, drive_in_loop, drivers, here, wrapped


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


@pytest.mark.parametrize("wrapper", [wrapped, bare_wrapper])
@drivers
def test_a_wrapper_of_a_twin_is_not_taken_for_the_flow(drive: Driver, wrapper: Any) -> None:
    class Owner(Base):
        @wrapper
        def ask(self, x: int) -> list[str]:  # type: ignore[override]
            return ["wrapped", *super().ask(x)]

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
