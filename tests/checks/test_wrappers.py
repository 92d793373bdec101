"""What the URLconf puts around an async view: a sync context manager (E007), a sync wrapper (W006)."""

from __future__ import annotations

from functools import wraps
from typing import Any

import pytest
from django.db.transaction import atomic as atomic_block
from django.urls import path
from django.utils import translation
from django.views.decorators.cache import never_cache

from restflow.views import APIView, AsyncAPIView
from tests.checks.support import said


def passing_on(view: Any) -> Any:
    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize(
    "decorate", [atomic_block, translation.override("de"), lambda view: passing_on(atomic_block(view))]
)
def test_a_sync_context_manager_around_an_async_view_is_an_error(decorate: Any) -> None:
    ((number, text, _),) = said([path("x/", decorate(AsyncAPIView.as_view()))])
    assert (number, text.split(" in the URLconf")[0]) == (
        "E007",
        "A sync context manager stands around restflow.views.async_base.AsyncAPIView.as_view()",
    )
    assert said([path("x/", decorate(APIView.as_view()))]) == []


def test_a_sync_wrapper_around_an_async_view_is_a_warning() -> None:
    ((number, text, _),) = said([path("x/", passing_on(AsyncAPIView.as_view()))])
    assert number == "W006"
    assert text.startswith("passing_on.<locals>.wrapper (")
    assert said([path("x/", passing_on(APIView.as_view())), path("y/", never_cache(AsyncAPIView.as_view()))]) == []
