"""Viewsets in both colours: views whose methods are actions, each of which may have an ``ActionConfig``.

Extends the views of ``base`` and ``generics``: the action is set before anything else is called.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.decorators import classonlymethod
from rest_framework import viewsets as drf
from rest_framework.request import Request as DRFRequest

from restflow.flow import TwoColoured, held, is_coroutine_function
from restflow.views.action_config import Action, ActionConfig, config_of, is_data_descriptor
from restflow.views.async_base import AsyncAPIView
from restflow.views.base import APIView
from restflow.views.declared import take_view_into_use
from restflow.views.generics import AsyncGenericAPIView, GenericAPIView, no_queryset
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
from restflow.views.serving import make_async_view
from restflow.views.shown import shown_unless

if TYPE_CHECKING:
    from restflow.views.generics import _MT_co
else:
    _MT_co = Any

__all__ = [
    "AsyncGenericViewSet",
    "AsyncModelViewSet",
    "AsyncReadOnlyModelViewSet",
    "AsyncViewSet",
    "AsyncViewSetMixin",
    "GenericViewSet",
    "ModelViewSet",
    "ReadOnlyModelViewSet",
    "ViewSet",
    "ViewSetMixin",
]


class ViewSetMixin(TwoColoured, drf.ViewSetMixin, hooks=("initial", "initialize_request")):
    """DRF's ``ViewSetMixin``, with ``action_configs``. Source: DRF 3.18, viewsets.py."""

    action_configs: Mapping[str, ActionConfig] = MappingProxyType({})
    """The ``ActionConfig`` of each action, by its name. A subclass's config for an action replaces that of its base."""

    action: Any = Action()
    """The name of the current action; ``"metadata"`` for OPTIONS, None if the request's method has no action."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        found = inspect.getattr_static(cls, "action")
        if isinstance(found, Action):
            return
        if is_data_descriptor(cls, "action"):
            raise TypeError(f"{cls.__name__}.action must not be a property: DRF sets it for each request.")
        cls.action = Action(found)

    @classonlymethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        """Return the view function that maps HTTP methods to actions, as DRF does.

        Args:
            actions: the actions' names by HTTP method.
            initkwargs: attributes to set on each instance.

        Returns:
            A view function with the attributes ``cls``, ``initkwargs`` and ``actions``.

        Raises:
            TypeError: no actions, or an unknown attribute; a method of the viewset or of a component would be skipped,
                or its coroutine used as a value.
            ImproperlyConfigured: an action of a sync viewset is ``async def``, and would never be awaited; a key of
                ``action_configs`` is no action.
        """
        viewset: Any = cls
        if not viewset.view_is_async:
            for action in (actions or {}).values():
                if is_coroutine_function(getattr(viewset, action, None)):
                    name = viewset.__name__
                    raise ImproperlyConfigured(
                        f"{name}.{action} is async. Derive {name} from the async viewset (Async…ViewSet)."
                    )
        take_view_into_use(viewset, initkwargs, actions or {})
        drfs: Any = vars(drf.ViewSetMixin)["as_view"]  # not super(), which is the view's and takes no actions
        return drfs.__func__(cls, actions, **initkwargs)

    @property
    def action_config(self) -> ActionConfig | None:
        """The ``ActionConfig`` of the current action."""
        return self.action_config_of(vars(self).get("action"))

    def action_config_of(self, action: str | None) -> ActionConfig | None:
        """Return the ``ActionConfig`` of an action, from the nearest class that has one.

        Args:
            action: the action's name.

        Returns:
            The config, or None if there is none.
        """
        return config_of(self, action)

    # restflow's views have set the action already; these are for DRF's views combined with this mixin.

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> DRFRequest:
        """Set the action, and wrap Django's request in a DRF request."""
        self._name_action(request)
        made: DRFRequest = super().initialize_request(request, *args, **kwargs)
        return made

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Run what comes before the action, as DRF does.

        Raises:
            ImproperlyConfigured: an override of ``initialize_request`` set no action, so that no config would apply.
        """
        if "action" not in vars(self):
            name = type(self).__name__
            raise ImproperlyConfigured(
                f"{name}.initialize_request sets no action, without which no ActionConfig applies. Call super() in it."
            )
        super().initial(request, *args, **kwargs)  # type: ignore[misc]  # a view's, which stands behind

    def _name_action(self, request: HttpRequest) -> None:
        """Set ``action`` from the request's method, before any hook is called that its ``ActionConfig`` may affect.

        Source: DRF 3.18, viewsets.py, ``initialize_request``, which sets it only after calling the getters of
        authenticators and parsers.
        """
        view: Any = self
        method = (request.method or "").lower()
        action = "metadata" if method == "options" else view.action_map.get(method)
        # Not `view.action = action`: the view's class may have an attribute of that name.
        vars(ViewSetMixin)["action"].__set__(view, action)

    def _queryset_maker(self) -> Any:
        config = self.action_config
        return None if config is None else config.queryset_maker


_async_view: Any = AsyncAPIView


class AsyncViewSetMixin(ViewSetMixin):
    """DRF's ``ViewSetMixin`` for async views; its actions may be of either colour. Source: DRF 3.18, viewsets.py."""

    @classonlymethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        """Return the view function, as DRF does; it is a coroutine function.

        Args:
            actions: the actions' names by HTTP method.
            initkwargs: attributes to set on each instance.

        Returns:
            A view function with the attributes ``cls``, ``initkwargs`` and ``actions``.

        Raises:
            TypeError: no actions, or an unknown attribute.
        """
        viewset: Any = cls
        return make_async_view(viewset, initkwargs, super().as_view(actions, **initkwargs), actions)

    # From the view's base, whose methods set the action first.
    initialize_request = _async_view.initialize_request
    ainitialize_request = _async_view.ainitialize_request
    initial = _async_view.initial
    ainitial = _async_view.ainitial


