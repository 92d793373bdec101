"""The author that books are given."""

from __future__ import annotations

import pytest

from tests.shop.models import Author


@pytest.fixture
def author(transactional_db: None) -> Author:
    return Author.objects.create(name="ada")
