"""``api_view`` and ``action``: DRF's decorators, for functions of both colours."""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from rest_framework import decorators as drf

from restflow.flow import callable_from_sync, is_coroutine_function
from restflow.views.async_base import AsyncAPIView
from restflow.views.base import APIView

__all__ = ["action", "api_view"]

if TYPE_CHECKING:
    _F = TypeVar("_F", bound=Callable[..., Any])

    def action(
        methods: Sequence[str] | None = None,
        detail: bool | None = None,
        url_path: str | None = None,
        url_name: str | None = None,
        **kwargs: Any,
    ) -> Callable[[_F], _F]:
        """Mark a method of a viewset, of either colour, as an action that routers route; DRF's own ``action``."""
        ...

else:
    action = drf.action


def api_view(http_method_names: Sequence[str] | None = None) -> Callable[[Callable[..., Any]], Any]:
    """Turn a function into a view, which is sync or async like the function.

    DRF's policy decorators (``permission_classes``, …) go below it, as with DRF's ``api_view``.

    Args:
        http_method_names: the methods that the function handles; GET by default.

    Returns:
        A decorator, which returns the ``as_view()`` of an ``APIView`` or an ``AsyncAPIView``.

    Raises:
        TypeError: a policy decorator is above it.

    Source: DRF 3.18, decorators.py, ``api_view``.
    """
    names = ["GET"] if http_method_names is None else http_method_names

    def decorator(function: Callable[..., Any]) -> Any:
        is_async = is_coroutine_function(function)
        # A plain function may still return a coroutine: one under a project's decorator, say.
        for_drf = callable_from_sync(function) if type(function) is types.FunctionType and not is_async else function
        drfs: Any = drf.api_view(names)(for_drf)
        body = {name: value for name, value in vars(drfs.cls).items() if name not in {"__dict__", "__weakref__"}}
        base: type[APIView] = APIView
        if is_async:
            base = AsyncAPIView

            async def handler(self: Any, *args: Any, **kwargs: Any) -> Any:
                return await function(*args, **kwargs)

            body.update({name.lower(): handler for name in names})
        cls: Any = type(drfs.cls.__name__, (base,), body)
        return cls.as_view()

    return decorator
