"""``ActionConfig``: each field in each action, what comes before it, and that nothing of it outlives its request."""

from __future__ import annotations

import asyncio
import re
import sys
from functools import cached_property
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import got_request_exception
from django.db.models import Manager
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.filters import BaseFilterBackend, OrderingFilter
from rest_framework.pagination import PageNumberPagination
from rest_framework.parsers import JSONParser
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request as DRFRequest
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIRequestFactory
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView as DRFAPIView

from restflow.views import OFF, ActionConfig, ViewSetMixin, action
from restflow.views.hooks import ACTIONS
from tests.colours import ASYNC, BASES, DRF, SYNC
from tests.matrix import examples
from tests.shop.models import Author
from tests.site import Answer, Site

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=[SYNC, ASYNC])
def base(request: pytest.FixtureRequest) -> Any:
    """The viewsets of one colour, under DRF's names."""
    return BASES[request.param]


@pytest.fixture(autouse=True)
def _authors() -> None:
    Author.objects.bulk_create(Author(pk=pk, name=name) for pk, name in enumerate(["Austen", "Eliot", "Shelley"], 1))


class AuthorSerializer(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["id", "name"]


class Named(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["name"]


class Shouted(serializers.ModelSerializer):
    loud = serializers.SerializerMethodField()

    class Meta:
        model = Author
        fields = ["loud"]

    def get_loud(self, author: Any) -> str:
        return f"{author.name}!".upper()


class Renamed(serializers.ModelSerializer):
    title = serializers.CharField(source="name")

    class Meta:
        model = Author
        fields = ["title"]


class Deny(BasePermission):
    message = "denied"

    def has_permission(self, request: Any, view: Any) -> bool:
        return False


class AsyncDeny(BasePermission):
    message = "denied"

    async def has_permission(self, request: Any, view: Any) -> bool:  # type: ignore[override]
        return False


class Pages(PageNumberPagination):
    page_size = 2


def urls(viewset: Any) -> list[Any]:
    router = SimpleRouter()
    router.register("authors", viewset, basename="author")
    return router.urls


def send(viewset: Any, method: str, url: str = "/authors/", data: Any = None, **kwargs: Any) -> Answer:
    with Site(urls(viewset)) as site:
        return asyncio.run(site.asend(method, url, data, **kwargs))


def failure(viewset: Any, method: str, **changes: Any) -> BaseException | None:
    """What a view raised, where its request ended in a 500; ``changes`` come to its class after its routes are made."""
    raised: list[BaseException | None] = []

    def note(**kwargs: Any) -> None:
        raised.append(sys.exception())

    got_request_exception.connect(note)
    try:
        with Site(urls(viewset)) as site:
            for name, value in changes.items():
                setattr(viewset, name, value)
            assert asyncio.run(site.asend(method, "/authors/")).status == 500
    finally:
        got_request_exception.disconnect(note)
    return raised[0]


def viewset_of(base: Any, **attributes: Any) -> Any:
    """A viewset of authors, over the bases of one colour."""
    given = {
        "queryset": Author.objects.order_by("pk"),
        "serializer_class": AuthorSerializer,
        "authentication_classes": [],
        "permission_classes": [],
        "renderer_classes": [JSONRenderer],
    }
    return type("Authors", (base.ModelViewSet,), {**given, **attributes})


# Each field, in each action.


def components(asked: list[tuple[str, str]], label: str, colour: str) -> dict[str, Any]:
    """A component for each field of a config. Each notes that it was asked, and is otherwise as DRF's."""

    def noting(kind: str, hook: Any) -> Any:
        def sync_hook(self: Any, *args: Any, **kwargs: Any) -> Any:
            asked.append((kind, label))
            return hook(self, *args, **kwargs)

        async def async_hook(self: Any, *args: Any, **kwargs: Any) -> Any:
            asked.append((kind, label))
            return hook(self, *args, **kwargs)

        return async_hook if colour == "async" else sync_hook

    def noting_in_sync(kind: str, hook: Any) -> Any:
        def sync_hook(self: Any, *args: Any, **kwargs: Any) -> Any:
            asked.append((kind, label))
            return hook(self, *args, **kwargs)

        return sync_hook

    class Permission(BasePermission):
        has_permission = noting("permission", BasePermission.has_permission)

    class Authentication(BaseAuthentication):
        authenticate = noting("authentication", lambda self, request: None)

    class Throttle(BaseThrottle):
        allow_request = noting("throttle", lambda self, request, view: True)

    class Parser(JSONParser):
        parse = noting_in_sync("parser", JSONParser.parse)

    class Renderer(JSONRenderer):
        render = noting_in_sync("renderer", JSONRenderer.render)

    class Filter(BaseFilterBackend):
        filter_queryset = noting("filter", lambda self, request, queryset, view: queryset)

    class Pagination(PageNumberPagination):
        page_size = 2
        # DRF's own counts and slices: in sync colour it may.
        paginate_queryset = noting_in_sync("pagination", PageNumberPagination.paginate_queryset)

    class ForRequest(AuthorSerializer):
        validate = noting("request serializer", lambda self, data: data)

    class ForResponse(AuthorSerializer):
        to_representation = noting_in_sync("response serializer", AuthorSerializer.to_representation)

    return {
        "permission_classes": [Permission],
        "authentication_classes": [Authentication],
        "throttle_classes": (Throttle,),
        "parser_classes": [Parser],
        "renderer_classes": [Renderer],
        "filter_backends": [Filter],
        "pagination_class": Pagination,
        "request_serializer_class": ForRequest,
        "response_serializer_class": ForResponse,
        "queryset": noting("queryset", lambda view: Author.objects.order_by("pk")),
    }


ALWAYS = {"permission", "authentication", "throttle", "renderer"}
BODY = {"parser", "request serializer", "response serializer"}
ONE = {"queryset", "filter"}
ASKED = {
    "list": ("GET", "/authors/", None, ALWAYS | ONE | {"pagination", "response serializer"}),
    "retrieve": ("GET", "/authors/1/", None, ALWAYS | ONE | {"response serializer"}),
    "create": ("POST", "/authors/", {"name": "Woolf"}, ALWAYS | BODY),
    "update": ("PUT", "/authors/1/", {"name": "Wilde"}, ALWAYS | BODY | ONE),
    "partial_update": ("PATCH", "/authors/1/", {"name": "Shaw"}, ALWAYS | BODY | ONE),
    "destroy": ("DELETE", "/authors/1/", None, ALWAYS | ONE),
    "metadata": ("OPTIONS", "/authors/1/", None, ALWAYS | ONE),
    "praise": ("POST", "/authors/1/praise/", {"name": "Yeats"}, ALWAYS | BODY | ONE),
    "blame": ("DELETE", "/authors/1/praise/", None, ALWAYS | ONE),
}


def praising(base: Any) -> dict[str, Any]:
    """An extra action, and another under the same URL, that use what the view gives."""

    async def praise(self: Any, request: Any, pk: Any = None) -> Response:
        await self.aget_object()
        serializer = await self.avalidated_serializer()
        return await self.aserialized_response(Author(pk=1, **serializer.validated_data))

    def sync_praise(self: Any, request: Any, pk: Any = None) -> Response:
        self.get_object()
        serializer = self.validated_serializer()
        return self.serialized_response(Author(pk=1, **serializer.validated_data))

    def blame(self: Any, request: Any, pk: Any = None) -> Response:
        self.get_object()
        return Response(status=204)

    sync_praise.__name__ = "praise"
    extra: Any = action(detail=True, methods=["post"])(praise if base is BASES[ASYNC] else sync_praise)
    return {"praise": extra, "blame": extra.mapping.delete(blame)}


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("name", ASKED)
def test_every_field_counts_in_its_action_and_in_no_other(base: Any, name: str, colour: str) -> None:
    asked: list[tuple[str, str]] = []
    given = components(asked, "class", colour)
    of_class = {**given, "queryset": Author.objects.order_by("pk")}
    config = ActionConfig(**components(asked, "config", colour))
    viewset = viewset_of(base, **praising(base), **of_class, action_configs={name: config})
    for other, (method, url, data, expected) in sorted(ASKED.items(), key=lambda item: item[0] == "destroy"):
        asked.clear()
        answer = send(viewset, method, url, data)
        assert answer.status < 300, (other, answer.body)
        labels = dict(asked)
        wanted = "config" if other == name else "class"
        assert {kind: wanted for kind in expected if wanted == "config" or kind != "queryset"} == labels, other


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


def test_off_switches_paging_off_for_one_action(base: Any) -> None:
    viewset = viewset_of(base, pagination_class=Pages)
    assert len(send(viewset, "GET").json()["results"]) == 2
    viewset.action_configs = {"list": ActionConfig(pagination_class=OFF)}
    assert len(send(viewset, "GET").json()) == 3


def test_pagination_of_a_config_pages_a_viewset_that_has_none(base: Any) -> None:
    viewset = viewset_of(base, action_configs={"list": ActionConfig(pagination_class=Pages)})
    assert send(viewset, "GET").json()["count"] == 3


@pytest.mark.parametrize("empty", [[], ()])
def test_an_empty_list_is_an_answer(base: Any, empty: Any) -> None:
    viewset = viewset_of(
        base, permission_classes=[Deny], action_configs={"list": ActionConfig(permission_classes=empty)}
    )
    assert send(viewset, "GET").status == 200
    assert send(viewset, "GET", "/authors/1/").status == 403


# What comes before what.


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


# Checks are never weaker by accident.


@pytest.mark.parametrize("permission", [Deny, AsyncDeny, ~Deny & AsyncDeny])
@pytest.mark.parametrize("name", ASKED)
def test_a_permission_of_a_config_refuses_its_action_alone(base: Any, name: str, permission: Any) -> None:
    viewset = viewset_of(base, **praising(base), action_configs={name: ActionConfig(permission_classes=[permission])})
    for other, (method, url, data, _) in sorted(ASKED.items(), key=lambda item: item[0] == "destroy"):
        assert (send(viewset, method, url, data).status == 403) is (other == name), other


def test_head_is_asked_as_the_action_of_get(base: Any) -> None:
    viewset = viewset_of(base, action_configs={"list": ActionConfig(permission_classes=[Deny])})
    assert send(viewset, "HEAD").status == 403
    assert send(viewset, "HEAD", "/authors/1/").status == 200


def test_a_method_without_an_action_is_asked_by_the_class(base: Any) -> None:
    seen: list[Any] = []

    class Seen(BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            seen.append(view.action)
            return True

    configs = {name: ActionConfig(permission_classes=[Deny]) for name in ACTIONS}
    viewset = viewset_of(base, permission_classes=[Seen], action_configs=configs)
    assert send(viewset, "PATCH").status == 405
    assert seen == [None]
    viewset.permission_classes = [Deny]
    assert send(viewset, "PATCH").status == 403


def test_the_metadata_of_a_view_are_those_of_their_own_config(base: Any) -> None:
    viewset = viewset_of(base, action_configs={"create": ActionConfig(serializer_class=Renamed)})
    assert set(send(viewset, "OPTIONS").json()["actions"]["POST"]) == {"id", "name"}
    viewset.action_configs = {"metadata": ActionConfig(serializer_class=Renamed, parser_classes=[JSONParser])}
    answer = send(viewset, "OPTIONS").json()
    assert set(answer["actions"]["POST"]) == {"title"}
    assert answer["parses"] == ["application/json"]


class Guarded:
    """A data descriptor that does not show itself on the class."""

    def __get__(self, view: Any, owner: type) -> Any:
        return [AllowAny]

    def __set__(self, view: Any, value: Any) -> None:
        raise AttributeError


class Undeletable:
    def __get__(self, view: Any, owner: type) -> Any:
        return [AllowAny]

    def __delete__(self, view: Any) -> None:
        raise AttributeError


def of_the_request(view: Any) -> Any:
    return list(view.request.query_params)  # which only the DRF request has


@pytest.mark.parametrize(
    "decides", [property(lambda view: [AllowAny]), property(of_the_request), Guarded(), Undeletable()]
)
def test_a_property_that_would_hide_a_config_is_refused_by_as_view_and_by_its_action(base: Any, decides: Any) -> None:
    viewset = viewset_of(base, action_configs={"list": ActionConfig(permission_classes=[Deny])})
    raised = failure(viewset, "GET", permission_classes=decides)
    assert isinstance(raised, ImproperlyConfigured)
    message = r"Authors.permission_classes is a property.*'list'"
    assert re.match(message, str(raised))
    with pytest.raises(ImproperlyConfigured, match=message):
        viewset.as_view({"get": "list"})
    viewset.as_view({"get": "retrieve"})


def test_a_cached_property_is_a_class_attribute_like_any_other(base: Any) -> None:
    def found(view: Any) -> Any:
        return [AllowAny]

    viewset = viewset_of(base, action_configs={"list": ActionConfig(permission_classes=[Deny])})
    viewset.permission_classes = cached_property(found)
    viewset.permission_classes.__set_name__(viewset, "permission_classes")
    assert send(viewset, "GET").status == 403
    assert send(viewset, "GET", "/authors/1/").status == 200


@pytest.mark.parametrize("default", [None, "list", "retrieve"])
def test_an_action_named_on_the_class_does_not_hide_the_configs(base: Any, default: Any) -> None:
    class Before:
        action: Any = default

    given = {"action_configs": {"list": ActionConfig(permission_classes=[Deny])}, "renderer_classes": [JSONRenderer]}
    for viewset in (
        type("Own", (viewset_of(base, **given),), {"action": default}),
        type("Mixed", (Before, viewset_of(base, **given)), {}),
    ):
        assert viewset.action == viewset().action == default
        assert send(viewset, "GET").status == 403
        assert send(viewset, "GET", "/authors/1/").status == 200


def test_an_action_patched_onto_the_class_does_not_hide_the_configs(base: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    viewset = viewset_of(base, action_configs={"list": ActionConfig(permission_classes=[Deny])})
    monkeypatch.setattr(viewset, "action", "retrieve", raising=False)
    assert send(viewset, "GET").status == 403


def test_a_config_counts_whatever_initialize_request_does(base: Any) -> None:
    def initialize_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        return DRFRequest(request)

    config = ActionConfig(permission_classes=[Deny])
    viewset = viewset_of(base, initialize_request=initialize_request, action_configs={"list": config})
    assert send(viewset, "GET").status == 403


def test_on_a_view_of_drfs_a_config_counts_from_the_start_or_is_an_error() -> None:
    class Refuse(BaseAuthentication):
        def authenticate(self, request: Any) -> Any:
            raise AuthenticationFailed

    def get(self: Any, request: Any) -> Response:
        return Response({})

    config = ActionConfig(authentication_classes=[Refuse])
    view: Any = type("V", (ViewSetMixin, DRFAPIView), {"list": get, "action_configs": {"list": config}})
    request = APIRequestFactory().get("/")
    assert view.as_view({"get": "list"})(request).status_code == 403
    view.initialize_request = lambda self, request: DRFRequest(request)
    with pytest.raises(ImproperlyConfigured, match=r"V\.initialize_request sets no action"):
        view.as_view({"get": "list"})(request)


def test_an_initialize_request_may_name_the_action_itself(base: Any) -> None:
    def initialize_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.action = self.action_map.get(request.method.lower())
        return DRFRequest(request)

    config = ActionConfig(permission_classes=[Deny])
    viewset = viewset_of(base, initialize_request=initialize_request, action_configs={"list": config})
    assert send(viewset, "GET").status == 403
    assert send(viewset, "GET", "/authors/1/").status == 200


def test_requests_at_the_same_time_have_their_own_configs() -> None:
    async def both() -> list[Answer]:
        return await asyncio.gather(*(site.asend("GET", url) for url in ("/authors/", "/authors/1/") * 4))

    class Slow(BasePermission):
        async def has_permission(self, request: Any, view: Any) -> bool:  # type: ignore[override]
            config = view.action_config
            for _ in range(5):
                await asyncio.sleep(0)
                assert view.serializer_class is config.serializer_class
            return True

    configs = {"list": ActionConfig(serializer_class=Named), "retrieve": ActionConfig(serializer_class=Shouted)}
    viewset = viewset_of(BASES[ASYNC], permission_classes=[Slow], action_configs=configs)
    with Site(urls(viewset)) as site:
        many, one, *_ = answers = asyncio.run(both())
    assert {answer.status for answer in answers} == {200}
    assert (many.json()[0], one.json()) == ({"name": "Austen"}, {"loud": "AUSTEN!"})


def test_an_extra_action_may_be_named_action(base: Any) -> None:
    def named(self: Any, request: Any) -> Response:
        return Response(self.action)

    named.__name__ = "action"
    viewset = viewset_of(base, action=action(detail=False)(named))
    assert send(viewset, "GET", "/authors/action/").json() == "action"
    viewset.action_configs = {"action": ActionConfig(permission_classes=[Deny])}
    assert send(viewset, "GET", "/authors/action/").status == 403


def test_a_property_named_action_is_refused_when_the_class_is_made(base: Any) -> None:
    with pytest.raises(TypeError, match=r"Authors.action must not be a property"):
        viewset_of(base, action=property(lambda view: "list"))


# Nothing outlives its request.


def test_a_request_leaves_no_trace_on_the_class_and_the_config(base: Any) -> None:
    def list_(self: Any, request: Any) -> Response:
        assert len(self.permission_classes) == len(self.filter_backends) == 1
        self.permission_classes += [Deny]
        self.filter_backends.append(None)
        return Response()

    class Same(BaseFilterBackend):
        pass

    permissions, filters = [AllowAny], [Same]
    config = ActionConfig(permission_classes=permissions, filter_backends=filters)
    viewset = viewset_of(base, list=list_, action_configs={"list": config})
    before = dict(vars(viewset))
    assert send(viewset, "GET").status == send(viewset, "GET").status == 200
    assert (permissions, filters) == ([AllowAny], [Same])
    after = dict(vars(viewset))
    assert {name: value for name, value in after.items() if name in before} == before


@pytest.fixture
def browsable(base: Any) -> Any:
    """A viewset for browsers, whose permissions note under which action and method they are asked."""
    seen: list[tuple[Any, str, str]] = []

    def noting(label: str) -> Any:
        class Noting(BasePermission):
            def has_permission(self, request: Any, view: Any) -> bool:
                seen.append((label, view.action, request.method))
                return label != "create's"

        return Noting

    viewset = viewset_of(
        base,
        permission_classes=[noting("class's")],
        renderer_classes=[BrowsableAPIRenderer, JSONRenderer],
        action_configs={
            "list": ActionConfig(permission_classes=[noting("list's")], pagination_class=Pages),
            "create": ActionConfig(permission_classes=[noting("create's")], serializer_class=Renamed),
            "update": ActionConfig(permission_classes=[noting("update's")], serializer_class=Renamed),
        },
    )
    return SimpleNamespace(viewset=viewset, seen=seen)


def test_the_browsable_api_asks_each_action_by_its_own_config_and_comes_back(browsable: Any) -> None:
    answer = send(browsable.viewset, "GET")
    page = answer.body.decode()
    assert answer.status == 200
    assert {("create's", "create", "POST"), ("list's", "list", "GET")} <= set(browsable.seen)
    assert not [seen for seen in browsable.seen if seen[1] == "create" and seen[0] != "create's"]
    assert not [seen for seen in browsable.seen if seen[1] == "list" and seen[0] != "list's"]
    assert 'name="title"' not in page
    assert "page=2" in page  # the list's own pages, after the others were asked
    browsable.seen.clear()
    page = send(browsable.viewset, "GET", "/authors/1/").body.decode()
    assert 'name="title"' in page
    assert ("update's", "update", "PUT") in browsable.seen
    assert ("class's", "destroy", "DELETE") in browsable.seen


def test_the_browsable_api_does_so_where_the_class_names_an_action_itself(browsable: Any) -> None:
    browsable.viewset = type("Own", (browsable.viewset,), {"action": None})
    assert send(browsable.viewset, "GET").status == 200
    assert ("create's", "create", "POST") in browsable.seen
    assert not [seen for seen in browsable.seen if seen[1] == "create" and seen[0] != "create's"]


def test_an_action_has_what_it_had_when_the_browsable_api_comes_back_to_it(base: Any) -> None:
    from rest_framework.request import override_method

    kept: dict[str, Any] = {}

    def list_(self: Any, request: Any) -> Response:
        self.serializer_class = Shouted  # over the config's
        self.throttle_classes = [BaseThrottle]  # of which no config says anything
        before = {name: vars(self).get(name) for name in ("serializer_class", "throttle_classes", "permission_classes")}
        with override_method(self, request, "POST"):
            kept["create"] = self.serializer_class, self.throttle_classes, self.permission_classes
            self.parser_classes = []
        with override_method(self, request, "OPTIONS"):
            kept["none"] = self.action, self.serializer_class, self.throttle_classes, self.permission_classes
        with override_method(self, request, "POST"):
            kept["create again"] = self.parser_classes
            del self.serializer_class
        with override_method(self, request, "POST"):
            kept["create without"] = self.serializer_class
        kept["list"] = before == {name: vars(self).get(name) for name in before}
        return Response()

    class Other(BasePermission):
        pass

    viewset = viewset_of(
        base,
        list=list_,
        permission_classes=(Other,),
        action_configs={
            "list": ActionConfig(serializer_class=Named, permission_classes=[AllowAny]),
            "create": ActionConfig(serializer_class=Renamed),
        },
    )
    assert send(viewset, "GET").status == 200
    assert kept == {
        "create": (Renamed, [BaseThrottle], (Other,)),
        "none": (None, Shouted, [BaseThrottle], (Other,)),
        "create again": [],
        "create without": AuthorSerializer,
        "list": True,
    }


# What is said of mistakes.


@pytest.mark.parametrize("name", ["permission_classes", "renderer_classes", "filter_backends"])
def test_a_field_of_classes_takes_no_single_class(name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"ActionConfig.{name} must be a list or a tuple of classes, got"):
        ActionConfig(**{name: AllowAny})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("permission_classes", [AllowAny()], r"must hold classes, got <.*AllowAny object"),
        ("throttle_classes", ("anon",), r"must hold classes, got 'anon'"),
        ("serializer_class", "shop.AuthorSerializer", r"must be a class, got 'shop.AuthorSerializer'"),
        ("response_serializer_class", OFF, r"must be a class, got OFF"),
        ("pagination_class", False, r"must be a class or OFF, got False"),
    ],
)
def test_a_field_of_a_class_takes_nothing_else(name: str, value: Any, said: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"ActionConfig.{name} {said}"):
        ActionConfig(**{name: value})


def test_a_queryset_must_be_one() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"ActionConfig.queryset must be a query set, .* got \[\]"):
        ActionConfig(queryset=[])
    with pytest.raises(ImproperlyConfigured, match=r"is the model Author: write Author.objects.all\(\)"):
        ActionConfig(queryset=Author)


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


def test_a_config_is_frozen() -> None:
    with pytest.raises(AttributeError):
        ActionConfig().permission_classes = []  # type: ignore[misc]


def test_configs_are_equal_by_their_fields() -> None:
    def of_the_view(view: Any) -> Any:
        return Author.objects.all()

    everybody = Author.objects.all()
    given: list[dict[str, Any]] = [
        {},
        {"permission_classes": []},
        {"permission_classes": [Deny]},
        {"permission_classes": (Deny,)},
        {"permission_classes": [Deny & AllowAny]},
        {"serializer_class": Named},
        {"response_serializer_class": Named},
        {"pagination_class": OFF},
        {"queryset": everybody},
        {"queryset": of_the_view, "filter_backends": [BaseFilterBackend]},
    ]
    configs, again = [[ActionConfig(**fields) for fields in given] for _ in range(2)]
    for number, config in enumerate(configs):
        assert [config == other for other in again] == [number == place for place in range(len(given))]
        assert hash(config) == hash(again[number])
        assert config != given[number]
    assert len({*configs, *again}) == len(given)
    assert ActionConfig(queryset=Author.objects) == ActionConfig(queryset=Author.objects)


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


def test_an_async_action_of_a_sync_viewset_is_refused_where_its_urls_are_made() -> None:
    async def list_(self: Any, request: Any) -> Response:
        return Response()

    with pytest.raises(ImproperlyConfigured, match=r"Authors.list is async. Derive Authors from the async viewset"):
        viewset_of(BASES[SYNC], list=list_).as_view({"get": "list"})


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
