"""DRF's tutorial, written in each of its ways over DRF's base classes, answers the same over restflow's."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from tests.colours import ASYNC, BASES, DRF, DRF_MIXINS, SYNC, THROUGHOUT, alike
from tests.databases import fresh
from tests.matrix import some
from tests.parity.harness import ASGI, OVER, WSGI, Answer, Ask, multipart
from tests.parity.tutorial import views
from tests.site import Site

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
USERS = ("alice", "bob", "carol", "dave")
SESSIONS = {"alice": "a" * 32, "bob": "b" * 32}
CSRF = "c" * 32


def basic(name: str, password: str = "secret") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def logged_in(name: str, csrf: str | None = CSRF) -> dict[str, str]:
    return {
        "cookie": f"sessionid={SESSIONS[name]}; csrftoken={CSRF}",
        **({} if csrf is None else {"x-csrftoken": csrf}),
    }


ALICE, BOB = basic("alice"), basic("bob")
ALICE_IN, BOB_IN = logged_in("alice"), logged_in("bob")
HTML, FORM, TEXT, JSON = (
    {"accept": "text/html"},
    {"content-type": "application/x-www-form-urlencoded"},
    {"content-type": "text/plain"},
    {"content-type": "application/json"},
)
CODE = {"code": "print(1)"}


@dataclass(frozen=True)
class Step:
    """A request, and the status that DRF gives it; two where function views, which don't know HEAD, give another."""

    status: int | tuple[int, int]
    ask: Ask


def step(
    status: int | tuple[int, int],
    method: str,
    url: str,
    data: Any = None,
    *headers: dict[str, str],
    body: bytes | None = None,
) -> Step:
    merged = {name: value for each in headers for name, value in each.items()}
    return Step(status, Ask(method, url, data, body, merged))


def in_parts(status: int, method: str, url: str, *headers: dict[str, str], **parts: Any) -> Step:
    body, kind = multipart(**parts)
    return step(status, method, url, None, *headers, kind, body=body)


