"""The least that a handler could cost: no fault is handled, nothing is safe, and no project could be served by it.

It tells whether a goal can be met on a machine at all, as the distance to it tells what safety costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.db import close_old_connections
from django.utils.module_loading import import_string

# Of the trips of all requests.
thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bound")


class BoundHandler(ASGIHandler):
    """Calls the hooks of the middleware and awaits the view in place.

    It sends no signals, makes no context for threads, catches no exception, closes nothing and does not listen for the
    client's disconnect. Its views are ``async def``, and what they return is rendered.
    """

    def load_middleware(self, is_async: bool = True) -> None:
        async def unused(request: Any) -> Any:
            raise AssertionError

        middleware = [import_string(path)(unused) for path in settings.MIDDLEWARE]
        self.before = _hooks(middleware, "process_request")
        self.around = _hooks(middleware, "process_view")
        self.after = _hooks(middleware[::-1], "process_response")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        request = ASGIRequest(scope, BytesIO(message["body"]))
        for hook in self.before:
            hook(request)
        view, args, kwargs = self.resolve_request(request)
        for hook in self.around:
            hook(request, view, args, kwargs)
        response = await view(request, *args, **kwargs)
        for hook in self.after:
            response = hook(request, response)
        await self.send_response(response, send)


def _hooks(middleware: list[Any], name: str) -> list[Callable[..., Any]]:
    return [getattr(each, name) for each in middleware if hasattr(each, name)]


def in_one_trip(view: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``view``, a sync one, and its rendering as one trip to a thread that waits for it.

    What a request's end does to database connections is part of the trip.
    """

    def whole(request: Any, args: Any, kwargs: Any) -> Any:
        try:
            response = view(request, *args, **kwargs)
            return response.render() if hasattr(response, "render") else response
        finally:
            close_old_connections()

    async def trip(request: Any, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(thread, whole, request, args, kwargs)

    trip.csrf_exempt = getattr(view, "csrf_exempt", False)  # type: ignore[attr-defined]
    return trip
