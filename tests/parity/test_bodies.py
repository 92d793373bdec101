"""request.data: parsers, refusals, limits, and bodies that nobody reads."""

from __future__ import annotations

import asyncio
import functools
import json
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework import parsers
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request as DRFRequest
from rest_framework.response import Response

from restflow.large import LARGEST_IN_PLACE
from tests.matrix import examples, some
from tests.parity.harness import ASGI, ASYNC_HANDLERS, WSGI, Parity, limit, multipart, table

hypothesis_settings = settings(
    max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)


def described(data: Any) -> Any:
    if hasattr(data, "lists"):
        return [
            type(data).__name__,
            [
                [key, [[v.name, v.read().decode("latin-1")] if hasattr(v, "read") else v for v in values]]
                for key, values in data.lists()
            ],
        ]
    return [type(data).__name__, data]


def reads(*attributes: str) -> Any:
    """Make a view whose handler reads these of its request, in order, and tells what it got."""

    def make(base: Any) -> Any:
        class V(base):
            renderer_classes = [JSONRenderer]

            def post(self, request: Any, **kwargs: Any) -> Any:
                seen: list[Any] = []
                for name in attributes:
                    try:
                        value = getattr(request, name)
                        seen.append([name, described(value() if callable(value) else value)])
                    except Exception as error:
                        if name == attributes[-1]:
                            raise
                        seen.append([name, type(error).__name__, str(error)])
                return Response(json.loads(json.dumps(seen, default=repr_of)))

            put = patch = delete = post

        return V

    return make


