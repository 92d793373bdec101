"""Renderers by which DRF's negotiation finds views that stream. Any other response (an error) they render as JSON.

Called by DRF when it renders a response that is not a stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import JSONRenderer

from restflow.streams.formats import EventStream, Lines


class _StreamRenderer(JSONRenderer):
    """Has a view answer those who accept its media type; a response that is no stream is sent as JSON.

    Source: DRF 3.18, renderers.py, ``JSONRenderer``.
    """

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return JSON, and call it so in the response that this renderer was chosen for.

        Args:
            data: of a response that is no stream.
            accepted_media_type: the stream's.
            renderer_context: DRF's.
        """
        response: Any = (renderer_context or {}).get("response")
        if getattr(response, "accepted_renderer", None) is self and response.content_type is None:
            response["Content-Type"] = JSONRenderer.media_type
        return super().render(data, None, renderer_context)


class EventStreamRenderer(_StreamRenderer):
    """Among a view's ``renderer_classes``: it answers ``Accept: text/event-stream``, which ``EventSource`` sends.

    The view returns an ``SSEResponse``. Whatever else it answers such a client, an error for one, is JSON.
    """

    media_type = EventStream.media_type
    format = "sse"


class NDJSONRenderer(_StreamRenderer):
    """Among a view's ``renderer_classes``: it answers ``Accept: application/x-ndjson``.

    The view returns an ``NDJSONResponse``. Whatever else it answers such a client, an error for one, is JSON.
    """

    media_type = Lines.media_type
    format = "ndjson"
