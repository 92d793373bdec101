"""``ActionConfig``: what one action of a viewset has of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Manager, QuerySet

from restflow.views.helpers import OFF, PaginationClass, SerializerClass

_SEQUENCES = (
    "permission_classes",
    "authentication_classes",
    "throttle_classes",
    "parser_classes",
    "renderer_classes",
    "filter_backends",
)


@dataclass(frozen=True, eq=False)
class ActionConfig:
    """What one action of a viewset has of its own; None leaves a field to the viewset.

    ``action_configs = {"list": ActionConfig(pagination_class=OFF)}`` on a viewset. An override of a getter on the
    viewset comes first, and its ``super()`` answers by the config; then the config; then the viewset's attribute, or
    what ``@action(...)`` sets.

    Args:
        serializer_class: the serializer class of both directions.
        request_serializer_class: the serializer class that validates a request.
        response_serializer_class: the serializer class that represents a response.
        permission_classes: list or tuple of permissions; an empty one allows everybody.
        authentication_classes: list or tuple of authentications.
        throttle_classes: list or tuple of throttles.
        parser_classes: list or tuple of parsers.
        renderer_classes: list or tuple of renderers.
        filter_backends: list or tuple of filter backends.
        pagination_class: the pagination; ``OFF`` for none.
        queryset: a query set, a manager, or a callable (sync or async) of the view.

    Raises:
        ImproperlyConfigured: a field that takes several classes was given something else.
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

    def __post_init__(self) -> None:
        for name in _SEQUENCES:
            value = getattr(self, name)
            if value is not None and not isinstance(value, (list, tuple)):
                raise ImproperlyConfigured(f"ActionConfig.{name} must be a list or a tuple of classes, got {value!r}.")

    def attributes(self) -> dict[str, Any]:
        """Return the fields that are set, as the attributes of DRF's views that say the same.

        Returns:
            Values by name. A callable ``queryset`` is none of them: the view calls it.
        """
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.pagination_class is OFF:
            said["pagination_class"] = None
        elif self.pagination_class is None:
            del said["pagination_class"]
        if isinstance(self.queryset, Manager):
            said["queryset"] = self.queryset.all()
        elif not isinstance(self.queryset, QuerySet):
            del said["queryset"]
        return {name: value for name, value in said.items() if value is not None or name == "pagination_class"}
