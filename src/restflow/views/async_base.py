"""``AsyncAPIView``: DRF's request cycle from ``dispatch`` to the response, as a flow.

The hooks that it calls are written in ``base``. Driven by the view functions of ``serving``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request as DRFRequest
from rest_framework.response import Response as DRFResponse

from restflow.credentials import authenticated
from restflow.db.transactions import roll_back, transacted
from restflow.flow import (
    asynchronous,
    attribute,
    blocking,
    call,
    has_fast_version,
    hook,
    insist_on_awaited,
    is_coroutine_function,
    is_overridden,
    is_written_async,
    sync,
    sync_or_async,
    twin,
)
from restflow.flow.trust import is_frameworks
from restflow.request import Request, has_body
from restflow.responses import rendered_where_it_belongs
from restflow.streams import StreamedResponse
from restflow.views.base import APIView
from restflow.views.declared import refuse_super_of_drfs_mixins
from restflow.views.handlers import prepare_body, put_headers
from restflow.views.helpers import AsyncHelpers
from restflow.views.idempotency import execute_once
from restflow.views.serving import make_async_view
from restflow.views.streaming import begun
from restflow.views.transactions import databases_of

__all__ = ["AsyncAPIView"]


class AsyncAPIView(AsyncHelpers, APIView):
    """DRF's ``APIView`` with an async ``dispatch``; handlers, hooks and components may be of either colour.

    Sync code (a handler, an override, a permission, a serializer) runs in the request's worker thread, async code on
    the event loop. Every hook of DRF's is called where DRF calls it, under its own name or with an ``a`` before it.

    Source: DRF 3.18, views.py, ``APIView``.
    """

    view_is_async = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_super_of_drfs_mixins(cls)

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view function, as DRF does; it is a coroutine function.

        Args:
            initkwargs: attributes to set on each instance.

        Returns:
            A view function with the attributes ``cls`` and ``initkwargs``. A view's own ``__init__`` and ``setup``, and
            a sync ``dispatch``, run in the worker thread.

        Raises:
            TypeError: a class after AsyncAPIView in the MRO has an ``as_view`` of its own, whose wrapper would be lost.
        """
        for base in cls.__mro__[cls.__mro__.index(AsyncAPIView) + 1 :]:
            if "as_view" in vars(base) and not is_frameworks(base):
                raise TypeError(
                    f"{base.__name__}.as_view would not wrap {cls.__name__}, because AsyncAPIView comes before it. "
                    f"List {base.__name__} first."
                )

        return make_async_view(cls, initkwargs, super().as_view(**initkwargs))

    @sync_or_async
    @has_fast_version
    async def dispatch(  # type: ignore[override]  # Django awaits what an async view's dispatch returns
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Process a request as DRF does: initialise it, run the checks, call the handler, and finalise the response.

        Returns:
            The response; Django renders it.

        Source: DRF 3.18, views.py, ``dispatch``.
        """
        self.args, self.kwargs = args, kwargs
        self._name_action(request)
        execute_once(self, request.method)
        drf_request: DRFRequest = await hook(self, "initialize_request", request, *args, **kwargs)
        self.request = drf_request
        self.headers = await attribute(self, "default_response_headers")
        databases = databases_of(await attribute(self, "atomic"), type(self).__name__)
        handling = partial(self._check_and_handle, drf_request, databases, args, kwargs)
        self.response = await (transacted(databases, handling, by_requests=False) if databases else handling())
        return finished(self, drf_request)

    async def _check_and_handle(
        self, request: DRFRequest, databases: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Check, handle and finalise a request: the part of ``dispatch`` that runs in the view's transactions."""
        try:
            await hook(self, "initial", request, *args, **kwargs)
            method = (request.method or "").lower()
            if method in await attribute(self, "http_method_names") and hasattr(self, method):
                handler = getattr(self, method)
                if has_body(request):
                    await prepare_body(request, handler)
                response = await call(handler, request, *args, **kwargs)
            else:
                response = await hook(self, "http_method_not_allowed", request, *args, **kwargs)
        except Exception as error:
            await know_the_user(self, request)
            response = await hook(self, "handle_exception", error)
            if databases:
                await blocking(roll_back, databases)
        response = await hook(self, "finalize_response", request, response, *args, **kwargs)
        insist_on_awaited(self)
        if isinstance(response, StreamedResponse):
            return await begun(self, request, response, args, kwargs)
        return response

    @sync
    async def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> DRFRequest:
        """Wrap Django's request in a DRF request.

        Returns:
            The request that the view uses.

        Source: DRF 3.18, views.py, ``initialize_request``.
        """
        context = await hook(self, "get_parser_context", request)
        return Request(
            request,
            parsers=await hook(self, "get_parsers"),
            authenticators=await hook(self, "get_authenticators"),
            negotiator=await hook(self, "get_content_negotiator"),
            parser_context=context,
        )

    @sync
    async def finalize_response(
        self, request: DRFRequest, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> Any:
        """Set the response's renderer and the view's headers.

        Args:
            response: what the handler or the exception handler returned.

        Raises:
            AssertionError: the handler returned something other than a response.

        Source: DRF 3.18, views.py, ``finalize_response``.
        """
        assert isinstance(response, HttpResponseBase), (
            "Expected a `Response`, `HttpResponse` or `StreamingHttpResponse` to be returned from the view, but "
            f"received a `{type(response)}`"
        )
        if isinstance(response, DRFResponse):
            if not getattr(request, "accepted_renderer", None):
                negotiated = await hook(self, "perform_content_negotiation", request, force=True)
                request.accepted_renderer, request.accepted_media_type = negotiated
            response.accepted_renderer = request.accepted_renderer
            response.accepted_media_type = request.accepted_media_type
            context = await hook(self, "get_renderer_context")
            response.renderer_context = context  # type: ignore[attr-defined]  # the stubs leave it out
        await put_headers(self, response)
        return response

    options = sync_or_async(APIView.options)  # type: ignore[assignment]  # Django awaits what an async view's handlers return

    ainitialize_request = asynchronous(initialize_request)
    ainitial = asynchronous(APIView.initial)
    aperform_content_negotiation = asynchronous(APIView.perform_content_negotiation)
    adetermine_version = asynchronous(APIView.determine_version)
    aperform_authentication = asynchronous(APIView.perform_authentication)
    acheck_permissions = asynchronous(APIView.check_permissions)
    acheck_object_permissions = asynchronous(APIView.check_object_permissions)
    acheck_throttles = asynchronous(APIView.check_throttles)
    aget_authenticate_header = asynchronous(APIView.get_authenticate_header)
    aget_exception_handler = asynchronous(APIView.get_exception_handler)
    ahandle_exception = asynchronous(APIView.handle_exception)
    afinalize_response = asynchronous(finalize_response)

    # DRF's own methods get an async name as well.
    aget_authenticators = twin("get_authenticators")
    aget_content_negotiator = twin("get_content_negotiator")
    aget_exception_handler_context = twin("get_exception_handler_context")
    aget_format_suffix = twin("get_format_suffix")
    aget_parser_context = twin("get_parser_context")
    aget_parsers = twin("get_parsers")
    aget_permissions = twin("get_permissions")
    aget_renderer_context = twin("get_renderer_context")
    aget_renderers = twin("get_renderers")
    aget_throttles = twin("get_throttles")
    aget_view_description = twin("get_view_description")
    aget_view_name = twin("get_view_name")
    ahttp_method_not_allowed = twin("http_method_not_allowed")
    apermission_denied = twin("permission_denied")
    araise_uncaught_exception = twin("raise_uncaught_exception")
    athrottled = twin("throttled")


# Used by both versions of `dispatch`: the general one above and the one in `fast`.


def finished(view: AsyncAPIView, request: DRFRequest) -> HttpResponseBase:
    """Return the response of a view, to be rendered on the event loop or in the thread, as its content requires."""
    response: Any = view.response
    if ahead := vars(request).get("_ahead"):  # uploads that were parsed and not read
        response._resource_closers.append(ahead._closing)
    rendered: HttpResponseBase = rendered_where_it_belongs(response)
    return rendered


async def know_the_user(view: APIView, request: DRFRequest) -> None:
    """Authenticate a request that was refused before authentication, if async code of the project will see it.

    Sync code that reads ``request.user`` then makes DRF authenticate; on the event loop that could block.
    """
    if "_user" in vars(request) or is_overridden(view, "perform_authentication", APIView.perform_authentication):
        return
    functions: tuple[Any, ...] = (type(view).dispatch, view.settings.EXCEPTION_HANDLER)
    if any(map(is_coroutine_function, functions)) or any(is_written_async(view, name) for name in _AFTER_A_REFUSAL):
        with suppress(Exception):  # the request has already been refused for another reason
            await authenticated(request)


_AFTER_A_REFUSAL = ("finalize_response", "get_exception_handler_context", "handle_exception")
