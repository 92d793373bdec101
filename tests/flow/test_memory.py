"""What is remembered of classes is bounded, and keeps none of them alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import pytest

from restflow.flow import TwoColoured, hook, keep, run
from restflow.flow.plan import plans


def test_what_is_remembered_of_classes_made_for_one_request_is_bounded() -> None:
    async def flow() -> None:
        for number in range(5000):
            cls = type("Made", (), {"ask": lambda self, number=number: number})
            assert await hook(cls(), "ask") == number

    run(flow())
    assert len(plans) <= 4096


def test_a_memory_that_is_full_is_emptied() -> None:
    memory: dict[Any, Any] = {}
    for number in range(4097):
        keep(memory, number, number)
    assert memory == {4096: 4096}


@pytest.mark.parametrize("is_async", [False, True])
def test_a_class_that_was_made_for_one_request_is_let_go(is_async: bool, collect: Callable[[], int]) -> None:
    def allow(role: str) -> type:
        class HasRole(TwoColoured, hooks=("has_permission", "has_object_permission")):
            if is_async:

                async def has_permission(self) -> str:
                    return role

            else:

                def has_permission(self) -> str:
                    return role

        class HasOwnRole(HasRole):
            has_object_permission = HasRole.has_permission

        return HasOwnRole

    made = [weakref.ref(allow(str(number))) for number in range(3)]
    collect()
    assert [cls() for cls in made] == [None, None, None]
