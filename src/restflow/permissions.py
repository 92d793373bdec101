"""DRF's permissions, with hooks in two colours. Permissions written for DRF work unchanged.

Only classes: the decisions are DRF's code. ``views/policies.py`` calls them through ``permits`` in ``restflow.drf``,
which has the flows of ``&``, ``|`` and ``~`` too.
"""

from __future__ import annotations

from typing import Any

from rest_framework import permissions as drf
from rest_framework.permissions import SAFE_METHODS

from restflow.drf import METACLASSES, And, Not, Or
from restflow.flow import TwoColoured, asynchronous, must_be_awaited, sync, twin

__all__ = [
    "AND",
    "NOT",
    "OR",
    "SAFE_METHODS",
    "AllowAny",
    "BasePermission",
    "DjangoModelPermissions",
    "DjangoModelPermissionsOrAnonReadOnly",
    "DjangoObjectPermissions",
    "IsAdminUser",
    "IsAuthenticated",
    "IsAuthenticatedOrReadOnly",
    "OperandHolder",
    "SingleOperandHolder",
]
__dir__ = __all__.copy


must_be_awaited("has_permission", "has_object_permission", is_view=False)


class AND(drf.AND):
    """What ``A & B`` makes. Source: DRF 3.18, permissions.py."""

    has_permission: Any = sync(And.has_permission)
    has_object_permission: Any = sync(And.has_object_permission)
    ahas_permission = asynchronous(has_permission)
    ahas_object_permission = asynchronous(has_object_permission)


class OR(drf.OR):
    """What ``A | B`` makes. Source: DRF 3.18, permissions.py."""

    has_permission: Any = sync(Or.has_permission)
    has_object_permission: Any = sync(Or.has_object_permission)
    ahas_permission = asynchronous(has_permission)
    ahas_object_permission = asynchronous(has_object_permission)


class NOT(drf.NOT):
    """What ``~A`` makes. Source: DRF 3.18, permissions.py."""

    has_permission: Any = sync(Not.has_permission)
    has_object_permission: Any = sync(Not.has_object_permission)
    ahas_permission = asynchronous(has_permission)
    ahas_object_permission = asynchronous(has_object_permission)


class _Composing:
    """The operators of permissions. A composed one can be awaited as its parts can."""

    def __and__(self, other: Any) -> Any:
        return _composed(AND, self, other)

    def __or__(self, other: Any) -> Any:
        return _composed(OR, self, other)

    def __rand__(self, other: Any) -> Any:
        return _composed(AND, other, self)

    def __ror__(self, other: Any) -> Any:
        return _composed(OR, other, self)

    def __invert__(self) -> Any:
        return _composed(NOT, self)


def _composed(operator: Any, *operands: Any) -> Any:
    holder: Any = SingleOperandHolder if operator is NOT else OperandHolder
    return holder(operator, *operands)


class OperandHolder(_Composing, drf.OperandHolder):
    """The class, so to speak, of a permission composed of two. Source: DRF 3.18, permissions.py."""


class SingleOperandHolder(_Composing, drf.SingleOperandHolder):
    """The class, so to speak, of a permission that is negated. Source: DRF 3.18, permissions.py."""


class BasePermissionMetaclass(_Composing, drf.BasePermissionMetaclass):
    """DRF's metaclass, which composes. Beside a class of DRF's on the left, Python asks it first."""


METACLASSES.add(BasePermissionMetaclass)


class BasePermission(
    TwoColoured,
    drf.BasePermission,
    metaclass=BasePermissionMetaclass,
    hooks=("has_permission", "has_object_permission"),
):
    """A permission whose ``has_permission`` and ``has_object_permission`` may be written in either colour.

    Write ``has_permission`` or ``ahas_permission``, sync or ``async def``: whichever name is called, the nearest
    override answers. Composed with ``&``, ``|`` and ``~``, operands of any colour are asked as DRF asks them.

    Source: DRF 3.18, permissions.py.
    """

    ahas_permission = twin("has_permission")
    ahas_object_permission = twin("has_object_permission")


# DRF's class is listed first, so that its methods come before BasePermission's defaults.


class AllowAny(drf.AllowAny, BasePermission):
    """Allow any access. Source: DRF 3.18, permissions.py."""


class IsAuthenticated(drf.IsAuthenticated, BasePermission):
    """Allow access to authenticated users. Source: DRF 3.18, permissions.py."""


class IsAdminUser(drf.IsAdminUser, BasePermission):
    """Allow access to users with ``is_staff``. Source: DRF 3.18, permissions.py."""


class IsAuthenticatedOrReadOnly(drf.IsAuthenticatedOrReadOnly, BasePermission):
    """Allow authenticated users, and others to read. Source: DRF 3.18, permissions.py."""


class DjangoModelPermissions(drf.DjangoModelPermissions, BasePermission):
    """Ask Django's model permissions of the view's query set. Source: DRF 3.18, permissions.py."""


class DjangoModelPermissionsOrAnonReadOnly(drf.DjangoModelPermissionsOrAnonReadOnly, DjangoModelPermissions):
    """Ask Django's model permissions, and let anyone read. Source: DRF 3.18, permissions.py."""


class DjangoObjectPermissions(drf.DjangoObjectPermissions, DjangoModelPermissions):
    """Ask Django's object permissions; 404 where the object may not be seen. Source: DRF 3.18, permissions.py."""
