"""What restflow knows of DRF's functions: which never block, and which call hooks themselves.

Records facts about DRF's functions without changing them. Used by views and components. ``permits``, through which
every permission is called, is here because DRF's ``&``, ``|`` and ``~`` call their operands directly.

A function is known by identity, so an override in a subclass is treated as a project's code. A function that blocks
only at times has a predicate; if that can't tell, the function is called in the worker thread.

DRF imports the components that its settings name while its views are imported. So modules of components must not
import those views, and neither must this one.

Source: DRF 3.18 (``permissions.py``, ``authentication.py``, ``negotiation.py``, ``versioning.py``).
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from django.db import connections
from django.db.models.query_utils import DeferredAttribute
from django.utils.functional import LazyObject, empty
from rest_framework import (
    authentication,
    negotiation,
    permissions,
    renderers,
    request,
    throttling,
    versioning,
)

from restflow.flow import always, blocking, hook, nonblocking, plan_of, remembered, stand_in, sync, truth
from restflow.flow.natures import nature_of
from restflow.flow.trust import is_drfs, is_frameworks_function, is_ours

_UNSET = object()
_CONTAINERS = frozenset({dict, frozenset, list, set, tuple})
_READ_BY_NOBODY = frozenset(
    {
        "__annotate__",
        "__annotate_func__",
        "__annotations__",
        "__dict__",
        "__orig_bases__",
        "__weakref__",
        "_restflow_hooks",
        "_restflow_methods",
        "_restflow_twins",
    }
)
_INERT = frozenset({bool, bytes, complex, float, int, str, type(None), type(Ellipsis)})


# Predicates.


@remembered
def _foreign(cls: type) -> tuple[type, ...]:
    return tuple(base for base in cls.__mro__ if base is not object and not (is_drfs(base) or is_ours(base)))


def only_configures(component: Any) -> bool:
    """Tell whether a component runs only DRF's code and ours.

    Args:
        component: an instance, or its class.

    Returns:
        False if it, or a class in its MRO that is neither DRF's nor ours, holds anything but numbers, strings and
        containers of them.
    """
    cls = component if isinstance(component, type) else type(component)
    own = getattr(component, "__dict__", None) if component is not cls else None
    foreign = _foreign(cls)
    if not (foreign or own):
        return True
    holders = [vars(base) for base in foreign]
    if own:
        holders.append(own)
    return all(is_inert(value) for holder in holders for _, value in members(holder))


def members(holder: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Iterate over the attributes that a class or an object holds, without those that Python itself keeps there.

    Args:
        holder: its ``__dict__``.
    """
    return (item for item in tuple(holder.items()) if item[0] not in _READ_BY_NOBODY)


def is_inert(value: Any, depth: int = 8) -> bool:
    """Tell whether using ``value`` runs no code, as a lazy string or a subclass might.

    Args:
        value: anything; a container is inert if all its contents are.
        depth: how many levels of containers to inspect; a deeper one is not inert.
    """
    if type(value) in _CONTAINERS:
        held = value.items() if type(value) is dict else value
        return depth > 0 and all(is_inert(each, depth - 1) for each in held)
    return type(value) in _INERT


def _configured(component: Any, *args: Any, **kwargs: Any) -> bool:
    return only_configures(component)


METACLASSES = {type, permissions.BasePermissionMetaclass}
"""Metaclasses that create instances as `type` does; restflow's own is added."""


_object: Any = object
_MAKERS = _object.__init__, _object.__new__


def all_made_in_place(classes: Iterable[Any]) -> bool:
    """Tell whether creating an instance of each class runs no code of a project.

    Args:
        classes: the classes of components, in a list or a tuple.
    """
    for cls in classes:
        if not (type(cls) in METACLASSES and cls.__init__ is _MAKERS[0] and cls.__new__ is _MAKERS[1]) and not (
            _is_composed_in_place(cls) or _is_throttle_made_in_place(cls)
        ):
            return False
    return True


def _is_composed_in_place(permission: Any) -> bool:
    """Tell whether creating a composed permission, with DRF's own holders, runs no code of a project."""
    maker = type(permission).__call__
    if maker is permissions.OperandHolder.__call__:
        return all_made_in_place((permission.op1_class, permission.op2_class))
    return maker is permissions.SingleOperandHolder.__call__ and all_made_in_place((permission.op1_class,))


