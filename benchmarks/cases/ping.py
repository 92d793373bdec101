"""``ping``: no policy and no work, so what is left is the view layer itself."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, JsonResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView as DRFAPIView

from benchmarks.case import Case, Comparison, Variant
from restflow.views import APIView, AsyncAPIView

PONG = {"message": "pong"}


class NoPolicies:
    """Turns DRF's default policies off."""

    authentication_classes: Any = ()
    permission_classes: Any = ()
    throttle_classes: Any = ()


async def plain(request: HttpRequest) -> JsonResponse:
    return JsonResponse(PONG)


class DRFPing(NoPolicies, DRFAPIView):
    def get(self, request: Request) -> Response:
        return Response(PONG)


class Ping(NoPolicies, APIView):
    def get(self, request: Request) -> Response:
        return Response(PONG)


class AsyncPing(NoPolicies, AsyncAPIView):
    async def get(self, request: Request) -> Response:
        return Response(PONG)


_drfs = DRFPing.as_view()


def nothing() -> None:
    """Do nothing, in the worker thread."""


async def in_place(request: HttpRequest) -> Any:
    """Call DRF's own code on the event loop, where nothing in it blocks here, and obey no override."""
    response = _drfs(request).render()
    response.render = None  # Django would go to the thread for it
    return response


async def in_place_and_hop(request: HttpRequest) -> Any:
    """Do the same after a trip to the worker thread, without which no sync policy can be asked."""
    await sync_to_async(nothing)()
    return await in_place(request)


CASE = Case(
    name="ping",
    variants=(
        Variant("Django async def", plain),
        Variant("DRF APIView", DRFPing.as_view()),
        Variant("restflow APIView", Ping.as_view()),
        Variant("restflow AsyncAPIView", AsyncPing.as_view(), goal=1.15),
        Variant("bound: DRF's code on the loop", in_place),
        Variant("bound: and one hop", in_place_and_hop),
    ),
    comparisons=(
        Comparison("restflow APIView", against="DRF APIView", goal=1.03),
        Comparison("restflow AsyncAPIView", against="DRF APIView", goal=1.0),
    ),
)