SESSION = [
    # Nothing is there yet.
    step(200, "GET", "/"),
    step((200, 405), "HEAD", "/"),
    step(200, "OPTIONS", "/"),
    step(405, "POST", "/", {}, ALICE),
    step(200, "GET", "/", None, HTML),
    step(200, "GET", "/snippets/"),
    step(404, "GET", "/snippets/1/"),
    step(404, "GET", "/snippets/1/highlight/"),
    step(404, "DELETE", "/snippets/1/", None, ALICE),
    # Who may write.
    step(401, "POST", "/snippets/", CODE),
    step(401, "POST", "/snippets/", CODE, basic("alice", "wrong")),
    step(401, "GET", "/snippets/", None, basic("nobody")),
    step(401, "GET", "/snippets/", None, {"authorization": "Basic"}),
    step(401, "GET", "/snippets/", None, {"authorization": "Basic !!"}),
    step(401, "POST", "/snippets/", CODE, {"authorization": "Bearer x"}),
    step(403, "GET", "/users/", None, basic("alice", "wrong")),
    step(403, "POST", "/snippets/", CODE, logged_in("alice", csrf=None)),
    step(403, "POST", "/snippets/", CODE, logged_in("alice", csrf="d" * 32)),
    step(401, "POST", "/snippets/", CODE, {"cookie": f"sessionid={'z' * 32}; csrftoken={CSRF}", "x-csrftoken": CSRF}),
    # Bodies of each kind.
    step(201, "POST", "/snippets/", CODE, ALICE),
    step(201, "POST", "/snippets/", {"code": "if x:\n    pass", "title": "Two <lines>", "linenos": True}, ALICE_IN),
    step(201, "POST", "/snippets/", None, BOB, FORM, body=b"code=hello&language=text&style=plain&linenos=on"),
    in_parts(201, "POST", "/snippets/", BOB_IN, code="import os\n", title="In parts"),
    step(201, "POST", "/snippets.json", {"code": "é ☃", "id": 99, "owner": "alice"}, BOB),
    # What a body can have wrong with it.
    step(400, "POST", "/snippets/", {}, ALICE),
    step(400, "POST", "/snippets/", {"code": " ", "title": "x" * 101, "linenos": "perhaps", "style": "rude"}, ALICE),
    step(400, "POST", "/snippets/", ["code"], ALICE),
    step(400, "POST", "/snippets/", None, ALICE, JSON, body=b'{"code": '),
    step(400, "POST", "/snippets/", None, ALICE, JSON, body=b"\xff\xfe"),
    step(400, "POST", "/snippets/", None, ALICE, JSON, body=b""),
    step(400, "POST", "/snippets/", None, ALICE, {"content-type": "multipart/form-data"}, body=b"code=1"),
    step(400, "POST", "/snippets/", None, ALICE, FORM, body=b""),
    step(415, "POST", "/snippets/", None, ALICE, TEXT, body=b"code"),
    step(415, "PUT", "/snippets/1/", None, ALICE, {"content-type": "application/xml"}, body=b"<code/>"),
    # Reading, a page at a time.
    step(200, "GET", "/snippets/"),
    step(200, "GET", "/snippets/?page=2"),
    step(200, "GET", "/snippets/?page=last&size=2"),
    step(200, "GET", "/snippets/?size=1000&page=1"),
    step(404, "GET", "/snippets/?page=9"),
    step(404, "GET", "/snippets/?page=none"),
    step((200, 405), "HEAD", "/snippets/?page=2"),
    step(200, "GET", "/snippets/1/"),
    step((200, 405), "HEAD", "/snippets/2/"),
    step(200, "GET", "/snippets/2.json"),
    step(200, "GET", "/snippets/2/?format=json"),
    step(404, "GET", "/snippets/2/?format=yaml"),
    step(404, "GET", "/snippets/2.yaml"),
    step(406, "GET", "/snippets/2/", None, {"accept": "application/yaml"}),
    step(200, "GET", "/snippets/2/", None, {"accept": "application/json; indent=4"}),
    step(200, "GET", "/snippets/2/highlight/"),
    step(406, "GET", "/snippets/2/highlight/", None, {"accept": "application/json"}),
    step(200, "GET", "/snippets/4/highlight.html"),
    step(404, "GET", "/snippets/x/"),
    step(301, "GET", "/snippets"),
    # In a browser.
    step(200, "GET", "/snippets/", None, HTML),
    step(200, "GET", "/snippets/", None, HTML, ALICE_IN),
    step(200, "GET", "/snippets/1/", None, HTML, ALICE_IN),
    step(200, "GET", "/snippets/1/", None, HTML, BOB_IN),
    step(200, "GET", "/snippets/2.api"),
    step(404, "GET", "/snippets/77/", None, HTML),
    step(400, "POST", "/snippets/", {}, HTML, ALICE_IN),
    step(403, "DELETE", "/snippets/1/", None, HTML, BOB_IN),
    # Changing what is one's own, and what is not.
    step(200, "PUT", "/snippets/1/", {"code": "print(2)", "title": "New"}, ALICE),
    step(200, "PATCH", "/snippets/1/", {"linenos": True}, ALICE_IN),
    step(200, "GET", "/snippets/1/highlight/"),
    in_parts(200, "PATCH", "/snippets/3/", BOB, title="Parts"),
    step(200, "PUT", "/snippets/3/", None, BOB, FORM, body=b"code=bye"),
    step(400, "PUT", "/snippets/1/", {"title": "Without code"}, ALICE),
    step(400, "PATCH", "/snippets/1/", {"language": "klingon"}, ALICE),
    step(401, "PUT", "/snippets/1/", CODE),
    step(403, "PUT", "/snippets/1/", CODE, BOB),
    step(403, "PATCH", "/snippets/1/", CODE, BOB_IN),
    step(404, "PUT", "/snippets/99/", CODE, ALICE),
    step(405, "POST", "/snippets/1/", CODE, ALICE),
    step(405, "DELETE", "/snippets/", None, ALICE),
    step(405, "TRACE", "/snippets/", None, ALICE),
    step(405, "BREW", "/snippets/", None, BOB),
    step(200, "OPTIONS", "/snippets/"),
    step(200, "OPTIONS", "/snippets/", None, ALICE),
    step(200, "OPTIONS", "/snippets/1/", None, ALICE),
    step(200, "OPTIONS", "/snippets/1/", None, BOB),
    step(200, "OPTIONS", "/snippets/99/", None, ALICE),
    step(401, "OPTIONS", "/snippets/1/", None, basic("alice", "wrong")),
    step(200, "OPTIONS", "/snippets/1/highlight/"),
    # Users can be read.
    step(200, "GET", "/users/"),
    step(200, "GET", "/users.json?page=2"),
    step(200, "GET", "/users/1/"),
    step(200, "GET", "/users/2/", None, HTML, ALICE_IN),
    step(404, "GET", "/users/50/"),
    step(405, "POST", "/users/", {"username": "eve"}, ALICE),
    step(405, "PUT", "/users/1/", {"username": "eve"}, ALICE),
    step(200, "OPTIONS", "/users/1/"),
    # Deleting.
    step(401, "DELETE", "/snippets/1/"),
    step(403, "DELETE", "/snippets/1/", None, BOB),
    step(204, "DELETE", "/snippets/1/", None, ALICE),
    step(404, "DELETE", "/snippets/1/", None, ALICE),
    step(204, "DELETE", "/snippets/2/", None, ALICE_IN),
    step(204, "DELETE", "/snippets/3.json", None, BOB),
    step(200, "GET", "/snippets/"),
    step(200, "GET", "/users/1/"),
]


