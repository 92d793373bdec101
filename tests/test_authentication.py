"""restflow's authentication classes: as DRF's, in both colours, and DRF's own with async hooks."""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.test import Client
from rest_framework import authentication as drf
from rest_framework import permissions
from rest_framework.authtoken.models import Token
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from restflow import authentication
from restflow.flow import nonblocking
from restflow.permissions import BasePermission
from restflow.views import APIView, AsyncAPIView
from tests.matrix import each_pair, each_value
from tests.parity.harness import ASGI, BASES, COLOURS, EVERY, TRANSPORTS, Ask, Parity
from tests.parity.test_authentication import CREDENTIALS, SESSIONS, basic, who
from tests.safety.hooks import COLOURS as WRITTEN
from tests.safety.hooks import written
from tests.safety.support import Refused, here
from tests.site import Answer, Site

CLASSES = [name for name in authentication.__all__ if name.endswith("Authentication")]

KEY = "k" * 40
SECRET = "s" * 32


@pytest.fixture
def ann(transactional_db: None) -> Any:
    user = get_user_model().objects.create_user("ann", "ann@example.org", "secret")
    Token.objects.create(user=user, key=KEY)
    bob = get_user_model().objects.create_user("bob", "bob@example.org", "secret", is_active=False)
    Token.objects.create(user=bob, key="b" * 40)
    return user


def token(key: str = KEY) -> dict[str, str]:
    return {"authorization": f"Token {key}"}


def session(user: Any, csrf: str = "") -> dict[str, str]:
    """The headers of a browser where ``user`` has logged in."""
    client = Client()
    client.force_login(user)
    headers = {"cookie": f"sessionid={client.cookies['sessionid'].value}; csrftoken={SECRET}"}
    return {**headers, "x-csrftoken": csrf} if csrf else headers


def ours(cls: type) -> Any:
    return getattr(authentication, cls.__name__)


def over(classes: Any, required: Any = ()) -> Any:
    """A view with DRF's ``classes`` over DRF's base, and with ours of the same names over ours."""

    def make(base: Any) -> Any:
        class V(who(base)):
            authentication_classes = classes if base is BASES["drf"] else [ours(cls) for cls in classes]
            permission_classes = required

        return V

    return make


# As DRF's


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_is_drfs_of_the_same_name(name: str) -> None:
    assert issubclass(getattr(authentication, name), getattr(drf, name))
    assert issubclass(getattr(authentication, name), authentication.BaseAuthentication)


MORE = [
    ([drf.TokenAuthentication], token("b" * 40)),
    ([drf.BasicAuthentication, drf.TokenAuthentication, drf.SessionAuthentication], token()),
    ([drf.SessionAuthentication, drf.TokenAuthentication, drf.BasicAuthentication], basic("ann:secret")),
    ([drf.BaseAuthentication], {}),
]


@pytest.mark.parametrize("required", [[], [permissions.IsAuthenticated]], ids=len)
def test_credentials_are_taken_or_refused_as_drf_does(ann: Any, required: Any) -> None:
    parity = Parity(EVERY, ASGI)
    statuses = set()
    for classes, headers in [*CREDENTIALS, *MORE]:
        answer = parity(over(classes, required), "GET", "/", Ask("POST", headers=headers), headers=headers)
        assert ("WWW-Authenticate" in answer.header) is (answer.status == 401)
        statuses.add(answer.status)
    assert statuses >= {200, 401, 500}  # DRF's BaseAuthentication is abstract


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("colour", COLOURS)
def test_a_session_is_csrf_checked_as_drf_does(ann: Any, colour: str, transport: str) -> None:
    parity = Parity(colour, transport)
    for method, csrf in itertools.product(["GET", "POST", "DELETE"], [SECRET, "w" * 32, "short", ""]):
        make = over([drf.SessionAuthentication], [permissions.IsAuthenticated])
        answer = parity(make, method, headers=session(ann, csrf), MIDDLEWARE=SESSIONS)
        assert answer.status == (200 if method == "GET" or csrf == SECRET else 403)
        assert (b"CSRF Failed" in answer.body) is (answer.status == 403)


@pytest.mark.parametrize(("sent", "status"), [(SECRET, 200), ("w" * 32, 403)])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_csrf_token_may_come_in_a_form(ann: Any, transport: str, sent: str, status: int) -> None:
    headers = {**session(ann), "content-type": "application/x-www-form-urlencoded"}
    make = over([drf.SessionAuthentication])
    for colour in COLOURS:
        parity = Parity(colour, transport)
        body = f"csrfmiddlewaretoken={sent}".encode()
        assert parity(make, "POST", headers=headers, body=body, MIDDLEWARE=SESSIONS).status == status


