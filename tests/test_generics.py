"""Generic views: what ours have beyond DRF's, and what they say when something is missing."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import Manager, QuerySet
from rest_framework import generics as drf_generics
from rest_framework import mixins as drf_mixins
from rest_framework import serializers
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response

from restflow import views
from restflow.views import OFF
from tests.shop.models import Author
from tests.site import Answer, Site

pytestmark = pytest.mark.django_db(transaction=True)

CONCRETE = [
    *("CreateAPIView", "ListAPIView", "RetrieveAPIView", "DestroyAPIView", "UpdateAPIView", "ListCreateAPIView"),
    *("RetrieveUpdateAPIView", "RetrieveDestroyAPIView", "RetrieveUpdateDestroyAPIView"),
]
MIXINS = [f"{name}ModelMixin" for name in ("Create", "Destroy", "List", "Retrieve", "Update")]
colours = pytest.mark.parametrize("prefix", ["", "Async"], ids=["sync", "async"])


@pytest.fixture(autouse=True)
def _authors() -> None:
    Author.objects.bulk_create(Author(pk=pk, name=name) for pk, name in enumerate(["Austen", "Eliot", "Shelley"], 1))


class AuthorSerializer(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["id", "name"]


class Shouted(serializers.ModelSerializer):
    loud = serializers.SerializerMethodField()

    class Meta:
        model = Author
        fields = ["loud"]

    def get_loud(self, author):
        return author.name.upper()


class Pages(PageNumberPagination):
    page_size = 2


def view_of(name: str, prefix: str, **attributes: Any) -> Any:
    given = {"queryset": Author.objects.order_by("id"), "serializer_class": AuthorSerializer, **attributes}
    return type("Authors", (getattr(views, prefix + name),), given)


def send(view: Any, method: str, url: str = "/x/", data: Any = None, **initkwargs: Any) -> Answer:
    served = view.as_view(**initkwargs)
    with Site({"x/": served, "x/<pk>/": served}) as site:
        return site.send(method, url, data)


def written(prefix: str, helper: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """A GET that answers with a helper, in the colour of the view."""

    def get(self: Any, request: Any) -> Any:
        return getattr(self, helper)(*args, **kwargs)

    async def aget(self: Any, request: Any) -> Any:
        return await getattr(self, f"a{helper}")(*args, **kwargs)

    return {"get": aget if prefix else get}


@pytest.mark.parametrize("name", ["GenericAPIView", *CONCRETE])
@colours
def test_each_view_is_drfs_of_the_same_name(name, prefix):
    assert issubclass(getattr(views, prefix + name), getattr(drf_generics, name))
    assert issubclass(getattr(views, prefix + name), views.AsyncAPIView if prefix else views.APIView)


@pytest.mark.parametrize("name", MIXINS)
@colours
def test_each_mixin_is_drfs_of_the_same_name(name, prefix):
    assert issubclass(getattr(views, prefix + name), getattr(drf_mixins, name))


@colours
def test_the_helpers_page_as_the_view_does(prefix):
    authors = Author.objects.order_by("id")

    def names(**kwargs: Any) -> Any:
        view = view_of(
            "GenericAPIView", prefix, pagination_class=Pages, **written(prefix, "paginated_response", **kwargs)
        )
        found = send(view, "GET").json()
        results = found["results"] if isinstance(found, dict) else found
        return [each["name"] for each in results]

    one = type("One", (PageNumberPagination,), {"page_size": 1})
    assert names(queryset=authors) == ["Austen", "Eliot"]
    assert names(queryset=authors, pagination_class=OFF) == ["Austen", "Eliot", "Shelley"]
    assert names(queryset=authors, pagination_class=one) == ["Austen"]


@colours
def test_a_paginator_property_of_the_views_own_pages(prefix):
    class One(PageNumberPagination):
        page_size = 1

    one, queryset = One(), Author.objects.order_by("name")
    view = view_of("ListAPIView", prefix, queryset=queryset, paginator=property(lambda self: one))
    assert [author["name"] for author in send(view, "GET").json()["results"]] == ["Austen"]


@colours
def test_a_paginator_that_is_set_is_the_views(prefix):
    view: Any = view_of("ListAPIView", prefix, pagination_class=Pages)()
    assert isinstance(view.paginator, Pages)
    assert view.paginator is view.paginator
    view.paginator = None
    assert view.paginator is None
    assert view_of("ListAPIView", prefix, pagination_class=OFF)().paginator is None


@colours
@pytest.mark.parametrize("queryset", [Author.objects, [Author(pk=7, name="Woolf")]], ids=["manager", "list"])
def test_a_manager_and_a_list_may_be_the_query_set(prefix, queryset):
    found = send(view_of("ListAPIView", prefix, queryset=queryset), "GET").json()
    assert len(found) == (1 if isinstance(queryset, list) else 3)


@colours
@pytest.mark.parametrize(
    ("attributes", "method", "url", "message"),
    [
        (
            {"queryset": None},
            "GET",
            "/x/1/",
            "'Authors' should either include a `queryset` attribute, or override the `get_queryset()` method.",
        ),
        (
            {"serializer_class": None},
            "GET",
            "/x/1/",
            "'Authors' should either include a `serializer_class` attribute, or override the "
            "`get_serializer_class()` method.",
        ),
        (
            {"lookup_url_kwarg": "slug"},
            "GET",
            "/x/1/",
            'Expected view Authors to be called with a URL keyword argument named "slug". Fix your URL conf, or set '
            "the `.lookup_field` attribute on the view correctly.",
        ),
    ],
)
def test_what_is_missing_is_said_as_drf_says_it(prefix, attributes, method, url, message):
    def handle_exception(self: Any, exc: Exception) -> Response:
        return Response(str(exc))

    view = view_of("RetrieveAPIView", prefix, handle_exception=handle_exception, **attributes)
    assert send(view, method, url).json() == message
    theirs = type("Authors", (drf_generics.RetrieveAPIView,), {**vars(view), "handle_exception": handle_exception})
    assert send(theirs, method, url).json() == message


@colours
def test_each_direction_has_its_serializer(prefix):
    view = view_of("ListCreateAPIView", prefix, response_serializer_class=Shouted)
    assert send(view, "POST", data={"name": "Woolf"}).json() == {"loud": "WOOLF"}
    assert send(view, "GET").json()[0] == {"loud": "AUSTEN"}
    one = view_of("RetrieveUpdateDestroyAPIView", prefix, response_serializer_class=Shouted)
    assert send(one, "PATCH", "/x/1/", {"name": "Burney"}).json() == {"loud": "BURNEY"}
    only = view_of("CreateAPIView", prefix, serializer_class=None, request_serializer_class=AuthorSerializer)
    assert send(only, "POST", data={"name": "Sand"}).json()["name"] == "Sand"
    same = view_of("CreateAPIView", prefix, response_serializer_class=AuthorSerializer)
    assert send(same, "POST", data={"name": "Same"}).json()["name"] == "Same"


@colours
def test_many_instances_are_created_and_shown_at_once(prefix):
    def get_serializer(self: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("context", self.get_serializer_context())
        many = isinstance(kwargs.get("data"), list)
        cls = kwargs.pop("serializer_class", None) or self.get_serializer_class()
        return cls(*args, **{"many": many} | kwargs)

    plain = view_of("CreateAPIView", prefix, get_serializer=get_serializer)
    answer = send(plain, "POST", data=[{"name": "A"}, {"name": "B"}])
    assert (answer.status, [each["name"] for each in answer.json()]) == (201, ["A", "B"])
    shown = view_of("CreateAPIView", prefix, get_serializer=get_serializer, response_serializer_class=Shouted)
    assert send(shown, "POST", data=[{"name": "c"}, {"name": "d"}]).json() == [{"loud": "C"}, {"loud": "D"}]


@colours
def test_a_get_serializer_in_drf_s_form_that_is_set_on_the_view_is_called_in_that_form(prefix):
    def setup(self: Any, request: Any, *args: Any, **kwargs: Any) -> None:
        getattr(views, prefix + "RetrieveAPIView").setup(self, request, *args, **kwargs)
        self.get_serializer = lambda instance: Shouted(instance)

    view = view_of("RetrieveAPIView", prefix, setup=setup)
    with Site({"x/<int:pk>/": view.as_view()}) as site:
        assert site.send("GET", "/x/1/").json() == {"loud": "AUSTEN"}


@colours
def test_a_view_made_by_as_view_with_arguments_has_them(prefix):
    answer = send(
        view_of("ListAPIView", prefix),
        "GET",
        queryset=Author.objects.filter(pk=2).order_by("id"),
        pagination_class=Pages,
    )
    assert [each["id"] for each in answer.json()["results"]] == [2]


@colours
def test_a_query_set_is_evaluated_anew_for_each_request(prefix):
    view = view_of("ListAPIView", prefix)
    assert len(send(view, "GET").json()) == 3
    Author.objects.filter(pk=1).delete()
    assert len(send(view, "GET").json()) == 2


def test_the_handlers_of_async_views_run_to_their_result_where_no_loop_runs():
    found = []

    class Authors(views.AsyncListAPIView):
        queryset = Author.objects.order_by("id")
        serializer_class = AuthorSerializer

        def get(self, request):
            response = super().get(request)
            found.append(response.data[0]["name"])
            return response

    assert send(Authors, "GET").status == 200
    assert found == ["Austen"]


@colours
def test_a_paginator_property_may_ask_the_one_it_overrides(prefix):
    base = getattr(views, f"{prefix}ListAPIView")

    class Listed(base):  # type: ignore[misc, valid-type]
        queryset = Author.objects.order_by("name")
        serializer_class = AuthorSerializer
        pagination_class = Pages

        @property
        def paginator(self) -> Any:
            return super().paginator

    assert send(Listed, "GET").json()["count"] == 3


def without_the_last(rows: Any) -> Any:
    return rows.exclude(pk=Author.objects.order_by("-pk").values_list("pk", flat=True)[0])


class Visible(QuerySet[Author]):
    def all(self):
        return without_the_last(super().all())


class VisibleManager(Manager[Author]):
    def all(self):
        return without_the_last(super().all().order_by("id"))


@colours
@pytest.mark.parametrize("of", ["query set", "manager", "action config"])
def test_a_projects_all_may_query(prefix: str, of: str) -> None:
    """DRF calls it for each request."""
    rows = VisibleManager() if of == "manager" else Visible(Author).order_by("id")
    rows.model = Author
    if of == "action config":
        configs = {"list": views.ActionConfig(queryset=rows)}
        view = view_of("ModelViewSet", prefix, queryset=None, action_configs=configs)
        answer = send(view, "GET", actions={"get": "list"})
    else:
        answer = send(view_of("ListAPIView", prefix, queryset=rows), "GET")
    assert [author["id"] for author in answer.json()] == [1, 2]
