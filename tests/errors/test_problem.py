"""Problem details (RFC 9457): who asks for them, where they point, and in which media type they come."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework import exceptions, serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response

from restflow.exceptions import APIException, exception_handler
from restflow.views import ActionConfig, AsyncAPIView, AsyncViewSet, ViewSet
from tests.errors.support import asked, colours, entries, ours, raising
from tests.matrix import each_pair, examples
from tests.site import Site

PROBLEM_JSON = "application/problem+json"


def no_book() -> Exception:
    return exceptions.NotFound("No such book.")


NO_BOOK = {
    "type": "about:blank",
    "title": "Not Found",
    "status": 404,
    "detail": "No such book.",
    "instance": "/a/",
    "code": "not_found",
}


@colours
@entries
def test_one_setting_has_all_views_answer_with_problem_details(base: Any, entry: str) -> None:
    answer = asked(raising(base, no_book), entry=entry, form="problem")
    assert (answer.status, answer.headers["Content-Type"], answer.json()) == (404, PROBLEM_JSON, NO_BOOK)


def without_handler(view: Any, **settings: Any) -> Any:
    with Site({"a/": view}, **settings) as site:
        return site.send("GET", "/a/")


@ours
def test_the_setting_and_a_line_on_a_view_need_no_exception_handler_of_the_project(base: Any) -> None:
    view = raising(base, no_book)
    assert without_handler(view.as_view()).json() == {"detail": "No such book."}
    assert without_handler(view.as_view(), RESTFLOW={"ERROR_FORMAT": "problem"}).json() == NO_BOOK
    assert without_handler(view.as_view(error_format="problem")).json() == NO_BOOK
    assert without_handler(raising(base, no_book, error_format="problem").as_view()).json() == NO_BOOK


@ours
def test_the_line_on_a_view_comes_before_the_setting(base: Any) -> None:
    as_drf = raising(base, no_book, error_format="drf")
    assert asked(as_drf, form="problem").json() == {"detail": "No such book."}
    enveloped = raising(base, no_book, error_format="envelope")
    assert asked(enveloped, form="problem").json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("base", [ViewSet, AsyncViewSet])
def test_an_action_config_names_the_form_of_one_action(base: Any) -> None:
    def refuse(self: Any, request: Any) -> Any:
        raise no_book()

    configs = {"retrieve": ActionConfig(error_format="problem")}
    viewset = type("Books", (base,), {"list": refuse, "retrieve": refuse, "action_configs": configs})
    assert without_handler(viewset.as_view({"get": "retrieve"})).json() == NO_BOOK
    assert without_handler(viewset.as_view({"get": "list"})).json() == {"detail": "No such book."}


@ours
def test_another_exception_handler_is_asked_as_before(base: Any) -> None:
    view = raising(base, no_book, error_format="problem")
    assert (
        without_handler(view.as_view(), REST_FRAMEWORK={"EXCEPTION_HANDLER": f"{__name__}.of_the_project"}).json() == 7
    )


def of_the_project(exc: Exception, context: Any) -> Response:
    return Response(7)


@ours
def test_a_form_that_there_is_not_is_refused_before_the_first_request(base: Any) -> None:
    message = r"^There is no error format 'xml': it is one of 'drf', 'envelope', 'problem'\.$"
    for chosen in (type("View", (base,), {"error_format": "xml"}), base):
        with (
            override_settings(RESTFLOW={"ERROR_FORMAT": "xml" if chosen is base else None}),
            pytest.raises(ImproperlyConfigured, match=message),
        ):
            chosen.as_view()
    with pytest.raises(ImproperlyConfigured, match=message):
        ActionConfig(error_format="xml")
    view = type("View", (base,), {"error_format": property(lambda self: "problem")})
    with pytest.raises(ImproperlyConfigured, match=r"^View\.error_format is a property\. Make it a plain attribute"):
        view.as_view()


@colours
def test_the_type_leads_to_the_code_where_the_setting_says_so(base: Any) -> None:
    answer = asked(raising(base, no_book), form="problem", PROBLEM_TYPE="https://example.com/problems/{code}")
    assert answer.json()["type"] == "https://example.com/problems/not_found"


@each_pair
@colours
@entries
@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/json", PROBLEM_JSON),
        ("application/json; indent=4", PROBLEM_JSON),
        ("text/html", "text/html; charset=utf-8"),
        ("image/png", PROBLEM_JSON),
        ("application/vnd.books+json", "application/vnd.books+json"),
    ],
)
def test_the_media_type_is_that_of_problems_where_the_client_gets_json(
    base: Any, entry: str, accept: str, media_type: str
) -> None:
    class Vendor(JSONRenderer):
        media_type = "application/vnd.books+json"
        format = "books"

    view = raising(base, no_book, renderer_classes=[JSONRenderer, BrowsableAPIRenderer, Vendor])
    answer = asked(view, entry=entry, form="problem", accept=accept)
    assert answer.status == (406 if accept == "image/png" else 404)
    assert answer.headers["Content-Type"] == media_type
    if "html" not in media_type:
        assert answer.json()["status"] == answer.status


class Reviews(serializers.Serializer[Any]):
    stars = serializers.IntegerField()

    def validate(self, attrs: Any) -> Any:
        raise serializers.ValidationError("Twice.", "twice")


class Books(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=5)
    tags = serializers.ListField(child=serializers.CharField(max_length=2))
    reviews = Reviews(many=True)


INVALID = {"title": "Too long", "tags": ["ok", "long"], "reviews": [{"stars": 1}, {"stars": "x"}]}


@ours
@entries
@pytest.mark.parametrize("many", [False, True])
def test_errors_point_to_where_they_are_in_the_body(base: Any, entry: str, many: bool) -> None:
    def post(self: Any, request: Any) -> Response:
        self.validated_serializer(many=many)
        return Response()

    async def apost(self: Any, request: Any) -> Response:
        await self.avalidated_serializer(many=many)
        return Response()

    view: Any = type("View", (base,), {"post": apost if base is AsyncAPIView else post, "serializer_class": Books})
    view.parser_classes, view.error_format = [JSONParser], "problem"
    with Site({"": view.as_view()}, entry=entry) as site:
        problem = site.send("POST", "/", [INVALID] if many else INVALID).json()
    place = "#/0" if many else "#"
    assert (problem["code"], problem["detail"]) == ("validation_error", "Request validation failed.")
    assert problem["errors"] == [
        {
            "pointer": f"{place}/title",
            "detail": "Ensure this field has no more than 5 characters.",
            "code": "max_length",
        },
        {
            "pointer": f"{place}/tags/1",
            "detail": "Ensure this field has no more than 2 characters.",
            "code": "max_length",
        },
        {"pointer": f"{place}/reviews/0", "detail": "Twice.", "code": "twice"},
        {"pointer": f"{place}/reviews/1/stars", "detail": "A valid integer is required.", "code": "invalid"},
    ]


def errors_of(detail: Any) -> Any:
    with override_settings(RESTFLOW={"ERROR_FORMAT": "problem"}):
        response = exception_handler(exceptions.ValidationError(detail), {})
    assert response is not None
    return response.data["errors"]


def test_what_is_wrong_with_the_whole_points_to_the_whole() -> None:
    whole = {"pointer": "#", "detail": "No.", "code": "invalid"}
    assert errors_of("No.") == errors_of({"non_field_errors": ["No."]}) == [whole]
    assert errors_of({"author": {"non_field_errors": ["No."]}}) == [{**whole, "pointer": "#/author"}]
    with override_settings(REST_FRAMEWORK={"NON_FIELD_ERRORS_KEY": "whole"}):
        assert errors_of({"whole": ["No."]}) == [whole]
    assert errors_of([[ErrorDetail("No.", "short")]]) == [{**whole, "pointer": "#/0", "code": "short"}]


def test_names_are_escaped_in_pointers() -> None:
    pointers = [error["pointer"] for error in errors_of({name: ["No."] for name in ("a/b", "~1", "ä %", "", "\ud800")})]
    assert pointers == ["#/a~1b", "#/~01", "#/%C3%A4%20%25", "#/", "#/%ED%A0%80"]


names = st.text(max_size=6).filter(lambda name: name != "non_field_errors")
details = st.recursive(
    st.lists(st.text(min_size=1), min_size=1, max_size=3),
    lambda inner: (
        st.dictionaries(names, inner, max_size=3) | st.lists(st.dictionaries(names, inner, max_size=2), max_size=3)
    ),
    max_leaves=10,
)


def found(detail: Any, pointer: str) -> Any:
    """What a client finds where a pointer leads. Source: RFC 6901, sections 4 and 6."""
    for token in unquote(pointer[1:], errors="surrogatepass").split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        detail = detail[int(key)] if isinstance(detail, list) else detail[key]
    return detail


def messages(detail: Any) -> int:
    if isinstance(detail, str):
        return 1
    return sum(map(messages, detail.values() if isinstance(detail, dict) else detail))


@settings(max_examples=examples(60), deadline=None)
@given(details)
def test_each_pointer_leads_to_its_message(detail: Any) -> None:
    errors = errors_of(detail)
    assert len(errors) == messages(detail)
    for error in errors:
        assert error["pointer"].isascii()
        assert error["detail"] in found(detail, error["pointer"])


def test_details_of_an_exception_are_a_member_of_the_problem() -> None:
    with override_settings(RESTFLOW={"ERROR_FORMAT": "problem"}):
        response = exception_handler(APIException("Locked.", "locked", details={"by": "Eliot"}, status_code=423), {})
    assert response is not None
    assert response.data == {
        "type": "about:blank",
        "title": "Locked",
        "status": 423,
        "detail": "Locked.",
        "code": "locked",
        "details": {"by": "Eliot"},
    }
