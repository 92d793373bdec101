"""The five model mixins, in both colours: ``create``, ``list``, ``retrieve``, ``update`` and ``destroy``.

Flows that call the hooks of a generic view and its serializers.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import partial as bound
from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework import mixins as drf
from rest_framework import status
from rest_framework.response import Response as DRFResponse
from rest_framework.serializers import ListSerializer

from restflow.drf import know_as_flow
from restflow.flow import (
    TwoColoured,
    asynchronous,
    blocking,
    call,
    hook,
    is_overridden,
    sync,
    sync_or_async,
    twin,
)
from restflow.request import data_of
from restflow.responses import Response
from restflow.serializers.private import is_private, represented, validated
from restflow.views.helpers import build, has_directions, is_filled_list
from restflow.views.hooks import OF_CREATE, OF_DESTROY, OF_UPDATE, names
from restflow.views.preconditions import etag_header, if_unmodified, is_fresh

__all__ = [
    "AsyncCreateModelMixin",
    "AsyncDestroyModelMixin",
    "AsyncListModelMixin",
    "AsyncRetrieveModelMixin",
    "AsyncUpdateModelMixin",
    "CreateModelMixin",
    "DestroyModelMixin",
    "ListModelMixin",
    "RetrieveModelMixin",
    "UpdateModelMixin",
]


async def _data_of_saved(view: Any, serializer: Any) -> Any:
    """Return the representation of what a serializer saved, by the response's serializer class."""
    # A private serializer serves both directions.
    if not is_private(serializer) and await has_directions(view):
        many = isinstance(serializer, ListSerializer)
        shown = await hook(view, "get_response_serializer_class")
        if shown is not type(serializer.child if many else serializer):
            given: dict[str, Any] = {"many": True} if many else {}
            serializer = await build(view, "response", serializer.instance, **given)
    return await represented(serializer)


def _forget_prefetched(instance: Any) -> None:
    """Clear prefetched objects, which may be out of date.

    This may block, because a model may define how its attributes are read.
    """
    if getattr(instance, "_prefetched_objects_cache", None):
        instance._prefetched_objects_cache = {}


class CreateModelMixin(TwoColoured, drf.CreateModelMixin, hooks=names(OF_CREATE), methods=("create",)):
    """Create a model instance. Source: DRF 3.18, mixins.py."""

    @sync
    async def create(self, request: Any, *args: Any, **kwargs: Any) -> DRFResponse:
        """Create an instance from the request's data.

        Returns:
            A 201 response with the representation of what was saved, and its ``Location`` if that has a URL field.

        Raises:
            ValidationError: the data are not valid.

        Source: DRF 3.18, mixins.py, ``CreateModelMixin``.
        """
        data = await data_of(request)
        private = not is_overridden(self, "perform_create", CreateModelMixin.perform_create)
        serializer = await build(self, "request", private=private, data=data)
        await validated(serializer)
        await hook(self, "perform_create", serializer)
        data = await _data_of_saved(self, serializer)
        headers = {**await etag_header(self, serializer.instance), **await hook(self, "get_success_headers", data)}
        return Response(data, status=status.HTTP_201_CREATED, headers=headers)

    @sync
    async def perform_create(self, serializer: Any) -> None:
        """Save a new instance.

        Args:
            serializer: the serializer, with valid data.
        """
        await hook(serializer, "save")


class ListModelMixin(TwoColoured, drf.ListModelMixin, methods=("list",)):
    """List a query set. Source: DRF 3.18, mixins.py."""

    @sync
    async def list(self, request: Any, *args: Any, **kwargs: Any) -> DRFResponse:
        """Return the view's query set, filtered and paginated.

        Returns:
            The paginator's response, or all instances without pagination.

        Source: DRF 3.18, mixins.py, ``ListModelMixin``.
        """
        queryset = await hook(self, "filter_queryset", await hook(self, "get_queryset"))
        page = await hook(self, "paginate_queryset", queryset)
        items = queryset if page is None else page
        data = await represented(await build(self, "response", items, private=is_filled_list(items), many=True))
        if page is None:
            return Response(data)
        response: DRFResponse = await hook(self, "get_paginated_response", data)
        return response


class RetrieveModelMixin(TwoColoured, drf.RetrieveModelMixin, methods=("retrieve",)):
    """Retrieve a model instance. Source: DRF 3.18, mixins.py."""

    @sync
    async def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> DRFResponse:
        """Return the instance that the URL identifies.

        Returns:
            Its representation; a 304 if the client has it already, according to the view's ``etag``.

        Raises:
            Http404: there is no such instance.

        Source: DRF 3.18, mixins.py, ``RetrieveModelMixin``.
        """
        instance = await hook(self, "get_object")
        headers = await etag_header(self, instance)
        if is_fresh(self, headers):
            return Response(status=status.HTTP_304_NOT_MODIFIED, headers=headers)
        return Response(await represented(await build(self, "response", instance, private=True)), headers=headers)


async def _updated(view: Any, request: Any, instance: Any, partial: bool) -> DRFResponse:
    """Update an instance with the request's data: the second half of ``update``."""
    data = await data_of(request)
    private = not is_overridden(view, "perform_update", UpdateModelMixin.perform_update)
    serializer = await build(view, "request", instance, private=private, data=data, partial=partial)
    await validated(serializer)
    await hook(view, "perform_update", serializer)
    await blocking(_forget_prefetched, instance)
    data = await _data_of_saved(view, serializer)
    headers = await etag_header(view, serializer.instance)
    if headers:  # the validator of the response, not of what the client sent: RFC 9110, section 9.3.4
        headers["Content-Location"] = request.get_full_path()
    return Response(data, headers=headers)


