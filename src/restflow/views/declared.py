"""What a view's class declares, checked before it serves: its components, its actions and their configs.

Looks at classes and calls none of a project's code. Refuses what would be skipped or have no effect. Called when a
class is created, by ``as_view``, and by the system checks.
"""

from __future__ import annotations

import difflib
import inspect
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.views import View
from rest_framework import viewsets
from rest_framework.permissions import OperandHolder, SingleOperandHolder

from restflow.components import HOOKS, refuse_dropped_as
from restflow.exceptions import known_format
from restflow.flow import gives_coroutine, held, is_coroutine_function, look_at
from restflow.flow.resolution import ABSENT, is_computed
from restflow.flow.trust import is_drfs, is_trusted
from restflow.settings import settings
from restflow.views.action_config import ActionConfig, config_of, is_data_descriptor
from restflow.views.hooks import ACTIONS, OF_CREATE, OF_DESTROY, OF_UPDATE, names
from restflow.views.idempotency import known_mode
from restflow.views.preconditions import fields_of
from restflow.views.transactions import databases_of


@dataclass
class DeclaredView:
    """A view class, with the arguments of its ``as_view``.

    Args:
        initkwargs: attributes to set on each instance.
        actions: a viewset's actions by HTTP method.
    """

    cls: Any
    initkwargs: Mapping[str, Any] = field(default_factory=dict)
    actions: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_viewset(self) -> bool:
        """Whether it is one of our viewsets, which may have ``action_configs``."""
        return viewsets.ViewSetMixin in self.cls.__mro__ and hasattr(self.cls, "action_configs")

    def attribute(self, name: str) -> Any:
        """Return the value that ``name`` has on each instance; None if it is a property or another descriptor."""
        if name in self.initkwargs:
            return self.initkwargs[name]
        raw = held(self.cls, name)
        return None if raw is ABSENT or isinstance(raw, property) or is_computed(raw) else raw

    def read_configs(self) -> dict[str, ActionConfig]:
        """Return the configs of the view's actions.

        Raises:
            ImproperlyConfigured: ``action_configs`` can't be read.
        """
        if not self.is_viewset:
            return {}
        view = object.__new__(self.cls)  # without calling a project's __init__
        vars(view).update(self.initkwargs)
        found = {action: config_of(view, action) for action in sorted({*self.actions.values(), "metadata"})}
        return {action: config for action, config in found.items() if config is not None}

    def components(self, name: str, configs: Mapping[str, ActionConfig]) -> list[Any]:
        """Return the classes under ``name`` on the view and in configs, with composed permissions taken apart."""
        given = [self.attribute(name), *(getattr(config, name, None) for config in configs.values())]
        classes = [each for one in given for each in (one if isinstance(one, (list, tuple)) else [one])]
        return [part for each in classes for part in _parts(each) if isinstance(part, type)]

    def known_actions(self) -> set[str]:
        """Return the names of the class's actions, and of those passed to ``as_view``."""
        extra = (method.__name__ for method in _extra_actions(self.cls))
        model = (name for name in ACTIONS if inspect.getattr_static(self.cls, name, None))
        return {*self.actions.values(), *extra, *model, "metadata"}


def _parts(component: Any) -> Iterator[Any]:
    for operand in ("op1_class", "op2_class"):
        if isinstance(component, (OperandHolder, SingleOperandHolder)):
            yield from _parts(getattr(component, operand, None))
    yield component


def _extra_actions(cls: Any) -> list[Any]:
    try:
        extra: list[Any] = cls.get_extra_actions()
    except Exception:  # DRF reports it when the URLs are built
        return []
    return extra


def take_view_into_use(cls: Any, initkwargs: Mapping[str, Any], actions: Mapping[str, str]) -> None:
    """Check a view class and its components before it is used.

    Args:
        initkwargs: the keyword arguments of ``as_view``.
        actions: a viewset's actions by HTTP method.

    Raises:
        TypeError: a method of the view or of a component would be skipped, or its coroutine used as a value.
        ImproperlyConfigured: an ``ActionConfig`` would have no effect, or ``atomic``, ``error_format`` or ``etag``
            names an unknown database, format or field.
    """
    view = DeclaredView(cls, initkwargs, actions)
    look_at(cls)
    refuse_names_nobody_calls(cls)  # again, since a class may have been changed after it was made
    configs = view.read_configs()
    if view.is_viewset:
        _refuse_unknown_actions(view)
        _refuse_hidden_configs(view, configs)
    _refuse_unknown_databases(view, configs)
    _refuse_unknown_formats(view)
    _refuse_unknown_fields(view, configs)
    for name in HOOKS:
        for component in view.components(name, configs):
            refuse_dropped_as(name, component)


