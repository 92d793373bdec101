"""The entry: an ASGI handler in place of Django's, for any project. Goes to a thread only for what may block."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from contextvars import Context, copy_context
from functools import partial
from types import CoroutineType
from typing import Any, cast

import django
from django.conf import settings as django_settings
from django.core.exceptions import RequestAborted
from django.core.handlers import base
from django.core.handlers.asgi import ASGIHandler as DjangoASGIHandler
from django.core.handlers.asgi import get_script_prefix
from django.core.signals import request_finished, request_started
from django.db import connections
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix, set_urlconf

from restflow.db.sessions import close_free, discard_unfinished, is_connected, keeps_a_connection, watch_last
from restflow.db.transactions import transacted
from restflow.flow import (
    Begun,
    Limits,
    Overloaded,
    Workers,
    arun,
    asked,
    awaited,
    blocking,
    call,
    forget_request,
    in_any_thread,
    is_marked_async,
    last_call,
    never_blocks,
    provide,
    watched,
    withdraw,
)
from restflow.middleware import load
from restflow.middleware.known import is_as_written
from restflow.middleware.logs import log_refusal
from restflow.settings import settings
from restflow.signals import AT_END, AT_START, Receivers, close_in_place, closes_in_place

__all__ = ["ASGIHandler", "get_asgi_application"]
__dir__ = __all__.copy

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

logger = logging.getLogger("django.request")

_GET_RESPONSE_ASYNC = base.BaseHandler.get_response_async
_AS_WRITTEN = is_as_written(_GET_RESPONSE_ASYNC, base.__name__)


def _after_call() -> bool:
    """Have the thread let go of the request's event loop, and tell whether it has a connection to be closed."""
    forget_request()
    return is_connected()


def get_asgi_application() -> ASGIHandler:
    """Set Django up, and return the application for an ASGI server, in place of ``django.core.asgi``'s."""
    django.setup(set_prefix=False)
    return ASGIHandler()


