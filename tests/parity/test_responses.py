"""What a handler returns, and how it is rendered."""

from __future__ import annotations

import asyncio
import datetime
import io
import uuid
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.http import FileResponse, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone, translation
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework import pagination, permissions, serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.renderers import (
    AdminRenderer,
    BaseRenderer,
    BrowsableAPIRenderer,
    JSONRenderer,
    StaticHTMLRenderer,
    TemplateHTMLRenderer,
)
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from tests.matrix import examples, some
from tests.parity.harness import Parity, limit, table
from tests.shop.models import Author, Book

hypothesis_settings = settings(
    max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.locmem.Loader",
                    {
                        "page.html": "<p>{{ name }} {{ status_code }} {{ request.method }} {{ view }}</p>",
                        "404.html": "<p>own 404 {{ detail }} {{ status_code }}</p>",
                        "broken.html": "{% include missing %}",
                    },
                ),
                "django.template.loaders.app_directories.Loader",
            ]
        },
    }
]


def returning(made: Any, **attributes: Any) -> Any:
    """Make a view that returns what ``made`` makes of the request."""

    def make(base: Any) -> Any:
        class Returning(base):
            """Some *description*."""

            def get(self, request: Any) -> Any:
                return made(request)

            post = put = delete = get

        for name, value in attributes.items():
            setattr(Returning, name, value)
        return Returning

    return make


def _numbers() -> Any:
    yield 1
    yield 2


class Sized:
    def __init__(self, size: int) -> None:
        self.size = size

    def tolist(self) -> list[int]:
        return list(range(self.size))


class Mapped:
    def keys(self) -> list[str]:
        return ["a"]

    def __getitem__(self, key: str) -> str:
        if key != "a":
            raise KeyError(key)
        return "mapped"


NOW = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=datetime.UTC)
DATA: dict[str, Any] = {
    "none": lambda: None,
    "empty dict": dict,
    "empty string": str,
    "zero": int,
    "false": lambda: False,
    "text": lambda: "na\u00efve \u2028",
    "bytes": lambda: b"raw",
    "bytes not utf-8": lambda: b"\xff",
    "lazy": lambda: gettext_lazy("Not found."),
    "lazy key": lambda: {gettext_lazy("Not found."): 1},
    "decimal": lambda: [Decimal("1.10"), Decimal("NaN")],
    "dates": lambda: [NOW, NOW.replace(tzinfo=None), NOW.date(), NOW.time(), datetime.timedelta(days=1, seconds=2)],
    "aware time": lambda: NOW.timetz(),
    "uuid": lambda: {"id": uuid.UUID(int=5)},
    "uuid key": lambda: {uuid.UUID(int=5): 1},
    "generator": _numbers,
    "nested generator": lambda: {"a": [_numbers(), {"b": _numbers()}]},
    "map": lambda: map(str, [1, 2]),
    "set": lambda: {"a"},
    "tuple": lambda: (1, (2, 3)),
    "object": object,
    "exception": lambda: ValueError("x"),
    "tolist": lambda: Sized(3),
    "mapping": Mapped,
    "nan": lambda: float("nan"),
    "surrogate": lambda: "\ud800",
    "circular": lambda: (lambda a: a.append(a) or a)([]),
    "int keys": lambda: {1: 2, None: 3},
    "class": lambda: int,
}


@pytest.mark.parametrize("name", DATA)
@table
def test_data_of_any_kind_is_rendered(parity: Parity, name: str) -> None:
    assert parity(returning(lambda request: Response(DATA[name]()))).status in {200, 500}


@pytest.mark.parametrize("name", ["none", "lazy", "dates", "nested generator", "nan", "object", "bytes not utf-8"])
@table
def test_data_of_any_kind_is_shown(parity: Parity, name: str) -> None:
    assert parity(returning(lambda request: Response(DATA[name]())), headers={"accept": "text/html"}).status in {
        200,
        500,
    }


