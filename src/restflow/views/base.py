"""``APIView`` and ``AsyncAPIView``: DRF's request cycle as flows.

Each hook is asked where DRF calls it. Calls a user's code by steps only; the view functions of ``serving`` drive it.
What is done faster on most views stands in ``fast``.
"""

from __future__ import annotations

import types
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from operator import attrgetter
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from rest_framework import exceptions, status
from rest_framework import views as drf
from rest_framework.request import Request as DRFRequest
from rest_framework.response import Response as DRFResponse

from restflow.components import refuse_dropped_as
from restflow.db.transactions import roll_back, transacted
from restflow.drf import instance_of, permits
from restflow.flow import (
    TwoColoured,
    asynchronous,
    attribute,
    blocking,
    call,
    callable_from_sync,
    has_fast_version,
    hook,
    insist_on_awaited,
    is_coroutine_function,
    is_overridden,
    is_written_async,
    run,
    sync,
    sync_or_async,
    twin,
    unchanged,
)
from restflow.flow.trust import is_frameworks
from restflow.negotiation import negotiate
from restflow.request import Request, authenticated
from restflow.responses import Response, rendered_where_it_belongs
from restflow.streams import StreamedResponse, begin_stream, let_go
from restflow.views.declared import refuse_names_nobody_calls, refuse_super_of_drfs_mixins, take_view_into_use
from restflow.views.handlers import prepare_body
from restflow.views.helpers import AsyncHelpers, Helpers, no_serializer_on_show
from restflow.views.hooks import CALLED_FOR_EFFECT, OF_VIEWS, names, not_known_to_be_sync
from restflow.views.policies import permit, refuse, throttle_by
from restflow.views.serving import make_async_view
from restflow.views.transactions import Databases, begin_when_initialized, databases_of

__all__ = ["APIView", "AsyncAPIView"]

_DRFs: Any = drf.APIView
_STEPS = ("initial", "perform_authentication", "perform_content_negotiation", "determine_version")
_DRFS_STEPS = attrgetter(*_STEPS)(_DRFs)
_drf_has_its_steps = unchanged(_DRFs, _STEPS)