class ASGIHandler(DjangoASGIHandler):
    """Django's ``ASGIHandler``, where a request that blocks nowhere uses no thread, and one that does, one.

    Source: Django 5.2 to 6.1, core/handlers/asgi.py, ``ASGIHandler``; core/handlers/base.py, ``BaseHandler``.
    """

    workers = Workers(
        lambda: Limits(settings.WORKER_THREADS, settings.WORKER_QUEUE, settings.WORKER_LEASES),
        retiring=connections.close_all,
        resting=close_free,
        moment=lambda: settings.RELEASE_AFTER,
        holding=_after_call,
        locking=keeps_a_connection,
    )
    """The threads of this process."""

    def __init__(self) -> None:
        self._started = Receivers(request_started, type(self), AT_START)
        self._finished = Receivers(request_finished, type(self), AT_END)
        watch_last()
        super().__init__()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve a connection: one request, or the server's lifespan.

        Args:
            scope: what the connection is.
            receive: gives the next message of the server.
            send: takes a message to the server.

        Raises:
            ValueError: it is neither.
        """
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start when the server does, and end when it has served its last request."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.workers.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def handle(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve a request.

        Args:
            scope: what is asked.
            receive: gives the body, then the client's disconnect.
            send: takes the response.
        """
        try:
            body_file = await self.read_body(receive)
        except RequestAborted:
            return
        with closing(body_file):
            if sys.version_info >= (3, 12):
                context = cast("asyncio.Task[Any]", asyncio.current_task()).get_context()
                await self._lease(context, scope, body_file, receive, send)
            else:  # pragma: no cover - Python 3.11, where a task doesn't tell its context: one is made that is known
                context = copy_context()
                await asyncio.create_task(self._lease(context, scope, body_file, receive, send), context=context)

    async def _lease(self, context: Context, scope: Any, body_file: Any, receive: Receive, send: Send) -> None:
        """Serve a request in the task whose context is given, with a lease on a thread unless it has one already."""
        lease = self.workers.lease(context, beginning=partial(self._begin, scope), ending=self._end)
        provided = provide(lease)
        try:
            await self._serve(scope, body_file, receive, send, has_lease=provided is not None)
        finally:
            if provided is not None:
                withdraw(provided)
                lease.end()

    async def _serve(self, scope: Any, body_file: Any, receive: Receive, send: Send, *, has_lease: bool) -> None:
        set_script_prefix(get_script_prefix(scope))
        if not (has_lease and self._started.are_djangos()):
            await request_started.asend(sender=type(self), scope=scope)
        request, error_response = self.create_request(scope, body_file)
        if request is None:
            assert error_response is not None
            body_file.close()
            await self.send_response(error_response, send)
            await self._close(error_response, has_lease)
            return
        answered: list[HttpResponseBase] = []
        answer = Begun(self._answer(request, send, answered))
        if not answer.done:
            await watched(answer, partial(self.listen_for_disconnect, receive), quiet=RequestAborted)
        await self._close(answered[0] if answered else None, has_lease)

    async def _answer(self, request: Any, send: Send, answered: list[HttpResponseBase]) -> None:
        answered.append(await self.run_get_response(request))  # it has to be closed, whether it is sent or not
        await self.send_response(answered[0], send)

    async def read_body(self, receive: Receive) -> Any:
        """Read the request's body.

        Args:
            receive: gives its parts.

        Returns:
            A file: in memory where it came in one part and is small, else Django's, which is rolled over to the disk.

        Raises:
            RequestAborted: the client disconnected.
        """
        message = await receive()
        body = message.get("body", b"")
        if (
            message["type"] == "http.request"
            and not message.get("more_body", False)
            and len(body) <= django_settings.FILE_UPLOAD_MAX_MEMORY_SIZE
        ):
            return io.BytesIO(body)
        pending = [message]

        async def again() -> Any:
            return pending.pop() if pending else await receive()

        return await super().read_body(again)

    # The signals, and the response's end.

    def _begin(self, scope: Any) -> None:
        """Do in the request's thread what Django's receivers do when a request starts."""
        if connections.all(initialized_only=True):
            for receiver in self._started.djangos():
                receiver(signal=request_started, sender=type(self), scope=scope)

    def _end(self) -> None:
        """Do in the request's thread what Django's receivers do when a request has ended."""
        try:
            if connections.all(initialized_only=True):
                discard_unfinished()
                for receiver in self._finished.djangos():
                    receiver(signal=request_finished, sender=type(self))
        except Exception:
            logger.exception("A database connection could not be closed.")

    async def _close(self, response: Any, has_lease: bool) -> None:
        """Close the response, which ends the request; end it where the client left before there was a response."""
        if has_lease and self._finished.are_djangos() and closes_in_place(response):
            close_in_place(response)
            return
        close = partial(request_finished.send, sender=type(self)) if response is None else response.close
        try:
            await arun(blocking(close))
        except Overloaded:
            await in_any_thread(close)

    # The response.

    def load_middleware(self, is_async: bool = True) -> None:
        """Make the chain of middleware.

        Args:
            is_async: as Django's signature has it; this handler knows no other kind.
        """
        chain = load(self._respond)
        self._chain = chain.layer
        self._view_middleware = [_asking(method) for method in chain.view_hooks]
        self._template_response_middleware = chain.template_response_hooks
        self._exception_middleware = chain.exception_hooks

        async def middleware_chain(request: Any) -> Any:
            return await arun(chain.layer(request))

        self._middleware_chain = middleware_chain

    async def get_response_async(self, request: Any) -> Any:
        """Take a request through the middleware to its view.

        Args:
            request: Django's request.

        Returns:
            The response.
        """
        if not _AS_WRITTEN or base.BaseHandler.get_response_async is not _GET_RESPONSE_ASYNC:
            return await super().get_response_async(request)  # another package put its own there
        return await arun(self._get_response(request))

    async def _get_response(self, request: Any) -> Any:
        set_urlconf(django_settings.ROOT_URLCONF)  # type: ignore[arg-type]  # whatever the project has
        response = await self._chain(request)
        response._resource_closers.append(request.close)
        if response.status_code >= 400 and not getattr(response, "_has_been_logged", False):
            await call(log_refusal, request, response)
        if not response.streaming:
            last_call()
        return response

    async def _respond(self, request: Any) -> Any:
        """Resolve and call the view, with the hooks of the middleware that belong there.

        Source: Django 5.2 to 6.1, core/handlers/base.py, ``_get_response_async``.
        """
        response: Any = None
        callback, args, kwargs = self.resolve_request(request)
        for ask in self._view_middleware:
            response = ask(request, callback, args, kwargs)
            if type(response) is CoroutineType:
                response = await response
            if response:
                break
        if response is None:
            aliases = _atomic_databases(callback)
            view = callback if aliases else self.make_view_atomic(callback)
            asking = partial(self._called, view, request, *args, **kwargs)
            try:
                response = await (transacted(aliases, asking) if aliases else asking())
            except Exception as error:
                response = await self._by_exception_hooks(request, error)
                if response is None:
                    raise
        self.check_response(response, callback)
        if callable(getattr(response, "render", None)):
            for method in self._template_response_middleware:
                response = await _asked(method, request, response)
                name = f"{type(method.__self__).__name__}.process_template_response"
                self.check_response(response, method, name=name)
            try:
                response = await _asked(response.render)
            except Exception as error:
                response = await self._by_exception_hooks(request, error)
                if response is None:
                    raise
        return response

    async def _called(self, view: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a view as Django does: what a sync one gives is not awaited.

        A coroutine would be that of an async view, and whatever the wrapper around it opened has ended by now.
        """
        if is_marked_async(view):
            return await awaited(view, request, *args, **kwargs)

        def called() -> list[Any]:
            return [view(request, *args, **kwargs)]

        (response,) = called() if never_blocks(view, request, *args, **kwargs) else await blocking(called)
        return response

    async def _by_exception_hooks(self, request: Any, error: Exception) -> Any:
        for method in self._exception_middleware:
            response = await _asked(method, request, error)
            if response:
                return response
        return None


def _asking(function: Any) -> Callable[..., Any]:
    """Return what calls what Django's handler calls: on the event loop what Django takes for async."""
    return partial(awaited if is_marked_async(function) else asked, function)


async def _asked(function: Any, *args: Any, **kwargs: Any) -> Any:
    answer = _asking(function)(*args, **kwargs)
    return await answer if type(answer) is CoroutineType else answer


def _atomic_databases(view: Any) -> list[str]:
    """Return the aliases of the databases in whose transaction an async view has to be; Django refuses it."""
    exempt: set[str] = getattr(view, "_non_atomic_requests", set())
    aliases = [name for name, each in connections.settings.items() if each["ATOMIC_REQUESTS"] and name not in exempt]
    return aliases[::-1] if aliases and is_marked_async(view) else []
