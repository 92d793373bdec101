"""Responses that are sent while they are produced: server-sent events, NDJSON, and lists in JSON.

``formats`` writes bytes, ``sources`` takes items from what a view gives, ``parts`` makes the one of the other, and
``response`` has Django's responses of them. Users import the names from ``restflow.responses``.
"""

from __future__ import annotations

from restflow.streams.formats import ServerSentEvent
from restflow.streams.held import hold, let_go
from restflow.streams.renderers import EventStreamRenderer, NDJSONRenderer
from restflow.streams.response import (
    NDJSONResponse,
    SSEResponse,
    StreamedResponse,
    StreamFailed,
    StreamingJSONListResponse,
    begin_stream,
    end_streams,
    get_last_event_id,
    response_class_for,
)

__all__ = [
    "EventStreamRenderer",
    "NDJSONRenderer",
    "NDJSONResponse",
    "SSEResponse",
    "ServerSentEvent",
    "StreamFailed",
    "StreamedResponse",
    "StreamingJSONListResponse",
    "begin_stream",
    "end_streams",
    "get_last_event_id",
    "hold",
    "let_go",
    "response_class_for",
]
