"""Makes the coroutine functions that serve async views. Each creates a view and drives its ``dispatch``.

Called by ``as_view``; the functions are called by Django's ASGI handler or ours.
"""

from __future__ import annotations

import types
from functools import partial, update_wrapper
from typing import Any

from django.http import HttpRequest
from django.views import View
from rest_framework.views import APIView

from restflow.flow import arun, blocking, call, insist_on_awaited, learn, remembered
from restflow.flow.refusals import refuse_lost_context
from restflow.streams import let_go


def make_async_view(cls: type[APIView], initkwargs: dict[str, Any], sync_view: Any, actions: Any = None) -> Any:
    """Return the coroutine function that serves ``cls``.

    Args:
        initkwargs: attributes to set on each instance.
        sync_view: the view function that DRF created, whose attributes the new one gets.
        actions: a viewset's actions by HTTP method.
    """
    flow = partial(_serve, cls, initkwargs, actions)

    async def view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return await arun(flow(request, *args, **kwargs))

    learn(view, flow=flow)  # our ASGI handler enters the flow, to drive it together with the middleware
    return update_wrapper(view, sync_view)


@remembered
def _look_at_wrapper(callback: types.FunctionType, name: str) -> None:
    """Refuse a sync context manager that the URLconf puts around a view: it would exit before the view runs."""
    refuse_lost_context(callback, f"{name}.as_view()")


async def _serve(
    cls: type[APIView], initkwargs: dict[str, Any], actions: Any, request: HttpRequest, *args: Any, **kwargs: Any
) -> Any:
    """Create a view, and return the response of its ``dispatch``; the flow of every async view."""
    if (match := request.resolver_match) is not None and type(match.func) is types.FunctionType:
        _look_at_wrapper(match.func, cls.__name__)
    make: Any = _set_up if actions is None else _set_up_viewset
    if cls.__init__ is View.__init__ and cls.setup is View.setup:  # only Django's code, which does not block
        view = make(cls, initkwargs, actions, request, *args, **kwargs)
    else:
        view = await blocking(make, cls, initkwargs, actions, request, *args, **kwargs)
    try:
        response = await call(view.dispatch, request, *args, **kwargs)
        insist_on_awaited(view)  # an override of dispatch may have called checks too
    except BaseException:
        let_go(request, None)
        raise
    let_go(request, response)  # an OpenStreamsThrottle may have counted it
    return response


def _set_up(
    cls: type[APIView], initkwargs: dict[str, Any], actions: None, request: HttpRequest, *args: Any, **kwargs: Any
) -> APIView:
    """Create a view for one request. Source: Django, views/generic/base.py, ``View.as_view``."""
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
    """Create a viewset for one request. Source: DRF 3.18, viewsets.py, ``ViewSetMixin.as_view``."""
    view: Any = cls(**initkwargs)
    if "get" in actions and "head" not in actions:
        actions["head"] = actions["get"]
    view.action_map = actions
    for method, action in actions.items():
        setattr(view, method, getattr(view, action))
    view.request, view.args, view.kwargs = request, args, kwargs
    made: APIView = view
    return made
