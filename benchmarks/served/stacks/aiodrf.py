"""django-aiodrf's async views, with its serializers."""

from __future__ import annotations

from typing import Any

from aiodrf import generics, serializers
from aiodrf.response import Response
from aiodrf.views import APIView
from rest_framework.request import Request

from benchmarks.served import work


def urls(response_class: Any) -> Any:
    """Return the URLs of a project whose own handlers answer with ``response_class``."""

    class Ping(work.NoPolicies, APIView):
        async def get(self, request: Request) -> Any:
            return response_class(work.PONG)

    class Fanout(APIView):
        async def get(self, request: Request) -> Any:
            return response_class(await work.fanned_out())

    return work.generic_urls(Ping, Fanout, generics, serializers)


urlpatterns = urls(Response)
