"""The sections "APIView and AsyncAPIView" and "APIView"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import rest_framework.views
from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_only_middleware
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.pagination import LimitOffsetPagination, PageNumberPagination
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.viewsets import ViewSetMixin

import restflow.views
from restflow.views import APIView, AsyncAPIView
from tests.site import Site
from tests.spec.support import HELPERS, User, UserSer, base, view_class


class Upper(serializers.BaseSerializer):
    def to_internal_value(self, data: Any) -> Any:
        return str(data).upper()

    def to_representation(self, instance: Any) -> Any:
        return str(instance).upper()


class Lower(serializers.BaseSerializer):
    def to_internal_value(self, data: Any) -> Any:
        return str(data).lower()

    def to_representation(self, instance: Any) -> Any:
        return str(instance).lower()


def test_the_views_module_has_both_and_neither_is_generic() -> None:
    for cls in (APIView, AsyncAPIView):
        assert getattr(restflow.views, cls.__name__) is cls
        assert not issubclass(cls, GenericAPIView)
        assert not hasattr(cls, "queryset")


def test_both_inherit_from_drfs_apiview() -> None:
    assert issubclass(APIView, rest_framework.views.APIView)
    assert issubclass(AsyncAPIView, rest_framework.views.APIView)


def test_the_sync_class_adds_helpers_and_the_async_class_an_async_dispatch() -> None:
    added = {name for name in HELPERS if hasattr(APIView, name) and not hasattr(rest_framework.views.APIView, name)}
    assert added == set(HELPERS)
    assert not iscoroutinefunction(APIView.dispatch)
    assert iscoroutinefunction(AsyncAPIView.dispatch)


def test_a_sync_view_answers_with_a_helper() -> None:
    class View(APIView):
        serializer_class = Upper

        def get(self, request: Any) -> Any:
            return self.serialized_response("emma")

    assert not iscoroutinefunction(View.as_view())
    with Site({"": View.as_view()}) as site:
        assert site.send("GET", "/").json() == "EMMA"


def test_the_dispatch_loop_is_drfs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_framework.views.APIView, "dispatch", lambda self, request: HttpResponse("DRF's loop"))
    with Site({"": APIView.as_view()}) as site:
        assert site.send("GET", "/").body == b"DRF's loop"


@sync_only_middleware
def sync_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    def middleware(request: HttpRequest) -> Any:
        request.organization = "Penguin"  # type: ignore[attr-defined]
        response = get_response(request)
        response["X-Through"] = "sync"
        return response

    return middleware


def test_a_sync_view_works_behind_sync_only_middleware() -> None:
    class View(APIView):
        serializer_class = Upper

        def get(self, request: Any) -> Any:
            return self.serialized_response(request.organization)

    with Site({"": View.as_view()}, MIDDLEWARE=[f"{__name__}.sync_middleware"]) as site:
        answer = site.send("GET", "/")
    assert (answer.json(), answer.headers["X-Through"]) == ("PENGUIN", "sync")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("method", "url", "data"),
    [
        ("GET", "/open/", None),
        ("GET", "/open/?format=xml", None),
        ("POST", "/open/", {"username": "jane"}),
        ("POST", "/open/", {}),
        ("PUT", "/open/", {}),
        ("OPTIONS", "/open/", None),
        ("GET", "/closed/", None),
    ],
)
def test_a_view_of_drfs_is_ported_by_its_base_class(method: str, url: str, data: Any) -> None:
    def ported(parent: Any) -> dict[str, Any]:
        class UserView(parent):  # type: ignore[misc]
            """Users."""

            def get(self, request: Any) -> Any:
                return Response(UserSer(User.objects.all(), many=True).data)

            def post(self, request: Any) -> Any:
                serializer = UserSer(data=request.data)
                serializer.is_valid(raise_exception=True)
                return Response(serializer.validated_data, status=201)

        class Closed(UserView):
            permission_classes = [IsAuthenticated]

        return {"open/": UserView.as_view(), "closed/": Closed.as_view()}

    User.objects.create(username="emma")
    answers = []
    for parent in (rest_framework.views.APIView, APIView):
        with Site(ported(parent)) as site:
            answer = site.send(method, url, data)
        answers.append((answer.status, answer.headers, answer.body))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("name", HELPERS)
def test_apiview_has_the_helper(name: str) -> None:
    helper = getattr(APIView, name)
    assert callable(helper)
    assert not iscoroutinefunction(helper)
    assert helper.__doc__


class PageOfOne(PageNumberPagination):
    page_size = 1


@pytest.mark.parametrize(
    ("helper", "arguments", "getter", "chosen", "expected"),
    [
        ("validated_serializer", {"data": "Emma"}, "get_request_serializer_class", Lower, "emma"),
        ("validated_serializer", {"data": "Emma"}, "get_serializer_class", Lower, "emma"),
        ("serialized_response", {"instance": "Emma"}, "get_response_serializer_class", Lower, "emma"),
        ("serialized_response", {"instance": "Emma"}, "get_serializer_class", Lower, "emma"),
        ("paginated_response", {"queryset": ["Emma"]}, "get_response_serializer_class", Lower, ["emma"]),
        ("paginated_response", {"queryset": ["Emma"]}, "get_serializer_class", Lower, ["emma"]),
        (
            "paginated_response",
            {"queryset": ["a", "b"]},
            "get_pagination_class",
            PageOfOne,
            {"count": 2, "next": "http://testserver/?page=2", "previous": None, "results": ["A"]},
        ),
    ],
)
@pytest.mark.parametrize("getter_is_async", [False, True])
def test_each_helper_resolves_through_its_getter(
    colour: str, helper: str, arguments: Any, getter: str, chosen: Any, expected: Any, getter_is_async: bool
) -> None:
    async def aget(self: Any) -> Any:
        return chosen

    override = aget if getter_is_async else lambda self: chosen
    view = view_class(
        colour,
        helper,
        lambda view: ((), arguments),
        lambda given: Response(given.validated_data) if helper == "validated_serializer" else given,
        serializer_class=Upper,
        **{getter: override},
    )
    with Site({"": view.as_view()}) as site:
        assert site.send("GET", "/").json() == expected


@pytest.mark.parametrize(("path", "expected"), [("/?loud", "EMMA"), ("/", "emma")])
def test_an_overridden_getter_chooses_by_the_request(colour: str, path: str, expected: str) -> None:
    def get_serializer_class(self: Any) -> Any:
        return Upper if "loud" in self.request.query_params else Lower

    view = view_class(
        colour, "serialized_response", lambda view: (("Emma",), {}), get_serializer_class=get_serializer_class
    )
    with Site({"": view.as_view()}) as site:
        assert site.send("GET", path).json() == expected


@pytest.mark.parametrize(
    ("method", "expected"),
    [("GET", {"count": 1, "next": None, "previous": None, "results": ["EMMA"]}), ("PUT", ["emma"])],
)
def test_an_overridden_getter_chooses_by_the_action(colour: str, method: str, expected: Any) -> None:
    class View(ViewSetMixin, base(colour)):  # type: ignore[misc]
        def get_serializer_class(self) -> Any:
            return Upper if self.action == "list" else Lower

        def get_pagination_class(self) -> Any:
            return LimitOffsetPagination if self.action == "list" else None

        if colour == "sync":

            def list(self, request: Any) -> Any:
                return self.paginated_response(["Emma"])
        else:

            async def list(self, request: Any) -> Any:
                return await self.apaginated_response(["Emma"])

        all = list

    with Site({"": View.as_view({"get": "list", "put": "all"})}) as site:
        assert site.send(method, "/?limit=5").json() == expected
