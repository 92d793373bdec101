"""Requests served side by side share nothing: views, users, contexts, threads, connections."""

from __future__ import annotations

import asyncio
import contextvars
import datetime
import threading
from typing import Any

import pytest
from django.db import connection
from rest_framework import authentication, exceptions, pagination, renderers, serializers, throttling
from rest_framework.response import Response

from restflow.permissions import BasePermission
from restflow.views import APIView, AsyncAPIView, PostFetch
from tests.matrix import each_value
from tests.safety.support import here
from tests.shop.models import Author, Book, Review
from tests.site import Answer, Site

MANY = 200


class Named:
    """A user as the request's header names them."""

    is_authenticated = True

    def __init__(self, name: str) -> None:
        self.name = name


class SyncNames(authentication.BaseAuthentication):
    def authenticate(self, request):
        return Named(request.META["HTTP_X_NAME"]), None


class AsyncNames(authentication.BaseAuthentication):
    async def authenticate(self, request):
        name = request.META["HTTP_X_NAME"]
        await asyncio.sleep(0)
        return Named(name), None


class SyncEven(BasePermission):
    """Lets through whom the URL names, unless the number is a multiple of 10."""

    def has_permission(self, request, view):
        assert request is view.request
        self.message = f"not {view.kwargs['pk']}"
        return view.kwargs["pk"] % 10 != 0

    def has_object_permission(self, request, view, obj):
        return obj == view.kwargs["pk"]


class AsyncEven(BasePermission):
    async def has_permission(self, request, view):
        self.message = f"not {view.kwargs['pk']}"
        await asyncio.sleep(0)
        assert request is view.request
        return view.kwargs["pk"] % 10 != 0

    async def has_object_permission(self, request, view, obj):
        await asyncio.sleep(0)
        return obj == view.kwargs["pk"]


class NoLimit(throttling.BaseThrottle):
    def allow_request(self, request, view):
        self.asked = view.kwargs["pk"]
        return True


class Rows(serializers.Serializer):
    n = serializers.IntegerField()


class Pages(pagination.PageNumberPagination):
    page_size = 1
    page_query_param = "p"


class Shows:
    serializer_class = Rows
    pagination_class = Pages
    throttle_classes = [NoLimit]


class AsyncShows(Shows, AsyncAPIView):
    async def get(self, request, pk):
        await self.acheck_object_permissions(request, pk)
        await asyncio.sleep(0.001)
        response = await self.apaginated_response([{"n": pk}])
        assert self.paginator.page.object_list == [{"n": pk}]
        return Response({"pk": pk, "kwargs": self.kwargs, "user": request.user.name, "rows": response.data["results"]})


class SyncShows(Shows):
    def get(self, request, pk):
        self.check_object_permissions(request, pk)
        response = self.paginated_response([{"n": pk}])
        return Response({"pk": pk, "kwargs": self.kwargs, "user": request.user.name, "rows": response.data["results"]})


class SyncHandlersShow(SyncShows, AsyncAPIView):
    pass


class SyncViewShows(SyncShows, APIView):
    pass


SHOWS = {"async": AsyncShows, "async, sync handlers": SyncHandlersShow, "sync": SyncViewShows}


def gather(view: type, count: int = MANY, **settings: Any) -> list[Answer]:
    """Send ``count`` requests to ``/<pk>/`` at once on one loop, each by a user of its own."""
    with Site({"<int:pk>/": view.as_view()}, **settings) as site:

        async def main() -> list[Answer]:
            return await asyncio.gather(
                *(site.asend("GET", f"/{number}/", headers={"x-name": f"user {number}"}) for number in range(count))
            )

        return asyncio.run(main())


