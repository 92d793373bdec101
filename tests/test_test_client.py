"""``AsyncAPIClient``: who is authenticated, redirects, logins, and what a response has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.models import Session
from django.core.exceptions import SynchronousOnlyOperation
from django.http import HttpResponseRedirect
from django.test import AsyncClient, AsyncRequestFactory, override_settings
from django.test.client import RedirectCycleError
from django.urls import path
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView as DRFAPIView

from restflow.test import AsyncAPIClient, AsyncAPIRequestFactory, force_authenticate
from restflow.views import APIView, AsyncAPIView


class NeverAsked(BaseAuthentication):
    def authenticate(self, request: Any) -> Any:
        raise AssertionError("an authenticator was asked")


class NeverAskedAsync(BaseAuthentication):
    async def authenticate(self, request: Any) -> Any:
        raise AssertionError("an authenticator was asked")


class FromHeader(BaseAuthentication):
    async def authenticate(self, request: Any) -> Any:
        name = request.META.get("HTTP_AUTHORIZATION")
        return (User(username=name), "header") if name else None


def who(request: Any) -> Response:
    return Response([getattr(request.user, "username", None), request.auth])


class DRFWho(DRFAPIView):
    def get(self, request: Any) -> Any:
        return who(request)


class SyncWho(APIView):
    def get(self, request: Any) -> Any:
        return who(request)


class AsyncWho(AsyncAPIView):
    async def get(self, request: Any) -> Any:
        return who(request)


class SyncHandlerWho(AsyncAPIView):
    def get(self, request: Any) -> Any:
        return who(request)


VIEWS: dict[str, Any] = {"drf": DRFWho, "sync": SyncWho, "async": AsyncWho, "async-view": SyncHandlerWho}
every_view = pytest.mark.parametrize("view", list(VIEWS))
every_authenticator = pytest.mark.parametrize("authenticator", [NeverAsked, NeverAskedAsync])


class Slow(AsyncAPIView):
    authentication_classes = ()
    entered: asyncio.Event
    leave: asyncio.Event

    async def get(self, request: Any) -> Any:
        self.entered.set()
        await self.leave.wait()
        return who(request)


class Login(AsyncAPIView):
    authentication_classes = (SessionAuthentication,)
    permission_classes = (IsAuthenticated,)

    async def get(self, request: Any) -> Any:
        return who(request)

    async def post(self, request: Any) -> Any:
        return Response(request.data, status=201)


class Fails(AsyncAPIView):
    async def get(self, request: Any) -> Any:
        raise LookupError("the view's own")


class Here(AsyncAPIView):
    async def get(self, request: Any) -> Any:
        return Response([request.method, request.query_params.dict(), {}])

    async def post(self, request: Any) -> Any:
        return Response([request.method, request.query_params.dict(), request.data])

    put = patch = delete = options = head = post


class Moved(AsyncAPIView):
    async def get(self, request: Any, to: str, status: int) -> Any:
        response = HttpResponseRedirect(
            {"loop": f"/moved/loop/{status}/", "relative": "../../../here/?r=1"}.get(to, to)
        )
        response.status_code = status
        return response

    post = put = patch = delete = options = get


@pytest.fixture(autouse=True)
def _urls() -> Iterator[None]:
    urls = (
        *(
            path(f"{name}/{authenticator.__name__}/", view.as_view(authentication_classes=[authenticator]))
            for name, view in VIEWS.items()
            for authenticator in (NeverAsked, NeverAskedAsync, FromHeader)
            if name != "drf" or authenticator is NeverAsked
        ),
        path("slow/", Slow.as_view()),
        path("login/", Login.as_view()),
        path("fails/", Fails.as_view()),
        path("here/", Here.as_view()),
        path("moved/<to>/<int:status>/", Moved.as_view()),
    )
    middleware = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    with override_settings(ROOT_URLCONF=urls, MIDDLEWARE=middleware):
        yield


def get(client: AsyncAPIClient, url: str, **kwargs: Any) -> Any:
    return asyncio.run(client.get(url, **kwargs))


EMMA, JOYCE = User(username="emma"), User(username="joyce")


# force_authenticate


@every_view
@every_authenticator
def test_a_forced_user_reaches_the_view_and_no_authenticator_is_asked(view: str, authenticator: type) -> None:
    if view == "drf" and authenticator is NeverAskedAsync:
        authenticator = NeverAsked  # DRF's own view takes none that is async
    client = AsyncAPIClient()
    client.force_authenticate(EMMA, token="token")
    assert get(client, f"/{view}/{authenticator.__name__}/").data == ["emma", "token"]
    with pytest.raises(AssertionError, match="was asked"):
        get(AsyncAPIClient(), f"/{view}/{authenticator.__name__}/")


@every_view
@every_authenticator
def test_a_forced_user_of_a_request_reaches_the_view(view: str, authenticator: type) -> None:
    made = VIEWS[view].as_view(authentication_classes=[authenticator])

    async def ask() -> Any:
        request = AsyncAPIRequestFactory().get("/")
        force_authenticate(request, EMMA, "token")
        answer = made(request)
        return await answer if asyncio.iscoroutine(answer) else answer

    if view in ("drf", "sync"):
        request = AsyncAPIRequestFactory().get("/")
        force_authenticate(request, EMMA, "token")
        assert made(request).data == ["emma", "token"]
    else:
        assert asyncio.run(ask()).data == ["emma", "token"]
        request = AsyncAPIRequestFactory().get("/")
        force_authenticate(request, EMMA, "token")
        assert async_to_sync(made)(request).data == ["emma", "token"]


def test_a_token_alone_is_forced_too() -> None:
    client = AsyncAPIClient()
    client.force_authenticate(token="token")
    assert get(client, "/async/NeverAsked/").data == [None, "token"]


def test_another_user_replaces_the_first() -> None:
    client = AsyncAPIClient()
    client.force_authenticate(EMMA)
    client.force_authenticate(JOYCE)
    assert get(client, "/async/NeverAsked/").data == ["joyce", None]


def test_nobody_clears_user_token_credentials_and_cookies() -> None:
    client = AsyncAPIClient()
    client.force_authenticate(EMMA, "token")
    client.credentials(HTTP_AUTHORIZATION="joyce")
    client.cookies["a"] = "1"
    client.force_authenticate(user=None)
    response = get(client, "/async/FromHeader/")
    assert response.data == ["", None]
    assert response.asgi_request.META["HTTP_COOKIE"] == ""


def test_nobody_is_said_without_blocking_the_event_loop() -> None:
    async def ask() -> Any:
        client = AsyncAPIClient()
        client.force_authenticate(EMMA)
        client.force_authenticate(user=None)
        return await client.get("/async/FromHeader/")

    assert asyncio.run(ask()).data == ["", None]


def test_requests_under_way_keep_their_user() -> None:
    async def ask() -> list[Any]:
        Slow.entered, Slow.leave = asyncio.Event(), asyncio.Event()
        client, other = AsyncAPIClient(), AsyncAPIClient()
        client.force_authenticate(EMMA, "first")
        first = asyncio.create_task(client.get("/slow/"))
        await Slow.entered.wait()
        client.force_authenticate(JOYCE, "second")
        second = asyncio.create_task(client.get("/slow/"))
        stranger = asyncio.create_task(other.get("/slow/"))
        await asyncio.sleep(0)
        client.force_authenticate(user=None)
        third = asyncio.create_task(client.get("/slow/"))
        await asyncio.sleep(0)
        Slow.leave.set()
        return [(await task).data for task in (first, second, stranger, third)]

    assert asyncio.run(ask()) == [["emma", "first"], ["joyce", "second"], ["", None], ["", None]]


def test_a_user_is_kept_from_before_the_middleware_runs() -> None:
    """Between the call and the view a sync middleware hands the request to a thread."""

    async def ask() -> list[Any]:
        client = AsyncAPIClient()
        client.force_authenticate(EMMA)
        task = asyncio.create_task(client.get("/async/NeverAsked/"))
        await asyncio.sleep(0)
        client.force_authenticate(JOYCE)
        return [(await task).data, (await client.get("/async/NeverAsked/")).data]

    assert asyncio.run(ask()) == [["emma", None], ["joyce", None]]


# Credentials


@pytest.mark.parametrize("view", ["sync", "async", "async-view"])
def test_credentials_reach_the_view_until_they_are_replaced(view: str) -> None:
    client = AsyncAPIClient()
    client.credentials(HTTP_AUTHORIZATION="emma")
    assert get(client, f"/{view}/FromHeader/").data == ["emma", "header"]
    client.credentials()
    assert get(client, f"/{view}/FromHeader/").data == ["", None]


# Logins


@pytest.mark.django_db(transaction=True)
def test_logging_in_and_out() -> None:
    async def ask() -> None:
        user = await User.objects.acreate_user("emma", password="secret")
        client = AsyncAPIClient()
        assert (await client.get("/login/")).status_code == 403
        assert not await client.alogin(username="emma", password="wrong")
        assert await client.alogin(username="emma", password="secret")
        assert (await client.get("/login/")).data == ["emma", None]
        assert (await AsyncAPIClient().get("/login/")).status_code == 403
        await client.alogout()
        assert (await client.get("/login/")).status_code == 403
        assert not await Session.objects.aexists()
        await client.aforce_login(user)
        assert (await client.get("/login/")).data == ["emma", None]
        client.force_authenticate(user=None)
        assert (await client.get("/login/")).status_code == 403

    asyncio.run(ask())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_logging_out_forgets_all(colour: str) -> None:
    client = AsyncAPIClient()
    client.force_login(User.objects.create_user("emma"))
    assert get(client, "/login/").data == ["emma", None]
    client.force_authenticate(EMMA)
    client.credentials(HTTP_AUTHORIZATION="joyce")
    if colour == "sync":
        client.logout()
    else:
        asyncio.run(client.alogout())
    assert not Session.objects.exists()
    assert get(client, "/async/FromHeader/").data == ["", None]


@pytest.mark.django_db(transaction=True)
def test_the_sync_login_is_refused_on_an_event_loop() -> None:
    async def ask() -> None:
        AsyncAPIClient().login(username="emma", password="secret")

    with pytest.raises(SynchronousOnlyOperation):
        asyncio.run(ask())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("enforce", [False, True])
def test_csrf_is_enforced_where_it_is_asked_for(enforce: bool) -> None:
    client = AsyncAPIClient(enforce_csrf_checks=enforce)
    client.force_login(User.objects.create_user("emma"))
    response = asyncio.run(client.post("/login/", {"a": "1"}))
    assert response.status_code == (403 if enforce else 201)


@pytest.mark.parametrize("enforce", [False, True])
def test_csrf_is_enforced_on_a_request_where_it_is_asked_for(enforce: bool) -> None:
    request = AsyncAPIRequestFactory(enforce_csrf_checks=enforce).post("/", {"a": "1"})
    request.user = EMMA  # as a session's
    response = async_to_sync(Login.as_view())(request)
    assert response.status_code == (403 if enforce else 201)


# Redirects


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_as_by_drfs_client(method: str, status: int) -> None:
    url = f"/moved/relative/{status}/"
    body: dict[str, Any] = {"data": {"a": "1"}, **({} if method == "get" else {"format": "json"})}
    ours, theirs = AsyncAPIClient(), APIClient()
    assert asyncio.run(getattr(ours, method)(url, **body)).status_code == status
    response = asyncio.run(getattr(ours, method)(url, follow=True, **body))
    drfs = getattr(theirs, method)(url, follow=True, **body)
    assert response.json() == drfs.json()
    assert response.redirect_chain == drfs.redirect_chain == [("../../../here/?r=1", status)]
    assert response.json()[0] == (method.upper() if status > 303 else "GET")


def test_a_redirect_keeps_the_forced_user_and_the_credentials() -> None:
    client = AsyncAPIClient()
    client.credentials(HTTP_X_ALL="1")
    client.force_authenticate(EMMA)
    response = get(client, "/moved/relative/302/", follow=True)
    assert response.asgi_request.META["HTTP_X_ALL"] == "1"
    assert response.renderer_context["request"].user == EMMA


def test_a_circle_of_redirects_is_an_error() -> None:
    with pytest.raises(RedirectCycleError):
        get(AsyncAPIClient(), "/moved/loop/302/", follow=True)


# Responses


def test_a_response_has_what_djangos_client_adds() -> None:
    client = AsyncAPIClient()
    response = asyncio.run(client.post("/here/?q=1", {"a": 1}, format="json"))
    assert response.data == response.json() == ["POST", {"q": "1"}, {"a": 1}]
    assert response.content == b'["POST",{"q":"1"},{"a":1}]'
    assert response.client is client
    assert response.request["PATH_INFO"] == "/here/"
    assert response.resolver_match.func.cls is Here


def test_what_a_view_raises_is_raised_unless_it_is_not_wanted() -> None:
    with pytest.raises(LookupError, match="the view's own"):
        get(AsyncAPIClient(), "/fails/")
    response = get(AsyncAPIClient(raise_request_exception=False), "/fails/")
    assert response.status_code == 500
    assert response.exc_info[0] is LookupError


def test_client_and_factory_are_djangos_and_drfs() -> None:
    assert isinstance(AsyncAPIClient(), AsyncClient)
    assert isinstance(AsyncAPIRequestFactory(), APIRequestFactory)
    assert isinstance(AsyncAPIRequestFactory(), AsyncRequestFactory)
    assert isinstance(AsyncAPIRequestFactory().get("/"), type(AsyncRequestFactory().get("/")))


def test_requests_at_once_from_one_client() -> None:
    async def ask() -> list[Any]:
        client = AsyncAPIClient()
        return await asyncio.gather(*(client.get(f"/here/?n={n}") for n in range(10)))

    assert [response.data[1]["n"] for response in asyncio.run(ask())] == [str(n) for n in range(10)]


def test_an_anonymous_user_may_be_forced() -> None:
    client = AsyncAPIClient()
    client.force_authenticate(AnonymousUser())
    assert get(client, "/async/NeverAsked/").data == ["", None]
