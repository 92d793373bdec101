"""``APIView`` and ``AsyncAPIView``: DRF's request cycle as flows."""

from __future__ import annotations

import types
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from operator import attrgetter, is_
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from rest_framework import exceptions, status
from rest_framework import views as drf
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request as DRFRequest
from rest_framework.response import Response as DRFResponse

from restflow.components import refuse_dropped_as
from restflow.db.transactions import roll_back, transacted
from restflow.drf import all_made_in_place, is_plain_list, made, permits
from restflow.flow import (
    TwoColoured,
    Usual,
    asynchronous,
    attribute,
    blocking,
    bridged,
    call,
    either,
    hook,
    insist_on_awaited,
    is_async,
    is_coroutine_function,
    overridden,
    sync,
    twin,
    unchanged,
)
from restflow.negotiation import negotiate, remembered
from restflow.request import Request, authenticated, has_body, read_ahead
from restflow.responses import Response, rendered_where_it_belongs
from restflow.views.declared import refuse_names_nobody_calls, refuse_super_of_drfs_mixins, take_view_into_use
from restflow.views.handlers import headers_of, reads_on_the_loop
from restflow.views.helpers import AsyncHelpers, Helpers, no_serializer_on_show
from restflow.views.known import mark_drfs_views
from restflow.views.policies import CALLED_FOR_EFFECT, may_be_dropped, permit, refuse, throttle_by
from restflow.views.serving import served
from restflow.views.transactions import Databases, begin_when_initialized, databases_of

__all__ = ["APIView", "AsyncAPIView"]

_DRFs: Any = drf.APIView
_STEPS = ("initial", "perform_authentication", "perform_content_negotiation", "determine_version")
_DRFS_STEPS = attrgetter(*_STEPS)(_DRFs)
_drf_has_its_steps = unchanged(_DRFs, _STEPS)
mark_drfs_views()

# Every method of DRF's APIView that a view may override. Each may be written in either colour, under either name.
_HOOKS = (
    "check_object_permissions",
    "check_permissions",
    "check_throttles",
    "determine_version",
    "finalize_response",
    "get_authenticate_header",
    "get_authenticators",
    "get_content_negotiator",
    "get_exception_handler",
    "get_exception_handler_context",
    "get_format_suffix",
    "get_parser_context",
    "get_parsers",
    "get_permissions",
    "get_renderer_context",
    "get_renderers",
    "get_throttles",
    "get_view_description",
    "get_view_name",
    "handle_exception",
    "http_method_not_allowed",
    "initial",
    "initialize_request",
    "perform_authentication",
    "perform_content_negotiation",
    "permission_denied",
    "raise_uncaught_exception",
    "throttled",
)


