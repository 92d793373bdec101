"""The schema describes errors in the form in which a view answers them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from restflow.views import ActionConfig
from tests.errors.support import HANDLER
from tests.test_spectacular import base, in_force, made, urls, viewset_of  # noqa: F401  # base is a fixture

JSON, PROBLEM_JSON = "application/json", "application/problem+json"


def not_found(viewset: Any) -> Any:
    return made(urls(viewset))["paths"]["/authors/{id}/"]["get"]["responses"]["404"]["content"]


def of(name: str) -> Any:
    return {"schema": {"$ref": f"#/components/schemas/{name}"}}


@pytest.mark.parametrize(
    ("form", "described"),
    [
        (None, {JSON: of("ErrorEnvelope")}),
        ("envelope", {JSON: of("ErrorEnvelope")}),
        ("problem", {PROBLEM_JSON: of("ProblemDetails")}),
        ("drf", {JSON: of("ErrorDetail")}),
    ],
)
def test_errors_are_described_in_the_form_of_the_settings(base: Any, form: str | None, described: Any) -> None:  # noqa: F811
    with in_force(EXCEPTION_HANDLER=HANDLER), override_settings(RESTFLOW={"ERROR_FORMAT": form}):
        assert not_found(viewset_of(base)) == described


def test_errors_of_an_action_are_described_in_its_own_form(base: Any) -> None:  # noqa: F811
    configs = {"retrieve": ActionConfig(error_format="problem"), "update": ActionConfig(error_format="envelope")}
    with in_force():
        paths = made(urls(viewset_of(base, action_configs=configs)))["paths"]
    item = paths["/authors/{id}/"]
    assert item["get"]["responses"]["404"]["content"] == {PROBLEM_JSON: of("ProblemDetails")}
    assert item["put"]["responses"]["400"]["content"] == {JSON: of("ErrorEnvelope")}
    assert item["delete"]["responses"]["404"]["content"] == {JSON: of("ErrorDetail")}
    assert paths["/authors/"]["post"]["responses"]["400"]["content"] == {JSON: of("ValidationErrors")}


def test_what_a_problem_says_is_in_the_schema(base: Any) -> None:  # noqa: F811
    with in_force(), override_settings(RESTFLOW={"ERROR_FORMAT": "problem"}):
        components = made(urls(viewset_of(base)))["components"]["schemas"]
    assert {"type", "title", "status", "detail", "instance", "errors"} <= components["ProblemDetails"][
        "properties"
    ].keys()
