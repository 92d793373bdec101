"""Authentication: DRF's classes, coercion to 403, and what an authenticator raises."""

from __future__ import annotations

import asyncio
import base64
from itertools import product
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import alogin, get_user_model, login
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework import authentication, exceptions, permissions
from rest_framework.authtoken.models import Token
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory, force_authenticate

from tests.matrix import examples, some
from tests.parity.harness import (
    BASES,
    COLOURS,
    Ask,
    Parity,
    at_root,
    directly,
    table,
)
from tests.shop.models import Book
from tests.site import Site

hypothesis_settings = settings(
    max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
SESSIONS = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]


def who(base: Any) -> Any:
    class Who(base):
        renderer_classes = [JSONRenderer]
        permission_classes: list[Any] = []

        def get(self, request: Any) -> Response:
            authenticator = type(request.successful_authenticator).__name__
            user = request.user
            return Response([user and str(user), str(request.auth), authenticator, str(request._request.user)])

        post = delete = get

    return Who


def basic(credentials: str | bytes) -> dict[str, str]:
    raw = credentials if isinstance(credentials, bytes) else credentials.encode()
    return {"authorization": "Basic " + base64.b64encode(raw).decode()}


@pytest.fixture
def ann(transactional_db: None) -> Any:
    user = get_user_model().objects.create_user("ann", "ann@example.org", "secret")
    Token.objects.create(user=user, key="k" * 40)
    get_user_model().objects.create_user("bob", "bob@example.org", "secret", is_active=False)
    return user


B, T, S, R = (
    authentication.BasicAuthentication,
    authentication.TokenAuthentication,
    authentication.SessionAuthentication,
    authentication.RemoteUserAuthentication,
)
CREDENTIALS = [
    ([B], {}),
    ([B], basic("ann:secret")),
    ([B], basic("ann:wrong")),
    ([B], basic("bob:secret")),
    ([B], basic("nobody:secret")),
    ([B], basic("ann")),
    ([B], basic(b"\xe9:\xff")),
    ([B], basic("ann:s\x00")),
    ([B], {"authorization": "Basic"}),
    ([B], {"authorization": "Basic a b"}),
    ([B], {"authorization": "Basic !!!"}),
    ([B], {"authorization": "Basic \u00e9"}),
    ([B], {"authorization": "Bearer x"}),
    ([B], {"authorization": ""}),
    ([T], {"authorization": "Token " + "k" * 40}),
    ([T], {"authorization": "token " + "k" * 40}),
    ([T], {"authorization": "Token wrong"}),
    ([T], {"authorization": "Token"}),
    ([T], {"authorization": "Token a b"}),
    ([T], {"authorization": "Token \u00e9"}),
    ([T, B], basic("ann:secret")),
    ([B, T], {"authorization": "Token " + "k" * 40}),
    ([S, B], basic("ann:wrong")),
    ([S, B], {}),
    ([B, S], {}),
    ([R], {}),
    ([R, B], basic("ann:secret")),
]


@pytest.mark.parametrize("required", [[], [permissions.IsAuthenticated]], ids=len)
@table
def test_credentials_are_taken_or_refused(parity: Parity, ann: Any, required: Any) -> None:
    for classes, headers in CREDENTIALS:  # one test: each flush of the database costs more than they do
        kwargs = {"authentication_classes": classes, "permission_classes": required}
        answer = parity(who, "GET", "/", Ask("POST", headers=headers), headers=headers, initkwargs=kwargs)
        assert answer.status in {200, 401, 403}
        assert ("WWW-Authenticate" in answer.header) is (answer.status == 401)


@table
@pytest.mark.parametrize("header", ["REMOTE_USER", "HTTP_X_USER"])
def test_a_remote_user_is_taken(parity: Parity, ann: Any, header: str) -> None:
    class Remote(authentication.RemoteUserAuthentication):
        pass

    Remote.header = header
    backends = ["django.contrib.auth.backends.RemoteUserBackend"]
    kwargs = {"authentication_classes": [Remote]}
    answer = parity(who, headers={"x-user": "ann"}, initkwargs=kwargs, AUTHENTICATION_BACKENDS=backends)
    assert answer.json()[0] == ("ann" if header == "HTTP_X_USER" else "AnonymousUser")


