"""What a view does for a stream: begins it before the headers are sent, and represents its items.

Flows that call the view's hooks and its serializers. Both versions of ``dispatch`` end with ``begun``; ``helpers`` uses
``represented_items`` for each batch of items.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rest_framework.request import Request as DRFRequest
from rest_framework.views import APIView

from restflow.flow import hook
from restflow.post_fetch import PostFetch
from restflow.serializers.private import represented
from restflow.streams import ServerSentEvent, StreamedResponse, begin_stream


async def begun(
    view: APIView, request: DRFRequest, response: StreamedResponse, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """Return a stream once it has begun, or the error response if its source raised before the first part. A flow."""
    try:
        await begin_stream(response, request)
    except Exception as error:
        refusal = await hook(view, "handle_exception", error)
    else:
        return response
    if response.has_header("Vary"):
        view.headers["Vary"] = response["Vary"]  # the first finalize_response removed it from there
    return await hook(view, "finalize_response", request, refusal, *args, **kwargs)


async def represented_items(
    view: Any, post_fetches: Iterable[PostFetch] | None, serializer_of: Callable[..., Awaitable[Any]], items: list[Any]
) -> list[Any]:
    """Return the representations of items, for a stream.

    Args:
        view: the view.
        post_fetches: the joins to run first.
        serializer_of: a flow that builds the serializer for a list of instances.
        items: instances, or events whose data is an instance.
    """
    events = [item if isinstance(item, ServerSentEvent) else ServerSentEvent(item) for item in items]
    instances = [event.data for event in events if event.has_data]
    if instances:
        instances = await hook(view, "perform_post_fetches", instances, post_fetches, many=True)
        private = type(instances) is list and bool(instances)
        instances = await represented(await serializer_of(instances, private=private))
    data = iter(instances)
    return [
        next(data) if event is not item else replace(event, data=next(data)) if event.has_data else event
        for event, item in zip(events, items, strict=True)
    ]
