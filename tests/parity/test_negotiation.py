"""Accept, ?format=, suffixes, Vary, and versioning."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.http import HttpResponse
from django.urls import include, path, re_path
from django.utils.decorators import sync_and_async_middleware
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework import negotiation, versioning
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.urlpatterns import format_suffix_patterns
from rest_framework.utils import mediatypes

from tests.matrix import examples, some
from tests.parity.harness import COLOURS, Ask, Parity, table

hypothesis_settings = settings(
    max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)


class Text(BaseRenderer):
    media_type = "text/plain"
    format = "txt"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> Any:
        return f"{data!r} as {accepted_media_type} for {renderer_context['request'].method}"


class Vendor(JSONRenderer):
    media_type = "application/vnd.shop+json"
    format = "vnd"


class Latin(Text):
    media_type = "text/latin"
    format = "latin"
    charset = "iso-8859-1"


class Bytes(BaseRenderer):
    media_type = "application/octet-stream"
    format = "bin"
    charset = None
    render_style = "binary"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        return b"\x00\xff"


ALL = [JSONRenderer, Vendor, Text, Latin, Bytes, BrowsableAPIRenderer]


def page(base: Any) -> Any:
    class PageView(base):
        renderer_classes = ALL

        def get(self, request: Any, format: str | None = None) -> Response:
            return Response({"naïve": [1, 2], "format": format})

        post = get

    return PageView


ACCEPTS = [
    "",
    "*/*",
    "application/json",
    "application/*",
    "text/*",
    "text/plain",
    "text/html",
    "text/latin",
    "application/json; indent=4",
    "application/json; indent=nonsense",
    "application/json; indent=99",
    "application/json;q=0.1, text/plain;q=0.9",
    "text/nothing, application/json",
    "application/vnd.shop+json",
    "application/vnd.shop+json; version=2; indent=2",
    "application/xml",
    "nonsense",
    "application/octet-stream",
    ";;;,,,",
    ", ".join(f"text/x{n}" for n in range(100)),
    "a" * 9000,
    "application/json; x*=utf-8''y",
    "application/json; x*=bogus''y",
]


@pytest.mark.parametrize("accept", ACCEPTS, ids=lambda accept: accept[:30])
@table
def test_the_accept_header_chooses_the_renderer(parity: Parity, accept: str) -> None:
    for renderers in (ALL, [JSONRenderer], [BrowsableAPIRenderer, Text]):
        answer = parity(page, headers={"accept": accept}, initkwargs={"renderer_classes": renderers})
        assert ("Vary" in answer.header) is (len(renderers) > 1)
        assert answer.status in {200, 406, 500}


_types = st.sampled_from(["application/json", "text/plain", "text/html", "*/*", "text/*", "application/xml", "x", ""])
_parameters = st.lists(
    st.tuples(
        st.sampled_from(["q", "indent", "version", "charset"]), st.sampled_from(["0", "2", "1.0", "utf-8", '"a"'])
    ),
    max_size=2,
)
_accepts = st.lists(st.tuples(_types, _parameters), max_size=4).map(
    lambda entries: ", ".join(
        media + "".join(f"; {name}={value}" for name, value in parameters) for media, parameters in entries
    )
)


@hypothesis_settings
@given(accept=_accepts, suffix=st.sampled_from(["", "?format=json", "?format=txt", "?format=no"]))
def test_any_accept_header_is_answered_as_drf_answers_it(parity: Parity, accept: str, suffix: str) -> None:
    assert parity(page, "GET", f"/{suffix}", headers={"accept": accept}).status in {200, 404, 406}


CHANGES: dict[str, Any] = {
    "a renderer's media type": (Text, "media_type", "text/other"),
    "the length of a header": (DefaultContentNegotiation, "max_accept_header_length", 12),
    "the number of types": (DefaultContentNegotiation, "max_accept_tokens", 1),
    "the length of a type": (DefaultContentNegotiation, "max_media_type_length", 9),
    "the method that chooses": (
        DefaultContentNegotiation,
        "select_renderer",
        lambda self, request, renderers, format_suffix=None: (renderers[0], renderers[0].media_type),
    ),
    "how media types match": (mediatypes._MediaType, "match", lambda self, other: "json" in self.orig),
    "the order of media types": (
        negotiation,
        "order_parsed_by_precedence",
        lambda parsed: [[mediatypes._MediaType("application/json")]],
    ),
    "the method that reads the header": (
        DefaultContentNegotiation,
        "get_accept_list",
        lambda self, request: ["application/vnd.shop+json"],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
@table
def test_what_an_accept_header_chose_is_not_kept_beyond_a_change(
    parity: Parity, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"accept": "text/none, text/plain"}
    before = parity(page, headers=headers)
    monkeypatch.setattr(*CHANGES[change])
    after = parity(page, headers=headers)
    assert before.header["Content-Type"] == "text/plain; charset=utf-8"
    assert after.header["Content-Type"] != before.header["Content-Type"]


@pytest.mark.parametrize(
    "change",
    [
        lambda request: request.META.update(HTTP_ACCEPT="text/plain"),
        lambda request: setattr(request, "headers", {"accept": "text/plain"}),
        lambda request: setattr(request, "GET", {"format": "txt"}),
        lambda request: request.META.update(QUERY_STRING="format=txt"),
        lambda request: [request.headers, request.META.update(HTTP_ACCEPT="text/plain")],
        lambda request: setattr(request, "__class__", type("R", (type(request),), {"GET": {"format": "txt"}})),
    ],
    ids=["META", "headers", "GET", "QUERY_STRING", "headers read before", "a class of its own"],
)
@table
def test_what_code_before_the_view_did_to_the_request_counts(parity: Parity, change: Any) -> None:
    def make(base: Any) -> Any:
        class V(page(base)):
            def setup(self, request: Any, *args: Any, **kwargs: Any) -> None:
                super().setup(request, *args, **kwargs)
                change(request)

        return V

    answer = parity(make, headers={"accept": "application/json"})
    assert answer.header["Content-Type"] in {"text/plain; charset=utf-8", "application/json"}


@table
def test_headers_that_the_view_sets_on_its_request_count(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class Heading(page(base)):
            def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Any:
                made = super().initialize_request(request, *args, **kwargs)
                made.headers = {"accept": "text/plain"}
                return made

        return Heading

    answer = parity(make, headers={"accept": "application/json"})
    assert answer.header["Content-Type"].startswith("text/plain")


FORMATS = ["json", "txt", "api", "vnd", "latin", "xml", "", "json&format=txt"]


@pytest.mark.parametrize(("accept", "query"), some(product(["*/*", "text/plain", "application/xml"], FORMATS)))
@table
def test_the_format_query_chooses_the_renderer(parity: Parity, query: str, accept: str) -> None:
    answer = parity(page, "GET", f"/?format={query}", headers={"accept": accept})
    assert answer.status in ({404} if query == "xml" else {200, 406})


@pytest.mark.parametrize("url", ["/page", "/page.json", "/page.txt", "/page.xml", "/page.json?format=txt", "/page.api"])
def test_a_format_suffix_chooses_the_renderer(parity: Parity, url: str) -> None:
    answer = parity(page, "GET", url, urls=lambda view: format_suffix_patterns([path("page", view)]))
    assert answer.status == (404 if ".xml" in url else 200)


def test_a_refused_method_is_refused_in_the_format_asked_for(parity: Parity) -> None:
    assert parity(page, "DELETE", "/?format=txt").header["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("renderers", "made", "vary"),
    some(
        product([ALL, [JSONRenderer]], [Response, HttpResponse], ["Cookie", "accept", "*", "Accept, Cookie"]),
        together=2,
    ),
)
@table
def test_vary_of_the_handler_is_extended(parity: Parity, vary: str, made: Any, renderers: Any) -> None:
    def make(base: Any) -> Any:
        class V(base):
            renderer_classes = renderers

            def get(self, request: Any) -> Any:
                return made("body", headers={"Vary": vary})

        return V

    assert vary.split(",")[0] in parity(make).header["Vary"]


def test_vary_set_in_self_headers_is_kept(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(page(base)):
            def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
                super().initial(request, *args, **kwargs)
                self.headers["Vary"] = "Accept, X-Tenant"
                self.headers["Allow"] = "mine"

        return V

    assert parity(make).header["Vary"] == "Accept, X-Tenant"


class First(BaseContentNegotiation):
    def select_parser(self, request: Any, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class Short(DefaultContentNegotiation):
    max_accept_header_length = 10


class Other(DefaultContentNegotiation):
    def get_accept_list(self, request: Any) -> list[str]:
        return [request.headers.get("x-accept", "text/plain")]


class Named(DefaultContentNegotiation):
    """One that is not known to be DRF's own."""

    def filter_renderers(self, renderers: Any, format: Any) -> Any:
        return super().filter_renderers(renderers, format)


