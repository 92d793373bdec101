"""Django system checks for restflow's views: what would fail, or be slow, at the first request.

Looks at the views in the URLconf; runs none of them and sends no query. Called by ``manage.py check`` if the app is
installed.
"""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error, Info, Warning
from django.core.exceptions import FieldError
from django.db import connections
from django.urls import URLResolver, get_resolver
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView as DRFAPIView

from restflow.components import HOOKS
from restflow.deployment import check_deployment, is_on_our_entry
from restflow.flow import gives_coroutine, is_coroutine_function, may_give_coroutine
from restflow.flow.functions import layers
from restflow.flow.plan import plan_of
from restflow.flow.refusals import is_context_lost
from restflow.flow.trust import is_ours
from restflow.post_fetch import PostFetch
from restflow.serializers.refusals import async_code_in
from restflow.settings import settings as restflow_settings
from restflow.throttling import SimpleRateThrottle as ThrottleInTwoColours
from restflow.views import ActionConfig, APIView, AsyncAPIView
from restflow.views.declared import DeclaredView

__all__ = ["check_views"]

_Messages = Iterator[CheckMessage]


def check_views(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Check all restflow views in the URLconf, and what DRF's views use that only restflow's would await.

    Args:
        app_configs: the apps to check; ignored, as the URLconf is that of the whole project.
        kwargs: more arguments of Django's.

    Returns:
        The problems found, each once.
    """
    try:
        views = list(_views(get_resolver().url_patterns)) if getattr(settings, "ROOT_URLCONF", None) else []
    except Exception:  # Django's own checks report a broken URLconf
        return []
    found: dict[tuple[Any, ...], CheckMessage] = {}
    for view in views:
        for check in _CHECKS if issubclass(view.cls, APIView) else (_taken_for_yes,):
            for message in _unfailing(check, view):
                found.setdefault((message.id, message.msg, message.obj), message)
    of_deployment = check_deployment() if any(issubclass(view.cls, AsyncAPIView) for view in views) else ()
    for message in (*_unknown_actions(views), *_exception_handler(views), *_scopes(views), *of_deployment):
        found.setdefault((message.id, message.msg, message.obj), message)
    return list(found.values())


@dataclass
class _View(DeclaredView):
    """A view in the URLconf."""

    callback: Any = None

    def __str__(self) -> str:
        return _name(self.cls)

    @cached_property
    def configs(self) -> dict[str, ActionConfig]:
        """The configs of the view's actions."""
        return self.read_configs()


def _views(patterns: Iterable[Any]) -> Iterator[_View]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern.url_patterns)
            continue
        callback = _served(pattern.callback)
        cls = getattr(callback, "cls", None)
        if isinstance(cls, type) and issubclass(cls, DRFAPIView):
            initkwargs, actions = getattr(callback, "initkwargs", {}), getattr(callback, "actions", None) or {}
            yield _View(cls, initkwargs, actions, pattern.callback)


def _served(callback: Any) -> Any:
    """Return the view function of a URL, from inside its wrappers."""
    if not hasattr(callback, "cls"):
        for layer in layers(callback):
            if type(layer) is types.FunctionType and "cls" in vars(layer):
                return layer
    return callback


def _unfailing(check: Callable[[_View], _Messages], view: _View) -> _Messages:
    try:
        yield from check(view)
    except Exception as error:
        yield Info(f"{view} could not be checked: {type(error).__name__}: {error}", obj=view.cls, id="restflow.I001")


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _unknown_actions(views: list[_View]) -> _Messages:
    """Find the keys of a class's ``action_configs`` that are an action of none of its viewsets."""
    known: dict[tuple[Any, str], bool] = {}
    for view in views:
        if not view.is_viewset:
            continue
        actions = view.known_actions()
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
                hint="Make the method an action (@action, or a route), or take the key out: it counts nowhere.",
                obj=holder,
                id="restflow.E001",
            )


def _exception_handler(views: list[_View]) -> _Messages:
    handler = api_settings.EXCEPTION_HANDLER
    of_drf = sorted({str(view) for view in views if not issubclass(view.cls, APIView)})
    if of_drf and gives_coroutine(handler):
        yield Error(
            "EXCEPTION_HANDLER is async, and these views, which are not restflow's, do not await it: "
            f"{', '.join(of_drf)}. Each refusal of theirs is answered with a 500.",
            hint="Name a sync function in the setting, which serves all views. What it has to await it can call by "
            "async_to_sync of asgiref.sync.",
            obj="REST_FRAMEWORK['EXCEPTION_HANDLER']",
            id="restflow.E008",
        )


