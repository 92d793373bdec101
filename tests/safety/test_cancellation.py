"""A client that leaves, or a task that is cancelled: all is told, every ``finally`` runs, and the loop goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from rest_framework import authentication, throttling
from rest_framework.response import Response

from restflow.permissions import BasePermission
from restflow.views import APIView, AsyncAPIView
from tests.safety.support import here, respond, visit
from tests.site import Site

HOW = ["disconnect", "cancel"]
pytestmark = pytest.mark.parametrize("how", HOW)


class Trace:
    """What a request did; where it stands still until it is cancelled or released."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.entered = threading.Event()
        self.released = threading.Event()

    def note(self, text: str) -> None:
        self.notes.append(text)

    async def forever(self, name: str = "async") -> None:
        """Stand on the loop until cancelled."""
        try:
            self.entered.set()
            await asyncio.wait_for(asyncio.Event().wait(), 5)
        except TimeoutError:
            self.note(f"{name} was never cancelled")
        except asyncio.CancelledError:
            self.note(f"{name} cancelled on the {here()}")
            raise
        finally:
            self.note(f"{name} finally")

    def blocked(self, name: str = "sync") -> None:
        """Stand in the thread until the test releases it, which is after the cancellation."""
        try:
            self.entered.set()
            assert self.released.wait(10)
            self.note(f"{name} ended in the {here()}")
        finally:
            self.note(f"{name} finally")


async def settled() -> None:
    """Let everything that is ready on the loop run, and what that makes ready, some times over."""
    for _ in range(50):
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)


class Fine(AsyncAPIView):
    permission_classes = [type("Sync", (BasePermission,), {"has_permission": lambda self, request, view: True})]

    async def get(self, request):
        return Response({})


def leave(view: type, trace: Trace, how: str) -> list[Any]:
    """Have a client leave while ``trace`` stands still, then see that nothing is left and the loop still serves."""

    async def main() -> list[Any]:
        listening, gone = asyncio.Event(), asyncio.Event()
        serving = visit(site, "/x/", listening, gone) if how == "disconnect" else respond(site, "/x/")
        task = asyncio.ensure_future(serving)
        while not trace.entered.is_set():  # noqa: ASYNC110 - it is set in another thread
            await asyncio.sleep(0.001)
        if how == "disconnect":
            await listening.wait()
            gone.set()
        else:
            task.cancel()
        await settled()  # the cancellation is on its way before sync code goes on
        trace.released.set()
        done, _ = await asyncio.wait([task], timeout=10)
        assert done, "the request hangs"
        if how == "cancel":
            assert task.cancelled()
            messages = []
        else:
            messages = task.result()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert (await site.asend("GET", "/fine/")).status == 200
        return messages

    threads = threading.active_count()
    with Site({"x/": view.as_view(), "fine/": Fine.as_view()}) as site:
        messages = asyncio.run(main())
    assert messages == []
    for thread in threading.enumerate():
        if thread.name.startswith("worker"):
            thread.join(10)
    assert threading.active_count() <= threads
    return trace.notes


def test_an_async_handler_is_cancelled(how):
    trace = Trace()

    class View(AsyncAPIView):
        async def get(self, request):
            await trace.forever()

        def handle_exception(self, exc):
            trace.note("a cancellation is no exception of the API")

        def finalize_response(self, *args, **kwargs):
            trace.note("there is no response")

    assert leave(View, trace, how) == ["async cancelled on the loop", "async finally"]


def test_an_async_handler_may_await_in_its_finally(how):
    trace = Trace()

    class View(AsyncAPIView):
        async def get(self, request):
            try:
                await trace.forever()
            finally:
                await asyncio.sleep(0.001)
                await sync_to_async(trace.note)("cleaned up")

    assert leave(View, trace, how) == ["async cancelled on the loop", "async finally", "cleaned up"]


COMPONENTS: dict[str, Callable[[Trace], dict[str, Any]]] = {}


def component(make: Callable[[Trace], dict[str, Any]]) -> Any:
    COMPONENTS[make.__name__] = make
    return make


@component
def permission(trace):
    class Permission(BasePermission):
        async def has_permission(self, request, view):
            await trace.forever()

    return {"permission_classes": [Permission]}


@component
def composed_permission(trace):
    return {"permission_classes": [~permission(trace)["permission_classes"][0]]}


@component
def throttle(trace):
    class Throttle(throttling.BaseThrottle):
        async def allow_request(self, request, view):
            await trace.forever()

    return {"throttle_classes": [Throttle]}


@component
def authenticator(trace):
    class Authenticator(authentication.BaseAuthentication):
        async def authenticate(self, request):
            await trace.forever()

    return {"authentication_classes": [Authenticator]}


