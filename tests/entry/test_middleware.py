"""Middleware of every kind, in any order, on our entry as on Django's: the same calls in the same order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler as DjangoASGIHandler
from django.core.signals import got_request_exception
from django.http import HttpResponse
from django.middleware import common
from django.test import override_settings
from django.utils.deprecation import MiddlewareMixin
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from restflow.asgi import ASGIHandler
from restflow.flow import nonblocking
from tests.entry import stack
from tests.site import DJANGO, ENTRIES, OURS, Answer, Site

HOOKS = ("request", "view", "exception", "template", "response")


def served(
    entry: str, middleware: list[str], view: str, plan: dict[str, str], **settings: Any
) -> tuple[Answer, list[tuple[str, str]]]:
    stack.events.clear()
    stack.plan.clear()
    stack.plan.update(plan)
    with Site({"x/": stack.VIEWS[view]}, entry=entry, MIDDLEWARE=middleware, **settings) as site:
        answer = asyncio.run(site.asend("GET", "/x/"))
    return answer, list(stack.events)


_stacks = st.lists(st.sampled_from(stack.KINDS), max_size=len(stack.PLACES)).map(
    lambda kinds: [f"{kind.__name__}_{number}" for number, kind in enumerate(kinds)]
)


@st.composite
def _cases(draw: st.DrawFn) -> tuple[list[str], str, dict[str, str]]:
    names = draw(_stacks)
    spots = [f"{name}.{hook}" for name in names for hook in HOOKS] + ["view.call", "response.render"]
    actions = draw(st.dictionaries(st.sampled_from(spots), st.sampled_from(stack.ACTIONS), max_size=3))
    # A render that answers would be a response in a response.
    return (
        names,
        draw(st.sampled_from(sorted(stack.VIEWS))),
        {spot: action for spot, action in actions.items() if (spot, action) != ("response.render", "respond")},
    )


@given(_cases())
@example((["hooks_0", "sync_function_1", "own_acall_2"], "alate", {"response.render": "fail"}))
@example((["hooks_0", "own_acall_1", "hooks_2"], "aview", {"view.call": "fail", "own_acall_1.exception": "respond"}))
@example((["hooks_0"], "alate", {"response.render": "fail", "hooks_0.exception": "respond"}))
@example((["hooks_0"], "nothing", {"hooks_0.exception": "respond"}))
@hypothesis_settings(max_examples=120, deadline=None)
def test_the_same_is_called_in_the_same_order_and_answered_alike(case: Any) -> None:
    names, view, plan = case
    middleware = [f"{stack.__name__}.{name}" for name in names]
    theirs, their_events = served(DJANGO, middleware, view, plan)
    ours, our_events = served(OURS, middleware, view, plan)
    assert [event for event, _ in our_events] == [event for event, _ in their_events]
    assert (ours.status, ours.headers, ours.body) == (theirs.status, theirs.headers, theirs.body)
    # Sync code is never on the loop, but for what is an `async def` itself.
    for event, place in our_events:
        name = event.partition(".")[0]
        is_async = name.startswith(("own_acall", "async_function", "either_function")) or name in ("view", "response")
        assert place == "thread" or is_async, event


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("debug", [True, False])
def test_an_uncaught_error_is_djangos_page(entry: str, debug: bool) -> None:
    answer, _ = served(entry, [stack.path_of(stack.hooks, 0)], "aview", {"view.call": "fail"}, DEBUG=debug)
    assert answer.status == 500
    assert (b"ValueError" in answer.body) is debug
    assert (b"in aview" in answer.body) is debug  # the traceback leads to the view


def test_an_error_is_let_through_where_a_test_wants_it() -> None:
    with pytest.raises(ValueError, match=r"view\.call"):
        served(OURS, [stack.path_of(stack.hooks, 0)], "aview", {"view.call": "fail"}, DEBUG_PROPAGATE_EXCEPTIONS=True)


class Nothing(MiddlewareMixin):
    def __new__(cls, get_response: Any) -> Any:
        return None


class Neither(MiddlewareMixin):
    sync_capable = async_capable = False


@pytest.mark.parametrize(("name", "error"), [("Nothing", ImproperlyConfigured), ("Neither", RuntimeError)])
def test_what_is_no_middleware_is_refused_at_start(name: str, error: type[Exception]) -> None:
    with override_settings(MIDDLEWARE=[f"{__name__}.{name}"]), pytest.raises(error, match=name):
        ASGIHandler()


@pytest.mark.parametrize("reason", ["", "not here"])
def test_middleware_that_is_not_used_says_so_in_debug(reason: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "django.request")
    stack.not_used_0 = stack.not_used(reason)  # type: ignore[attr-defined]
    with override_settings(MIDDLEWARE=[stack.path_of(stack.not_used, 0)], DEBUG=True):
        for handler in (DjangoASGIHandler, ASGIHandler):
            handler()
    theirs, ours = (message for message in caplog.messages if message.startswith("MiddlewareNotUsed"))
    assert ours == theirs


def test_a_view_that_gives_no_response_is_named() -> None:
    async def view(request: Any) -> Any:
        return None

    with (
        Site({"x/": view}, entry=OURS, DEBUG_PROPAGATE_EXCEPTIONS=True) as site,
        pytest.raises(
            ValueError, match=r"view tests\.entry\.test_middleware\.view didn't return an HttpResponse object"
        ),
    ):
        asyncio.run(site.asend("GET", "/x/"))


class Patching(common.CommonMiddleware):
    """Puts a hook of its own on itself, as an instance that is patched while the server runs."""

    def process_view(self, request: Any, *args: Any) -> None:
        self.process_response = self.replaced  # type: ignore[method-assign]

    def replaced(self, request: Any, response: Any) -> Any:
        stack.events.append(("replaced", stack.place()))
        return stack.marked(response, "replaced")


class Growing(MiddlewareMixin):
    """Has no hook but what it gets while the server runs."""

    def process_view(self, request: Any, *args: Any) -> None:
        type(self).process_response = Patching.replaced  # type: ignore[attr-defined]


class Around(MiddlewareMixin):
    """Hooks, and something around the rest of the chain."""

    def process_request(self, request: Any) -> None:
        stack.act("around", "request")

    def process_response(self, request: Any, response: Any) -> Any:
        return stack.marked(response, "hook")

    def around(self, get_response: Any) -> Any:
        async def rest(request: Any) -> Any:
            return stack.marked(await get_response(request), "around")

        return rest


class GivenAround(Around):
    def __init__(self, get_response: Any) -> None:
        super().__init__(self.around(get_response))


class PutAround(Around):
    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self.get_response = self.around(get_response)


class ReadAround(Around):
    @property
    def get_response(self) -> Any:
        return self.around(self.rest)

    @get_response.setter
    def get_response(self, rest: Any) -> None:
        self.rest = rest


@pytest.mark.parametrize("cls", [GivenAround, PutAround, ReadAround])
def test_what_a_middleware_puts_around_the_rest_of_the_chain_is_called(cls: Any) -> None:
    answers = {}
    for entry in ENTRIES:
        middleware = [stack.path_of(stack.hooks, 0), f"{__name__}.{cls.__name__}", stack.path_of(stack.hooks, 1)]
        answer, events = served(entry, middleware, "aview", {})
        answers[entry] = answer.headers["X-Passed"], [event for event, _ in events]
    assert answers[OURS] == answers[DJANGO]
    assert answers[OURS][0] == "hooks_1 around hook hooks_0 "


class Static(MiddlewareMixin):
    @staticmethod
    @nonblocking
    def process_request(request: Any) -> None:
        stack.act("static", "request")


class Giving(MiddlewareMixin):
    @nonblocking
    def process_request(self, request: Any) -> Any:
        async def answer() -> HttpResponse:
            await asyncio.sleep(0)
            return HttpResponse("given")

        return answer()


def test_what_a_hook_gives_is_awaited() -> None:
    answer, _ = served(OURS, [f"{__name__}.Giving"], "aview", {})
    assert (answer.status, answer.body) == (200, b"given")


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("cls", [Patching, Growing])
def test_a_hook_that_was_put_there_while_the_server_runs_is_called(cls: Any, entry: str) -> None:
    name = f"{__name__}.{cls.__name__}"
    try:
        answer, events = served(entry, [stack.path_of(stack.hooks, 0), name, stack.path_of(stack.hooks, 1)], "view", {})
    finally:
        if "process_response" in vars(Growing):
            del Growing.process_response  # type: ignore[attr-defined]  # which is put there
    assert answer.headers["X-Passed"] == "hooks_1 replaced hooks_0 "
    assert ("replaced", "thread") in events


def test_a_static_hook_is_called_with_the_request_alone() -> None:
    answer, events = served(OURS, [f"{__name__}.Static"], "aview", {})
    assert (answer.status, events) == (200, [("static.request", "loop"), ("view.call", "loop")])


@pytest.mark.parametrize("spot", ["view.call", "hooks_2.request", "hooks_1.response"])
def test_an_error_that_no_layer_may_answer_is_signalled_by_each(spot: str) -> None:
    """As by Django's handler, which in 5.2 leaves the request's body open then."""

    def receiver(**kwargs: Any) -> None:
        signalled.append(type(kwargs["sender"]))

    signalled: list[type] = []
    got_request_exception.connect(receiver)
    middleware = [stack.path_of(stack.hooks, number) for number in range(3)]
    try:
        with pytest.raises(ValueError, match=spot):
            served(OURS, middleware, "aview", {spot: "fail"}, DEBUG_PROPAGATE_EXCEPTIONS=True)
    finally:
        got_request_exception.disconnect(receiver)
    assert len(signalled) == {"view.call": 4, "hooks_2.request": 3, "hooks_1.response": 2}[spot]
