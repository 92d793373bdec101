"""DRF's permissions with hooks in two colours; DRF's own, and any written for DRF, work as they are."""

from __future__ import annotations

from rest_framework import permissions as drf
from rest_framework.permissions import AND, NOT, OR, SAFE_METHODS, OperandHolder, SingleOperandHolder

from restflow.flow import TwoColoured, must_be_awaited, twin

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


must_be_awaited("has_permission", "has_object_permission", is_view=False)


class BasePermission(TwoColoured, drf.BasePermission, hooks=("has_permission", "has_object_permission")):
    """A permission whose ``has_permission`` and ``has_object_permission`` may be written in either colour.

    Write ``has_permission`` or ``ahas_permission``, sync or ``async def``: whichever name is called, the nearest
    override answers. Composed with ``&``, ``|`` and ``~``, operands of any colour are asked as DRF asks them.

    Source: DRF 3.18, permissions.py.
    """

    ahas_permission = twin("has_permission")
    ahas_object_permission = twin("has_object_permission")


# DRF's class comes first: what it writes is nearer than BasePermission's defaults.


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
