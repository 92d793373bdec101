"""A PostFetch of fields that are not there (E005)."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from django.db.models import Avg, Manager
from rest_framework.views import APIView as DRFAPIView

from restflow.views import APIView, AsyncAPIView, PostFetch
from tests.checks.support import at, of, said
from tests.shop.models import Book, Review


def fetch(*values: str, **kwargs: Any) -> PostFetch:
    given: dict[str, Any] = {"order_by": ["-created"], "book_title": "title", **kwargs}
    queryset = given.pop("queryset", Review.objects.all())
    return PostFetch(queryset, "latest", list(values), **given)


def late(failing: bool = False) -> Any:
    """A manager with a query set of its own; of others a PostFetch knows when it is made."""

    class Late(Manager[Review]):
        def get_queryset(self) -> Any:
            if failing:
                raise RuntimeError("outside of a request")
            return super().get_queryset()

    manager: Any = Late()
    manager.model = Review
    return manager


GOOD_FETCHES = {
    "fields": fetch("rating", "created"),
    "an annotation": fetch("mean", queryset=Review.objects.annotate(mean=Avg("rating"))),
    "an expression": fetch("rating", values_dict={"mean": Avg("rating")}),
    "a relation": PostFetch(Book.objects, "written", ["author__name"], author_id="pk"),
    "a manager that fails, which can't be known": fetch("rating", queryset=late(failing=True)),
}


BAD_FETCHES = {
    "ratng": fetch("ratng", queryset=late()),
    "creatd": fetch("rating", order_by=["creatd"], queryset=late()),
    "boook": fetch("rating", boook="title", queryset=late()),
}


@pytest.mark.parametrize("name", GOOD_FETCHES)
@pytest.mark.parametrize("colour", [APIView, AsyncAPIView])
def test_a_post_fetch_of_fields_that_are_there_is_right(colour: Any, name: str) -> None:
    assert said(at(of(colour, fetches=[GOOD_FETCHES[name]]))) == []


@pytest.mark.parametrize("name", BAD_FETCHES)
@pytest.mark.parametrize("colour", [APIView, AsyncAPIView])
@pytest.mark.parametrize("place", ["class", "list", "base", "module"])
def test_a_post_fetch_of_a_field_that_is_not_there_is_an_error(
    colour: Any, name: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = BAD_FETCHES[name]
    view = {
        "class": lambda: of(colour, latest=bad),
        "list": lambda: of(colour, latest=(bad,)),
        "base": lambda: of(of(colour, latest=bad)),
        "module": lambda: of(colour, __module__="catalogue"),
    }[place]()
    module = ModuleType("catalogue")
    module.latest = bad  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "catalogue", module)
    ((number, text, _),) = said(at(view))
    assert number == "E005"
    assert text.startswith(f"The PostFetch latest of {'catalogue' if place == 'module' else 'View'} names a field")
    assert f"'{name}'" in text


def test_views_of_drf_itself_are_not_looked_at_for_what_is_restflows() -> None:
    assert said(at(of(DRFAPIView, latest=BAD_FETCHES["ratng"]))) == []
