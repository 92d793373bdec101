"""Streams in the OpenAPI schema: by their events and their items; errors as the JSON that they are."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.renderers import JSONRenderer

from restflow.responses import EventStreamRenderer, NDJSONRenderer
from tests.colours import ASYNC, BASES, SYNC
from tests.test_spectacular import Rate, in_force, made, urls, viewset_of


def responses_of(colour: str, path: str, **attributes: Any) -> Any:
    with in_force():
        return made(urls(viewset_of(BASES[colour], throttle_classes=[Rate], **attributes)))["paths"][path]["get"][
            "responses"
        ]


@pytest.mark.parametrize("colour", [SYNC, ASYNC])
def test_a_stream_is_described_by_its_events_and_its_items(colour: str) -> None:
    renderers = [JSONRenderer, EventStreamRenderer, NDJSONRenderer]
    responses = responses_of(colour, "/authors/", renderer_classes=renderers, pagination_class=None)
    item = {"$ref": "#/components/schemas/Author"}
    content = responses["200"]["content"]
    assert content["application/json"]["schema"] == {"type": "array", "items": item}
    assert content["application/x-ndjson"]["schema"] == item
    event = content["text/event-stream"]["schema"]
    assert (event["properties"]["data"], event["required"]) == (item, ["data"])
    assert set(event["properties"]) == {"data", "event", "id", "retry"}
    assert set(responses["429"]["content"]) == {"application/json"}


@pytest.mark.parametrize("colour", [SYNC, ASYNC])
def test_an_error_of_a_view_that_only_streams_is_json(colour: str) -> None:
    responses = responses_of(colour, "/authors/{id}/", renderer_classes=[EventStreamRenderer])
    assert set(responses["200"]["content"]) == {"text/event-stream"}
    assert set(responses["404"]["content"]) == set(responses["429"]["content"]) == {"application/json"}
