"""One PostFetch serves any number of requests at once, and is left as it was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connections
from django.db.models import Value
from django.db.models.functions import Concat

from restflow.post_fetch import PostFetch
from tests.post_fetch.support import Fetch, attached, review, titled
from tests.shop.models import Review

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.mark.django_db(databases="__all__", transaction=True)
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_concurrent_threads_share_one_instance(database: str, colour: str) -> None:
    count = 8
    for number in range(count):
        review(database, f"Book {number}", number)
    joined = PostFetch(Review.objects.using(database), "found", ["rating"], book_title="title")
    together = Barrier(count)

    def one_request(number: int) -> list[Any]:
        together.wait()
        try:
            seen = []
            for other in range(count):
                items = titled(f"Book {number}", f"Book {other}")
                seen.append(attached(joined.fetch(items) if colour == "sync" else async_to_sync(joined.afetch)(items)))
            return seen
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(one_request, range(count)))
    assert answers == [[[number, other] for other in range(count)] for number in range(count)]


def test_a_fetch_leaves_the_instance_as_it_was(fetch: Fetch, reviews: Any) -> None:
    joined = PostFetch(
        reviews, "found", ["rating"], values_dict={"both": Concat("book_title", Value("!"))}, book_title="title"
    )
    before = {name: value for name, value in vars(joined).items() if name != "queryset"}
    sql = str(joined.queryset.all().query)
    fetch(joined, titled("Emma"))
    assert {name: value for name, value in vars(joined).items() if name != "queryset"} == before
    assert str(joined.queryset.all().query) == sql
