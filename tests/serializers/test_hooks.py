"""Hooks of serializers, written ``async def``, do what the same hooks do in DRF's own serializers on DRF's own view.

Each case is written once. It is asked with sync hooks on DRF's view, and with async ones on each of ours, with DRF's
own serializers and with ours.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework import serializers as drf

from restflow import serializers as restflow
from tests.matrix import each_pair
from tests.serializers.cases import CASES
from tests.serializers.support import FAMILIES, VIEWS, DRFView, answers, awaited, plainly


@each_pair
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", CASES)
def test_async_hooks_do_what_sync_ones_do_in_drf(name: str, view: str, family: str) -> None:
    make, asks = CASES[name]
    expected = answers(DRFView, make(drf, plainly), asks)
    assert all(status in {200, 201, 400, 403} for status, _ in expected), expected
    assert len(expected) == 1 or len(set(expected)) > 1
    for do in (plainly, awaited):
        assert answers(VIEWS[view], make(FAMILIES[family], do), asks) == expected, do.__name__


def without_a_view(serializer: Any) -> Any:
    valid = serializer.is_valid()
    return json.loads(json.dumps([valid, serializer.errors, serializer.data]))


@pytest.mark.parametrize("name", [name for name, (_, asks) in CASES.items() if any(a[0] == "PUT" for a in asks)])
def test_our_serializers_run_async_hooks_in_a_script(name: str) -> None:
    make, asks = CASES[name]
    for method, sent in asks:
        if method == "PUT":
            kwargs = {**sent["kwargs"], "data": sent["data"]}
            ours = without_a_view(make(restflow, awaited)(**kwargs))
            assert ours == without_a_view(make(drf, plainly)(**kwargs))