def test_a_request_from_another_origin_is_refused(ann: Any) -> None:
    headers = {**session(ann, SECRET), "origin": "https://evil.example.org"}
    answer = Parity(EVERY, ASGI)(over([drf.SessionAuthentication]), "POST", headers=headers, MIDDLEWARE=SESSIONS)
    assert (answer.status, b"Origin checking failed" in answer.body) == (403, True)


def test_an_inactive_users_session_is_nobodys(ann: Any) -> None:
    headers = session(ann)
    get_user_model().objects.update(is_active=False)
    answer = Parity(EVERY, ASGI)(over([drf.SessionAuthentication]), "POST", headers=headers, MIDDLEWARE=SESSIONS)
    assert (answer.status, answer.json()[0]) == (200, "AnonymousUser")


def test_a_remote_user_is_taken(ann: Any) -> None:
    def make(base: Any) -> Any:
        cls = drf.RemoteUserAuthentication
        remote = type("Remote", (cls if base is BASES["drf"] else ours(cls),), {"header": "HTTP_X_USER"})
        return type("V", (who(base),), {"authentication_classes": [remote]})

    backends = ["django.contrib.auth.backends.RemoteUserBackend"]
    for name, taken in [("ann", "ann"), ("bob", "AnonymousUser"), ("new", "new")]:
        answer = Parity(EVERY, ASGI)(make, headers={"x-user": name}, AUTHENTICATION_BACKENDS=backends)
        assert answer.json()[0] == taken


def test_the_keyword_and_the_realm_may_be_properties_that_query(ann: Any) -> None:
    def make(base: Any) -> Any:
        is_drf = base is BASES["drf"]

        class Bearer(drf.TokenAuthentication if is_drf else authentication.TokenAuthentication):
            @property
            def keyword(self) -> str:
                return "Bearer" if get_user_model().objects.exists() else ""

        class Realm(drf.BasicAuthentication if is_drf else authentication.BasicAuthentication):
            @property
            def www_authenticate_realm(self) -> str:
                return get_user_model().objects.get(username="ann").email

        return type("V", (who(base),), {"authentication_classes": [Realm, Bearer]})

    assert Parity(EVERY, ASGI)(make, headers={"authorization": f"bearer {KEY}"}).json()[0] == "ann"
    answer = Parity(EVERY, ASGI)(make, headers=basic("ann:wrong"))
    assert answer.header["WWW-Authenticate"] == 'Basic realm="ann@example.org"'


# Both names, and both colours


class Who(APIView):
    renderer_classes = [JSONRenderer]

    def get(self, request: Any) -> Response:
        return Response(str(request.user))

    post = get


class AsyncWho(AsyncAPIView):
    renderer_classes = [JSONRenderer]

    async def get(self, request: Any) -> Response:
        return Response(str(request.user))

    post = get


VIEWS = {"sync": Who, "async": AsyncWho}


@pytest.fixture(params=VIEWS)
def view(request: pytest.FixtureRequest) -> Any:
    return VIEWS[request.param]


def ask(view: Any, cls: Any, headers: dict[str, str], method: str = "GET", middleware: Any = ()) -> Answer:
    attributes = {"authentication_classes": [cls], "permission_classes": [permissions.IsAuthenticated]}
    with Site({"x/": type("V", (view,), attributes).as_view()}, MIDDLEWARE=middleware) as site:
        return site.send(method, "/x/", headers=headers)


def ask_with(view: Any, cls: Any, user: Any, method: str = "POST", csrf: str = SECRET) -> Answer:
    """Ask with the credentials that ``cls`` takes."""
    if issubclass(cls, drf.SessionAuthentication):
        return ask(view, cls, session(user, csrf), method, SESSIONS)
    return ask(view, cls, basic("ann:secret") if issubclass(cls, drf.BasicAuthentication) else token(), method)


INNER = [
    ("BasicAuthentication", "authenticate_credentials"),
    ("TokenAuthentication", "authenticate_credentials"),
    ("TokenAuthentication", "get_model"),
    ("SessionAuthentication", "enforce_csrf"),
]
HOOKS = [*INNER, *((name, "authenticate") for name in CLASSES)]


