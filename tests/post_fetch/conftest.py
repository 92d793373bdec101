"""The colours and the databases each test of PostFetch runs in, and the rows it finds there."""

from __future__ import annotations

from itertools import product

import pytest
from asgiref.sync import async_to_sync
from django.db import models

from tests.databases import ALIASES
from tests.matrix import some
from tests.post_fetch.support import Fetch, day, review
from tests.shop.models import Review


# Which database answers makes no difference to a colour.
@pytest.fixture(params=some(product(["sync", "async"], ALIASES)), ids="-".join)
def colour_and_database(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param


@pytest.fixture
def fetch(colour_and_database: tuple[str, str]) -> Fetch:
    """``fetch`` or ``afetch``; the async one does its blocking work on this thread, and so on its connection."""
    if colour_and_database[0] == "sync":
        return lambda post_fetch, items: post_fetch.fetch(items)
    return lambda post_fetch, items: async_to_sync(post_fetch.afetch)(items)


@pytest.fixture
def database(colour_and_database: tuple[str, str]) -> str:
    return colour_and_database[1]


@pytest.fixture
def reviews(database: str) -> models.QuerySet[Review]:
    """Three reviews of Emma, one of Ulysses, two of a book nobody asks about."""
    for title, rating, number in [
        ("Emma", 3, 1),
        ("Ulysses", 4, 2),
        ("Emma", 5, 3),
        ("Emma", 1, 2),
        ("Walden", 2, 4),
        ("Walden", 2, 5),
    ]:
        review(database, title, rating, day(number))
    return Review.objects.using(database)
