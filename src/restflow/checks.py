"""Django's system checks of restflow's views: what would go wrong, or cost, at the first request."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.conf import settings
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error, Info, Warning
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import connections
from django.urls import URLResolver, get_resolver
from rest_framework.permissions import OperandHolder, SingleOperandHolder
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView as DRFAPIView

from restflow.flow import is_coroutine_function
from restflow.flow.resolution import Definition, memories, nature_of
from restflow.post_fetch import PostFetch
from restflow.throttling import SimpleRateThrottle as ThrottleInTwoColours
from restflow.views import ActionConfig, APIView, AsyncAPIView, ViewSetMixin
from restflow.views.action_config import config_of, is_data_descriptor

__all__ = ["check_views"]

# The components of a view, and the hooks that the view itself asks of each: those may be of either colour.
_HOOKS = {
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
# DRF calls these itself, but what they return is awaited: it hands it on, or restflow sees to it.
_HANDED_ON = {"authenticate_credentials", "enforce_csrf", "throttle_failure", "throttle_success"}
_ACTIONS = ("create", "destroy", "list", "partial_update", "retrieve", "update")
_Messages = Iterator[CheckMessage]


def check_views(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Check all of restflow's views that the URLconf reaches, and what DRF's views ask that only restflow's await.

    Args:
        app_configs: the apps to be checked; the URLconf is that of the whole project, whichever they are.
        kwargs: further arguments of Django's.

    Returns:
        What is wrong, each once.
    """
    try:
        views = list(_views(get_resolver().url_patterns)) if getattr(settings, "ROOT_URLCONF", None) else []
    except Exception:  # Django's own checks say what is wrong with the URLconf
        return []
    found: dict[tuple[Any, ...], CheckMessage] = {}
    for view in views:
        for check in _CHECKS if issubclass(view.cls, APIView) else (_taken_for_yes,):
            for message in _unfailing(check, view):
                found.setdefault((message.id, message.msg, message.obj), message)
    for message in _unknown_actions(views):
        found.setdefault((message.id, message.msg, message.obj), message)
    return list(found.values())


@dataclass
class _View:
    """A view that a URL leads to."""

    callback: Any
    cls: Any
    initkwargs: Mapping[str, Any]
    actions: Mapping[str, str] = field(default_factory=dict)

    def attribute(self, name: str) -> Any:
        """Return what ``name`` is on each instance; None where a property decides."""
        if name in self.initkwargs:
            return self.initkwargs[name]
        return None if is_data_descriptor(self.cls, name) else getattr(self.cls, name, None)

    def __str__(self) -> str:
        return _name(self.cls)

    def read_configs(self) -> dict[str, ActionConfig]:
        """Return the configs of the view's actions.

        Raises:
            ImproperlyConfigured: ``action_configs`` can't be read.
        """
        if not issubclass(self.cls, ViewSetMixin):
            return {}
        view = object.__new__(self.cls)  # without the code of its own __init__
        vars(view).update(self.initkwargs)
        found = {action: config_of(view, action) for action in sorted({*self.actions.values(), "metadata"})}
        return {action: config for action, config in found.items() if config is not None}

    @cached_property
    def configs(self) -> dict[str, ActionConfig]:
        """The configs of the view's actions; none where they can't be read."""
        try:
            return self.read_configs()
        except ImproperlyConfigured:
            return {}

    def components(self, name: str) -> list[Any]:
        """Return the classes under ``name`` on the view and in its configs, those of composed permissions apart."""
        given = [self.attribute(name), *(getattr(config, name, None) for config in self.configs.values())]
        classes = [each for one in given for each in (one if isinstance(one, (list, tuple)) else [one])]
        return [part for each in classes for part in _parts(each) if isinstance(part, type)]


def _parts(component: Any) -> list[Any]:
    if isinstance(component, OperandHolder):
        return [*_parts(component.op1_class), *_parts(component.op2_class)]
    return _parts(component.op1_class) if isinstance(component, SingleOperandHolder) else [component]


def _views(patterns: Iterable[Any]) -> Iterator[_View]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern.url_patterns)
            continue
        callback = pattern.callback
        while not hasattr(callback, "cls") and hasattr(callback, "__wrapped__"):
            callback = callback.__wrapped__
        cls = getattr(callback, "cls", None)
        if isinstance(cls, type) and issubclass(cls, DRFAPIView):
            yield _View(
                pattern.callback, cls, getattr(callback, "initkwargs", {}), getattr(callback, "actions", None) or {}
            )


