"""Sync code of every kind may query on an async view: SynchronousOnlyOperation reaches no client."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.middleware import SessionMiddleware
from django.contrib.sessions.models import Session
from django.db import connections
from django.utils.functional import SimpleLazyObject
from rest_framework import authentication, exceptions, pagination, permissions, serializers, throttling, versioning
from rest_framework.authtoken.models import Token
from rest_framework.response import Response

from restflow import permissions as restflow_permissions
from restflow.views import APIView, AsyncAPIView, PostFetch
from tests.matrix import each_pair, each_value
from tests.safety.hooks import BY_NAME, VIEWS, AsyncHandlers, Deny
from tests.safety.support import ask, here
from tests.shop.models import Author, Book, Review

# Requests read from threads of their own, so the rows are committed; once for the module, as no test writes any.
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def user(django_db_setup: None, django_db_blocker: Any) -> Iterator[User]:
    with django_db_blocker.unblock():
        author = Author.objects.create(name="Ada")
        for title in ("A", "B", "C"):
            Book.objects.create(title=title, author=author)
        Review.objects.create(book_title="A", rating=5)
        yield User.objects.create_user("ada", password="pw", is_staff=True)
        for model in (Book, Author, Review, Token, Session, User):
            model.objects.all().delete()
        connections.close_all()


@pytest.fixture(scope="module")
def token(user: User) -> dict[str, str]:
    return {"authorization": f"Token {Token.objects.create(user=user).key}"}


def query() -> int:
    return Book.objects.count()


class Books(serializers.ModelSerializer):
    author = serializers.StringRelatedField()

    class Meta:
        model = Book
        fields = ["title", "author"]


class Pages(pagination.PageNumberPagination):
    page_size = 2


class ShopView(AsyncAPIView):
    serializer_class = Books
    pagination_class = Pages

    async def get(self, request):
        return await self.apaginated_response(Book.objects.all())


# Components.


class Querying(
    permissions.BasePermission, throttling.BaseThrottle, authentication.BaseAuthentication, versioning.BaseVersioning
):
    """A component of every kind that queries in each of its hooks."""

    def has_permission(self, request, view):
        return query() == 3

    def authenticate(self, request):
        assert query() == 3
        return AnonymousUser(), None

    def allow_request(self, request, view):
        return query() == 3

    def determine_version(self, request, *args, **kwargs):
        return str(query())


@each_value
@pytest.mark.parametrize(
    "name", ["permission_classes", "throttle_classes", "authentication_classes", "versioning_class"]
)
@pytest.mark.parametrize("view", VIEWS)
def test_a_component_queries(view, name):
    value: Any = Querying if name == "versioning_class" else [Querying]
    assert ask(type("V", (VIEWS[view],), {name: value})).status == 200


@each_value
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", ["initial", "check_permissions", "get_permissions", "get_serializer_class"])
def test_an_override_queries(view, name):
    def override(self: Any, *args: Any, **kwargs: Any) -> Any:
        assert query() == 3
        return getattr(super(cls, self), name)(*args, **kwargs)

    hook = BY_NAME[name]
    cls = type("V", (hook.view(view),), {name: override})
    assert ask(cls, hook.method, hook.data).status == 200


@pytest.mark.parametrize("view", VIEWS)
def test_an_exception_handler_queries(view):
    def handler(exc, context):
        return Response({"books": query()}, status=400)

    attributes = {"permission_classes": [Deny], "get_exception_handler": lambda self: handler}
    cls = type("V", (VIEWS[view],), attributes)
    assert ask(cls).json() == {"books": 3}


def test_a_page_of_a_query_set_with_relations_and_a_post_fetch():
    class View(ShopView):
        async def get(self, request):
            joined = PostFetch(Review.objects.all(), "review", ["rating"], book_title="title")
            return await self.apaginated_response(Book.objects.all(), post_fetches=[joined])

    answer = ask(View)
    assert answer.status == 200
    assert [row["title"] for row in answer.json()["results"]] == ["A", "B"]


# Responses whose data query when they are rendered.


def titles() -> Iterator[str]:
    for book in Book.objects.all():
        yield book.title


@each_pair
@pytest.mark.parametrize("view", ["async", "async, sync handlers"])
@pytest.mark.parametrize(
    "data",
    [
        lambda: Book.objects.values("title"),
        lambda: {"nested": [Book.objects.values_list("title")]},
        titles,
        lambda: {"lazy": SimpleLazyObject(lambda: Book.objects.values("title"))},
        lambda: {"related": Author.objects.only("pk").all()[:0]},
    ],
    ids=["query set", "nested query set", "generator", "lazy object", "empty slice"],
)
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_data_that_query_when_rendered(view, data, accept):
    def get(self: Any, request: Any) -> Any:
        return Response(data())

    async def async_get(self: Any, request: Any) -> Any:
        return Response(data())

    cls = type("V", (VIEWS[view],), {"get": async_get if view == "async" else get})
    assert ask(cls, headers={"accept": accept}).status == 200


def test_a_deferred_serializer_field_in_the_browsable_api():
    class View(ShopView):
        async def post(self, request):
            return Response({})

    assert b"<html" in ask(View, headers={"accept": "text/html"}).body


def test_a_permission_that_answers_with_a_query_set():
    class Sync(permissions.BasePermission):
        def has_permission(self, request, view):
            return Book.objects.filter(title="A")

    class Refusing(permissions.BasePermission):
        def has_permission(self, request, view):
            return Book.objects.filter(title="Z")

    assert ask(type("V", (VIEWS["async"],), {"permission_classes": [Sync]})).status == 200
    assert ask(type("V", (VIEWS["async"],), {"permission_classes": [Sync & Sync, ~Refusing]})).status == 200
    assert ask(type("V", (VIEWS["async"],), {"permission_classes": [Refusing | Refusing]})).status == 403


def test_an_async_permission_that_answers_with_a_query_set():
    class Permission(restflow_permissions.BasePermission):
        async def has_permission(self, request, view):
            return Book.objects.filter(title="Z")

    assert ask(type("V", (VIEWS["async"],), {"permission_classes": [Permission]})).status == 403


@pytest.mark.parametrize("base", [restflow_permissions.IsAuthenticated, permissions.IsAuthenticated])
def test_a_permissions_message_queries(base):
    class Permission(base):  # type: ignore[misc, valid-type]
        @property
        def message(self):
            return f"{query()} books"

    assert ask(type("V", (VIEWS["async"],), {"permission_classes": [Permission]})).status == 403


def test_a_views_setup_queries():
    class View(AsyncHandlers, AsyncAPIView):
        def setup(self, request, *args, **kwargs):
            super().setup(request, *args, **kwargs)
            self.book = Book.objects.get(title="A")

    assert ask(View).status == 200


def test_a_views_serializer_class_is_a_property_that_queries():
    class View(ShopView):
        @property
        def serializer_class(self):
            return Books if query() else None

        async def get(self, request):
            return await self.aserialized_response({"title": "A", "author": "Ada"})

    assert ask(View).status == 200


# Users.


class NamesUser:
    """Handlers that say who asks, in each colour."""

    class Sync(APIView):
        def get(self, request):
            return Response(str(request.user))

    class AsyncWithSyncHandler(AsyncAPIView):
        def get(self, request):
            return Response(str(request.user))

    class Async(AsyncAPIView):
        async def get(self, request):
            return Response(str(await request.auser()))


NAMES = {"async": NamesUser.Async, "async, sync handlers": NamesUser.AsyncWithSyncHandler, "sync": NamesUser.Sync}
LAZY_NAMES = {name: NAMES[name] for name in ("async, sync handlers", "sync")}


@each_value
@pytest.mark.parametrize("view", NAMES)
@pytest.mark.parametrize(
    "permission",
    [
        permissions.IsAuthenticated,
        permissions.IsAdminUser,
        permissions.IsAuthenticatedOrReadOnly,
        restflow_permissions.IsAuthenticated,
        restflow_permissions.IsAdminUser,
        restflow_permissions.IsAuthenticated & ~restflow_permissions.AllowAny | permissions.IsAdminUser,
    ],
)
def test_drfs_permissions_of_an_authenticated_user(view, permission, token):
    cls = type(
        "V",
        (NAMES[view],),
        {"authentication_classes": [authentication.TokenAuthentication], "permission_classes": [permission]},
    )
    assert ask(cls, headers=token).json() == "ada"
    if permission is not permissions.IsAuthenticatedOrReadOnly:
        assert ask(cls).status == 401


@pytest.fixture(scope="module")
def session(user: User) -> dict[str, str]:
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.save()
    return {"cookie": f"sessionid={store.session_key}"}


MIDDLEWARE = [f"{cls.__module__}.{cls.__name__}" for cls in (SessionMiddleware, AuthenticationMiddleware)]


@pytest.mark.parametrize("view", NAMES)
@pytest.mark.parametrize("permission", [permissions.IsAuthenticated, restflow_permissions.IsAdminUser])
def test_a_lazy_user_of_djangos_session(view, permission, session):
    cls = type("V", (NAMES[view],), {"permission_classes": [permission]})
    assert ask(cls, headers=session, settings={"MIDDLEWARE": MIDDLEWARE}).json() == "ada"
    assert ask(cls, settings={"MIDDLEWARE": MIDDLEWARE}).status == 403


class Authenticating(authentication.BaseAuthentication):
    """Gives a user made by ``make``."""

    make: Any

    def authenticate(self, request):
        return type(self).make(), None


def authenticating(make: Any) -> list[type]:
    return [type("Authenticating", (Authenticating,), {"make": staticmethod(make)})]


@pytest.mark.parametrize("view", NAMES)
def test_a_user_whose_is_staff_is_deferred(view, user):
    cls = type(
        "V",
        (NAMES[view],),
        {
            "authentication_classes": authenticating(lambda: User.objects.defer("is_staff").get()),
            "permission_classes": [restflow_permissions.IsAdminUser & permissions.IsAdminUser],
        },
    )
    assert ask(cls).status == 200


class QueryingUser:
    """A user of a class of one's own, whose every answer queries."""

    pk = 1

    @property
    def is_authenticated(self):
        return query() == 3

    @property
    def is_staff(self):
        return query() == 3

    def __str__(self):
        return f"{query()} books"

    def __bool__(self):
        return query() == 3


