"""One row for each method that a view may override, with all that the rest of the package knows of it.

Looks at views and their classes, and calls none of their code. The classes in ``base``, ``generics``, ``mixins`` and
``helpers`` take the names of their hooks from these rows. So do the lists of checks that must not be dropped, of
functions that never block, and of what a fast version depends on.

Source: DRF 3.18 (``views.py``, ``generics.py``, ``mixins.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rest_framework import generics, views

from restflow.drf import all_made_in_place, is_inert, is_plain_list, know, touches_no_connection
from restflow.flow import always, held, must_be_awaited

_APIView: Any = views.APIView


# Conditions under which DRF's function never blocks.


def _makes_in_place(name: str) -> Callable[..., bool]:
    def predicate(view: Any, *args: Any, **kwargs: Any) -> bool:
        classes: Any = view.__dict__.get(name) or held(type(view), name)
        return is_plain_list(classes) and all_made_in_place(classes)

    return predicate


def _negotiator_is_made_in_place(view: Any) -> bool:
    own = view.__dict__
    name = "content_negotiation_class"
    return "_negotiator" in own or all_made_in_place((own.get(name) or held(type(view), name),))


def _knows_the_authenticator(view: Any, request: Any, message: Any = None, code: Any = None) -> bool:
    known = not request.authenticators or "_authenticator" in vars(request)
    return known and is_inert(message) and is_inert(code)


def _keeps_allowed_methods(view: Any) -> bool:
    cls = type(view)
    return (
        cls.allowed_methods is _APIView.allowed_methods
        and cls._allowed_methods is _APIView._allowed_methods
        and is_plain_list(held(cls, "http_method_names"))
        and is_plain_list(view.__dict__.get("renderer_classes") or held(cls, "renderer_classes"))
    )


# Groups of hooks. A fast version does a group's work in place as long as none of its hooks is overridden.
BEGINNING = "beginning"  # what `dispatch` calls first
INITIAL = "initial"  # what `initial` calls, up to the policies
POLICIES = "policies"  # permissions and throttles
END = "end"  # what follows the handler
SERIALIZERS = "serializers"  # what `build` calls


@dataclass(frozen=True)
class Hook:
    """A method that a view may override, in either colour and under either name.

    Attributes:
        name: its sync name.
        group: the group that fast versions compare as a whole; "" if the hook is always called.
        for_effect: whether it is called for its effect, so that a coroutine that is not awaited is a check skipped.
        must_be_awaited: whether async code must await the result of its async method; implied by ``for_effect``.
        never_blocks: a predicate of the arguments of DRF's own function, true if it does not block; None if it may.
    """

    name: str
    group: str = ""
    for_effect: bool = False
    must_be_awaited: bool = False
    never_blocks: Callable[..., bool] | None = None


# In the order in which a request reaches them.
OF_VIEWS = (
    Hook("initialize_request", BEGINNING),
    Hook("get_parser_context", BEGINNING, never_blocks=always),
    Hook("get_parsers", BEGINNING, never_blocks=_makes_in_place("parser_classes")),
    Hook("get_authenticators", BEGINNING, never_blocks=_makes_in_place("authentication_classes")),
    Hook("get_content_negotiator", INITIAL, never_blocks=_negotiator_is_made_in_place),
    Hook("initial", BEGINNING, for_effect=True),
    Hook("get_format_suffix", INITIAL, never_blocks=always),
    Hook("perform_content_negotiation", INITIAL),
    Hook("get_renderers", INITIAL, never_blocks=_makes_in_place("renderer_classes")),
    Hook("determine_version", INITIAL),
    Hook("perform_authentication", INITIAL, for_effect=True),
    Hook("check_permissions", POLICIES, for_effect=True),
    Hook("get_permissions", POLICIES, never_blocks=_makes_in_place("permission_classes")),
    Hook("check_object_permissions", for_effect=True),
    Hook("permission_denied", for_effect=True, never_blocks=_knows_the_authenticator),
    Hook("check_throttles", POLICIES, for_effect=True),
    Hook("get_throttles", POLICIES, never_blocks=_makes_in_place("throttle_classes")),
    Hook("throttled", for_effect=True, never_blocks=always),
    Hook("http_method_not_allowed", never_blocks=always),
    Hook("handle_exception"),
    Hook("get_authenticate_header"),
    Hook("get_exception_handler", never_blocks=always),
    Hook("get_exception_handler_context", never_blocks=always),
    Hook("raise_uncaught_exception", never_blocks=always),
    Hook("finalize_response", END),
    Hook("get_renderer_context", END, never_blocks=always),
    Hook("get_view_name"),
    Hook("get_view_description"),
)

OF_HELPERS = (
    Hook("get_serializer", SERIALIZERS),
    Hook("get_serializer_class", SERIALIZERS),
    Hook("get_request_serializer_class", SERIALIZERS),
    Hook("get_response_serializer_class", SERIALIZERS),
    Hook("get_context", SERIALIZERS),
    Hook("get_pagination_class"),
    Hook("validated_serializer"),
    Hook("serialized_response"),
    Hook("paginated_response"),
    Hook("streamed_response"),
    Hook("perform_post_fetches"),
)

OF_CREATE = (Hook("perform_create", for_effect=True), Hook("get_success_headers"))
OF_UPDATE = (Hook("perform_update", for_effect=True),)
OF_DESTROY = (Hook("perform_destroy", for_effect=True),)

OF_GENERIC_VIEWS = (
    Hook("get_queryset"),
    Hook("get_object", must_be_awaited=True),
    Hook("check_precondition", for_effect=True),
    Hook("filter_queryset"),
    Hook("paginate_queryset"),
    Hook("get_paginated_response"),
    Hook("get_serializer_context", SERIALIZERS, never_blocks=always),
    *OF_CREATE,
    *OF_UPDATE,
    *OF_DESTROY,
)

ACTIONS = ("create", "destroy", "list", "partial_update", "retrieve", "update")
"""The methods of the model mixins, which have one name in both colours; DRF's routers know them by it."""


def names(rows: tuple[Hook, ...], *groups: str) -> tuple[str, ...]:
    """Return the names of hooks.

    Args:
        rows: one of the tables of this module.
        groups: the groups to include; all by default.
    """
    return tuple(row.name for row in rows if not groups or row.group in groups)


_ALL = (*OF_VIEWS, *OF_HELPERS, *OF_GENERIC_VIEWS)

CALLED_FOR_EFFECT = tuple(row.name for row in _ALL if row.for_effect)
"""Methods that DRF's sync code and handlers call for their effect: if one returns a coroutine, a check is skipped."""


must_be_awaited(*(row.name for row in _ALL if row.for_effect or row.must_be_awaited), is_view=True)

for _row in _ALL:
    if _row.never_blocks is not None:
        know(getattr(generics.GenericAPIView, _row.name), _row.never_blocks)
know(views.exception_handler, touches_no_connection)
know(_APIView.allowed_methods.fget, _keeps_allowed_methods)
know(_APIView.default_response_headers.fget, _keeps_allowed_methods)
