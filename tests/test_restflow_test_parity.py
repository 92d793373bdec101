"""A view gets the same request from restflow's test client and factory as from DRF's."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import override_settings
from django.urls import re_path
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.renderers import JSONRenderer, MultiPartRenderer
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView

from restflow.test import AsyncAPIClient, AsyncAPIRequestFactory
from restflow.views import AsyncAPIView
from tests.matrix import each_value, examples

METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "trace")
WITH_BODY = ("post", "put", "patch", "delete", "options")

# What one of Django's two request classes has and the other has not, whoever makes the request.
ASGI_ONLY = {"REMOTE_HOST", "REMOTE_PORT"}
WSGI_ONLY = {"SERVER_PROTOCOL"}

seen: dict[str, Any] = {}


def note(request: Any) -> Response:
    """Answer with what was sent; the body is noted before anything parses it."""
    http = request._request
    seen.update(
        method=request.method,
        path=http.path,
        full_path=http.get_full_path(),
        uri=http.build_absolute_uri(),
        secure=http.is_secure(),
        content_type=request.content_type,
        query=dict(request.query_params.lists()),
        headers=dict(request.headers),
        meta={name: value for name, value in http.META.items() if not name.startswith("wsgi.")},
        csrf=http._dont_enforce_csrf_checks,
    )
    for name in ASGI_ONLY | WSGI_ONLY:
        seen["meta"].pop(name, None)
    return Response(request.method)


class NotesBody:
    authentication_classes = ()

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        seen["body"] = request.body
        made: Any = super().initialize_request(request, *args, **kwargs)  # type: ignore[misc]
        return made


class DRFEcho(NotesBody, APIView):
    def get(self, request: Any) -> Any:
        return note(request)

    post = put = patch = delete = head = options = trace = get


class Echo(NotesBody, AsyncAPIView):
    async def get(self, request: Any) -> Any:
        return note(request)

    post = put = patch = delete = head = options = trace = get


def taken() -> dict[str, Any]:
    noted = dict(seen)
    seen.clear()
    return noted


Send = Callable[[Any], Any]


def from_clients(send: Send, **client: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a view sees of the same request by DRF's client and by ours."""
    with override_settings(ROOT_URLCONF=(re_path("", DRFEcho.as_view()),)):
        send(APIClient(**client))
    theirs = taken()

    async def ask() -> None:
        await send(AsyncAPIClient(**client))

    with override_settings(ROOT_URLCONF=(re_path("", Echo.as_view()),)):
        asyncio.run(ask())
    return theirs, taken()