class APIView(Helpers, TwoColoured, drf.APIView, hooks=_HOOKS, methods=("dispatch", "options")):
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

        Args:
            request: Django's request.
            args: the URL's positional arguments.
            kwargs: the URL's keyword arguments.

        Returns:
            The response.

        Source: DRF 3.18, views.py, ``dispatch``.
        """
        with ExitStack() as transactions:
            begin_when_initialized(self, transactions)
            response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
            insist_on_awaited(self)
        return response

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> DRFRequest:
        """Wrap Django's request in DRF's, as DRF does, with authenticators of either colour.

        It is the first thing that DRF's loop calls: from here on, the view's checks run to their end where they are
        async, or refuse to where an event loop runs in this thread.

        Args:
            request: Django's request.
            args: the URL's positional arguments.
            kwargs: the URL's keyword arguments.

        Returns:
            The request that the view works with.

        Source: DRF 3.18, views.py, ``initialize_request``.
        """
        own = vars(self)
        for name in {*may_be_dropped(type(self)), *filter(own.__contains__, CALLED_FOR_EFFECT)}:
            method = getattr(self, name, None)
            if method is not None and (awaiting := bridged(method)) is not method:
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
        made = super().initialize_request(request, *args, **kwargs)
        if type(made) is DRFRequest:
            made.__class__ = Request  # which adds methods only
        return made

    @sync
    async def initial(self, request: DRFRequest, *args: Any, **kwargs: Any) -> None:
        """Do what comes before the handler: negotiate, determine the version, authenticate, permit, throttle.

        Args:
            request: the request.
            args: the URL's positional arguments.
            kwargs: the URL's keyword arguments.

        Raises:
            APIException: the request is refused.

        Source: DRF 3.18, views.py, ``initial``.
        """
        if _NEGOTIATION.holds(self) and all_made_in_place(self.renderer_classes):
            await _begin(self, request, kwargs)
        else:
            _show_to_sentry(request)
            self.format_kwarg = await hook(self, "get_format_suffix", **kwargs)
            negotiated = await hook(self, "perform_content_negotiation", request)
            request.accepted_renderer, request.accepted_media_type = negotiated
            version = await hook(self, "determine_version", request, *args, **kwargs)
            request.version, request.versioning_scheme = version
        if _AUTHENTICATION.holds(self):
            await authenticated(request)
        else:
            await hook(self, "perform_authentication", request)
        await _check(self, request)

    @sync
    async def perform_content_negotiation(self, request: DRFRequest, force: bool = False) -> tuple[Any, str]:
        """Choose the renderer and the media type of the response.

        Args:
            request: the request.
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

        Args:
            request: the request.
            args: the URL's positional arguments.
            kwargs: the URL's keyword arguments.

        Returns:
            The version and the versioning scheme; two Nones where the view has no scheme.

        Raises:
            APIException: the version is not valid.

        Source: DRF 3.18, views.py, ``determine_version``.
        """
        versioning_class = await attribute(self, "versioning_class")
        if versioning_class is None:
            return None, None
        scheme = await made(versioning_class)
        return await hook(scheme, "determine_version", request, *args, **kwargs), scheme

    @sync
    async def perform_authentication(self, request: DRFRequest) -> None:
        """Authenticate the request.

        Overridden with ``pass``, authentication is lazy: the authenticators are asked when ``request.user`` is first
        read, which async code does with ``await request.auser()``.

        Args:
            request: the request.

        Raises:
            APIException: an authenticator refused.

        Source: DRF 3.18, views.py, ``perform_authentication``.
        """
        await authenticated(request)

    @sync
    async def check_permissions(self, request: DRFRequest) -> None:
        """Ask the view's permissions in order, up to the first refusal.

        Args:
            request: the request to be permitted.

        Raises:
            NotAuthenticated: refused, and nobody is authenticated.
            PermissionDenied: refused, with the permission's ``message`` and ``code``.

        Source: DRF 3.18, views.py, ``check_permissions``.
        """
        await permit(self, request, await hook(self, "get_permissions"))

    @sync
    async def check_object_permissions(self, request: DRFRequest, obj: Any) -> None:
        """Ask the view's permissions about one object, in order, up to the first refusal.

        Args:
            request: the request to be permitted.
            obj: the object it is about.

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

        Args:
            request: the request to be throttled.

        Raises:
            Throttled: at least one throttle refused.

        Source: DRF 3.18, views.py, ``check_throttles``.
        """
        await throttle_by(self, request, await hook(self, "get_throttles"))

    @sync
    async def get_authenticate_header(self, request: DRFRequest) -> Any:
        """Return the ``WWW-Authenticate`` header of a 401, by the view's first authenticator.

        Args:
            request: the request.

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

        Args:
            request: the request.
            args: the URL's positional arguments.
            kwargs: the URL's keyword arguments.

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


def _show_to_sentry(request: DRFRequest) -> None:
    """Do what sentry-sdk does around DRF's own `initial`, to find in an event's request the data that DRF parsed."""
    if (http_request := getattr(request, "_request", None)) is not None:
        vars(http_request)["_sentry_drf_request_backref"] = weakref.ref(request)


async def _begin(view: APIView, request: DRFRequest, kwargs: Mapping[str, Any]) -> bool:
    """Negotiate, and have no version: what ``initial`` begins with where ``_NEGOTIATION`` holds.

    Returns:
        Whether no code but DRF's and ours has run.
    """
    _show_to_sentry(request)
    suffix = view.format_kwarg = _DRFs.get_format_suffix(view, **kwargs)
    renderers, negotiator = _DRFs.get_renderers(view), _DRFs.get_content_negotiator(view)
    known = remembered(request, renderers, negotiator, suffix)
    chosen = known or await hook(negotiator, "select_renderer", request, renderers, suffix)
    request.accepted_renderer, request.accepted_media_type = chosen
    request.version = request.versioning_scheme = None
    return known is not None


