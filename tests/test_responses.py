"""Where responses are rendered, and by which of two names."""

from __future__ import annotations

import asyncio
import datetime
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpResponse
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.response import Response as DRFResponse
from rest_framework.test import APIRequestFactory
from rest_framework.utils.encoders import JSONEncoder

from restflow.flow import nonblocking
from restflow.responses import Response
from restflow.views import APIView, AsyncAPIView
from tests.safety.support import here
from tests.site import Answer, Site


def rendered_by(renderer: type, data: Any) -> Answer:
    class View(AsyncAPIView):
        authentication_classes = []
        permission_classes = []
        renderer_classes = [renderer]

        async def get(self, request: Any) -> Response:
            return Response(data)

    with Site({"": View.as_view()}) as site:
        return site.send("GET", "/")


class Place(BaseRenderer):
    """Renders where it was called."""

    media_type = "text/plain"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> str:
        return here()


def test_a_renderer_of_ones_own_renders_in_the_worker_thread() -> None:
    answer = rendered_by(Place, {})
    assert (answer.body, answer.hops) == (b"thread", 1)


def test_a_renderer_that_is_marked_nonblocking_renders_on_the_loop() -> None:
    class Marked(Place):
        @nonblocking
        def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> str:
            return here()

    answer = rendered_by(Marked, {})
    assert (answer.body, answer.hops) == (b"loop", 0)


def test_a_response_with_content_of_its_own_is_rendered_in_the_worker_thread() -> None:
    class Own(Response):
        @property
        def rendered_content(self) -> bytes:
            return f"{here()} {super().rendered_content.decode()}".encode()

    class View(AsyncAPIView):
        renderer_classes = [JSONRenderer]

        async def get(self, request: Any) -> Response:
            return Own("data")

    with Site({"": View.as_view()}) as site:
        answer = site.send("GET", "/")
    assert (answer.body, answer.hops) == (b'thread "data"', 1)


def test_an_encoder_that_replaces_drfs_for_the_whole_project_is_used_in_the_worker_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Encoder(JSONEncoder):
        def default(self, obj: Any) -> Any:
            return here() if isinstance(obj, datetime.date) else super().default(obj)

    monkeypatch.setattr(JSONRenderer, "encoder_class", Encoder)
    answer = rendered_by(JSONRenderer, {"place": datetime.date.max})
    assert (answer.json(), answer.hops) == ({"place": "thread"}, 1)


# --- in either colour -----------------------------------------------------------------------------------------------


def to_render(cls: type = Response, data: Any = "data", renderer: type = JSONRenderer) -> Any:
    """A response with what a view gives it to be rendered by."""
    response = cls(data)
    response.accepted_renderer, response.accepted_media_type = renderer(), renderer.media_type
    response.renderer_context = {}
    return response


async def arender(response: Any) -> Any:
    return await response.arender()


def in_sync_code(response: Any) -> Any:
    return response.render()


def on_a_loop(response: Any) -> Any:
    return asyncio.run(arender(response))


def by_the_view(response: Any) -> Any:
    """Rendered as Django's async handler renders what an async view returned."""

    class View(AsyncAPIView):
        renderer_classes = [type(response.accepted_renderer)]

        async def get(self, request: Any) -> Any:
            return response

    async def main() -> Any:
        made = await View.as_view()(APIRequestFactory().get("/"))
        return await (made.render() if iscoroutinefunction(made.render) else sync_to_async(made.render)())

    return asyncio.run(main())


ways = pytest.mark.parametrize("render", [in_sync_code, on_a_loop, by_the_view])


def noting(log: list[Any], name: str, answer: Any = None) -> list[Callable[[Any], Any]]:
    """The same callback in each colour: it notes where it ran and what it was given."""

    def sync(response: Any) -> Any:
        log.append((name, here(), response.content))
        return answer

    async def written_async(response: Any) -> Any:
        await asyncio.sleep(0)
        return sync(response)

    def gives_a_coroutine(response: Any) -> Any:
        return written_async(response)

    return [sync, written_async, gives_a_coroutine]


