"""DRF's request, with authentication and parsing that know where they may run.

Asks authenticators and parsers, of a user's too, as steps of a flow or in the worker thread. Made by the views.
"""

from __future__ import annotations

import copy
import inspect
import io
import re
import sys
import tempfile
import types
import weakref
from collections.abc import Coroutine
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.functional import LazyObject
from rest_framework import exceptions, negotiation
from rest_framework import request as drf
from rest_framework.authentication import SessionAuthentication
from rest_framework.parsers import FormParser, JSONParser
from rest_framework.settings import api_settings
from rest_framework.utils import json

from restflow.drf import is_plain_list, know_as_flow, only_configures
from restflow.flow import (
    arun,
    blocking,
    call,
    gives_coroutine,
    hook,
    marked_async,
    may_block_here,
    remembered,
    run,
)
from restflow.flow.pending import Pending
from restflow.flow.steps import drop, is_awaitable, settle
from restflow.large import LARGEST_IN_PLACE, EncoderInTurns, ParserInTurns

__all__ = ["Request"]
__dir__ = __all__.copy

_IN_MEMORY_PARSERS = (JSONParser.parse, FormParser.parse)
_DRFS_SELECT_PARSER = negotiation.DefaultContentNegotiation.select_parser
_LAZY_ON_THE_LOOP = (
    "request.user was read on the event loop before the request was authenticated, and an authenticator may block. "
    "Use `await request.auser()` instead."
)
_PARSED = ("_data", "_files", "_full_data")
_TOO_DEEP = "JSON parse error - The document is nested too deeply."
_NOT_RENDERED = "JSON parse error - The document holds a number or a character that can't be represented: {error}."

# What a number beyond a float's range looks like once all digits are "0": an exponent of three digits, or 200 in a row.
_NUMBERS = bytes(ord("0" if chr(c) in "0123456789+" else "e" if chr(c) in "eE" else ".") for c in range(256))
_LARGE, _LONG = b"e000", b"0" * 200
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LIKE_ASCII = {"utf-8", "utf8", "ascii", "us-ascii", "latin-1", "iso-8859-1"}


async def authenticate(request: Any) -> None:
    """Ask the request's authenticators in turn, in whichever colour each is written.

    Raises:
        APIException: an authenticator refused.

    Source: DRF 3.18, request.py, ``Request._authenticate``.
    """
    for authenticator in request.authenticators:
        if hasattr(type(authenticator), "enforce_csrf"):  # others than DRF's have it under the same name
            _have_csrf_enforced(authenticator)
        try:
            credentials = await hook(authenticator, "authenticate", request)
        except exceptions.APIException:
            await _not_authenticated(request)
            raise
        if credentials is not None:
            user, auth = credentials
            refuse_async_user(user)
            request._authenticator = authenticator
            request.user, request.auth = user, auth
            return
    await _not_authenticated(request)


# What DRF's permissions, and Django's, ask of a user.
_ASKED_OF_USERS = (
    "is_active",
    "is_anonymous",
    "is_authenticated",
    "is_staff",
    "is_superuser",
    "has_module_perms",
    "has_perm",
    "has_perms",
)


def refuse_async_user(user: Any) -> None:
    """Refuse a user that DRF's permissions would take for one who is authenticated, because a coroutine is true.

    Args:
        user: whatever a request has for its user; of a lazy one, what it was evaluated to.

    Raises:
        TypeError: naming what is async.
    """
    user = user._wrapped if issubclass(type(user), LazyObject) else user
    if is_awaitable(user):
        drop(settle(user))
        raise TypeError(f"An authentication gave {user!r} for the user. Await it in an `async def authenticate`.")
    cls: Any = type(user)
    if (name := _async_answer(cls)) is not None:
        raise TypeError(
            f"{cls.__module__}.{cls.__qualname__}.{name} is async, and permissions would take its coroutine for a yes. "
            f"Write {name} sync."
        )


@remembered
def _async_answer(cls: Any) -> str | None:
    return next((name for name in _ASKED_OF_USERS if gives_coroutine(inspect.getattr_static(cls, name, None))), None)


_DRFS_ENFORCE_CSRF = SessionAuthentication.enforce_csrf
_DRFS_NOT_AUTHENTICATED = vars(drf.Request)["_not_authenticated"]


class _Enforced:
    """An ``enforce_csrf`` for DRF's own code to call, which would drop the coroutine of an async one."""

    def __init__(self, enforce_csrf: Any) -> None:
        self.enforce_csrf = enforce_csrf

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return run(call(self.enforce_csrf, *args, **kwargs))


