"""The query set of a config is made anew by each request, on viewsets that are generic and on those that are not."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest
from django.db.models import Manager
from rest_framework.filters import OrderingFilter
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response

from restflow.views import OFF, ActionConfig
from tests.action_config.support import send, viewset_of
from tests.colours import ASYNC, BASES, DRF, SYNC
from tests.shop.models import Author

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("queryset", ["query set", "manager", "sync", "async"])
def test_a_queryset_is_read_anew_by_each_request(base: Any, queryset: str) -> None:
    def few(view: Any) -> Any:
        assert view.action == "list"
        return Author.objects.filter(pk__gt=1)

    async def afew(view: Any) -> Any:
        assert view.action == "list"
        return Author.objects.filter(pk__gt=1)

    few_now = Author.objects.filter(pk__gt=1)
    list(few_now)  # it has rows of its own now, which no request may see
    given = {"query set": few_now, "manager": Author.objects, "sync": few, "async": afew}[queryset]
    viewset = viewset_of(base, queryset=Author.objects.none(), action_configs={"list": ActionConfig(queryset=given)})
    before = [author["name"] for author in send(viewset, "GET").json()]
    assert before == (["Austen"] if queryset == "manager" else []) + ["Eliot", "Shelley"]
    Author.objects.create(name="Woolf")
    assert [author["name"] for author in send(viewset, "GET").json()] == [*before, "Woolf"]
    assert send(viewset, "GET", "/authors/2/").status == 404


def test_rows_that_a_view_reads_of_its_queryset_are_gone_with_the_request(base: Any) -> None:
    def list_(self: Any, request: Any) -> Response:
        return Response([author.name for author in self.queryset])

    given = Author.objects.filter(pk=1)
    viewset = viewset_of(base, list=list_, action_configs={"list": ActionConfig(queryset=given)})
    assert send(viewset, "GET").json() == ["Austen"]
    Author.objects.filter(pk=1).update(name="Brontë")
    assert send(viewset, "GET").json() == ["Brontë"]


def test_a_manager_may_query_to_make_its_query_set(base: Any) -> None:
    class Latest(Manager[Author]):
        def get_queryset(self) -> Any:
            return super().get_queryset().filter(pk=Author.objects.order_by("pk").values_list("pk", flat=True)[2])

    manager: Any = Latest()
    manager.model = Author
    for attributes in ({"queryset": manager}, {"action_configs": {"list": ActionConfig(queryset=manager)}}):
        assert send(viewset_of(base, **attributes), "GET").json() == [{"id": 3, "name": "Shelley"}]


class Stub:
    """What a test gives for a query set."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def all(self) -> Any:
        return [Author(pk=pk, name=name) for pk, name in enumerate(self.names, 1)]


class CallableStub(Stub):
    def __call__(self, view: Any) -> Any:
        raise AssertionError("not a callable of the view")


@pytest.mark.parametrize("stub", [Stub, CallableStub, lambda name: Mock(all=Mock(side_effect=Stub(name).all))])
def test_whatever_has_all_is_taken_for_a_query_set(base: Any, stub: Any) -> None:
    config = ActionConfig(queryset=stub("Woolf"), pagination_class=OFF)
    viewset = viewset_of(base, queryset=Author.objects.none(), action_configs={"list": config})
    assert send(viewset, "GET").json() == [{"id": 1, "name": "Woolf"}]
    view = viewset()
    view.action = "list"
    assert [author.name for author in view.get_queryset()] == ["Woolf"]


def without_actions(base: Any, **attributes: Any) -> Any:
    """A viewset that is not generic, whose actions tell what they get for a query set."""

    def names(self: Any, request: Any, pk: Any = None) -> Response:
        return Response([author.name for author in self.get_queryset()])

    async def awaited_names(self: Any, request: Any) -> Response:
        return Response([author.name async for author in await self.aget_queryset()])

    actions = {"list": awaited_names if base is BASES[ASYNC] else names, "retrieve": names}
    return type("Shelf", (base.ViewSet,), {**actions, **attributes})


