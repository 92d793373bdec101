"""``ActionConfig``: the attributes that one action of a viewset has in place of the class's.

Sets the attributes (``permission_classes``, say) on a viewset when its ``action`` is set, and removes them again.
``viewsets`` sets the action before anything else is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from operator import methodcaller
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Manager, QuerySet
from django.db.models.base import ModelBase

from restflow.exceptions import known_format
from restflow.flow import held
from restflow.flow.resolution import ABSENT
from restflow.views.helpers import OFF, PaginationClass, SerializerClass
from restflow.views.idempotency import known_mode
from restflow.views.preconditions import Fields, fields_of
from restflow.views.transactions import Databases, databases_of

_SEQUENCES = (
    "permission_classes",
    "authentication_classes",
    "throttle_classes",
    "parser_classes",
    "renderer_classes",
    "filter_backends",
)
_CLASSES = ("serializer_class", "request_serializer_class", "response_serializer_class", "pagination_class")


@dataclass(frozen=True)
class ActionConfig:
    """What one action of a viewset overrides; a field that is None is left to the viewset.

    Set it on a viewset as ``action_configs = {"list": ActionConfig(pagination_class=OFF)}``. An override of a getter on
    the viewset comes first (its ``super()`` returns the config's value); then the config; then the viewset's attribute,
    or what ``@action(...)`` sets. Configs with equal fields are equal.

    Args:
        serializer_class: the serializer class for requests and responses.
        request_serializer_class: the serializer class that validates a request.
        response_serializer_class: the serializer class that represents a response.
        permission_classes: list or tuple of permissions; an empty one allows everyone.
        authentication_classes: list or tuple of authentications.
        throttle_classes: list or tuple of throttles.
        parser_classes: list or tuple of parsers.
        renderer_classes: list or tuple of renderers.
        filter_backends: list or tuple of filter backends.
        pagination_class: the pagination; ``OFF`` for none.
        queryset: a query set, a manager, any other object with an ``all`` method, or a callable (sync or async) that
            takes the view.
        atomic: whether the checks and the action run in one transaction, which an error response rolls back: True for
            the default database, an alias, or a list of aliases. False exempts the action from the viewset's
            ``atomic``.
        error_format: the format of errors: ``"drf"``, ``"envelope"`` or ``"problem"``.
        etag: the model's field, or a list of fields, from which ETags are computed.
        precondition_required: whether a write must have an ``If-Match`` header with the ETag that the client has seen.
        idempotency_key: whether a request with an ``Idempotency-Key`` is executed once: ``"optional"`` or
            ``"required"``.

    Raises:
        ImproperlyConfigured: a field has a value that it doesn't accept.
    """

    serializer_class: SerializerClass | None = None
    request_serializer_class: SerializerClass | None = None
    response_serializer_class: SerializerClass | None = None
    permission_classes: Sequence[Any] | None = None
    authentication_classes: Sequence[Any] | None = None
    throttle_classes: Sequence[Any] | None = None
    parser_classes: Sequence[Any] | None = None
    renderer_classes: Sequence[Any] | None = None
    filter_backends: Sequence[Any] | None = None
    pagination_class: PaginationClass | None = None
    queryset: Any = None
    atomic: Databases | None = None
    error_format: str | None = None
    etag: Fields | None = None
    precondition_required: bool | None = None
    idempotency_key: str | None = None

    def __post_init__(self) -> None:
        for name in _SEQUENCES:
            value = getattr(self, name)
            if value is not None and not isinstance(value, (list, tuple)):
                raise ImproperlyConfigured(f"ActionConfig.{name} must be a list or a tuple of classes, got {value!r}.")
            for each in value or ():
                if not callable(each):
                    raise ImproperlyConfigured(f"ActionConfig.{name} must hold classes, got {each!r}.")
        for name in _CLASSES:
            value = getattr(self, name)
            if not (value is None or callable(value) or (name == "pagination_class" and value is OFF)):
                hint = " or OFF" if name == "pagination_class" else ""
                raise ImproperlyConfigured(f"ActionConfig.{name} must be a class{hint}, got {value!r}.")
        queryset = self.queryset
        if isinstance(queryset, ModelBase):
            raise ImproperlyConfigured(
                f"ActionConfig.queryset is the model {queryset.__name__}: write {queryset.__name__}.objects.all()."
            )
        if not (queryset is None or _has_all(queryset) or callable(queryset)):
            raise ImproperlyConfigured(
                f"ActionConfig.queryset must be a query set, a manager, or a callable of the view, got {queryset!r}."
            )
        databases_of(self.atomic, "ActionConfig")
        known_format(self.error_format)
        fields_of(self.etag, "ActionConfig")
        known_mode(self.idempotency_key, "ActionConfig")

    def __hash__(self) -> int:
        # A field's value may be an unhashable list; the set of fields that are given is hashable and never changes.
        return hash(tuple(getattr(self, name) is None for name in FIELDS))

    @property
    def queryset_maker(self) -> Any:
        """The callable that returns the query set for a view; None if ``queryset`` is a query set or a manager."""
        queryset = self.queryset
        if isinstance(queryset, (QuerySet, Manager)):
            return None
        return partial(_all_of, queryset) if _has_all(queryset) else queryset

    def attributes(self) -> dict[str, Any]:
        """Return the fields that are set, as attributes of a DRF view.

        Returns:
            Values by name. Lists and query sets are copies, so that a list that one request extends, or a query set
            that it evaluates, is not shared with the next. A callable ``queryset`` is not included: the view calls it.
        """
        said: dict[str, Any] = {}
        for name in FIELDS:
            value = getattr(self, name)
            if value is OFF:
                said[name] = None
            elif type(value) is list:
                said[name] = value.copy()
            elif isinstance(value, QuerySet):
                said[name] = QuerySet.all(value)  # not value.all(), since a project's override may query
            elif value is not None and not (name == "queryset" and self.queryset_maker):
                said[name] = value
        return said


def _has_all(queryset: Any) -> bool:
    """Tell whether ``queryset`` works like a query set; a stub or one for another kind of database does too."""
    return callable(getattr(queryset, "all", None)) and not isinstance(queryset, type)


def _all_of(queryset: Any, view: Any) -> Any:
    return queryset.all()


_CONFIGS_IN = methodcaller("get", "action_configs")

FIELDS = tuple(field.name for field in fields(ActionConfig))


def config_of(view: Any, action: str | None) -> ActionConfig | None:
    """Return the ``ActionConfig`` of an action: that of the view itself, or of its nearest class that has one.

    Args:
        action: the action's name; None has no config.

    Raises:
        ImproperlyConfigured: ``action_configs`` is not a mapping, or holds anything but ``ActionConfig`` objects.
    """
    if "action_configs" in view.__dict__ and (config := _read(view, view.__dict__["action_configs"], action)):
        return config
    mro = type(view).__mro__
    if not any(map(_CONFIGS_IN, map(vars, mro))):  # no class has any
        return None
    for base in mro:
        # An empty dict, like that of our base, defers to the next class.
        configs = base.__dict__.get("action_configs")
        if configs and (config := _read(view, configs, action)):
            return config
    return None


def _read(view: Any, configs: Any, action: str | None) -> ActionConfig | None:
    name = type(view).__name__
    if not isinstance(configs, Mapping):
        raise ImproperlyConfigured(f"{name}.action_configs must be a dict of ActionConfig by action, got {configs!r}.")
    config: Any = configs.get(action)
    if config is None or isinstance(config, ActionConfig):
        return config
    raise ImproperlyConfigured(f"{name}.action_configs[{action!r}] must be an ActionConfig, got {config!r}.")


@dataclass
class _Configured:
    """How the configs of a view's actions have changed its attributes.

    Attributes:
        unconfigured: the attributes as they would be without any config.
        given: what the config of the current action set.
        left: for each action that was current before, the view's attributes then and what its config set. DRF's
            browsable API sets ``action`` to find out what another action would permit, and sets it back.
    """

    unconfigured: dict[str, Any]
    given: dict[str, Any] = field(default_factory=dict)
    left: dict[Any, tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=dict)


class Action:
    """The ``action`` attribute of a view; setting it applies the action's ``ActionConfig`` to the view's attributes.

    Args:
        default: what a subclass itself defines as ``action``.
    """

    def __init__(self, default: Any = ABSENT) -> None:
        self.default = default

    def __get__(self, view: Any, owner: type) -> Any:
        if view is not None and "action" in vars(view):
            return vars(view)["action"]
        if self.default is ABSENT:
            if view is None:
                return None  # dir() lists the name, so reading it must not raise
            raise AttributeError(f"{owner.__name__!r} has no action before a request.")
        getter = getattr(type(self.default), "__get__", None)
        return self.default if getter is None else getter(self.default, view, owner)

    def __set__(self, view: Any, action: str | None) -> None:
        state = vars(view)
        if state.get("action", ABSENT) != action:
            _configure(view, state, action)
            state["action"] = action


def is_data_descriptor(cls: type, name: str) -> bool:
    """Tell whether ``cls`` has a data descriptor ``name``, such as a property, which hides an instance's own value."""
    raw = type(held(cls, name))
    return hasattr(raw, "__set__") or hasattr(raw, "__delete__")


def _configure(view: Any, state: dict[str, Any], action: str | None) -> None:
    config = config_of(view, action)
    configured: _Configured | None = state.get("_restflow_configured")
    if config is None and configured is None:
        return
    said = {} if config is None else config.attributes()
    before = {name: state.get(name, ABSENT) for name in FIELDS}
    if configured is None:
        configured = state["_restflow_configured"] = _Configured(unconfigured=before.copy())
    if "action" in state:
        configured.left[state["action"]] = before, configured.given
    # As in DRF, what the view's code has assigned since is kept.
    configured.unconfigured |= {
        name: value
        for name, value in before.items()
        if value is not configured.given.get(name, configured.unconfigured[name])
    }
    was_left = action in configured.left
    values, configured.given = configured.left[action] if was_left else ({**configured.unconfigured, **said}, said)
    for name, value in values.items():
        if value is ABSENT:
            state.pop(name, None)
        else:
            state[name] = value
    for name, value in () if was_left else said.items():
        if not _is_in_effect(view, name, value):
            raise ImproperlyConfigured(
                f"{type(view).__name__}.{name} is a property, which the ActionConfig of {action!r} can't replace. "
                f"Make it a plain attribute, or take {name} out of the ActionConfig and decide in the property."
            )


def _is_in_effect(view: Any, name: str, value: Any) -> bool:
    """Tell whether reading the attribute of ``view`` returns the value that was set."""
    try:
        return getattr(view, name) is value
    except Exception:  # a property may need a request
        return False
