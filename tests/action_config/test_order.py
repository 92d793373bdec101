"""What comes before what: overridden getters, configs along the hierarchy, attributes of the class."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.response import Response

from restflow.views import ActionConfig, action
from tests.action_config.support import (
    AuthorSerializer,
    Deny,
    Named,
    Pages,
    Renamed,
    Shouted,
    failure,
    send,
    viewset_of,
)
from tests.colours import ASYNC, BASES, SYNC
from tests.matrix import examples
from tests.shop.models import Author
from tests.site import Site

pytestmark = pytest.mark.django_db(transaction=True)


def test_none_falls_through_to_the_class(base: Any) -> None:
    viewset = viewset_of(
        base,
        permission_classes=[Deny],
        pagination_class=Pages,
        action_configs={"list": ActionConfig(serializer_class=Named), "retrieve": ActionConfig()},
    )
    assert send(viewset, "GET").status == send(viewset, "GET", "/authors/1/").status == 403
    viewset.permission_classes = []
    assert send(viewset, "GET").json()["results"] == [{"name": "Austen"}, {"name": "Eliot"}]
    assert send(viewset, "GET", "/authors/1/").json() == {"id": 1, "name": "Austen"}


@pytest.mark.parametrize(
    ("config", "attributes", "shown"),
    [
        ({"serializer_class": Named}, {}, {"name"}),
        ({"serializer_class": Named, "response_serializer_class": Shouted}, {}, {"loud"}),
        ({"serializer_class": Named}, {"response_serializer_class": Shouted}, {"loud"}),
        ({"response_serializer_class": Renamed}, {"response_serializer_class": Shouted}, {"title"}),
        ({"request_serializer_class": Named}, {}, {"id", "name"}),
        ({}, {"response_serializer_class": Shouted}, {"loud"}),
    ],
)
def test_a_response_takes_the_configs_direction_then_the_classs_then_the_configs_both(
    base: Any, config: Any, attributes: Any, shown: set[str]
) -> None:
    actions = dict.fromkeys(("list", "retrieve", "create", "update", "partial_update"), ActionConfig(**config))
    viewset = viewset_of(base, **attributes, action_configs=actions)
    sent = {"name": "Woolf", "title": "Woolf"}
    assert set(send(viewset, "GET").json()[0]) == shown
    assert set(send(viewset, "GET", "/authors/1/").json()) == shown
    assert set(send(viewset, "POST", data=sent).json()) == shown
    assert set(send(viewset, "PUT", "/authors/1/", data={**sent, "name": "Wilde"}).json()) == shown
    assert set(send(viewset, "PATCH", "/authors/1/", data={}).json()) == shown


@pytest.mark.parametrize(
    ("config", "attributes", "needed"),
    [
        ({"serializer_class": Renamed}, {}, "title"),
        ({"serializer_class": Renamed, "request_serializer_class": Named}, {}, "name"),
        ({"serializer_class": Named}, {"request_serializer_class": Renamed}, "title"),
        ({"request_serializer_class": Renamed}, {"request_serializer_class": Named}, "title"),
        ({"response_serializer_class": Renamed}, {}, "name"),
    ],
)
def test_a_request_takes_the_configs_direction_then_the_classs_then_the_configs_both(
    base: Any, config: Any, attributes: Any, needed: str
) -> None:
    viewset = viewset_of(base, **attributes, action_configs={"create": ActionConfig(**config)})
    assert set(send(viewset, "POST", data={}).json()) == {needed}


def _super_in(base: Any, name: str, change: Any) -> Any:
    """An override of a getter, in the colour of the viewset, that changes what ``super()`` says."""
    if base is BASES[ASYNC]:

        async def getter(self: Any) -> Any:
            return change(await getattr(super(self.overridden, self), f"a{name}")())

        return {f"a{name}": getter}

    def sync_getter(self: Any) -> Any:
        return change(getattr(super(self.overridden, self), name)())

    return {name: sync_getter}


def overriding(viewset: Any, base: Any, name: str, change: Any) -> Any:
    made = type("Overriding", (viewset,), _super_in(base, name, change))
    made.overridden = made
    return made


def test_super_in_an_overridden_getter_gives_the_configs_answer(base: Any) -> None:
    seen: list[Any] = []

    def see(answer: Any) -> Any:
        seen.append(answer)
        return answer

    names = {
        "get_serializer_class": Named,
        "get_request_serializer_class": Renamed,
        "get_response_serializer_class": Shouted,
        "get_pagination_class": Pages,
    }
    config = ActionConfig(
        serializer_class=Named,
        request_serializer_class=Renamed,
        response_serializer_class=Shouted,
        pagination_class=Pages,
        permission_classes=[AllowAny],
        queryset=lambda view: Author.objects.filter(pk=2).order_by("pk"),
    )
    viewset = viewset_of(base, permission_classes=[Deny], action_configs={"list": config})
    for name, answer in names.items():
        seen.clear()
        viewset_seen = overriding(viewset, base, name, see)

        async def both(self: Any, request: Any, name: str = name) -> Response:
            await getattr(self, f"a{name}")()
            return Response()

        def one(self: Any, request: Any, name: str = name) -> Response:
            getattr(self, name)()
            return Response()

        viewset_seen.list = both if base is BASES[ASYNC] else one
        assert send(viewset_seen, "GET").status == 200
        assert seen[-1] is answer, name
    assert send(overriding(viewset, base, "get_permissions", see), "GET").status == 200
    assert [type(permission) for permission in seen[-1]] == [AllowAny]
    answer = send(
        overriding(viewset, base, "get_queryset", lambda queryset: queryset | Author.objects.filter(pk=3)), "GET"
    )
    assert [author["loud"] for author in answer.json()["results"]] == ["ELIOT!", "SHELLEY!"]


def test_an_overridden_getter_comes_before_the_config(base: Any) -> None:
    config = ActionConfig(
        permission_classes=[], serializer_class=Named, pagination_class=Pages, queryset=Author.objects.none()
    )
    viewset = viewset_of(base, action_configs={"list": config})

    class Overriding(viewset):  # type: ignore[misc]
        def get_serializer_class(self) -> Any:
            return Shouted

        def get_queryset(self) -> Any:
            return Author.objects.order_by("pk")

        def get_pagination_class(self) -> Any:
            return None

    assert send(Overriding, "GET").json() == [{"loud": "AUSTEN!"}, {"loud": "ELIOT!"}, {"loud": "SHELLEY!"}]
    Overriding.get_permissions = lambda self: [Deny()]
    assert send(Overriding, "GET").status == 403


def test_a_config_comes_before_what_the_action_decorator_sets(base: Any) -> None:
    def shout(self: Any, request: Any) -> Response:
        return self.serialized_response(Author(name="x"))

    extra: Any = action(detail=False, permission_classes=[Deny], serializer_class=Shouted)(shout)
    viewset = viewset_of(base, shout=extra)
    assert send(viewset, "GET", "/authors/shout/").status == 403
    viewset.action_configs = {"shout": ActionConfig(permission_classes=[])}
    assert send(viewset, "GET", "/authors/shout/").json() == {"loud": "X!"}
    viewset.action_configs = {"shout": ActionConfig(permission_classes=[], serializer_class=Named)}
    assert send(viewset, "GET", "/authors/shout/").json() == {"name": "x"}


def test_configs_merge_by_action_along_the_hierarchy_and_the_nearest_stands_whole(base: Any) -> None:
    class Mixin:
        action_configs = {
            "list": ActionConfig(permission_classes=[Deny], serializer_class=Named),
            "destroy": ActionConfig(permission_classes=[Deny]),
        }

    class Middle(Mixin, viewset_of(base, action_configs={"retrieve": ActionConfig(permission_classes=[Deny])})):  # type: ignore[misc]
        pass

    class Nearest(Middle):
        action_configs = {"list": ActionConfig(pagination_class=Pages), "destroy": None}

    class Emptied(Nearest):
        action_configs: Any = {}

    for viewset in (Nearest, Emptied):
        assert send(viewset, "GET").json()["results"][0] == {"id": 1, "name": "Austen"}
        assert send(viewset, "GET", "/authors/1/").status == 403
        assert send(viewset, "DELETE", "/authors/1/").status == 403
        assert send(viewset, "PUT", "/authors/2/", {"name": "Woolf"}).status == 200


MARKS = [
    type(name, (AuthorSerializer,), {}) for name in ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven")
]


chosen = st.sampled_from([None, *MARKS])


@pytest.mark.parametrize("colour", [SYNC, ASYNC])
@settings(max_examples=examples(60), deadline=None)
@given(
    levels=st.lists(st.tuples(st.booleans(), chosen, chosen, chosen, chosen), min_size=1, max_size=4),
    of_view=st.tuples(chosen, chosen),
)
def test_each_direction_follows_the_order_in_every_hierarchy(colour: str, levels: Any, of_view: Any) -> None:
    """A level: whether it has a config, the config's response and both classes, the class's response and both."""

    def list_(self: Any, request: Any) -> Response:
        return Response([self.serializer_class.__name__, str(getattr(self.response_serializer_class, "__name__", ""))])

    view: Any = viewset_of(BASES[colour], list=list_)
    response, both = None, AuthorSerializer
    config = ActionConfig()
    for has_config, config_response, config_both, class_response, class_both in levels:
        body: dict[str, Any] = {}
        if has_config:
            config = ActionConfig(response_serializer_class=config_response, serializer_class=config_both)
            body["action_configs"] = {"list": config}
        if class_response:
            response = body["response_serializer_class"] = class_response
        if class_both:
            both = body["serializer_class"] = class_both
        view = type("Level", (view,), body)
    names = ("response_serializer_class", "serializer_class")
    initkwargs = {name: value for name, value in zip(names, of_view, strict=True) if value}
    expected = (
        config.serializer_class or initkwargs.get("serializer_class") or both,
        config.response_serializer_class or initkwargs.get("response_serializer_class") or response,
    )
    with Site({"x/": view.as_view({"get": "list"}, **initkwargs)}) as site:
        answer = asyncio.run(site.asend("GET", "/x/"))
    assert answer.json() == [expected[0].__name__, expected[1].__name__ if expected[1] else ""]


def test_configs_of_a_class_that_stands_behind_ours_count(base: Any) -> None:
    class Refusing(BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            return False

    class Policy:
        action_configs = {"list": ActionConfig(permission_classes=[Refusing])}

    viewset = type(
        "V", (base.ModelViewSet, Policy), {"queryset": Author.objects.all(), "serializer_class": AuthorSerializer}
    )
    with Site({"x/": viewset.as_view({"get": "list"})}) as site:
        assert site.send("GET", "/x/").status == 403


def test_configs_may_be_patched_on_the_class_and_on_a_base_of_it(base: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    viewset = viewset_of(base)
    nearest = type("Nearest", (viewset,), {})
    for patched in (nearest, viewset):
        assert send(nearest, "GET").status == 200
        with monkeypatch.context() as patch:
            patch.setattr(patched, "action_configs", {"list": ActionConfig(permission_classes=[Deny])})
            assert send(nearest, "GET").status == 403
    assert send(nearest, "GET").status == 200


def test_configs_may_be_given_to_as_view(base: Any) -> None:
    viewset = viewset_of(base, action_configs={"create": ActionConfig(permission_classes=[Deny])})
    given = {"list": ActionConfig(serializer_class=Named)}
    view = viewset.as_view({"get": "list", "post": "create"}, action_configs=given)
    with Site({"given/": view, "plain/": viewset.as_view({"get": "list"})}) as site:
        assert set(site.send("GET", "/given/").json()[0]) == {"name"}
        assert site.send("POST", "/given/", {}).status == 403
        assert set(site.send("GET", "/plain/").json()[0]) == {"id", "name"}


def test_a_viewset_without_a_model_has_configs_too(base: Any) -> None:
    class Plain(base.ViewSet):  # type: ignore[misc]
        authentication_classes: list[Any] = []
        action_configs = {
            "list": ActionConfig(permission_classes=[Deny]),
            "retrieve": ActionConfig(serializer_class=Named),
        }

        def list(self, request: Any) -> Response:
            return Response()

        def retrieve(self, request: Any, pk: Any) -> Response:
            return self.serialized_response(Author(name="Austen"))

    assert send(Plain, "GET").status == 403
    assert send(Plain, "GET", "/authors/1/").json() == {"name": "Austen"}


@pytest.mark.parametrize(
    ("configs", "message"),
    [
        (property(lambda view: {}), "Authors.action_configs must be a dict of ActionConfig by action, got <property"),
        ([ActionConfig()], "Authors.action_configs must be a dict"),
        ({"list": {"permission_classes": []}}, r"Authors.action_configs\['list'\] must be an ActionConfig, got"),
        ({"list": ActionConfig}, r"Authors.action_configs\['list'\] must be an ActionConfig, got"),
    ],
)
def test_configs_that_can_not_be_read_are_refused_by_as_view_and_by_a_request(
    base: Any, configs: Any, message: str
) -> None:
    viewset = viewset_of(base)
    raised = failure(viewset, "GET", action_configs=configs)
    assert isinstance(raised, ImproperlyConfigured)
    assert re.match(message, str(raised))
    with pytest.raises(ImproperlyConfigured, match=message):
        viewset.as_view({"get": "list"})


def test_configs_can_not_be_added_to_those_of_all_viewsets(base: Any) -> None:
    with pytest.raises(TypeError):
        viewset_of(base).action_configs["list"] = ActionConfig()
