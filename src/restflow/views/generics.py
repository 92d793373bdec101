"""Generic views in both colours: the query set, the object that a URL names, filters and pagination.

Flows like those of ``base``. Called by the actions in ``mixins``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db.models import Manager, Model, QuerySet
from rest_framework import generics as drf
from rest_framework.fields import empty
from rest_framework.pagination import BasePagination
from rest_framework.response import Response as DRFResponse
from rest_framework.settings import api_settings

from restflow.drf import instance_of
from restflow.flow import (
    asynchronous,
    attribute,
    blocking,
    call,
    hook,
    run,
    sync,
    sync_or_async,
    twin,
)
from restflow.views.async_base import AsyncAPIView
from restflow.views.base import APIView
from restflow.views.helpers import OFF, PaginationClass, SerializerClass
from restflow.views.hooks import ACTIONS, OF_GENERIC_VIEWS, names
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
from restflow.views.preconditions import Fields, check

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from restflow.serializers import AsyncSerializer

    _MT_co = TypeVar("_MT_co", bound=Model, covariant=True, default=Any)
else:
    _MT_co = Any  # at run time, subscripting DRF's classes has no effect


def no_queryset(view: Any) -> str:
    """Return DRF's error message for a view without a query set."""
    name = type(view).__name__
    return f"'{name}' should either include a `queryset` attribute, or override the `get_queryset()` method."