def populate() -> None:
    for name in USERS:
        user = User.objects.create_user(name, password="secret")
        if name in SESSIONS:
            state = {
                SESSION_KEY: str(user.pk),
                BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
                HASH_SESSION_KEY: user.get_session_auth_hash(),
            }
            Session.objects.create(
                session_key=SESSIONS[name],
                session_data=SessionStore().encode(state),
                expire_date=timezone.now() + timedelta(days=1),
            )


Way = Callable[[Any], list[Any]]


def answers(way: Way, bases: str, transport: str, database: str) -> list[Answer]:
    """Return the answers to the whole session, on an empty database."""
    with fresh(database), Site(way(BASES[bases]), MIDDLEWARE=MIDDLEWARE) as site:
        populate()
        return [OVER[transport](site, each.ask) for each in SESSION]


OTHERS = [(ASGI, "postgres"), (WSGI, "default")]
named = pytest.mark.parametrize("way", views.WAYS, ids=lambda way: way.__name__)


@named
def test_the_tutorial_answers_as_with_drf_s_base_classes(way: Way) -> None:
    theirs = answers(way, DRF, ASGI, "default")
    for each, answer in zip(SESSION, theirs, strict=True):
        assert answer.status in (each.status if isinstance(each.status, tuple) else (each.status,)), each.ask
    assert json.loads(theirs[-2].body)["count"] == 2
    for bases in (SYNC, ASYNC, THROUGHOUT, *([DRF_MIXINS] if way is views.mixins else [])):
        alike([each.ask for each in SESSION], answers(way, bases, ASGI, "default"), theirs, bases)


@pytest.mark.parametrize(
    ("way", "transport", "database"),
    some((way, *other) for way, other in product(views.WAYS, OTHERS)),
    ids=lambda value: getattr(value, "__name__", value),
    indirect=["database"],
)
def test_the_tutorial_does_so_over_wsgi_and_on_postgresql(way: Way, transport: str, database: str) -> None:
    ours, theirs = (answers(way, bases, transport, database) for bases in (THROUGHOUT, DRF))
    alike([each.ask for each in SESSION], ours, theirs)


def test_the_session_asks_much() -> None:
    assert len(SESSION) >= 60
    assert {each.ask.method for each in SESSION} >= {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}


@named
def test_the_views_have_the_colour_of_their_base_classes(way: Way) -> None:
    for bases, is_async in ((DRF, False), (SYNC, False), (ASYNC, True), (THROUGHOUT, True)):
        patterns = [
            pattern
            for pattern in way(BASES[bases])
            if (getattr(pattern, "name", None) or "").endswith(("list", "detail"))
        ]
        assert len(patterns) >= 8
        assert {iscoroutinefunction(pattern.callback) for pattern in patterns} == {is_async}
