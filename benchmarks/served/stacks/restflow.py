"""restflow's async views, with its serializers."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from benchmarks.served import work
from restflow import serializers
from restflow.views import AsyncAPIView, generics


class Ping(work.NoPolicies, AsyncAPIView):
    async def get(self, request: Request) -> Response:
        return Response(work.PONG)


class Fanout(AsyncAPIView):
    async def get(self, request: Request) -> Response:
        return Response(await work.fanned_out())


urlpatterns = work.generic_urls(Ping, Fanout, generics, serializers, "Async")