class GenericAPIView(APIView, drf.GenericAPIView[_MT_co], hooks=names(OF_GENERIC_VIEWS), methods=ACTIONS):
    """DRF's ``GenericAPIView`` with restflow's helper methods. Source: DRF 3.18, generics.py."""

    serializer_class: SerializerClass | None = None
    pagination_class: Any = api_settings.DEFAULT_PAGINATION_CLASS
    filter_backends: Sequence[Any] = api_settings.DEFAULT_FILTER_BACKENDS
    etag: Fields | None = None
    """The model's field or fields that change whenever an instance does, to compute ETags from; None for no ETags."""
    precondition_required: bool = False
    """Whether to refuse a write (428) without an ``If-Match`` header, which says which state the client has seen."""

    @property
    def paginator(self) -> BasePagination | None:
        """The paginator of the view, created when it is first read; None without pagination."""
        own = vars(self)
        paginator: BasePagination | None = own["_paginator"] if "_paginator" in own else run(_paginator_made_once(self))
        return paginator

    @paginator.setter
    def paginator(self, paginator: BasePagination | None) -> None:
        vars(self)["_paginator"] = paginator

    @sync
    async def get_queryset(self) -> QuerySet[_MT_co]:
        """Return the query set of the view, as a fresh copy for each request.

        Returns:
            The ``queryset`` of the action's ``ActionConfig`` if it has one, otherwise that of the view.

        Raises:
            AssertionError: the view has none.

        Source: DRF 3.18, generics.py, ``get_queryset``.
        """
        chosen = self._queryset_maker()
        queryset = await attribute(self, "queryset", None) if chosen is None else await call(chosen, self)
        assert queryset is not None, no_queryset(self)
        if isinstance(queryset, QuerySet) and type(queryset).all is QuerySet.all:
            return queryset.all()  # Django's own does not query
        if isinstance(queryset, (Manager, QuerySet)):
            return await blocking(queryset.all)
        chosen_anew: QuerySet[_MT_co] = queryset
        return chosen_anew

    def _queryset_maker(self) -> Any:
        """Return a callable that takes the view and returns its query set, or None; a viewset overrides this."""
        return None

    @sync
    async def get_object(self) -> _MT_co:
        """Return the instance that the URL identifies, if the request may access it.

        Raises:
            Http404: there is no such instance, or the value in the URL is invalid.
            PermissionDenied: a permission refused.
            PreconditionFailed: it has changed since the client saw it; see ``check_precondition``.

        Source: DRF 3.18, generics.py, ``get_object``.
        """
        queryset = await hook(self, "filter_queryset", await hook(self, "get_queryset"))
        field = await attribute(self, "lookup_field")
        keyword = await attribute(self, "lookup_url_kwarg") or field
        assert keyword in self.kwargs, (
            f"Expected view {type(self).__name__} to be called with a URL keyword argument named "
            f'"{keyword}". Fix your URL conf, or set the `.lookup_field` attribute on the view correctly.'
        )
        lookup: Any = drf.get_object_or_404
        obj: _MT_co = await blocking(lookup, queryset, **{field: self.kwargs[keyword]})
        await hook(self, "check_object_permissions", self.request, obj)
        await hook(self, "check_precondition", obj)
        return obj

    @sync
    async def check_precondition(self, obj: Any) -> None:
        """If the view has an ``etag``, refuse to write an instance that has changed since the client saw it.

        Compares with the ETag in ``If-Match``. The row is locked if the database has row locks and is in a transaction.

        Args:
            obj: an instance that the request is about to change; ``get_object`` has checked the one that it returned.

        Raises:
            PreconditionFailed: it has changed.
            PreconditionRequired: the request has no ``If-Match``, and the view requires one.
        """
        await check(self, obj)

    @sync
    async def filter_queryset(self, queryset: Any) -> Any:
        """Filter a query set with the view's filter backends.

        Returns:
            The query set that the last backend returned.

        Source: DRF 3.18, generics.py, ``filter_queryset``.
        """
        for backend in list(await attribute(self, "filter_backends")):
            queryset = await hook(await instance_of(backend), "filter_queryset", self.request, queryset, self)
        return queryset

    @sync
    async def paginate_queryset(self, queryset: Any) -> Any:
        """Return one page of a query set.

        Returns:
            The page as a list; None without pagination.

        Raises:
            NotFound: there is no such page.

        Source: DRF 3.18, generics.py, ``paginate_queryset``.
        """
        paginator = await _paginator_of(self)
        if paginator is None:
            return None
        return await hook(paginator, "paginate_queryset", queryset, self.request, view=self)

    @sync
    async def get_paginated_response(self, data: Any) -> DRFResponse:
        """Return the paginator's response for a page.

        Args:
            data: the representation of the page's items.

        Source: DRF 3.18, generics.py, ``get_paginated_response``.
        """
        paginator = await _paginator_of(self)
        assert paginator is not None
        response: DRFResponse = await hook(paginator, "get_paginated_response", data)
        return response

    @sync
    async def get_serializer_class(self) -> SerializerClass:
        """Return the serializer class for both requests and responses.

        Returns:
            ``serializer_class``; ``request_serializer_class`` if only that is set.

        Raises:
            AssertionError: the view has none.

        Source: DRF 3.18, generics.py, ``get_serializer_class``.
        """
        chosen: SerializerClass | None = await attribute(self, "serializer_class")
        chosen = chosen or await attribute(self, "request_serializer_class")
        assert chosen is not None, (
            f"'{type(self).__name__}' should either include a `serializer_class` attribute, or override the "
            "`get_serializer_class()` method."
        )
        return chosen

    @sync
    async def get_context(self) -> dict[str, Any]:
        """Return the context for every serializer that ``get_serializer`` builds.

        Returns:
            What DRF's hook for this, ``get_serializer_context``, returns.
        """
        context: dict[str, Any] = await hook(self, "get_serializer_context")
        return context

    async def _page_of(self, queryset: Any, pagination_class: PaginationClass | None) -> tuple[Any, Any]:
        if pagination_class is None:
            return await hook(self, "paginate_queryset", queryset), self
        return await super()._page_of(queryset, pagination_class)


async def _paginator_of(view: GenericAPIView[Any]) -> Any:
    if type(view).paginator is not GenericAPIView.paginator:
        return await attribute(view, "paginator")
    return await _paginator_made_once(view)


async def _paginator_made_once(view: GenericAPIView[Any]) -> Any:
    own = vars(view)
    if "_paginator" not in own:
        chosen = await hook(view, "get_pagination_class")
        own["_paginator"] = None if chosen is None or chosen is OFF else await instance_of(chosen)
    return own["_paginator"]