SUPER = [*INNER, *((name, "authenticate") for name in CLASSES[1:] if not name.startswith("Remote"))]


def refuse(self: Any, *args: Any) -> Any:
    raise Refused


@each_pair
@pytest.mark.parametrize("view", VIEWS, indirect=True)
@pytest.mark.parametrize("colour", WRITTEN)
@pytest.mark.parametrize(("name", "hook"), HOOKS)
def test_an_override_in_any_colour_is_asked(ann: Any, view: Any, name: str, hook: str, colour: str) -> None:
    base = getattr(authentication, name)
    attr, method = written(colour, hook, refuse)
    assert ask_with(view, type("Own", (base,), {attr: method}), ann).status == 418


@each_value
@pytest.mark.parametrize("view", VIEWS, indirect=True)
@pytest.mark.parametrize("colour", WRITTEN)
@pytest.mark.parametrize(("name", "hook"), INNER)
def test_one_in_a_mixin_is_asked(ann: Any, view: Any, name: str, hook: str, colour: str) -> None:
    attr, method = written(colour, hook, refuse)
    mixed = type("Mixed", (type("Mixin", (), {attr: method}), getattr(authentication, name)), {})
    assert ask_with(view, mixed, ann).status == 418


@each_pair
@pytest.mark.parametrize("view", VIEWS, indirect=True)
@pytest.mark.parametrize("colour", WRITTEN)
@pytest.mark.parametrize(("name", "hook"), [inner for inner in INNER if inner[1] != "get_model"])
def test_one_patched_in_is_asked(ann: Any, view: Any, name: str, hook: str, colour: str) -> None:
    patched = type("Patched", (getattr(authentication, name),), {})
    setattr(patched, *written(colour, hook, refuse))
    assert ask_with(view, patched, ann).status == 418


@pytest.mark.parametrize("colour", WRITTEN)
def test_the_authenticate_header_is_asked_in_any_colour(ann: Any, view: Any, colour: str) -> None:
    for name in CLASSES[1:]:
        attr, method = written(colour, "authenticate_header", lambda self, request: f"Own {request.method}")
        answer = ask(view, type("Own", (getattr(authentication, name),), {attr: method}), {})
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Own GET")


def extended(name: str, hook: str, colour: str, seen: list[Any], base: Any = None) -> Any:
    """A class of ours whose ``hook`` goes on with ``super()``, in ``colour``."""
    base = base or getattr(authentication, name)

    def sync_hook(self: Any, *args: Any) -> Any:
        seen.append(here())
        return getattr(super(cls, self), hook)(*args)

    async def async_hook(self: Any, *args: Any) -> Any:
        seen.append(here())
        return await getattr(super(cls, self), f"a{hook}")(*args)

    attr = f"a{hook}" if colour == "a-name" else hook
    cls: Any = type("Extended", (base,), {attr: sync_hook if colour == "sync" else async_hook})
    return cls


@each_pair
@pytest.mark.parametrize("view", VIEWS, indirect=True)
@pytest.mark.parametrize("colour", WRITTEN)
@pytest.mark.parametrize(("name", "hook"), SUPER)
def test_an_override_goes_on_with_super(ann: Any, view: Any, name: str, hook: str, colour: str) -> None:
    seen: list[Any] = []
    answer = ask_with(view, extended(name, hook, colour, seen), ann)
    assert (answer.status, answer.json()) == (200, "ann")
    assert len(seen) == 1
    if view is AsyncWho:
        assert seen == ["thread" if colour == "sync" else "loop"]
    if name == "SessionAuthentication":
        assert ask_with(view, extended(name, hook, colour, seen), ann, csrf="w" * 32).status == 403
    else:
        wrong = basic("ann:wrong") if name == "BasicAuthentication" else token("wrong")
        assert ask(view, extended(name, hook, colour, seen), wrong).status == 401


@each_pair
@pytest.mark.parametrize("view", VIEWS, indirect=True)
@pytest.mark.parametrize("hook_colour", WRITTEN)
@pytest.mark.parametrize("colour", WRITTEN)
@pytest.mark.parametrize(("name", "hook"), INNER)
def test_an_inner_override_is_asked_below_an_outer_one(
    ann: Any, view: Any, name: str, hook: str, colour: str, hook_colour: str
) -> None:
    attr, method = written(hook_colour, hook, refuse)
    outer = extended(name, "authenticate", colour, [])
    assert ask_with(view, type("Both", (outer,), {attr: method}), ann).status == 418