class MissingQueryset(AssertionError, AttributeError):
    """``get_queryset`` was called on a viewset that is not generic and has no query set."""


def _why_without_queryset(view: Any, owner: type) -> MissingQueryset | None:
    """Return the error that hides ``get_queryset`` from DRF's introspection, as DRF's own ``ViewSet`` lacks it."""
    has_one = (
        hasattr(type(held(owner, "queryset")), "__get__")  # a descriptor may block, so it is not read
        or getattr(view, "queryset", None) is not None
        or view._queryset_maker() is not None
    )
    return None if has_one else MissingQueryset(no_queryset(view))


_get_queryset: Any = shown_unless(_why_without_queryset)(GenericAPIView.get_queryset)


class ViewSet(ViewSetMixin, APIView, drf.ViewSet, hooks=("get_queryset",)):
    """A viewset without predefined actions. Source: DRF 3.18, viewsets.py.

    ``get_queryset`` returns the query set of the action's ``ActionConfig``, otherwise ``queryset``. Without either it
    raises AssertionError, as DRF's generic views do.
    """

    get_queryset = _get_queryset


class GenericViewSet(ViewSetMixin, GenericAPIView[_MT_co], drf.GenericViewSet[_MT_co]):
    """A generic view as a viewset, without predefined actions. Source: DRF 3.18, viewsets.py."""


class ReadOnlyModelViewSet(
    RetrieveModelMixin, ListModelMixin, GenericViewSet[_MT_co], drf.ReadOnlyModelViewSet[_MT_co]
):
    """A viewset with ``list`` and ``retrieve``. Source: DRF 3.18, viewsets.py."""


class ModelViewSet(
    CreateModelMixin,
    RetrieveModelMixin,
    UpdateModelMixin,
    DestroyModelMixin,
    ListModelMixin,
    GenericViewSet[_MT_co],
    drf.ModelViewSet[_MT_co],
):
    """A viewset with all six actions of a model. Source: DRF 3.18, viewsets.py."""


class AsyncViewSet(AsyncViewSetMixin, AsyncAPIView, drf.ViewSet, hooks=("get_queryset",)):  # pyright: ignore[reportIncompatibleMethodOverride]
    """A viewset without predefined actions; has the same ``get_queryset`` as ``ViewSet``.

    Source: DRF 3.18, viewsets.py.
    """

    get_queryset = _get_queryset
    aget_queryset = AsyncGenericAPIView.aget_queryset


class AsyncGenericViewSet(AsyncViewSetMixin, AsyncGenericAPIView[_MT_co], drf.GenericViewSet[_MT_co]):  # pyright: ignore[reportIncompatibleMethodOverride]
    """A generic view as a viewset, without predefined actions. Source: DRF 3.18, viewsets.py."""


if TYPE_CHECKING:
    # As in mixins: by DRF's types, actions are sync.
    class _ReadOnlyModelViewSet: ...

    class _ModelViewSet: ...

else:
    _ReadOnlyModelViewSet, _ModelViewSet = drf.ReadOnlyModelViewSet, drf.ModelViewSet


class AsyncReadOnlyModelViewSet(
    AsyncRetrieveModelMixin, AsyncListModelMixin, AsyncGenericViewSet[_MT_co], _ReadOnlyModelViewSet
):
    """A viewset with ``list`` and ``retrieve``. Source: DRF 3.18, viewsets.py."""


class AsyncModelViewSet(
    AsyncCreateModelMixin,
    AsyncRetrieveModelMixin,
    AsyncUpdateModelMixin,
    AsyncDestroyModelMixin,
    AsyncListModelMixin,
    AsyncGenericViewSet[_MT_co],
    _ModelViewSet,
):
    """A viewset with all six actions of a model. Source: DRF 3.18, viewsets.py."""
