"""Renderers by which DRF's negotiation finds views that stream. Any other response (an error) they render as JSON.

Called by DRF when it renders a response that is not a stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import JSONRenderer

from restflow.streams.formats import EventStream, Lines


class _StreamRenderer(JSONRenderer):
    """Makes a view accept a stream's media type; a response that is not a stream is sent as JSON.

    Source: DRF 3.18, renderers.py, ``JSONRenderer``.
    """

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return JSON, and set the content type of the response to that of JSON.

        Args:
            data: the data of a response that is not a stream.
            accepted_media_type: the media type of the stream.
            renderer_context: DRF's renderer context.
        """
        response: Any = (renderer_context or {}).get("response")
        if getattr(response, "accepted_renderer", None) is self and response.content_type is None:
            response["Content-Type"] = JSONRenderer.media_type
        return super().render(data, None, renderer_context)


class EventStreamRenderer(_StreamRenderer):
    """For ``renderer_classes``: makes a view accept ``Accept: text/event-stream``, which ``EventSource`` sends.

    The view returns an ``SSEResponse``. Any other response to such a client, such as an error, is sent as JSON.
    """

    media_type = EventStream.media_type
    format = "sse"


class NDJSONRenderer(_StreamRenderer):
    """For ``renderer_classes``: makes a view accept ``Accept: application/x-ndjson``.

    The view returns an ``NDJSONResponse``. Any other response to such a client, such as an error, is sent as JSON.
    """

    media_type = Lines.media_type
    format = "ndjson"
