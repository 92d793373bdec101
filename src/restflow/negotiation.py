"""DRF's content negotiation, with its choices remembered: DRF parses all media types anew for each request.

Reads the request and calls DRF. Called by ``views/base.py`` and ``views/fast.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from rest_framework import exceptions
from rest_framework import negotiation as drf

from restflow.flow import hook, unchanged
from restflow.flow.trust import is_frameworks_function
from restflow.request import Request

__all__ = ["chosen_before", "negotiate"]

_Default: Any = drf.DefaultContentNegotiation
_limits_of = attrgetter("max_accept_header_length", "max_accept_tokens", "max_media_type_length")
_media_type_of = attrgetter("media_type")
_STRINGS = frozenset({str})
_DJANGOS = frozenset({ASGIRequest, WSGIRequest})
_LONGEST_REMEMBERED = 256  # characters; browsers' Accept headers have half of that

# The functions of DRF that make the choice.
_DRFS_CODE = (
    "DefaultContentNegotiation.select_renderer",
    "DefaultContentNegotiation._get_parsed_accept_list",
    "DefaultContentNegotiation.get_accept_list",
    "_MediaType.__init__",
    "_MediaType.match",
    "_MediaType.precedence",
    *(name for name in vars(drf) if name.startswith(("media_type_", "order_"))),
)
_is_as_imported = unchanged(drf, _DRFS_CODE)
_was_drfs = all(is_frameworks_function(getattr(raw, "fget", raw)) for raw in attrgetter(*_DRFS_CODE)(drf))


class _Accept:
    """Everything that DRF's negotiation reads from a request whose URL specifies no format."""

    query_params: Mapping[str, str] = MappingProxyType({})

    def __init__(self, header: str) -> None:
        self.headers = {"accept": header}


class _Renderer:
    """Everything that DRF's negotiation reads from a renderer if no format is specified."""

    def __init__(self, media_type: str) -> None:
        self.media_type = media_type


@lru_cache(maxsize=512)
def _choice(accept: str, media_types: tuple[str, ...], limits: tuple[int, ...]) -> tuple[int, str] | None:
    """Return the index of the renderer that DRF chooses, and its media type; None if it chooses none."""
    renderers = [*map(_Renderer, media_types)]
    try:
        chosen, media_type = _Default().select_renderer(_Accept(accept), renderers)
    except exceptions.NotAcceptable:
        return None
    return renderers.index(chosen), media_type


def chosen_before(
    request: Any, renderers: Sequence[Any], negotiator: Any, format_suffix: Any
) -> tuple[Any, str] | None:
    """Return the cached choice of DRF's default negotiation for this Accept header and these media types.

    Args:
        renderers: the view's renderers.
        negotiator: the view's content negotiation.
        format_suffix: the format in the URL's suffix, if any.

    Returns:
        The renderer and the media type, found without running a project's code; None if that is not possible.

    Raises:
        NotAcceptable: DRF chose none of the renderers.

    Source: DRF 3.18, negotiation.py, ``DefaultContentNegotiation.select_renderer``.
    """
    if (
        format_suffix
        or type(renderers) is not list
        or type(negotiator) is not _Default
        or negotiator.__dict__
        or type(request) is not Request
        or "headers" in vars(request)
        or type(request._request) not in _DJANGOS
        or not (_was_drfs and _is_as_imported())
        or _names_a_format(request, negotiator)
    ):
        return None
    http_request: Any = request._request
    own = vars(http_request)
    # From META: `request.headers` would parse all headers, which costs more than the negotiation.
    headers, name = (own["headers"], "accept") if "headers" in own else (http_request.META, "HTTP_ACCEPT")
    accept, media_types = headers.get(name, "*/*"), (*map(_media_type_of, renderers),)
    if len(accept) > _LONGEST_REMEMBERED or not _STRINGS.issuperset(map(type, media_types)):
        return None
    choice = _choice(accept, media_types, _limits_of(negotiator))
    if choice is None:  # raised here, because calling DRF would parse the header a second time
        raise exceptions.NotAcceptable(available_renderers=renderers)
    return renderers[choice[0]], choice[1]


def _names_a_format(request: Request, negotiator: drf.DefaultContentNegotiation) -> bool:
    http_request: Any = request._request
    if not (http_request.META.get("QUERY_STRING") or "GET" in vars(http_request)):
        return False
    name: Any = negotiator.settings.URL_FORMAT_OVERRIDE
    return bool(request.query_params.get(name))


async def negotiate(view: Any, request: Any, renderers: Sequence[Any], negotiator: Any) -> tuple[Any, str]:
    """Choose the renderer and the media type of a response.

    Args:
        view: the view; its ``format_kwarg`` is the format in the URL's suffix, if any.
        renderers: the view's renderers.
        negotiator: the view's content negotiation, of either colour.

    Returns:
        The renderer and the media type.

    Raises:
        NotAcceptable: no renderer produces a media type that the client accepts.
        Http404: the view has no renderer for the requested format.
    """
    chosen = chosen_before(request, renderers, negotiator, view.format_kwarg)
    return chosen or await hook(negotiator, "select_renderer", request, renderers, view.format_kwarg)