def repr_of(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else type(value).__name__


FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
PARTS = multipart(name="Ann", file=("a.txt", b"\x00content"))
LARGE = multipart(name="Ann", file=("a.bin", b"x" * 5000))

BODIES: dict[str, tuple[bytes, dict[str, str]]] = {
    "json": (b'{"a": [1, 2.5, null, "\xc3\xa9"]}', JSON),
    "json scalar": (b"3", JSON),
    "json null": (b"null", JSON),
    "json false": (b"false", JSON),
    "json empty string": (b'""', JSON),
    "json nan": (b"[NaN]", JSON),
    "json malformed": (b'{"a": ', JSON),
    "json not utf-8": (b'"\xff"', JSON),
    "json bom": (b"\xef\xbb\xbf{}", JSON),
    "json latin-1": (b'"\xe9"', {"content-type": "application/json; charset=iso-8859-1"}),
    "json utf-16": ('"\u00e9"'.encode("utf-16"), {"content-type": "application/json; charset=utf-16"}),
    "json bz2": (b'"a"', {"content-type": "application/json; charset=bz2_codec"}),
    "json rot13": (b'"a"', {"content-type": "application/json; charset=rot13"}),
    "json hex": (b'"a"', {"content-type": "application/json; charset=hex"}),
    "json idna": (b'"a"', {"content-type": "application/json; charset=idna"}),
    "json unknown charset": (b'"a"', {"content-type": "application/json; charset=martian"}),
    "json parameters": (b'"a"', {"content-type": "application/json; version=1"}),
    "json capitals": (b'"a"', {"content-type": "Application/JSON"}),
    "form": (b"a=1&a=2&b=%C3%A9&c=", FORM),
    "form latin-1": (b"a=%E9", {"content-type": "application/x-www-form-urlencoded; charset=iso-8859-1"}),
    "form bz2": (b"a=1", {"content-type": "application/x-www-form-urlencoded; charset=bz2_codec"}),
    "form nonsense": (b"&&=&\xff", FORM),
    "form too many": ("&".join(f"a{n}=1" for n in range(1001)).encode(), FORM),
    "multipart": PARTS,
    "multipart large": LARGE,
    "multipart malformed": (PARTS[0], {"content-type": "multipart/form-data"}),
    "multipart bad boundary": (PARTS[0], {"content-type": "multipart/form-data; boundary=\u00e9"}),
    "multipart cut": (PARTS[0][:70], PARTS[1]),
    "multipart garbage": (b"garbage", PARTS[1]),
    "multipart bz2": (PARTS[0], {"content-type": PARTS[1]["content-type"] + "; charset=bz2_codec"}),
    "multipart empty": (b"", PARTS[1]),
    "form empty": (b"", FORM),
    "json empty": (b"", JSON),
    "none": (b"", {}),
    "untyped": (b"abc", {"content-type": ""}),
    "xml": (b"<a/>", {"content-type": "application/xml"}),
    "nonsense type": (b"abc", {"content-type": ";;;"}),
    "long type": (b"{}", {"content-type": "application/json; x=" + "y" * 300}),
    "content-length no number": (b"{}", {**JSON, "content-length": "many"}),
}

LIMITS: list[dict[str, Any]] = [{}, {"FILE_UPLOAD_MAX_MEMORY_SIZE": 1}, {"DATA_UPLOAD_MAX_MEMORY_SIZE": 5}]


@pytest.mark.parametrize("name", BODIES)
@table
def test_a_body_is_parsed_or_refused(parity: Parity, name: str) -> None:
    body, headers = BODIES[name]
    for limits in LIMITS:
        answer = parity(reads("data"), "POST", body=body, headers=headers, **limits)
        assert answer.status in {200, 400, 415, 500}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_nobody_reads_is_not_refused(parity: Parity, name: str) -> None:
    body, headers = BODIES[name]
    assert parity(reads("method"), "POST", body=body, headers=headers, FILE_UPLOAD_MAX_MEMORY_SIZE=1).status == 200


REFUSED = ["json malformed", "json bz2", "multipart cut", "multipart garbage", "multipart malformed", "xml", "form bz2"]


@pytest.mark.parametrize(("name", "second"), some(product(REFUSED, ["data", "POST", "FILES", "stream"])))
@table
def test_the_second_read_after_a_refusal(parity: Parity, name: str, second: str) -> None:
    body, headers = BODIES[name]
    assert parity(reads("data", second, "method"), "POST", body=body, headers=headers).status == 200


@pytest.mark.parametrize(
    ("attribute", "name", "limits"),
    some(
        product(
            ["POST", "FILES", "content_type"],
            ["json", "json malformed", "form", "multipart", "multipart garbage", "xml"],
            LIMITS,
        ),
        together=2,
    ),
    ids=str,
)
@table
def test_djangos_names_read_the_same_body(parity: Parity, name: str, attribute: str, limits: Any) -> None:
    body, headers = BODIES[name]
    parity(reads(attribute, "data", "method"), "POST", body=body, headers=headers, **limits)


_READ_UNDER_WSGI = "under WSGI a body is parsed before an async handler runs, which finds it consumed"


@pytest.mark.parametrize("attributes", [("body",), ("body", "data"), ("read",), ("stream", "method")], ids=str)
@pytest.mark.parametrize("name", ["json", "json malformed", "form"])
def test_the_raw_body_can_be_read(parity: Parity, name: str, attributes: Any) -> None:
    body, headers = BODIES[name]
    parity(reads(*attributes, "method"), "POST", body=body, headers=headers)


@pytest.mark.parametrize("attributes", [("body",), ("body", "data"), ("read",)], ids=str)
@pytest.mark.parametrize("name", ["multipart", "multipart garbage"])
@limit(_READ_UNDER_WSGI, ASYNC_HANDLERS, over=WSGI)
def test_the_raw_body_of_a_form_can_be_read(parity: Parity, name: str, attributes: Any) -> None:
    body, headers = BODIES[name]
    answer = parity(reads(*attributes, "method"), "POST", body=body, headers=headers)
    assert "RawPostDataException" not in str(answer.json()[0])


@limit(_READ_UNDER_WSGI, ASYNC_HANDLERS, over=WSGI)
def test_the_raw_body_for_a_parser_of_ones_own_can_be_read(parity: Parity) -> None:
    class Lines(parsers.BaseParser):
        media_type = "text/lines"

        def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
            return stream.read().decode().splitlines()

    answer = parity(
        reads("body", "method"),
        "POST",
        body=b"a\nb",
        headers={"content-type": "text/lines"},
        initkwargs={"parser_classes": [Lines]},
    )
    assert answer.json()[0] == ["body", ["bytes", "a\nb"]]


def test_a_handler_may_set_the_upload_handlers(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(base):
            def post(self, request: Any) -> Any:
                request._request.upload_handlers = request._request.upload_handlers[:1]
                return Response(sorted(request.data))

        return V

    assert parity(make, "POST", body=PARTS[0], headers=PARTS[1]).json() == ["file", "name"]


@limit(_READ_UNDER_WSGI, ASYNC_HANDLERS, over=WSGI)
def test_parsers_set_by_the_handler_are_used(parity: Parity) -> None:
    class Upper(parsers.BaseParser):
        media_type = "multipart/form-data"

        def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
            return stream.read().decode().upper()

    def make(base: Any) -> Any:
        class V(base):
            def post(self, request: Any) -> Any:
                request.parsers = [Upper()]
                return Response(request.data)

        return V

    assert "NAME=" in parity(make, "POST", body=PARTS[0], headers=PARTS[1]).json()


class OnLoop(parsers.BaseParser):
    """Tells whether it ran where an event loop runs, and would block it."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return "no loop"
        return "on the loop"


def test_a_parser_never_runs_on_the_event_loop(parity: Parity) -> None:
    kwargs = {"parser_classes": [OnLoop]}
    assert "no loop" in str(parity(reads("data"), "POST", body=b"a", initkwargs=kwargs).json())


def test_a_parser_of_a_wrapped_handler_never_runs_on_the_event_loop(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(reads("data")(base)):
            pass

        handler = V.post

        @functools.wraps(lambda self, request: None)
        def wrapper(self: Any, request: Any) -> Any:
            return handler(self, request)

        async def awaited(self: Any, request: Any) -> Any:
            return await handler(self, request)

        V.post = functools.wraps(wrapper)(awaited) if base.__name__ == "AsyncHandlers" else wrapper
        return V

    kwargs = {"parser_classes": [OnLoop]}
    assert "no loop" in str(parity(make, "POST", body=b"a", initkwargs=kwargs).json())


def test_a_parser_of_a_handler_that_is_no_function_never_runs_on_the_event_loop(parity: Parity) -> None:
    def make(base: Any) -> Any:
        handler = vars(reads("data")(base))["post"]
        return type("V", (base,), {"post": staticmethod(functools.partial(handler, None))})

    kwargs = {"parser_classes": [OnLoop]}
    assert "no loop" in str(parity(make, "POST", body=b"a", initkwargs=kwargs).json())


@pytest.mark.parametrize("changed", ["object", "class"])
def test_a_changed_json_parser_never_runs_on_the_event_loop(
    parity: Parity, changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(base: Any) -> Any:
        class V(reads("data")(base)):
            def get_parsers(self) -> Any:
                parser = parsers.JSONParser()
                if changed == "object":
                    vars(parser)["parse"] = OnLoop().parse
                return [parser]

        return V

    if changed == "class":
        monkeypatch.setattr(parsers.JSONParser, "parse", OnLoop.parse)
    assert "no loop" in str(parity(make, "POST", body=b"{}", headers=JSON).json())


class Raw(parsers.BaseParser):
    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return [media_type, parser_context["encoding"], parser_context["kwargs"], stream.read().decode("latin-1")]


class Raising(parsers.BaseParser):
    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        raise {"json": APIException("parser"), "form": ValueError("bug")}.get(
            media_type[-4:], AttributeError("attribute")
        )


class Indented(parsers.JSONParser):
    strict = False


PARSERS = [Raw, Raising, Indented, parsers.FileUploadParser, parsers.BaseParser]
PARSED = ["json", "json nan", "form", "multipart", "xml", "none"]


@pytest.mark.parametrize(
    ("attributes", "name", "parser"),
    some(product([("data",), ("data", "data", "method"), ("method",)], PARSED, PARSERS), together=2),
)
@table
def test_a_parser_of_ones_own(parity: Parity, parser: Any, name: str, attributes: Any) -> None:
    body, headers = BODIES[name]
    headers = {**headers, "content-disposition": "attachment; filename=a.bin"}
    parity(reads(*attributes), "POST", body=body, headers=headers, initkwargs={"parser_classes": [parser]})


def test_no_parsers_refuse_any_body(parity: Parity) -> None:
    assert parity(reads("data"), "POST", data=1, initkwargs={"parser_classes": []}).status == 415


@pytest.mark.parametrize("where", ["initial", "permission", "authenticator"])
@pytest.mark.parametrize("name", ["json", "json malformed", "multipart", "multipart malformed"])
@table
def test_a_body_read_before_the_handler(parity: Parity, name: str, where: str) -> None:
    class Reads:
        message = None

        def authenticate(self, request: Any) -> None:
            return request.data and None

        def authenticate_header(self, request: Any) -> str:
            return "Body"

        def has_permission(self, request: Any, view: Any) -> bool:
            return request.data["a" if "a" in request.data else "name"] is not None

    def make(base: Any) -> Any:
        class V(reads("data")(base)):
            permission_classes = [Reads] if where == "permission" else []
            authentication_classes = [Reads] if where == "authenticator" else []

            def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
                super().initial(request, *args, **kwargs)
                if where == "initial":
                    request.data  # noqa: B018

        return V

    body, headers = BODIES[name]
    assert parity(make, "POST", body=body, headers=headers).status == (400 if "malformed" in name else 200)


@pytest.mark.parametrize("name", ["json", "json malformed", "multipart", "multipart malformed"])
def test_a_request_of_drfs_class_made_by_an_override(parity: Parity, name: str) -> None:
    def make(base: Any) -> Any:
        class V(reads("data")(base)):
            def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Any:
                return DRFRequest(
                    request,
                    parsers=self.get_parsers(),
                    authenticators=self.get_authenticators(),
                    negotiator=self.get_content_negotiator(),
                    parser_context=self.get_parser_context(request),
                )

        return V

    body, headers = BODIES[name]
    assert parity(make, "POST", body=body, headers=headers).status == (
        400 if "malformed" in name or "ga" in name else 200
    )


class ReadsPost:
    """Middleware that reads the form before the view or after it."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        if "before" in request.GET:
            request.POST  # noqa: B018
        response = self.get_response(request)
        if "after" in request.GET:
            response["X-Posted"] = ",".join(request.POST)
        if "raw" in request.GET:
            response["X-Length"] = str(len(request.body))
        return response


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("name", ["json", "form", "multipart", "multipart large", "xml"])
@pytest.mark.parametrize("url", ["/?before", "/?after"])
@table
def test_middleware_that_reads_the_form(parity: Parity, name: str, url: str, method: str) -> None:
    body, headers = BODIES[name]
    middleware = ["tests.parity.test_bodies.ReadsPost"]
    parity(reads("data", "method"), method, url, body=body, headers=headers, MIDDLEWARE=middleware)


def test_middleware_sees_no_form_where_nobody_read_it(parity: Parity) -> None:
    middleware = ["tests.parity.test_bodies.ReadsPost"]
    answer = parity(reads("method"), "PUT", "/?after", body=PARTS[0], headers=PARTS[1], MIDDLEWARE=middleware)
    assert answer.header["X-Posted"] == ""


@pytest.mark.parametrize("name", ["json", "form", "xml"])
def test_middleware_that_reads_the_raw_body_after_the_view(parity: Parity, name: str) -> None:
    body, headers = BODIES[name]
    middleware = ["tests.parity.test_bodies.ReadsPost"]
    answer = parity(reads("method"), "POST", "/?raw", body=body, headers=headers, MIDDLEWARE=middleware)
    assert answer.header["X-Length"] == str(len(body))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=10,
)


@hypothesis_settings
@given(value=_json, accept=st.sampled_from(["application/json", "application/json; indent=2"]))
@pytest.mark.parametrize("transport", [ASGI], indirect=True)
def test_any_json_is_read_and_answered_alike(parity: Parity, value: Any, accept: str) -> None:
    answer = parity(reads("data"), "POST", body=json.dumps(value).encode(), headers={**JSON, "accept": accept})
    assert answer.json()[0][1][1] == value


@hypothesis_settings
@given(body=st.binary(min_size=1, max_size=40), kind=st.sampled_from([JSON, FORM, PARTS[1]]))
def test_any_bytes_are_parsed_or_refused_alike(parity: Parity, body: bytes, kind: Any) -> None:
    assert parity(reads("data", "data"), "POST", body=body, headers=kind).status in {200, 400, 500}


@table
@pytest.mark.parametrize("size", [LARGEST_IN_PLACE - 200, LARGEST_IN_PLACE + 200, 5 * LARGEST_IN_PLACE])
@pytest.mark.parametrize("names", [["data"], ["body", "data"], ["data", "body"], ["read", "data"]], ids="-".join)
def test_a_large_body_is_read_as_by_drf(parity: Parity, size: int, names: list[str]) -> None:
    row = {"id": 1, "né": [1 / 7, -(10**30), None, True], "text": "Ω" * 9, "more": {}}
    body = json.dumps([row] * (size // len(json.dumps(row)))).encode()
    for content in (body, body[:-1], b"x=" + body):
        content_type = FORM if content.startswith(b"x=") else JSON
        parity(reads(*names), "POST", body=content, headers=content_type)