# adrf's names for some of DRF's methods; the others are DRF's name with an "a" before it.
_NAMES_OF_ADRF = {
    "partial_aupdate": "partial_update",
    "perform_acreate": "aperform_create",
    "perform_adestroy": "aperform_destroy",
    "perform_aupdate": "aperform_update",
}
# Methods of adrf's views that have no counterpart here.
_STEPS_OF_ADRF = {
    "async_dispatch": "dispatch",
    "check_async_object_permissions": "check_object_permissions",
    "check_async_permissions": "check_permissions",
    "check_async_throttles": "check_throttles",
    "check_sync_object_permissions": "check_object_permissions",
    "check_sync_permissions": "check_permissions",
    "check_sync_throttles": "check_throttles",
    "sync_dispatch": "dispatch",
}


def refuse_names_nobody_calls(cls: Any) -> None:
    """Refuse an async method named like a handler or an action with an ``a`` before it: it would never be called.

    Raises:
        TypeError: there is one; the message names it, and the name that is called.
    """
    for base in cls.__mro__:
        for name, raw in () if is_trusted(base) else tuple(vars(base).items()):
            if name in _STEPS_OF_ADRF and not _is_named_by_others(cls, name):
                raise TypeError(
                    f"{base.__name__}.{name} would never be called. Write {_STEPS_OF_ADRF[name]}, which may be async."
                )
            meant = _NAMES_OF_ADRF.get(name) or name[1:]
            is_candidate = name in _NAMES_OF_ADRF or (name.startswith("a") and _is_handler_or_action(cls, meant))
            if is_candidate and gives_coroutine(raw) and not hasattr(raw, "mapping"):
                raise TypeError(
                    f"{base.__name__}.{name} would never be called: a handler, or an action, has one name in both "
                    f"colours. Write `async def {meant}`."
                )


def _is_named_by_others(cls: Any, name: str) -> bool:
    """Tell whether the project's code in a class calls its method ``name``."""
    theirs = [vars(base) for base in cls.__mro__ if not is_trusted(base)]
    functions = [raw for holder in theirs for raw in tuple(holder.values()) if type(raw) is types.FunctionType]
    return any(name in getattr(inspect.unwrap(each), "__code__", each.__code__).co_names for each in functions)


def refuse_super_of_drfs_mixins(cls: Any) -> None:
    """Refuse an async action whose ``super()`` is a mixin of DRF's, which is sync and would block the event loop.

    Raises:
        TypeError: there is one; the message names it, and restflow's mixin.
    """
    for place, base in enumerate(cls.__mro__):
        for name in () if is_trusted(base) else _OF_MIXINS & vars(base).keys():
            behind = next((each for each in cls.__mro__[place + 1 :] if name in vars(each)), None)
            if behind is None or not is_drfs(behind):
                continue
            function = inspect.unwrap(vars(base)[name])
            names = {*getattr(getattr(function, "__code__", None), "co_names", ())}
            if is_coroutine_function(function) and {"super", name} <= names and names.isdisjoint(_TO_A_THREAD):
                raise TypeError(
                    f"{base.__name__}.{name} is async, and its super().{name}() is that of DRF's {behind.__name__}, "
                    "which would block the event loop. "
                    f"Derive {cls.__name__} from restflow.views.Async{behind.__name__}."
                )


_TO_A_THREAD = {"database_sync_to_async", "run_in_executor", "sync_to_async", "to_thread"}
_OF_MIXINS = {*ACTIONS, *names((*OF_CREATE, *OF_UPDATE, *OF_DESTROY))} - {"get_success_headers"}


def _is_handler_or_action(cls: Any, name: str) -> bool:
    if name in ACTIONS and viewsets.ViewSetMixin in cls.__mro__:
        return True
    found = inspect.getattr_static(cls, name, None)
    return found is not None and (name in View.http_method_names or name in ACTIONS or hasattr(found, "mapping"))


