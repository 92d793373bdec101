"""The async surface that view helpers give a serializer."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import exceptions, serializers

from restflow.responses import Response
from restflow.views import APIView, AsyncAPIView
from tests.safety.support import ask, here


class Numbered(serializers.Serializer):
    n = serializers.IntegerField()
    place = serializers.SerializerMethodField()

    def get_place(self, obj: Any) -> str:
        return here()

    def create(self, validated_data: Any) -> Any:
        return validated_data


def test_adata_is_built_in_the_worker_thread_and_may_be_awaited_again() -> None:
    class View(AsyncAPIView):
        serializer_class = Numbered

        async def post(self, request: Any) -> Response:
            serializer = await self.avalidated_serializer()
            await serializer.asave()
            return Response([await serializer.adata, await serializer.adata])

    answer = ask(View, "POST", {"n": 1})
    assert answer.json() == [{"n": 1, "place": "thread"}] * 2


def test_an_async_surface_of_the_serializers_own_is_kept() -> None:
    class Own(Numbered):
        @property
        async def adata(self) -> Any:
            return "adata"

        async def ais_valid(self, *, raise_exception: bool = False) -> bool:
            return super().is_valid(raise_exception=raise_exception)

        async def asave(self, **kwargs: Any) -> Any:
            return "asave"

    class View(AsyncAPIView):
        serializer_class = Own

        async def post(self, request: Any) -> Response:
            serializer = await self.avalidated_serializer()
            return Response([await serializer.asave(), await serializer.adata])

    assert ask(View, "POST", {"n": 1}).json() == ["asave", "adata"]


@pytest.mark.parametrize("base", [APIView, AsyncAPIView])
def test_an_is_valid_of_the_instances_own_is_asked_and_does_not_call_itself(base: Any) -> None:
    def never(*, raise_exception: bool = False) -> bool:
        raise exceptions.PermissionDenied("never valid")

    class Guarded(Numbered):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.is_valid = never

    class View(base):
        serializer_class = Guarded

        def post(self, request: Any) -> Response:
            return Response(self.validated_serializer().validated_data)

    class AsyncView(View):
        async def post(self, request: Any) -> Response:
            return Response((await self.avalidated_serializer()).validated_data)

    for view in (View, AsyncView) if base is AsyncAPIView else (View,):
        assert ask(view, "POST", {"n": 1}).status == 403