@each_pair
@pytest.mark.parametrize("view", VIEWS, indirect=True)
@pytest.mark.parametrize("hook_colour", WRITTEN)
@pytest.mark.parametrize("colour", WRITTEN)
@pytest.mark.parametrize(("name", "hook"), INNER)
def test_super_passes_no_override_of_another_colour(
    ann: Any, view: Any, name: str, hook: str, colour: str, hook_colour: str
) -> None:
    attr, method = written(hook_colour, hook, refuse)
    middle = type("Middle", (getattr(authentication, name),), {attr: method})
    assert ask_with(view, extended(name, hook, colour, [], middle), ann).status == 418


def test_the_twins_answer_a_direct_call(ann: Any) -> None:
    class Direct(AsyncAPIView):
        authentication_classes: list[Any] = []
        renderer_classes = [JSONRenderer]

        async def get(self, request: Any) -> Response:
            found = []
            for name in CLASSES[1:4]:
                authenticator = getattr(authentication, name)()
                credentials = await authenticator.aauthenticate(request)
                found.append([credentials and str(credentials[0]), await authenticator.aauthenticate_header(request)])
            return Response(found)

    with Site({"x/": Direct.as_view()}) as site:
        expected = [["ann", 'Basic realm="api"'], [None, None], [None, None]]
        assert site.send("GET", "/x/", headers=basic("ann:secret")).json() == expected


