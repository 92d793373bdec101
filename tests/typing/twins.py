"""Checked by mypy and pyright in `make lint`: a twin has the arguments and the result of its flow."""

from collections.abc import Coroutine
from typing import Any, assert_type

from rest_framework.request import Request

from restflow.flow import TwoColoured, asynchronous, blocking, call, hook, nonblocking, sync, sync_or_async, truth
from restflow.post_fetch import PostFetch
from restflow.responses import Response
from restflow.views import APIView, AsyncAPIView


class Door(TwoColoured, hooks=("open",)):
    @sync
    async def open(self, visitor: str, *, times: int = 1) -> list[str]:
        return [visitor] * times

    aopen = asynchronous(open)

    @sync_or_async
    async def get(self, visitor: str) -> bytes:
        return visitor.encode()

    @nonblocking
    def bell(self, tone: int) -> float:
        return tone / 2


def length(text: str) -> int:
    return len(text)


async def flow(door: Door) -> None:
    assert_type(await blocking(length, "text"), int)
    assert_type(await truth(door), bool)
    assert_type(await hook(door, "open", "ada"), Any)
    assert_type(await call(door.open, "ada"), Any)


async def twins(door: Door) -> None:
    assert_type(door.open("ada", times=2), list[str])
    opening: Coroutine[Any, Any, list[str]] = door.aopen("ada", times=2)
    assert_type(await opening, list[str])
    assert_type(await door.aopen("ada"), list[str])
    assert_type(await door.get("ada"), bytes)
    assert_type(door.bell(1), float)
    # Arguments that are not the flow's are errors; an ignore that nothing needs is one too.
    door.open(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await door.aopen("ada", often=2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def views(view: AsyncAPIView, sync_view: APIView, request: Request, fetch: PostFetch) -> None:
    assert_type(sync_view.serialized_response(1, status=201), Response)
    assert_type(await view.aserialized_response(1, many=True), Response)
    assert_type(await view.apaginated_response([], post_fetches=[fetch]), Response)
    assert_type(await view.acheck_permissions(request), None)
    assert_type(await view.aget_context(), dict[str, Any])
    assert_type(await fetch.afetch([]), list[Any])
    serializer = await view.avalidated_serializer(data={})
    assert_type(await serializer.ais_valid(), bool)
    assert_type(await serializer.asave(), Any)
