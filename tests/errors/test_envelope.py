"""``exception_handler``: every error in one envelope, with DRF's status and headers, from any view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.http import Http404
from django.utils.translation import gettext_lazy
from rest_framework import exceptions, serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.response import Response
from rest_framework.views import APIView as DRFAPIView

from restflow.exceptions import APIException, ErrorCode, exception_handler, format_error
from restflow.views import APIView, AsyncAPIView
from tests.errors.support import HANDLER, WITHOUT_HEADER, asked, colours, entries, ours, raising
from tests.matrix import each_pair
from tests.shop.models import Author
from tests.site import Site


class Locked(APIException):
    status_code = 409
    default_detail = "The book is locked."
    code = ErrorCode.CONFLICT


class LockedLonger(Locked):
    default_code = "locked"


class Gone(exceptions.APIException):
    status_code = 410
    default_detail = "Gone."


class Teapot(exceptions.APIException):
    status_code = 499
    default_detail = "Odd."


class NoToken(exceptions.AuthenticationFailed):
    default_code = "token_not_valid"


CASES: list[tuple[Any, int, str, str, Any]] = [
    (exceptions.NotAuthenticated, 401, "not_authenticated", "Authentication credentials were not provided.", {}),
    (exceptions.AuthenticationFailed, 401, "authentication_failed", "Incorrect authentication credentials.", {}),
    (lambda: exceptions.PermissionDenied("No.", "quota"), 403, "quota", "No.", {}),
    (PermissionDenied, 403, "permission_denied", "You do not have permission to perform this action.", {}),
    (lambda: Http404("No such book."), 404, "not_found", "No such book.", {}),
    (exceptions.NotFound, 404, "not_found", "Not found.", {}),
    (lambda: exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed", 'Method "PUT" not allowed.', {}),
    (
        lambda: exceptions.Throttled(7),
        429,
        "throttled",
        "Request was throttled. Expected available in 7 seconds.",
        {"retry_after_seconds": 7},
    ),
    (exceptions.APIException, 500, "internal_error", "A server error occurred.", {}),
    (Gone, 410, "gone", "Gone.", {}),
    (Teapot, 499, "error", "Odd.", {}),
    (Locked, 409, "conflict", "The book is locked.", {}),
    (LockedLonger, 409, "locked", "The book is locked.", {}),
    (
        lambda: Locked("By Eliot.", details={"by": "Eliot"}, status_code=423),
        423,
        "conflict",
        "By Eliot.",
        {"by": "Eliot"},
    ),
    (lambda: Locked(code=ErrorCode.NOT_FOUND), 409, "not_found", "The book is locked.", {}),
    (APIException, 500, "internal_error", "A server error occurred.", {}),
    (
        lambda: NoToken({"detail": "Expired.", "left": ["a"]}),
        401,
        "token_not_valid",
        "Expired.",
        {"detail": "Expired.", "left": ["a"]},
    ),
    (
        lambda: NoToken(["Expired."]),
        401,
        "token_not_valid",
        "Incorrect authentication credentials.",
        {"non_field_errors": ["Expired."]},
    ),
    (
        lambda: exceptions.ValidationError({"title": ["Too long."], "author": {"name": ["Blank."]}}),
        400,
        "validation_error",
        "Request validation failed.",
        {"title": ["Too long."], "author": {"name": ["Blank."]}},
    ),
    (
        lambda: exceptions.ValidationError("Too long."),
        400,
        "validation_error",
        "Request validation failed.",
        {"non_field_errors": ["Too long."]},
    ),
    (
        lambda: exceptions.ValidationError([{}, {"title": ["Too long."]}]),
        400,
        "validation_error",
        "Request validation failed.",
        {"1": {"title": ["Too long."]}},
    ),
]


@each_pair
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[1]}-{case[2]}")
@colours
@entries
def test_an_error_has_its_code_its_message_and_its_details(base: Any, entry: str, case: Any) -> None:
    make, status, code, message, details = case
    answer = asked(raising(base, make), entry=entry)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/json")
    assert answer.json() == {"error": {"code": code, "message": message, "details": details}}


@each_pair
@colours
@entries
@pytest.mark.parametrize("form", ["envelope", "problem", "drf"])
def test_the_headers_of_an_error_are_drfs(base: Any, entry: str, form: str) -> None:
    def headers(make: Any, **attributes: Any) -> tuple[int, str | None, str | None]:
        answer = asked(raising(base, make, **attributes), entry=entry, form=form)
        return answer.status, answer.headers.get("WWW-Authenticate"), answer.headers.get("Retry-After")

    assert headers(exceptions.NotAuthenticated) == (401, 'Basic realm="api"', None)
    assert headers(exceptions.NotAuthenticated, authentication_classes=WITHOUT_HEADER) == (403, None, None)
    assert headers(lambda: exceptions.Throttled(7)) == (429, None, "7")


@colours
@entries
@pytest.mark.parametrize("form", ["envelope", "problem"])
def test_an_error_that_drf_does_not_handle_is_raised_again(base: Any, entry: str, form: str) -> None:
    answer = asked(raising(base, ZeroDivisionError), entry=entry, form=form)
    assert (answer.status, answer.headers["Content-Type"]) == (500, "text/html; charset=utf-8")


@pytest.fixture
def atomic_requests() -> Iterator[None]:
    for settings in connections.settings.values():
        settings["ATOMIC_REQUESTS"] = True
    yield
    for settings in connections.settings.values():
        settings["ATOMIC_REQUESTS"] = False


@pytest.mark.django_db(transaction=True, databases="__all__")
@pytest.mark.usefixtures("atomic_requests")
@pytest.mark.parametrize(
    ("base", "entry"), [(DRFAPIView, "django"), (APIView, "django"), (APIView, "restflow"), (AsyncAPIView, "restflow")]
)
@pytest.mark.parametrize("form", ["envelope", "problem"])
def test_an_error_rolls_the_transaction_of_the_request_back(base: Any, entry: str, form: str, database: str) -> None:
    def get(self: Any, request: Any) -> Any:
        Author.objects.using(database).create(name="Eliot")
        raise exceptions.ValidationError("No.")

    assert asked(type("View", (base,), {"get": get}), entry=entry, form=form).status == 400
    assert not Author.objects.using(database).exists()


@ours
def test_codes_are_kept_in_the_data_of_the_response(base: Any) -> None:
    response = exception_handler(
        exceptions.ValidationError({"title": [ErrorDetail("Too long.", "long")]}), {"view": base()}
    )
    assert response is not None
    assert response.data["error"]["details"]["title"][0].code == "long"


def test_the_envelope_is_made_of_any_code_message_and_details() -> None:
    assert format_error(ErrorCode.CONFLICT, gettext_lazy("Not found.")) == {
        "error": {"code": "conflict", "message": "Not found.", "details": {}}
    }
    assert format_error("locked", "Locked.", {"by": "Eliot"})["error"]["details"] == {"by": "Eliot"}


def test_a_code_is_a_class_attribute_and_that_of_each_exception() -> None:
    assert (Locked.code, Locked.default_code, Locked().code) == ("conflict", "conflict", "conflict")
    assert Locked().get_codes() == "conflict"
    assert LockedLonger("x", "other").get_full_details() == {"message": "x", "code": "other"}
    assert APIException().code == ErrorCode.INTERNAL_ERROR


class BookSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()


@ours
@entries
@pytest.mark.parametrize("rows", [1, 3000])
def test_data_that_are_not_valid_are_answered_wherever_their_errors_are_written(
    base: Any, entry: str, rows: int
) -> None:
    def post(self: Any, request: Any) -> Response:
        self.validated_serializer(data=[{}] * rows, many=True)
        return Response()

    async def apost(self: Any, request: Any) -> Response:
        await self.avalidated_serializer(data=[{}] * rows, many=True)
        return Response()

    view = type("View", (base,), {"post": apost if base is AsyncAPIView else post, "serializer_class": BookSerializer})
    with Site({"": view.as_view()}, entry=entry, REST_FRAMEWORK={"EXCEPTION_HANDLER": HANDLER}) as site:
        answer = site.send("POST", "/")
    assert answer.status == 400
    assert len(answer.json()["error"]["details"]) == rows
