"""A class of ours with a flow under both names, and overrides of either."""

from __future__ import annotations

import pytest

from restflow.flow import TwoColoured, asynchronous, sync


class Base(TwoColoured, hooks=("ask",)):
    """A base of ours, with a flow under both names."""

    @sync
    async def ask(self, x: int, *, y: int = 2) -> list[str]:
        """Ask the base."""
        return ["base"]

    aask = asynchronous(ask)


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