class UpdateModelMixin(TwoColoured, drf.UpdateModelMixin, hooks=names(OF_UPDATE), methods=("update", "partial_update")):
    """Update a model instance. Source: DRF 3.18, mixins.py."""

    @sync
    async def update(self, request: Any, *args: Any, **kwargs: Any) -> DRFResponse:
        """Update the instance that the URL identifies with the request's data.

        Args:
            kwargs: the URL's keyword arguments; with ``partial=True``, fields may be left out.

        Returns:
            The representation of what was saved.

        Raises:
            Http404: there is no such instance.
            PreconditionFailed: it has changed since the client saw it.
            ValidationError: the data are not valid.

        Source: DRF 3.18, mixins.py, ``UpdateModelMixin``.
        """
        partial = kwargs.pop("partial", False)
        instance = await hook(self, "get_object")
        write = bound(_updated, self, request, instance, partial)
        response: DRFResponse = await if_unmodified(self, instance, write)
        return response

    @sync
    async def partial_update(self, request: Any, *args: Any, **kwargs: Any) -> DRFResponse:
        """Update the instance that the URL identifies with only the fields in the request, as ``update`` does."""
        kwargs["partial"] = True
        method: Any = self.update
        response: DRFResponse = await call(method, request, *args, **kwargs)
        return response

    @sync
    async def perform_update(self, serializer: Any) -> None:
        """Save a changed instance.

        Args:
            serializer: the serializer, with valid data.
        """
        await hook(serializer, "save")


class DestroyModelMixin(TwoColoured, drf.DestroyModelMixin, hooks=names(OF_DESTROY), methods=("destroy",)):
    """Destroy a model instance. Source: DRF 3.18, mixins.py."""

    @sync
    async def destroy(self, request: Any, *args: Any, **kwargs: Any) -> DRFResponse:
        """Delete the instance that the URL identifies.

        Returns:
            A 204 response without a body.

        Raises:
            Http404: there is no such instance.
            PreconditionFailed: it has changed since the client saw it.

        Source: DRF 3.18, mixins.py, ``DestroyModelMixin``.
        """
        instance = await hook(self, "get_object")
        await if_unmodified(self, instance, bound(hook, self, "perform_destroy", instance))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @sync
    async def perform_destroy(self, instance: Any) -> None:
        """Delete an instance, by its own ``delete``."""
        await blocking(instance.delete)


if TYPE_CHECKING:
    # For type checkers, the sync mixins without their actions: by DRF's types, a subclass can't override one with an
    # `async def`, and no single type describes an action that both colours share.
    class _Create:
        def perform_create(self, serializer: Any) -> None: ...
        async def aperform_create(self, serializer: Any) -> None: ...
        def get_success_headers(self, data: Any) -> dict[str, str]: ...

    class _Update:
        def perform_update(self, serializer: Any) -> None: ...
        async def aperform_update(self, serializer: Any) -> None: ...

    class _Destroy:
        def perform_destroy(self, instance: Any) -> None: ...
        async def aperform_destroy(self, instance: Any) -> None: ...

    class _List: ...

    class _Retrieve: ...

else:
    _Create, _Update, _Destroy = CreateModelMixin, UpdateModelMixin, DestroyModelMixin
    _List, _Retrieve = ListModelMixin, RetrieveModelMixin


class AsyncCreateModelMixin(_Create):
    """Create a model instance, with hooks of either colour. Source: DRF 3.18, mixins.py."""

    create: ClassVar[Callable[..., Any]] = sync_or_async(CreateModelMixin.create)
    if not TYPE_CHECKING:
        aperform_create = asynchronous(CreateModelMixin.perform_create)
    aget_success_headers = twin("get_success_headers")


class AsyncListModelMixin(_List):
    """List a query set, with hooks of either colour. Source: DRF 3.18, mixins.py."""

    list: ClassVar[Callable[..., Any]] = sync_or_async(ListModelMixin.list)


class AsyncRetrieveModelMixin(_Retrieve):
    """Retrieve a model instance, with hooks of either colour. Source: DRF 3.18, mixins.py."""

    retrieve: ClassVar[Callable[..., Any]] = sync_or_async(RetrieveModelMixin.retrieve)


class AsyncUpdateModelMixin(_Update):
    """Update a model instance, with hooks of either colour. Source: DRF 3.18, mixins.py."""

    update: ClassVar[Callable[..., Any]] = sync_or_async(UpdateModelMixin.update)
    partial_update: ClassVar[Callable[..., Any]] = sync_or_async(UpdateModelMixin.partial_update)
    if not TYPE_CHECKING:
        aperform_update = asynchronous(UpdateModelMixin.perform_update)


class AsyncDestroyModelMixin(_Destroy):
    """Destroy a model instance, with hooks of either colour. Source: DRF 3.18, mixins.py."""

    destroy: ClassVar[Callable[..., Any]] = sync_or_async(DestroyModelMixin.destroy)
    if not TYPE_CHECKING:
        aperform_destroy = asynchronous(DestroyModelMixin.perform_destroy)


# DRF's own mixins on our bases would call the view's hooks directly, so our flows run in their place.
_drfs: Any
for _drfs, _ours in (
    (drf.CreateModelMixin, CreateModelMixin),
    (drf.DestroyModelMixin, DestroyModelMixin),
    (drf.ListModelMixin, ListModelMixin),
    (drf.RetrieveModelMixin, RetrieveModelMixin),
    (drf.UpdateModelMixin, UpdateModelMixin),
):
    for _name, _function in vars(_drfs).items():
        if type(_function) is types.FunctionType and _name in vars(_ours):
            know_as_flow(_function, vars(_ours)[_name])
