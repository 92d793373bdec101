"""The chain of middleware: one flow, each layer of which awaits the next and answers errors, as 503 if too many wait.

Calls middleware: its hooks in place or in the thread, as steps (``known.py`` says which of Django's never block); a
class with a ``__call__`` of its own as a whole. Our ASGI handler makes the chain and drives it.

Source: Django 5.2 to 6.1, core/handlers/base.py, ``BaseHandler.load_middleware``; core/handlers/exception.py,
``convert_exception_to_response``; utils/deprecation.py, ``MiddlewareMixin``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from types import CoroutineType
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, MiddlewareNotUsed
from django.core.handlers.exception import response_for_exception
from django.http import HttpResponse
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string

from restflow.flow import Overloaded, arun, asked, awaited, blocking, run
from restflow.middleware.known import know

Layer = Callable[[Any], Coroutine[Any, Any, Any]]
"""A flow from a request to a response, which raises only what Django lets through too."""

logger = logging.getLogger("django.request")
_RETRY_AFTER = 1  # seconds
_Mixin: Any = MiddlewareMixin


@dataclass
class Chain:
    """The middleware of a project.

    Attributes:
        layer: the outermost layer.
        view_hooks: the methods ``process_view``, in the order they are asked; likewise the two others.
    """

    layer: Layer
    view_hooks: list[Any] = field(default_factory=list)
    template_response_hooks: list[Any] = field(default_factory=list)
    exception_hooks: list[Any] = field(default_factory=list)


def load(innermost: Layer) -> Chain:
    """Make the middleware that the settings name, around ``innermost``.

    Args:
        innermost: the flow that resolves and calls the view.

    Returns:
        The chain.

    Raises:
        ImproperlyConfigured: a middleware factory returned None.
        RuntimeError: a middleware is neither sync nor async.
    """
    chain = Chain(guarded(innermost))
    inner_is_async = True
    for path in reversed(settings.MIDDLEWARE):
        factory: Any = import_string(path)
        can_sync, can_async = getattr(factory, "sync_capable", True), getattr(factory, "async_capable", False)
        if not can_sync and not can_async:
            raise RuntimeError(f"Middleware {path} must have at least one of sync_capable/async_capable set to True.")
        # Which colour a middleware gets is Django's decision: it follows what is inside it, where it can be both.
        is_async = can_async and (inner_is_async or not can_sync)
        try:
            middleware = factory((_async_way_to if is_async else _sync_way_to)(chain.layer))
        except MiddlewareNotUsed as reason:
            if settings.DEBUG:
                logger.debug("MiddlewareNotUsed: %r%s", path, f": {reason}" if str(reason) else "")
            continue
        if middleware is None:
            raise ImproperlyConfigured(f"Middleware factory {path} returned None.")
        inner_is_async = is_async
        know(type(middleware))
        if hasattr(middleware, "process_view"):
            chain.view_hooks.insert(0, middleware.process_view)
        if hasattr(middleware, "process_template_response"):
            chain.template_response_hooks.append(middleware.process_template_response)
        if hasattr(middleware, "process_exception"):
            chain.exception_hooks.append(middleware.process_exception)
        if is_hooks_alone(type(middleware)):
            chain.layer = _hooks(middleware, chain.layer)
        else:
            chain.layer = guarded(_whole(middleware, is_async))
    return chain


def is_hooks_alone(cls: type) -> bool:
    """Tell whether a middleware of this class is the hooks of ``MiddlewareMixin``, called as that calls them."""
    made: Any = cls
    return issubclass(cls, MiddlewareMixin) and made.__call__ is _Mixin.__call__ and made.__acall__ is _Mixin.__acall__


def guarded(flow: Layer) -> Layer:
    """Return ``flow`` with its exceptions turned into responses."""

    async def layer(request: Any) -> Any:
        try:
            return await flow(request)
        except Exception as error:
            return await converted(request, error)

    return layer


async def converted(request: Any, error: Exception) -> Any:
    """Return the response to an exception."""
    if isinstance(error, Overloaded):
        response = HttpResponse(status=503, headers={"Retry-After": str(_RETRY_AFTER)})
        response._has_been_logged = True  # type: ignore[attr-defined]  # logging may need the thread that there isn't
        return response
    return await blocking(_response_for, request, error)


def _response_for(request: Any, error: Exception) -> Any:
    try:
        raise error  # Django looks for it in sys.exc_info()
    except Exception:
        return response_for_exception(request, error)
    finally:
        del error  # it holds this frame


def _hooks(middleware: Any, inner: Layer) -> Layer:
    """The layer of a middleware that is its hooks and nothing else, guarded."""

    async def layer(request: Any) -> Any:
        try:
            response = None
            if (process_request := getattr(middleware, "process_request", None)) is not None:
                response = asked(process_request, request)
                if type(response) is CoroutineType:
                    response = await response
            response = response or await inner(request)
            if (process_response := getattr(middleware, "process_response", None)) is not None:
                response = asked(process_response, request, response)
                if type(response) is CoroutineType:
                    response = await response
        except Exception as error:
            response = await converted(request, error)
        return response

    return layer


def _whole(middleware: Any, is_async: bool) -> Layer:
    """The layer of a middleware that calls the rest of the chain itself."""

    async def async_layer(request: Any) -> Any:
        return await awaited(middleware, request)

    async def sync_layer(request: Any) -> Any:
        return await blocking(middleware, request)

    return async_layer if is_async else sync_layer


def _async_way_to(inner: Layer) -> Any:
    async def get_response(request: Any) -> Any:
        return await arun(inner(request))

    return get_response


def _sync_way_to(inner: Layer) -> Any:
    def get_response(request: Any) -> Any:
        """Drive the rest in this thread, which the middleware keeps waiting: what is async goes to the event loop."""
        return run(inner(request))

    return get_response
