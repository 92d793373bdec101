"""A request goes to its worker thread as often as it has separate stretches of blocking work, and not more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.http import Http404
from django.utils.functional import SimpleLazyObject
from rest_framework import authentication, exceptions, pagination, permissions, serializers, throttling
from rest_framework.response import Response

from restflow import permissions as restflow_permissions
from restflow.views import AsyncAPIView, PostFetch
from tests.shop.models import Author, Book, Review
from tests.site import Answer, Site


def send(view: type, method: str = "GET", data: Any = None, **options: Any) -> Answer:
    settings = options.pop("settings", {})
    with Site({"x/": view.as_view()}, **settings) as site:
        return site.send(method, "/x/", data, **options)


class Plain(AsyncAPIView):
    async def get(self, request):
        return Response({"user": str(request.user)})

    async def post(self, request):
        return Response(request.data)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"authentication_classes": []},
        {"permission_classes": [permissions.IsAuthenticatedOrReadOnly]},
        {"permission_classes": [restflow_permissions.AllowAny & ~restflow_permissions.IsAuthenticated]},
        {"permission_classes": [permissions.AllowAny | permissions.IsAdminUser]},
    ],
)
def test_a_view_whose_policies_never_block_costs_none(attributes):
    answer = send(type("V", (Plain,), attributes))
    assert (answer.status, answer.hops) == (200, 0)


@pytest.mark.parametrize(
    ("method", "data", "status"), [("POST", {"n": 1}, 200), ("DELETE", None, 405), ("HEAD", None, 200)]
)
def test_a_body_in_memory_and_a_refused_method_cost_none(method, data, status):
    answer = send(Plain, method, data)
    assert (answer.status, answer.hops) == (status, 0)


@pytest.mark.parametrize("permission", [permissions.IsAuthenticated, restflow_permissions.IsAdminUser])
def test_a_refusal_of_an_anonymous_request_costs_none(permission):
    answer = send(type("V", (Plain,), {"permission_classes": [permission]}))
    assert (answer.status, answer.hops) == (403, 0)


@pytest.mark.parametrize("error", [Http404, exceptions.PermissionDenied, exceptions.ValidationError])
def test_an_error_raised_in_an_async_handler_costs_none(error):
    class View(AsyncAPIView):
        async def get(self, request):
            raise error

    answer = send(View)
    assert (answer.status in {400, 403, 404}, answer.hops) == (True, 0)


class SyncAuthentication(authentication.BaseAuthentication):
    def authenticate(self, request):
        return None


class AsyncAuthentication(authentication.BaseAuthentication):
    async def authenticate(self, request):
        await asyncio.sleep(0)


class SyncPermission(permissions.BasePermission):
    def has_permission(self, request, view):
        return True


class AsyncPermission(restflow_permissions.BasePermission):
    async def has_permission(self, request, view):
        await asyncio.sleep(0)
        return True


class SyncThrottle(throttling.BaseThrottle):
    def allow_request(self, request, view):
        return True


class AsyncThrottle(throttling.BaseThrottle):
    async def allow_request(self, request, view):
        await asyncio.sleep(0)
        return True


def test_policies_that_are_all_async_cost_none():
    class View(Plain):
        authentication_classes = [AsyncAuthentication]
        permission_classes = [AsyncPermission, AsyncPermission & ~~AsyncPermission]
        throttle_classes = [AsyncThrottle]

        async def acheck_permissions(self, request):
            await super().acheck_permissions(request)

    answer = send(View)
    assert (answer.status, answer.hops) == (200, 0)


class Custom:
    """A user of a project's own, whose answers may query."""

    is_authenticated = is_staff = True


def lazy_user() -> Any:
    return SimpleLazyObject(lambda: User(is_staff=True))


class Unhashable:
    """A component that is no class."""

    __hash__ = None

    def __call__(self) -> Any:
        return permissions.AllowAny()


@pytest.mark.parametrize(
    ("user", "asked", "status", "hops"),
    [
        (User(is_staff=True), permissions.IsAuthenticated, 200, 0),
        (User(is_staff=True), permissions.IsAdminUser, 200, 0),
        (User(), permissions.IsAdminUser, 403, 0),
        (AnonymousUser(), permissions.IsAuthenticated, 403, 0),
        (None, permissions.IsAuthenticated, 403, 0),
        (Custom(), permissions.IsAuthenticated, 200, 1),
        (Custom(), permissions.IsAdminUser, 200, 1),
        (lazy_user, permissions.IsAdminUser, 200, 1),
        (None, Unhashable(), 200, 1),
    ],
)
def test_a_permission_reads_a_user_on_the_loop_where_that_cannot_block(user, asked, status, hops):
    class Known(authentication.BaseAuthentication):
        async def authenticate(self, request):
            return user() if user is lazy_user else user, None

    class View(AsyncAPIView):
        authentication_classes = [Known]
        permission_classes = [asked]

        async def get(self, request):
            return Response({})

    answer = send(View)
    assert (answer.status, answer.hops) == (status, hops)