@ways
@pytest.mark.parametrize("colours", ["000", "111", "222", "012", "210", "101"])
@pytest.mark.parametrize("renderer", [JSONRenderer, Place])
def test_callbacks_of_either_colour_are_called_in_order_once_the_response_is_rendered(
    render: Any, colours: str, renderer: type
) -> None:
    log: list[Any] = []
    response = to_render(renderer=renderer)
    for number, colour in enumerate(colours):
        response.add_post_render_callback(noting(log, str(number))[int(colour)])
    assert render(response) is response
    assert [name for name, _, _ in log] == ["0", "1", "2"]
    assert {content for _, _, content in log} == {response.content}
    places = {"0": "thread", "1": "loop", "2": "loop"}
    assert [place for _, place, _ in log] == [places[colour] for colour in colours]


@ways
@pytest.mark.parametrize("colour", [0, 1, 2])
def test_what_a_callback_returns_takes_the_responses_place_for_those_after_it_too(render: Any, colour: int) -> None:
    log: list[Any] = []
    response = to_render()
    response.add_post_render_callback(noting(log, "first", HttpResponse("replaced"))[colour])
    response.add_post_render_callback(noting(log, "second")[colour])
    answer = render(response)
    assert answer.content == b"replaced"
    assert [content for _, _, content in log] == [b'"data"', b"replaced"]


@ways
def test_a_response_is_rendered_once(render: Any) -> None:
    class Counted(JSONRenderer):
        renderings = 0

        def render(self, *args: Any) -> bytes:
            type(self).renderings += 1
            return super().render(*args)

    log: list[Any] = []
    response = to_render(renderer=Counted)
    response.add_post_render_callback(noting(log, "called", HttpResponse("replaced"))[0])
    assert render(response).content == b"replaced"
    for again in (in_sync_code, on_a_loop):
        assert again(response) is response  # as in Django
    assert (Counted.renderings, len(log), response.content) == (1, 1, b'"data"')
    assert pickle.loads(pickle.dumps(response)).content == b'"data"'


def test_what_has_nothing_to_be_rendered_by_is_refused_as_by_drf() -> None:
    with pytest.raises(AssertionError, match="accepted_renderer not set"):
        DRFResponse("data").render()
    for render in (in_sync_code, on_a_loop):
        with pytest.raises(AssertionError, match="accepted_renderer not set"):
            render(Response("data"))


@pytest.mark.parametrize("colour", [0, 1, 2])
def test_a_callback_that_comes_after_the_rendering_is_called_at_once(colour: int) -> None:
    log: list[Any] = []
    response = to_render().render()
    assert response.add_post_render_callback(noting(log, "late", "ignored, as in Django")[colour]) is None
    assert [name for name, _, _ in log] == ["late"]


def test_an_async_callback_that_comes_too_late_on_the_event_loop_is_an_error() -> None:
    async def main() -> None:
        response = await to_render().arender()
        response.add_post_render_callback(noting([], "late")[1])

    with pytest.raises(RuntimeError, match="async"):
        asyncio.run(main())


@pytest.mark.parametrize(("written", "is_async"), [("render", False), ("render", True), ("arender", True)])
@ways
def test_an_override_under_either_name_renders(render: Any, written: str, is_async: bool) -> None:
    def sync(self: Any) -> Any:
        self["X-Rendered"] = here()
        return super(cls, self).render()

    async def written_async(self: Any) -> Any:
        self["X-Rendered"] = here()
        return await super(cls, self).arender()

    cls: Any = type("Own", (Response,), {written: written_async if is_async else sync})
    answer = render(to_render(cls))
    assert (answer.content, answer["X-Rendered"]) == (b'"data"', "loop" if is_async else "thread")


@pytest.mark.parametrize(
    ("base", "cls"),
    [(AsyncAPIView, Response), (AsyncAPIView, DRFResponse), (APIView, Response)],  # a sync view's DRF response is DRF's
)
@pytest.mark.parametrize("colour", [0, 1, 2])
def test_callbacks_of_a_views_response_are_awaited(base: Any, cls: type, colour: int) -> None:
    log: list[Any] = []

    def get(self: Any, request: Any) -> Any:
        response = cls("data")
        response.add_post_render_callback(noting(log, "called", HttpResponse("replaced", status=202))[colour])
        return response

    with Site({"": type("View", (base,), {"get": get}).as_view()}) as site:
        answer = site.send("GET", "/")
    assert (answer.status, answer.body, len(log)) == (202, b"replaced", 1)