class APIView(Helpers, TwoColoured, drf.APIView, hooks=names(OF_VIEWS), methods=("dispatch", "options")):
    """DRF's ``APIView`` with restflow's helper methods; the dispatch loop is DRF's own.

    Its checks ask permissions, throttles and authenticators of either colour: an ``async def has_permission`` is
    awaited, never taken for a yes.

    Source: DRF 3.18, views.py, ``APIView``.
    """

    atomic: Databases = False
    """Whether the checks, the handler and the response to an error are in one transaction, which an error rolls back.

    True for the default database, or an alias, or a list of aliases. It is what ATOMIC_REQUESTS does, for one view.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_names_nobody_calls(cls)

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view function, as DRF does.

        Args:
            initkwargs: attributes to set on each instance.

        Returns:
            A view function that carries ``cls`` and ``initkwargs``.

        Raises:
            ImproperlyConfigured: a sync view has ``async def`` handlers, which nobody would await.
            TypeError: a method of the view or of a component would be skipped, or its coroutine be taken for a value.
        """
        if cls.view_is_async and not issubclass(cls, AsyncAPIView):
            raise ImproperlyConfigured(f"{cls.__name__} has async handlers. Derive it from AsyncAPIView.")
        take_view_into_use(cls, initkwargs, {})
        return super().as_view(**initkwargs)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Take a request through DRF's cycle, as DRF does, and let no response go while a check is pending.

        Source: DRF 3.18, views.py, ``dispatch``.
        """
        self._name_action(request)
        try:
            with ExitStack() as transactions:
                begin_when_initialized(self, transactions)
                response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
                insist_on_awaited(self)
                self.response = response = run(begun(self, self.request, response, args, kwargs))
        except BaseException:
            let_go(request, None)
            raise
        let_go(request, response)
        return response

    def _name_action(self, request: HttpRequest) -> None:
        """Do what a viewset does before all else."""

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> DRFRequest:
        """Wrap Django's request in DRF's, as DRF does, with authenticators of either colour.

        It is the first thing that DRF's loop calls: from here on, the view's checks run to their end where they are
        async, or refuse to where an event loop runs in this thread.

        Returns:
            The request that the view works with.

        Source: DRF 3.18, views.py, ``initialize_request``.
        """
        # DRF's loop calls `self.check_permissions()` and the like: what is set on the view itself comes first.
        own = vars(self)
        for name in {*not_known_to_be_sync(type(self)), *filter(own.__contains__, CALLED_FOR_EFFECT)}:
            method = getattr(self, name, None)
            if method is not None and (awaiting := callable_from_sync(method)) is not method:
                own[name] = awaiting
                if getattr(self, name) is not awaiting:
                    raise ImproperlyConfigured(
                        f"{type(self).__name__}.{name} is a property. What it gives may be async, and nobody would "
                        "await it: make it a method."
                    )
        if not _drf_has_its_steps():
            # Patched by another package, DRF's own is what a view of DRF's would run.
            for name, as_imported in zip(_STEPS, _DRFS_STEPS, strict=True):
                if getattr(_DRFs, name) is not as_imported and getattr(type(self), name) is getattr(APIView, name):
                    own.setdefault(name, types.MethodType(getattr(_DRFs, name), self))
        drf_request = super().initialize_request(request, *args, **kwargs)
        if type(drf_request) is DRFRequest:
            drf_request.__class__ = Request  # which adds methods only
        return drf_request

    @sync
    @has_fast_version
    async def initial(self, request: DRFRequest, *args: Any, **kwargs: Any) -> None:
        """Do what comes before the handler: negotiate, determine the version, authenticate, permit, throttle.

        Raises:
            APIException: the request is refused.

        Source: DRF 3.18, views.py, ``initial``.
        """
        show_to_sentry(request)
        self.format_kwarg = await hook(self, "get_format_suffix", **kwargs)
        negotiated = await hook(self, "perform_content_negotiation", request)
        request.accepted_renderer, request.accepted_media_type = negotiated
        version = await hook(self, "determine_version", request, *args, **kwargs)
        request.version, request.versioning_scheme = version
        await hook(self, "perform_authentication", request)
        await hook(self, "check_permissions", request)
        await hook(self, "check_throttles", request)

    @sync
    async def perform_content_negotiation(self, request: DRFRequest, force: bool = False) -> tuple[Any, str]:
        """Choose the renderer and the media type of the response.

        Args:
            force: take the first renderer where none is acceptable.

        Returns:
            The renderer and the media type.

        Raises:
            NotAcceptable: no renderer gives what the client accepts.
            Http404: the format asked for is not the view's.

        Source: DRF 3.18, views.py, ``perform_content_negotiation``.
        """
        renderers = await hook(self, "get_renderers")
        negotiator = await hook(self, "get_content_negotiator")
        try:
            renderer, media_type = await negotiate(self, request, renderers, negotiator)
        except Exception:
            if not force:
                raise
            renderer, media_type = renderers[0], renderers[0].media_type
        cls: Any = type(renderer)
        refuse_dropped_as("renderer_classes", cls)
        return renderer, media_type

    @sync
    async def determine_version(self, request: DRFRequest, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Determine the API version that the request asks for.

        Returns:
            The version and the versioning scheme; two Nones where the view has no scheme.

        Raises:
            APIException: the version is not valid.

        Source: DRF 3.18, views.py, ``determine_version``.
        """
        versioning_class = await attribute(self, "versioning_class")
        if versioning_class is None:
            return None, None
        scheme = await instance_of(versioning_class)
        return await hook(scheme, "determine_version", request, *args, **kwargs), scheme

    @sync
    async def perform_authentication(self, request: DRFRequest) -> None:
        """Authenticate the request.

        Overridden with ``pass``, authentication is lazy: the authenticators are asked when ``request.user`` is first
        read, which async code does with ``await request.auser()``.

        Raises:
            APIException: an authenticator refused.

        Source: DRF 3.18, views.py, ``perform_authentication``.
        """
        await authenticated(request)

    @sync
    async def check_permissions(self, request: DRFRequest) -> None:
        """Ask the view's permissions in order, up to the first refusal.

        Raises:
            NotAuthenticated: refused, and nobody is authenticated.
            PermissionDenied: refused, with the permission's ``message`` and ``code``.

        Source: DRF 3.18, views.py, ``check_permissions``.
        """
        await permit(self, request, await hook(self, "get_permissions"))

    @sync
    async def check_object_permissions(self, request: DRFRequest, obj: Any) -> None:
        """Ask the view's permissions about one object, in order, up to the first refusal.

        Raises:
            NotAuthenticated: refused, and nobody is authenticated.
            PermissionDenied: refused, with the permission's ``message`` and ``code``.

        Source: DRF 3.18, views.py, ``check_object_permissions``.
        """
        for permission in await hook(self, "get_permissions"):
            if not await permits(permission, request, self, obj):
                await refuse(self, request, permission)

    @sync
    async def check_throttles(self, request: DRFRequest) -> None:
        """Ask every throttle of the view; refuse with the longest wait of those that refused.

        Raises:
            Throttled: at least one throttle refused.

        Source: DRF 3.18, views.py, ``check_throttles``.
        """
        await throttle_by(self, request, await hook(self, "get_throttles"))

    @sync
    async def get_authenticate_header(self, request: DRFRequest) -> Any:
        """Return the ``WWW-Authenticate`` header of a 401, by the view's first authenticator.

        Returns:
            The header; None makes the response a 403.

        Source: DRF 3.18, views.py, ``get_authenticate_header``.
        """
        authenticators = await hook(self, "get_authenticators")
        return await hook(authenticators[0], "authenticate_header", request) if authenticators else None

    @sync
    async def handle_exception(self, exc: Exception) -> DRFResponse:
        """Turn an exception into a response, by the exception handler of the settings.

        Args:
            exc: what the checks or the handler raised.

        Returns:
            The handler's response, marked ``exception``.

        Raises:
            Exception: the same exception, where the handler answers None.

        Source: DRF 3.18, views.py, ``handle_exception``.
        """
        if isinstance(exc, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed)):
            header = await hook(self, "get_authenticate_header", self.request)
            if header:
                exc.auth_header = header  # type: ignore[union-attr]
            else:
                exc.status_code = status.HTTP_403_FORBIDDEN
        handler = await hook(self, "get_exception_handler")
        context = await hook(self, "get_exception_handler_context")
        response: DRFResponse | None = await call(handler, exc, context)
        if response is None:
            await hook(self, "raise_uncaught_exception", exc)
            raise exc
        response.exception = True
        return response

    @sync
    async def options(  # type: ignore[override]  # as DRF's own: a DRF request instead of Django's
        self, request: DRFRequest, *args: Any, **kwargs: Any
    ) -> DRFResponse:
        """Answer OPTIONS with the view's metadata.

        Returns:
            The metadata, 200.

        Raises:
            MethodNotAllowed: ``metadata_class`` is None.

        Source: DRF 3.18, views.py, ``options``.
        """
        metadata_class = await attribute(self, "metadata_class")
        if metadata_class is None:
            refusal: DRFResponse = await hook(self, "http_method_not_allowed", request, *args, **kwargs)
            return refusal
        with no_serializer_on_show(self):
            metadata = await blocking(metadata_class)
            data = await hook(metadata, "determine_metadata", request, self)
        return Response(data, status=status.HTTP_200_OK)


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
        """Return the view function, a coroutine function, as DRF does.

        Args:
            initkwargs: attributes to set on each instance.

        Returns:
            A view function that carries ``cls`` and ``initkwargs``. A view's own ``__init__`` and ``setup``, and a sync
            ``dispatch``, run in the worker thread.

        Raises:
            TypeError: a class behind AsyncAPIView has an ``as_view`` of its own, whose wrapper would be lost.
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
        """Take a request through DRF's cycle: initialise, check, handle, and finalise the response.

        Returns:
            The response, to be rendered by Django.

        Source: DRF 3.18, views.py, ``dispatch``.
        """
        self.args, self.kwargs = args, kwargs
        self._name_action(request)
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
        """Check, handle and finalise: what ``dispatch`` does once it has the request, in the transactions of a view."""
        try:
            await hook(self, "initial", request, *args, **kwargs)
            method = (request.method or "").lower()
            if method in await attribute(self, "http_method_names") and hasattr(self, method):
                handler = getattr(self, method)
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
        return await begun(self, request, response, args, kwargs)

    @sync
    async def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> DRFRequest:
        """Wrap Django's request in DRF's.

        Returns:
            The request that the view works with.

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
        """Give the response its renderer and the view's headers.

        Args:
            response: what the handler or the exception handler returned.

        Raises:
            AssertionError: the handler returned something else than a response.

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
    ahandle_exception = asynchronous(APIView.handle_exception)
    afinalize_response = asynchronous(finalize_response)

    # DRF's own methods, callable under both names too.
    aget_authenticators = twin("get_authenticators")
    aget_content_negotiator = twin("get_content_negotiator")
    aget_exception_handler = twin("get_exception_handler")
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


# What both versions of the flows above do: the general ones here, and those in `fast`.


def show_to_sentry(request: DRFRequest) -> None:
    """Do what sentry-sdk does around DRF's own `initial`, to find in an event's request the data that DRF parsed."""
    if (http_request := getattr(request, "_request", None)) is not None:
        vars(http_request)["_sentry_drf_request_backref"] = weakref.ref(request)


async def begun(
    view: APIView, request: DRFRequest, response: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """Return a response, if it is a stream once it has begun, or the one to what came before its first part."""
    if not isinstance(response, StreamedResponse):
        return response
    try:
        await begin_stream(response, request)
    except Exception as error:
        refusal = await hook(view, "handle_exception", error)
    else:
        return response
    if response.has_header("Vary"):
        view.headers["Vary"] = response["Vary"]  # which the first finalize_response took out
    return await hook(view, "finalize_response", request, refusal, *args, **kwargs)


async def put_headers(view: APIView, response: HttpResponseBase) -> None:
    """Put a view's headers into its response, as ``finalize_response`` does."""
    headers = view.headers
    vary = headers.pop("Vary", None)
    if vary is not None:
        patch_vary_headers(response, [name.strip() for name in vary.split(",") if name.strip()])
    if _STRINGS.issuperset(map(type, headers.values())):
        _set_headers(response, headers)
    else:  # a lazy value is evaluated when it is set
        await blocking(_set_headers, response, headers)


