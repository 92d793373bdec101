"""Hooks of serializers, written ``async def``, do what the same hooks do in DRF's own serializers on DRF's own view.

Each case is written once. It is asked with sync hooks on DRF's view, and with async ones on each of ours, with our
serializers. With DRF's own, async hooks are refused.
"""

from __future__ import annotations

import gc
import json
from typing import Any

import pytest
from rest_framework import serializers as drf

from restflow import serializers as restflow
from tests.matrix import each_pair
from tests.serializers.cases import CASES
from tests.serializers.support import FAMILIES, VIEWS, DRFView, answers, awaited, plainly

MIXED = "the_other_familys_serializers_nested"


@each_pair
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", CASES)
def test_hooks_do_what_they_do_in_drf(name: str, view: str, family: str) -> None:
    make, asks = CASES[name]
    expected = answers(DRFView, make(drf, plainly), asks)
    assert all(status in {200, 201, 400, 403} for status, _ in expected), expected
    assert len(expected) == 1 or len(set(expected)) > 1
    for do in (plainly, awaited) if (family == "restflow") is (name != MIXED) else (plainly,):
        assert answers(VIEWS[view], make(FAMILIES[family], do), asks) == expected, do.__name__


# What only comes while it is used, or can't be known by looking at it.
LATE = [
    "what_is_added_while_validating",
    "fields_that_are_added_between_validation_and_representation",
    "validators_that_a_method_gives",
]
UNKNOWN = ["a_bound_method_or_a_lambda_as_a_validator", "sync_hooks_that_give_what_an_async_one_gives"]


@each_pair
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", [name for name in CASES if name not in (*LATE, *UNKNOWN)])
def test_async_hooks_of_a_serializer_of_drfs_are_refused(name: str, view: str) -> None:
    make, asks = CASES[name]
    got = answers(VIEWS[view], make(restflow if name == MIXED else drf, awaited), asks)
    assert [status for status, _ in got] == [500] * len(asks)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", LATE)
def test_those_that_come_while_it_is_used_are_refused_then(name: str) -> None:
    make, asks = CASES[name]
    got = answers(VIEWS["async handlers"], make(drf, awaited), asks)
    assert 500 in {status for status, _ in got}
    assert {status for status, _ in got} <= {400, 500}
    gc.collect()  # what was never awaited is told here


ASKED_IN_A_SCRIPT = [n for n, (_, asks) in CASES.items() if n != MIXED and any(ask[0] == "PUT" for ask in asks)]


def without_a_view(serializer: Any) -> Any:
    valid = serializer.is_valid()
    return json.loads(json.dumps([valid, serializer.errors, serializer.data]))


@pytest.mark.parametrize("name", ASKED_IN_A_SCRIPT)
def test_our_serializers_run_async_hooks_in_a_script(name: str) -> None:
    make, asks = CASES[name]
    for method, sent in asks:
        if method == "PUT":
            kwargs = {**sent["kwargs"], "data": sent["data"]}
            ours = without_a_view(make(restflow, awaited)(**kwargs))
            assert ours == without_a_view(make(drf, plainly)(**kwargs))
