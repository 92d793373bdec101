"""DRF's request, with authentication and parsing that know where they may run."""

from __future__ import annotations

import io
import tempfile
from typing import TYPE_CHECKING, Any

from rest_framework import exceptions, negotiation
from rest_framework import request as drf
from rest_framework.parsers import FormParser, JSONParser
from rest_framework.settings import api_settings

from restflow.drf import only_configures
from restflow.flow import arun, blocking, hook, run, stand_in

__all__ = ["Request"]

_IN_MEMORY_PARSERS = {JSONParser.parse, FormParser.parse}
_LAZY_ON_THE_LOOP = (
    "request.user was read on the event loop before the request was authenticated, and an authenticator may block. "
    "Use `await request.auser()` instead."
)
_PARSED = ("_data", "_files", "_full_data")


async def authenticate(request: Any) -> None:
    """Ask the request's authenticators in turn, in whichever colour each is written.

    Args:
        request: a DRF request of any class.

    Raises:
        APIException: an authenticator refused.

    Source: DRF 3.18, request.py, ``Request._authenticate``.
    """
    for authenticator in request.authenticators:
        try:
            credentials = await hook(authenticator, "authenticate", request)
        except exceptions.APIException:
            await _not_authenticated(request)
            raise
        if credentials is not None:
            request._authenticator = authenticator
            request.user, request.auth = credentials
            return
    await _not_authenticated(request)


async def _not_authenticated(request: Any) -> None:
    user: Any = api_settings.UNAUTHENTICATED_USER
    name = f"{getattr(user, '__module__', '')}.{getattr(user, '__qualname__', '')}"
    is_drfs = user is None or name == "django.contrib.auth.models.AnonymousUser"
    if is_drfs and api_settings.UNAUTHENTICATED_TOKEN is None:
        request._not_authenticated()
    else:
        await blocking(request._not_authenticated)


async def authenticated(request: Any) -> None:
    """Have ``request.user`` and ``request.auth`` set, asking the authenticators unless they were asked before.

    Args:
        request: a DRF request of any class.

    Raises:
        APIException: an authenticator refused.
        WrappedAttributeError: an authenticator raised AttributeError, which attribute access would swallow.

    Source: DRF 3.18, views.py, ``perform_authentication``, and request.py, ``user``.
    """
    if type(request).user is not drf.Request.user:  # a property of the user's own
        await blocking(getattr, request, "user")
    elif "_user" not in vars(request) and not hasattr(request._request, "_user"):
        with drf.wrap_attributeerrors():
            await hook(request, "_authenticate")


async def data_of(request: Any) -> Any:
    """Return ``request.data``, parsed in place where that can't block.

    Args:
        request: a DRF request of any class.

    Returns:
        What ``request.data`` is.

    Raises:
        ParseError: the body is malformed.
        UnsupportedMediaType: no parser takes it.
    """
    if not isinstance(request, Request) or request._parsing_may_block():
        return await blocking(getattr, request, "data")
    return request.data


async def read_ahead(request: Any) -> None:
    """Parse in the worker thread a body that can't be parsed on the event loop, before async code reads it.

    A refusal waits until the body is read: a body that no one reads is never refused.

    Args:
        request: a DRF request; one of another class than ours is left alone, as it can't keep a refusal.
    """
    if isinstance(request, Request) and request._parsing_may_block():
        await blocking(request._read_ahead)


if TYPE_CHECKING:

    class _Request(drf.Request):
        """What the stubs of DRF's request leave out."""

        _full_data: Any

        def _authenticate(self) -> None: ...
        def _load_data_and_files(self) -> None: ...

else:
    _Request = drf.Request


class Request(_Request):
    """DRF's ``Request``, with ``await request.auser()`` and a body that async code can read without blocking the loop.

    Source: DRF 3.18, request.py.
    """

    _refusal: tuple[Exception, dict[str, Any]] | None = None
    _parsed_accept_list: list[Any] | None = (
        None  # DRF looks for it; not found here, it would be sought in Django's request
    )

    async def _user_of(self) -> Any:
        await authenticated(self)
        return self.user

    async def auser(self) -> Any:
        """Return the user, asking the view's authenticators unless they were asked before.

        For async code of a view whose ``perform_authentication`` was overridden with ``pass``; elsewhere
        ``request.user`` is set before the handler runs.

        Returns:
            What ``request.user`` is from then on.

        Raises:
            APIException: an authenticator refused.
        """
        return await arun(self._user_of())

    def _authenticate(self) -> None:
        is_async = getattr(self.parser_context.get("view"), "view_is_async", False)
        run(authenticate(self), refusal=_LAZY_ON_THE_LOOP if is_async else "")

    def _read_ahead(self) -> None:
        before = {name: vars(self)[name] for name in _PARSED}
        try:
            super()._load_data_and_files()
        except Exception as error:
            self._refusal = (error, {name: vars(self)[name] for name in _PARSED})
            vars(self).update(before)

    def _load_data_and_files(self) -> None:
        if self._refusal is not None:
            (error, after), self._refusal = self._refusal, None
            vars(self).update(after)
            raise error
        super()._load_data_and_files()

    def _parsing_may_block(self) -> bool:
        if self._full_data is not drf.Empty or self._refusal is not None or not self._has_body():
            return False
        if not _is_in_memory(self._request) or not isinstance(self.negotiator, negotiation.DefaultContentNegotiation):
            return True
        if not only_configures(type(self.negotiator)):
            return True
        parser = self.negotiator.select_parser(self, self.parsers or ())
        return parser is not None and (
            type(parser).parse not in _IN_MEMORY_PARSERS or not only_configures(type(parser))
        )

    def _has_body(self) -> bool:
        length = self._request.META.get("CONTENT_LENGTH", self._request.META.get("HTTP_CONTENT_LENGTH"))
        return length not in {None, "", "0"}


def _is_in_memory(http_request: Any) -> bool:
    """Tell whether the body of a Django request can be read without waiting for a disk or a socket."""
    if hasattr(http_request, "_body") or http_request._read_started:
        return True
    stream = http_request._stream
    if isinstance(stream, tempfile.SpooledTemporaryFile):  # what Django's ASGI handler reads a body into
        return not getattr(stream, "_rolled", True)
    return isinstance(stream, io.BytesIO)


# Both classes' own way of asking the authenticators, where a flow comes to it: DRF's clones for the browsable API and a
# user's subclass of DRF's request are authenticated as ours are.
stand_in(_Request._authenticate, authenticate)
stand_in(Request._authenticate, authenticate)
