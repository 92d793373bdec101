"""The middleware chain as one flow. Each layer turns exceptions into responses, a full thread pool into a 503.

Calls the hooks of middleware as steps, in place or in the thread (``known.py`` lists those of Django's that never
block), and a class with its own ``__call__`` as a whole. Created and driven by our ASGI handler.

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

from restflow.flow import Overloaded, always, arun, asked, awaited, blocking, held, may_block_here, run, unchanged
from restflow.flow.natures import nature_of
from restflow.middleware.known import django_writes, know

Layer = Callable[[Any], Coroutine[Any, Any, Any]]
"""A flow from a request to a response, which raises only exceptions that Django lets through too."""

logger = logging.getLogger("django.request")
_RETRY_AFTER = 1  # seconds
_Mixin: Any = MiddlewareMixin


@dataclass
class Chain:
    """The middleware of a project.

    Attributes:
        layer: the outermost layer.
        view_hooks: the ``process_view`` methods, in the order in which they are called; likewise the other two lists.
    """

    layer: Layer
    view_hooks: list[Any] = field(default_factory=list)
    template_response_hooks: list[Any] = field(default_factory=list)
    exception_hooks: list[Any] = field(default_factory=list)


def load(innermost: Layer) -> Chain:
    """Create the middleware in the settings, around ``innermost``.

    Args:
        innermost: the flow that resolves and calls the view.

    Returns:
        The chain.

    Raises:
        ImproperlyConfigured: a middleware factory returned None.
        RuntimeError: a middleware is neither sync nor async.
    """
    chain = Chain(inner := guarded(innermost))
    neighbours: list[Any] = []  # adjacent middleware that only has hooks, around `inner`
    inner_is_async = True
    for path in reversed(settings.MIDDLEWARE):
        factory: Any = import_string(path)
        can_sync, can_async = getattr(factory, "sync_capable", True), getattr(factory, "async_capable", False)
        if not can_sync and not can_async:
            raise RuntimeError(f"Middleware {path} must have at least one of sync_capable/async_capable set to True.")
        # Django's rule: a middleware that can be both is async if what is inside it is.
        is_async = can_async and (inner_is_async or not can_sync)
        get_response = (_async_way_to if is_async else _sync_way_to)(chain.layer)
        try:
            middleware = factory(get_response)
        except MiddlewareNotUsed as reason:
            if settings.DEBUG:
                _log_not_used(path, str(reason))
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
        # One that puts something around the rest of the chain calls it itself.
        if is_hooks_alone(type(middleware)) and vars(middleware).get("get_response") is get_response:
            neighbours.insert(0, middleware)
        else:
            neighbours, inner = [], guarded(_whole(middleware, is_async))
        chain.layer = _hooks_of(neighbours, inner) if neighbours else inner
    return chain


def _log_not_used(path: str, reason: str) -> None:
    if reason:
        logger.debug("MiddlewareNotUsed(%r): %s", path, reason)
    else:
        logger.debug("MiddlewareNotUsed: %r", path)


def is_hooks_alone(cls: type) -> bool:
    """Tell whether middleware of this class only has the hooks of ``MiddlewareMixin``, called in its way."""
    made: Any = cls
    return issubclass(cls, MiddlewareMixin) and made.__call__ is _Mixin.__call__ and made.__acall__ is _Mixin.__acall__


def guarded(flow: Layer) -> Layer:
    """Wrap ``flow`` so that its exceptions become responses."""

    async def layer(request: Any) -> Any:
        try:
            return await flow(request)
        except Exception as error:
            return await converted(request, error)

    return layer


async def converted(request: Any, error: Exception) -> Any:
    """Return the response for an exception."""
    if isinstance(error, Overloaded):
        response = HttpResponse(status=503, headers={"Retry-After": str(_RETRY_AFTER)})
        response._has_been_logged = True  # type: ignore[attr-defined]  # logging may need the thread that there isn't
        return response
    return await blocking(_response_for, request, error)


def _response_for(request: Any, error: Exception) -> Any:
    try:
        raise error  # so that sys.exc_info(), which Django reads, has it
    except Exception:
        return response_for_exception(request, error)
    finally:
        del error  # breaks a reference cycle with this frame


def _hooks_of(neighbours: list[Any], inner: Layer) -> Layer:
    """Combine middleware that only has hooks into one flow, in which each layer still converts its own exceptions.

    Args:
        neighbours: the middleware, the outermost first.
        inner: the layer inside them.
    """
    befores = [_caller_of_hook(each, "process_request") for each in neighbours]
    afters = [_caller_of_hook(each, "process_response") for each in neighbours]

    async def layer(request: Any) -> Any:
        response: Any = None
        error: Exception | None = None
        at = -1  # the index of the middleware whose layer this is in
        try:
            for before in befores:
                at += 1
                response = before(request)
                if type(response) is CoroutineType:
                    response = await response
                if response:
                    break
            else:
                response = await inner(request)
        except Exception as raised:
            error = raised
        try:
            return await _outwards(afters[: at + 1], request, response, error)
        finally:
            del error  # breaks a reference cycle with this frame

    return layer


async def _outwards(afters: list[Any], request: Any, response: Any, error: Exception | None) -> Any:
    """Pass a response or an error outwards; each layer converts what was raised inside it, or by itself.

    Args:
        afters: functions that call the ``process_response`` of the layers that the request reached, the outermost
            first.
    """
    for ask in reversed(afters):
        try:
            if error is None:
                response = ask(request, response)
                if type(response) is CoroutineType:
                    response = await response
        except Exception as raised:
            error = raised
        if error is not None:
            try:
                response, error = await converted(request, error), None
            except Exception as raised:
                error = raised
    try:
        if error is not None:
            raise error
        return response
    finally:
        del error


def _caller_of_hook(middleware: Any, name: str) -> Callable[..., Any]:
    """Return a function that calls a hook, as ``asked`` does; without a ``process_response``, it returns the response.

    What is known of Django's function is looked up here; a request only checks that it is still the same function.
    """
    cls = type(middleware)
    function: Any = held(cls, name)
    when = nature_of(function).never_blocks if django_writes(cls, name) else None
    is_unchanged = unchanged(cls, [name])

    def ask(*args: Any) -> Any:
        if when is None or name in vars(middleware) or not is_unchanged():
            method = getattr(middleware, name, None)
            return (args[1] if len(args) > 1 else None) if method is None else asked(method, *args)
        if when is always or may_block_here() or when(middleware, *args):
            return function(middleware, *args)
        return asked(getattr(middleware, name), *args)

    return ask


def _whole(middleware: Any, is_async: bool) -> Layer:
    """Return the layer of a middleware that calls the rest of the chain itself."""

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
        """Run the rest of the chain in this thread, in which the middleware waits; async code goes to the loop."""
        return run(inner(request))

    return get_response
