"""DRF's classes and restflow's, under DRF's names, so that code written once is run over each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from types import ModuleType, SimpleNamespace
from typing import Any

import rest_framework.authentication
import rest_framework.decorators
import rest_framework.generics
import rest_framework.mixins
import rest_framework.pagination
import rest_framework.permissions
import rest_framework.serializers
import rest_framework.views
import rest_framework.viewsets
from asgiref.sync import sync_to_async

import restflow.authentication
import restflow.pagination
import restflow.permissions
import restflow.serializers
import restflow.views
from tests.parity.harness import Answer, Ask

DRF, SYNC, ASYNC, DRF_MIXINS, THROUGHOUT = (
    "DRF",
    "sync",
    "async",
    "async, DRF's mixins",
    "async, all of restflow's components",
)


def _classes(*modules: ModuleType) -> dict[str, Any]:
    return {name: value for module in modules for name, value in vars(module).items() if isinstance(value, type)}


def _async_api_view(names: Any = None) -> Callable[[Any], Any]:
    """``api_view`` of a function that a test wrote as a sync one."""

    def decorator(function: Any) -> Any:
        @wraps(function)
        async def handler(*args: Any, **kwargs: Any) -> Any:
            return await sync_to_async(function)(*args, **kwargs)

        return restflow.views.api_view(names)(handler)

    return decorator


_drf = {
    **_classes(
        rest_framework.serializers,
        rest_framework.authentication,
        rest_framework.pagination,
        rest_framework.permissions,
        rest_framework.mixins,
        rest_framework.views,
        rest_framework.generics,
        rest_framework.viewsets,
    ),
    "api_view": rest_framework.decorators.api_view,
}
_ours = _classes(restflow.views)
_sync = {**_drf, **_ours, "api_view": restflow.views.api_view}
_async = {
    **_drf,
    **{name.removeprefix("Async"): value for name, value in _ours.items() if name.startswith("Async")},
    "api_view": _async_api_view,
}
_components = {
    name: value
    for name, value in _classes(
        restflow.serializers, restflow.authentication, restflow.pagination, restflow.permissions
    ).items()
    if name in _drf
}

BASES = {
    DRF: SimpleNamespace(**_drf),
    SYNC: SimpleNamespace(**_sync),
    ASYNC: SimpleNamespace(**_async),
    DRF_MIXINS: SimpleNamespace(**{**_async, **_classes(rest_framework.mixins)}),
    THROUGHOUT: SimpleNamespace(**{**_async, **_components}),
}


def alike(asks: Iterable[Ask], ours: Iterable[Answer], theirs: Iterable[Answer], bases: str = "") -> None:
    """Assert that restflow's answers, over ``bases``, are DRF's, to the byte."""
    for ask, our, their in zip(asks, ours, theirs, strict=True):
        asked = f"{ask.method} {ask.url} {bases}"
        assert (asked, our.status, our.headers) == (asked, their.status, their.headers)
        assert (asked, our.body.decode().splitlines()) == (asked, their.body.decode().splitlines())
        assert our == their