def _refuse_unknown_actions(view: DeclaredView) -> None:
    """Refuse a key of a view's own ``action_configs`` that is no action, since it would have no effect.

    A base class may have configs for actions that some of its subclasses lack. The system checks report keys of a base
    that are an action of no subclass.
    """
    if isinstance(inspect.getattr_static(view.cls, "action_config"), (Mapping, ActionConfig)):
        raise ImproperlyConfigured(f"{view.cls.__name__} has action_config. Did you mean 'action_configs'?")
    known = view.known_actions()
    for key in (*view.initkwargs.get("action_configs", ()), *vars(view.cls).get("action_configs", ())):
        if key not in known and not _may_be_routed(view.cls, key):
            meant = difflib.get_close_matches(str(key), sorted(known), n=1, cutoff=0.7)
            hint = f" Did you mean {meant[0]!r}?" if meant else ""
            raise ImproperlyConfigured(
                f"{view.cls.__name__}.action_configs has {key!r}, which is no action of it.{hint}"
            )


def _may_be_routed(cls: Any, name: str) -> bool:
    """Tell whether another route may use a method as an action."""
    holder = next((base for base in cls.__mro__ if name in vars(base)), object)
    return not is_trusted(holder) and callable(vars(holder)[name]) and name not in cls._restflow_hooks


def _refuse_hidden_configs(view: DeclaredView, configs: Mapping[str, ActionConfig]) -> None:
    for action, config in configs.items():
        for name in config.attributes():
            if is_data_descriptor(view.cls, name):
                raise ImproperlyConfigured(
                    f"{view.cls.__name__}.{name} is a property, which the ActionConfig of {action!r} can't replace. "
                    f"Make it a plain attribute, or take {name} out of the ActionConfig and decide in the property."
                )


def _refuse_unknown_databases(view: DeclaredView, configs: Mapping[str, ActionConfig]) -> None:
    name = view.cls.__name__
    said = [view.attribute("atomic"), *(config.atomic for config in configs.values())]
    if not hasattr(view.cls, "atomic") and any(said):
        raise ImproperlyConfigured(
            f"{name} has an ActionConfig with atomic, which would count nowhere: derive {name} from restflow's views."
        )
    for atomic in said:
        for alias in databases_of(atomic, name):
            if alias not in connections.settings:
                raise ImproperlyConfigured(f"{name}.atomic names {alias!r}, which is not in DATABASES.")


def _refuse_unknown_formats(view: DeclaredView) -> None:
    # The exception handler reads this, also on the event loop.
    for name in ("error_format", "idempotency_key"):
        _refuse_property(view, name)
    known_mode(view.attribute("idempotency_key"), view.cls.__name__)
    known_format(view.attribute("error_format"))
    known_format(settings.ERROR_FORMAT)


def _refuse_property(view: DeclaredView, name: str) -> None:
    raw = held(view.cls, name)
    if isinstance(raw, property) or is_computed(raw):
        raise ImproperlyConfigured(
            f"{view.cls.__name__}.{name} is a property. Make it a plain attribute, or write it in ActionConfigs."
        )


def _refuse_unknown_fields(view: DeclaredView, configs: Mapping[str, ActionConfig]) -> None:
    """Refuse an ``etag`` that names no field of the model, and settings that would have no effect."""
    name = view.cls.__name__
    for attribute in ("etag", "precondition_required", "idempotency_key"):
        if any(getattr(config, attribute) for config in configs.values()) and not hasattr(view.cls, attribute):
            raise ImproperlyConfigured(
                f"{name} has an ActionConfig with {attribute}, which would count nowhere: derive {name} from "
                f"restflow's {'views' if attribute == 'idempotency_key' else 'generic views'}."
            )
        _refuse_property(view, attribute)
    of_class = view.attribute("etag"), view.attribute("precondition_required"), view.attribute("queryset")
    for config in (ActionConfig(), *configs.values()):
        etag, required, queryset = config.etag or of_class[0], config.precondition_required, config.queryset
        if (of_class[1] if required is None else required) and not etag:
            raise ImproperlyConfigured(f"{name} has precondition_required and no etag, which a client could send.")
        options = getattr(getattr(of_class[2] if queryset is None else queryset, "model", None), "_meta", None)
        for field_name in fields_of(etag, name):
            if options is not None and field_name not in {each.attname for each in options.concrete_fields} | {
                each.name for each in options.concrete_fields
            }:
                raise ImproperlyConfigured(f"{name}.etag names {field_name!r}, which is no field of {options.label}.")
