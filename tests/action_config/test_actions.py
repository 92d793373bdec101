"""A config refuses its action, and no other, however the action is named and whatever stands in its way."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.parsers import JSONParser
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request as DRFRequest
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView as DRFAPIView

from restflow.views import ActionConfig, ViewSetMixin, action
from restflow.views.hooks import ACTIONS
from tests.action_config.support import ASKED, Deny, Renamed, failure, praising, send, viewset_of

pytestmark = pytest.mark.django_db(transaction=True)


class AsyncDeny(BasePermission):
    message = "denied"

    async def has_permission(self, request: Any, view: Any) -> bool:  # type: ignore[override]
        return False


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
    patched = viewset_of(base, **given)
    patched.action = default
    for viewset in (
        type("Own", (viewset_of(base, **given),), {"action": default}),
        type("Mixed", (Before, viewset_of(base, **given)), {}),
        patched,
    ):
        assert viewset.action == viewset().action == default
        assert send(viewset, "GET").status == 403
        assert send(viewset, "GET", "/authors/1/").status == 200


@pytest.mark.parametrize("names_it", [False, True])
def test_a_config_counts_whether_or_not_initialize_request_names_the_action(base: Any, names_it: bool) -> None:
    def initialize_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        if names_it:
            self.action = self.action_map.get(request.method.lower())
        return DRFRequest(request)

    config = ActionConfig(permission_classes=[Deny])
    viewset = viewset_of(base, initialize_request=initialize_request, action_configs={"list": config})
    assert send(viewset, "GET").status == 403
    assert send(viewset, "GET", "/authors/1/").status == 200


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
