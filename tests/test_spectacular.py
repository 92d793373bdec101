"""The OpenAPI schema of restflow's views: what each action takes and answers, and nothing to warn of."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings
from django.urls import path
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import OpenApiCallback, extend_schema
from drf_spectacular.validation import validate_schema
from rest_framework import authentication, permissions, serializers, throttling
from rest_framework.filters import SearchFilter
from rest_framework.pagination import BasePagination, CursorPagination, LimitOffsetPagination, PageNumberPagination
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

import restflow.authentication
import restflow.permissions
import restflow.throttling
from restflow.pagination import FastPageNumberPagination
from restflow.spectacular import RestflowAutoSchema
from restflow.views import OFF, ActionConfig, action
from tests.colours import ASYNC, BASES, DRF, SYNC
from tests.shop.models import Author, Book


@pytest.fixture(params=[SYNC, ASYNC])
def base(request: pytest.FixtureRequest) -> Any:
    return BASES[request.param]


class AuthorSerializer(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["id", "name"]


class AuthorInputSerializer(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["name"]


class AuthorPageSerializer(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["id", "name", "books"]


class Pages(PageNumberPagination):
    page_size = 2


class FastPages(FastPageNumberPagination):
    page_size = 2


class CSVRenderer(JSONRenderer):
    media_type = "text/csv"
    format = "csv"


class Strict(permissions.BasePermission):
    pass


class Rate(throttling.AnonRateThrottle):
    rate = "1/s"


@contextlib.contextmanager
def in_force(schema_class: str = "restflow.spectacular.RestflowAutoSchema", **given: Any) -> Iterator[None]:
    given = {"DEFAULT_SCHEMA_CLASS": schema_class, **given}
    with override_settings(REST_FRAMEWORK=given):
        yield


@pytest.fixture(autouse=True)
def _in_force() -> Iterator[None]:
    with in_force():  # @extend_schema takes the class from the settings
        yield


def generate(urlpatterns: Any) -> tuple[dict[str, Any], list[str]]:
    """The schema, which is valid, and the warnings and errors that making it gave."""
    GENERATOR_STATS.reset()
    with contextlib.redirect_stderr(io.StringIO()):
        schema = SchemaGenerator(patterns=list(urlpatterns)).get_schema(request=None, public=True)
    validate_schema(schema)
    return schema, [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]


def made(urlpatterns: Any) -> dict[str, Any]:
    schema, warnings = generate(urlpatterns)
    assert warnings == []
    return schema


def urls(viewset: Any) -> Any:
    router = SimpleRouter()
    router.register("authors", viewset, basename="author")
    return router.urls


def operation(view: Any, method: str = "get", route: str = "x/") -> Any:
    return made([path(route, view.as_view())])["paths"][f"/{route}".replace("<int:pk>", "{id}")][method]


def shown(content: Any) -> str:
    """The name of the schema of a body, whichever its media type."""
    (name,) = {each["schema"]["$ref"].rpartition("/")[2] for each in content["content"].values()}
    return str(name)


def viewset_of(base: Any, **attributes: Any) -> Any:
    given = {
        "queryset": Author.objects.all(),
        "serializer_class": AuthorSerializer,
        "authentication_classes": [],
        "permission_classes": [],
        "parser_classes": [JSONParser],
        "renderer_classes": [JSONRenderer],
    }
    return type("Authors", (base.ModelViewSet,), {"__doc__": "Authors.", **given, **attributes})


def praise(base: Any) -> Any:
    async def asynchronous(self: Any, request: Any, pk: Any = None) -> Response:
        return Response()

    def synchronous(self: Any, request: Any, pk: Any = None) -> Response:
        return Response()

    synchronous.__name__ = asynchronous.__name__ = "praise"
    extra: Any = action(detail=True, methods=["post"])
    return extra(asynchronous if base is BASES[ASYNC] else synchronous)


# ActionConfig.


def of_the_authors(view: Any) -> Any:
    return Author.objects.filter(pk__gt=0)


async def of_the_authors_async(view: Any) -> Any:
    return Author.objects.filter(pk__gt=0)


CONFIGS = {
    "list": ActionConfig(
        response_serializer_class=AuthorPageSerializer,
        filter_backends=[SearchFilter],
        pagination_class=FastPages,
        authentication_classes=[],
        permission_classes=[permissions.AllowAny],
        throttle_classes=[Rate],
        queryset=of_the_authors,
    ),
    "retrieve": ActionConfig(renderer_classes=[CSVRenderer], queryset=Author.objects.order_by("pk")),
    "create": ActionConfig(
        request_serializer_class=AuthorInputSerializer,
        parser_classes=[MultiPartParser],
        authentication_classes=[authentication.TokenAuthentication],
        permission_classes=[permissions.IsAuthenticated],
    ),
    "update": ActionConfig(serializer_class=AuthorPageSerializer, queryset=of_the_authors_async),
    "partial_update": ActionConfig(
        serializer_class=AuthorInputSerializer, response_serializer_class=AuthorSerializer, queryset=Author.objects
    ),
    "destroy": ActionConfig(permission_classes=[Strict], pagination_class=OFF),
    "praise": ActionConfig(request_serializer_class=AuthorInputSerializer),
}


def test_every_field_of_every_config_is_in_the_schema(base: Any) -> None:
    viewset = viewset_of(base, praise=praise(base), search_fields=["name"], action_configs=CONFIGS)
    schema = made(urls(viewset))
    many, one, extra = (schema["paths"][f"/authors/{rest}"] for rest in ("", "{id}/", "{id}/praise/"))

    assert shown(many["get"]["responses"]["200"]) == "UncountedPaginatedAuthorPageList"
    page = schema["components"]["schemas"]["UncountedPaginatedAuthorPageList"]
    assert set(page["properties"]) == {"next", "previous", "results"}
    assert page["properties"]["results"]["items"] == {"$ref": "#/components/schemas/AuthorPage"}
    assert {parameter["name"] for parameter in many["get"]["parameters"]} == {"search", "page"}
    assert set(many["get"]["responses"]) == {"200", "404", "429"}

    assert set(one["get"]["responses"]["200"]["content"]) == {"text/csv"}
    assert set(one["get"]["responses"]) == {"200", "404"}

    assert set(many["post"]["requestBody"]["content"]) == {"multipart/form-data"}
    assert shown(many["post"]["requestBody"]) == "AuthorInput"
    assert shown(many["post"]["responses"]["201"]) == "Author"
    assert many["post"]["security"] == [{"tokenAuth": []}]
    assert set(many["post"]["responses"]) == {"201", "400", "401"}

    assert shown(one["put"]["requestBody"]) == shown(one["put"]["responses"]["200"]) == "AuthorPage"
    assert shown(one["patch"]["requestBody"]) == "PatchedAuthorInput"
    assert shown(one["patch"]["responses"]["200"]) == "Author"
    assert set(one["delete"]["responses"]) == {"204", "403", "404"}
    assert shown(extra["post"]["requestBody"]) == "AuthorInput"
    assert shown(extra["post"]["responses"]["200"]) == "Author"


def test_drf_spectaculars_own_class_reads_the_configs_too(base: Any) -> None:
    viewset = viewset_of(base, praise=praise(base), search_fields=["name"], action_configs=CONFIGS)
    with in_force("drf_spectacular.openapi.AutoSchema"):
        schema = made(urls(viewset))
    many, one = (schema["paths"][f"/authors/{rest}"] for rest in ("", "{id}/"))
    assert many["post"]["security"] == [{"tokenAuth": []}]
    assert set(many["post"]["requestBody"]["content"]) == {"multipart/form-data"}
    assert shown(one["put"]["responses"]["200"]) == "AuthorPage"
    assert set(many["get"]["responses"]) == {"200"}


@pytest.mark.parametrize(
    "schema_class", ["restflow.spectacular.RestflowAutoSchema", "drf_spectacular.openapi.AutoSchema"]
)
def test_a_viewset_whose_paging_is_off_lists_without_pages(base: Any, schema_class: str) -> None:
    with in_force(schema_class):
        many = made(urls(viewset_of(base, pagination_class=OFF)))["paths"]["/authors/"]["get"]
    schema = many["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"type": "array", "items": {"$ref": "#/components/schemas/Author"}}


def test_pages_of_two_kinds_have_a_schema_each(base: Any) -> None:
    config = {"list": ActionConfig(pagination_class=FastPages)}
    views = [viewset_of(base, pagination_class=Pages), viewset_of(base, action_configs=config)]
    router = SimpleRouter()
    for number, viewset in enumerate(views):
        router.register(f"shelf{number}", viewset, basename=f"shelf{number}")
    components = made(router.urls)["components"]["schemas"]
    assert "count" in components["PaginatedAuthorList"]["properties"]
    assert "count" not in components["UncountedPaginatedAuthorList"]["properties"]


# Serializers by direction.


def test_getters_in_either_colour_say_which_serializer_a_direction_has(base: Any) -> None:
    class Sync(viewset_of(base)):  # type: ignore[misc]
        def get_request_serializer_class(self) -> Any:
            return AuthorInputSerializer if self.action == "create" else super().get_request_serializer_class()

        def get_response_serializer_class(self) -> Any:
            return AuthorPageSerializer

    class Async(viewset_of(base)):  # type: ignore[misc]
        async def get_request_serializer_class(self) -> Any:
            return AuthorInputSerializer

        async def get_response_serializer_class(self) -> Any:
            return AuthorPageSerializer

    for viewset in (Sync, Async):
        post = made(urls(viewset))["paths"]["/authors/"]["post"]
        assert shown(post["requestBody"]) == "AuthorInput"
        assert shown(post["responses"]["201"]) == "AuthorPage"


def test_async_getters_of_components_and_of_the_query_set_are_asked() -> None:
    class Authors(viewset_of(BASES[ASYNC])):  # type: ignore[misc]
        queryset = None

        async def get_queryset(self) -> Any:
            return Author.objects.all()

        async def get_permissions(self) -> Any:
            return [Strict(), *await super().aget_permissions()]

        async def get_authenticators(self) -> Any:
            return [authentication.TokenAuthentication()]

        async def get_parsers(self) -> Any:
            return [MultiPartParser()]

        async def get_renderers(self) -> Any:
            return [CSVRenderer()]

        async def get_throttles(self) -> Any:
            return [Rate()]

        async def get_serializer_context(self) -> Any:
            return {"request": self.request, "view": self}

        async def get_pagination_class(self) -> Any:
            return FastPages

    paths = made(urls(Authors))["paths"]
    put, many = paths["/authors/{id}/"]["put"], paths["/authors/"]["get"]
    assert put["parameters"][0]["schema"]["type"] == "integer"
    assert put["security"] == [{"tokenAuth": []}]
    assert set(put["requestBody"]["content"]) == {"multipart/form-data"}
    assert set(put["responses"]["200"]["content"]) == {"text/csv"}
    assert set(put["responses"]) == {"200", "400", "401", "403", "404", "429"}
    assert shown(many["responses"]["200"]) == "UncountedPaginatedAuthorList"


def test_a_get_serializer_in_drfs_form_is_asked(base: Any) -> None:
    class Authors(viewset_of(base)):  # type: ignore[misc]
        def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
            return AuthorPageSerializer(*args, **kwargs)

    post = made(urls(Authors))["paths"]["/authors/"]["post"]
    assert shown(post["requestBody"]) == shown(post["responses"]["201"]) == "AuthorPage"


def test_a_context_that_needs_a_request_is_done_without(base: Any) -> None:
    class Authors(viewset_of(base)):  # type: ignore[misc]
        def get_serializer_context(self) -> Any:
            return {**super().get_serializer_context(), "shop": self.request.headers["X-Shop"]}

    assert shown(made(urls(Authors))["paths"]["/authors/"]["post"]["requestBody"]) == "Author"


def handlers(base: Any) -> dict[str, Any]:
    async def asynchronous(self: Any, request: Any, pk: Any = None) -> Response:
        return Response()

    def synchronous(self: Any, request: Any, pk: Any = None) -> Response:
        return Response()

    return dict.fromkeys(("get", "post"), asynchronous if base is BASES[ASYNC] else synchronous)


def view_of(base: Any, **attributes: Any) -> Any:
    given = {"authentication_classes": [], "permission_classes": [], "renderer_classes": [JSONRenderer]}
    return type("View", (base.APIView,), {**given, **handlers(base), **attributes})


def test_a_plain_view_with_helpers_has_its_serializers(base: Any) -> None:
    view = view_of(base, request_serializer_class=AuthorInputSerializer, serializer_class=AuthorSerializer)
    assert shown(operation(view)["responses"]["200"]) == "Author"
    assert shown(operation(view, "post")["requestBody"]) == "AuthorInput"
    assert shown(operation(view, "post")["responses"]["200"]) == "Author"


def test_a_plain_view_may_have_a_serializer_of_one_direction_alone(base: Any) -> None:
    taking = operation(view_of(base, request_serializer_class=AuthorInputSerializer), "post")
    assert shown(taking["requestBody"]) == "AuthorInput"
    assert taking["responses"]["200"] == {"description": "No response body"}
    giving = operation(view_of(base, response_serializer_class=AuthorSerializer), "post")
    assert "requestBody" not in giving
    assert shown(giving["responses"]["200"]) == "Author"


def test_a_get_of_a_plain_view_with_pages_is_a_list(base: Any) -> None:
    view = view_of(base, serializer_class=AuthorSerializer, pagination_class=Pages)
    assert shown(operation(view)["responses"]["200"]) == "PaginatedAuthorList"
    assert operation(view)["operationId"] == "x_list"
    assert shown(operation(view, "post")["responses"]["200"]) == "Author"
    view.pagination_class = OFF
    assert shown(operation(view)["responses"]["200"]) == "Author"
    assert operation(view)["operationId"] == "x_retrieve"


def test_extend_schema_comes_before_what_a_plain_view_with_pages_says(base: Any) -> None:
    one = extend_schema(responses=AuthorPageSerializer)(handlers(base)["get"])
    view = view_of(base, serializer_class=AuthorSerializer, pagination_class=Pages, get=one)
    assert shown(operation(view)["responses"]["200"]) == "AuthorPage"
    many = extend_schema(responses={200: AuthorPageSerializer(many=True)})(handlers(base)["get"])
    view = view_of(base, serializer_class=AuthorSerializer, pagination_class=Pages, get=many)
    assert shown(operation(view)["responses"]["200"]) == "PaginatedAuthorPageList"


def test_a_view_without_any_serializer_is_reported_as_by_drf_spectacular(base: Any) -> None:
    found = []
    for schema_class in ("restflow.spectacular.RestflowAutoSchema", "drf_spectacular.openapi.AutoSchema"):
        with in_force(schema_class):
            found.append(generate([path("x/", view_of(base).as_view())])[1])
    assert found[0] == found[1] != []


def test_a_serializer_that_can_not_be_made_is_reported_as_by_drf_spectacular(base: Any) -> None:
    def broken(self: Any) -> Any:
        raise RuntimeError("no request")

    found = []
    for schema_class in ("restflow.spectacular.RestflowAutoSchema", "drf_spectacular.openapi.AutoSchema"):
        with in_force(schema_class):
            found.append(generate(urls(viewset_of(base, get_serializer_class=broken)))[1])
    assert "no request" in str(found[0])
    assert found[0] == found[1]


# Errors.


def statuses(base: Any, method: str = "get", route: str = "x/", **attributes: Any) -> set[str]:
    view = view_of(base, serializer_class=AuthorSerializer, **attributes)
    return {status for status in operation(view, method, route)["responses"] if status >= "400"}


TOKEN = [authentication.TokenAuthentication]
SESSION = [authentication.SessionAuthentication]


class Speaking(authentication.TokenAuthentication):
    def authenticate_header(self, request: Any) -> str:
        return f"Token realm={request.META['REALM']}"


@pytest.mark.parametrize(
    ("method", "authenticators", "asked", "expected"),
    [
        ("get", [], [], set()),
        ("get", [], [permissions.AllowAny], set()),
        ("get", [], [restflow.permissions.AllowAny], set()),
        ("get", [], [permissions.IsAuthenticated], {"403"}),
        ("get", [], [Strict], {"403"}),
        ("get", TOKEN, [], {"401"}),
        ("get", TOKEN, [permissions.IsAuthenticated], {"401"}),
        ("get", TOKEN, [restflow.permissions.IsAuthenticated], {"401"}),
        ("get", TOKEN, [permissions.IsAuthenticated, Strict], {"401", "403"}),
        ("get", TOKEN, [permissions.IsAdminUser], {"401", "403"}),
        ("get", TOKEN, [permissions.IsAuthenticated & Strict], {"401", "403"}),
        ("get", SESSION, [permissions.AllowAny], set()),
        ("get", SESSION, [permissions.IsAuthenticatedOrReadOnly], set()),
        ("get", SESSION, [restflow.permissions.IsAuthenticated], {"403"}),
        ("post", SESSION, [permissions.AllowAny], {"400", "403"}),
        ("post", TOKEN, [permissions.IsAuthenticatedOrReadOnly], {"400", "401"}),
        ("get", [Speaking], [], {"401"}),
    ],
)
def test_refusals_are_those_that_drf_would_answer_with(
    base: Any, method: str, authenticators: Any, asked: Any, expected: set[str]
) -> None:
    extension = {"schema": RestflowAutoSchema()} if Speaking not in authenticators else {"schema": _Known()}
    given = {"authentication_classes": authenticators, "permission_classes": asked, **extension}
    assert statuses(base, method, **given) == expected


class _Known(RestflowAutoSchema):
    """Of an authentication that drf-spectacular has no scheme for."""

    def get_auth(self) -> Any:
        return []


def test_a_view_that_anybody_may_ask_says_so(base: Any) -> None:
    def security(*asked: Any) -> Any:
        view = view_of(
            base, serializer_class=AuthorSerializer, authentication_classes=TOKEN, permission_classes=list(asked)
        )
        return operation(view)["security"]

    for anybody in ((), (permissions.AllowAny,), (restflow.permissions.IsAuthenticatedOrReadOnly,)):
        assert security(*anybody) == [{"tokenAuth": []}, {}]
    assert security(permissions.IsAuthenticated) == security(Strict) == [{"tokenAuth": []}]


@pytest.mark.parametrize("name", ["SessionAuthentication", "BasicAuthentication", "TokenAuthentication"])
def test_authentications_of_restflow_have_the_scheme_of_drfs(base: Any, name: str) -> None:
    ours: Any = getattr(restflow.authentication, name)
    found = []
    for cls in (getattr(authentication, name), ours, type("Own", (ours,), {})):
        view = view_of(base, serializer_class=AuthorSerializer, authentication_classes=[cls])
        found.append(made([path("x/", view.as_view())])["components"]["securitySchemes"])
    assert found[0] == found[1] == found[2]


class ByCursor(CursorPagination):
    page_size, ordering = 2, "name"


class ByOffset(LimitOffsetPagination):
    default_limit = 2


class Unknown(BasePagination):
    def get_paginated_response_schema(self, schema: Any) -> Any:
        return schema


@pytest.mark.parametrize(
    ("pages", "described"),
    [(Pages, True), (FastPages, True), (ByCursor, True), (ByOffset, False), (Unknown, False), (None, False)],
)
@pytest.mark.parametrize("colour", [DRF, SYNC, ASYNC])
def test_a_page_that_is_not_there_is_not_found(colour: str, pages: Any, described: bool) -> None:
    generic = viewset_of(BASES[colour], pagination_class=pages)
    by_config = viewset_of(BASES[SYNC], action_configs={"list": ActionConfig(pagination_class=pages or OFF)})
    handler = {"__doc__": "Authors.", "get": lambda self, request: None}
    given = {"authentication_classes": [], "permission_classes": [], "pagination_class": pages}
    plain = type("Authors", (BASES[ASYNC].APIView,), {**handler, **given, "serializer_class": AuthorSerializer})
    for operations in (
        made(urls(generic))["paths"]["/authors/"],
        made(urls(by_config))["paths"]["/authors/"],
        made([path("x/", plain.as_view())])["paths"]["/x/"],
    ):
        assert ("404" in operations["get"]["responses"]) is described
        assert "post" not in operations or "404" not in operations["post"]["responses"]


def test_what_a_url_names_may_not_be_found(base: Any) -> None:
    assert statuses(base, route="x/<int:pk>/") == {"404"}
    assert statuses(base) == set()


@pytest.mark.parametrize(
    ("throttle", "attributes", "throttled"),
    [
        (Rate, {}, True),
        (throttling.UserRateThrottle, {}, False),  # the settings have no rate for it
        (restflow.throttling.UserRateThrottle, {}, False),
        (type("Ours", (restflow.throttling.AnonRateThrottle,), {"rate": "1/s"}), {}, True),
        (throttling.ScopedRateThrottle, {}, False),
        (throttling.ScopedRateThrottle, {"throttle_scope": "books"}, True),
        (restflow.throttling.ScopedRateThrottle, {"throttle_scope": "books"}, True),
        (type("Own", (throttling.BaseThrottle,), {}), {}, True),
    ],
)
def test_a_view_with_a_rate_may_refuse_for_it(base: Any, throttle: Any, attributes: Any, throttled: bool) -> None:
    view = view_of(base, serializer_class=AuthorSerializer, throttle_classes=[throttle], **attributes)
    responses = operation(view)["responses"]
    assert ("429" in responses) is throttled
    if throttled:
        assert responses["429"]["headers"]["Retry-After"]["schema"] == {"type": "integer"}
        assert shown(responses["429"]) == "ErrorDetail"


def test_error_bodies_are_those_of_drfs_handler(base: Any) -> None:
    view = view_of(base, serializer_class=AuthorSerializer, permission_classes=[Strict])
    responses = operation(view, "post", "x/<int:pk>/")["responses"]
    assert (shown(responses["400"]), shown(responses["404"])) == ("ValidationErrors", "ErrorDetail")
    components = made([path("x/<int:pk>/", view.as_view())])["components"]["schemas"]
    assert components["ErrorDetail"]["properties"] == {"detail": {"type": "string"}}
    assert components["ValidationErrors"]["additionalProperties"] == {}


def test_another_exception_handler_answers_what_nobody_knows(base: Any) -> None:
    def handler(error: Exception, context: Any) -> Response:
        return Response()

    view = view_of(base, serializer_class=AuthorSerializer, get_exception_handler=lambda self: handler)
    assert operation(view, "post")["responses"]["400"] == {"description": "The data are not valid."}


def test_an_error_that_extend_schema_describes_stands(base: Any) -> None:
    said = extend_schema(responses={200: AuthorSerializer, 404: AuthorPageSerializer})(handlers(base)["get"])
    responses = operation(
        view_of(base, get=said, serializer_class=AuthorSerializer, permission_classes=[Strict]), route="x/<int:pk>/"
    )["responses"]
    assert (shown(responses["404"]), shown(responses["403"])) == ("AuthorPage", "ErrorDetail")


def test_a_subclass_may_describe_other_errors_or_none(base: Any) -> None:
    class Quiet(RestflowAutoSchema):
        def get_error_responses(self) -> dict[str, Any]:
            return {}

    assert statuses(base, "post", "x/<int:pk>/", permission_classes=[Strict], schema=Quiet()) == set()


def test_a_callback_is_another_partys_answer(base: Any) -> None:
    callback = OpenApiCallback(
        "done", "{$request.body#/url}", extend_schema(request=AuthorSerializer, responses={200: AuthorPageSerializer})
    )
    post = extend_schema(callbacks=[callback])(handlers(base)["post"])
    view = view_of(base, serializer_class=AuthorSerializer, post=post)
    said = operation(view, "post")["callbacks"]["done"]["{$request.body#/url}"]["post"]["responses"]
    assert set(said) == {"200"}


# Views of DRF's own, beside restflow's.


def test_views_of_drf_are_described_by_the_same_class() -> None:
    base = BASES[DRF]
    viewset = viewset_of(base, pagination_class=Pages, permission_classes=[Strict])
    view = type("View", (base.APIView,), {**handlers(base), "serializer_class": AuthorSerializer})
    view.authentication_classes, view.permission_classes = [], []
    paths = made([*urls(viewset), path("x/", view.as_view())])["paths"]
    assert shown(paths["/authors/"]["get"]["responses"]["200"]) == "PaginatedAuthorList"
    assert set(paths["/authors/{id}/"]["put"]["responses"]) == {"200", "400", "403", "404"}
    assert "200" in paths["/x/"]["get"]["responses"]


def test_the_books_of_the_shop_have_a_schema_of_their_own(base: Any) -> None:
    class BookSerializer(serializers.ModelSerializer):
        author = AuthorSerializer()

        class Meta:
            model = Book
            fields = ["id", "author"]

    schema = made(urls(viewset_of(base, queryset=Book.objects.all(), serializer_class=BookSerializer)))
    assert set(schema["components"]["schemas"]) >= {"Author", "Book", "PatchedBook"}
