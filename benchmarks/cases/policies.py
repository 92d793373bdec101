"""``policies``: 1 authentication, 3 permissions and 1 throttle, as a project would write them; once sync, once async.

They are pure Python on DRF's own bases, so the figures hold what it costs to *ask* a policy and not what it does. The
async ones are ``async def`` under DRF's names, and do the same.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from django.http import HttpRequest, JsonResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView as DRFAPIView

from benchmarks.case import Case, Comparison, Headers, Refusal, Variant
from restflow.views import APIView, AsyncAPIView


@dataclass(frozen=True)
class Member:
    """A user, as an authentication of one's own may return it."""

    name: str
    is_active: bool = True
    verified: bool = True
    regions: frozenset[str] = frozenset({"north", "south"})
    quota: float = math.inf
    is_authenticated: ClassVar[bool] = True


MEMBERS = {
    f"Token {member.name}": member
    for member in (
        Member("ada"),
        Member("inactive", is_active=False),
        Member("unverified", verified=False),
        Member("elsewhere", regions=frozenset()),
        Member("exhausted", quota=0),
    )
}
SERVED: Counter[str] = Counter()


def member_of(request: Request) -> tuple[Member, None] | None:
    member = MEMBERS.get(request.META.get("HTTP_AUTHORIZATION", ""))
    return None if member is None else (member, None)


def within_quota(member: Member) -> bool:
    SERVED[member.name] += 1
    return SERVED[member.name] <= member.quota


class ByToken(BaseAuthentication):
    def authenticate(self, request: Request) -> Any:
        return member_of(request)

    def authenticate_header(self, request: Request) -> str:
        return "Token"


class IsActive(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user and request.user.is_active)


class IsVerified(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.verified


class IsInRegion(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return view.region in request.user.regions


class Quota(BaseThrottle):
    def allow_request(self, request: Request, view: Any) -> bool:
        return within_quota(request.user)


class AsyncByToken(BaseAuthentication):
    async def authenticate(self, request: Request) -> Any:
        return member_of(request)

    def authenticate_header(self, request: Request) -> str:
        return "Token"


class AsyncIsActive(BasePermission):
    async def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user and request.user.is_active)


class AsyncIsVerified(BasePermission):
    async def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.verified


class AsyncIsInRegion(BasePermission):
    async def has_permission(self, request: Request, view: Any) -> bool:
        return view.region in request.user.regions


class AsyncQuota(BaseThrottle):
    async def allow_request(self, request: Request, view: Any) -> bool:
        return within_quota(request.user)


async def pong(self: Any, request: Request) -> Response:
    """A handler that asks for no member."""
    return Response({"member": "ada"})


class SyncPolicies:
    """The policies as any DRF project has them."""

    region = "north"
    authentication_classes: Any = (ByToken,)
    permission_classes: Any = (IsActive, IsVerified, IsInRegion)
    throttle_classes: Any = (Quota,)


class AsyncPolicies:
    """The same, as ``async def``."""

    region = "north"
    authentication_classes: Any = (AsyncByToken,)
    permission_classes: Any = (AsyncIsActive, AsyncIsVerified, AsyncIsInRegion)
    throttle_classes: Any = (AsyncQuota,)


async def plain(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"member": "ada"})


class DRFGuarded(SyncPolicies, DRFAPIView):
    def get(self, request: Request) -> Response:
        return Response({"member": request.user.name})


class Guarded(SyncPolicies, APIView):
    def get(self, request: Request) -> Response:
        return Response({"member": request.user.name})


class AsyncGuarded(SyncPolicies, AsyncAPIView):
    async def get(self, request: Request) -> Response:
        return Response({"member": request.user.name})


class AsyncGuardedAsync(AsyncPolicies, AsyncAPIView):
    async def get(self, request: Request) -> Response:
        return Response({"member": request.user.name})


_check = sync_to_async(DRFGuarded.initial)


async def one_hop(request: HttpRequest) -> Any:
    """Call DRF's own checks in the worker thread and the rest of its code on the event loop, and obey no override."""
    view: Any = DRFGuarded()
    view.setup(request)
    view.request = view.initialize_request(request)
    view.headers = view.default_response_headers
    try:
        await _check(view, view.request)
        response = view.get(view.request)
    except Exception as error:
        response = view.handle_exception(error)
    response = view.finalize_response(view.request, response).render()
    response.render = None  # Django would go to the thread for it
    return response


def token(name: str) -> Headers:
    return ((b"authorization", f"Token {name}".encode()),)


CASE = Case(
    name="policies",
    variants=(
        Variant("Django async def, no policies", plain),
        Variant("DRF APIView, sync policies", DRFGuarded.as_view()),
        Variant("restflow APIView, sync policies", Guarded.as_view()),
        Variant("restflow AsyncAPIView, sync policies", AsyncGuarded.as_view(), goal=1.35),
        Variant("restflow AsyncAPIView, async policies", AsyncGuardedAsync.as_view()),
        Variant("bound: DRF's code, its checks after one hop", one_hop),
    ),
    headers=token("ada"),
    refusals=(
        Refusal(token("nobody"), 401),
        Refusal(token("inactive"), 403),
        Refusal(token("unverified"), 403),
        Refusal(token("elsewhere"), 403),
        Refusal(token("exhausted"), 429),
    ),
    comparisons=(
        Comparison("restflow APIView, sync policies", against="DRF APIView, sync policies", goal=1.03),
        Comparison("restflow AsyncAPIView, sync policies", against="DRF APIView, sync policies", goal=1.0),
        Comparison("restflow AsyncAPIView, async policies", against="DRF APIView, sync policies", goal=1.0),
    ),
)
