"""A config of what is no action (E001), and one that guards update and not partial_update (W003)."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework import permissions
from rest_framework.response import Response

from restflow.views import ActionConfig, AsyncReadOnlyModelViewSet, action
from tests.checks.support import COLOURS, Books, messages, misconfigured, of, routed, said
from tests.shop.models import Book


@COLOURS
def test_a_config_of_a_method_that_is_no_action_is_an_error(base: Any) -> None:
    @action(detail=True)
    def praise(self: Any, request: Any, pk: Any) -> Response:
        return Response()

    good = {name: ActionConfig() for name in ("list", "create", "update", "partial_update", "metadata", "praise")}
    assert said(routed(of(base, praise=praise, action_configs=good))) == []
    (message,) = messages(routed(misconfigured(base)))
    assert (message.id, message.level) == ("restflow.E001", 40)
    assert message.msg == "tests.checks.support.View.action_configs has 'shelve', which is no action of it."


def test_a_config_that_a_base_shares_out_needs_one_viewset_that_has_its_action() -> None:
    class Shared:
        action_configs = {"create": ActionConfig()}

    reading = type("Reading", (Shared, AsyncReadOnlyModelViewSet), {"queryset": Book.objects.all()})
    writing = of(type("Writing", (Shared, Books), {}))
    assert said([*routed(reading), *routed(writing)]) == []
    assert [number for number, *_ in said(routed(reading))] == ["E001"]


def test_a_config_of_such_a_method_that_as_view_is_given_is_an_error_too() -> None:
    given = {"action_configs": {"shelve": ActionConfig()}}
    viewset = of(Books, shelve=lambda self, request: Response())
    assert [number for number, *_ in said([path("x/", viewset.as_view({"get": "list"}, **given))])] == ["E001"]


def test_an_action_that_only_a_route_names_is_one() -> None:
    viewset = misconfigured(Books)
    assert said([path("x/", viewset.as_view({"get": "shelve"}))]) == []
    assert [number for number, *_ in said(routed(viewset))] == ["E001"]


@COLOURS
def test_a_guard_of_update_alone_is_a_warning(base: Any) -> None:
    guard = ActionConfig(permission_classes=[permissions.IsAdminUser])
    assert said(routed(of(base, action_configs={"update": guard, "partial_update": guard}))) == []
    assert said(routed(of(base, action_configs={"update": ActionConfig(pagination_class=None)}))) == []
    viewset = of(base, action_configs={"update": guard})
    assert said([path("x/", viewset.as_view({"put": "update"}))]) == []
    ((number, text, hint),) = said(routed(viewset))
    assert number == "W003"
    assert "'update' with permission_classes, and none of 'partial_update': PATCH is checked by the class" in text
    assert "partial_update" in hint