# Methods that DRF's throttles call in __init__.
_HOW_MADE = ("__init__", "THROTTLE_RATES", "get_rate", "parse_rate", "rate", "scope")
_THROTTLES_MAKERS: Any = (throttling.SimpleRateThrottle.__init__, throttling.ScopedRateThrottle.__init__)


def _is_throttle_made_in_place(cls: Any) -> bool:
    return (
        type(cls) in METACLASSES
        and issubclass(cls, throttling.SimpleRateThrottle)
        and cls.__new__ is _MAKERS[1]
        and plan_of(cls).ask("is made in place", _HOW_MADE, _makes_as_drf)
    )


def _makes_as_drf(cls: Any) -> bool:
    return any(cls.__init__ is maker for maker in _THROTTLES_MAKERS) and only_configures(cls)


def is_plain_list(classes: Any) -> TypeGuard[Sequence[Any]]:
    """Tell whether ``classes`` is a list or a tuple; anything else may be a property that queries."""
    return type(classes) is list or type(classes) is tuple


async def instance_of(cls: Any) -> Any:
    """Create an instance of a component's class, directly if that runs no code of a project, otherwise in the thread.

    Args:
        cls: a class, or any callable that returns an instance.
    """
    return cls() if all_made_in_place((cls,)) else await blocking(cls)


@remembered
def _is_plain_user(cls: type, field: str) -> bool:
    """Tell whether reading ``field`` of a user of class ``cls``, or the user's truth value, runs no unknown code."""
    if cls is type(None):
        return True
    if (cls.__module__, cls.__name__) == ("django.contrib.auth.models", "AnonymousUser"):
        return True
    # Imported here, because models can't be imported before the apps are ready.
    from django.contrib.auth.base_user import AbstractBaseUser

    if not issubclass(cls, AbstractBaseUser) or hasattr(cls, "__bool__") or hasattr(cls, "__len__"):
        return False
    if field == "is_authenticated":
        return getattr(cls, field) is AbstractBaseUser.is_authenticated
    return isinstance(getattr(cls, field, None), DeferredAttribute)


def user_is_known(request: Any, field: str = "is_authenticated") -> bool:
    """Tell whether ``request.user`` and its ``field`` can be read without authenticating or querying.

    Args:
        request: a DRF request.
        field: ``"is_authenticated"`` or ``"is_staff"``.

    Returns:
        False if the request has not been authenticated yet, or the user is a lazy or deferred object, or of a class
        that runs code of its own.
    """
    user = getattr(request, "__dict__", {}).get("_user", _UNSET)
    if user is _UNSET:
        return False
    if issubclass(type(user), LazyObject):
        user = user._wrapped
        if user is empty:
            return False
    if not _is_plain_user(type(user), field):
        return False
    return field != "is_staff" or not hasattr(user, "__dict__") or field in vars(user) or not hasattr(user, "_state")


def _reads_authenticated(permission: Any, request: Any, view: Any) -> bool:
    return user_is_known(request)


def _reads_staff(permission: Any, request: Any, view: Any) -> bool:
    return user_is_known(request, "is_staff")


def _sees_no_credentials(authenticator: Any, request: Any) -> bool:
    return "HTTP_AUTHORIZATION" not in request.META


def _sees_no_session_user(authenticator: Any, request: Any) -> bool:
    return "user" not in vars(request._request)


def touches_no_connection(*args: Any, **kwargs: Any) -> bool:
    """Tell whether DRF's ``set_rollback`` does nothing, whatever the request."""
    return not any(settings["ATOMIC_REQUESTS"] for settings in connections.settings.values())


def know(function: Callable[..., Any], when: Callable[..., bool] = always) -> None:
    """Mark a function of DRF's as one that never blocks, unless another package has replaced it.

    Args:
        function: the attribute of DRF's class.
        when: a predicate of its arguments, true if it does not block.
    """
    if is_frameworks_function(function):
        nonblocking(when=when)(function)


def know_as_flow(function: Callable[..., Any], flow: Callable[..., Any]) -> None:
    """Run a flow in place of a function of DRF's, unless another package has replaced that.

    Args:
        function: the attribute of DRF's class.
        flow: a flow with the same arguments, or a method made from one.
    """
    if is_frameworks_function(function):
        stand_in(function, flow)


# DRF's functions that never block.

_function: Callable[..., Any]
for _function in (
    permissions.BasePermission.has_permission,
    permissions.BasePermission.has_object_permission,
    permissions.AllowAny.has_permission,
    authentication.BaseAuthentication.authenticate_header,
    request.ForcedAuthentication.authenticate,
):
    know(_function)

