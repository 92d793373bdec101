"""On the event loop a sync name never passes over an async hook, and never holds its coroutine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework import serializers as drf

from restflow import serializers as restflow
from tests.matrix import each_pair
from tests.serializers.cases import CASES
from tests.serializers.support import awaited


def refused(make: Callable[[], Any], asked: Callable[[Any], Any]) -> None:
    """Ask a serializer for something by its sync name on the event loop, which is an error."""

    async def on_loop() -> None:
        serializer = restflow.add_async_methods(make())
        with pytest.raises(RuntimeError, match="on the event loop asked for"):
            asked(serializer)

    asyncio.run(on_loop())


LOOPS: dict[str, Callable[[Any], Any]] = {
    "is_valid": lambda serializer: serializer.is_valid(),
    "run_validation": lambda serializer: serializer.run_validation({"n": 2}),
    "to_internal_value": lambda serializer: serializer.to_internal_value({"n": 2}),
}


@each_pair
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "name",
    [
        "validate",
        "validate_a_field",
        "validators_of_a_field",
        "a_bound_method_or_a_lambda_as_a_validator",
        "defaults",
        "hooks_of_a_mixin",
        "sync_wrappers_around_async_hooks",
    ],
)
def test_a_sync_name_on_the_event_loop_never_passes_over_an_async_hook(name: str, loop: str) -> None:
    make = CASES[name][0](restflow, awaited)
    if name == "validate" and loop == "to_internal_value":
        loop = "is_valid"  # it is not to_internal_value that calls validate
    refused(lambda: make(data={"n": 2}), LOOPS[loop])


class Later:
    """What can be awaited, and is no coroutine."""

    def __await__(self) -> Any:
        return self
        yield


def test_a_sync_name_on_the_event_loop_never_passes_over_what_can_be_awaited() -> None:
    class Validated(restflow.Serializer):
        n = drf.IntegerField(validators=[lambda value: Later()])

    refused(lambda: Validated(data={"n": 2}), LOOPS["is_valid"])


def test_a_sync_representation_on_the_event_loop_never_holds_a_coroutine() -> None:
    make = CASES["method_fields"][0](restflow, awaited)
    refused(lambda: make({"n": 2}), lambda serializer: serializer.data)


def test_async_code_on_the_loop_gets_a_coroutine_from_an_async_hook_and_sync_code_an_error() -> None:
    class S(restflow.Serializer):
        n = drf.IntegerField()

        async def validate(self, attrs: Any) -> Any:
            return {**attrs, "validated": True}

        async def validate_n(self, value: Any) -> Any:
            return value + 1

        def helper(self, value: Any) -> Any:
            return self.validate_n(value)

    async def main() -> None:
        serializer = S()
        assert await serializer.validate({}) == await serializer.avalidate({}) == {"validated": True}
        assert await asyncio.gather(*[serializer.validate_n(n) for n in (1, 2)]) == [2, 3]
        assert await asyncio.gather(*(serializer.validate_n(n) for n in (1, 2))) == [2, 3]
        assert await asyncio.gather(*map(lambda n: serializer.validate_n(n), (1, 2))) == [2, 3]  # noqa: C417
        assert await asyncio.create_task(serializer.validate_n(1)) == 2
        with pytest.raises(RuntimeError, match="validate_n"):
            serializer.helper(1)

    asyncio.run(main())
    assert S().helper(1) == 2
