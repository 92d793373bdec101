"""Responses that are sent while they are produced: server-sent events, NDJSON, and JSON lists.

``sources`` iterates what a view gives, ``formats`` encodes the items, ``parts`` combines the two, and ``response`` has
the response classes. Users import the names from ``restflow.responses``.
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
    "get_last_event_id",
    "hold",
    "let_go",
    "response_class_for",
]