_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.text(),
    st.decimals(),
    st.datetimes(timezones=st.none() | st.just(datetime.UTC)),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.floats(),
    st.binary(max_size=3),
    st.just(gettext_lazy("Not found.")),
)
_values = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.uuids(), inner, max_size=3),
    max_leaves=8,
)


@hypothesis_settings
@given(value=_values, coerced=st.booleans())
@table
def test_any_data_are_rendered_as_drf_renders_them(parity: Parity, value: Any, coerced: bool) -> None:
    answer = parity(returning(lambda request: Response(iter([value]) if coerced else value)))
    assert answer.status in {200, 500}


class Coercing(JSONRenderer):
    class encoder_class(JSONEncoder):
        def default(self, obj: Any) -> Any:
            return repr(type(obj)) if isinstance(obj, (object, type)) else super().default(obj)


class Ascii(JSONRenderer):
    ensure_ascii = True
    compact = False
    charset = "utf-8"
    strict = False


class Failing(JSONRenderer):
    def render(self, *args: Any, **kwargs: Any) -> Any:
        raise NotFound("while rendering")


class Unicode(BaseRenderer):
    media_type, format, charset = "text/x", "x", None

    def render(self, *args: Any, **kwargs: Any) -> str:
        return "text without a charset"


class Context(BaseRenderer):
    media_type, format = "text/c", "c"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> str:
        response = renderer_context["response"]
        response["X-Rendering"] = str(sorted(renderer_context))
        response.status_code = 203
        return f"{data} {response.exception} {renderer_context['view'].response is response}"


@pytest.mark.parametrize(
    ("name", "renderer"),
    some(product(["text", "uuid", "nan", "none", "set"], [Coercing, Ascii, Failing, Unicode, Context, BaseRenderer])),
)
@table
def test_a_renderer_of_ones_own_renders(parity: Parity, renderer: Any, name: str) -> None:
    parity(returning(lambda request: Response(DATA[name]()), renderer_classes=[renderer]))


def test_an_exception_while_rendering_is_djangos_to_answer(parity: Parity) -> None:
    middleware = ["tests.parity.test_exceptions.Noted"]
    make = returning(lambda request: Response([object()]))
    assert b"not JSON serializable" in parity(make, MIDDLEWARE=middleware).body


RESPONSES: dict[str, Any] = {
    "204": lambda request: Response(status=204),
    "204 data": lambda request: Response({"a": 1}, status=204),
    "201 headers": lambda request: Response({}, status=201, headers={"Location": "/1", "Allow": "X", "X-A": "b"}),
    "content type": lambda request: Response({"a": 1}, content_type="application/problem+json"),
    "content type empty": lambda request: Response({"a": 1}, content_type=""),
    "exception": lambda request: Response({"a": 1}, status=500, exception=True),
    "template name": lambda request: Response({"name": "a"}, template_name="page.html"),
    "string": lambda request: Response("<b>static</b>"),
    "list": lambda request: Response(["a"], template_name="page.html"),
    "http": lambda request: HttpResponse("text", status=202, headers={"Allow": "X"}),
    "json": lambda request: JsonResponse({"a": NOW}),
    "redirect": lambda request: HttpResponseRedirect("/elsewhere"),
    "template": lambda request: TemplateResponse(request._request, "page.html", {"name": "t"}),
    "none": lambda request: None,
    "dict": lambda request: {"a": 1},
    "str": lambda request: "text",
    "class": lambda request: Response,
    "generator": lambda request: _numbers(),
    "rendered": lambda request: _rendered(request),
    "cookie": lambda request: _with_cookie(Response("c")),
}


def _rendered(request: Any) -> Any:
    response = Response("early")
    response.accepted_renderer, response.accepted_media_type = JSONRenderer(), "application/json"
    response.renderer_context = {}
    return response.render()


def _with_cookie(response: Any) -> Any:
    response.set_cookie("a", "b", httponly=True)
    return response


