"""Django's own errors, where the URLconf names restflow's views for them."""

from __future__ import annotations

import types
from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404
from django.test import override_settings
from django.urls import path

from tests.errors.support import entries, ours, raising
from tests.matrix import each_pair
from tests.site import Site

VIEWS = {400: "bad_request", 403: "permission_denied", 404: "page_not_found", 500: "server_error"}


def raiser(error: Exception) -> Any:
    def view(request: Any) -> Any:
        raise error

    return view


def urlconf(*patterns: Any) -> Any:
    module: Any = types.ModuleType("urlconf")
    module.urlpatterns = [
        path("bad/", raiser(BadRequest("secret"))),
        path("forbidden/", raiser(PermissionDenied("Not you."))),
        path("forbidden/silently/", raiser(PermissionDenied())),
        path("gone/", raiser(Http404("No such book."))),
        path("broken/", raiser(ZeroDivisionError("secret"))),
        *patterns,
    ]
    for status, name in VIEWS.items():
        setattr(module, f"handler{status}", f"restflow.exceptions.{name}")
    return module


def ask(url: str, entry: str, accept: str = "*/*", *patterns: Any, **settings: Any) -> Any:
    with (
        Site({}, entry=entry, DEBUG=False, RESTFLOW=settings) as site,
        override_settings(ROOT_URLCONF=urlconf(*patterns)),
    ):
        return site.send("GET", url, headers={"accept": accept})


CASES = [
    ("/nowhere/", 404, "not_found", "Not found."),
    ("/gone/", 404, "not_found", "No such book."),
    ("/forbidden/", 403, "permission_denied", "Not you."),
    ("/forbidden/silently/", 403, "permission_denied", "You do not have permission to perform this action."),
    ("/bad/", 400, "bad_request", "Bad Request"),
    ("/broken/", 500, "internal_error", "A server error occurred."),
]


@each_pair
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
@pytest.mark.parametrize("form", [None, "envelope", "problem", "drf"])
@entries
def test_django_s_errors_are_in_the_form_of_the_settings(case: Any, form: str | None, entry: str) -> None:
    url, status, code, message = case
    answer = ask(url, entry, ERROR_FORMAT=form)
    problem = {"type": "about:blank", "status": status, "detail": message, "instance": url, "code": code}
    assert answer.status == status
    data = answer.json()
    if form == "problem":
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert data.pop("title")
        assert data == problem
    elif form == "drf":
        assert data == {"detail": message}
    else:
        assert data == {"error": {"code": code, "message": message, "details": {}}}


@each_pair
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("application/problem+json, text/html;q=0.5", "application/json"),
        ("image/png", "application/json"),
        ("", "application/json"),
        ("/;;q=,", "application/json"),
    ],
)
def test_a_browser_gets_django_s_pages(case: Any, accept: str, media_type: str) -> None:
    url, status, *_ = case
    answer = ask(url, "restflow", accept)
    assert (answer.status, answer.headers["Content-Type"]) == (status, media_type)
    assert b"secret" not in answer.body


@ours
@entries
def test_an_unknown_error_of_a_view_is_answered_in_that_form(base: Any, entry: str) -> None:
    view = path("view/", raising(base, ZeroDivisionError).as_view())
    answer = ask("/view/", entry, "*/*", view, ERROR_FORMAT="problem")
    assert (answer.status, answer.json()["code"]) == (500, "internal_error")
