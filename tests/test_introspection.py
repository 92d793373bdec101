"""What others read off our classes can be read, and says what is so."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

import restflow.views
from restflow.views import AsyncAPIView, AsyncModelViewSet, ModelViewSet

MODULES = (
    "asgi",
    "authentication",
    "db",
    "filters",
    "pagination",
    "permissions",
    "post_fetch",
    "request",
    "responses",
    "serializers",
    "spectacular",
    "throttling",
    "views",
)
CLASSES = [
    value
    for module in map(importlib.import_module, (f"restflow.{name}" for name in MODULES))
    for name in getattr(module, "__all__", ())
    if isinstance(value := getattr(module, name), type)
]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_whatever_dir_lists_of_a_class_can_be_read_from_it(cls: Any) -> None:
    for name in dir(cls):
        getattr(cls, name)


@pytest.mark.parametrize("viewset", [ModelViewSet, AsyncModelViewSet])
def test_a_viewset_shows_its_actions_and_has_none_before_a_request(viewset: Any) -> None:
    shown = {name for name in dir(viewset) if callable(getattr(viewset, name)) and not name.startswith("_")}
    assert {"list", "create", "retrieve", "update", "partial_update", "destroy"} <= shown
    assert viewset.action is None
    assert not hasattr(viewset(), "action")


@pytest.mark.parametrize(
    "function",
    [
        AsyncAPIView.dispatch,
        AsyncAPIView.options,
        AsyncAPIView.acheck_permissions,
        AsyncAPIView.aget_permissions,
        AsyncModelViewSet.list,
        AsyncModelViewSet.aperform_create,
        restflow.views.AsyncListAPIView.get,
        AsyncAPIView.as_view(),
        AsyncAPIView().dispatch,
    ],
)
def test_what_is_to_be_awaited_is_a_coroutine_function_to_inspect(function: Any) -> None:
    assert inspect.iscoroutinefunction(function)
    assert not inspect.iscoroutinefunction(AsyncAPIView.check_permissions)