def test_a_session_is_csrf_checked(parity: Parity, ann: Any) -> None:
    for method, token in product(["GET", "POST"], ["right", "wrong", "none"]):
        _session(parity, ann, method, token)


def _session(parity: Parity, ann: Any, method: str, token: str) -> None:
    client = Client()
    client.force_login(ann)
    secret = "s" * 32
    headers = {"cookie": f"sessionid={client.cookies['sessionid'].value}; csrftoken={secret}"}
    if token != "none":
        headers["x-csrftoken"] = secret if token == "right" else "w" * 32
    kwargs = {"authentication_classes": [S], "permission_classes": [permissions.IsAuthenticated]}
    answer = parity(who, method, headers=headers, initkwargs=kwargs, MIDDLEWARE=SESSIONS)
    assert answer.status == (403 if method == "POST" and token != "right" else 200)
    assert (answer.status == 200) is not (b"CSRF Failed" in answer.body)


@pytest.mark.parametrize("middleware", [[], SESSIONS], ids=len)
def test_no_session_is_nobody(parity: Parity, ann: Any, middleware: Any) -> None:
    kwargs = {"authentication_classes": [S], "permission_classes": [permissions.IsAuthenticated]}
    answer = parity(who, headers={"cookie": "sessionid=stale"}, initkwargs=kwargs, MIDDLEWARE=middleware)
    assert answer.status == 403


def test_login_in_a_sync_handler_sets_the_session_cookie(parity: Parity, ann: Any) -> None:
    def make(base: Any) -> Any:
        class V(base):
            authentication_classes: list[Any] = []

            def post(self, request: Any) -> Any:
                if base.__name__ == "AsyncHandlers":
                    return self.awaited(request)
                login(request, ann)
                return Response(str(request.user))

            async def awaited(self, request: Any) -> Any:
                await alogin(request, ann)
                return Response(str(request.user))

        return V

    middleware = [*SESSIONS, "tests.parity.test_authentication.OneSessionKey"]
    assert parity(make, "POST", MIDDLEWARE=middleware).json() == "ann"


