"""What a view sends of the items that it streams: the data of instances, in the events that have them.

A flow that asks the view's hooks and its serializers, for the items that are taken at a time. Called by ``helpers``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

from restflow.flow import hook
from restflow.post_fetch import PostFetch
from restflow.serializers.plain import represented
from restflow.streams import ServerSentEvent


async def represented_items(
    view: Any, post_fetches: Iterable[PostFetch] | None, serializer_of: Callable[..., Awaitable[Any]], items: list[Any]
) -> list[Any]:
    """Return what is sent of items.

    Args:
        view: whose items they are.
        post_fetches: joins to run first.
        serializer_of: a flow that builds the serializer of a list of instances.
        items: instances, or events with one as their data.
    """
    events = [item if isinstance(item, ServerSentEvent) else ServerSentEvent(item) for item in items]
    instances = [event.data for event in events if event.has_data]
    if instances:
        instances = await hook(view, "perform_post_fetches", instances, post_fetches, many=True)
        unseen = type(instances) is list and bool(instances)
        instances = await represented(await serializer_of(instances, unseen=unseen))
    data = iter(instances)
    return [
        next(data) if event is not item else replace(event, data=next(data)) if event.has_data else event
        for event, item in zip(events, items, strict=True)
    ]