class QueryingModelUser(User):
    class Meta:
        proxy = True
        app_label = "shop"

    @property
    def is_authenticated(self):
        return query() == 3

    def __str__(self):
        return "querying"


PERMISSIONS = [
    permissions.IsAuthenticated,
    permissions.IsAdminUser,
    permissions.IsAuthenticatedOrReadOnly,
    restflow_permissions.IsAuthenticated,
    restflow_permissions.IsAdminUser,
    restflow_permissions.IsAuthenticatedOrReadOnly,
]


@each_pair
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("permission", PERMISSIONS)
@pytest.mark.parametrize("kind", ["own class", "proxy model", "lazy", "lazy proxy model"])
def test_a_user_who_queries(kind, permission, method):
    make = {
        "own class": QueryingUser,
        "proxy model": lambda: QueryingModelUser(is_staff=True),
        "lazy": lambda: SimpleLazyObject(QueryingUser),
        "lazy proxy model": lambda: SimpleLazyObject(lambda: QueryingModelUser(is_staff=True)),
    }[kind]

    class View(AsyncAPIView):
        authentication_classes = authenticating(make)
        permission_classes = [permission]

        async def get(self, request):
            return Response({})

        post = get

    assert ask(View, method).status == 200


def a_user_who_queries():
    query()
    return AnonymousUser()


