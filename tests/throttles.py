"""Views of each kind, to be throttled, and what their answers say."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.response import Response
from rest_framework.views import APIView as DRFAPIView

from restflow import throttling
from restflow.views import APIView, AsyncAPIView
from tests.site import Answer, Site


class Async(AsyncAPIView):
    async def get(self, request):
        return Response({})


class Sync(APIView):
    def get(self, request):
        return Response({})


class OverDRF(DRFAPIView):
    def get(self, request):
        return Response({})


VIEWS = {"async": Async, "sync": Sync, "drf": OverDRF}
every_view = pytest.mark.parametrize("base", VIEWS.values(), ids=VIEWS)


def throttled(base: type, *throttles: Any, **attributes: Any) -> Any:
    return type("V", (base,), {"throttle_classes": list(throttles), **attributes}).as_view()


def statuses(view: Any, times: int = 1, /, **restflow: Any) -> list[int]:
    with Site({"x/": view}, RESTFLOW=restflow) as site:
        return [site.send("GET", "/x/").status for _ in range(times)]


class Twice(throttling.UserRateThrottle):
    rate = "2/min"


def fields(answer: Answer) -> tuple[Any, Any]:
    """The RateLimit fields of an answer: the policies, and what is left of them."""
    return answer.headers.get("RateLimit-Policy"), answer.headers.get("RateLimit")
