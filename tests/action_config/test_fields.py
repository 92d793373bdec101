"""Each field of a config counts in its action and in no other, and says what it doesn't take."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.authentication import BaseAuthentication
from rest_framework.filters import BaseFilterBackend
from rest_framework.pagination import PageNumberPagination
from rest_framework.parsers import JSONParser
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.throttling import BaseThrottle

from restflow import serializers
from restflow.views import OFF, ActionConfig
from tests.action_config.support import ASKED, AuthorSerializer, Deny, Named, Pages, praising, send, viewset_of
from tests.shop.models import Author

pytestmark = pytest.mark.django_db(transaction=True)


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

    class ForRequest(serializers.ModelSerializer):  # ours, as its hook may be async
        Meta = AuthorSerializer.Meta
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
