"""Permissions and throttles, asked and obeyed.

Flows that the checks of ``base`` share with their fast versions.
"""

from __future__ import annotations

import types
from typing import Any

from rest_framework.request import Request
from rest_framework.views import APIView

from restflow.drf import permits
from restflow.flow import attribute, callable_from_sync, hook, plan_of, truth
from restflow.request import refuse_async_user
from restflow.views.hooks import CALLED_FOR_EFFECT


async def permit(view: APIView, request: Request, permissions: Any) -> None:
    """Ask permissions in order, up to the first refusal.

    Args:
        view: the view, whose ``permission_denied`` says no.
        permissions: what is asked, of either colour.

    Raises:
        APIException: one refused.
    """
    refuse_async_user(getattr(request, "_user", None))
    for permission in permissions:
        if not await permits(permission, request, view):
            await refuse(view, request, permission)


async def throttle_by(view: APIView, request: Request, throttles: Any) -> None:
    """Ask every throttle; refuse with the longest wait of those that refused.

    Args:
        view: the view, whose ``throttled`` says no.
        throttles: what is asked, of either colour.

    Raises:
        Throttled: at least one refused.
    """
    waits = [
        await hook(throttle, "wait")
        for throttle in throttles
        if not await truth(await hook(throttle, "allow_request", request, view))
    ]
    if waits:
        known = [wait for wait in waits if wait is not None]
        await hook(view, "throttled", request, max(known, default=None))


async def refuse(view: APIView, request: Request, permission: Any) -> None:
    """Refuse a request in the name of a permission.

    Args:
        view: the view, whose ``permission_denied`` says no.
        permission: whose ``message`` and ``code`` reach the client.

    Raises:
        NotAuthenticated: nobody is authenticated.
        PermissionDenied: somebody is.
    """
    message, code = await attribute(permission, "message", None), await attribute(permission, "code", None)
    await hook(view, "permission_denied", request, message=message, code=code)


def may_be_dropped(cls: type) -> list[str]:
    """Return the names under which a class has what is not known to be sync code of DRF's and ours."""
    return plan_of(cls).ask("may be dropped", CALLED_FOR_EFFECT, _dropped)


def _dropped(cls: type) -> list[str]:
    return [name for name in CALLED_FOR_EFFECT if _is_dropped(cls, name)]


def _is_dropped(cls: type, name: str) -> bool:
    function = getattr(cls, name, None)
    return function is not None and not (
        type(function) is types.FunctionType and callable_from_sync(function) is function
    )
