"""Responses, and where they are rendered: small JSON on the event loop, everything else in the worker thread.

Calls renderers and the callbacks of a response. Views pass each response through here before Django's handler renders
it.
"""

from __future__ import annotations

import copy
import types
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from django.http import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from rest_framework import response as drf
from rest_framework.renderers import AdminRenderer, JSONRenderer
from rest_framework.utils.encoders import JSONEncoder

from restflow.flow import (
    TwoColoured,
    arun,
    asynchronous,
    blocking,
    call,
    callable_from_sync,
    learn,
    marked_async,
    never_blocks,
    on_loop,
    plan_of,
    run,
    sync,
)
from restflow.large import EncoderInTurns, is_light
from restflow.streams import (
    EventStreamRenderer,
    NDJSONRenderer,
    NDJSONResponse,
    ServerSentEvent,
    SSEResponse,
    StreamingJSONListResponse,
    get_last_event_id,
)

__all__ = [
    "EventStreamRenderer",
    "NDJSONRenderer",
    "NDJSONResponse",
    "Response",
    "SSEResponse",
    "ServerSentEvent",
    "StreamingJSONListResponse",
    "get_last_event_id",
]
__dir__ = __all__.copy

_R = TypeVar("_R", bound=HttpResponseBase)
_DRFS_RENDER = JSONRenderer.render
_DRFS_GET_INDENT: Any = JSONRenderer.get_indent


async def _rendered(response: Any) -> Any:
    """Render a response, and call its callbacks, of either colour."""
    answer = response
    if not response.is_rendered:
        if not _filled_in_place(response):
            await blocking(_fill_in_thread, response)
        for callback in response._post_render_callbacks:
            replacement = await call(callback, answer)
            if replacement is not None:
                answer = replacement
    return answer


class Response(TwoColoured, drf.Response, hooks=("render",)):
    """DRF's ``Response``, rendered in either colour, with callbacks of either colour.

    An async view renders it, like DRF's own, on the event loop if that can't block, otherwise in the worker thread.

    Source: DRF 3.18, response.py.
    """

    @sync
    async def render(self) -> Any:
        """Render the content, and call the callbacks of ``add_post_render_callback`` in order; only once.

        Returns:
            The response, or the last result of a callback that is not None.

        Source: Django, template/response.py, ``SimpleTemplateResponse.render``.
        """
        return await _rendered(self)

    arender = asynchronous(render)

    def add_post_render_callback(self, callback: Callable[[Any], Any]) -> None:
        """Register a callback, to be called once the response is rendered; at once if it already is.

        Args:
            callback: called with the response, sync or ``async def``. If it returns anything, that replaces the
                response.

        Raises:
            RuntimeError: the callback is async, the response already rendered, and an event loop runs: it would not be
                awaited.

        Source: Django, template/response.py, ``SimpleTemplateResponse.add_post_render_callback``.
        """
        if self.is_rendered:
            run(call(callback, self))
        else:
            super().add_post_render_callback(callback)


_RENDERS: tuple[Any, ...] = (SimpleTemplateResponse.render, Response.render)


def rendered_where_it_belongs(response: _R) -> _R:
    """Make Django render ``response`` on the event loop if that can't block, otherwise in the worker thread.

    Args:
        response: what an async view's dispatch returned. If it is not a DRF response, is already rendered or has a
            ``render`` of its own, it is left unchanged.

    Returns:
        The same response. Its ``render`` is a coroutine function for Django's async handler; if no event loop runs, it
        renders at once, as DRF's does.
    """
    if isinstance(response, drf.Response) and type(response).render in _RENDERS and not response.is_rendered:
        response.render = types.MethodType(_render, response)  # type: ignore[method-assign]
    return response


@marked_async
def _render(response: Any) -> Any:
    """Render, as the response's own ``render``: for Django's handlers, which await what it returns."""
    _begin_to_render(response)
    if not on_loop():
        return run(_rendered(response))
    if not response._post_render_callbacks and _filled_in_place(response):
        return _Finished(response)
    return arun(_rendered(response))


async def _render_as_flow(response: Any) -> Any:
    """Do the same as part of the flow of our ASGI handler, which finds this through ``learn``."""
    _begin_to_render(response)
    return await _rendered(response)


learn(_render, flow=_render_as_flow)


def _begin_to_render(response: Any) -> None:
    del response.render  # no longer needed, and a rendered response must be picklable for the cache
    renderer = getattr(response, "accepted_renderer", None)
    plan_of(type(renderer))
    if isinstance(renderer, AdminRenderer):
        _have_get_awaited(response)


def _have_get_awaited(response: Any) -> None:
    """Wrap the view's ``get`` to return a response: beside an invalid form, DRF's admin shows what a GET would show."""
    view: Any = response.renderer_context["view"]
    if hasattr(view, "get"):
        view.get = callable_from_sync(view.get)


class _Finished(Awaitable[drf.Response]):
    """An awaitable for a response that has been rendered already."""

    def __init__(self, response: drf.Response) -> None:
        self.response = response

    def __await__(self) -> Generator[Any, Any, drf.Response]:
        return self.response
        yield


def _filled_in_place(response: Any) -> bool:
    """Render the content if that can't block, and tell whether it has been rendered."""
    renderer = _renderer_of(response)
    if (writer := _json_writer(renderer)) is not None:
        if is_light(response.data):
            _fill_by(writer, response)
    elif renderer is not None and _is_said_not_to_block(renderer):
        response.content = response.rendered_content
    return bool(response.is_rendered)


def _fill_in_thread(response: Any) -> None:
    """Render the content where it may block; large JSON in a way that lets the event loop run."""
    renderer = _renderer_of(response)
    if _json_writer(renderer) is not None:
        in_turns = copy.copy(renderer)  # a copy, since a view may share one renderer between requests
        in_turns.encoder_class = EncoderInTurns
        _fill_by(in_turns, response)
    else:
        response.content = response.rendered_content


def _fill_by(renderer: Any, response: Any) -> None:
    own, response.accepted_renderer = response.accepted_renderer, renderer
    try:
        response.content = response.rendered_content
    finally:
        response.accepted_renderer = own


def _renderer_of(response: Any) -> Any:
    """Return the renderer; None if there is none, or if the response renders itself in its own way."""
    if type(response).rendered_content is not drf.Response.rendered_content:
        return None
    return getattr(response, "accepted_renderer", None)


def _json_writer(renderer: Any) -> Any:
    """Return a renderer for the same JSON if this one runs only DRF's code, with DRF's encoder; otherwise None."""
    cls: Any = type(renderer)
    if not issubclass(cls, JSONRenderer) or cls.render is not _DRFS_RENDER or renderer.encoder_class is not JSONEncoder:
        return None
    if cls is JSONRenderer and not renderer.__dict__ and cls.get_indent is _DRFS_GET_INDENT:
        return _PLAIN_RENDERER
    return renderer if never_blocks(_DRFS_RENDER, renderer) else None


def _is_said_not_to_block(renderer: Any) -> bool:
    """Tell whether a renderer's author marked it as non-blocking; DRF's own are known only with DRF's encoder."""
    render = type(renderer).render
    return render is not JSONRenderer.render and never_blocks(render, renderer)


def _get_indent(media_type: Any, context: Any) -> Any:
    """Return the same indent as DRF, without parsing a media type that has no parameters."""
    if media_type and ";" in media_type:
        return _DRFS_GET_INDENT(None, media_type, context)
    return context.get("indent", None)


_PLAIN_RENDERER: Any = JSONRenderer()
_PLAIN_RENDERER.get_indent = _get_indent
