"""The coroutine functions that serve async views, and what they make for each request."""

from __future__ import annotations

from functools import partial, update_wrapper
from typing import Any

from django.http import HttpRequest
from django.views import View
from rest_framework.views import APIView

from restflow.flow import arun, blocking, call, learn_new_flow


def served(cls: type[APIView], initkwargs: dict[str, Any], sync_view: Any, actions: Any = None) -> Any:
    """Return the coroutine function that serves ``cls``.

    Args:
        cls: the view's class.
        initkwargs: attributes to set on each instance.
        sync_view: the view function that DRF made, whose attributes the new one carries.
        actions: a viewset's actions by HTTP method.
    """
    flow = partial(_serve, cls, initkwargs, actions)

    async def view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return await arun(flow(request, *args, **kwargs))

    learn_new_flow(view, flow)  # which our handler enters, to drive it together with what is around it
    return update_wrapper(view, sync_view)


async def _serve(
    cls: type[APIView], initkwargs: dict[str, Any], actions: Any, request: HttpRequest, *args: Any, **kwargs: Any
) -> Any:
    make: Any = _set_up if actions is None else _set_up_viewset
    if cls.__init__ is View.__init__ and cls.setup is View.setup:
        view = make(cls, initkwargs, actions, request, *args, **kwargs)
    else:
        view = await blocking(make, cls, initkwargs, actions, request, *args, **kwargs)
    return await call(view.dispatch, request, *args, **kwargs)


def _set_up(
    cls: type[APIView], initkwargs: dict[str, Any], actions: None, request: HttpRequest, *args: Any, **kwargs: Any
) -> APIView:
    """Make a view for one request. Source: Django, views/generic/base.py, ``View.as_view``."""
    view = cls(**initkwargs)
    view.setup(request, *args, **kwargs)
    if not hasattr(view, "request"):
        raise AttributeError(
            f"{cls.__name__} instance has no 'request' attribute. Did you override setup() and forget to call super()?"
        )
    return view


def _set_up_viewset(
    cls: type[APIView],
    initkwargs: dict[str, Any],
    actions: dict[str, str],
    request: HttpRequest,
    *args: Any,
    **kwargs: Any,
) -> APIView:
    """Make a viewset for one request. Source: DRF 3.18, viewsets.py, ``ViewSetMixin.as_view``."""
    view: Any = cls(**initkwargs)
    if "get" in actions and "head" not in actions:
        actions["head"] = actions["get"]
    view.action_map = actions
    for method, action in actions.items():
        setattr(view, method, getattr(view, action))
    view.request, view.args, view.kwargs = request, args, kwargs
    made: APIView = view
    return made
