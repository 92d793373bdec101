"""What restflow knows of DRF's views: which of their functions never block.

Source: DRF 3.18 (``views.py``, ``generics.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connections
from rest_framework import generics, views

from restflow.drf import all_made_in_place, is_inert, is_plain_list
from restflow.flow import is_computed, nonblocking

_APIView: Any = views.APIView


def _all_made_in_place(name: str) -> Any:
    def predicate(view: Any, *args: Any, **kwargs: Any) -> bool:
        cls: Any = type(view)
        if is_computed(cls, name):
            return False
        classes: Any = view.__dict__.get(name) or getattr(cls, name, None)
        return is_plain_list(classes) and all_made_in_place(classes)

    return predicate


def _negotiator_is_made_in_place(view: Any) -> bool:
    own, cls = view.__dict__, type(view)
    if "_negotiator" in own:
        return True
    if is_computed(cls, "content_negotiation_class"):
        return False
    return all_made_in_place((own.get("content_negotiation_class") or cls.content_negotiation_class,))


def _knows_the_authenticator(view: Any, request: Any, message: Any = None, code: Any = None) -> bool:
    known = not request.authenticators or "_authenticator" in vars(request)
    return known and is_inert(message) and is_inert(code)


def _touches_no_connection(*args: Any, **kwargs: Any) -> bool:
    return not any(settings["ATOMIC_REQUESTS"] for settings in connections.settings.values())


def _keeps_allowed_methods(view: Any) -> bool:
    cls = type(view)
    return (
        not (is_computed(cls, "http_method_names") or is_computed(cls, "renderer_classes"))
        and cls.allowed_methods is _APIView.allowed_methods
        and cls._allowed_methods is _APIView._allowed_methods
        and is_plain_list(cls.http_method_names)
        and is_plain_list(view.__dict__.get("renderer_classes") or cls.renderer_classes)
    )


def mark_drfs_views() -> None:
    """Mark the functions of DRF's views that never block. Source: DRF 3.18, views.py and generics.py."""
    function: Callable[..., Any]
    for function in (
        generics.GenericAPIView.get_serializer_context,
        _APIView.get_exception_handler,
        _APIView.get_exception_handler_context,
        _APIView.get_format_suffix,
        _APIView.get_parser_context,
        _APIView.get_renderer_context,
        _APIView.http_method_not_allowed,
        _APIView.raise_uncaught_exception,
        _APIView.throttled,
    ):
        nonblocking(function)

    for name in ("authenticators", "parsers", "permissions", "renderers", "throttles"):
        attribute = {"authenticators": "authentication"}.get(name, name[:-1]) + "_classes"
        nonblocking(when=_all_made_in_place(attribute))(getattr(_APIView, f"get_{name}"))

    nonblocking(when=_negotiator_is_made_in_place)(_APIView.get_content_negotiator)
    nonblocking(when=_knows_the_authenticator)(_APIView.permission_denied)
    nonblocking(when=_touches_no_connection)(views.exception_handler)
    nonblocking(when=_keeps_allowed_methods)(_APIView.allowed_methods.fget)
    nonblocking(when=_keeps_allowed_methods)(_APIView.default_response_headers.fget)
