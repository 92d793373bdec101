"""``APIView``: the hooks of DRF's request cycle, as flows. ``AsyncAPIView`` (``async_base``) dispatches by them.

Each hook is called where DRF calls it, and a project's code only by steps. Faster versions for the usual case are in
``fast``.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework import exceptions, status
from rest_framework import views as drf
from rest_framework.request import Request as DRFRequest
from rest_framework.response import Response as DRFResponse

from restflow.components import refuse_dropped_as
from restflow.credentials import authenticated
from restflow.drf import instance_of, permits
from restflow.exceptions import exception_handler
from restflow.flow import (
    TwoColoured,
    attribute,
    blocking,
    call,
    has_fast_version,
    hook,
    insist_on_awaited,
    run,
    sync,
)
from restflow.negotiation import negotiate
from restflow.request import Request, show_to_sentry
from restflow.responses import Response
from restflow.settings import settings
from restflow.streams import StreamedResponse, let_go
from restflow.views.declared import refuse_names_nobody_calls, take_view_into_use
from restflow.views.drfs_loop import have_checks_awaited, have_drfs_steps
from restflow.views.helpers import AsyncHelpers, Helpers
from restflow.views.hooks import OF_VIEWS, names
from restflow.views.idempotency import execute_once
from restflow.views.policies import permit, refuse, throttle_by
from restflow.views.shown import no_serializer_on_show
from restflow.views.streaming import begun
from restflow.views.transactions import Databases, begin_when_initialized

__all__ = ["APIView"]


class APIView(Helpers, TwoColoured, drf.APIView, hooks=names(OF_VIEWS), methods=("dispatch", "options")):
    """DRF's ``APIView`` with restflow's helper methods; the dispatch loop is DRF's own.

    Permissions, throttles and authenticators may be of either colour: an ``async def has_permission`` is awaited, and
    its coroutine never counts as permission granted.

    Source: DRF 3.18, views.py, ``APIView``.
    """

    atomic: Databases = False
    """Whether the checks, the handler and the error handling run in one transaction, which an error rolls back.

    True for the default database, an alias, or a list of aliases. Like ATOMIC_REQUESTS, for one view.
    """

    error_format: str | None = None
    """The format of the view's errors: ``"drf"``, ``"envelope"`` or ``"problem"``; None leaves it to the settings."""

    idempotency_key: str | None = None
    """With ``"optional"`` or ``"required"``, an unsafe request with an ``Idempotency-Key`` is executed once."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_names_nobody_calls(cls)

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view function, as DRF does.

        Args:
            initkwargs: attributes to set on each instance.

        Returns:
            A view function with the attributes ``cls`` and ``initkwargs``.

        Raises:
            ImproperlyConfigured: a sync view has ``async def`` handlers, which would never be awaited.
            TypeError: a method of the view or of a component would be skipped, or its coroutine used as a value.
        """
        if cls.view_is_async and not issubclass(cls, AsyncHelpers):
            raise ImproperlyConfigured(f"{cls.__name__} has async handlers. Derive it from AsyncAPIView.")
        take_view_into_use(cls, initkwargs, {})
        return super().as_view(**initkwargs)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Process a request as DRF does, and return no response while an async check is still pending.

        Source: DRF 3.18, views.py, ``dispatch``.
        """
        self._name_action(request)
        execute_once(self, request.method)
        try:
            with ExitStack() as transactions:
                begin_when_initialized(self, transactions)
                response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
                insist_on_awaited(self)
                if isinstance(response, StreamedResponse):
                    self.response = response = run(begun(self, self.request, response, args, kwargs))
        except BaseException:
            let_go(request, None)
            raise
        let_go(request, response)  # an OpenStreamsThrottle may have counted it
        return response

    def _name_action(self, request: HttpRequest) -> None:
        """Set the action; only a viewset has one."""

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> DRFRequest:
        """Wrap Django's request in a DRF request, as DRF does, with authenticators of either colour.

        It is the first method that DRF's loop calls. From here on, a check of the view that is async runs to its end
        when it is called, or raises if an event loop runs in this thread.

        Returns:
            The request that the view uses.

        Source: DRF 3.18, views.py, ``initialize_request``.
        """
        have_checks_awaited(self)
        have_drfs_steps(self, APIView)
        drf_request = super().initialize_request(request, *args, **kwargs)
        if type(drf_request) is DRFRequest:
            drf_request.__class__ = Request  # a subclass without an __init__ of its own
        return drf_request

    @sync
    @has_fast_version
    async def initial(self, request: DRFRequest, *args: Any, **kwargs: Any) -> None:
        """Run what comes before the handler: content negotiation, versioning, authentication, permissions, throttles.

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
            force: use the first renderer if none is acceptable.

        Returns:
            The renderer and the media type.

        Raises:
            NotAcceptable: no renderer produces a media type that the client accepts.
            Http404: the view has no renderer for the requested format.

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
        """Determine the API version of the request.

        Returns:
            The version and the versioning scheme; None and None if the view has no scheme.

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

        Override it with ``pass`` to authenticate lazily: the authenticators are called when ``request.user`` is first
        read, for which async code uses ``await request.auser()``.

        Raises:
            APIException: an authenticator refused.

        Source: DRF 3.18, views.py, ``perform_authentication``.
        """
        await authenticated(request)

    @sync
    async def check_permissions(self, request: DRFRequest) -> None:
        """Check the view's permissions in order, up to the first refusal.

        Raises:
            NotAuthenticated: a permission refused, and the request is not authenticated.
            PermissionDenied: a permission refused; has the permission's ``message`` and ``code``.

        Source: DRF 3.18, views.py, ``check_permissions``.
        """
        await permit(self, request, await hook(self, "get_permissions"))

    @sync
    async def check_object_permissions(self, request: DRFRequest, obj: Any) -> None:
        """Check the view's permissions for one object, in order, up to the first refusal.

        Raises:
            NotAuthenticated: a permission refused, and the request is not authenticated.
            PermissionDenied: a permission refused; has the permission's ``message`` and ``code``.

        Source: DRF 3.18, views.py, ``check_object_permissions``.
        """
        for permission in await hook(self, "get_permissions"):
            if not await permits(permission, request, self, obj):
                await refuse(self, request, permission)

    @sync
    async def check_throttles(self, request: DRFRequest) -> None:
        """Call every throttle of the view, and refuse with the longest wait of those that refused.

        Raises:
            Throttled: at least one throttle refused.

        Source: DRF 3.18, views.py, ``check_throttles``.
        """
        await throttle_by(self, request, await hook(self, "get_throttles"))

    @sync
    async def get_authenticate_header(self, request: DRFRequest) -> Any:
        """Return the ``WWW-Authenticate`` header of a 401, from the view's first authenticator.

        Returns:
            The header; with None, the response is a 403.

        Source: DRF 3.18, views.py, ``get_authenticate_header``.
        """
        authenticators = await hook(self, "get_authenticators")
        return await hook(authenticators[0], "authenticate_header", request) if authenticators else None

    @sync
    async def get_exception_handler(self) -> Any:
        """Return the function that turns exceptions into responses: the settings' ``EXCEPTION_HANDLER``.

        Returns:
            The handler; restflow's in place of DRF's if the view or the settings have an ``error_format``.

        Source: DRF 3.18, views.py, ``get_exception_handler``.
        """
        handler: Any = super().get_exception_handler()
        if handler is not drf.exception_handler:
            return handler
        return exception_handler if await attribute(self, "error_format") or settings.ERROR_FORMAT else handler

    @sync
    async def handle_exception(self, exc: Exception) -> DRFResponse:
        """Turn an exception into a response, with the exception handler of the settings.

        Args:
            exc: what the checks or the handler raised.

        Returns:
            The handler's response, with ``exception`` set to True.

        Raises:
            Exception: the same exception, if the handler returns None.

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
            A 200 response with the metadata.

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
