"""One context: on our entry a request's code in the thread runs in the very context of the request's task."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar, Token
from typing import Any

import pytest
from django.http import HttpResponse
from django.utils.deprecation import MiddlewareMixin
from rest_framework.response import Response

from restflow.views import AsyncAPIView
from tests.entry import stack
from tests.site import OURS, CountingWorkers, Site

variable: ContextVar[str] = ContextVar("variable", default="unset")


class Scoped(MiddlewareMixin):
    def process_request(self, request: Any) -> None:
        request.token = variable.set("set in the thread")

    def process_response(self, request: Any, response: Any) -> Any:
        response.headers["X-Seen"] = variable.get()
        variable.reset(request.token)
        return response


@pytest.mark.parametrize("sets", ["sync", "async"])
@pytest.mark.parametrize("resets", ["sync", "async"])
def test_a_token_of_one_side_of_a_trip_is_reset_on_the_other(sets: str, resets: str) -> None:
    tokens: list[Token[str]] = []
    seen: list[str] = []

    def set_it() -> None:
        tokens.append(variable.set("set"))

    def reset_it() -> None:
        seen.append(variable.get())
        variable.reset(tokens.pop())
        seen.append(variable.get())

    class View(AsyncAPIView):
        if sets == "sync":

            def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
                set_it()
                super().initial(request, *args, **kwargs)

        else:

            async def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
                set_it()
                await super().ainitial(request, *args, **kwargs)

        if resets == "sync":

            def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
                reset_it()
                return super().finalize_response(request, response, *args, **kwargs)

        else:

            async def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
                reset_it()
                return await super().afinalize_response(request, response, *args, **kwargs)

        async def get(self, request: Any) -> Response:
            await asyncio.sleep(0)
            return Response(variable.get())

    with Site({"x/": View.as_view()}, entry=OURS) as site:
        answer = asyncio.run(site.asend("GET", "/x/"))
    assert (answer.body, seen) == (b'"set"', ["set", "unset"])


def test_what_a_hook_of_middleware_sets_another_resets_after_an_async_view() -> None:
    async def view(request: Any) -> HttpResponse:
        await asyncio.sleep(0)
        return HttpResponse(variable.get())

    async def both() -> list[Any]:
        return list(await asyncio.gather(*(site.asend("GET", "/x/") for _ in range(5))))

    with Site({"x/": view}, entry=OURS, MIDDLEWARE=[f"{__name__}.Scoped"]) as site:
        answers = asyncio.run(both())
    assert {(answer.body, answer.headers["X-Seen"]) for answer in answers} == {
        (b"set in the thread", "set in the thread")
    }


def test_a_task_that_is_cancelled_in_its_thread_is_told_when_the_thread_has_left() -> None:
    """The event loop does not come into a context that a thread is in: asyncio would drop the task for good."""
    errors: list[Any] = []

    async def main() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
        entered = asyncio.Event()
        loop = asyncio.get_running_loop()
        opened = threading.Event()

        def view(request: Any) -> HttpResponse:
            loop.call_soon_threadsafe(entered.set)
            assert opened.wait(10)
            return HttpResponse()

        with Site({"x/": view}, entry=OURS, workers=CountingWorkers(1, 1)) as site:
            served = asyncio.create_task(site.asend("GET", "/x/"))
            await entered.wait()
            served.cancel("first")
            await asyncio.sleep(0.01)
            served.cancel("second")
            await asyncio.sleep(0.01)
            assert not served.done()
            opened.set()
            with pytest.raises(asyncio.CancelledError):
                await served

    asyncio.run(main())
    assert errors == []


def test_a_request_cancelled_before_its_thread_was_asked_asks_for_none() -> None:
    called: list[Any] = []

    def view(request: Any) -> HttpResponse:
        called.append(request)
        return HttpResponse()

    async def main() -> int:
        with Site({"x/": view}, entry=OURS) as site:
            served = asyncio.create_task(site.asend("GET", "/x/"))
            await asyncio.sleep(0)
            served.cancel()
            with pytest.raises(asyncio.CancelledError):
                await served
        return 0

    asyncio.run(main())
    assert called == []


@pytest.mark.parametrize("kind", [stack.sync_function, stack.async_function, stack.own_acall])
def test_what_is_set_inside_other_middleware_does_not_reach_other_requests(kind: Any) -> None:
    stack.plan.clear()

    async def view(request: Any, number: int) -> HttpResponse:
        before = variable.get()
        variable.set(str(number))
        await asyncio.sleep(0)
        return HttpResponse(f"{before} {variable.get()}")

    async def main() -> list[Any]:
        return list(await asyncio.gather(*(site.asend("GET", f"/{number}/") for number in range(5))))

    with Site({"<int:number>/": view}, entry=OURS, MIDDLEWARE=[stack.path_of(kind, 0)]) as site:
        answers = asyncio.run(main())
    assert [answer.body.decode() for answer in answers] == [f"unset {number}" for number in range(5)]
