"""DRF's decorators, with ``api_view`` and ``action`` in both colours: ``from restflow.decorators import api_view``."""

from rest_framework.decorators import (
    MethodMapper,
    authentication_classes,
    content_negotiation_class,
    metadata_class,
    parser_classes,
    permission_classes,
    renderer_classes,
    schema,
    throttle_classes,
    throttle_scope,
    versioning_class,
)

from restflow.views import action, api_view

__all__ = [
    "MethodMapper",
    "action",
    "api_view",
    "authentication_classes",
    "content_negotiation_class",
    "metadata_class",
    "parser_classes",
    "permission_classes",
    "renderer_classes",
    "schema",
    "throttle_classes",
    "throttle_scope",
    "versioning_class",
]
__dir__ = __all__.copy