def _wrappers(view: _View) -> _Messages:
    """Check the wrappers that the URLconf puts around an async view."""
    callback = view.callback
    if not issubclass(view.cls, AsyncAPIView) or is_coroutine_function(callback):
        return
    if is_context_lost(callback):
        yield Error(
            f"A sync context manager stands around {view}.as_view() in the URLconf. It ends before the view, which is "
            "async, runs: each request is answered with an error.",
            hint="Take it away, and enter it in sync code of the view.",
            obj=view.cls,
            id="restflow.E007",
        )
    else:
        code = getattr(callback, "__code__", None)
        wrapper = f"{code.co_qualname} ({code.co_filename}:{code.co_firstlineno})" if code else repr(callback)
        yield Warning(
            f"{wrapper} is a sync wrapper around {view}.as_view(), which is async. What it is given is a coroutine: "
            "where it touches that, or is without functools.wraps, each request fails.",
            hint="Make the wrapper `async def` where inspect.iscoroutinefunction(view) says so, and await the view.",
            obj=view.cls,
            id="restflow.W006",
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
        if database["ATOMIC_REQUESTS"] and alias not in exempt and not is_on_our_entry():
            yield Warning(
                f"{view} is async, and ATOMIC_REQUESTS of the database {alias!r} is for sync views only on Django's "
                "ASGI handler, which answers each request with an error.",
                hint="Serve the project by restflow.asgi.get_asgi_application(), and name that in ASGI_APPLICATION; or "
                "wrap the view in django.db.transaction.non_atomic_requests, and write atomic = True in its class.",
                obj=view.cls,
                id="restflow.W008",
            )


def _async_only(view: _View) -> _Messages:
    if issubclass(view.cls, AsyncAPIView):
        return
    for name in _POLICIES:
        for component in view.components(name, view.configs):
            for hook in HOOKS[name]:
                definition = plan_of(component).definition(hook)
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
        for component in view.components(name, {}):
            for hook in HOOKS[name]:
                if gives_coroutine(inspect.getattr_static(component, hook, None)):
                    yield Error(
                        f"{_name(component)}.{hook} is async, and {view}, which is no view of restflow's, takes the "
                        "coroutine for the answer: for a yes.",
                        hint=f"Derive {component.__name__} from its base's namesake in {module}, whose sync name "
                        f"works in DRF's views too, or move {view.cls.__name__} to restflow.",
                        obj=view.cls,
                        id="restflow.E006",
                    )
    for serializer in view.components("serializer_class", {}):
        for name in async_code_in(serializer):
            yield Error(
                f"{_name(serializer)}.{name} is async, and {view}, which is no view of restflow's, takes the coroutine "
                "for a value.",
                hint=f"Derive {serializer.__name__} from its base's namesake in restflow.serializers, or move "
                f"{view.cls.__name__} to restflow.",
                obj=view.cls,
                id="restflow.E006",
            )


def _sync_handlers(view: _View) -> _Messages:
    if not issubclass(view.cls, AsyncAPIView):
        return
    for name in sorted({*view.cls.http_method_names, *view.actions.values()}):
        written = [(base, vars(base)[name]) for base in view.cls.__mro__ if name in vars(base)]
        if len(written) < 2 or may_give_coroutine(written[0][1]):
            continue
        # A sync override of an async action is a normal step of porting a viewset.
        theirs = [base for base, raw in written[1:] if may_give_coroutine(raw) and not is_ours(base)]
        for base in theirs[:1]:
            yield Warning(
                f"{_name(written[0][0])}.{name} is sync, and stands before the async {name} of {_name(base)}: it runs "
                "in the worker thread.",
                hint=f"Write `async def {name}`.",
                obj=view.cls,
                id="restflow.W002",
            )


def _caches(view: _View) -> _Messages:
    if not issubclass(view.cls, AsyncAPIView):
        return
    for throttle in view.components("throttle_classes", view.configs):
        if not issubclass(throttle, SimpleRateThrottle) or issubclass(throttle, ThrottleInTwoColours):
            continue
        cache = type(throttle.cache.get.__self__)  # through a method, because throttle.cache may be a proxy
        if issubclass(cache, (LocMemCache, DummyCache)):
            continue
        definition = plan_of(throttle).definition("allow_request")
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


def _idempotency(view: _View) -> _Messages:
    """Find idempotency keys in a cache whose ``add`` is not atomic between processes."""
    declared = [view.attribute("idempotency_key"), *(config.idempotency_key for config in view.configs.values())]
    name = restflow_settings.IDEMPOTENCY_CACHE
    if any(declared) and isinstance(caches[name], (LocMemCache, DummyCache, FileBasedCache)):
        yield Warning(
            f"{view} has idempotency_key, and the cache {name!r} is {type(caches[name]).__name__}, whose add() doesn't "
            "decide between processes: a request that comes again, to another one, may be executed again.",
            hint="Name a cache that does, in Redis, memcached or a database, in RESTFLOW['IDEMPOTENCY_CACHE'].",
            obj=view.cls,
            id="restflow.W012",
        )


def _scopes(views: list[_View]) -> _Messages:
    """Find the scopes that are counted twice: by DRF's throttles in Django's cache, and by restflow's."""
    found: dict[str, dict[bool, type]] = {}
    for view in views:
        for throttle in view.components("throttle_classes", view.configs):
            if issubclass(throttle, SimpleRateThrottle):
                named_by_view = getattr(throttle, "scope_attr", None)
                scope = view.attribute(named_by_view) if named_by_view else throttle.scope
                if isinstance(scope, str):
                    found.setdefault(scope, {}).setdefault(issubclass(throttle, ThrottleInTwoColours), throttle)
    for scope, counters in found.items():
        if len(counters) == 2:
            yield Warning(
                f"Requests of the scope {scope!r} are counted by {_name(counters[True])}, and apart from it, in "
                f"Django's cache, by {_name(counters[False])}: a client may make as many as both allow.",
                hint="Derive both from restflow.throttling, in DEFAULT_THROTTLE_CLASSES too.",
                obj=counters[False],
                id="restflow.W007",
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
    """Return Django's error about the names that ``post_fetch`` reads from its rows; the items are unknown here."""
    try:
        rows = post_fetch.queryset.all()
        rows.values(*post_fetch.values, *post_fetch.queries, **post_fetch.values_dict)
        rows.order_by(*post_fetch.order_by)
    except FieldError as error:
        return error
    except Exception:  # a sliced query set, or a manager that queries: requests will report it
        return None
    return None


_CHECKS: tuple[Callable[[_View], _Messages], ...] = (
    _partial_update,
    _atomic,
    _async_only,
    _sync_handlers,
    _caches,
    _idempotency,
    _post_fetches,
    _wrappers,
)