@each_value
@pytest.mark.parametrize("view", SHOWS)
@pytest.mark.parametrize(
    ("authenticator", "permission"),
    [(SyncNames, SyncEven), (AsyncNames, AsyncEven), (SyncNames, AsyncEven & SyncEven), (AsyncNames, SyncEven)],
    ids=["sync", "async", "mixed", "async then sync"],
)
def test_requests_at_once_each_get_their_own_answer(view, authenticator, permission):
    attributes = {"authentication_classes": [authenticator], "permission_classes": [permission]}
    answers = gather(type("V", (SHOWS[view],), attributes), count=MANY if view == "async" else MANY // 4)
    for number, answer in enumerate(answers):
        if number % 10 == 0:
            assert answer.status == 403
            if permission in {SyncEven, AsyncEven}:
                assert answer.json() == {"detail": f"not {number}"}
        else:
            expected = {"pk": number, "kwargs": {"pk": number}, "user": f"user {number}", "rows": [{"n": number}]}
            assert answer.json() == expected


# Context variables.

CONTEXT: contextvars.ContextVar[str] = contextvars.ContextVar("context", default="unset")


class SetsContext(BasePermission):
    def has_permission(self, request, view):
        assert here() == "thread"
        assert CONTEXT.get() == "unset"
        CONTEXT.set(request.META["HTTP_X_NAME"])
        return True


class AsyncSetsContext(BasePermission):
    async def has_permission(self, request, view):
        assert CONTEXT.get() == "unset"
        CONTEXT.set(request.META["HTTP_X_NAME"])
        return True


class ReadsContext(BasePermission):
    def has_permission(self, request, view):
        return CONTEXT.get() == request.META["HTTP_X_NAME"]


class AsyncReadsContext(BasePermission):
    async def has_permission(self, request, view):
        await asyncio.sleep(0)
        return CONTEXT.get() == request.META["HTTP_X_NAME"]


class AsyncContextView(AsyncAPIView):
    async def get(self, request, pk):
        await asyncio.sleep(0.001)
        return Response(CONTEXT.get())


class SyncContextView:
    def get(self, request, pk):
        return Response(CONTEXT.get())


CONTEXT_VIEWS = {
    "async": AsyncContextView,
    "async, sync handlers": type("V", (SyncContextView, AsyncAPIView), {}),
    "sync": type("V", (SyncContextView, APIView), {}),
}


@pytest.mark.parametrize("view", CONTEXT_VIEWS)
@pytest.mark.parametrize("sets", [SetsContext, AsyncSetsContext])
def test_a_context_variable_set_by_one_component_is_seen_by_the_next_and_by_no_other_request(view, sets):
    cls = type(
        "V", (CONTEXT_VIEWS[view],), {"permission_classes": [sets, AsyncReadsContext, ReadsContext, AsyncReadsContext]}
    )
    answers = gather(cls, count=30)
    assert [answer.json() for answer in answers] == [f"user {number}" for number in range(30)]
    assert CONTEXT.get() == "unset"


# Threads.

LOCAL = threading.local()


class Notes(BasePermission):
    def has_permission(self, request, view):
        LOCAL.name = request.META["HTTP_X_NAME"]
        view.threads = [threading.get_ident()]
        return True


class SyncAgain(BasePermission):
    def has_permission(self, request, view):
        view.threads.append(threading.get_ident())
        return LOCAL.name == request.META["HTTP_X_NAME"]


class Between(BasePermission):
    async def has_permission(self, request, view):
        await asyncio.sleep(0.001)
        return True


class ThreadView(AsyncAPIView):
    permission_classes = [Notes, SyncAgain, Between, SyncAgain, Between, SyncAgain & SyncAgain]

    def get(self, request, pk):
        self.threads.append(threading.get_ident())
        assert LOCAL.name == request.META["HTTP_X_NAME"]
        return Response(len(set(self.threads)))


def test_all_sync_code_of_a_request_runs_in_one_thread_of_its_own():
    answers = gather(ThreadView, count=50)
    assert [answer.json() for answer in answers] == [1] * 50


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("view", ["async", "async, sync handlers"])
def test_the_sync_code_of_a_request_uses_one_connection_of_its_own(view):
    seen: list[tuple[int, Any]] = []

    class Querying(BasePermission):
        def has_permission(self, request, view):
            Book.objects.count()
            view.connection = connection.connection
            return True

    class View(AsyncAPIView):
        permission_classes = [Querying, Between, SyncEven]
        if view == "async":

            async def get(self, request, pk):
                assert await Book.objects.acount() == 0
                await self.acheck_permissions(request)
                seen.append((pk, self.connection))
                return Response(pk)
        else:

            def get(self, request, pk):
                Book.objects.count()
                assert self.connection is connection.connection
                seen.append((pk, self.connection))
                return Response(pk)

    answers = gather(View, count=8)
    assert [answer.status for answer in answers] == [403] + [200] * 7
    assert len({id(used) for _, used in seen}) == 7


@pytest.mark.django_db(transaction=True)
def test_a_post_fetch_shared_by_requests_holds_nothing_of_them():
    author = Author.objects.create(name="Ada")
    for number in range(20):
        Book.objects.create(title=str(number), author=author)
        Review.objects.create(book_title=str(number), rating=number)

    class WithReview(serializers.Serializer):
        title = serializers.CharField()
        rating = serializers.IntegerField(source="review.rating")

    joined = PostFetch(Review.objects.all(), "review", ["rating"], book_title="title")

    class View(AsyncAPIView):
        serializer_class = WithReview

        async def get(self, request, pk):
            books = Book.objects.filter(title=str(pk))
            return await self.apaginated_response(books, post_fetches=[joined])

    answers = gather(View, count=20)
    assert [answer.json() for answer in answers] == [[{"title": str(n), "rating": n}] for n in range(20)]


# Objects that requests do share, because a view's author shares them.


class SharedComponents(AsyncAPIView):
    """Getters that hand out the same permission and renderer to every request, as DRF allows."""

    permission = AsyncEven()
    renderer = renderers.JSONRenderer()

    def get_permissions(self):
        return [self.permission]

    def get_renderers(self):
        return [self.renderer]

    async def get(self, request, pk):
        await asyncio.sleep(0)
        return Response({"pk": pk, "rows": [{"n": pk}]})


def test_a_renderer_shared_by_requests_renders_each():
    answers = gather(SharedComponents)
    for number, answer in enumerate(answers):
        if number % 10:
            assert answer.json() == {"pk": number, "rows": [{"n": number}]}


class Stalling(dict):
    """A renderer context that stops the rendering thread until the loop renders with the same renderer."""

    begun = threading.Event()
    go_on = threading.Event()

    def get(self, key, default=None):
        if here() == "thread":
            self.begun.set()
            assert self.go_on.wait(10)
        return super().get(key, default)


class Meeting(datetime.date):
    """Data that are rendered on the loop, and let the thread go on in the middle of it."""

    rendered = threading.Event()

    def isoformat(self):
        Stalling.go_on.set()
        self.rendered.wait(0.3)
        return "met"


def test_rendering_in_place_does_not_change_the_renderer_of_another_request():
    shared = renderers.JSONRenderer()

    class View(AsyncAPIView):
        def get_renderers(self):
            return [shared]

        def get_renderer_context(self):
            context = super().get_renderer_context()
            return Stalling(context) if self.kwargs["pk"] else context

        async def get(self, request, pk):
            if pk:
                return Response(row for row in [{"n": pk}])
            while not Stalling.begun.is_set():  # noqa: ASYNC110 - it is set in another thread
                await asyncio.sleep(0.001)
            return Response({"when": Meeting(2020, 1, 1)})

    in_place, in_thread = gather(View, count=2)
    assert in_place.json() == {"when": "met"}
    assert in_thread.json() == [{"n": 1}]


# An exception of one request.


def test_an_exception_raised_by_many_requests_at_once_is_each_ones_own():
    class Refusing(authentication.BaseAuthentication):
        async def authenticate(self, request):
            await asyncio.sleep(0)
            raise exceptions.AuthenticationFailed(request.META["HTTP_X_NAME"])

        def authenticate_header(self, request):
            return request.META["HTTP_X_NAME"]

    class View(AsyncAPIView):
        authentication_classes = [Refusing]

    for number, answer in enumerate(gather(View, count=50)):
        assert answer.json() == {"detail": f"user {number}"}
        assert answer.headers["WWW-Authenticate"] == f"user {number}"
