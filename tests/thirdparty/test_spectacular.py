"""drf-spectacular, unmodified, makes of restflow's views the schema that it makes of DRF's."""

from __future__ import annotations

import contextlib
import io
import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import include, path
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view, inline_serializer
from drf_spectacular.validation import validate_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularJSONAPIView, SpectacularSwaggerView
from rest_framework import authentication, permissions, serializers
from rest_framework.authentication import BasicAuthentication, SessionAuthentication, TokenAuthentication
from rest_framework.decorators import action
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.pagination import CursorPagination, LimitOffsetPagination
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from tests.colours import ASYNC, BASES, DRF, DRF_MIXINS, SYNC, THROUGHOUT
from tests.parity.harness import Answer, Ask
from tests.parity.tutorial import views as tutorial
from tests.shop.models import Author, Book, Edition
from tests.thirdparty import test_django_filter, test_nested_routers, test_simplejwt
from tests.thirdparty.support import same

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

# drf-spectacular knows DRF's own authentication and permission classes, and none that derive from them.
OUR_COMPONENTS = SimpleNamespace(
    **{
        **vars(BASES[THROUGHOUT]),
        **{
            name: value
            for name, value in vars(BASES[DRF]).items()
            if value in vars(authentication).values() or value in vars(permissions).values()
        },
    }
)
EACH = {SYNC: BASES[SYNC], ASYNC: BASES[ASYNC], DRF_MIXINS: BASES[DRF_MIXINS], "async, our components": OUR_COMPONENTS}

SETTINGS = {"REST_FRAMEWORK": {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}}


def library(bases: Any) -> list[Any]:
    """Views with what drf-spectacular reads: decorators, actions, serializers by action, parsers, policies, pages."""

    class AuthorSerializer(bases.ModelSerializer):
        class Meta:
            model = Author
            fields = ["id", "name"]

    class BookSerializer(bases.ModelSerializer):
        author = AuthorSerializer(read_only=True)
        shelf = bases.SerializerMethodField()

        class Meta:
            model = Book
            fields = ["id", "title", "year", "author", "tags", "shelf"]

        def get_shelf(self, book: Book) -> int | None:
            return None

    class ScanSerializer(bases.ModelSerializer):
        class Meta:
            model = Edition
            fields = ["scan", "details", "printed"]

    class ByOffset(LimitOffsetPagination):
        default_limit = 10

    class ByCursor(CursorPagination):
        page_size = 10
        ordering = "pk"

    @extend_schema_view(
        list=extend_schema(summary="All books", parameters=[OpenApiParameter("shelf", int)]),
        destroy=extend_schema(deprecated=True),
    )
    class Books(bases.ModelViewSet):
        """Books, and what can be done with them."""

        queryset = Book.objects.all()
        serializer_class = BookSerializer
        pagination_class = ByOffset
        authentication_classes = [JWTAuthentication, BasicAuthentication]
        permission_classes = [bases.IsAuthenticatedOrReadOnly]
        filter_backends = [DjangoFilterBackend, SearchFilter, OrderingFilter]
        filterset_fields = ["year", "author"]
        search_fields = ["title"]

        def get_serializer_class(self) -> Any:
            return ScanSerializer if self.action == "scan" else super().get_serializer_class()

        def get_queryset(self) -> Any:
            queryset = super().get_queryset()
            return queryset.none() if getattr(self, "swagger_fake_view", False) else queryset.filter(pk__gt=0)

        @action(detail=True, methods=["post"], parser_classes=[MultiPartParser, FormParser])
        def scan(self, request: Any, pk: Any = None) -> Response:
            """Leave a scan."""
            return Response()

        @extend_schema(responses={200: AuthorSerializer(many=True)})
        @action(detail=False, pagination_class=None, filter_backends=[])
        def authors(self, request: Any) -> Response:
            return Response()

        @action(detail=True, url_path="loans/(?P<number>[0-9]+)")
        def loan(self, request: Any, number: str, pk: Any = None) -> Response:
            return Response()

        @loan.mapping.delete
        def end_loan(self, request: Any, number: str, pk: Any = None) -> Response:
            return Response(status=204)

    class Authors(bases.ListCreateAPIView):
        queryset = Author.objects.all()
        serializer_class = AuthorSerializer
        pagination_class = ByCursor
        authentication_classes = [TokenAuthentication, SessionAuthentication]

    class Author_(bases.RetrieveUpdateDestroyAPIView):
        queryset = Author.objects.all()
        serializer_class = AuthorSerializer
        lookup_field = "name"
        http_method_names = ["get", "put", "delete"]

    class Search(bases.APIView):
        """Looks everywhere."""

        @extend_schema(
            operation_id="search",
            request=inline_serializer("Search", {"text": serializers.CharField(max_length=10)}),
            responses=AuthorSerializer(many=True),
        )
        def post(self, request: Any) -> Response:
            return Response()

        @extend_schema(exclude=True)
        def get(self, request: Any) -> Response:
            return Response()

    class Unknown(bases.APIView):
        """Has nothing to be known by."""

        def get(self, request: Any, number: int) -> Response:
            return Response()

    @extend_schema(responses={200: {"type": "string"}})
    @bases.api_view(["GET", "PATCH"])
    def function(request: Any) -> Response:
        """A function's own words."""
        return Response()

    router = DefaultRouter()
    router.register("books", Books)
    return [
        path("", include(router.urls)),
        path("authors/", Authors.as_view()),
        path("authors/<str:name>/", Author_.as_view()),
        path("search/", Search.as_view()),
        path("unknown/<int:number>/", Unknown.as_view()),
        path("function/", function),
        path("token/", TokenObtainPairView.as_view()),
        path("token/refresh/", TokenRefreshView.as_view()),
    ]


