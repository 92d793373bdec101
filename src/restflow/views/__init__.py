"""Views in both colours, and the types that their helpers take."""

import restflow.views.fast  # noqa: F401  # pyright: ignore[reportUnusedImport]  # has effects
from restflow.flow import TwoColoured
from restflow.post_fetch import PostFetch
from restflow.views.action_config import ActionConfig
from restflow.views.async_base import AsyncAPIView
from restflow.views.base import APIView
from restflow.views.decorators import action, api_view
from restflow.views.generics import (
    AsyncCreateAPIView,
    AsyncDestroyAPIView,
    AsyncGenericAPIView,
    AsyncListAPIView,
    AsyncListCreateAPIView,
    AsyncRetrieveAPIView,
    AsyncRetrieveDestroyAPIView,
    AsyncRetrieveUpdateAPIView,
    AsyncRetrieveUpdateDestroyAPIView,
    AsyncUpdateAPIView,
    CreateAPIView,
    DestroyAPIView,
    GenericAPIView,
    ListAPIView,
    ListCreateAPIView,
    RetrieveAPIView,
    RetrieveDestroyAPIView,
    RetrieveUpdateAPIView,
    RetrieveUpdateDestroyAPIView,
    UpdateAPIView,
)
from restflow.views.helpers import OFF, Helpers
from restflow.views.hooks import ACTIONS
from restflow.views.mixins import (
    AsyncCreateModelMixin,
    AsyncDestroyModelMixin,
    AsyncListModelMixin,
    AsyncRetrieveModelMixin,
    AsyncUpdateModelMixin,
    CreateModelMixin,
    DestroyModelMixin,
    ListModelMixin,
    RetrieveModelMixin,
    UpdateModelMixin,
)
from restflow.views.viewsets import (
    AsyncGenericViewSet,
    AsyncModelViewSet,
    AsyncReadOnlyModelViewSet,
    AsyncViewSet,
    AsyncViewSetMixin,
    GenericViewSet,
    ModelViewSet,
    ReadOnlyModelViewSet,
    ViewSet,
    ViewSetMixin,
)

__all__ = [
    "OFF",
    "APIView",
    "ActionConfig",
    "AsyncAPIView",
    "AsyncCreateAPIView",
    "AsyncCreateModelMixin",
    "AsyncDestroyAPIView",
    "AsyncDestroyModelMixin",
    "AsyncGenericAPIView",
    "AsyncGenericViewSet",
    "AsyncListAPIView",
    "AsyncListCreateAPIView",
    "AsyncListModelMixin",
    "AsyncModelViewSet",
    "AsyncReadOnlyModelViewSet",
    "AsyncRetrieveAPIView",
    "AsyncRetrieveDestroyAPIView",
    "AsyncRetrieveModelMixin",
    "AsyncRetrieveUpdateAPIView",
    "AsyncRetrieveUpdateDestroyAPIView",
    "AsyncUpdateAPIView",
    "AsyncUpdateModelMixin",
    "AsyncViewSet",
    "AsyncViewSetMixin",
    "CreateAPIView",
    "CreateModelMixin",
    "DestroyAPIView",
    "DestroyModelMixin",
    "GenericAPIView",
    "GenericViewSet",
    "ListAPIView",
    "ListCreateAPIView",
    "ListModelMixin",
    "ModelViewSet",
    "PostFetch",
    "ReadOnlyModelViewSet",
    "RetrieveAPIView",
    "RetrieveDestroyAPIView",
    "RetrieveModelMixin",
    "RetrieveUpdateAPIView",
    "RetrieveUpdateDestroyAPIView",
    "UpdateAPIView",
    "UpdateModelMixin",
    "ViewSet",
    "ViewSetMixin",
    "action",
    "api_view",
]
__dir__ = __all__.copy

_METHODS = {"delete", "get", "patch", "post", "put"}

# Schema generators take an operation's description from the docstrings of the view's classes, skipping DRF's but not
# ours. Our docstrings are for those who write views, not for the clients of an API.
for _cls in {base for name in __all__ if isinstance(globals()[name], type) for base in globals()[name].__mro__}:
    if _cls.__module__.startswith("restflow.") and issubclass(_cls, (Helpers, TwoColoured)):
        _cls.__doc__ = None
        for _name in _METHODS.union(ACTIONS) & vars(_cls).keys():
            vars(_cls)[_name].__doc__ = None
