"""Authentication: calls a request's authenticators, in either colour, and checks the user that they return.

Runs a project's authenticators as steps of a flow. Called by the views, and by ``restflow.request`` when
``request.user`` is read.
"""

from __future__ import annotations

import inspect
import types
from typing import Any

from django.utils.functional import LazyObject
from rest_framework import exceptions
from rest_framework import request as drf
from rest_framework.authentication import SessionAuthentication
from rest_framework.settings import api_settings

from restflow.flow import blocking, call, gives_coroutine, hook, remembered, run
from restflow.flow.natures import facts_of
from restflow.flow.steps import drop, is_awaitable, settle


async def authenticate(request: Any) -> None:
    """Call the request's authenticators in turn, in either colour.

    Raises:
        APIException: an authenticator refused.

    Source: DRF 3.18, request.py, ``Request._authenticate``.
    """
    for authenticator in request.authenticators:
        if hasattr(type(authenticator), "enforce_csrf"):  # third-party authenticators use the same name
            _have_csrf_enforced(authenticator)
        try:
            credentials = await hook(authenticator, "authenticate", request)
        except exceptions.APIException:
            await _not_authenticated(request)
            raise
        if credentials is not None:
            user, auth = credentials
            refuse_async_user(user)
            request._authenticator = authenticator
            request.user, request.auth = user, auth
            return
    await _not_authenticated(request)


# The attributes of a user that Django's and DRF's permissions read.
_ASKED_OF_USERS = (
    "is_active",
    "is_anonymous",
    "is_authenticated",
    "is_staff",
    "is_superuser",
    "has_module_perms",
    "has_perm",
    "has_perms",
)


def refuse_async_user(user: Any) -> None:
    """Refuse a user with async attributes: a coroutine is true, so permissions would see an authenticated user.

    Args:
        user: any object that a request has as its user; of a lazy object, the one that it was evaluated to.

    Raises:
        TypeError: the user, or one of its attributes, is async; the message names it.
    """
    user = user._wrapped if issubclass(type(user), LazyObject) else user
    if is_awaitable(user):
        drop(settle(user))
        raise TypeError(f"An authenticator returned {user!r} as the user. Await it in an `async def authenticate`.")
    cls: Any = type(user)
    if (name := _async_answer(cls)) is not None:
        raise TypeError(
            f"{cls.__module__}.{cls.__qualname__}.{name} is async, and permissions would take its coroutine for True. "
            f"Write {name} sync."
        )


@remembered
def _async_answer(cls: Any) -> str | None:
    return next((name for name in _ASKED_OF_USERS if gives_coroutine(inspect.getattr_static(cls, name, None))), None)


_DRFS_ENFORCE_CSRF = SessionAuthentication.enforce_csrf
_DRFS_NOT_AUTHENTICATED = vars(drf.Request)["_not_authenticated"]


class _Enforced:
    """Wraps an ``enforce_csrf`` for DRF's own code, which would drop the coroutine of an async one."""

    def __init__(self, enforce_csrf: Any) -> None:
        self.enforce_csrf = enforce_csrf

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return run(call(self.enforce_csrf, *args, **kwargs))


def _have_csrf_enforced(authenticator: Any) -> None:
    """Make DRF's code await an override of ``enforce_csrf``; otherwise forged requests would be accepted."""
    cls = type(authenticator)
    if cls.enforce_csrf is _DRFS_ENFORCE_CSRF and not hasattr(cls, "aenforce_csrf") and not vars(authenticator):
        return
    if "enforce_csrf" in getattr(authenticator, "_restflow_hooks", ()):
        return  # ours ask it in either colour; for other classes, DRF's code runs here
    enforce_csrf = getattr(authenticator, _name_of_enforce_csrf(authenticator))
    if not callable(enforce_csrf):
        return  # the project turned the check off
    function = getattr(enforce_csrf, "__func__", None)
    is_drfs = type(enforce_csrf) is types.MethodType and function is _DRFS_ENFORCE_CSRF
    if not (is_drfs or isinstance(enforce_csrf, _Enforced)):
        authenticator.enforce_csrf = _Enforced(enforce_csrf)


def _name_of_enforce_csrf(authenticator: Any) -> str:
    """Return the name of the definition that is nearest to the object."""
    owners = (vars(authenticator), *map(vars, type(authenticator).__mro__))
    return next(name for owner in owners for name in ("enforce_csrf", "aenforce_csrf") if name in owner)


async def _not_authenticated(request: Any) -> None:
    """Mark the request as not authenticated."""
    is_drfs = type(request)._not_authenticated is _DRFS_NOT_AUTHENTICATED
    if is_drfs and api_settings.UNAUTHENTICATED_TOKEN is None and _is_nobody(api_settings.UNAUTHENTICATED_USER):
        request._not_authenticated()
    else:
        await blocking(request._not_authenticated)


@remembered
def _is_nobody(user: Any) -> bool:
    """Tell whether creating an unauthenticated user runs only Django's code."""
    name = f"{getattr(user, '__module__', '')}.{getattr(user, '__qualname__', '')}"
    return user is None or name == "django.contrib.auth.models.AnonymousUser"


async def authenticated(request: Any) -> None:
    """Set ``request.user`` and ``request.auth`` by calling the authenticators, unless that has been done.

    Raises:
        APIException: an authenticator refused.
        WrappedAttributeError: an authenticator raised AttributeError, which attribute access would swallow.

    Source: DRF 3.18, views.py, ``perform_authentication``, and request.py, ``user``.
    """
    if getattr(type(request), "user", None) is not drf.Request.user:  # the project's own property
        await blocking(getattr, request, "user")
    elif "_user" not in vars(request) and not hasattr(request._request, "_user"):
        is_known = facts_of(type(request)._authenticate).flow is authenticate  # DRF's own method, or ours
        if is_known and not request.authenticators:
            await _not_authenticated(request)
            return
        try:
            await (authenticate(request) if is_known else hook(request, "_authenticate"))
        except AttributeError:
            with drf.wrap_attributeerrors():
                raise
