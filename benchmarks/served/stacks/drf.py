"""DRF's own sync views."""

from __future__ import annotations

from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.served import work


class Ping(work.NoPolicies, APIView):
    def get(self, request: Request) -> Response:
        return Response(work.PONG)


class Fanout(APIView):
    def get(self, request: Request) -> Response:
        return Response(work.sync_fanned_out())


urlpatterns = work.generic_urls(Ping, Fanout, generics, serializers)
