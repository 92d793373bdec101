"""Middleware of every kind, for stacks in any order: each says what was called, and does what a test's plan says."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from django.core.exceptions import BadRequest, MiddlewareNotUsed, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpResponse
from django.template.response import SimpleTemplateResponse
from django.utils.decorators import async_only_middleware, sync_and_async_middleware, sync_only_middleware
from django.utils.deprecation import MiddlewareMixin

ERRORS: dict[str, type[Exception]] = {
    "bad": BadRequest,
    "fail": ValueError,
    "forbid": PermissionDenied,
    "miss": Http404,
    "suspect": SuspiciousOperation,
}
ACTIONS = ("respond", *ERRORS)

events: list[tuple[str, str]] = []
plan: dict[str, str] = {}


def place() -> str:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return "thread"
    return "loop"


def act(who: str, hook: str) -> Any:
    """Note that ``who.hook`` was called, and what is being handled; raise or answer what the plan says, or neither."""
    handled = sys.exception()
    events.append((f"{who}.{hook}" if handled is None else f"{who}.{hook}, handling {handled!r}", place()))
    action = plan.get(f"{who}.{hook}")
    if action in ERRORS:
        raise ERRORS[action](f"{who}.{hook}")
    return HttpResponse(f"{who}.{hook}") if action == "respond" else None


def marked(response: Any, who: str) -> Any:
    response.headers["X-Passed"] = f"{response.headers.get('X-Passed', '')}{who} "
    return response


class Rendered(SimpleTemplateResponse):
    """Rendered late, without a template."""

    @property
    def rendered_content(self) -> str:
        act("response", "render")
        return "rendered"


def hooks(who: str) -> type:
    class Hooks(MiddlewareMixin):
        def process_request(self, request: Any) -> Any:
            return act(who, "request")

        def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> Any:
            return act(who, "view")

        def process_exception(self, request: Any, exception: Exception) -> Any:
            return act(who, "exception")

        def process_template_response(self, request: Any, response: Any) -> Any:
            act(who, "template")
            return marked(response, f"{who}.template")

        def process_response(self, request: Any, response: Any) -> Any:
            return act(who, "response") or marked(response, who)

    return Hooks


def opted_out(who: str) -> type:
    """Hooks of a class that takes itself out of async."""
    return type("OptedOut", (hooks(who),), {"async_capable": False})


def own_call(who: str) -> type:
    class OwnCall(MiddlewareMixin):
        """Written before Django's async: sync, whatever it says of itself."""

        async_capable = False

        def __call__(self, request: Any) -> Any:
            response = act(who, "request") or self.get_response(request)
            return act(who, "response") or marked(response, who)

        def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> Any:
            return act(who, "view")

    return OwnCall


def own_acall(who: str) -> type:
    class OwnAcall(MiddlewareMixin):
        def process_request(self, request: Any) -> Any:
            raise AssertionError("__acall__ has its own way")

        async def __acall__(self, request: Any) -> Any:
            response = act(who, "request") or await self.get_response(request)
            return act(who, "response") or marked(response, who)

        def __call__(self, request: Any) -> Any:
            if self.async_mode:
                return self.__acall__(request)
            response = act(who, "request") or self.get_response(request)
            return act(who, "response") or marked(response, who)

        async def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> Any:
            return act(who, "view")

        async def process_exception(self, request: Any, exception: Exception) -> Any:
            await asyncio.sleep(0)
            return act(who, "exception")

        async def process_template_response(self, request: Any, response: Any) -> Any:
            act(who, "template")
            return marked(response, f"{who}.template")

    return OwnAcall


def sync_function(who: str) -> Callable[..., Any]:
    @sync_only_middleware
    def factory(get_response: Any) -> Any:
        def middleware(request: Any) -> Any:
            response = act(who, "request") or get_response(request)
            return act(who, "response") or marked(response, who)

        return middleware

    return factory


def async_function(who: str) -> Callable[..., Any]:
    @async_only_middleware
    def factory(get_response: Any) -> Any:
        async def middleware(request: Any) -> Any:
            response = act(who, "request") or await get_response(request)
            return act(who, "response") or marked(response, who)

        return middleware

    return factory


def either_function(who: str) -> Callable[..., Any]:
    both = sync_function(who), async_function(who)

    @sync_and_async_middleware
    def factory(get_response: Any) -> Any:
        return both[asyncio.iscoroutinefunction(get_response)](get_response)

    return factory


def not_used(who: str) -> Callable[..., Any]:
    def factory(get_response: Any) -> Any:
        raise MiddlewareNotUsed(who)

    return factory


KINDS = (hooks, opted_out, own_call, own_acall, sync_function, async_function, either_function, not_used)
PLACES = range(4)
for _kind in KINDS:
    for _number in PLACES:
        globals()[f"{_kind.__name__}_{_number}"] = _kind(f"{_kind.__name__}_{_number}")


def path_of(kind: Callable[..., Any], number: int) -> str:
    return f"{__name__}.{kind.__name__}_{number}"


def view(request: Any) -> HttpResponse:
    return act("view", "call") or HttpResponse("seen")


async def aview(request: Any) -> HttpResponse:
    await asyncio.sleep(0)
    return act("view", "call") or HttpResponse("seen")


def late(request: Any) -> HttpResponse:
    return act("view", "call") or Rendered("none.html")


async def alate(request: Any) -> HttpResponse:
    return act("view", "call") or Rendered("none.html")


def nothing(request: Any) -> Any:
    return act("view", "call")


async def anothing(request: Any) -> Any:
    return act("view", "call")


VIEWS = {"view": view, "aview": aview, "late": late, "alate": alate, "nothing": nothing, "anothing": anothing}