@pytest.mark.parametrize("name", RESPONSES)
@table
def test_a_response_of_any_kind_is_sent(parity: Parity, name: str) -> None:
    for renderer in (JSONRenderer, TemplateHTMLRenderer, StaticHTMLRenderer, BrowsableAPIRenderer):
        renderers = [renderer, JSONRenderer] if renderer is BrowsableAPIRenderer else [renderer]
        parity(returning(RESPONSES[name], renderer_classes=renderers), TEMPLATES=TEMPLATES)


@pytest.mark.parametrize("name", ["204", "http", "none", "content type", "cookie"])
@pytest.mark.parametrize("method", ["POST", "HEAD"])
def test_a_response_to_any_method_is_sent(parity: Parity, name: str, method: str) -> None:
    assert parity(returning(RESPONSES[name]), method).status == (
        500 if name == "none" else RESPONSES[name](None).status_code
    )


@pytest.mark.parametrize("renderer", [TemplateHTMLRenderer, StaticHTMLRenderer])
@pytest.mark.parametrize(
    "error", [NotFound, ValidationError(["a"]), ValidationError({"a": "b"}), permissions.exceptions.Throttled]
)
@table
def test_an_error_has_a_template(parity: Parity, renderer: Any, error: Any) -> None:
    def fail(request: Any) -> Any:
        raise error

    answer = parity(returning(fail, renderer_classes=[renderer]), TEMPLATES=TEMPLATES)
    assert answer.status in {404, 400, 429, 500}


@pytest.mark.parametrize(
    "attributes", [{"template_name": "page.html"}, {"template_name": "broken.html"}, {}, {"template_name": "no.html"}]
)
def test_the_template_of_the_view_is_rendered(parity: Parity, attributes: Any) -> None:
    make = returning(lambda request: Response({"name": "n"}), renderer_classes=[TemplateHTMLRenderer], **attributes)
    assert parity(make, TEMPLATES=TEMPLATES).status == (
        200 if attributes.get("template_name") in {"page.html"} else 500
    )


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
@pytest.mark.parametrize(
    "made",
    [
        lambda request: StreamingHttpResponse(iter([b"a", b"b"]), headers={"X-A": "b"}),
        lambda request: FileResponse(io.BytesIO(b"file"), filename="a.txt", as_attachment=True),
    ],
    ids=["streaming", "file"],
)
def test_a_stream_is_sent(parity: Parity, made: Any) -> None:
    assert parity(returning(made)).body in {b"ab", b"file"}


@table
def test_an_async_stream_is_sent(parity: Parity) -> None:
    async def chunks() -> Any:
        yield b"a"
        await asyncio.sleep(0)
        yield b"b"

    assert parity(returning(lambda request: StreamingHttpResponse(chunks()))).body == b"ab"


@pytest.mark.parametrize("replaced", [True, False])
def test_post_render_callbacks_run_once(parity: Parity, replaced: bool) -> None:
    def made(request: Any) -> Any:
        def callback(response: Any) -> Any:
            response["X-Rendered"] = response.content.decode() + response.get("X-Rendered", "")
            return HttpResponse("replaced") if replaced else None

        response = Response([1])
        response.add_post_render_callback(callback)
        return response

    answer = parity(returning(made))
    assert answer.body == (b"replaced" if replaced else b"[1]")