def _unfailing(check: Callable[[_View], _Messages], view: _View) -> _Messages:
    try:
        yield from check(view)
    except Exception as error:
        yield Info(f"{view} could not be checked: {type(error).__name__}: {error}", obj=view.cls, id="restflow.I001")


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _unknown_actions(views: list[_View]) -> _Messages:
    """Find the keys of ``action_configs`` that no viewset of the class that has them has an action for."""
    known: dict[tuple[Any, str], bool] = {}
    for view in views:
        if not issubclass(view.cls, ViewSetMixin):
            continue
        actions = {*view.actions.values(), *(method.__name__ for method in _extra_actions(view.cls))}
        actions |= {"metadata"} | {name for name in _ACTIONS if inspect.getattr_static(view.cls, name, None)}
        for holder in view.cls.__mro__:
            configs = vars(holder).get("action_configs")
            for action in configs if isinstance(configs, Mapping) else ():
                known[holder, action] = known.get((holder, action), False) or action in actions
        for action in view.initkwargs.get("action_configs", ()):
            known[view.cls, action] = known.get((view.cls, action), False) or action in actions
    for (holder, action), is_known in known.items():
        if not is_known:
            yield Error(
                f"{_name(holder)}.action_configs has {action!r}, which is no action of it.",
                hint="Rename the key to the method's name, or take it out: what it says counts nowhere.",
                obj=holder,
                id="restflow.E001",
            )


def _extra_actions(cls: Any) -> list[Any]:
    try:
        extra: list[Any] = cls.get_extra_actions()
    except Exception:  # DRF says what is wrong where the URLs are made
        return []
    return extra


def _configs(view: _View) -> _Messages:
    try:
        configs = view.read_configs()
    except ImproperlyConfigured as error:
        yield Error(str(error), obj=view.cls, id="restflow.E002")
        return
    for action, config in configs.items():
        for name in config.attributes():
            if is_data_descriptor(view.cls, name):
                yield Error(
                    f"{view}.{name} is a property, which the ActionConfig of {action!r} can't replace.",
                    hint=f"Make it a plain attribute, or take {name} out of the config and decide in the property.",
                    obj=view.cls,
                    id="restflow.E002",
                )


def _partial_update(view: _View) -> _Messages:
    if not {"update", "partial_update"} <= set(view.actions.values()):
        return
    configs = view.configs
    guards = [
        name
        for name in ("authentication_classes", "permission_classes", "throttle_classes")
        if "update" in configs and getattr(configs["update"], name) is not None
    ]
    if guards and "partial_update" not in configs:
        yield Warning(
            f"{view} has an ActionConfig of 'update' with {', '.join(guards)}, and none of 'partial_update': PATCH is "
            "checked by the class.",
            hint='Give PATCH the same config: action_configs["partial_update"].',
            obj=view.cls,
            id="restflow.W003",
        )


def _atomic(view: _View) -> _Messages:
    if not issubclass(view.cls, AsyncAPIView):
        return
    exempt: set[str] = getattr(view.callback, "_non_atomic_requests", set())
    for alias, database in connections.settings.items():
        if database["ATOMIC_REQUESTS"] and alias not in exempt:
            yield Warning(
                f"{view} is async, and ATOMIC_REQUESTS of the database {alias!r} is for sync views only on Django's "
                "ASGI handler, which answers each request with an error.",
                hint="Serve the project by restflow.asgi.get_asgi_application(), and silence this; or wrap the view in "
                "django.db.transaction.non_atomic_requests, and use restflow.db.atomic where it writes.",
                obj=view.cls,
                id="restflow.W008",
            )


def _dropped(view: _View) -> _Messages:
    for name, hooks in _HOOKS.items():
        for component in view.components(name):
            asked = {*hooks, *getattr(component, "_restflow_hooks", ()), *_HANDED_ON}
            for method in sorted(_async_overrides(component) - asked):
                ours = _twin_of(component, method)
                yield Error(
                    f"{_name(component)}.{method} is async, and DRF's own code calls it without awaiting it.",
                    hint=f"Write {method} sync" + (f", or derive {component.__name__} from {ours}." if ours else "."),
                    obj=component,
                    id="restflow.E004",
                )


def _async_overrides(component: type) -> set[str]:
    """Return the names of the async methods that override a sync one of DRF's."""
    written = {
        name
        for base in component.__mro__
        if not base.__module__.startswith(("rest_framework.", "restflow."))
        for name, value in vars(base).items()
        if is_coroutine_function(value)
    }
    drfs = [base for base in component.__mro__ if base.__module__.startswith("rest_framework.")]
    return {name for name in written if any(inspect.isfunction(vars(base).get(name)) for base in drfs)}


def _twin_of(component: type, method: str) -> str:
    """Return the name of restflow's class that awaits ``method`` of the DRF class it is built on; "" without one."""
    for base in component.__mro__:
        package, _, module = base.__module__.partition(".")
        if package == "rest_framework" and importlib.util.find_spec(f"restflow.{module}"):
            twin = getattr(importlib.import_module(f"restflow.{module}"), base.__name__, None)
            if method in getattr(twin, "_restflow_hooks", ()):
                return f"restflow.{module}.{base.__name__}"
    return ""


def _definition(cls: type, hook: str) -> Definition | None:
    return memories[hook].resolve(cls)