def _have_csrf_enforced(authenticator: Any) -> None:
    """Have an override of ``enforce_csrf`` awaited: dropped, it would let forged requests in."""
    cls = type(authenticator)
    if cls.enforce_csrf is _DRFS_ENFORCE_CSRF and not hasattr(cls, "aenforce_csrf") and not vars(authenticator):
        return
    if "enforce_csrf" in getattr(authenticator, "_restflow_hooks", ()):
        return  # of ours, which asks it in either colour; other classes of two colours may still be DRF's here
    enforce_csrf = getattr(authenticator, _name_of_enforce_csrf(authenticator))
    if not callable(enforce_csrf):
        return  # a switch of somebody's
    function = getattr(enforce_csrf, "__func__", None)
    is_drfs = type(enforce_csrf) is types.MethodType and function is _DRFS_ENFORCE_CSRF
    if not (is_drfs or isinstance(enforce_csrf, _Enforced)):
        authenticator.enforce_csrf = _Enforced(enforce_csrf)


def _name_of_enforce_csrf(authenticator: Any) -> str:
    """Return the name under which the definition stands that is nearest to the object."""
    owners = (vars(authenticator), *map(vars, type(authenticator).__mro__))
    return next(name for owner in owners for name in ("enforce_csrf", "aenforce_csrf") if name in owner)


async def _not_authenticated(request: Any) -> None:
    """Have the request know nobody."""
    is_drfs = type(request)._not_authenticated is _DRFS_NOT_AUTHENTICATED
    if is_drfs and api_settings.UNAUTHENTICATED_TOKEN is None and _is_nobody(api_settings.UNAUTHENTICATED_USER):
        request._not_authenticated()
    else:
        await blocking(request._not_authenticated)


@remembered
def _is_nobody(user: Any) -> bool:
    """Tell whether making an unauthenticated user runs no code but Django's."""
    name = f"{getattr(user, '__module__', '')}.{getattr(user, '__qualname__', '')}"
    return user is None or name == "django.contrib.auth.models.AnonymousUser"


async def authenticated(request: Any) -> None:
    """Have ``request.user`` and ``request.auth`` set, asking the authenticators unless they were asked before.

    Raises:
        APIException: an authenticator refused.
        WrappedAttributeError: an authenticator raised AttributeError, which attribute access would swallow.

    Source: DRF 3.18, views.py, ``perform_authentication``, and request.py, ``user``.
    """
    if getattr(type(request), "user", None) is not drf.Request.user:  # a property of the user's own
        await blocking(getattr, request, "user")
    elif "_user" not in vars(request) and not hasattr(request._request, "_user"):
        is_ours = type(request)._authenticate is _AUTHENTICATE
        if is_ours and not request.authenticators:
            await _not_authenticated(request)
            return
        try:
            if is_ours:
                await authenticate(request)
            else:
                await hook(request, "_authenticate")
        except AttributeError:
            with drf.wrap_attributeerrors():
                raise


def show_to_sentry(request: Any) -> None:
    """Do what sentry-sdk does around DRF's own ``initial``, to find in an event's request the data that DRF parsed."""
    if (http_request := getattr(request, "_request", None)) is not None:
        vars(http_request)["_sentry_drf_request_backref"] = weakref.ref(request)


async def data_of(request: Any) -> Any:
    """Return ``request.data``, parsed in place where that can't block.

    Returns:
        What ``request.data`` is.

    Raises:
        ParseError: the body is malformed.
        UnsupportedMediaType: no parser takes it.
    """
    if not may_block_here() and isinstance(request, Request) and not request._parsing_may_block():
        return request.data
    return await blocking(getattr, request, "data")


def has_body(request: Any) -> bool:
    """Tell whether ``request`` is one of ours, and says that it has a body."""
    if not isinstance(request, Request):
        return False
    meta = request._request.META
    return meta.get("CONTENT_LENGTH", meta.get("HTTP_CONTENT_LENGTH")) not in {None, "", "0"}


async def read_ahead(request: Any) -> None:
    """Parse in the worker thread a body that can't be parsed on the event loop, before async code reads it.

    A refusal waits until the body is read: a body that no one reads is never refused.

    Args:
        request: our request; one of another class can't keep a refusal.
    """
    if request._parsing_may_block():
        await blocking(request._read_ahead)


if TYPE_CHECKING:

    class _Request(drf.Request):
        """What the stubs of DRF's request leave out."""

        _full_data: Any

        def _authenticate(self) -> None: ...
        def _load_data_and_files(self) -> None: ...
        def _parse(self) -> tuple[Any, Any]: ...

else:
    _Request = drf.Request