class AsyncGenericAPIView(AsyncAPIView, GenericAPIView[_MT_co]):  # pyright: ignore[reportIncompatibleMethodOverride]
    """DRF's ``GenericAPIView`` on an async view. Source: DRF 3.18, generics.py."""

    # AsyncAPIView has the helpers' defaults, which come before GenericAPIView's in the MRO.
    get_context = GenericAPIView.get_context
    get_serializer_class = GenericAPIView.get_serializer_class

    if TYPE_CHECKING:
        # Type checkers can't derive the return type of an async twin in a generic class. A validated serializer is
        # taken to be one of the model, which is the usual case.
        async def aget_queryset(self) -> QuerySet[_MT_co]:
            """Return the query set of the view: ``get_queryset``, to be awaited."""
            ...

        async def aget_object(self) -> _MT_co:
            """Return the instance that the URL identifies: ``get_object``, to be awaited."""
            ...

        def validated_serializer(
            self, /, *, data: Any = empty, serializer_class: SerializerClass | None = None, **kwargs: Any
        ) -> AsyncSerializer[_MT_co]:
            """Build a serializer for the request and validate its data."""
            ...

        async def avalidated_serializer(
            self, /, *, data: Any = empty, serializer_class: SerializerClass | None = None, **kwargs: Any
        ) -> AsyncSerializer[_MT_co]:
            """Return a valid serializer: ``validated_serializer``, to be awaited."""
            ...

    else:
        aget_queryset = asynchronous(GenericAPIView.get_queryset)
        aget_object = asynchronous(GenericAPIView.get_object)
    acheck_precondition = asynchronous(GenericAPIView.check_precondition)
    afilter_queryset = asynchronous(GenericAPIView.filter_queryset)
    apaginate_queryset = asynchronous(GenericAPIView.paginate_queryset)
    aget_paginated_response = asynchronous(GenericAPIView.get_paginated_response)
    aget_serializer_class = asynchronous(GenericAPIView.get_serializer_class)  # type: ignore[arg-type]
    aget_context = asynchronous(GenericAPIView.get_context)  # type: ignore[arg-type]
    aget_serializer_context = twin("get_serializer_context")


class CreateAPIView(CreateModelMixin, GenericAPIView[_MT_co], drf.CreateAPIView[_MT_co]):
    """POST creates an instance. Source: DRF 3.18, generics.py."""


class ListAPIView(ListModelMixin, GenericAPIView[_MT_co], drf.ListAPIView[_MT_co]):
    """GET lists the query set. Source: DRF 3.18, generics.py."""


class RetrieveAPIView(RetrieveModelMixin, GenericAPIView[_MT_co], drf.RetrieveAPIView[_MT_co]):
    """GET retrieves an instance. Source: DRF 3.18, generics.py."""


class DestroyAPIView(DestroyModelMixin, GenericAPIView[_MT_co], drf.DestroyAPIView[_MT_co]):
    """DELETE deletes an instance. Source: DRF 3.18, generics.py."""


class UpdateAPIView(UpdateModelMixin, GenericAPIView[_MT_co], drf.UpdateAPIView[_MT_co]):
    """PUT and PATCH update an instance. Source: DRF 3.18, generics.py."""


class ListCreateAPIView(ListModelMixin, CreateModelMixin, GenericAPIView[_MT_co], drf.ListCreateAPIView[_MT_co]):
    """GET lists the query set, POST creates an instance. Source: DRF 3.18, generics.py."""


class RetrieveUpdateAPIView(
    RetrieveModelMixin, UpdateModelMixin, GenericAPIView[_MT_co], drf.RetrieveUpdateAPIView[_MT_co]
):
    """GET retrieves an instance, PUT and PATCH update it. Source: DRF 3.18, generics.py."""


class RetrieveDestroyAPIView(
    RetrieveModelMixin, DestroyModelMixin, GenericAPIView[_MT_co], drf.RetrieveDestroyAPIView[_MT_co]
):
    """GET retrieves an instance, DELETE deletes it. Source: DRF 3.18, generics.py."""


class RetrieveUpdateDestroyAPIView(
    RetrieveModelMixin,
    UpdateModelMixin,
    DestroyModelMixin,
    GenericAPIView[_MT_co],
    drf.RetrieveUpdateDestroyAPIView[_MT_co],
):
    """GET retrieves an instance, PUT and PATCH update it, DELETE deletes it. Source: DRF 3.18, generics.py."""


