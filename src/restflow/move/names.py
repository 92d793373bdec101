"""What each name of DRF's or adrf's becomes.

Parses restflow's modules instead of importing them, since importing needs Django's settings.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

_OF_VIEWS = ("views", "viewsets", "generics", "mixins")
_COMPONENTS = ("permissions", "authentication", "throttling", "pagination", "filters", "serializers")
# Names that are the same for both colours.
_SAME_NAME = ("decorators", "serializers", "test")

ADRFS_METHODS = {
    "alist": "list",
    "acreate": "create",
    "aretrieve": "retrieve",
    "aupdate": "update",
    "partial_aupdate": "partial_update",
    "adestroy": "destroy",
    "perform_acreate": "aperform_create",
    "perform_aupdate": "aperform_update",
    "perform_adestroy": "aperform_destroy",
    "get_apaginated_response": "aget_paginated_response",
}
"""adrf's names of the methods of generic views and viewsets, and those of restflow and DRF."""

HELPERS = {
    "check_object_permissions",
    "check_permissions",
    "check_throttles",
    "filter_queryset",
    "get_object",
    "paginate_queryset",
    "paginated_response",
    "perform_create",
    "perform_destroy",
    "perform_update",
    "serialized_response",
    "validated_serializer",
}
"""Methods of views that may block, each with a twin to await."""


class Destination(NamedTuple):
    """The location of a class or function in restflow."""

    module: str
    name: str


@cache
def exported(module: str) -> frozenset[str]:
    """Return the ``__all__`` of a module of restflow.

    Args:
        module: its full name.
    """
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return next(
        frozenset(ast.literal_eval(statement.value))
        for statement in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__"
    )


def module_of(module: str) -> str | None:
    """Return the restflow module that replaces one of DRF's or adrf's; None if there is none.

    Args:
        module: its full name.
    """
    package, _, name = module.partition(".")
    known = {"rest_framework": (*_OF_VIEWS, *_COMPONENTS, "decorators"), "adrf": (*_OF_VIEWS, *_SAME_NAME)}
    if package == "adrf" and name == "routers":
        return "rest_framework.routers"
    return f"restflow.{name}" if name in known.get(package, ()) else None


def _found(full_name: str) -> tuple[str, str, str] | None:
    """Return the module in restflow, the last part of that module's name, and the last part of ``full_name``."""
    origin, _, name = full_name.rpartition(".")
    module = module_of(origin)
    return None if module is None else (module, module.rpartition(".")[2], name)


def destination(full_name: str, *, components: bool = False) -> Destination | None:
    """Return the replacement of a base class or a decorator; None if it stays.

    Args:
        full_name: the class or function, with DRF's or adrf's module.
        components: whether bases of permissions, serializers and the like are replaced, too.
    """
    if (found := _found(full_name)) is None:
        return None
    module, part, name = found
    if part in _OF_VIEWS:
        name = name if name.startswith("Async") else f"Async{name}"
    elif part == "decorators":
        if name != "api_view":
            return None
    elif not components and not full_name.startswith("adrf."):
        return None
    if part == "routers" or name in exported(module):
        return Destination(module, name)
    return None


def stands_for_itself(full_name: str, *, components: bool = False) -> bool:
    """Tell whether restflow's module has the same name for the same purpose, so that any use of it may be replaced.

    Args:
        full_name: the class or function, with DRF's or adrf's module.
        components: whether bases of permissions, serializers and the like are replaced, too.
    """
    if (found := _found(full_name)) is None:
        return False
    module, part, name = found
    if part in _OF_VIEWS or (part in _COMPONENTS and not components and not full_name.startswith("adrf.")):
        return False
    return part == "routers" or name in exported(module)