class Request(_Request):
    """DRF's ``Request``, with ``await request.auser()`` and a body that async code can read without blocking the loop.

    Source: DRF 3.18, request.py.
    """

    _ahead: Request | None = None
    _refusal: Exception | None = None
    _handlers_before: list[Any]
    _closing: weakref.finalize[Any, Any]

    async def _user_of(self) -> Any:
        await authenticated(self)
        return self.user

    @marked_async
    def auser(self) -> Coroutine[Any, Any, Any]:
        """Return the user, asking the view's authenticators unless they were asked before.

        For async code of a view whose ``perform_authentication`` was overridden with ``pass``; elsewhere
        ``request.user`` is set before the handler runs.

        Returns:
            What ``request.user`` is from then on.

        Raises:
            APIException: an authenticator refused.
        """
        return Pending(self._auser(), "request.auser", sys._getframe(1))

    async def _auser(self) -> Any:
        return await arun(self._user_of())

    def _authenticate(self) -> None:
        is_async = getattr(self.parser_context.get("view"), "view_is_async", False)
        run(authenticate(self), refusal=_LAZY_ON_THE_LOOP if is_async else "")

    def _read_ahead(self) -> None:
        """Parse the body in a copy of this request, which keeps what came of it until somebody reads the body.

        A body that can be read again is: this request and Django's stay as they were, for a handler that reads the raw
        body, sets upload handlers, or reads nothing.
        """
        http_request: Any = copy.copy(self._request)
        stream: Any = self._request._stream
        http_request._stream = _KeptOpen(stream)
        ahead: Request = object.__new__(type(self))
        vars(ahead).update(vars(self), _request=http_request)
        ahead.parser_context = {**self.parser_context, "request": ahead}
        ahead._handlers_before = list(http_request._upload_handlers)
        try:
            super(Request, ahead)._load_data_and_files()
        except Exception as error:
            ahead._refusal = error
        # Uploads that nobody reads are closed with the copy; those that are read, by Django with its request.
        ahead._closing = weakref.finalize(ahead, _close, _uploads(http_request))
        if _is_rewindable(stream):
            stream.seek(0)
        else:
            self._take_over(ahead, "_body")
        self._ahead = ahead

    def _take_over(self, ahead: Request, *names: str) -> None:
        """Have Django's request say that its body was read, as it was in the copy."""
        mine: Any = self._request
        vars(mine).update({name: value for name, value in vars(ahead._request).items() if name in names})
        stream = vars(ahead)["_stream"]
        vars(self)["_stream"] = mine if stream is ahead._request else stream
        if hasattr(mine, "_body"):
            mine._stream = io.BytesIO(mine._body)
        mine._read_started = True

    def _load_data_and_files(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is None or not self._is_as_it_was(ahead):
            super()._load_data_and_files()
            return
        for name in _PARSED:
            vars(self)[name] = vars(ahead)[name]
        self._take_over(ahead, "_body", "_files", "_post", "_upload_handlers")
        if ahead._refusal is not None:
            raise ahead._refusal
        ahead._closing.detach()

    def _parse(self) -> tuple[Any, Any]:
        """Parse the body, and refuse JSON that Python reads and can't write: rendering it would be a 500 later on."""
        try:
            data, files = self._parse_as_drf()
        except RecursionError as error:
            if _is_json(self._parser()):
                raise exceptions.ParseError(_TOO_DEEP) from error
            raise
        if is_awaitable(data):
            drop(settle(data))
            parser = type(self._parser())
            raise TypeError(f"{parser.__module__}.{parser.__qualname__}.parse is async. Write it sync.")
        if data and not isinstance(data, QueryDict) and self._may_not_render():
            parser = self._parser()
            if _is_json(parser) and (reason := _why_not_rendered(data, parser)):
                # What DRF leaves behind where it refuses.
                vars(self)["_data"] = self._full_data = QueryDict("", encoding=self._request.encoding)
                vars(self)["_files"] = MultiValueDict()
                raise exceptions.ParseError(reason)
        return data, files

    def _parse_as_drf(self) -> tuple[Any, Any]:
        """Parse the body by the view's parsers; large JSON so that other threads have their turn meanwhile."""
        if not (has_body(self) and self._is_json_for_drf() and _size(self._request) > LARGEST_IN_PLACE):
            return super()._parse()
        parsers, self.parsers = self.parsers, [ParserInTurns()]
        try:
            return super()._parse()
        finally:
            self.parsers = parsers

    def _is_json_for_drf(self) -> bool:
        """Tell whether the body is what most are: plain JSON, and DRF's parser of it the first of the view's."""
        if not is_plain_list(self.parsers):
            return False
        negotiator, parser = self.negotiator, next(iter(self.parsers), None)
        return (
            self.content_type == JSONParser.media_type == "application/json"
            and type(parser) is JSONParser
            and type(negotiator) is negotiation.DefaultContentNegotiation
            and not (vars(parser) or vars(negotiator))
            and JSONParser.parse is _IN_MEMORY_PARSERS[0]
            and negotiation.DefaultContentNegotiation.select_parser is _DRFS_SELECT_PARSER
        )

    def _parser(self) -> Any:
        negotiator: Any = self.negotiator
        return negotiator.select_parser(self, self.parsers)

    def _may_not_render(self) -> bool:
        """Tell whether a body may hold what JSON can't be made of; a look at the bytes clears nearly all."""
        body: Any = getattr(self._request, "_body", None)
        if body is None or str(self.parser_context.get("encoding", "")).lower() not in _LIKE_ASCII:
            return True
        if b"\\" in body and _SURROGATE.search(body):
            return True
        numbers: bytes = body.translate(_NUMBERS)
        return numbers.rfind(_LARGE) >= 0 or numbers.rfind(_LONG) >= 0  # three times as fast as "in"

    def _is_as_it_was(self, ahead: Request) -> bool:
        """Tell whether nothing was done meanwhile that makes a difference to parsing."""
        mine: Any = self._request
        if not _is_rewindable(mine._stream):
            return True  # it can't be parsed again
        return (
            self.parsers is ahead.parsers
            and mine._upload_handlers == ahead._handlers_before
            and (not mine._read_started or hasattr(mine, "_body"))
        )

    def _parsing_may_block(self) -> bool:
        if self._full_data is not drf.Empty or self._ahead is not None or not has_body(self):
            return False
        if self._is_json_for_drf():
            return not _is_in_place(self._request)
        if not isinstance(self.negotiator, negotiation.DefaultContentNegotiation) or not only_configures(
            self.negotiator
        ):
            return True
        if not is_plain_list(self.parsers):
            return True  # it may be read once only
        parser = self.negotiator.select_parser(self, self.parsers)
        if parser is None:  # refused, unread
            return False
        is_known = any(type(parser).parse is known for known in _IN_MEMORY_PARSERS) and only_configures(parser)
        return not (is_known and _is_in_place(self._request))


def _is_json(parser: Any) -> bool:
    return isinstance(parser, JSONParser) or str(getattr(parser, "media_type", "")).endswith(("/json", "+json"))


def _why_not_rendered(data: Any, parser: Any) -> str:
    strict = getattr(parser, "strict", api_settings.STRICT_JSON)
    try:
        text = json.dumps(data, cls=EncoderInTurns, allow_nan=not strict, ensure_ascii=not api_settings.UNICODE_JSON)
        text.encode()
    except RecursionError:
        return _TOO_DEEP
    except UnicodeEncodeError as error:
        return _NOT_RENDERED.format(error=error.reason)
    except ValueError as error:
        return _NOT_RENDERED.format(error=error)
    except TypeError:  # the parser made objects of its own
        return ""
    return ""


def _uploads(http_request: Any) -> list[Any]:
    files: Any = getattr(http_request, "_files", {})  # a plain dict where DRF's FileUploadParser gave it
    stored = chain.from_iterable(
        files.getlist(name) if isinstance(files, MultiValueDict) else [files[name]] for name in files
    )
    under_way = (getattr(handler, "file", None) for handler in http_request._upload_handlers)
    return [file for file in (*stored, *under_way) if file is not None]


def _close(files: list[Any]) -> None:
    for file in files:
        file.close()


class _KeptOpen:
    """A stream that its reader does not close."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def close(self) -> None:
        """Leave the stream open."""


def _is_rewindable(stream: Any) -> bool:
    return isinstance(stream, (tempfile.SpooledTemporaryFile, io.BytesIO))


def _is_in_place(http_request: Any) -> bool:
    """Tell whether the body of a Django request is in memory, and small."""
    return _is_in_memory(http_request) and _size(http_request) <= LARGEST_IN_PLACE


def _is_in_memory(http_request: Any) -> bool:
    """Tell whether the body of a Django request can be read without waiting for a disk or a socket."""
    if hasattr(http_request, "_body") or http_request._read_started:
        return True
    stream = http_request._stream
    if isinstance(stream, tempfile.SpooledTemporaryFile):  # what Django's ASGI handler reads a body into
        return not getattr(stream, "_rolled", True)
    return isinstance(stream, io.BytesIO)


def _size(http_request: Any) -> int:
    """Return how many bytes of the body of a Django request are to be parsed; 0 under WSGI, where no loop waits."""
    if hasattr(http_request, "_body"):
        return len(http_request._body)
    stream = http_request._stream
    if isinstance(stream, _KeptOpen):
        stream = stream.stream
    if http_request._read_started or not _is_rewindable(stream):  # read by other code, so it can't be parsed
        return 0
    size: int = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    return size


# Both classes' own way of asking the authenticators, where a flow comes to it: DRF's clones for the browsable API and a
# user's subclass of DRF's request are authenticated as ours are.
know_as_flow(_Request._authenticate, authenticate)
know_as_flow(Request._authenticate, authenticate)
_AUTHENTICATE = Request._authenticate
