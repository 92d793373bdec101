"""Each code block of the specification, as it stands in docs/views.md, run against the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest
from django.utils.decorators import async_only_middleware
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.response import Response

from restflow.views import APIView, AsyncAPIView, PostFetch
from tests.docs.pages import blocks_of
from tests.shop.models import Author, Book, Review
from tests.site import Site
from tests.spec.support import PAGE, SPECIFICATION, User, UserSer, base, block, body, method, run, view_class

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_page_carries_each_block_as_the_specification_has_it() -> None:
    wanted = [block.code for block in blocks_of(SPECIFICATION)]
    carried = [block.code for block in blocks_of(PAGE)]
    assert len(wanted) == 8
    assert [code for code in wanted if code not in carried] == []


@pytest.mark.usefixtures("pages_of_two")
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_user_view(colour: str) -> None:
    first_line = {"sync": "from restflow.views import APIView\n", "async": "from restflow.views import AsyncAPIView\n"}
    names = run(block(first_line["sync"]))
    if colour == "async":
        names = run(block(first_line["async"]), PageNumberPagination=names["PageNumberPagination"])
    view = names["UserView"]
    assert issubclass(view, base(colour))
    with Site({"users/": view.as_view()}) as site:
        assert site.send("GET", "/users/").json() == {"count": 0, "next": None, "previous": None, "results": []}
        made = [site.send("POST", "/users/", {"username": name}) for name in ("emma", "jane", "emily")]
        assert [(answer.status, answer.json()) for answer in made] == [
            (201, {"id": user.pk, "username": user.username}) for user in User.objects.all()
        ]
        again = site.send("POST", "/users/", {"username": "emma"})
        assert (again.status, again.json()) == (400, {"username": ["A user with that username already exists."]})
        assert site.send("POST", "/users/", body=b"{", headers={"content-type": "application/json"}).status == 400
        pages = [site.send("GET", url) for url in ("/users/", "/users/?page=2", "/users/?page=3")]
        assert [answer.status for answer in pages] == [200, 200, 404]
        first, second, _ = (answer.json() for answer in pages)
        assert (first["count"], first["next"], second["next"]) == (3, "http://testserver/users/?page=2", None)
        assert [user["username"] for user in first["results"] + second["results"]] == ["emma", "jane", "emily"]
        assert site.send("PUT", "/users/", {}).status == 405
        allowed = site.send("OPTIONS", "/users/").headers["Allow"]
        assert {name.strip() for name in allowed.split(",")} == {"GET", "POST", "HEAD", "OPTIONS"}
    assert User.objects.count() == 3


class NotEmma(BasePermission):
    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return User.objects.exclude(username="emma").filter(pk=obj.pk).exists()


def test_object_permissions() -> None:
    class Users(AsyncAPIView):
        serializer_class = UserSer
        permission_classes = [NotEmma]

        def get_queryset(self) -> Any:
            return User.objects.all()

    view = method(block("async def custom("), "custom", Users)
    view.get = view.custom
    emma, jane = (User.objects.create(username=name) for name in ("emma", "jane"))
    with Site({"users/<int:pk>/": view.as_view()}) as site:
        assert site.send("GET", f"/users/{emma.pk}/").status == 403
        answer = site.send("GET", f"/users/{jane.pk}/")
    assert (answer.status, answer.json()) == (200, {"id": jane.pk, "username": "jane"})


@async_only_middleware
def of_an_organization(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    async def middleware(request: HttpRequest) -> Any:
        request.organization = "Penguin"  # type: ignore[attr-defined]
        return await get_response(request)

    return middleware


class WithOrganization(UserSer):
    def to_representation(self, instance: Any) -> Any:
        return {**super().to_representation(instance), "organization": self.context["organization"]}


def test_get_context(colour: str) -> None:
    user = User.objects.create(username="emma")
    plain = view_class(colour, "serialized_response", lambda view: ((user,), {}), serializer_class=WithOrganization)
    view = method(block("def get_context("), "get_context", plain)
    with Site({"": view.as_view()}, MIDDLEWARE=[f"{__name__}.of_an_organization"]) as site:
        answer = site.send("GET", "/").json()
    assert answer == {"id": user.pk, "username": "emma", "organization": "Penguin"}


def test_validate_and_save() -> None:
    class Users(AsyncAPIView):
        serializer_class = UserSer

    view = body(
        block("ser = await"),
        "async def post(self, request):",
        Users,
        "return Response([user.pk, user.username, ser.data['username']])",
        Response=Response,
    )
    with Site({"": view.as_view()}) as site:
        answer = site.send("POST", "/", {"username": "emma"})
        refused = site.send("POST", "/", {"username": ""})
    assert answer.json() == [User.objects.get().pk, "emma", "emma"]
    assert (refused.status, refused.json()) == (400, {"username": ["This field may not be blank."]})


@pytest.mark.parametrize(
    ("cls", "head"),
    [
        (APIView, "def get(self, request):"),
        (AsyncAPIView, "def get(self, request):"),
        (AsyncAPIView, "async def get(self, request):"),
    ],
)
def test_serialized_response(cls: Any, head: str) -> None:
    user = User.objects.create(username="emma")

    class Users(cls):  # type: ignore[misc]
        serializer_class = UserSer

    view = body(block("return self.serialized_response("), head, Users, user=user)
    with Site({"": view.as_view()}) as site:
        answer = site.send("GET", "/")
    assert (answer.status, answer.json()) == (201, {"id": user.pk, "username": "emma"})


class Reviewed(serializers.ModelSerializer):
    latest = serializers.ReadOnlyField(source="latest_review")

    class Meta:
        model = Book
        fields = ["title", "latest"]


@pytest.mark.usefixtures("pages_of_two")
@pytest.mark.parametrize("paged", [True, False])
def test_paginated_response_with_post_fetches(paged: bool) -> None:
    page_number = run(block("from restflow.views import APIView\n"))["PageNumberPagination"]
    author = Author.objects.create(name="Austen")
    for title in ("Emma", "Persuasion", "Sanditon"):
        Book.objects.create(title=title, author=author)
    for title, rating in [("Emma", 2), ("Emma", 5), ("Sanditon", 1)]:
        Review.objects.create(book_title=title, rating=rating)

    class Books(AsyncAPIView):
        serializer_class = Reviewed
        pagination_class = page_number if paged else None

    latest = PostFetch(Review.objects.all(), "latest_review", ["rating"], order_by=["-pk"], book_title="title")
    view = body(
        block("return await self.apaginated_response("),
        "async def get(self, request):",
        Books,
        queryset=Book.objects.all(),
        latest_review=latest,
    )
    with Site({"": view.as_view()}) as site:
        answer = site.send("GET", "/").json()
    assert (answer["results"] if paged else answer) == [
        {"title": "Emma", "latest": {"rating": 5, "book_title": "Emma"}},
        {"title": "Persuasion", "latest": None},
        {"title": "Sanditon", "latest": {"rating": 1, "book_title": "Sanditon"}},
    ][: 2 if paged else 3]


class ByHeader(BaseAuthentication):
    def authenticate(self, request: Any) -> Any:
        name = request.headers.get("X-Name")
        return (User.objects.get(username=name), None) if name else None


def test_afinalize_response() -> None:
    class Users(AsyncAPIView):
        authentication_classes = [ByHeader]

        async def get(self, request: Any) -> Any:
            return Response({})

    view = method(block("async def afinalize_response("), "afinalize_response", Users)
    User.objects.create(username="emma")
    with Site({"": view.as_view()}) as site:
        answers = [
            site.send("GET", "/", headers={"x-name": "emma"}),
            site.send("GET", "/"),
            site.send("DELETE", "/"),
        ]
    assert [(answer.status, answer.headers["X-User"]) for answer in answers] == [
        (200, "emma"),
        (200, "AnonymousUser"),
        (405, "AnonymousUser"),
    ]