for _function in (
    negotiation.DefaultContentNegotiation.select_parser,
    negotiation.DefaultContentNegotiation.select_renderer,
    versioning.AcceptHeaderVersioning.determine_version,
    versioning.HostNameVersioning.determine_version,
    versioning.NamespaceVersioning.determine_version,
    versioning.QueryParameterVersioning.determine_version,
    versioning.URLPathVersioning.determine_version,
    renderers.JSONRenderer.render,
    authentication.BasicAuthentication.authenticate_header,
    authentication.TokenAuthentication.authenticate_header,
):
    know(_function, _configured)

know(permissions.IsAuthenticated.has_permission, _reads_authenticated)
know(permissions.IsAuthenticatedOrReadOnly.has_permission, _reads_authenticated)
know(permissions.IsAdminUser.has_permission, _reads_staff)
know(authentication.BasicAuthentication.authenticate, _sees_no_credentials)
know(authentication.TokenAuthentication.authenticate, _sees_no_credentials)
know(authentication.SessionAuthentication.authenticate, _sees_no_session_user)


# DRF's operators call their operands directly. These flows call them as hooks, in either colour.


_OPERATORS = (permissions.AND, permissions.OR, permissions.NOT)


def _asks_in_any_colour(operator: Any) -> bool:
    """Tell whether an operator, DRF's or ours, still runs the flows below, which call its operands in either colour."""
    hooks = (operator.has_permission, operator.has_object_permission)
    return all(type(hook) is types.FunctionType and nature_of(hook).flow is not None for hook in hooks)


async def permits(permission: Any, request: Any, view: Any, *obj: Any) -> bool:
    """Call a permission, of either colour, simple or composed.

    Args:
        obj: an object, if ``has_object_permission`` is to be called for it.

    Returns:
        Whether access is permitted.
    """
    if isinstance(permission, _OPERATORS) and not _asks_in_any_colour(type(permission)):
        # A subclass that calls super(), or a patched wrapper, ends in DRF's own code, which would take an operand's
        # coroutine for a yes.
        for name in vars(permission).keys() & {"op1", "op2"}:
            if not isinstance(operand := getattr(permission, name), _Operand):
                setattr(permission, name, _Operand(operand))
    allowed = await hook(permission, "has_object_permission" if obj else "has_permission", request, view, *obj)
    return allowed if type(allowed) is bool else await truth(allowed)


class _Operand:
    """Wraps an operand of either colour for sync code to call."""

    def __init__(self, permission: Any) -> None:
        self.permission = permission

    @sync
    async def has_permission(self, request: Any, view: Any) -> bool:
        return await permits(self.permission, request, view)

    @sync
    async def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return await permits(self.permission, request, view, obj)


class And:
    """The flows of ``A & B``."""

    op1: Any
    op2: Any

    async def has_permission(self, request: Any, view: Any) -> bool:
        """Tell whether both operands allow; the second is called only if the first does."""
        return await permits(self.op1, request, view) and await permits(self.op2, request, view)

    async def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        """Tell whether both operands allow the object."""
        return await permits(self.op1, request, view, obj) and await permits(self.op2, request, view, obj)


class Or:
    """The flows of ``A | B``."""

    op1: Any
    op2: Any

    async def has_permission(self, request: Any, view: Any) -> bool:
        """Tell whether an operand allows; the second is called only if the first does not."""
        return await permits(self.op1, request, view) or await permits(self.op2, request, view)

    async def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        """Tell whether one operand allows both the view and the object."""
        # An operand that refused the view must not grant access to the object (DRF issue 7117).
        for operand in (self.op1, self.op2):
            if await permits(operand, request, view) and await permits(operand, request, view, obj):
                return True
        return False


class Not:
    """The flows of ``~A``."""

    op1: Any

    async def has_permission(self, request: Any, view: Any) -> bool:
        """Tell whether the operand refuses."""
        return not await permits(self.op1, request, view)

    async def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        """Tell whether the operand refuses the object."""
        return not await permits(self.op1, request, view, obj)


_drfs: Any
_ours: Any
for _drfs, _ours in ((permissions.AND, And), (permissions.OR, Or), (permissions.NOT, Not)):
    know_as_flow(_drfs.has_permission, _ours.has_permission)
    know_as_flow(_drfs.has_object_permission, _ours.has_object_permission)