def test_the_sync_names_answer_where_no_loop_runs(ann: Any) -> None:
    request = AsyncAPIView().initialize_request(APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Token {KEY}"))
    assert authentication.TokenAuthentication().authenticate(request) == (ann, Token.objects.get(key=KEY))
    assert authentication.BasicAuthentication().authenticate(request) is None
    assert authentication.SessionAuthentication().authenticate(request) is None


# Hops


@pytest.mark.parametrize("name", ["BasicAuthentication", "TokenAuthentication", "SessionAuthentication"])
def test_a_request_without_credentials_costs_no_hop(name: str) -> None:
    cls = getattr(authentication, name)
    answer = ask(AsyncWho, cls, {})
    assert (answer.status, answer.hops) == (403 if name == "SessionAuthentication" else 401, 0)


def test_nor_does_a_keyword_that_is_not_needed() -> None:
    class Named(authentication.TokenAuthentication):
        @property
        def keyword(self) -> str:  # type: ignore[override]
            raise Refused

        @nonblocking
        def authenticate_header(self, request: Any) -> str:
            return "Own"

    answer = ask(AsyncWho, Named, {})
    assert (answer.status, answer.hops) == (401, 0)


@pytest.mark.parametrize("name", ["BasicAuthentication", "TokenAuthentication", "SessionAuthentication"])
@pytest.mark.parametrize("module", [authentication, drf])
def test_credentials_cost_one_hop(ann: Any, module: Any, name: str) -> None:
    answer = ask_with(AsyncWho, getattr(module, name), ann)
    assert (answer.status, answer.json(), answer.hops) == (200, "ann", 1)


def test_a_refusal_costs_one_hop(ann: Any) -> None:
    for answer in (
        ask(AsyncWho, authentication.TokenAuthentication, token("wrong")),
        ask(AsyncWho, authentication.BasicAuthentication, basic("ann:wrong")),
        ask_with(AsyncWho, authentication.SessionAuthentication, ann, csrf="w" * 32),
    ):
        assert (answer.status in {401, 403}, answer.hops) == (True, 1)


def test_a_malformed_header_costs_none() -> None:
    for cls, header in (
        (authentication.TokenAuthentication, "Token a b"),
        (authentication.BasicAuthentication, "Basic"),
    ):
        answer = ask(AsyncWho, cls, {"authorization": header})
        assert (answer.status, answer.hops) == (401, 0)


def test_a_token_checked_by_async_code_costs_none() -> None:
    class Remote(authentication.TokenAuthentication):
        keyword = "Bearer"

        async def authenticate_credentials(self, key: str) -> Any:
            assert here() == "loop"
            await asyncio.sleep(0)
            return get_user_model()(username=key), key

    answer = ask(AsyncWho, Remote, {"authorization": "Bearer abc"})
    assert (answer.status, answer.json(), answer.hops) == (200, "abc", 0)


# DRF's own classes with async hooks: never open


def _returns_a_coroutine(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


class AsyncCsrf(drf.SessionAuthentication):
    async def enforce_csrf(self, request: Any) -> None:
        await asyncio.sleep(0)
        if request.headers.get("X-CsrfToken") != SECRET:
            raise Refused


class Decorated(drf.SessionAuthentication):
    enforce_csrf = _returns_a_coroutine(AsyncCsrf.enforce_csrf)


class OnTheObject(drf.SessionAuthentication):
    def __init__(self) -> None:
        self.enforce_csrf = functools.partial(AsyncCsrf.enforce_csrf, self)


class ThroughSuper(AsyncCsrf):
    def authenticate(self, request: Any) -> Any:
        return super().authenticate(request)


class UnderTheAsyncName(drf.SessionAuthentication):
    aenforce_csrf = AsyncCsrf.enforce_csrf


class BehindOurBase(authentication.BaseAuthentication, AsyncCsrf):
    pass


class BeforeAnotherBaseOfOurs(AsyncCsrf, BasePermission):
    pass


@pytest.mark.parametrize(
    "cls",
    [
        AsyncCsrf,
        BeforeAnotherBaseOfOurs,
        BehindOurBase,
        Decorated,
        OnTheObject,
        ThroughSuper,
        UnderTheAsyncName,
    ],
)
def test_an_async_enforce_csrf_of_drfs_class_is_awaited(ann: Any, view: Any, cls: Any) -> None:
    assert ask_with(view, cls, ann).json() == "ann"
    assert ask_with(view, cls, ann, csrf="w" * 32).status == 418
    assert ask_with(view, cls, ann, csrf="").status == 418


class OfAnotherPackage(drf.BaseAuthentication):
    """As packages that read a token from a cookie have it."""

    enforce_csrf: Any = None

    def authenticate(self, request: Any) -> Any:
        if self.enforce_csrf:
            assert self.enforce_csrf(request) is None
        return User(username="somebody"), None


def test_so_is_one_of_another_package(view: Any) -> None:
    mine = type("Mine", (OfAnotherPackage,), {"enforce_csrf": AsyncCsrf.enforce_csrf})
    assert ask(view, mine, {}, "POST").status == 418
    assert ask(view, mine, {"x-csrftoken": SECRET}, "POST").json() == "somebody"


def test_a_switch_of_that_name_stays_one(view: Any) -> None:
    assert ask(view, type("Mine", (OfAnotherPackage,), {"enforce_csrf": False}), {}, "POST").json() == "somebody"


@pytest.mark.parametrize("name", ["BasicAuthentication", "TokenAuthentication"])
def test_async_credentials_of_drfs_class_are_awaited(ann: Any, view: Any, name: str) -> None:
    class Async(getattr(drf, name)):  # type: ignore[misc]
        async def authenticate_credentials(self, *credentials: Any) -> Any:
            await asyncio.sleep(0)
            if "wrong" in str(credentials[:2]):
                raise Refused
            return ann, None

    assert ask_with(view, Async, ann).json() == "ann"
    wrong = basic("ann:wrong") if name == "BasicAuthentication" else token("wrong")
    assert ask(view, Async, wrong).status == 418


class Property(drf.SessionAuthentication):
    @property
    def enforce_csrf(self) -> Any:  # type: ignore[override]
        return functools.partial(AsyncCsrf.enforce_csrf, self)


class OnTheLoop(AsyncCsrf):
    async def authenticate(self, request: Any) -> Any:
        await request._request.auser()
        return super().authenticate(request)


@pytest.mark.parametrize("cls", [Property, OnTheLoop])
def test_where_it_can_not_be_awaited_nobody_gets_in(ann: Any, view: Any, cls: Any) -> None:
    for csrf in (SECRET, "w" * 32, ""):
        assert ask_with(view, cls, ann, csrf=csrf).status >= 403


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_shared_authenticator_is_asked_alike_by_every_request(ann: Any, view: Any, colour: str) -> None:
    asked = []
    attr, method = written(colour, "enforce_csrf", lambda self, request: asked.append(len(inspect.stack(0))))
    Counting: Any = type("Counting", (drf.SessionAuthentication,), {attr: method})
    shared = Counting()
    for _ in range(3):
        assert (
            ask_with(type("Sharing", (view,), {"get_authenticators": lambda self: [shared]}), Counting, ann).status
            == 200
        )
    assert len(asked) == 3
    assert len(set(asked)) == 1