class OneSessionKey:
    """Tells what the session holds instead of its random cookie."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        response = self.get_response(request)
        response["X-Session"] = request.session.get("_auth_user_id", "none")
        request.session.modified = request.session.accessed = False
        request.session._session_cache = {}
        response.cookies.clear()
        request.META["CSRF_COOKIE_NEEDS_UPDATE"] = False
        return response


# Authenticators of one's own


def authenticator(name: str, outcome: Any, header: str | None = None) -> Any:
    class Own(authentication.BaseAuthentication):
        def authenticate(self, request: Any) -> Any:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        def authenticate_header(self, request: Any) -> str | None:
            return header

    Own.__name__ = name
    return Own


_outcomes: list[Any] = [
    None,
    ("user", "auth"),
    (None, None),
    ("only one",),
    "ab",
    AttributeError("attribute"),
    ValueError("value"),
    exceptions.AuthenticationFailed("failed"),
    exceptions.NotAuthenticated(),
    exceptions.APIException("api"),
    exceptions.Throttled(5),
    exceptions.PermissionDenied("denied"),
]


@pytest.mark.parametrize(
    ("outcome", "header", "second"),
    some(product(_outcomes, [None, "Riddle"], [None, ("second", "auth")]), together=2),
    ids=repr,
)
@table
def test_an_authenticator_of_ones_own(parity: Parity, outcome: Any, header: Any, second: Any) -> None:
    classes = [authenticator("First", outcome, header), authenticator("Second", second, "Other")]
    assert parity(who, initkwargs={"authentication_classes": classes}).status in {200, 401, 403, 429, 500}


class Required(permissions.BasePermission):
    message = "log in"

    def has_permission(self, request: Any, view: Any) -> bool:
        return request.user == "user"


@hypothesis_settings
@given(
    authenticators=st.lists(
        st.builds(authenticator, st.just("A"), st.sampled_from(_outcomes), st.sampled_from([None, "", "X", "Y"])),
        max_size=3,
    ),
    lazy=st.booleans(),
    required=st.booleans(),
)
@table
def test_any_authenticators_are_asked_as_drf_asks_them(
    parity: Parity, authenticators: Any, lazy: bool, required: bool
) -> None:
    def make(base: Any) -> Any:
        class V(who(base)):
            authentication_classes = authenticators
            permission_classes = [Required] if required else []

            if lazy and base.__name__ != "AsyncHandlers":

                def perform_authentication(self, request: Any) -> None:
                    pass

        return V

    assert parity(make).status in {200, 401, 403, 429, 500}


@pytest.mark.parametrize(
    "settings",
    [
        {"UNAUTHENTICATED_USER": None},
        {"UNAUTHENTICATED_TOKEN": "builtins.dict"},
        {"UNAUTHENTICATED_USER": "builtins.list"},
    ],
    ids=str,
)
def test_the_unauthenticated_user_of_the_settings(parity: Parity, settings: Any) -> None:
    kwargs = {"authentication_classes": [B], "permission_classes": [permissions.IsAuthenticatedOrReadOnly]}
    assert parity(who, initkwargs=kwargs, REST_FRAMEWORK=settings).status == 200


def test_an_empty_list_of_authenticators_coerces_to_403(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(who(base)):
            def get_authenticators(self) -> Any:
                return []

            def get(self, request: Any) -> Any:
                raise exceptions.NotAuthenticated

        return V

    assert parity(make).status == 403


def test_an_override_of_get_authenticate_header(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(who(base)):
            permission_classes = [permissions.IsAuthenticated]
            authentication_classes = [S, B]

            def get_authenticate_header(self, request: Any) -> str:
                return f"Own {request.method}"

        return V

    assert parity(make).header["WWW-Authenticate"] == "Own GET"


# DRF's model permissions


class ReadToo(permissions.DjangoModelPermissions):
    perms_map = {**permissions.DjangoModelPermissions.perms_map, "GET": ["%(app_label)s.view_%(model_name)s"]}


class Objects(permissions.DjangoObjectPermissions):
    perms_map = ReadToo.perms_map


@pytest.mark.parametrize(
    "permission",
    [permissions.DjangoModelPermissions, permissions.DjangoModelPermissionsOrAnonReadOnly, ReadToo, Objects],
)
@table
def test_model_permissions_permit(parity: Parity, ann: Any, permission: Any) -> None:
    def make(base: Any) -> Any:
        class V(who(base)):
            permission_classes = [permission]
            authentication_classes = [B]
            queryset = Book.objects.all()

        return V

    create_permissions(apps.get_app_config("shop"), verbosity=0)
    for granted in ((), ("view_book",), ("add_book",), ("view_book", "delete_book")):
        ann.user_permissions.set(Permission.objects.filter(codename__in=granted))
        allowed = parity(make, "DELETE", headers=basic("ann:secret")).status == 200
        assert allowed is ("delete_book" in granted)
        for method in ("GET", "POST", "OPTIONS"):
            assert parity(make, method, headers=basic("ann:secret")).status in {200, 403}
            assert parity(make, method).status in {200, 401}


def test_model_permissions_without_a_query_set_are_a_bug_of_the_views(parity: Parity, ann: Any) -> None:
    kwargs = {"permission_classes": [permissions.DjangoModelPermissions], "authentication_classes": [B]}
    assert parity(who, headers=basic("ann:secret"), initkwargs=kwargs).status == 500


# What reads the database although it looks harmless


class Counting(permissions.IsAdminUser):
    @property
    def message(self) -> str:
        return f"one of {get_user_model().objects.count()} users"


class NoneRead(permissions.BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return False

    @property
    def code(self) -> str:
        return f"c{get_user_model().objects.count()}"


def test_the_message_of_a_permission_may_query(parity: Parity, ann: Any) -> None:
    kwargs = {"permission_classes": [Counting], "authentication_classes": []}
    assert parity(who, initkwargs=kwargs).json() == {"detail": "one of 2 users"}


def test_the_code_of_a_blocking_permission_may_query(parity: Parity, ann: Any) -> None:
    kwargs = {"permission_classes": [NoneRead], "authentication_classes": []}
    assert parity(who, initkwargs=kwargs).status == 403


def test_the_realm_of_basic_authentication_may_query(parity: Parity, ann: Any) -> None:
    class PerTenant(authentication.BasicAuthentication):
        @property
        def www_authenticate_realm(self) -> str:  # type: ignore[override]
            return get_user_model().objects.get(username="ann").email

    kwargs = {"permission_classes": [permissions.IsAuthenticated], "authentication_classes": [PerTenant]}
    assert parity(who, initkwargs=kwargs).header["WWW-Authenticate"] == 'Basic realm="ann@example.org"'


QUERYING = ["parser_classes", "authentication_classes", "permission_classes", "throttle_classes"]
OTHERS = ["versioning_class", "metadata_class", "content_negotiation_class"]


def _property_that_queries(parity: Parity, name: str) -> None:
    def make(base: Any) -> Any:
        class V(who(base)):
            pass

        value = getattr(base, name)

        def chosen(self: Any) -> Any:
            return value if get_user_model().objects.exists() else None

        setattr(V, name, property(chosen))
        return V

    assert parity(make, "OPTIONS").status == 200


@pytest.mark.parametrize("name", [*QUERYING, *OTHERS])
@table
def test_a_policy_attribute_may_be_a_property_that_queries(parity: Parity, ann: Any, name: str) -> None:
    _property_that_queries(parity, name)


@pytest.mark.parametrize("name", ["renderer_classes"])
@table
def test_the_renderers_may_be_a_property_that_queries(parity: Parity, ann: Any, name: str) -> None:
    _property_that_queries(parity, name)


def test_setup_may_query(parity: Parity, ann: Any) -> None:
    def make(base: Any) -> Any:
        class V(who(base)):
            def setup(self, request: Any, *args: Any, **kwargs: Any) -> None:
                super().setup(request, *args, **kwargs)
                self.user = get_user_model().objects.get(username="ann")

            def get_view_name(self) -> str:
                return str(self.user)

        return V

    assert parity(make, "OPTIONS").json()["name"] == "ann"


# DRF's test tools


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("token", [None, "token"])
def test_force_authenticate_of_drfs_factory(colour: str, ann: Any, token: Any) -> None:
    def answer(base: Any) -> Any:
        view = who(base).as_view(permission_classes=[permissions.IsAuthenticated], authentication_classes=[B])

        def forced(request: Any) -> Any:
            force_authenticate(request, ann, token)
            return view(request)

        if base is BASES["drf"] or not hasattr(base, "acheck_permissions"):
            return directly(forced, Ask())

        async def aforced(request: Any) -> Any:
            return await forced(request)

        return directly(aforced, Ask())

    assert answer(BASES[colour]) == answer(BASES["drf"])
    assert answer(BASES["drf"]).json()[:2] == ["ann", str(token)]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("enforce", [True, False])
def test_drfs_client_logs_in_and_forces(colour: str, ann: Any, enforce: bool) -> None:
    answers = []
    for base in (BASES["drf"], BASES[colour]):
        view = who(base).as_view(permission_classes=[permissions.IsAuthenticated], authentication_classes=[S, T])
        with Site(at_root(view), MIDDLEWARE=SESSIONS):
            client = APIClient(enforce_csrf_checks=enforce)
            seen = [client.post("/").status_code]
            client.force_authenticate(ann)
            seen.append(client.post("/", {"a": 1}, format="json").content)
            client.force_authenticate(None)
            client.force_login(ann)
            seen += [client.get("/").content, client.post("/").content]
            client.logout()
            client.credentials(HTTP_AUTHORIZATION="Token " + "k" * 40)
            seen.append(client.get("/").json())
            answers.append(seen)
    assert answers[0] == answers[1]
    assert answers[0][-1][0] == "ann"


def test_a_sync_view_called_where_an_event_loop_runs_answers() -> None:
    async def answer(base: Any) -> Any:
        view = who(base).as_view(authentication_classes=[authenticator("A", ("user", "auth"))])
        return view(APIRequestFactory().get("/")).data

    assert asyncio.run(answer(BASES["APIView"])) == asyncio.run(answer(BASES["drf"]))
