"""One row for each method that a view may override: none of DRF's is forgotten, and each has both names."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from rest_framework import generics, mixins, views

from restflow import views as ours
from restflow.views import hooks
from restflow.views.hooks import ACTIONS, Hook

# What DRF's views have that is no hook: what makes or is the request cycle, handlers, and helpers of the browsable API.
NO_HOOKS = {"as_view", "dispatch", "options", "http_method_not_allowed", "get_serializer", *ACTIONS}
TABLES = {
    ours.AsyncAPIView: (*hooks.OF_VIEWS, *hooks.OF_HELPERS),
    ours.AsyncGenericAPIView: hooks.OF_GENERIC_VIEWS[:7],
    ours.AsyncCreateModelMixin: hooks.OF_CREATE,
    ours.AsyncUpdateModelMixin: hooks.OF_UPDATE,
    ours.AsyncDestroyModelMixin: hooks.OF_DESTROY,
}
ROWS = [pytest.param(cls, row, id=f"{cls.__name__}.{row.name}") for cls, rows in TABLES.items() for row in rows]


@pytest.mark.parametrize(
    "drfs",
    [
        views.APIView,
        generics.GenericAPIView,
        mixins.CreateModelMixin,
        mixins.ListModelMixin,
        mixins.RetrieveModelMixin,
        mixins.UpdateModelMixin,
        mixins.DestroyModelMixin,
    ],
)
def test_every_method_of_drfs_has_a_row(drfs: Any) -> None:
    methods = {name for name, raw in vars(drfs).items() if inspect.isfunction(raw) and not name.startswith("_")}
    rows = {row.name for row in (*hooks.OF_VIEWS, *hooks.OF_HELPERS, *hooks.OF_GENERIC_VIEWS)}
    assert methods - NO_HOOKS <= rows


@pytest.mark.parametrize(("cls", "row"), ROWS)
def test_a_row_has_both_names(cls: Any, row: Hook) -> None:
    assert callable(getattr(cls, row.name))
    assert inspect.iscoroutinefunction(getattr(cls, "a" + row.name))


def test_no_row_is_there_twice() -> None:
    names = [row.name for row in (*hooks.OF_VIEWS, *hooks.OF_HELPERS, *hooks.OF_GENERIC_VIEWS)]
    assert len(names) == len(set(names))