def _async_only(view: _View) -> _Messages:
    if issubclass(view.cls, AsyncAPIView):
        return
    for name in _POLICIES:
        for component in view.components(name):
            for hook in _HOOKS[name]:
                definition = _definition(component, hook)
                if definition is not None and definition.for_sync_awaits:
                    yield Warning(
                        f"{_name(component)}.{hook} is async only, and {view} is sync: each request opens an event "
                        "loop for it.",
                        hint=f"Derive {view.cls.__name__} from the async view, or give {component.__name__} a sync "
                        f"{hook} beside an async a{hook}.",
                        obj=view.cls,
                        id="restflow.W001",
                    )


_POLICIES = {
    "permission_classes": "restflow.permissions",
    "authentication_classes": "restflow.authentication",
    "throttle_classes": "restflow.throttling",
}


def _taken_for_yes(view: _View) -> _Messages:
    for name, module in _POLICIES.items():
        for component in view.components(name):
            for hook in _HOOKS[name]:
                if is_coroutine_function(inspect.getattr_static(component, hook, None)):
                    yield Error(
                        f"{_name(component)}.{hook} is async, and {view}, which is no view of restflow's, takes the "
                        "coroutine for the answer: for a yes.",
                        hint=f"Derive {component.__name__} from its base's namesake in {module}, whose sync name "
                        f"works in DRF's views too, or move {view.cls.__name__} to restflow.",
                        obj=view.cls,
                        id="restflow.E006",
                    )


def _sync_handlers(view: _View) -> _Messages:
    if not issubclass(view.cls, AsyncAPIView):
        return
    for name in sorted({*view.cls.http_method_names, *view.actions.values()}):
        written = [(base, vars(base)[name]) for base in view.cls.__mro__ if name in vars(base)]
        if len(written) < 2 or _awaits(written[0][1]):
            continue
        # To write one of ours in sync is how a viewset is ported.
        theirs = [base for base, raw in written[1:] if _awaits(raw) and not base.__module__.startswith("restflow.")]
        for base in theirs[:1]:
            yield Warning(
                f"{_name(written[0][0])}.{name} is sync, and stands before the async {name} of {_name(base)}: it runs "
                "in the worker thread.",
                hint=f"Write `async def {name}`.",
                obj=view.cls,
                id="restflow.W002",
            )


def _awaits(raw: Any) -> bool:
    return nature_of(raw).awaits or is_coroutine_function(inspect.unwrap(raw))


def _caches(view: _View) -> _Messages:
    if not issubclass(view.cls, AsyncAPIView):
        return
    for throttle in view.components("throttle_classes"):
        if not issubclass(throttle, SimpleRateThrottle) or issubclass(throttle, ThrottleInTwoColours):
            continue
        cache = type(throttle.cache.get.__self__)  # throttle.cache may be a proxy
        if issubclass(cache, (LocMemCache, DummyCache)):
            continue
        definition = _definition(throttle, "allow_request")
        hint = "Derive it from the class of the same name in restflow.throttling, which counts without blocking."
        if definition is not None and definition.for_async_awaits:
            yield Warning(
                f"{_name(throttle)}.allow_request is async, and the methods it has from DRF read {cache.__name__} on "
                "the event loop, which waits meanwhile.",
                hint=hint,
                obj=throttle,
                id="restflow.W005",
            )
        else:
            yield Warning(
                f"{_name(throttle)} reads {cache.__name__} in the worker thread at each request of the async {view}.",
                hint=hint,
                obj=throttle,
                id="restflow.W004",
            )


def _post_fetches(view: _View) -> _Messages:
    modules = [sys.modules[base.__module__] for base in view.cls.__mro__ if base.__module__ in sys.modules]
    for holder in (*view.cls.__mro__, *modules):
        for name, value in list(vars(holder).items()):
            for post_fetch in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(post_fetch, PostFetch) and (error := _why_not(post_fetch)):
                    yield Error(
                        f"The PostFetch {name} of {holder.__name__} names a field that is not there: {error}",
                        hint="Correct the name in values, order_by or queries, or annotate the query set with it.",
                        obj=holder,
                        id="restflow.E005",
                    )


def _why_not(post_fetch: PostFetch) -> FieldError | None:
    """Return what Django says of the names that ``post_fetch`` reads of its rows; the items' can't be known."""
    try:
        rows = post_fetch.queryset.all()
        rows.values(*post_fetch.values, *post_fetch.queries, **post_fetch.values_dict)
        rows.annotate(**post_fetch.values_dict).order_by(*post_fetch.order_by)
    except FieldError as error:
        return error
    except Exception:  # a query set that is sliced, or a manager that queries: what a request says
        return None
    return None


_CHECKS: tuple[Callable[[_View], _Messages], ...] = (
    _configs,
    _partial_update,
    _atomic,
    _dropped,
    _async_only,
    _sync_handlers,
    _caches,
    _post_fetches,
)