class Stateful(DefaultContentNegotiation):
    def __init__(self) -> None:
        self.get_accept_list = lambda request: [request.headers.get("x-accept", "text/plain")]


class Failing(BaseContentNegotiation):
    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        raise ValueError("no idea")


@pytest.mark.parametrize("negotiation", [First, Short, Other, Stateful, Failing, BaseContentNegotiation])
@pytest.mark.parametrize("accept", ["text/plain", "application/xml"])
def test_a_negotiation_class_of_ones_own(parity: Parity, negotiation: Any, accept: str) -> None:
    parity(page, headers={"accept": accept}, initkwargs={"content_negotiation_class": negotiation})


def test_a_handler_reads_all_headers_after_negotiation_and_sees_those_set_before_it(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class View(base):
            def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
                if "x-early" in request.META.get("HTTP_X_ORDER", ""):
                    assert request.headers["X-Order"]
                request._request.META["HTTP_ACCEPT"] = "application/json"
                super().initial(request, *args, **kwargs)

            def get(self, request: Any) -> Response:
                return Response(sorted(request.headers.items()))

        return View

    for order in ("x-early", "late"):
        answer = parity(make, headers={"accept": "text/plain, */*;q=0.1", "x-order": order})
        assert answer.status in {200, 406}


def test_the_renderer_of_an_error_before_negotiation_is_the_first(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(page(base)):
            renderer_classes = [Text, JSONRenderer]

            def get_format_suffix(self, **kwargs: Any) -> Any:
                self.format_kwarg = None
                raise versioning.exceptions.NotFound("early")

        return V

    answer = parity(make, headers={"accept": "application/xml"})
    assert (answer.status, answer.header["Content-Type"]) == (404, "text/plain; charset=utf-8")


class Header(str):
    """An Accept header that notes each time it is parsed."""

    parsed: list[str] = []

    def split(self, *args: Any) -> list[str]:
        self.parsed.append(self)
        return super().split(*args)


@sync_and_async_middleware
def counting(get_response: Any) -> Any:
    def counted(request: Any) -> Any:
        request.META["HTTP_ACCEPT"] = Header(request.META["HTTP_ACCEPT"])
        return request

    async def on_loop(request: Any) -> Any:
        return await get_response(counted(request))

    def in_thread(request: Any) -> Any:
        return get_response(counted(request))

    return on_loop if iscoroutinefunction(get_response) else in_thread


class Refuse(BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return False


@pytest.mark.parametrize("colour", COLOURS, indirect=True)  # each with a header that it has not seen
@pytest.mark.parametrize(
    ("asked", "kwargs", "status"),
    [
        (Ask(headers={"accept": "text/once"}), {}, 406),
        (Ask(headers={"accept": "text/once, text/twice; q=0.5"}), {"content_negotiation_class": Named}, 406),
        (Ask(headers={"accept": "text/once, " + "x" * 300}), {}, 406),
        (Ask("PUT", headers={"accept": "text/*, text/once"}), {}, 405),
        (Ask(headers={"accept": "*/*, text/once"}), {"permission_classes": [Refuse]}, 403),
        (Ask(url="/?format=vnd", headers={"accept": "text/once;vnd"}), {}, 406),
        (Ask(headers={"accept": "text/plain, text/once"}), {}, 200),
    ],
)
def test_accept_is_parsed_once_for_a_request(
    parity: Parity, monkeypatch: pytest.MonkeyPatch, asked: Ask, kwargs: dict[str, Any], status: int
) -> None:
    parsed: list[list[str]] = []

    def before() -> None:
        parsed.append([])
        monkeypatch.setattr(Header, "parsed", parsed[-1])

    never_sent_before = f"{parity.colour}-{parity.transport}".replace(" ", "-")
    answer = parity(
        page,
        asked.method,
        asked.url,
        headers={"accept": asked.headers["accept"].replace("once", never_sent_before)},
        initkwargs=kwargs,
        before=before,
        MIDDLEWARE=[f"{__name__}.counting"],
    )
    assert answer.status == status
    theirs, ours = parsed
    assert len(theirs) == 1
    assert len(ours) <= 1  # ours remembers what was chosen by such a header before


# Versioning


def versions(scheme: Any) -> Any:
    def make(base: Any) -> Any:
        class Versioned(base):
            versioning_class = scheme

            def get(self, request: Any, **kwargs: Any) -> Response:
                url = reverse("page", request=request, kwargs=kwargs) if "name" in request.query_params else None
                return Response([request.version, type(request.versioning_scheme).__name__, kwargs, url])

            post = get

        return Versioned

    return make


class Accepted(versioning.AcceptHeaderVersioning):
    allowed_versions = ["1.0", "2.0"]
    default_version = "1.0"


class InQuery(versioning.QueryParameterVersioning):
    allowed_versions = ["1.0"]


class InPath(versioning.URLPathVersioning):
    allowed_versions = ["v1", "v2"]


class InHost(versioning.HostNameVersioning):
    allowed_versions = ["v1"]


class InNamespace(versioning.NamespaceVersioning):
    allowed_versions = ["v1"]


class Computed(versioning.QueryParameterVersioning):
    @property
    def allowed_versions(self) -> list[str]:
        return ["9"]

    def is_allowed_version(self, version: Any) -> bool:
        return version in self.allowed_versions


def namespaced(view: Any) -> list[Any]:
    pages = [path("page", view, name="page")]
    return [path(f"{name}/", include((pages, "app"), namespace=name)) for name in ("v1", "v3")] + pages


def in_path(view: Any) -> list[Any]:
    return [re_path(r"^(?P<version>v\d)/page$", view, name="page"), path("page", view, name="page")]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    ("scheme", "url", "headers", "urls"),
    [
        (Accepted, "/page", {"accept": "application/json; version=2.0"}, in_path),
        (Accepted, "/page", {"accept": "application/json; version=3.0"}, in_path),
        (Accepted, "/page", {"accept": "application/json; version=caf\u00e9"}, in_path),
        (Accepted, "/page", {}, in_path),
        (InQuery, "/page?version=1.0&name", {}, in_path),
        (InQuery, "/page?version=2.0", {}, in_path),
        (InQuery, "/page", {}, in_path),
        (InPath, "/v1/page?name", {}, in_path),
        (InPath, "/v3/page", {}, in_path),
        (InPath, "/page", {}, in_path),
        (InHost, "/page?name", {"host": "v1.example.org"}, in_path),
        (InHost, "/page", {"host": "v2.example.org"}, in_path),
        (InHost, "/page", {"host": "example.org"}, in_path),
        (InHost, "/page", {"host": "not allowed!"}, in_path),
        (InNamespace, "/v1/page?name", {}, namespaced),
        (InNamespace, "/v3/page", {}, namespaced),
        (InNamespace, "/page", {}, namespaced),
        (Computed, "/page?version=9", {}, in_path),
        (Computed, "/page?version=8", {}, in_path),
        (versioning.BaseVersioning, "/page", {}, in_path),
        (None, "/page?version=1", {}, in_path),
    ],
)
@table
def test_the_version_is_determined(parity: Parity, scheme: Any, url: str, headers: Any, urls: Any, method: str) -> None:
    answer = parity(
        versions(scheme), method, url, headers=headers, urls=urls, ALLOWED_HOSTS=["testserver", ".example.org"]
    )
    assert answer.status in {200, 400, 404, 405, 406, 500}


def test_two_requests_do_not_share_a_version(parity: Parity) -> None:
    assert b"1.0" not in parity(versions(InQuery), "GET", "/?version=1.0", Ask("GET", "/?version=")).body