@component
def override(trace):
    async def initial(self, request, *args, **kwargs):
        await trace.forever()

    return {"initial": initial}


@component
def dispatch(trace):
    async def dispatch(self, request, *args, **kwargs):
        await trace.forever()

    return {"dispatch": dispatch}


class Untouched:
    """What comes after the cancelled step must not run."""

    trace: Trace

    def get(self, request):
        self.trace.note("the handler ran")
        return Response({})


@pytest.mark.parametrize("name", COMPONENTS)
def test_an_async_component_of_an_async_view_is_cancelled(how, name):
    trace = Trace()
    cls = type("V", (Untouched, AsyncAPIView), {"trace": trace, **COMPONENTS[name](trace)})
    assert leave(cls, trace, how) == ["async cancelled on the loop", "async finally"]


@pytest.mark.parametrize("name", [name for name in COMPONENTS if name != "dispatch"])
def test_an_async_component_of_a_sync_view_is_cancelled(how, name):
    trace = Trace()
    cls = type("V", (Untouched, APIView), {"trace": trace, **COMPONENTS[name](trace)})
    assert leave(cls, trace, how) == ["async cancelled on the loop", "async finally"]


# Sync code can't be stopped: it is waited for, and nothing comes after it.


def test_a_sync_handler_ends_and_nothing_comes_after_it(how):
    trace = Trace()

    class View(AsyncAPIView):
        def get(self, request):
            trace.blocked()
            return Response({})

        def finalize_response(self, *args, **kwargs):
            trace.note("there is no response")

    assert leave(View, trace, how) == ["sync ended in the thread", "sync finally"]


def test_a_sync_permission_ends_and_the_next_is_not_asked(how):
    trace = Trace()

    class First(BasePermission):
        def has_permission(self, request, view):
            trace.blocked()
            return True

    class Second(BasePermission):
        def has_permission(self, request, view):
            trace.note("the second was asked")
            return True

    cls = type("V", (Untouched, AsyncAPIView), {"trace": trace, "permission_classes": [First, Second]})
    assert leave(cls, trace, how) == ["sync ended in the thread", "sync finally"]


def test_the_finally_of_a_flow_in_the_thread_runs(how):
    """DRF's metadata and the parsing of a body are in flows with a ``finally``; so are a user's own, around super()."""
    trace = Trace()

    class Permission(BasePermission):
        def has_permission(self, request, view):
            trace.blocked()
            return True

    class View(Untouched, AsyncAPIView):
        permission_classes = [Permission]

        def check_permissions(self, request):
            try:
                super().check_permissions(request)
            finally:
                trace.note("override finally")

        async def acheck_throttles(self, request):
            trace.note("the next hook ran")

    View.trace = trace
    assert leave(View, trace, how) == ["sync ended in the thread", "sync finally", "override finally"]


def test_a_sync_component_that_raises_after_the_cancellation_is_no_answer(how):
    trace = Trace()

    class Permission(BasePermission):
        def has_permission(self, request, view):
            trace.blocked()
            raise ValueError

    class View(Untouched, AsyncAPIView):
        permission_classes = [Permission]

        def handle_exception(self, exc):
            trace.note(f"handled {exc!r}")
            return Response({})

    View.trace = trace
    assert [note for note in leave(View, trace, how) if "handler" in note] == []


# From the worker thread to the loop and back: an async hook that sync code asked for.


class Bridged(BasePermission):
    """Async; the sync override in a subclass calls it from the worker thread."""

    trace: Trace

    async def ahas_permission(self, request, view):
        await self.trace.forever()
        return True


class Bridging(Bridged):
    def has_permission(self, request, view):
        try:
            return super().has_permission(request, view)
        except BaseException as error:
            self.trace.note(f"{type(error).__name__} in the {here()}")
            raise
        finally:
            self.trace.note("bridging finally")


BRIDGED = [
    "async cancelled on the loop",
    "async finally",
    "CancelledError in the thread",
    "bridging finally",
]


@pytest.mark.parametrize("base", [AsyncAPIView, APIView])
def test_an_async_hook_bridged_from_a_sync_one_is_cancelled(how, base):
    trace = Trace()
    permission = type("P", (Bridging,), {"trace": trace})
    cls = type("V", (Untouched, base), {"trace": trace, "permission_classes": [permission]})
    assert leave(cls, trace, how) == BRIDGED


class UsesSync(BasePermission):
    """Async, with sync code inside: back to the thread from which it was asked for."""

    async def ahas_permission(self, request, view):
        assert await sync_to_async(here)() == "thread"
        await asyncio.sleep(0)
        return True


