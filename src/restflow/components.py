"""Components (permissions, parsers, paginators, ...): which methods may be async, and which are refused if they are.

Looks at classes; creates and calls nothing. Called by ``as_view``, and when a class is first used.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import types

from rest_framework.fields import Field
from rest_framework.views import APIView

from restflow.flow import at_first_use, gives_coroutine, plan_of, remembered
from restflow.flow.trust import is_drfs, is_ours

# The attributes of a view that name components, and the methods that the view calls on each.
HOOKS = {
    "permission_classes": ("has_permission", "has_object_permission"),
    "authentication_classes": ("authenticate", "authenticate_header"),
    "throttle_classes": ("allow_request", "wait"),
    "filter_backends": ("filter_queryset",),
    "pagination_class": ("paginate_queryset", "get_paginated_response"),
    "parser_classes": (),
    "renderer_classes": (),
    "content_negotiation_class": ("select_renderer",),
    "metadata_class": ("determine_metadata",),
    "versioning_class": ("determine_version",),
}
# DRF's code calls these, and restflow awaits what they return.
_HANDED_ON = ("authenticate_credentials", "enforce_csrf", "throttle_failure", "throttle_success")
_AWAITED = frozenset({*(hook for hooks in HOOKS.values() for hook in hooks), *_HANDED_ON})


@at_first_use
def refuse_dropped(component: type) -> None:
    """Refuse a component of which DRF's code would use a coroutine as a value: as a permission granted, a key, a body.

    Args:
        component: the class of a component, or any other class whose hooks are called.

    Raises:
        TypeError: there is such a method; the message names it, and what to write instead.
    """
    # All methods of views, fields and serializers are awaited.
    if APIView in component.__mro__ or Field in component.__mro__:
        return
    for method in sorted(_async_overrides(component) - _AWAITED - {*getattr(component, "_restflow_hooks", ())}):
        if not _is_called_by_drfs(component, method):
            continue
        ours = _twin_of(component, method)
        raise TypeError(
            f"{component.__module__}.{component.__qualname__}.{method} is async, and DRF's own code calls it without "
            f"awaiting it. Write {method} sync" + (f", or derive {component.__name__} from {ours}." if ours else ".")
        )


# What is called on components that need no base class of DRF's.
_CALLED = {"content_negotiation_class": "select_parser", "parser_classes": "parse", "renderer_classes": "render"}


@remembered
def refuse_dropped_as(attribute: str, component: type) -> None:
    """Refuse a component as ``refuse_dropped`` does, whatever its base classes.

    Args:
        attribute: the attribute of a view that names the component.
        component: the class of the component.

    Raises:
        TypeError: there is such a method; the message names it, and what to write instead.
    """
    plan_of(component)
    method = _CALLED.get(attribute, "")
    if gives_coroutine(inspect.getattr_static(component, method, None)):
        raise TypeError(
            f"{component.__module__}.{component.__qualname__}.{method} is async, and sync code calls it without "
            f"awaiting it. Write {method} sync."
        )


def _async_overrides(component: type) -> set[str]:
    """Return the names of the async methods and properties that override sync ones of DRF's."""
    drfs = [base for base in component.__mro__ if is_drfs(base)]
    theirs = {name for base in drfs for name in vars(base) if not name.startswith("__")}
    return {
        name
        for base in component.__mro__
        if not (is_drfs(base) or is_ours(base))
        for name in theirs & vars(base).keys()
        if gives_coroutine(vars(base)[name])
    }


def _is_called_by_drfs(component: type, method: str) -> bool:
    """Tell whether DRF's code may call ``method``, because some method of the class that calls it is not overridden."""
    callers = {
        name
        for base in component.__mro__
        if is_drfs(base)
        for name, function in vars(base).items()
        if isinstance(function, types.FunctionType) and method in function.__code__.co_names
    }
    return not callers or any(_leads_to_drfs(component, name) for name in callers)


def _leads_to_drfs(component: type, name: str) -> bool:
    holder = next(base for base in component.__mro__ if name in vars(base) or "a" + name in vars(base))
    if is_drfs(holder):
        return True
    written = (inspect.unwrap(vars(holder)[each]) for each in (name, "a" + name) if each in vars(holder))
    return any("super" in getattr(getattr(each, "__code__", None), "co_names", ("super",)) for each in written)


def _twin_of(component: type, method: str) -> str:
    """Return the name of restflow's class that awaits ``method`` of the DRF class it is based on, or ""."""
    for base in component.__mro__:
        package, _, module = base.__module__.partition(".")
        if package == "rest_framework" and importlib.util.find_spec(f"restflow.{module}"):
            twin = getattr(importlib.import_module(f"restflow.{module}"), base.__name__, None)
            if method in getattr(twin, "_restflow_hooks", ()):
                return f"restflow.{module}.{base.__name__}"
    return ""
