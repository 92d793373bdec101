from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.utils import translation

from tests.parity.harness import EVERY, TRANSPORTS, Parity


@pytest.fixture(params=[EVERY])
def colour(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def parity(colour: str, transport: str) -> Parity:
    return Parity(colour, transport)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    with translation.override(translation.get_language()):
        yield
    cache.clear()
