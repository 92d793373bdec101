"""Calls permissions and throttles, and raises what they decide.

Flows that ``check_permissions`` and ``check_throttles`` of ``base`` share with the fast versions. How one permission is
called, composed or not, is ``permits`` in ``restflow.drf``.
"""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.views import APIView

from restflow.credentials import refuse_async_user
from restflow.drf import permits
from restflow.flow import attribute, hook, truth


async def permit(view: APIView, request: Request, permissions: Any) -> None:
    """Check permissions in order, up to the first refusal.

    Args:
        view: the view, whose ``permission_denied`` raises.
        permissions: the permissions, of either colour.

    Raises:
        APIException: one refused.
    """
    refuse_async_user(getattr(request, "_user", None))
    for permission in permissions:
        if not await permits(permission, request, view):
            await refuse(view, request, permission)


async def throttle_by(view: APIView, request: Request, throttles: Any) -> None:
    """Call every throttle, and refuse with the longest wait of those that refused.

    Args:
        view: the view, whose ``throttled`` raises.
        throttles: the throttles, of either colour.

    Raises:
        Throttled: at least one refused.
    """
    waits = [
        await hook(throttle, "wait")
        for throttle in throttles
        if not await truth(await hook(throttle, "allow_request", request, view))
    ]
    if waits:
        seconds = [wait for wait in waits if wait is not None]
        await hook(view, "throttled", request, max(seconds, default=None))


async def refuse(view: APIView, request: Request, permission: Any) -> None:
    """Refuse a request on behalf of a permission.

    Args:
        view: the view, whose ``permission_denied`` raises.
        permission: the permission, whose ``message`` and ``code`` are sent to the client.

    Raises:
        NotAuthenticated: the request is not authenticated.
        PermissionDenied: it is.
    """
    message, code = await attribute(permission, "message", None), await attribute(permission, "code", None)
    await hook(view, "permission_denied", request, message=message, code=code)