PROJECTS = {
    "library": library,
    "django-filter": test_django_filter.urls,
    "nested": test_nested_routers.urls,
    "jwt": test_simplejwt.urls,
    **{way.__name__: way for way in tutorial.WAYS},
}


def schema(urls: list[Any]) -> tuple[dict[str, Any], str, int]:
    """Return the schema, as data and as YAML, and how many warnings making it gave."""
    GENERATOR_STATS.reset()
    with contextlib.redirect_stderr(io.StringIO()):
        made = SchemaGenerator(patterns=urls).get_schema(request=None, public=True)
    return (
        made,
        OpenApiYamlRenderer().render(made).decode(),
        len(GENERATOR_STATS._warn_cache) + len(GENERATOR_STATS._error_cache),
    )


@pytest.mark.parametrize("project", PROJECTS)
def test_the_schema_is_the_one_of_drf_s_classes(project: str, settings: Any) -> None:
    settings.REST_FRAMEWORK = SETTINGS["REST_FRAMEWORK"]
    data, theirs, their_warnings = schema(PROJECTS[project](BASES[DRF]))
    validate_schema(data)
    for name, bases in EACH.items():
        _, ours, our_warnings = schema(PROJECTS[project](bases))
        assert (name, ours.splitlines()) == (name, theirs.splitlines())
        assert ours == theirs
        assert our_warnings == their_warnings


@pytest.mark.parametrize("project", PROJECTS)
def test_restflow_s_schema_class_describes_drf_s_views_and_ours_alike(project: str, settings: Any) -> None:
    settings.REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "restflow.spectacular.RestflowAutoSchema"}
    data, theirs, _ = schema(PROJECTS[project](BASES[DRF]))
    validate_schema(data)
    for bases in (SYNC, ASYNC, THROUGHOUT, DRF_MIXINS):
        _, ours, _ = schema(PROJECTS[project](BASES[bases]))
        assert (bases, ours.splitlines()) == (bases, theirs.splitlines())


def without_token(answer: Answer) -> Answer:
    return Answer(answer.status, answer.headers, re.sub(rb'(X-CSRFTOKEN"\] = ")\w+', rb"\1", answer.body))


def test_the_schema_is_served_the_same_beside_the_views(database: str) -> None:
    def urls(bases: Any) -> list[Any]:
        class OurSchema(SpectacularAPIView, bases.APIView):
            """The package's own view over other base classes."""

        patterns = library(bases)
        return [
            path("schema/", SpectacularAPIView.as_view(patterns=patterns), name="schema"),
            path("schema.json", SpectacularJSONAPIView.as_view(patterns=patterns)),
            path("docs/", SpectacularSwaggerView.as_view()),
            path("ours/schema/", OurSchema.as_view(patterns=patterns)),
        ]

    with contextlib.redirect_stderr(io.StringIO()):
        answers = same(
            urls,
            [
                Ask(url="/schema/"),
                Ask(url="/schema/", headers={"accept": "application/vnd.oai.openapi+json"}),
                Ask(url="/schema/?lang=de"),
                Ask(url="/schema.json"),
                Ask(url="/docs/"),
                Ask("POST", "/schema/"),
                Ask("GET", "/schema/", headers={"accept": "text/csv"}),
                Ask(url="/ours/schema/"),
                Ask("OPTIONS", "/ours/schema/"),
            ],
            database,
            mask=without_token,
            ours=EACH,
            **SETTINGS,
        )
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 200, 405, 406, 200, 200]
    assert b"/books/{id}/scan/" in answers[0].body
