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
    """The permission that ``A & B`` creates. Source: DRF 3.18, permissions.py."""

    has_permission: Any = sync(And.has_permission)
    has_object_permission: Any = sync(And.has_object_permission)
    ahas_permission = asynchronous(has_permission)
    ahas_object_permission = asynchronous(has_object_permission)


class OR(drf.OR):
    """The permission that ``A | B`` creates. Source: DRF 3.18, permissions.py."""

    has_permission: Any = sync(Or.has_permission)
    has_object_permission: Any = sync(Or.has_object_permission)
    ahas_permission = asynchronous(has_permission)
    ahas_object_permission = asynchronous(has_object_permission)


class NOT(drf.NOT):
    """The permission that ``~A`` creates. Source: DRF 3.18, permissions.py."""

    has_permission: Any = sync(Not.has_permission)
    has_object_permission: Any = sync(Not.has_object_permission)
    ahas_permission = asynchronous(has_permission)
    ahas_object_permission = asynchronous(has_object_permission)


class _Composing:
    """The operators of permissions, which give composed permissions async methods, like their operands."""

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
    """Acts as the class of a permission composed of two others. Source: DRF 3.18, permissions.py."""


class SingleOperandHolder(_Composing, drf.SingleOperandHolder):
    """Acts as the class of a negated permission. Source: DRF 3.18, permissions.py."""


class BasePermissionMetaclass(_Composing, drf.BasePermissionMetaclass):
    """DRF's metaclass, with our operators, which Python tries first even if a class of DRF's is on the left."""


METACLASSES.add(BasePermissionMetaclass)


class BasePermission(
    TwoColoured,
    drf.BasePermission,
    metaclass=BasePermissionMetaclass,
    hooks=("has_permission", "has_object_permission"),
):
    """Base class of permissions whose ``has_permission`` and ``has_object_permission`` may be of either colour.

    Write ``has_permission`` or ``ahas_permission``, sync or ``async def``. Whichever name is called, the nearest
    override runs. Operands of ``&``, ``|`` and ``~`` may be of any colour, and are called as DRF calls them.

    Source: DRF 3.18, permissions.py.
    """

    ahas_permission = twin("has_permission")
    ahas_object_permission = twin("has_object_permission")


# DRF's class is listed first, so that its methods come before BasePermission's defaults.


class AllowAny(drf.AllowAny, BasePermission):
    """Allows any access. Source: DRF 3.18, permissions.py."""


class IsAuthenticated(drf.IsAuthenticated, BasePermission):
    """Allows access to authenticated users. Source: DRF 3.18, permissions.py."""


class IsAdminUser(drf.IsAdminUser, BasePermission):
    """Allows access to users with ``is_staff``. Source: DRF 3.18, permissions.py."""


class IsAuthenticatedOrReadOnly(drf.IsAuthenticatedOrReadOnly, BasePermission):
    """Allows authenticated users any access, and everyone else to read. Source: DRF 3.18, permissions.py."""


class DjangoModelPermissions(drf.DjangoModelPermissions, BasePermission):
    """Checks Django's permissions for the model of the view's query set. Source: DRF 3.18, permissions.py."""


class DjangoModelPermissionsOrAnonReadOnly(drf.DjangoModelPermissionsOrAnonReadOnly, DjangoModelPermissions):
    """Checks Django's model permissions, and allows everyone to read. Source: DRF 3.18, permissions.py."""


class DjangoObjectPermissions(drf.DjangoObjectPermissions, DjangoModelPermissions):
    """Checks Django's object permissions; a 404 for objects that may not be read. Source: DRF 3.18, permissions.py."""