def from_factories(send: Send, **factory: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    DRFEcho.as_view()(send(APIRequestFactory(**factory)))
    theirs = taken()

    async def ask() -> None:
        await Echo.as_view()(send(AsyncAPIRequestFactory(**factory)))

    asyncio.run(ask())
    return theirs, taken()


def same(send: Send, **options: Any) -> dict[str, Any]:
    for compare in (from_clients, from_factories):
        theirs, ours = compare(send, **options)
        assert theirs
        assert ours == theirs
    return ours


class Shouting(JSONRenderer):
    media_type = "text/shout"
    format = "shout"
    charset = "utf-16"

    def render(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        return str(data).upper()


@contextmanager
def formats(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # DRF reads the setting into the class, at import.
    with monkeypatch.context() as patch:
        patch.setattr(APIRequestFactory, "renderer_classes_list", [MultiPartRenderer, JSONRenderer, Shouting])
        yield


NESTED = {"name": "Gödel", "tags": ["a", "b"], "number": 1}
FLAT = {"name": "Gödel", "tags": ["a", "b"], "number": 1}


@pytest.mark.parametrize("method", METHODS)
def test_a_bare_request(method: str) -> None:
    assert same(lambda to: getattr(to, method)("/books/"))["method"] == method.upper()


@each_value
@pytest.mark.parametrize("method", WITH_BODY)
@pytest.mark.parametrize(
    "sent",
    [
        {"data": FLAT},
        {"data": FLAT, "format": "multipart"},
        {"data": NESTED, "format": "json"},
        {"data": [1, {"two": None}], "format": "json"},
        {"data": {}, "format": "json"},
        {"data": {}},
        {"data": NESTED, "format": "shout"},
        {"data": '{"a": 1}', "content_type": "application/json"},
        {"data": {"a": [1, "é"]}, "content_type": "application/json"},
        {"data": {"a": 1}, "content_type": "application/vnd.api+json"},
        {"data": "a=1&b=é", "content_type": "application/x-www-form-urlencoded"},
        {"data": b"\x00\xff", "content_type": "application/octet-stream"},
        {"data": "", "content_type": "text/plain"},
        {"data": None, "content_type": "text/plain"},
        {"data": None},
    ],
    ids=repr,
)
def test_a_body(method: str, sent: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with formats(monkeypatch):
        same(lambda to: getattr(to, method)("/books/", **sent))


@pytest.mark.parametrize("method", WITH_BODY)
def test_a_file(method: str) -> None:
    def send(to: Any) -> Any:
        file = io.BytesIO(b"%PDF\r\n\x00")
        file.name = "book.pdf"
        return getattr(to, method)("/", {"title": "Emma", "file": file})

    assert b'filename="book.pdf"\r\nContent-Type: application/pdf\r\n\r\n%PDF' in same(send)["body"]


def test_what_is_sent_without_a_format_is_multipart() -> None:
    assert same(lambda to: to.post("/", {"a": "1"}))["content_type"].startswith("multipart/form-data; ")


def test_the_default_format_is_that_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(APIRequestFactory, "default_format", "json")
    assert same(lambda to: to.post("/", {"a": 1}))["body"] == b'{"a":1}'


@pytest.mark.parametrize("to", [AsyncAPIClient, AsyncAPIRequestFactory])
def test_mistakes_are_refused_as_drf_refuses_them(to: Any) -> None:
    async def send(**sent: Any) -> None:
        await to().post("/", {"a": 1}, **sent)

    with pytest.raises(AssertionError, match="both `format` and `content_type`"):
        asyncio.run(send(format="json", content_type="application/json"))
    with pytest.raises(AssertionError, match="Invalid format 'yaml'"):
        asyncio.run(send(format="yaml"))


@each_value
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "sent",
    [
        {"path": "/?a=1&a=2&b=%C3%A9"},
        {"path": "/é/"},
        {"path": "/%C3%A9/%2F/%ff"},
        {"path": "//two//slashes"},
        {"path": "/?a=1", "query_params": {"b": ["1", "é"]}},
        {"path": "/?a=1", "QUERY_STRING": "c=3"},
        {"path": "http://testserver/absolute?x=1#fragment"},
        {"path": "/books/", "SCRIPT_NAME": "/shop"},
        {"path": "", "SCRIPT_NAME": "/shop"},
    ],
    ids=repr,
)
def test_an_address(method: str, sent: dict[str, Any]) -> None:
    same(lambda to: getattr(to, method)(**sent))


def test_a_query_that_is_not_escaped() -> None:
    # Django's two request classes differ in how META has it.
    for theirs, ours in (
        from_clients(lambda to: to.get("/?q=é&r=€")),
        from_factories(lambda to: to.get("/?q=é&r=€")),
    ):
        assert ours["query"] == theirs["query"] == {"q": ["é"], "r": ["€"]}


@pytest.mark.parametrize("method", ["get", "head"])
def test_data_of_a_get_are_its_query(method: str) -> None:
    assert same(lambda to: getattr(to, method)("/", {"a": ["1", "2"], "b": "é"}))["query"] == {
        "a": ["1", "2"],
        "b": ["é"],
    }


@each_value
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "sent",
    [
        {"HTTP_ACCEPT": "application/json;q=1", "HTTP_X_TWO_WORDS": "é"},
        {"headers": {"accept": "application/json;q=1", "X-Two-Words": "é"}},
        {"HTTP_COOKIE": "a=b"},
        {"HTTP_HOST": "localhost:8000"},
        {"HTTP_X_NUMBER": 1, "HTTP_X_EURO": "€"},
        {"REMOTE_ADDR": "192.0.2.1", "REMOTE_USER": "emma"},
        {"SERVER_NAME": "localhost", "SERVER_PORT": "8080"},
        {"secure": True},
        {"wsgi.url_scheme": "https"},
    ],
    ids=repr,
)
def test_headers_and_what_a_server_says(method: str, sent: dict[str, Any]) -> None:
    same(lambda to: getattr(to, method)("/", **sent))


@pytest.mark.parametrize("script_name", ["/forced", ""])
def test_a_forced_script_name(script_name: str) -> None:
    with override_settings(FORCE_SCRIPT_NAME=script_name):
        same(lambda to: to.get("/books/"))


def test_what_is_set_for_all_requests() -> None:
    same(lambda to: to.get("/"), headers={"X-All": "1"}, HTTP_X_OTHER="2", REMOTE_USER="emma", SERVER_NAME="localhost")
    same(lambda to: to.generic("GET", "/"), query_params={"a": "1"})


@pytest.mark.parametrize(
    "sent",
    [
        ("REPORT", "/"),
        ("POST", "/", "é"),
        ("POST", "/", b"x", "text/x"),
        ("POST", "/", "x", None),
        ("GET", "/", "", ""),
    ],
)
def test_a_generic_request(sent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for view in (Echo, DRFEcho):
        monkeypatch.setattr(view, "report", view.get, raising=False)
        monkeypatch.setattr(view, "http_method_names", [*METHODS, "report"])
    same(lambda to: to.generic(*sent))


@pytest.mark.parametrize("enforce", [False, True])
def test_csrf_is_enforced_where_it_is_asked_for(enforce: bool) -> None:
    assert same(lambda to: to.get("/"), enforce_csrf_checks=enforce)["csrf"] is not enforce


def with_cookies(to: Any) -> Any:
    to.cookies["b"] = "2"
    to.cookies["a"] = "1"
    return to.get("/")


def test_cookies() -> None:
    assert same(with_cookies)["headers"]["Cookie"] == "a=1; b=2"


def with_credentials(to: Any) -> Any:
    to.credentials(HTTP_AUTHORIZATION="replaced", HTTP_X_GONE="1")
    to.credentials(HTTP_AUTHORIZATION="Basic " + base64.b64encode(b"a:b").decode())
    return to.post("/", {"a": 1}, format="json", HTTP_AUTHORIZATION="overridden by the credentials")


def test_credentials() -> None:
    theirs, ours = from_clients(with_credentials)
    assert ours == theirs
    assert ours["headers"]["Authorization"] == "Basic YTpi"
    assert "X-Gone" not in ours["headers"]


def test_a_header_may_have_the_name_it_has_with_djangos_async_client() -> None:
    _, ours = from_clients(lambda to: to.get("/", AUTHORIZATION="Bearer x"), X_ALL="1")
    assert (ours["headers"]["Authorization"], ours["headers"]["X-All"]) == ("Bearer x", "1")
    _, ours = from_factories(lambda to: to.get("/", AUTHORIZATION="Bearer x"), X_ALL="1")
    assert (ours["headers"]["Authorization"], ours["headers"]["X-All"]) == ("Bearer x", "1")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=examples(60), deadline=None)
@given(
    method=st.sampled_from(WITH_BODY),
    address=st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="[]?#"), max_size=12),
    query=st.dictionaries(st.text(), st.text() | st.lists(st.text(), max_size=3), max_size=3),
    data=JSON,
)
def test_whatever_is_sent(method: str, address: str, query: Any, data: Any) -> None:
    same(lambda to: getattr(to, method)("/x" + address, data, format="json", query_params=query))


@pytest.mark.parametrize("view", [Echo, DRFEcho])
def test_a_request_of_the_factory_is_answered_by_views_of_both_colours(view: Any) -> None:
    function = view.as_view()
    request = AsyncAPIRequestFactory().post("/", {"a": "1"}, format="json")
    response = async_to_sync(function)(request) if view is Echo else function(request)
    assert response.status_code == 200
    assert taken()["body"] == b'{"a":"1"}'