def test_a_response_rendered_by_finalize_response_is_sent(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(returning(lambda request: Response([1]))(base)):
            def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
                response = super().finalize_response(request, response, *args, **kwargs)
                response["X-Length"] = str(len(response.render().content))
                return response

        return V

    assert parity(make).header["X-Length"] == "3"


def test_a_language_and_time_zone_the_handler_activates_hold_while_rendering(parity: Parity) -> None:
    def made(request: Any) -> Any:
        translation.activate("fr")
        timezone.activate(datetime.timezone(datetime.timedelta(hours=5)))
        return Response([gettext_lazy("Not found."), serializers.DateTimeField().to_representation(NOW), NOW])

    try:
        assert "Non trouv" in parity(returning(made)).json()[0]
    finally:
        timezone.deactivate()


# The database


@pytest.fixture
def books(transactional_db: None) -> list[Book]:
    author = Author.objects.create(name="Ann")
    return [Book.objects.create(title=f"T{n}", author=author) for n in range(5)]


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
@table
def test_query_sets_in_the_data_are_evaluated(parity: Parity, books: Any, accept: str) -> None:
    made = {
        "values": lambda: Book.objects.values("title", "year"),
        "list": lambda: Book.objects.values_list("title", flat=True),
        "nested": lambda: {"a": [Book.objects.values_list("title")], "b": _numbers()},
        "iterator": lambda: Book.objects.values("title").iterator(),
        "lazy": lambda: [lazy_count()],
        "model": lambda: Book(title="x"),
    }
    for make in made.values():
        answer = parity(returning(lambda request, make=make: Response(make())), headers={"accept": accept})
        assert answer.status == (500 if make is made["model"] else 200)


def lazy_count() -> Any:
    return lazy(lambda: str(Book.objects.count()), str)()


class BookSerializer(serializers.ModelSerializer):
    note = serializers.CharField(
        max_length=5, default="n", help_text="A <b>note</b>", style={"base_template": "textarea.html"}
    )
    hidden = serializers.HiddenField(default=1)

    class Meta:
        model = Book
        fields = ["id", "title", "year", "author", "tags", "note", "hidden"]


class Pages(pagination.PageNumberPagination):
    page_size = 2


class Limited(pagination.LimitOffsetPagination):
    default_limit = 2


class Cursor(pagination.CursorPagination):
    page_size = 2
    ordering = "title"


def listing(base: Any) -> Any:
    """A list view in DRF's own words, whose work runs in a thread where the handler is async."""

    class BookList(base):
        """Books, *listed*."""

        serializer_class = BookSerializer
        paginated_by: Any = Pages
        lookup = False

        def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
            kwargs.setdefault("context", {"request": self.request, "view": self})
            return self.serializer_class(*args, **kwargs)

        def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
            super().initial(request, *args, **kwargs)
            self.paginator = self.paginated_by() if self.paginated_by else None

        def listed(self, request: Any) -> Any:
            if self.lookup:
                return Response(self.get_serializer(Book.objects.earliest("pk")).data)
            books = Book.objects.all()
            if self.paginator is None:
                return Response(self.get_serializer(books, many=True).data)
            page = self.paginator.paginate_queryset(books, request, view=self)
            return self.paginator.get_paginated_response(self.get_serializer(page, many=True).data)

        def saved(self, request: Any) -> Any:
            serializer = self.get_serializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            return Response(serializer.data, status=201, headers={"Location": "/1"})

        if base.__name__ == "AsyncHandlers":

            def get(self, request: Any) -> Any:
                return sync_to_async(self.listed)(request)

            def post(self, request: Any) -> Any:
                return sync_to_async(self.saved)(request)
        else:

            def get(self, request: Any) -> Any:
                return self.listed(request)

            def post(self, request: Any) -> Any:
                return self.saved(request)

        put = patch = post

        def delete(self, request: Any) -> Any:
            return Response(status=204)

    return BookList


class ReadOnly(permissions.BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return request.method in permissions.SAFE_METHODS


class NotTheObject(permissions.BasePermission):
    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return request.method != "PUT"


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"paginated_by": None},
        {"paginated_by": Limited},
        {"paginated_by": Cursor},
        {"lookup": True, "paginated_by": None},
        {"permission_classes": [ReadOnly]},
        {"permission_classes": [permissions.IsAuthenticatedOrReadOnly]},
        {"permission_classes": [permissions.IsAdminUser]},
        {"permission_classes": [NotTheObject], "lookup": True, "paginated_by": None},
        {"permission_classes": [~ReadOnly | permissions.AllowAny]},
    ],
    ids=lambda attributes: str(attributes).partition(" object at")[0],
)
@table
def test_the_browsable_api_shows_pages_and_forms(parity: Parity, books: Any, attributes: Any) -> None:
    html = {"accept": "text/html"}
    for method, url in (("GET", "/?page=2"), ("GET", "/?page=9"), ("OPTIONS", "/"), ("DELETE", "/")):
        answer = parity(listing, method, url, headers=html, initkwargs=attributes)
        assert b"<!DOCTYPE html>" in answer.body
    form = {**html, "content-type": "application/x-www-form-urlencoded"}
    for body in (b"title=x&author=1", b"title=&note=toolong"):
        parity(listing, "POST", body=body, headers=form, initkwargs=attributes)
    parity(listing, "PUT", body=b"{", headers={**html, "content-type": "application/json"}, initkwargs=attributes)


