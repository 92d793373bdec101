from __future__ import annotations

import pytest
from rest_framework.pagination import PageNumberPagination


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    """Which of the two classes, and of the two flavours of a helper, is tested."""
    given: str = request.param
    return given


@pytest.fixture
def pages_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``REST_FRAMEWORK = {"PAGE_SIZE": 2}`` gives; DRF reads that setting once, when its class is made."""
    monkeypatch.setattr(PageNumberPagination, "page_size", 2)