class SyncHandler(AsyncAPIView):
    def get(self, request):
        return Response({})


@pytest.mark.parametrize("handler", [Plain, SyncHandler])
@pytest.mark.parametrize("authenticators", [[], [SyncAuthentication], [SyncAuthentication] * 3])
@pytest.mark.parametrize("asked", [[], [SyncPermission], [SyncPermission, SyncPermission & ~~SyncPermission]])
@pytest.mark.parametrize("throttles", [[], [SyncThrottle, SyncThrottle]])
def test_any_mix_of_sync_policies_and_a_sync_handler_costs_one(handler, authenticators, asked, throttles):
    attributes = {"authentication_classes": authenticators, "permission_classes": asked, "throttle_classes": throttles}
    answer = send(type("V", (handler,), attributes))
    blocking = bool(authenticators or asked or throttles or handler is SyncHandler)
    assert (answer.status, answer.hops) == (200, int(blocking))


def test_sync_overrides_of_hooks_in_a_row_cost_one():
    class View(SyncHandler):
        permission_classes = [SyncPermission]

        def initial(self, request, *args, **kwargs):
            super().initial(request, *args, **kwargs)

        def check_permissions(self, request):
            super().check_permissions(request)

        def finalize_response(self, request, response, *args, **kwargs):
            return super().finalize_response(request, response, *args, **kwargs)

    answer = send(View)
    assert (answer.status, answer.hops) == (200, 1)


def test_an_async_policy_between_sync_ones_parts_their_stretch():
    class View(Plain):
        permission_classes = [SyncPermission, AsyncPermission, SyncPermission]

    assert send(View).hops == 2


@pytest.mark.parametrize("error", [Http404, exceptions.PermissionDenied])
@pytest.mark.parametrize("asked", [[], [SyncPermission]])
def test_an_error_raised_in_a_sync_handler_adds_none(error, asked):
    class View(AsyncAPIView):
        permission_classes = asked

        def get(self, request):
            raise error

    answer = send(View)
    assert (answer.status in {403, 404}, answer.hops) == (True, 1)


def test_a_sync_refusal_adds_none():
    class Deny(permissions.BasePermission):
        def has_permission(self, request, view):
            return False

    answer = send(type("V", (Plain,), {"permission_classes": [SyncPermission, Deny]}))
    assert (answer.status, answer.hops) == (403, 1)


class AuthorRow(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["name"]


class BookRow(serializers.ModelSerializer):
    author = AuthorRow()
    rating = serializers.IntegerField(source="review.rating", default=None)

    class Meta:
        model = Book
        fields = ["title", "author", "rating"]


class Pages(pagination.PageNumberPagination):
    page_size = 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("policies", ["none", "sync"])
@pytest.mark.parametrize("handler", ["async", "sync"])
def test_a_page_of_a_list_with_a_post_fetch_costs_one(policies, handler):
    author = Author.objects.create(name="Ada")
    for title in "ABC":
        Book.objects.create(title=title, author=author)
        Review.objects.create(book_title=title, rating=5)
    joined = PostFetch(Review.objects.all(), "review", ["rating"], book_title="title")

    class View(AsyncAPIView):
        serializer_class = BookRow
        pagination_class = Pages
        if policies == "sync":
            permission_classes = [SyncPermission]
            throttle_classes = [SyncThrottle]

        if handler == "async":

            async def get(self, request):
                return await self.apaginated_response(Book.objects.all(), post_fetches=[joined])
        else:

            def get(self, request):
                return self.paginated_response(Book.objects.all(), post_fetches=[joined])

    answer = send(View)
    assert [row["title"] for row in answer.json()["results"]] == ["A", "B"]
    # Between the checks and an async handler's own work the request is on the loop.
    assert answer.hops == (2 if (policies, handler) == ("sync", "async") else 1)


@pytest.mark.django_db(transaction=True)
def test_a_post_that_validates_and_saves_costs_one_for_each():
    class AuthorView(AsyncAPIView):
        serializer_class = AuthorRow

        async def post(self, request):
            serializer = await self.avalidated_serializer()
            await serializer.asave()
            return await self.aserialized_response(serializer.instance, status=201)

    class SyncAuthorView(AsyncAPIView):
        serializer_class = AuthorRow

        def post(self, request):
            serializer = self.validated_serializer()
            serializer.save()
            return self.serialized_response(serializer.instance, status=201)

    answer = send(AuthorView, "POST", {"name": "Ada"})
    assert (answer.status, answer.hops) == (201, 3)
    answer = send(SyncAuthorView, "POST", {"name": "Bob"})
    assert (answer.status, answer.hops) == (201, 1)
