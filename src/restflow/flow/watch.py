"""A coroutine run as far as it goes by itself, before anything is made that only one that waits needs."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, Generic, TypeVar

_R = TypeVar("_R")


class Begun(Awaitable[_R], Generic[_R]):
    """A coroutine that has run to where it first waits, or to its end.

    Args:
        coroutine: begun at once, in the task that makes this. To be awaited in the same task.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, _R]) -> None:
        self._coroutine = coroutine
        self.done = False
        self.result: _R | None = None
        try:
            self._waits_for = coroutine.send(None)
        except StopIteration as end:
            self.done, self.result = True, end.value

    def __await__(self) -> Generator[Any, Any, _R]:
        """Go on from where it waits, to its end."""
        waits_for = self._waits_for
        while True:
            try:
                try:
                    value = yield waits_for
                except BaseException as error:
                    waits_for = self._coroutine.throw(error)
                else:
                    waits_for = self._coroutine.send(value)
            except StopIteration as end:
                self.done, self.result = True, end.value
                result: _R = end.value
                return result
