"""DRF's request, whose user and body async code can read without blocking the event loop.

Authenticates through ``restflow.credentials``, and parses in the worker thread if that may block. Created by the views.
"""

from __future__ import annotations

import copy
import io
import sys
import weakref
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from rest_framework import exceptions, negotiation
from rest_framework import request as drf
from rest_framework.parsers import FormParser, JSONParser

from restflow.bodies import (
    TOO_DEEP,
    KeptOpen,
    close_all,
    is_in_place,
    is_json,
    is_rewindable,
    may_not_render,
    size_of,
    uploads_of,
    why_not_rendered,
)
from restflow.credentials import authenticate, authenticated
from restflow.drf import is_plain_list, know_as_flow, only_configures
from restflow.flow import arun, blocking, marked_async, may_block_here, run
from restflow.flow.pending import Pending
from restflow.flow.steps import drop, is_awaitable, settle
from restflow.large import LARGEST_IN_PLACE, ParserInTurns

__all__ = ["Request"]
__dir__ = __all__.copy

_IN_MEMORY_PARSERS = (JSONParser.parse, FormParser.parse)
_DRFS_SELECT_PARSER = negotiation.DefaultContentNegotiation.select_parser
_LAZY_ON_THE_LOOP = (
    "request.user was read on the event loop before the request was authenticated, and an authenticator may block. "
    "Use `await request.auser()` instead."
)
_PARSED = ("_data", "_files", "_full_data")


def show_to_sentry(request: Any) -> None:
    """Do what sentry-sdk's patch of DRF's ``initial`` does, so that an event has the data that DRF parsed."""
    if (http_request := getattr(request, "_request", None)) is not None:
        vars(http_request)["_sentry_drf_request_backref"] = weakref.ref(request)


async def data_of(request: Any) -> Any:
    """Return ``request.data``, parsed directly if that can't block, otherwise in the thread.

    Returns:
        The value of ``request.data``.

    Raises:
        ParseError: the body is malformed.
        UnsupportedMediaType: no parser accepts the body.
    """
    if not may_block_here() and isinstance(request, Request) and not request._parsing_may_block():
        return request.data
    return await blocking(getattr, request, "data")


def has_body(request: Any) -> bool:
    """Tell whether ``request`` is one of ours, and declares a body."""
    if not isinstance(request, Request):
        return False
    meta = request._request.META
    return meta.get("CONTENT_LENGTH", meta.get("HTTP_CONTENT_LENGTH")) not in {None, "", "0"}


async def read_ahead(request: Any) -> None:
    """Parse a body that can't be parsed on the event loop in the worker thread, before async code reads it.

    An error is raised only when the body is read: a body that is never read is never refused.

    Args:
        request: a request of our class; others can't store the error.
    """
    if request._parsing_may_block():
        await blocking(request._read_ahead)


if TYPE_CHECKING:

    class _Request(drf.Request):
        """Attributes of DRF's request that the stubs lack."""

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
        """Return the user, after calling the view's authenticators unless that has been done.

        For async code of a view that overrides ``perform_authentication`` with ``pass``; elsewhere ``request.user`` is
        set before the handler runs.

        Returns:
            The value of ``request.user`` from then on.

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
        """Parse the body in a copy of this request, which keeps the result until the body is read.

        If the body can be read again, this request and Django's stay as they were, for a handler that reads the raw
        body, sets upload handlers, or reads nothing.
        """
        http_request: Any = copy.copy(self._request)
        stream: Any = self._request._stream
        http_request._stream = KeptOpen(stream)
        ahead: Request = object.__new__(type(self))
        vars(ahead).update(vars(self), _request=http_request)
        ahead.parser_context = {**self.parser_context, "request": ahead}
        ahead._handlers_before = list(http_request._upload_handlers)
        try:
            super(Request, ahead)._load_data_and_files()
        except Exception as error:
            ahead._refusal = error
        # Uploads that are never read are closed with this copy; Django closes the others with its request.
        ahead._closing = weakref.finalize(ahead, close_all, uploads_of(http_request))
        if is_rewindable(stream):
            stream.seek(0)
        else:
            self._take_over(ahead, "_body")
        self._ahead = ahead

    def _take_over(self, ahead: Request, *names: str) -> None:
        """Put Django's request into the state of the copy, in which its body has been read."""
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
        """Parse the body, and refuse JSON that Python can read but not write: rendering it would be a 500 later."""
        try:
            data, files = self._parse_as_drf()
        except RecursionError as error:
            if is_json(self._parser()):
                raise exceptions.ParseError(TOO_DEEP) from error
            raise
        if is_awaitable(data):
            drop(settle(data))
            parser = type(self._parser())
            raise TypeError(f"{parser.__module__}.{parser.__qualname__}.parse is async. Write it sync.")
        body, encoding = getattr(self._request, "_body", None), str(self.parser_context.get("encoding", ""))
        if data and not isinstance(data, QueryDict) and may_not_render(body, encoding):
            parser = self._parser()
            if is_json(parser) and (reason := why_not_rendered(data, parser)):
                # The state in which DRF leaves a request whose body it refuses.
                vars(self)["_data"] = self._full_data = QueryDict("", encoding=self._request.encoding)
                vars(self)["_files"] = MultiValueDict()
                raise exceptions.ParseError(reason)
        return data, files

    def _parse_as_drf(self) -> tuple[Any, Any]:
        """Parse the body with the view's parsers; large JSON in a way that lets other threads run."""
        if not (has_body(self) and self._is_json_for_drf() and size_of(self._request) > LARGEST_IN_PLACE):
            return super()._parse()
        parsers, self.parsers = self.parsers, [ParserInTurns()]
        try:
            return super()._parse()
        finally:
            self.parsers = parsers

    def _is_json_for_drf(self) -> bool:
        """Tell whether the body is plain JSON and DRF's JSON parser is the first of the view's parsers, as is usual."""
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

    def _is_as_it_was(self, ahead: Request) -> bool:
        """Tell whether nothing has been changed meanwhile that would affect parsing."""
        mine: Any = self._request
        if not is_rewindable(mine._stream):
            return True  # it has been read and can't be parsed again
        return (
            self.parsers is ahead.parsers
            and mine._upload_handlers == ahead._handlers_before
            and (not mine._read_started or hasattr(mine, "_body"))
        )

    def _parsing_may_block(self) -> bool:
        if self._full_data is not drf.Empty or self._ahead is not None or not has_body(self):
            return False
        if self._is_json_for_drf():
            return not is_in_place(self._request)
        negotiator: Any = self.negotiator
        if not isinstance(negotiator, negotiation.DefaultContentNegotiation) or not only_configures(negotiator):
            return True
        if not is_plain_list(self.parsers):
            return True  # an iterator can be read only once
        parser = negotiator.select_parser(self, self.parsers)
        if parser is None:  # 415, without reading the body
            return False
        is_known = any(type(parser).parse is known for known in _IN_MEMORY_PARSERS) and only_configures(parser)
        return not (is_known and is_in_place(self._request))


# Flows that reach either class's `_authenticate` run ours: so DRF's clones for the browsable API, and a project's
# subclass of DRF's request, are authenticated in either colour too.
know_as_flow(_Request._authenticate, authenticate)
know_as_flow(Request._authenticate, authenticate)
