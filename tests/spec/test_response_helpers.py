"""The section "Helper methods": serialized_response, paginated_response, get_pagination_class."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.response import Response

from restflow.views import OFF
from tests.site import Site
from tests.spec.serializers import PageOfTwo, Shout, served
from tests.spec.support import User, UserSer, view_class


@pytest.mark.parametrize("written", ["sync", "async"])
def test_get_pagination_class_gives_the_class_of_paginated_response(colour: str, written: str) -> None:
    async def aget(self: Any) -> Any:
        return PageOfTwo

    getter = aget if written == "async" else lambda self: PageOfTwo
    view = view_class(
        colour,
        "paginated_response",
        lambda view: (("abc",), {}),
        serializer_class=Shout,
        get_pagination_class=getter,
    )
    assert served(view).json()["results"] == ["a!", "b!"]


@pytest.mark.parametrize("pagination", [PageOfTwo, None])
def test_get_pagination_class_is_by_default_the_attribute(colour: str, pagination: Any) -> None:
    view = view_class(
        colour,
        "get_pagination_class",
        lambda view: ((), {}),
        lambda given: Response([given and given.__name__]),
        pagination_class=pagination,
    )
    assert served(view).json() == [pagination and "PageOfTwo"]


@pytest.mark.django_db(transaction=True)
def test_the_viewset_honours_the_pagination_of_an_actionconfig() -> None:
    from restflow.views import ActionConfig, AsyncReadOnlyModelViewSet

    class View(AsyncReadOnlyModelViewSet):
        queryset = User.objects.all()
        serializer_class = UserSer
        action_configs = {"list": ActionConfig(pagination_class=PageOfTwo)}

    for name in ("emma", "jane", "emily"):
        User.objects.create(username=name)
    with Site({"": View.as_view({"get": "list"})}) as site:
        assert [user["username"] for user in site.send("GET", "/").json()["results"]] == ["emma", "jane"]


@pytest.mark.django_db(transaction=True)
def test_serialized_response_wraps_the_data_in_a_response(colour: str) -> None:
    user = User.objects.create(username="emma")
    kinds: list[type] = []
    view = view_class(
        colour,
        "serialized_response",
        lambda view: ((user,), {"status": 201, "headers": {"Location": "/users/1/"}}),
        lambda given: kinds.append(type(given)) or given,
        response_serializer_class=UserSer,
    )
    answer = served(view)
    assert (answer.status, answer.json()) == (201, {"id": user.pk, "username": "emma"})
    assert answer.headers["Location"] == "/users/1/"
    assert issubclass(kinds[0], Response)


def test_many_serializes_a_sequence(colour: str) -> None:
    view = view_class(
        colour, "serialized_response", lambda view: ((["a", "b"],), {"many": True}), serializer_class=Shout
    )
    assert served(view).json() == ["a!", "b!"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("paged", [True, False])
def test_paginated_response_serializes_the_page_or_the_query_set(colour: str, paged: bool) -> None:
    users = [User.objects.create(username=name) for name in ("emma", "jane", "emily")]
    view = view_class(
        colour,
        "paginated_response",
        lambda view: ((User.objects.all(),), {}),
        serializer_class=UserSer,
        pagination_class=PageOfTwo if paged else None,
    )
    rows = [{"id": user.pk, "username": user.username} for user in users]
    answer = served(view)
    assert answer.status == 200
    assert answer.json() == (
        {"count": 3, "next": "http://testserver/?page=2", "previous": None, "results": rows[:2]} if paged else rows
    )
    if paged:
        assert served(view, url="/?page=2").json()["results"] == rows[2:]
        assert served(view, url="/?page=3").status == 404


@pytest.mark.parametrize(
    ("at_class", "keyword", "paged"),
    [
        (None, {}, False),
        (None, {"pagination_class": None}, False),
        (None, {"pagination_class": PageOfTwo}, True),
        (PageOfTwo, {}, True),
        (PageOfTwo, {"pagination_class": None}, True),
        (PageOfTwo, {"pagination_class": OFF}, False),
    ],
)
def test_without_a_pagination_class_all_is_serialized(colour: str, at_class: Any, keyword: Any, paged: bool) -> None:
    view = view_class(
        colour,
        "paginated_response",
        lambda view: (("abc",), keyword),
        serializer_class=Shout,
        pagination_class=at_class,
    )
    data = served(view).json()
    assert (data["results"] if paged else data) == ["a!", "b!", "c!"][: 2 if paged else 3]