_STRINGS = frozenset({str})


def _set_headers(response: HttpResponseBase, headers: dict[str, Any]) -> None:
    for name, value in headers.items():
        response[name] = value


def finished(view: AsyncAPIView, request: DRFRequest) -> HttpResponseBase:
    """Return the response of a view, to be rendered where it belongs."""
    response: Any = view.response
    if ahead := vars(request).get("_ahead"):  # uploads that nobody read
        response._resource_closers.append(ahead._closing)
    rendered: HttpResponseBase = rendered_where_it_belongs(response)
    return rendered


async def know_the_user(view: APIView, request: DRFRequest) -> None:
    """Authenticate a request that was refused before it came to that, where async code of a user's will see it.

    Sync code may read ``request.user`` then, and DRF authenticates; on the event loop that could block.
    """
    if "_user" in vars(request) or is_overridden(view, "perform_authentication", APIView.perform_authentication):
        return
    functions: tuple[Any, ...] = (type(view).dispatch, view.settings.EXCEPTION_HANDLER)
    if any(map(is_coroutine_function, functions)) or any(is_written_async(view, name) for name in _AFTER_A_REFUSAL):
        with suppress(Exception):  # it was refused for another reason already
            await authenticated(request)


_AFTER_A_REFUSAL = ("finalize_response", "get_exception_handler_context", "handle_exception")