@pytest.mark.parametrize("view", NAMES)
def test_an_unauthenticated_user_that_queries(view):
    settings = {"REST_FRAMEWORK": {"UNAUTHENTICATED_USER": "tests.safety.test_database.a_user_who_queries"}}
    assert ask(NAMES[view], settings=settings).json() == "AnonymousUser"
    denied = type("V", (NAMES[view],), {"permission_classes": [restflow_permissions.IsAuthenticated]})
    assert ask(denied, settings=settings).status in {401, 403}


partially_made_user = functools.partial(AnonymousUser)


@pytest.mark.parametrize("view", NAMES)
def test_an_unauthenticated_user_that_is_no_class_or_function(view):
    settings = {"REST_FRAMEWORK": {"UNAUTHENTICATED_USER": "tests.safety.test_database.partially_made_user"}}
    assert ask(NAMES[view], settings=settings).json() == "AnonymousUser"


# Lazy authentication: perform_authentication overridden with pass.


def sync_pass(self: Any, request: Any) -> None:
    pass


async def async_pass(self: Any, request: Any) -> None:
    pass


PASSES = {"sync": {"perform_authentication": sync_pass}, "async": {"perform_authentication": async_pass}}
PASSES["a-name"] = {"aperform_authentication": async_pass}


@pytest.fixture(params=PASSES)
def lazy(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {**PASSES[request.param], "authentication_classes": [authentication.TokenAuthentication]}


@pytest.mark.parametrize("view", LAZY_NAMES)
def test_sync_code_reads_a_user_who_is_authenticated_then(view, lazy, token):
    cls = type("V", (LAZY_NAMES[view],), lazy)
    assert ask(cls, headers=token).json() == "ada"
    assert ask(cls).json() == "AnonymousUser"
    assert ask(cls, headers={"authorization": "Token no"}).status == 401


def test_async_code_awaits_the_user(lazy, token):
    class View(AsyncAPIView):
        async def get(self, request):
            first, second = await request.auser(), await request.auser()
            assert first is second is request.user
            return Response([str(request.user), request.auth is not None])

    cls = type("V", (View,), lazy)
    assert ask(cls, headers=token).json() == ["ada", True]
    assert ask(cls).json() == ["AnonymousUser", False]
    assert ask(cls, headers={"authorization": "Token no"}).status == 401


@each_value
@pytest.mark.parametrize("permission", PERMISSIONS)
@pytest.mark.parametrize("view", NAMES)
def test_permissions_ask_for_a_user_who_is_authenticated_then(view, permission, lazy, token):
    cls = type("V", (NAMES[view],), {**lazy, "permission_classes": [permission]})
    assert ask(cls, headers=token).json() == "ada"
    if "ReadOnly" not in permission.__name__:
        assert ask(cls).status == 401


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_authentication_of_either_colour_is_asked_once(lazy, colour):
    ran: list[str] = []

    class Sync(authentication.BaseAuthentication):
        def authenticate(self, request):
            ran.append(here())
            return User.objects.get_or_create(username="ada")[0], None

    class Async(authentication.BaseAuthentication):
        async def authenticate(self, request):
            ran.append(here())
            return (await User.objects.aget_or_create(username="ada"))[0], None

    class View(AsyncAPIView):
        permission_classes = [permissions.IsAuthenticated]

        async def get(self, request):
            return Response([str(await request.auser()), str(request.user)])

    cls = type("V", (View,), {**lazy, "authentication_classes": [Sync if colour == "sync" else Async]})
    assert ask(cls).json() == ["ada", "ada"]
    assert ran == ["thread" if colour == "sync" else "loop"]


def test_a_user_read_on_the_loop_before_authentication_is_a_clear_error(lazy, token):
    errors: list[Exception] = []

    class View(AsyncAPIView):
        async def get(self, request):
            for name in ("user", "auth"):
                try:
                    getattr(request, name)
                except RuntimeError as error:
                    errors.append(error)
            return Response(str(await request.auser()))

    assert ask(type("V", (View,), lazy), headers=token).json() == "ada"
    assert len(errors) == 2
    assert all("auser" in str(error) for error in errors)


def test_a_refused_lazy_authentication_is_an_exception_of_the_api(lazy):
    class Refusing(authentication.BaseAuthentication):
        def authenticate(self, request):
            query()
            raise exceptions.AuthenticationFailed("no")

        def authenticate_header(self, request):
            return f"Token {query()}"

    class View(AsyncAPIView):
        async def get(self, request):
            return Response(str(await request.auser()))

    answer = ask(type("V", (View,), {**lazy, "authentication_classes": [Refusing]}))
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Token 3"


@pytest.mark.parametrize("view", ["async", "async, sync handlers"])
def test_a_permission_that_denies_an_anonymous_user_authenticates_first(view, lazy, token):
    """permission_denied has to know whether anybody is authenticated: 401 or 403."""

    class Deny(restflow_permissions.BasePermission):
        async def has_permission(self, request, view):
            return False

    cls = type("V", (NAMES[view],), {**lazy, "permission_classes": [Deny]})
    assert ask(cls).status == 401
    assert ask(cls, headers=token).status == 403
