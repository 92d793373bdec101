"""Viewsets: actions of either colour in all that ``@action`` takes, routers, hops, and what is refused."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory
from rest_framework import filters, serializers, throttling, viewsets
from rest_framework.authentication import BaseAuthentication
from rest_framework.pagination import LimitOffsetPagination, PageNumberPagination
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter, SimpleRouter

from restflow import serializers as restflow_serializers
from restflow import views
from restflow.views import action
from tests.matrix import each_pair
from tests.safety.support import here
from tests.shop.models import Author, Book, Tag
from tests.site import Site

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _books() -> None:
    author = Author.objects.create(pk=1, name="Austen")
    book = Book.objects.create(pk=1, title="Emma", year=1815, author=author)
    book.tags.add(Tag.objects.create(pk=1, name="novel"))


class BookSerializer(serializers.ModelSerializer):
    class Meta:
        model = Book
        fields = ["id", "title", "year", "author", "tags"]


class OurBookSerializer(restflow_serializers.ModelSerializer):
    class Meta(BookSerializer.Meta):
        pass


class TagSerializer(serializers.ModelSerializer):
    class Meta:
        model = Tag
        fields = ["id", "name"]


def routed(viewset: Any, router: Any = SimpleRouter, **options: Any) -> list[Any]:
    made = router(**options)
    made.register("books", viewset, basename="book")
    return made.urls


NEW = {"title": "Persuasion", "year": 1817, "author": 1, "tags": [1]}


# Hops.


class SyncAuthentication(BaseAuthentication):
    def authenticate(self, request):
        return None


class SyncPermission(BasePermission):
    def has_permission(self, request, view):
        return Author.objects.exists()

    def has_object_permission(self, request, view, obj):
        return Author.objects.exists()


class SyncThrottle(throttling.BaseThrottle):
    def allow_request(self, request, view):
        return Author.objects.exists()


class Pages(PageNumberPagination):
    page_size = 2


POLICIES = {
    "authentication_classes": [SyncAuthentication, SyncAuthentication],
    "permission_classes": [SyncPermission, SyncPermission & AllowAny, ~~SyncPermission],
    "throttle_classes": [SyncThrottle, SyncThrottle],
    "filter_backends": [filters.SearchFilter, filters.OrderingFilter],
    "search_fields": ["title", "author__name"],
}


@each_pair
@pytest.mark.parametrize(
    ("method", "url", "data", "status"),
    [
        ("GET", "/books/?search=emma&ordering=-year", None, 200),
        ("HEAD", "/books/", None, 200),
        ("POST", "/books/", NEW, 201),
        ("POST", "/books/", {}, 400),
        ("GET", "/books/1/", None, 200),
        ("GET", "/books/9/", None, 404),
        ("GET", "/books/x/", None, 404),
        ("PUT", "/books/1/", NEW, 200),
        ("PATCH", "/books/1/", {"year": 1}, 200),
        ("PATCH", "/books/1/", {"year": "x"}, 400),
        ("DELETE", "/books/1/", None, 204),
        ("OPTIONS", "/books/1/", None, 200),
    ],
)
@pytest.mark.parametrize("policies", [{}, POLICIES], ids=["no policies", "all policies"])
@pytest.mark.parametrize("pagination", [None, Pages, LimitOffsetPagination])
@pytest.mark.parametrize("serializer", [BookSerializer, OurBookSerializer])
def test_an_action_of_a_model_costs_one_hop(serializer, pagination, policies, method, url, data, status):
    class View(views.AsyncModelViewSet):
        queryset = Book.objects.prefetch_related("tags").order_by("id")
        serializer_class = serializer
        pagination_class = pagination

    with Site(routed(type("View", (View,), policies))) as site:
        answer = site.send(method, url, data)
    assert (answer.status, answer.hops) == (status, 1)


def test_drfs_mixins_cost_no_more():
    class View(viewsets.mixins.ListModelMixin, viewsets.mixins.CreateModelMixin, views.AsyncGenericViewSet):
        queryset = Book.objects.order_by("id")
        serializer_class = BookSerializer

    with Site(routed(View)) as site:
        assert (site.send("GET", "/books/").hops, site.send("POST", "/books/", NEW).hops) == (1, 1)


# Actions.


def both(colour: str, function: Any) -> Any:
    """``function`` as an action of a colour."""

    @functools.wraps(function)
    async def method(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return method if colour == "async" else function


@pytest.fixture(params=["sync on sync", "sync", "async"])
def viewset(request: pytest.FixtureRequest) -> Any:
    """A viewset with actions in each option, sync or async; and sync ones on a sync viewset."""
    colour = request.param
    base: Any = views.ModelViewSet if colour == "sync on sync" else views.AsyncModelViewSet

    def told(self, request, **kwargs):
        return Response(
            {
                "action": self.action,
                "method": request.method,
                "kwargs": kwargs,
                "permissions": [each.__name__ for each in self.permission_classes],
                "serializer": self.serializer_class.__name__,
                "detail": self.detail,
                "basename": self.basename,
                "suffix": self.suffix,
                "name": self.get_view_name(),
                "place": "loop" if here() == "loop" else "thread",
            }
        )

    def named(name: str, doc: str = "Says.") -> Any:
        made = both(colour, functools.wraps(told)(lambda *args, **kwargs: told(*args, **kwargs)))
        made.__name__, made.__doc__ = name, doc
        return made

    class Books(base):
        queryset = Book.objects.order_by("id")
        serializer_class = BookSerializer

        plain = action(detail=False)(named("plain"))
        one = action(detail=True, url_path="the-one", url_name="single")(named("one"))
        several = action(detail=True, methods=["get", "POST"])(named("several"))
        others = several.mapping.delete(named("others"))
        patched = several.mapping.patch(named("patched"))
        configured = action(
            detail=False,
            permission_classes=[SyncPermission],
            serializer_class=TagSerializer,
            name="Its name",
        )(named("configured"))
        suffixed = action(detail=False, suffix="Tail")(named("suffixed"))
        by_regex = action(detail=True, url_path=r"at/(?P<page>\d+)")(named("by_regex"))

    Books.colour = colour
    return Books


CALLS = [
    ("GET", "/books/plain/", "plain"),
    ("HEAD", "/books/plain/", "plain"),
    ("GET", "/books/1/the-one/", "one"),
    ("GET", "/books/1/several/", "several"),
    ("POST", "/books/1/several/", "several"),
    ("DELETE", "/books/1/several/", "others"),
    ("PATCH", "/books/1/several/", "patched"),
    ("GET", "/books/configured/", "configured"),
    ("GET", "/books/suffixed/", "suffixed"),
    ("GET", "/books/1/at/7/", "by_regex"),
]


@pytest.mark.parametrize(("method", "url", "name"), CALLS)
def test_an_action_has_all_that_it_was_given(viewset, method, url, name):
    with Site(routed(viewset)) as site:
        answer = site.send(method, url)
    assert answer.status == 200
    configured = name == "configured"
    titles = {"configured": "Its name", "suffixed": "Books Tail", "others": "Several", "patched": "Several"}
    detail = url.startswith("/books/1/")
    assert answer.json() == {
        "action": name,
        "method": method,
        "kwargs": ({"pk": "1"} if detail else {}) | ({"page": "7"} if name == "by_regex" else {}),
        "permissions": ["SyncPermission" if configured else "AllowAny"],
        "serializer": "TagSerializer" if configured else "BookSerializer",
        "detail": detail,
        "basename": "book",
        "suffix": "Tail" if name == "suffixed" else None,
        "name": titles.get(name, name.replace("_", " ").capitalize()),
        "place": "loop" if viewset.colour == "async" else "thread",
    }


def test_the_permissions_of_an_action_are_asked(viewset):
    Author.objects.all().delete()
    with Site(routed(viewset)) as site:
        assert site.send("GET", "/books/configured/").status == 403
        assert site.send("GET", "/books/plain/").status == 200
        assert site.send("PUT", "/books/1/several/").status == 405


def test_a_view_function_carries_what_drfs_does(viewset):
    view = viewset.as_view({"get": "list"}, suffix="List", basename="book", detail=False)
    assert view.cls is viewset
    assert view.actions == {"get": "list"}
    assert view.initkwargs == {"suffix": "List", "basename": "book", "detail": False}
    assert view.csrf_exempt is True
    assert iscoroutinefunction(view) is (viewset.colour != "sync on sync")
    with pytest.raises(TypeError, match="The `actions` argument must be provided"):
        viewset.as_view()
    with pytest.raises(TypeError, match="invalid keyword 'nope'"):
        viewset.as_view({"get": "list"}, nope=1)
    with pytest.raises(TypeError, match="mutually exclusive"):
        viewset.as_view({"get": "list"}, name="a", suffix="b")


def test_urls_are_reversed_by_the_view(viewset):
    found: dict[str, Any] = {}

    class View(viewset):
        def get_queryset(self):
            found["urls"] = self.get_extra_action_url_map()
            found["reversed"] = self.reverse_action("single", args=[1])
            found["list"] = self.reverse_action("list")
            return super().get_queryset()

    with Site(routed(View, DefaultRouter)) as site:
        assert site.send("GET", "/books/").status == 200
    assert found["reversed"] == "http://testserver/books/1/the-one/"
    assert found["list"] == "http://testserver/books/"
    assert set(found["urls"]) == {"Plain", "Its name", "View Tail"}


def test_a_viewset_made_for_a_schema_has_no_request(viewset):
    view = viewset(detail=False, basename="book")
    view.swagger_fake_view = True
    view.action, view.request, view.kwargs, view.format_kwarg = "list", None, {}, None
    assert list(view.get_queryset().values_list("pk", flat=True)) == [1]
    assert view.get_serializer_class() is BookSerializer
    assert isinstance(view.get_serializer(), BookSerializer)
    assert [each.__name__ for each in view.get_extra_actions()] == [
        each.__name__ for each in viewset.get_extra_actions()
    ]


def test_an_action_may_call_another(viewset):
    def again(self, request):
        return self.list(request)

    async def aagain(self, request):
        return await self.list(request)

    chosen = aagain if viewset.colour == "async" else again
    chosen.__name__ = "again"
    cls = type("View", (viewset,), {"again": action(detail=False)(chosen)})
    with Site(routed(cls)) as site:
        assert [book["title"] for book in site.send("GET", "/books/again/").json()] == ["Emma"]


# What is refused.


def test_async_actions_of_a_sync_viewset_are_refused_where_its_urls_are_made():
    class Books(views.GenericViewSet):
        @action(detail=False)
        async def plain(self, request):
            return Response({})

        async def list(self, request):
            return Response({})

    for name in ("plain", "list"):
        with pytest.raises(
            ImproperlyConfigured, match=rf"^Books\.{name} is async\. Derive Books from the async viewset"
        ):
            Books.as_view({"get": name})
    with pytest.raises(ImproperlyConfigured, match=r"^Books\.list is async"):
        _ = routed(Books)


def test_an_action_of_a_sync_viewset_that_gives_a_coroutine_is_an_error():
    given = []

    class Books(views.ViewSet):
        def list(self, request):
            async def answer():
                return Response({})

            given.append(answer())
            return given[0]

    with pytest.raises(AssertionError, match=r"received a `<class .coroutine.>`"):
        Books.as_view({"get": "list"})(RequestFactory().get("/"))
    given[0].close()


def test_uploads_wait_for_the_action_that_reads_them(viewset):
    with Site(routed(viewset)) as site:
        body = b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nT\r\n--x--\r\n'
        answer = site.send("POST", "/books/", body=body, headers={"content-type": "multipart/form-data; boundary=x"})
    assert answer.status == 400
    assert "title" not in answer.json()


def test_two_requests_at_a_time_have_an_action_each():
    class Books(views.AsyncViewSet):
        async def list(self, request):
            await asyncio.sleep(0)
            return Response({"action": self.action})

        async def retrieve(self, request, pk):
            await asyncio.sleep(0)
            return Response({"action": self.action})

    async def requests(site: Site) -> list[Any]:
        return await asyncio.gather(*(site.asend("GET", url) for url in ["/books/", "/books/1/"] * 5))

    with Site(routed(Books)) as site:
        answers = asyncio.run(requests(site))
    assert [answer.json()["action"] for answer in answers] == ["list", "retrieve"] * 5


@pytest.mark.parametrize("serializer", [BookSerializer, OurBookSerializer])
@pytest.mark.parametrize("base", [views.ModelViewSet, views.AsyncModelViewSet])
def test_what_was_prefetched_is_read_anew_after_an_update(base, serializer):
    Tag.objects.create(pk=2, name="classic")

    class Books(base):
        queryset = Book.objects.prefetch_related("tags").order_by("id")
        serializer_class = serializer

    with Site(routed(Books)) as site:
        assert site.send("PATCH", "/books/1/", {"tags": [2]}).json()["tags"] == [2]
