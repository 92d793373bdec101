"""The colours each test of ``ActionConfig`` runs in, and the authors it finds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.colours import ASYNC, BASES, SYNC
from tests.shop.models import Author


@pytest.fixture(params=[SYNC, ASYNC])
def base(request: pytest.FixtureRequest) -> Any:
    """The viewsets of one colour, under DRF's names."""
    return BASES[request.param]


@pytest.fixture(autouse=True)
def _authors() -> None:
    Author.objects.bulk_create(Author(pk=pk, name=name) for pk, name in enumerate(["Austen", "Eliot", "Shelley"], 1))
