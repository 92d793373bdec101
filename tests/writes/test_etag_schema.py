"""The schema tells of ``etag``: the headers, and what is answered by them."""

from __future__ import annotations

from typing import Any

import pytest

from restflow.views import ActionConfig, AsyncModelViewSet, AsyncRetrieveUpdateDestroyAPIView, ModelViewSet
from tests.shop.models import Author
from tests.test_spectacular import AuthorSerializer, in_force, made, operation, urls


def described(said: Any) -> tuple[dict[str, bool], set[str]]:
    """The headers that an operation takes, with whether it needs them, and the statuses it has by them."""
    headers = {each["name"]: each.get("required", False) for each in said["parameters"] if each["in"] == "header"}
    return headers, said["responses"].keys() & {"304", "412", "428"}


ATTRIBUTES: Any = {"queryset": Author.objects.all(), "serializer_class": AuthorSerializer, "permission_classes": []}


@pytest.mark.parametrize("base", [ModelViewSet, AsyncModelViewSet])
def test_headers_and_statuses_of_a_viewset(base: Any) -> None:
    configs = {"destroy": ActionConfig(precondition_required=True)}
    with in_force():
        paths = made(urls(type("Authors", (base,), {**ATTRIBUTES, "etag": "name", "action_configs": configs})))["paths"]
    item, whole = paths["/authors/{id}/"], paths["/authors/"]
    assert described(item["get"]) == ({"If-None-Match": False}, {"304"})
    assert described(item["put"]) == ({"If-Match": False}, {"412"})
    assert described(item["delete"]) == ({"If-Match": True}, {"412", "428"})
    assert "ETag" in item["get"]["responses"]["200"]["headers"]
    assert "ETag" in item["get"]["responses"]["304"]["headers"]
    assert "ETag" in item["patch"]["responses"]["200"]["headers"]
    for method in ("get", "post"):
        assert described({"parameters": [], **whole[method]}) == ({}, set())


def test_headers_of_a_generic_view() -> None:
    view = type("View", (AsyncRetrieveUpdateDestroyAPIView,), {**ATTRIBUTES, "etag": "name"})
    with in_force():
        assert described(operation(view, "get", "x/<int:pk>/")) == ({"If-None-Match": False}, {"304"})
        assert described(operation(view, "patch", "x/<int:pk>/")) == ({"If-Match": False}, {"412"})


def test_without_etag_nothing_is_said() -> None:
    with in_force():
        item = made(urls(type("Authors", (AsyncModelViewSet,), ATTRIBUTES)))["paths"]["/authors/{id}/"]
    for method in ("get", "put", "delete"):
        assert described(item[method]) == ({}, set())
