"""Where responses are rendered."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.utils.encoders import JSONEncoder

from restflow.flow import nonblocking
from restflow.responses import Response
from restflow.views import AsyncAPIView
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


def test_an_encoder_that_replaces_drfs_for_the_whole_project_is_used_in_the_worker_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Encoder(JSONEncoder):
        def default(self, obj: Any) -> Any:
            return here() if isinstance(obj, datetime.date) else super().default(obj)

    monkeypatch.setattr(JSONRenderer, "encoder_class", Encoder)
    answer = rendered_by(JSONRenderer, {"place": datetime.date.max})
    assert (answer.json(), answer.hops) == ({"place": "thread"}, 1)
