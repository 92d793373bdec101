"""Fast versions of whole flows: the same steps, done in place where none of the hooks involved is overridden.

Each has the signature of its general version, which reads like DRF and is in ``base``, ``async_base`` or ``helpers``.
It is not used if the class or the view overrides a hook that it would skip; ``hooks`` lists the groups of hooks.
After each call of a project's code, the hooks that are still to come are compared again. ``RESTFLOW["FAST_VERSIONS"]
= False`` switches all of them off. To understand the views, this module can be left out.
"""

from __future__ import annotations

from functools import partial
from operator import is_
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework import generics
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.response import Response as DRFResponse
from rest_framework.views import APIView as DRFAPIView

from restflow.credentials import authenticated
from restflow.drf import all_made_in_place, is_plain_list
from restflow.flow import (
    Unmodified,
    blocking,
    call,
    fast_version_of,
    flow_of,
    hook,
    insist_on_awaited,
    switch_fast_versions_by,
)
from restflow.flow.trust import is_frameworks_function
from restflow.negotiation import chosen_before
from restflow.request import Request, has_body, show_to_sentry
from restflow.serializers import add_async_methods
from restflow.serializers.private import keep_private, runs_drfs_code_only
from restflow.settings import settings
from restflow.streams import StreamedResponse
from restflow.views.async_base import AsyncAPIView, finished, know_the_user
from restflow.views.base import APIView
from restflow.views.generics import GenericAPIView
from restflow.views.handlers import headers_of, prepare_body, put_headers
from restflow.views.helpers import SerializerClass, build
from restflow.views.hooks import (
    BEGINNING,
    END,
    INITIAL,
    OF_GENERIC_VIEWS,
    OF_HELPERS,
    OF_VIEWS,
    POLICIES,
    SERIALIZERS,
    names,
)
from restflow.views.policies import permit, throttle_by
from restflow.views.streaming import begun

_DRFs: Any = DRFAPIView


def _is_as_imported(raw: Any, value: Any) -> bool:
    return value is raw and is_frameworks_function(raw.fget if isinstance(raw, property) else raw)


_OF_INITIAL: dict[str, Any] = {
    "renderer_classes": is_plain_list,
    "versioning_class": partial(is_, None),
    "content_negotiation_class": partial(is_, DefaultContentNegotiation),
}
_INITIAL = Unmodified(AsyncAPIView, names(OF_VIEWS, INITIAL), _OF_INITIAL)
_BEGINNING = Unmodified(
    AsyncAPIView,
    names(OF_VIEWS, BEGINNING, INITIAL),
    {
        "parser_classes": is_plain_list,
        "authentication_classes": is_plain_list,
        "http_method_names": is_plain_list,
        "atomic": partial(is_, False),
        "idempotency_key": partial(is_, None),
        "default_response_headers": partial(_is_as_imported, _DRFs.default_response_headers),
        "allowed_methods": partial(_is_as_imported, _DRFs.allowed_methods),
        "_allowed_methods": partial(_is_as_imported, _DRFs._allowed_methods),
        **_OF_INITIAL,
    },
)
_AUTHENTICATION = Unmodified(AsyncAPIView, ("perform_authentication",), {})
_POLICIES = Unmodified(
    AsyncAPIView, names(OF_VIEWS, POLICIES), {"permission_classes": is_plain_list, "throttle_classes": is_plain_list}
)
_END = Unmodified(AsyncAPIView, names(OF_VIEWS, END), {})


switch_fast_versions_by(settings)


