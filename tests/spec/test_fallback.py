"""The section "Async hook fall-back"."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.db.models import QuerySet
from rest_framework.authentication import BaseAuthentication, BasicAuthentication
from rest_framework.filters import BaseFilterBackend, SearchFilter
from rest_framework.generics import GenericAPIView
from rest_framework.pagination import BasePagination, LimitOffsetPagination
from rest_framework.permissions import BasePermission, DjangoModelPermissions, IsAuthenticated
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle

from restflow.views import AsyncAPIView
from tests.site import Site
from tests.spec.support import User, UserSer

pytestmark = pytest.mark.django_db(transaction=True)


def on_the_loop() -> bool:
    return threading.current_thread() is threading.main_thread()


def basic(name: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture(autouse=True)
def _users() -> None:
    cache.clear()
    for name in ("emma", "jane", "emily"):
        User.objects.create_user(name, password="secret")


class UserView(AsyncAPIView):
    serializer_class = UserSer
    queryset = User.objects.all()

    async def get(self, request: Any) -> Any:
        return await self.apaginated_response(User.objects.all())


def names(answer: Any) -> list[str]:
    data = answer.json()
    return [user["username"] for user in (data if isinstance(data, list) else data["results"])]


# --- DRF's sync components, as they are -----------------------------------------------------------------------------


def test_sync_authentication() -> None:
    class View(AsyncAPIView):
        authentication_classes = [BasicAuthentication]

        async def get(self, request: Any) -> Any:
            return Response(str(request.user))

    with Site({"": View.as_view()}) as site:
        assert site.send("GET", "/", headers=basic("emma", "secret")).json() == "emma"
        refused = site.send("GET", "/", headers=basic("emma", "wrong"))
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, 'Basic realm="api"')


@pytest.mark.parametrize(
    ("permission", "statuses"), [(IsAuthenticated, [401, 200, 200]), (DjangoModelPermissions, [401, 200, 200])]
)
def test_sync_permissions(permission: Any, statuses: list[int]) -> None:
    class View(UserView):
        authentication_classes = [BasicAuthentication]
        permission_classes = [permission]

    with Site({"": View.as_view()}) as site:
        sent = [{}, basic("emma", "secret"), basic("jane", "secret")]
        assert [site.send("GET", "/", headers=headers).status for headers in sent] == statuses


def test_a_sync_permission_that_queries() -> None:
    class OnlyEmma(BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            return User.objects.filter(username=request.query_params["name"], username__startswith="em").exists()

    class View(UserView):
        permission_classes = [OnlyEmma]

    with Site({"": View.as_view()}) as site:
        assert [site.send("GET", f"/?name={name}").status for name in ("emma", "jane")] == [200, 403]


def test_a_sync_throttle() -> None:
    class Twice(SimpleRateThrottle):
        rate = "2/day"

        def get_cache_key(self, request: Any, view: Any) -> str:
            return "everyone"

    class View(UserView):
        throttle_classes = [Twice]

    with Site({"": View.as_view()}) as site:
        answers = [site.send("GET", "/") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_sync_pagination() -> None:
    class View(UserView):
        pagination_class = LimitOffsetPagination

    with Site({"": View.as_view()}) as site:
        page = site.send("GET", "/?limit=1&offset=1")
    assert page.json() == {
        "count": 3,
        "next": "http://testserver/?limit=1&offset=2",
        "previous": "http://testserver/?limit=1",
        "results": [{"id": User.objects.get(username="jane").pk, "username": "jane"}],
    }


class StartsWithEm(BaseFilterBackend):
    def filter_queryset(self, request: Any, queryset: QuerySet[User], view: Any) -> QuerySet[User]:
        assert queryset.exists()  # a backend may query
        return queryset.filter(username__startswith="em")


@pytest.mark.parametrize(
    ("backend", "query", "expected"),
    [(SearchFilter, "?search=jan", ["jane"]), (StartsWithEm, "", ["emma", "emily"])],
)
def test_a_sync_filter_backend(backend: Any, query: str, expected: list[str]) -> None:
    class View(UserView, GenericAPIView):
        filter_backends = [backend]
        search_fields = ["username"]

        async def get(self, request: Any) -> Any:
            queryset = await sync_to_async(self.filter_queryset)(self.get_queryset())
            return await self.apaginated_response(queryset)

        def put(self, request: Any) -> Any:  # a sync handler: DRF's own methods as in a sync view
            return self.paginated_response(self.filter_queryset(self.get_queryset()))

    with Site({"": View.as_view()}) as site:
        for method in ("GET", "PUT"):
            assert names(site.send(method, "/" + query)) == expected


@pytest.mark.parametrize(
    ("backend", "query", "expected"),
    [(SearchFilter, "?search=jan", ["jane"]), (StartsWithEm, "", ["emma", "emily"])],
)
def test_a_sync_filter_backend_of_a_generic_view(backend: Any, query: str, expected: list[str]) -> None:
    from restflow.views import AsyncListAPIView

    class View(AsyncListAPIView):
        queryset = User.objects.all()
        serializer_class = UserSer
        filter_backends = [backend]
        search_fields = ["username"]

    with Site({"": View.as_view()}) as site:
        assert names(site.send("GET", "/" + query)) == expected


# --- async ones, picked up ------------------------------------------------------------------------------------------


def asynchronous(parent: Any, name: str, answer: Any, ran: list[str], **attributes: Any) -> Any:
    """A component whose async hook answers; a sync one beside it must not be asked on the async path."""

    async def hook(self: Any, *args: Any, **kwargs: Any) -> Any:
        assert on_the_loop()
        ran.append(name)
        return answer(*args) if callable(answer) else answer

    def twin(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("the sync hook was asked")

    members = {name: hook}
    if name.startswith("a") and hasattr(parent, name[1:]):
        members[name[1:]] = twin
    return type("Component", (parent,), {**members, **attributes})


@pytest.mark.parametrize("name", ["authenticate", "aauthenticate"])
def test_async_authentication(name: str) -> None:
    ran: list[str] = []

    class View(AsyncAPIView):
        authentication_classes = [asynchronous(BaseAuthentication, name, (User(username="emma"), None), ran)]

        async def get(self, request: Any) -> Any:
            return Response(str(request.user))

    with Site({"": View.as_view()}) as site:
        answer = site.send("GET", "/")
    assert (answer.json(), answer.hops, ran) == ("emma", 0, [name])


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("name", ["has_permission", "ahas_permission"])
def test_async_permissions(name: str, allowed: bool) -> None:
    ran: list[str] = []

    class View(AsyncAPIView):
        permission_classes = [asynchronous(BasePermission, name, allowed, ran)]

        async def get(self, request: Any) -> Any:
            return Response()

    with Site({"": View.as_view()}) as site:
        answer = site.send("GET", "/")
    assert (answer.status, answer.hops, ran) == (200 if allowed else 403, 0, [name])


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("name", ["allow_request", "aallow_request"])
def test_async_throttles(name: str, allowed: bool) -> None:
    ran: list[str] = []

    async def wait(self: Any) -> float:
        assert on_the_loop()
        return 7.0

    class View(AsyncAPIView):
        throttle_classes = [asynchronous(BaseThrottle, name, allowed, ran, wait=wait)]

        async def get(self, request: Any) -> Any:
            return Response()

    with Site({"": View.as_view()}) as site:
        answer = site.send("GET", "/")
    assert (answer.status, ran) == (200 if allowed else 429, [name])
    assert answer.headers.get("Retry-After") == (None if allowed else "7")


@pytest.mark.parametrize("name", ["paginate_queryset", "apaginate_queryset"])
def test_async_pagination(name: str) -> None:
    ran: list[str] = []
    pagination = asynchronous(
        BasePagination,
        name,
        lambda queryset, request: [User(username="page of one")],
        ran,
        get_paginated_response=lambda self, data: Response({"results": data}),
    )

    class View(UserView):
        pagination_class = pagination

    with Site({"": View.as_view()}) as site:
        answer = site.send("GET", "/")
    assert (names(answer), ran) == (["page of one"], [name])


@pytest.mark.parametrize("name", ["filter_queryset", "afilter_queryset"])
def test_async_filter_backends(name: str) -> None:
    from restflow.views import AsyncListAPIView

    ran: list[str] = []

    class View(AsyncListAPIView):
        queryset = User.objects.all()
        serializer_class = UserSer
        filter_backends = [
            asynchronous(BaseFilterBackend, name, lambda request, queryset, view: queryset.filter(username="jane"), ran)
        ]

    with Site({"": View.as_view()}) as site:
        assert names(site.send("GET", "/")) == ["jane"]
    assert ran == [name]