def test_a_viewset_that_is_not_generic_has_the_query_set_of_its_attribute_or_its_config(base: Any) -> None:
    few = Author.objects.filter(pk__gt=1)
    viewset = without_actions(base, queryset=few, action_configs={"list": ActionConfig(queryset=few.filter(pk=3))})
    assert send(viewset, "GET").json() == ["Shelley"]
    assert send(viewset, "GET", "/authors/1/").json() == ["Eliot", "Shelley"]
    Author.objects.create(pk=4, name="Woolf")
    assert send(viewset, "GET", "/authors/1/").json() == ["Eliot", "Shelley", "Woolf"]


@pytest.mark.parametrize("kind", ["ViewSet", "GenericViewSet"])
def test_a_viewset_without_a_query_set_anywhere_says_so_as_drfs_generic_views_do(base: Any, kind: str) -> None:
    with pytest.raises(AssertionError) as theirs:
        type("Shelf", (BASES[DRF].GenericViewSet,), {})().get_queryset()
    view = type("Shelf", (getattr(base, kind),), {})()
    with pytest.raises(AssertionError) as ours:
        view.get_queryset()
    assert str(ours.value) == str(theirs.value)
    if base is BASES[ASYNC]:
        with pytest.raises(AssertionError) as awaited:
            asyncio.run(view.aget_queryset())
        assert str(awaited.value) == str(theirs.value)


def test_a_viewset_shows_get_queryset_where_it_has_a_query_set(base: Any) -> None:
    assert not hasattr(without_actions(base)(), "get_queryset")  # as in DRF
    assert hasattr(without_actions(base, queryset=Author.objects.all())(), "get_queryset")
    assert hasattr(without_actions(base, queryset=property(lambda view: Author.objects.all()))(), "get_queryset")
    view = without_actions(base, action_configs={"list": ActionConfig(queryset=lambda view: Author.objects.all())})()
    for name in ("list", "retrieve"):
        view.action = name
        assert hasattr(view, "get_queryset") is (name == "list")


@pytest.mark.parametrize("colour", [DRF, SYNC, ASYNC])
def test_the_browsable_api_looks_for_no_filters_where_a_viewset_has_no_query_set(colour: str) -> None:
    def list_(self: Any, request: Any) -> Response:
        return Response([backend.__name__ for backend in self.filter_backends])

    attributes = {"renderer_classes": [BrowsableAPIRenderer, JSONRenderer], "authentication_classes": [], "list": list_}
    viewset = type("Shelf", (BASES[colour].ViewSet,), {**attributes, "filter_backends": [OrderingFilter]})
    answer = send(viewset, "GET")
    assert answer.status == 200
    assert b"OrderingFilter" in answer.body


@pytest.mark.parametrize(
    ("colour", "written"), [(SYNC, "get_queryset"), (ASYNC, "get_queryset"), (ASYNC, "aget_queryset")]
)
def test_an_override_of_get_queryset_is_asked_on_a_viewset_that_is_not_generic(colour: str, written: str) -> None:
    def get_queryset(self: Any) -> Any:
        return super(viewset, self).get_queryset().filter(pk=1)

    async def aget_queryset(self: Any) -> Any:
        return (await super(viewset, self).aget_queryset()).filter(pk=1)

    override = {"get_queryset": get_queryset, "aget_queryset": aget_queryset}[written]
    viewset = without_actions(BASES[colour], queryset=Author.objects.all(), **{written: override})
    assert send(viewset, "GET").json() == send(viewset, "GET", "/authors/1/").json() == ["Austen"]


def test_a_get_queryset_behind_a_viewset_that_would_be_passed_over_is_refused(base: Any) -> None:
    class Shelved:
        def get_queryset(self) -> Any:
            return Author.objects.all()

    with pytest.raises(TypeError, match=r"Shelved.get_queryset would never be called .* List Shelved first"):
        type("Shelf", (base.ViewSet, Shelved), {})
    assert len(type("Shelf", (Shelved, base.ViewSet), {})().get_queryset()) == 3