if TYPE_CHECKING:
    # As in mixins: by DRF's types, handlers are sync.
    class _CreateAPIView: ...

    class _ListAPIView: ...

    class _RetrieveAPIView: ...

    class _DestroyAPIView: ...

    class _UpdateAPIView: ...

    class _ListCreateAPIView: ...

    class _RetrieveUpdateAPIView: ...

    class _RetrieveDestroyAPIView: ...

    class _RetrieveUpdateDestroyAPIView: ...

else:
    _CreateAPIView = drf.CreateAPIView
    _ListAPIView = drf.ListAPIView
    _RetrieveAPIView = drf.RetrieveAPIView
    _DestroyAPIView = drf.DestroyAPIView
    _UpdateAPIView = drf.UpdateAPIView
    _ListCreateAPIView = drf.ListCreateAPIView
    _RetrieveUpdateAPIView = drf.RetrieveUpdateAPIView
    _RetrieveDestroyAPIView = drf.RetrieveDestroyAPIView
    _RetrieveUpdateDestroyAPIView = drf.RetrieveUpdateDestroyAPIView


def _handler(method: str, action: str) -> Any:
    async def handler(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        return await call(getattr(self, action), request, *args, **kwargs)

    handler.__name__ = handler.__qualname__ = method
    handler.__doc__ = f"Answer by ``{action}``."
    return sync_or_async(handler)


class AsyncCreateAPIView(AsyncCreateModelMixin, AsyncGenericAPIView[_MT_co], _CreateAPIView):
    """POST creates an instance. Source: DRF 3.18, generics.py."""

    post = _handler("post", "create")


class AsyncListAPIView(AsyncListModelMixin, AsyncGenericAPIView[_MT_co], _ListAPIView):
    """GET lists the query set. Source: DRF 3.18, generics.py."""

    get = _handler("get", "list")


class AsyncRetrieveAPIView(AsyncRetrieveModelMixin, AsyncGenericAPIView[_MT_co], _RetrieveAPIView):
    """GET retrieves an instance. Source: DRF 3.18, generics.py."""

    get = _handler("get", "retrieve")


class AsyncDestroyAPIView(AsyncDestroyModelMixin, AsyncGenericAPIView[_MT_co], _DestroyAPIView):
    """DELETE deletes an instance. Source: DRF 3.18, generics.py."""

    delete = _handler("delete", "destroy")


class AsyncUpdateAPIView(AsyncUpdateModelMixin, AsyncGenericAPIView[_MT_co], _UpdateAPIView):
    """PUT and PATCH update an instance. Source: DRF 3.18, generics.py."""

    put = _handler("put", "update")
    patch = _handler("patch", "partial_update")


class AsyncListCreateAPIView(
    AsyncListModelMixin, AsyncCreateModelMixin, AsyncGenericAPIView[_MT_co], _ListCreateAPIView
):
    """GET lists the query set, POST creates an instance. Source: DRF 3.18, generics.py."""

    get = _handler("get", "list")
    post = _handler("post", "create")


class AsyncRetrieveUpdateAPIView(
    AsyncRetrieveModelMixin, AsyncUpdateModelMixin, AsyncGenericAPIView[_MT_co], _RetrieveUpdateAPIView
):
    """GET retrieves an instance, PUT and PATCH update it. Source: DRF 3.18, generics.py."""

    get = _handler("get", "retrieve")
    put = _handler("put", "update")
    patch = _handler("patch", "partial_update")


class AsyncRetrieveDestroyAPIView(
    AsyncRetrieveModelMixin, AsyncDestroyModelMixin, AsyncGenericAPIView[_MT_co], _RetrieveDestroyAPIView
):
    """GET retrieves an instance, DELETE deletes it. Source: DRF 3.18, generics.py."""

    get = _handler("get", "retrieve")
    delete = _handler("delete", "destroy")


class AsyncRetrieveUpdateDestroyAPIView(
    AsyncRetrieveModelMixin,
    AsyncUpdateModelMixin,
    AsyncDestroyModelMixin,
    AsyncGenericAPIView[_MT_co],
    _RetrieveUpdateDestroyAPIView,
):
    """GET retrieves an instance, PUT and PATCH update it, DELETE deletes it. Source: DRF 3.18, generics.py."""

    get = _handler("get", "retrieve")
    put = _handler("put", "update")
    patch = _handler("patch", "partial_update")
    delete = _handler("delete", "destroy")