class AsksUsesSync(UsesSync):
    def has_permission(self, request, view):
        return super().has_permission(request, view)


@pytest.mark.parametrize("base", [AsyncAPIView, APIView])
@pytest.mark.parametrize("before", [1, 3])
def test_a_bridged_hook_is_cancelled_after_another_one_that_used_sync_code(how, base, before):
    """In asgiref 3.13 the first one's inner hop leaves nothing behind by which the second could be cancelled."""
    trace = Trace()
    permissions = [AsksUsesSync] * before + [type("P", (Bridging,), {"trace": trace})]
    cls = type("V", (Untouched, base), {"trace": trace, "permission_classes": permissions})
    assert leave(cls, trace, how) == BRIDGED


def test_a_bridged_hook_is_cancelled_while_sync_code_inside_it_runs(how):
    trace = Trace()

    class Inner(BasePermission):
        async def ahas_permission(self, request, view):
            try:
                await sync_to_async(trace.blocked)()
                await asyncio.sleep(0)
                trace.note("went on")
            finally:
                trace.note("async finally")
            return True

    class Outer(Inner):
        def has_permission(self, request, view):
            try:
                return super().has_permission(request, view)
            finally:
                trace.note("bridging finally")

    cls = type("V", (Untouched, AsyncAPIView), {"trace": trace, "permission_classes": [Outer]})
    # asgiref leaves the sync code that it can't stop to end on its own, so the order is open.
    assert sorted(leave(cls, trace, how)) == [
        "async finally",
        "bridging finally",
        "sync ended in the thread",
        "sync finally",
    ]


def test_a_bridge_inside_a_bridge_is_cancelled(how):
    """Sync override, async hook, sync override inside it, async hook again."""
    trace = Trace()
    inner = type("P", (Bridging,), {"trace": trace})

    class Middle(BasePermission):
        async def ahas_permission(self, request, view):
            try:
                # The twin of a sync override: back into the thread that waits for this very hook.
                return await inner().ahas_permission(request, view)
            finally:
                trace.note("middle finally")

    class Outer(Middle):
        def has_permission(self, request, view):
            try:
                return super().has_permission(request, view)
            finally:
                trace.note("outer finally")

    cls = type("V", (Untouched, AsyncAPIView), {"trace": trace, "permission_classes": [Outer]})
    assert leave(cls, trace, how) == [*BRIDGED, "middle finally", "outer finally"]


def test_a_twin_awaited_in_an_async_override_is_cancelled(how):
    trace = Trace()

    class Permission(BasePermission):
        def has_permission(self, request, view):
            trace.blocked()
            return True

    class View(Untouched, AsyncAPIView):
        permission_classes = [Permission]

        async def acheck_permissions(self, request):
            try:
                await super().acheck_permissions(request)
                trace.note("went on")
            except asyncio.CancelledError:
                trace.note("override cancelled")
                raise

    View.trace = trace
    assert leave(View, trace, how) == ["sync ended in the thread", "sync finally", "override cancelled"]


def test_gathered_twins_are_all_cancelled(how):
    trace = Trace()

    class View(AsyncAPIView):
        async def first(self):
            await trace.forever("first")

        async def second(self):
            await trace.forever("second")

        async def get(self, request):
            await asyncio.gather(self.first(), self.second())

    assert sorted(leave(View, trace, how)) == [
        "first cancelled on the loop",
        "first finally",
        "second cancelled on the loop",
        "second finally",
    ]


def test_a_hop_that_has_not_begun_never_does(how):
    """The thread is busy with another request's code (without a thread context, all share one)."""
    trace, waiting = Trace(), Trace()

    class Busy(AsyncAPIView):
        def get(self, request):
            trace.blocked()
            return Response({})

    class Queued(AsyncAPIView):
        async def acheck_throttles(self, request):
            waiting.entered.set()

        def get(self, request):
            waiting.note("ran")
            return Response({})

    async def serve(view: type) -> None:
        from django.test import AsyncRequestFactory

        await view.as_view()(AsyncRequestFactory().get("/"))

    async def main() -> None:
        busy = asyncio.ensure_future(serve(Busy))
        while not trace.entered.is_set():  # noqa: ASYNC110 - it is set in another thread
            await asyncio.sleep(0.001)
        queued = asyncio.ensure_future(serve(Queued))
        while not waiting.entered.is_set():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
        await settled()
        queued.cancel()
        await settled()
        trace.released.set()
        await asyncio.wait([busy, queued], timeout=10)
        assert queued.cancelled()
        assert busy.done()
        busy.result()

    asyncio.run(main())
    assert waiting.notes == []
