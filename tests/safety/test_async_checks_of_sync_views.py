"""A sync view's checks, written in async or giving a coroutine: run to their end, or refused; never dropped."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework import mixins as drf_mixins
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.viewsets import ViewSetMixin as DRFViewSetMixin

from restflow.views import APIView, GenericAPIView, ModelViewSet
from tests.matrix import each_pair
from tests.safety.support import Refused, ask, here
from tests.shop.models import Author
from tests.site import Answer, Site

CHECKS = [
    "initial",
    "perform_authentication",
    "check_permissions",
    "check_throttles",
    "check_object_permissions",
    "permission_denied",
    "throttled",
]


async def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
    await asyncio.sleep(0)
    assert here() == "loop"
    raise Refused


def giving_a_coroutine(self: Any, *args: Any, **kwargs: Any) -> Any:
    return refuse(self, *args, **kwargs)


@functools.wraps(refuse)
def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
    return refuse(self, *args, **kwargs)


class Checked(APIView):
    """Its handler calls what DRF's loop does not."""

    def get(self, request: Any) -> Response:
        self.check_object_permissions(request, object())
        if "denied" in request.query_params:
            self.permission_denied(request)
        if "throttled" in request.query_params:
            self.throttled(request, 1)
        return Response({})


URLS = {"permission_denied": "/x/?denied", "throttled": "/x/?throttled"}


def in_the_class(base: type, name: str, function: Any) -> type:
    return type("V", (base,), {name: function})


def in_a_mixin(base: type, name: str, function: Any) -> type:
    return type("V", (type("Mixin", (), {name: function}), base), {})


def patched_in(base: type, name: str, function: Any) -> type:
    cls = type("V", (base,), {})
    setattr(cls, name, function)
    return cls


def on_the_instance(base: type, name: str, function: Any) -> type:
    def __init__(self: Any, **kwargs: Any) -> None:
        super(cls, self).__init__(**kwargs)
        setattr(self, name, function.__get__(self))

    cls = type("V", (base,), {"__init__": __init__})
    return cls


places = pytest.mark.parametrize("place", [in_the_class, in_a_mixin, patched_in, on_the_instance])
functions = pytest.mark.parametrize("function", [refuse, giving_a_coroutine, wrapped])
Place = Callable[[type, str, Any], type]


@each_pair
@places
@functions
@pytest.mark.parametrize("name", CHECKS)
def test_an_async_check_of_a_sync_view_is_obeyed(place: Place, function: Any, name: str) -> None:
    with Site({"x/": place(Checked, name, function).as_view()}) as site:
        assert site.send("GET", URLS.get(name, "/x/")).status == 418


@each_pair
@places
@functions
@pytest.mark.parametrize("name", ["initial", "perform_authentication", "check_permissions", "check_throttles"])
def test_one_that_is_called_on_an_event_loop_is_refused(
    place: Place, function: Any, name: str, collect: Callable[[], int]
) -> None:
    view = place(Checked, name, function).as_view()

    async def request() -> None:
        with pytest.raises(RuntimeError, match="the loop would wait for itself"):
            view(APIRequestFactory().get("/"))

    asyncio.run(request())
    collect()  # an unawaited coroutine would warn now


def test_sync_checks_of_a_sync_view_are_as_they_were() -> None:
    ran: list[Any] = []

    class Mixin:
        def check_permissions(self, request: Any) -> None:
            ran.append("mixin")
            super().check_permissions(request)  # type: ignore[misc]

    class View(Mixin, Checked):
        def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
            ran.append("initial")
            super().initial(request, *args, **kwargs)

    with Site({"x/": View.as_view()}) as site:
        assert [site.send("GET", "/x/").status for _ in range(2)] == [200, 200]
    assert ran == ["initial", "mixin"] * 2


# The generic actions.


class AuthorSerializer(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["id", "name"]


class OverDrfsMixins(
    drf_mixins.CreateModelMixin,
    drf_mixins.UpdateModelMixin,
    drf_mixins.DestroyModelMixin,
    DRFViewSetMixin,
    GenericAPIView,
):
    queryset = Author.objects.order_by("id")
    serializer_class = AuthorSerializer


class OverOurs(ModelViewSet):
    queryset = Author.objects.order_by("id")
    serializer_class = AuthorSerializer


@each_pair
@pytest.mark.django_db(transaction=True)
@places
@functions
@pytest.mark.parametrize(
    ("name", "method"), [("perform_create", "POST"), ("perform_update", "PUT"), ("perform_destroy", "DELETE")]
)
@pytest.mark.parametrize("base", [OverDrfsMixins, OverOurs])
def test_an_async_hook_of_a_generic_action_is_obeyed(
    base: type, name: str, method: str, function: Any, place: Place
) -> None:
    author = Author.objects.create(name="Austen")
    view: Any = place(base, name, function)
    actions = {"post": "create", "put": "update", "delete": "destroy"}
    with Site({"x/<int:pk>/": view.as_view(actions)}) as site:
        answer: Answer = site.send(method, f"/x/{author.pk}/", {"name": "Eliot"})
    assert answer.status == 418
    assert list(Author.objects.values_list("name", flat=True)) == ["Austen"]


def test_a_check_of_ours_that_a_view_sets_on_itself_is_left_as_it_is() -> None:
    class View(APIView):
        def setup(self, request: Any, *args: Any, **kwargs: Any) -> None:
            super().setup(request, *args, **kwargs)
            self.kept = self.check_permissions = self.check_permissions

        def get(self, request: Any) -> Response:
            return Response(self.check_permissions is self.kept)

    assert ask(View).json() is True
