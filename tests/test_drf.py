"""What restflow knows of DRF's own classes: who is made in place, and how composed permissions ask."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils.functional import lazy
from rest_framework import permissions as drf
from rest_framework.authentication import BasicAuthentication
from rest_framework.response import Response

from restflow import permissions
from restflow.flow import nonblocking
from restflow.throttling import AnonRateThrottle
from restflow.views import APIView, AsyncAPIView
from tests.safety.support import ask, here
from tests.shop.models import Author
from tests.site import Site

VIEWS = {"sync": APIView, "async": AsyncAPIView}


def test_a_permission_class_with_a_new_of_its_own_is_made_in_the_worker_thread() -> None:
    places: list[str] = []

    class Made(drf.BasePermission):
        def __new__(cls) -> Any:
            places.append(here())
            return super().__new__(cls)

    class View(AsyncAPIView):
        permission_classes = [Made]

        async def get(self, request: Any) -> Response:
            return Response({})

    assert ask(View).status == 200
    assert places == ["thread"]


def logged(operator: type, log: list[str]) -> type:
    """A user's subclass of one of DRF's operators, which calls ``super()``."""

    class Logged(operator):  # type: ignore[misc]
        def has_permission(self, request: Any, view: Any) -> Any:
            log.append("view")
            return super().has_permission(request, view)

        def has_object_permission(self, request: Any, view: Any, obj: Any) -> Any:
            log.append("object")
            return super().has_object_permission(request, view, obj)

    return Logged


class Says(permissions.BasePermission):
    """An async permission that says one thing of the view and another of the object."""

    def __init__(self, of_view: bool, of_object: bool) -> None:
        self.of_view = of_view
        self.of_object = of_object

    async def has_permission(self, request: Any, view: Any) -> bool:
        return self.of_view

    async def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return self.of_object


@pytest.mark.parametrize("colour", VIEWS)
@pytest.mark.parametrize(
    ("operator", "operands", "status", "asked"),
    [
        (drf.AND, [Says(True, True), Says(True, True)], 200, ["view", "object"]),
        (drf.AND, [Says(True, True), Says(False, True)], 403, ["view"]),
        (drf.AND, [Says(True, True), Says(True, False)], 403, ["view", "object"]),
        (drf.OR, [Says(False, True), Says(True, True)], 200, ["view", "object"]),
        (drf.OR, [Says(False, False), Says(False, False)], 403, ["view"]),
        (drf.OR, [Says(False, True), Says(True, False)], 403, ["view", "object"]),  # DRF issue 7117
        (drf.NOT, [Says(False, False)], 200, ["view", "object"]),
        (drf.NOT, [Says(True, False)], 403, ["view"]),
        (drf.NOT, [Says(False, True)], 403, ["view", "object"]),
    ],
)
def test_an_operators_subclass_that_calls_super_asks_its_async_operands(
    colour: str, operator: type, operands: list[Any], status: int, asked: list[str]
) -> None:
    """One permission serves the view and the object, as where ``get_permissions`` keeps what it made."""
    log: list[str] = []
    permission = logged(operator, log)(*operands)

    def get_permissions(self: Any) -> list[Any]:
        return [permission]

    def get(self: Any, request: Any) -> Response:
        self.check_object_permissions(request, object())
        return Response({})

    view = type("View", (VIEWS[colour],), {"get_permissions": get_permissions, "get": get})
    assert ask(view).status == status
    assert log == asked


@pytest.mark.parametrize("colour", VIEWS)
def test_an_operators_subclass_may_be_asked_any_number_of_times(colour: str) -> None:
    """Its operands are not wrapped ever deeper, which would end in a RecursionError."""
    log: list[str] = []
    permission = logged(drf.AND, log)(Says(True, True), Says(True, True))

    class View(VIEWS[colour]):  # type: ignore[misc]
        def get_permissions(self) -> list[Any]:
            return [permission]

        def get(self, request: Any) -> Response:
            for _ in range(500):
                self.check_object_permissions(request, object())
            return Response({})

    assert ask(View).status == 200
    assert len(log) == 501


@pytest.mark.parametrize("colour", VIEWS)
@pytest.mark.parametrize(("operands", "status"), [([True, True], 200), ([True, False], 403), ([False, True], 403)])
def test_super_of_an_operator_on_our_base_reaches_drfs_operator(colour: str, operands: list[bool], status: int) -> None:
    class Both(drf.AND, permissions.BasePermission):  # type: ignore[misc]
        async def has_permission(self, request: Any, view: Any) -> bool:
            allowed: bool = await super().ahas_permission(request, view)
            return allowed

    class View(VIEWS[colour]):  # type: ignore[misc]
        def get_permissions(self) -> list[Any]:
            return [Both(*(Says(operand, True) for operand in operands))]

        def get(self, request: Any) -> Response:
            return Response({})

    assert ask(View).status == status


class Querying:
    """A value that queries the database when it becomes a string, as a lazy translation from a table would."""

    def __str__(self) -> str:
        return f"{Author.objects.count()} authors"


LAZY = lazy(Querying().__str__, str)


@nonblocking
def never(self: Any, request: Any, view: Any) -> bool:
    return False


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attributes", [{"message": LAZY()}, {"message": [LAZY()]}, {"code": LAZY()}], ids="abc")
def test_a_refusal_in_words_that_query_is_the_clients_answer(attributes: Any) -> None:
    class View(AsyncAPIView):
        authentication_classes = []
        permission_classes = [type("Refuses", (drf.BasePermission,), {"has_permission": never, **attributes})]

        async def get(self, request: Any) -> Response:
            return Response({})

    answer = ask(View)
    assert answer.status == 403
    assert ("message" in attributes) is (b"0 authors" in answer.body)


@pytest.mark.django_db(transaction=True)
def test_a_header_in_words_that_query_reaches_the_client() -> None:
    class View(AsyncAPIView):
        async def get(self, request: Any) -> Response:
            self.headers = {**self.headers, "X-Authors": LAZY()}
            return Response({})

    assert ask(View).headers["X-Authors"] == "0 authors"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("realm", [LAZY(), Querying()], ids=["lazy", "object"])
def test_a_component_configured_with_what_may_query_is_asked_where_that_may_block(realm: Any) -> None:
    class Realm(BasicAuthentication):
        www_authenticate_realm = realm

    class View(AsyncAPIView):
        authentication_classes = [Realm]
        permission_classes = [drf.IsAuthenticated]

        async def get(self, request: Any) -> Response:
            return Response({})

    answer = ask(View)
    assert answer.status == 401
    assert 'realm="0 authors"' in answer.headers["WWW-Authenticate"]


def test_a_component_configured_with_plain_values_costs_no_hop() -> None:
    class Often(AnonRateThrottle):
        rate: str = "1000/s"
        seen: tuple[str, ...] = ("a", "b")

    class View(AsyncAPIView):
        throttle_classes = [Often]

        async def get(self, request: Any) -> Response:
            return Response({})

    with Site({"x/": View.as_view()}) as site:
        answer = site.send("GET", "/x/")
    assert (answer.status, answer.hops) == (200, 0)