def test_lists_and_validation_errors_as_json(parity: Parity, books: Any) -> None:
    for url in ("/", "/?page=2", "/?page=9"):
        assert parity(listing, "GET", url).status == (404 if "9" in url else 200)
    assert parity(listing, "POST", data={"title": "x", "author": 99}).json()["author"]
    assert parity(listing, "POST", data=["not a dict"]).status == 400


@pytest.mark.parametrize(
    "make", [returning(lambda request: Response({"a": 1})), returning(lambda request: Response([1]))]
)
@table
def test_the_browsable_api_of_a_view_without_serializer(parity: Parity, make: Any) -> None:
    for method in ("GET", "PUT", "OPTIONS", "PATCH"):
        assert b"<!DOCTYPE html>" in parity(make, method, headers={"accept": "text/html"}).body


@limit(
    "with serializer_class alone the browsable API fills its raw data forms, which DRF's APIView leaves empty",
)
def test_the_browsable_api_of_a_view_with_serializer_class_alone(parity: Parity) -> None:
    class Named(serializers.Serializer[Any]):
        name = serializers.CharField()

    make = returning(lambda request: Response({"a": 1}), serializer_class=Named)
    assert b"name" in parity(make, headers={"accept": "text/html"}).body


def admin(base: Any) -> Any:
    return type(
        "AdminList", (listing(base),), {"renderer_classes": [AdminRenderer, JSONRenderer], "paginated_by": None}
    )


@table
def test_the_admin_renderer_shows_the_list_beside_a_form_error(parity: Parity, books: Any) -> None:
    form = {"accept": "text/html", "content-type": "application/x-www-form-urlencoded"}
    assert parity(admin, "POST", body=b"title=", headers=form).status == 400


@table
def test_the_admin_renderer_lists(parity: Parity, books: Any) -> None:
    html = {"accept": "text/html"}
    assert parity(admin, headers=html).status == 200
    form = {**html, "content-type": "application/x-www-form-urlencoded"}
    assert parity(admin, "POST", body=f"title=x&author={books[0].author_id}".encode(), headers=form).status == 303


@table
def test_the_admin_renderer_needs_no_get(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class View(base):
            renderer_classes = [AdminRenderer]

            def post(self, request: Any) -> Response:
                return Response({"a": 1})

        return View

    assert parity(make, "POST", headers={"accept": "text/html"}).status == 200


def test_a_response_class_that_keeps_its_renderer_context_in_a_property(parity: Parity) -> None:
    class Keeping(Response):
        @property
        def renderer_context(self) -> Any:
            return self.kept

        @renderer_context.setter
        def renderer_context(self, context: Any) -> None:
            self.kept = {**context, "indent": 2}

    def make(base: Any) -> Any:
        class V(base):
            renderer_classes = [JSONRenderer]

            def get(self, request: Any) -> Response:
                return Keeping({"a": 1})

        return V

    assert b"\n  " in parity(make).body
