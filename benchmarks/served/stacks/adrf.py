"""adrf's async views, with its serializers."""

from __future__ import annotations

from adrf import generics, serializers
from adrf.views import APIView
from rest_framework.request import Request
from rest_framework.response import Response

from benchmarks.served import work


class Ping(work.NoPolicies, APIView):
    async def get(self, request: Request) -> Response:
        return Response(work.PONG)


class Fanout(APIView):
    async def get(self, request: Request) -> Response:
        return Response(await work.fanned_out())


urlpatterns = work.generic_urls(Ping, Fanout, generics, serializers)