async def _check(view: APIView, request: DRFRequest) -> None:
    """Permit and throttle: what ``initial`` ends with."""
    if not _PERMISSIONS.holds(view):
        await hook(view, "check_permissions", request)
    elif view.permission_classes:
        made_in_place = all_made_in_place(view.permission_classes)
        permissions = _DRFs.get_permissions(view) if made_in_place else await hook(view, "get_permissions")
        await permit(view, request, permissions)
    if not _THROTTLES.holds(view):
        await hook(view, "check_throttles", request)
    elif view.throttle_classes:
        made_in_place = all_made_in_place(view.throttle_classes)
        throttles = _DRFs.get_throttles(view) if made_in_place else await hook(view, "get_throttles")
        await throttle_by(view, request, throttles)


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
            if "as_view" in vars(base) and not base.__module__.startswith(("restflow.", "rest_framework.", "django.")):
                raise TypeError(
                    f"{base.__name__}.as_view would not wrap {cls.__name__}, because AsyncAPIView comes before it. "
                    f"List {base.__name__} first."
                )

        return served(cls, initkwargs, super().as_view(**initkwargs))

    @either
    async def dispatch(  # type: ignore[override]  # Django awaits what an async view's dispatch returns
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Take a request through DRF's cycle: initialise, check, handle, and finalise the response.

        Args:
            request: Django's request.
            args: the URL's positional arguments.
            kwargs: the URL's keyword arguments.

        Returns:
            The response, to be rendered by Django.

        Source: DRF 3.18, views.py, ``dispatch``.
        """
        self.args, self.kwargs = args, kwargs
        # Asked once, before any code of a user's runs.
        usual = _BEFORE.holds(self) and all_made_in_place(
            self.parser_classes, self.authentication_classes, self.renderer_classes
        )
        databases: Sequence[str] = ()
        if usual:
            self.request = _request_of(self, request)
            self.headers = headers_of(self)
        else:
            self.request = await hook(self, "initialize_request", request, *args, **kwargs)
            self.headers = await attribute(self, "default_response_headers")
            databases = databases_of(await attribute(self, "atomic"), type(self).__name__)
        drf_request: DRFRequest = self.request
        answering = partial(_answered, self, drf_request, args, kwargs, usual, databases)
        self.response = await (transacted(databases, answering, by_requests=False) if databases else answering())
        if ahead := vars(drf_request).get("_ahead"):  # uploads that nobody read
            answer: Any = self.response
            answer._resource_closers.append(ahead._closing)
        return rendered_where_it_belongs(self.response)

    @sync
    async def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> DRFRequest:
        """Wrap Django's request in DRF's.

        Args:
            request: Django's request.
            args: the URL's positional arguments.
            kwargs: the URL's keyword arguments.

        Returns:
            The request that the view works with.

        Source: DRF 3.18, views.py, ``initialize_request``.
        """
        if _REQUEST.holds(self) and all_made_in_place(self.parser_classes, self.authentication_classes):
            return _request_of(self, request)
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
            request: the request.
            response: what the handler or the exception handler returned.
            args: the URL's positional arguments.
            kwargs: the URL's keyword arguments.

        Returns:
            The same response.

        Raises:
            AssertionError: the handler returned something else than a response.

        Source: DRF 3.18, views.py, ``finalize_response``.
        """
        return await _finalized(self, request, response, _RENDERER_CONTEXT.holds(self))

    options = either(APIView.options)  # type: ignore[assignment]  # Django awaits what an async view's handlers return

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


def _request_of(view: APIView, request: HttpRequest) -> Request:
    """Wrap Django's request: what ``initialize_request`` does where ``_REQUEST`` holds."""
    return Request(
        request,
        parsers=_DRFs.get_parsers(view),
        authenticators=_DRFs.get_authenticators(view),
        negotiator=_DRFs.get_content_negotiator(view),
        parser_context=_DRFs.get_parser_context(view, request),
    )


async def _answered(
    view: APIView,
    request: DRFRequest,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    usual: bool,
    databases: Sequence[str],
) -> Any:
    """Check, handle and finalise: what ``dispatch`` does once it has the request.

    Args:
        view: the view.
        request: the request.
        args: the URL's positional arguments.
        kwargs: the URL's keyword arguments.
        usual: whether ``_BEFORE`` holds.
        databases: the aliases of those in whose transactions this is.
    """
    try:
        if usual:
            alone = await _begin(view, request, kwargs)
            if alone or _AUTHENTICATION.holds(view):
                alone = await authenticated(request) and alone
            else:
                await hook(view, "perform_authentication", request)
            if not alone or view.permission_classes or view.throttle_classes:
                await _check(view, request)
            method_names = view.http_method_names
        else:
            await hook(view, "initial", request, *args, **kwargs)
            method_names = await attribute(view, "http_method_names")
        method = (request.method or "").lower()
        if method in method_names and hasattr(view, method):
            handler = getattr(view, method)
            if has_body(request) and reads_on_the_loop(handler):
                await read_ahead(request)
            response = await call(handler, request, *args, **kwargs)
        else:
            response = await hook(view, "http_method_not_allowed", request, *args, **kwargs)
    except Exception as error:
        await _know_the_user(view, request)
        response = await hook(view, "handle_exception", error)
        if databases:
            await blocking(roll_back, databases)
    if _AFTER.holds(view):
        response = await _finalized(view, request, response, True)
    else:
        response = await hook(view, "finalize_response", request, response, *args, **kwargs)
    insist_on_awaited(view)
    return response


async def _finalized(view: APIView, request: DRFRequest, response: Any, context_is_usual: bool) -> Any:
    """Do what ``finalize_response`` does."""
    assert isinstance(response, HttpResponseBase), (
        "Expected a `Response`, `HttpResponse` or `StreamingHttpResponse` to be returned from the view, but "
        f"received a `{type(response)}`"
    )
    if isinstance(response, DRFResponse):
        if not getattr(request, "accepted_renderer", None):
            negotiated = await hook(view, "perform_content_negotiation", request, force=True)
            request.accepted_renderer, request.accepted_media_type = negotiated
            context_is_usual = _RENDERER_CONTEXT.holds(view)
        response.accepted_renderer = request.accepted_renderer
        response.accepted_media_type = request.accepted_media_type
        if context_is_usual:
            context = _DRFs.get_renderer_context(view)
        else:
            context = await hook(view, "get_renderer_context")
        response.renderer_context = context  # type: ignore[attr-defined]  # the stubs leave it out
    vary = view.headers.pop("Vary", None)
    if vary is not None:
        patch_vary_headers(response, [name.strip() for name in vary.split(",") if name.strip()])
    if _STRINGS.issuperset(map(type, view.headers.values())):
        _set_headers(response, view.headers)
    else:  # a lazy value is evaluated when it is set
        await blocking(_set_headers, response, view.headers)
    return response


_STRINGS = frozenset({str})

# What most views leave as it is, so that it is done in place and not asked hook by hook.
_REQUEST = Usual(
    {
        name: getattr(_DRFs, name)
        for name in ("get_parser_context", "get_parsers", "get_authenticators", "get_content_negotiator")
    },
    {
        "parser_classes": is_plain_list,
        "authentication_classes": is_plain_list,
        "content_negotiation_class": partial(is_, DefaultContentNegotiation),
    },
)
_NEGOTIATION = Usual(
    {
        "get_format_suffix": _DRFs.get_format_suffix,
        "get_renderers": _DRFs.get_renderers,
        "get_content_negotiator": _DRFs.get_content_negotiator,
        "perform_content_negotiation": APIView.perform_content_negotiation,
        "determine_version": APIView.determine_version,
    },
    {
        "renderer_classes": is_plain_list,
        "content_negotiation_class": partial(is_, DefaultContentNegotiation),
        "versioning_class": partial(is_, None),
    },
)
_AUTHENTICATION = Usual({"perform_authentication": APIView.perform_authentication}, {})
_PERMISSIONS = Usual(
    {"check_permissions": APIView.check_permissions, "get_permissions": _DRFs.get_permissions},
    {"permission_classes": is_plain_list},
)
_THROTTLES = Usual(
    {"check_throttles": APIView.check_throttles, "get_throttles": _DRFs.get_throttles},
    {"throttle_classes": is_plain_list},
)
_RENDERER_CONTEXT = Usual({"get_renderer_context": _DRFs.get_renderer_context}, {})

# All that comes before a user's code, and all that comes after it.
_BEFORE = Usual(
    {
        "initialize_request": AsyncAPIView.initialize_request,
        "initial": APIView.initial,
        **_REQUEST.functions,
        **_NEGOTIATION.functions,
        **_AUTHENTICATION.functions,
        **_PERMISSIONS.functions,
        **_THROTTLES.functions,
    },
    {
        "default_response_headers": partial(is_, _DRFs.default_response_headers),
        "allowed_methods": partial(is_, _DRFs.allowed_methods),
        "_allowed_methods": partial(is_, _DRFs._allowed_methods),
        "http_method_names": is_plain_list,
        "atomic": partial(is_, False),
        **_REQUEST.attributes,
        **_NEGOTIATION.attributes,
        **_PERMISSIONS.attributes,
        **_THROTTLES.attributes,
    },
)
_AFTER = Usual({"finalize_response": AsyncAPIView.finalize_response, **_RENDERER_CONTEXT.functions}, {})


async def _know_the_user(view: APIView, request: DRFRequest) -> None:
    """Authenticate a request that was refused before it came to that, where async code of a user's will see it.

    Sync code may read ``request.user`` then, and DRF authenticates; on the event loop that could block.
    """
    if "_user" in vars(request) or overridden(view, "perform_authentication", APIView.perform_authentication):
        return
    asked: tuple[Any, ...] = (type(view).dispatch, view.settings.EXCEPTION_HANDLER)
    if any(map(is_coroutine_function, asked)) or any(is_async(view, name) for name in _AFTER_A_REFUSAL):
        with suppress(Exception):  # it was refused for another reason already
            await authenticated(request)


_AFTER_A_REFUSAL = ("finalize_response", "get_exception_handler_context", "handle_exception")


def _set_headers(response: HttpResponseBase, headers: dict[str, Any]) -> None:
    for name, value in headers.items():
        response[name] = value
