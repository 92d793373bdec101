"""A hook or callable of every kind gives its result, and what stands on the object comes before its class."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest

from restflow.flow import TwoColoured, arun, attribute, call, hook, nonblocking, run, sync
from tests.flow.support import (
    DRIVERS,
    Driver,
    Places,
    add_one,
    bare_wrapper,
    counted,
    drive_in_loop,
    drive_in_thread_of_loop,
    drivers,
    on_loop,
    wrapped,
)


class AsyncCallable:
    async def __call__(self, x: int) -> int:
        await asyncio.sleep(0)
        return x + 1


class SyncCallable:
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
        return add_one(x)

    @nonblocking
    def pure_returns_coroutine(self, x: int) -> Any:
        return add_one(x)

    def returns_coroutine_of_coroutine(self, x: int) -> Any:
        async def outer() -> Any:
            return add_one(x)

        return outer()

    decorated = wrapped(coroutine)
    decorated_sync = wrapped(plain)

    @staticmethod
    def static(x: int) -> int:
        assert not on_loop()
        return x + 1

    @staticmethod
    async def static_coroutine(x: int) -> int:
        return await add_one(x)

    @classmethod
    async def class_coroutine(cls, x: int) -> int:
        return await add_one(x)

    partial_coroutine = staticmethod(functools.partial(add_one))
    partialmethod = functools.partialmethod(coroutine, 1)
    async_callable = AsyncCallable()
    sync_callable = SyncCallable()

    @functools.singledispatchmethod
    def dispatched(self, x: Any) -> Any:
        raise NotImplementedError

    @dispatched.register
    async def _(self, x: int) -> int:
        return await add_one(x)

    @property
    def prop(self) -> Callable[[int], int]:
        return lambda x: x + 1

    @sync
    async def flow(self, x: int) -> int:
        result: int = await hook(self, "coroutine", x)
        return result


KINDS = sorted(name for name in vars(Hooks) if not name.startswith("_"))


def set_on_an_object(name: str) -> Any:
    class Owner:
        def ask(self, x: int) -> int:
            raise AssertionError("the class's hook must not be called")

    owner: Any = Owner()
    owner.ask = getattr(Hooks(), name)
    return owner


ASKED: dict[str, Callable[..., Any]] = {
    "hook": lambda name, *args: hook(Hooks(), name, *args),
    "call": lambda name, *args: call(getattr(Hooks(), name), *args),
    "hook set on the object": lambda name, *args: hook(set_on_an_object(name), "ask", *args),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("name", KINDS)
def test_a_hook_or_callable_of_every_kind_gives_its_result(name: str, ask: Callable[..., Any]) -> None:
    args = () if name == "partialmethod" else (1,)

    async def flow() -> Any:
        return await ask(name, *args)

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


@pytest.mark.parametrize("wrapper", [wrapped, bare_wrapper])
@pytest.mark.parametrize(("drive", "expected"), [(run, "sync"), (drive_in_loop, "async")])
def test_where_an_object_has_both_colours_the_driver_takes_its_own_in_the_thread_too(
    drive: Driver, expected: str, wrapper: Any
) -> None:
    async def aask() -> str:
        return "async"

    owner: Any = Places()
    owner.ask, owner.aask = lambda: "sync", wrapper(aask)

    async def flow() -> list[str]:
        return [await hook(owner, "sync"), await hook(owner, "ask"), await hook(owner, "sync")]

    assert drive(flow())[1] == expected
    assert counted(flow())[1] == 2  # it is asked where the step before it was


class Proxy:
    def __getattr__(self, name: str) -> Any:
        if name == "ask":
            return lambda: "asked"
        raise AttributeError(name)


class Slotted:
    __slots__ = ()

    async def aask(self) -> str:
        return "asked"


@drivers
@pytest.mark.parametrize("owner", [Proxy, Slotted])
def test_a_hook_of_a_proxy_and_of_an_object_with_slots_is_called(owner: Any, drive: Driver) -> None:
    async def flow() -> Any:
        return await hook(owner(), "ask")

    assert drive(flow()) == "asked"


@drivers
@pytest.mark.parametrize("step", [hook, attribute])
def test_what_is_missing_is_an_attribute_error(step: Any, drive: Driver) -> None:
    async def flow() -> Any:
        return await step(object(), "missing")

    with pytest.raises(AttributeError, match="missing"):
        drive(flow())


def test_a_sync_wrapper_around_an_async_hook_gives_sync_code_no_coroutine() -> None:
    async def answer(*args: Any) -> bool:
        await asyncio.sleep(0)
        return False

    class Base(TwoColoured, hooks=("asks", "is_static", "knows", "promises")):
        asks = bare_wrapper(answer)
        is_static = staticmethod(bare_wrapper(answer))
        promises = nonblocking(bare_wrapper(answer))

        @bare_wrapper
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
    assert vars(Base)["asks"].__wrapped__.__code__ is bare_wrapper(answer).__code__  # no wrapper around a wrapper
