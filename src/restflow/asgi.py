"""The entry: an ASGI handler to use in place of Django's, in any project. Only code that may block goes to a thread.

A request goes from Django's ``__call__`` to ``handle``, ``_serve_leased``, ``_serve`` and ``_answer``. This calls
Django's ``run_get_response``, and that ``get_response_async``, which drives one flow: ``_get_response``, the middleware
of ``middleware/chain.py``, and innermost ``_respond``, which calls the view.
"""

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

from restflow.db.sessions import close_free, discard_unfinished, holds_a_session, keeps_a_connection, watch_last
from restflow.db.transactions import transacted
from restflow.flow import (
    Begun,
    Limits,
    Workers,
    arun,
    asked,
    awaited,
    blocking,
    call,
    forget_request,
    is_marked_async,
    last_call,
    never_blocks,
    provide,
    watched,
    withdraw,
    without_fail,
)
from restflow.flow.streaming import end_streams
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
    """Drop the thread's references to the request's event loop, and tell whether it has a connection to close."""
    forget_request()
    return holds_a_session()


def get_asgi_application() -> ASGIHandler:
    """Set up Django, and return the application for an ASGI server, in place of that of ``django.core.asgi``."""
    django.setup(set_prefix=False)
    return ASGIHandler()


class ASGIHandler(DjangoASGIHandler):
    """Django's ``ASGIHandler``, except that a request uses one thread if it blocks anywhere, and none otherwise.

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
        """Handle a connection: a request, or the server's lifespan.

        Args:
            scope: the ASGI scope of the connection.
            receive: returns the next message from the server.
            send: sends a message to the server.

        Raises:
            ValueError: the connection is neither.
        """
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Handle the lifespan: acknowledge the start of the server and, at its shutdown, close the threads."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.workers.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def handle(self, scope: Any, receive: Receive, send: Send) -> None:
        """Handle a request.

        Args:
            scope: the ASGI scope of the request.
            receive: returns the body, then the client's disconnect.
            send: sends the response.
        """
        try:
            body_file = await self.read_body(receive)
        except RequestAborted:
            return
        with closing(body_file):
            if sys.version_info >= (3, 12):
                context = cast("asyncio.Task[Any]", asyncio.current_task()).get_context()
                await self._serve_leased(context, scope, body_file, receive, send)
            else:  # pragma: no cover - Python 3.11, whose tasks don't tell their context: make one
                context = copy_context()
                await asyncio.create_task(self._serve_leased(context, scope, body_file, receive, send), context=context)

    async def _serve_leased(self, context: Context, scope: Any, body_file: Any, receive: Receive, send: Send) -> None:
        """Handle a request, with a lease on a thread unless it has a thread already.

        Args:
            context: the context of the task that calls this.
        """
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
        try:
            if not answer.done:
                await watched(answer, partial(self.listen_for_disconnect, receive), quiet=RequestAborted)
        finally:
            await end_streams(request)
            await self._close(answered[0] if answered else None, has_lease)

    async def _answer(self, request: Any, send: Send, answered: list[HttpResponseBase]) -> None:
        """Get the response and send it; ``run_get_response`` is Django's, and calls ``get_response_async`` below.

        Args:
            answered: the response is put here.
        """
        answered.append(await self.run_get_response(request))  # before it is sent: it must be closed even if that fails
        await self.send_response(answered[0], send)

    async def read_body(self, receive: Receive) -> Any:
        """Read the request's body.

        Args:
            receive: returns the parts of the body.

        Returns:
            A file: in memory if the body came in one part and is small, otherwise Django's, which is moved to disk if
            large.

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

    # Signals, and closing the response.

    def _begin(self, scope: Any) -> None:
        """In the request's thread, call Django's receivers for the start of a request."""
        if connections.all(initialized_only=True):
            for receiver in self._started.djangos():
                receiver(signal=request_started, sender=type(self), scope=scope)

    def _end(self) -> None:
        """In the request's thread, call Django's receivers for the end of a request."""
        try:
            if connections.all(initialized_only=True):
                discard_unfinished()
                for receiver in self._finished.djangos():
                    receiver(signal=request_finished, sender=type(self))
        except Exception:
            logger.exception("A database connection could not be closed.")

    async def _close(self, response: Any, has_lease: bool) -> None:
        """Close the response, which ends the request; without one, as the client disconnected, end the request."""
        if has_lease and self._finished.are_djangos() and closes_in_place(response):
            close_in_place(response)
            return
        await without_fail(partial(request_finished.send, sender=type(self)) if response is None else response.close)

    # The response.

    def load_middleware(self, is_async: bool = True) -> None:
        """Load the middleware chain.

        Args:
            is_async: part of Django's signature; ignored, as this handler is always async.
        """
        chain = load(self._respond)
        self._chain = chain.layer
        self._view_middleware = [_caller_of(method) for method in chain.view_hooks]
        self._template_response_middleware = chain.template_response_hooks
        self._exception_middleware = chain.exception_hooks

        async def middleware_chain(request: Any) -> Any:
            return await arun(chain.layer(request))

        self._middleware_chain = middleware_chain

    async def get_response_async(self, request: Any) -> Any:
        """Pass a request through the middleware to its view.

        Args:
            request: Django's request.

        Returns:
            The response.
        """
        if not _AS_WRITTEN or base.BaseHandler.get_response_async is not _GET_RESPONSE_ASYNC:
            return await super().get_response_async(request)  # another package patched it: call theirs
        return await arun(self._get_response(request))

    async def _get_response(self, request: Any) -> Any:
        """Pass a request through the chain, and log a refusal.

        Source: Django 5.2 to 6.1, core/handlers/base.py, ``get_response_async``.
        """
        set_urlconf(django_settings.ROOT_URLCONF)  # type: ignore[arg-type]  # whatever the project has
        response = await self._chain(request)
        response._resource_closers.append(request.close)
        if response.status_code >= 400 and not getattr(response, "_has_been_logged", False):
            await call(log_refusal, request, response)
        if not response.streaming:
            last_call()
        return response

    async def _respond(self, request: Any) -> Any:
        """Resolve and call the view, with the middleware hooks that belong there.

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
            call_view = partial(self._called, view, request, *args, **kwargs)
            try:
                response = await (transacted(aliases, call_view) if aliases else call_view())
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

        def called() -> list[Any]:  # a list, because blocking() would await a coroutine
            return [view(request, *args, **kwargs)]

        (response,) = called() if never_blocks(view, request, *args, **kwargs) else await blocking(called)
        return response

    async def _by_exception_hooks(self, request: Any, error: Exception) -> Any:
        for method in self._exception_middleware:
            response = await _asked(method, request, error)
            if response:
                return response
        return None


def _caller_of(function: Any) -> Callable[..., Any]:
    """Return a function that calls ``function``, on the event loop if Django treats it as async."""
    return partial(awaited if is_marked_async(function) else asked, function)


async def _asked(function: Any, *args: Any, **kwargs: Any) -> Any:
    answer = _caller_of(function)(*args, **kwargs)
    return await answer if type(answer) is CoroutineType else answer


def _atomic_databases(view: Any) -> list[str]:
    """Return the aliases of the databases with ATOMIC_REQUESTS for an async view, which Django itself refuses."""
    exempt: set[str] = getattr(view, "_non_atomic_requests", set())
    aliases = [name for name, each in connections.settings.items() if each["ATOMIC_REQUESTS"] and name not in exempt]
    return aliases[::-1] if aliases and is_marked_async(view) else []