@fast_version_of(AsyncAPIView.dispatch, when=_BEGINNING.holds)
async def dispatch(view: AsyncAPIView, http_request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
    """Process a request, as ``AsyncAPIView.dispatch`` does."""
    view.args, view.kwargs = args, kwargs
    view._name_action(http_request)
    # `when` has compared the class. The view itself is compared now that its ActionConfig, if any, is applied.
    if not (
        (_BEGINNING.names.isdisjoint(vars(view)) or _BEGINNING.is_untouched(view))
        and all_made_in_place(view.parser_classes)
        and all_made_in_place(view.authentication_classes)
        and all_made_in_place(view.renderer_classes)
    ):
        response: HttpResponseBase = await _general_dispatch(view, http_request, *args, **kwargs)
        return response
    request = view.request = Request(
        http_request,
        parsers=_DRFs.get_parsers(view),
        authenticators=_DRFs.get_authenticators(view),
        negotiator=_DRFs.get_content_negotiator(view),
        parser_context=_DRFs.get_parser_context(view, http_request),
    )
    view.headers = headers_of(view)
    try:
        await initial(view, request, *args, **kwargs)
        method = (request.method or "").lower()
        if method in view.http_method_names and hasattr(view, method):
            handler = getattr(view, method)
            if has_body(request):
                await prepare_body(request, handler)
            response = await call(handler, request, *args, **kwargs)
        else:
            response = await hook(view, "http_method_not_allowed", request, *args, **kwargs)
    except Exception as error:
        await know_the_user(view, request)
        response = await hook(view, "handle_exception", error)
    view.response = await _finalized(view, request, response, args, kwargs)
    insist_on_awaited(view)
    if isinstance(view.response, StreamedResponse):
        view.response = await begun(view, request, view.response, args, kwargs)
    return finished(view, request)


async def _finalized(view: AsyncAPIView, request: Request, response: Any, args: Any, kwargs: Any) -> Any:
    if not isinstance(response, DRFResponse) or not vars(request).get("accepted_renderer") or not _END.holds(view):
        return await hook(view, "finalize_response", request, response, *args, **kwargs)
    response.accepted_renderer = request.accepted_renderer
    response.accepted_media_type = request.accepted_media_type
    response.renderer_context = _DRFs.get_renderer_context(view)  # type: ignore[attr-defined]
    await put_headers(view, response)
    return response


# The general flow behind the switch, for a view that turns out to be modified once its action is named.
_general_dispatch: Any = flow_of(AsyncAPIView.dispatch).__wrapped__  # type: ignore[attr-defined]


def _is_initial_in_place(view: Any, *args: Any, **kwargs: Any) -> bool:
    return _INITIAL.holds(view) and all_made_in_place(view.renderer_classes)


@fast_version_of(APIView.initial, when=_is_initial_in_place)
async def initial(view: APIView, request: Any, *args: Any, **kwargs: Any) -> None:
    """Run what comes before the handler, as ``APIView.initial`` does."""
    show_to_sentry(request)
    view.format_kwarg = _DRFs.get_format_suffix(view, **kwargs)
    renderers, negotiator = _DRFs.get_renderers(view), _DRFs.get_content_negotiator(view)
    chosen = chosen_before(request, renderers, negotiator, view.format_kwarg)
    chosen = chosen or await hook(negotiator, "select_renderer", request, renderers, view.format_kwarg)
    request.accepted_renderer, request.accepted_media_type = chosen
    request.version = request.versioning_scheme = None
    if _AUTHENTICATION.holds(view):  # a negotiator may have changed the view
        await authenticated(request)
    else:
        await hook(view, "perform_authentication", request)
    in_place = _POLICIES.holds(view)
    if not (in_place and all_made_in_place(view.permission_classes)):
        await hook(view, "check_permissions", request)
        in_place = in_place and _POLICIES.holds(view)
    elif view.permission_classes:
        await permit(view, request, _DRFs.get_permissions(view))
        in_place = _POLICIES.holds(view)  # a permission may have changed the view
    if not (in_place and all_made_in_place(view.throttle_classes)):
        await hook(view, "check_throttles", request)
    elif view.throttle_classes:
        await throttle_by(view, request, _DRFs.get_throttles(view))


def _is_class(value: Any) -> bool:
    return isinstance(value, type)


_OF_SERIALIZERS: dict[str, Any] = {
    "serializer_class": _is_class,
    "request_serializer_class": partial(is_, None),
    "response_serializer_class": partial(is_, None),
}
_SERIALIZERS = Unmodified(APIView, names(OF_HELPERS, SERIALIZERS), _OF_SERIALIZERS)
_GENERIC_SERIALIZERS = Unmodified(GenericAPIView, names((*OF_HELPERS, *OF_GENERIC_VIEWS), SERIALIZERS), _OF_SERIALIZERS)
_GIVEN_BY_DRF = frozenset({"data", "many", "partial"})


def _has_one_serializer_class(
    view: Any, direction: str, *args: Any, serializer_class: SerializerClass | None = None, **kwargs: Any
) -> bool:
    if serializer_class is not None or not isinstance(view, APIView):
        return False
    return (_GENERIC_SERIALIZERS if isinstance(view, GenericAPIView) else _SERIALIZERS).holds(view)


@fast_version_of(build, when=_has_one_serializer_class)
async def build_of_one_class(
    view: Any, direction: str, *args: Any, private: bool = False, serializer_class: None = None, **kwargs: Any
) -> Any:
    """Build a serializer of ``serializer_class``, as ``build`` does if requests and responses have the same class."""
    chosen = view.serializer_class
    private = private and _GIVEN_BY_DRF.issuperset(kwargs) and runs_drfs_code_only(chosen)
    if "context" not in kwargs:
        is_generic = isinstance(view, GenericAPIView)
        drfs: Any = generics.GenericAPIView
        kwargs["context"] = (
            dict(drfs.get_serializer_context(view)) if is_generic else {"request": view.request, "view": view}
        )
    made = await blocking(chosen, *args, **kwargs)
    return keep_private(made) if private else add_async_methods(made)
