"""Responses, and where they are rendered."""

from __future__ import annotations

import datetime
import decimal
import types
import uuid
from collections.abc import Awaitable, Generator
from typing import Any, TypeVar

from django.core.exceptions import SynchronousOnlyOperation
from django.http import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from rest_framework import response as drf
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder

from restflow.flow import arun, blocking, learn_flow, marked_async, may_block_here, never_blocks, on_loop, run

__all__ = ["Response"]

_R = TypeVar("_R", bound=HttpResponseBase)
_DRFS_RENDER = JSONRenderer.render
_DRFS_GET_INDENT: Any = JSONRenderer.get_indent


class Response(drf.Response):
    """DRF's ``Response``. An async view renders it, as it does DRF's own, on the event loop where that can't block.

    Source: DRF 3.18, response.py.
    """


def rendered_where_it_belongs(response: _R) -> _R:
    """Have Django render ``response`` on the event loop where its renderer can't block, else in the worker thread.

    Args:
        response: what an async view's dispatch returns. One that is no DRF response, is rendered already or has a
            ``render`` of its own is left alone.

    Returns:
        The same response. Its ``render`` is a coroutine function for Django's async handler; where no event loop runs,
        it renders at once, as DRF's does.
    """
    if (
        isinstance(response, drf.Response)
        and type(response).render is SimpleTemplateResponse.render
        and not response.is_rendered
    ):
        response.render = types.MethodType(_render, response)  # type: ignore[method-assign]
    return response


@marked_async
def _render(response: drf.Response) -> Any:
    del response.render  # it has served: a rendered response is pickled for the cache
    if not on_loop():
        return run(blocking(SimpleTemplateResponse.render, response))
    if _rendered_in_place(response):
        return _Rendered(response)
    return arun(blocking(SimpleTemplateResponse.render, response))


async def _rendering(response: drf.Response) -> Any:
    """Do what ``_render`` does, as a part of the flow of our handler."""
    del response.render
    if may_block_here() or not _rendered_in_place(response):
        return await blocking(SimpleTemplateResponse.render, response)
    return response


learn_flow(_render, _rendering)


class _Rendered(Awaitable[drf.Response]):
    """A response that is rendered by the time anyone awaits it."""

    def __init__(self, response: drf.Response) -> None:
        self.response = response

    def __await__(self) -> Generator[Any, Any, drf.Response]:
        return self.response
        yield


def _rendered_in_place(response: Any) -> bool:
    renderer: Any = getattr(response, "accepted_renderer", None)
    cls = type(renderer)
    if response._post_render_callbacks or type(response).rendered_content is not drf.Response.rendered_content:
        return False
    in_place: Any
    if (
        cls is JSONRenderer
        and not renderer.__dict__
        and cls.render is _DRFS_RENDER
        and cls.get_indent is _DRFS_GET_INDENT
        and cls.encoder_class is JSONEncoder
    ):
        in_place = _IN_PLACE
    else:
        if not never_blocks(cls.render, renderer):
            return False
        if cls.render is not JSONRenderer.render:  # a renderer that its author marked
            response.render()
            return True
        if renderer.encoder_class is not JSONEncoder:
            return False
        in_place = object.__new__(cls)  # the view may share its renderer between requests
        vars(in_place).update(vars(renderer), encoder_class=_InPlaceEncoder)
    response.accepted_renderer = in_place
    try:
        response.render()
    except (_MayBlock, SynchronousOnlyOperation):
        return False
    finally:
        response.accepted_renderer = renderer
    return True


class _MayBlock(Exception):
    """The data hold something that may query when it is rendered."""


class _InPlaceEncoder(JSONEncoder):
    """DRF's encoder, which stops before it touches anything that may block: a query set, a generator, a lazy string."""

    _harmless = (
        bytes,
        datetime.date,
        datetime.datetime,
        datetime.time,
        datetime.timedelta,
        decimal.Decimal,
        uuid.UUID,
    )

    def default(self, obj: Any) -> Any:
        if issubclass(type(obj), self._harmless):  # isinstance would believe a lazy object
            return super().default(obj)
        raise _MayBlock


def _get_indent(media_type: Any, context: Any) -> Any:
    """Return the indent as DRF does, which parses a media type's parameters where it has none too."""
    if media_type and ";" in media_type:
        return _DRFS_GET_INDENT(None, media_type, context)
    return context.get("indent", None)


_IN_PLACE: Any = JSONRenderer()
_IN_PLACE.encoder_class = _InPlaceEncoder
_IN_PLACE.get_indent = _get_indent
