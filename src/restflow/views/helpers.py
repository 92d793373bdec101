"""The helper methods that make views short: serializers, pages and responses in one call.

Flows, called by users' handlers and by the model mixins.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from django.core.exceptions import ImproperlyConfigured
from rest_framework.fields import empty
from rest_framework.pagination import BasePagination
from rest_framework.serializers import BaseSerializer

from restflow.flow import (
    TwoColoured,
    asynchronous,
    attribute,
    blocking,
    has_fast_version,
    hook,
    is_overridden,
    remembered,
    run,
    sync,
)
from restflow.post_fetch import PostFetch
from restflow.request import data_of
from restflow.responses import Response
from restflow.serializers import add_async_methods
from restflow.serializers.private import represented
from restflow.serializers.surface import validate
from restflow.streams import StreamedResponse, response_class_for
from restflow.views.hooks import OF_HELPERS, names
from restflow.views.shown import is_handling, shown_unless
from restflow.views.streaming import represented_items

if TYPE_CHECKING:
    from restflow.serializers import AsyncSerializer


class _Off(enum.Enum):
    OFF = "OFF"

    def __repr__(self) -> str:
        return self.value

    def __bool__(self) -> bool:
        return False  # falsy like None, for code that tests `pagination_class`


OFF: Final = _Off.OFF
"""For ``pagination_class``: no pagination, where None would leave the choice to the view's class."""

SerializerClass = type[BaseSerializer[Any]]
PaginationClass = type[BasePagination] | Literal[_Off.OFF]


class MissingSerializer(ImproperlyConfigured, AttributeError):
    """A helper needs a serializer class, and the view has none."""


def _why_without_serializer(view: Any, owner: type) -> MissingSerializer | None:
    """Return the error that hides ``get_serializer`` from DRF's introspection; a handler may call it with a class."""
    has_one = (
        is_handling(view)
        or view.serializer_class is not None
        or is_overridden(view, "get_serializer_class", Helpers.get_serializer_class)
        or run(has_directions(view))
    )
    return None if has_one else _missing(view)


def _missing(view: Any) -> MissingSerializer:
    name = type(view).__name__
    return MissingSerializer(
        f"{name} has no serializer class. Set {name}.serializer_class, override get_serializer_class(), or pass "
        f"serializer_class= to the helper."
    )


class Helpers(TwoColoured, hooks=names(OF_HELPERS)):
    """The helper methods and their getters, under their sync names."""

    serializer_class: SerializerClass | None = None
    request_serializer_class: SerializerClass | None = None
    response_serializer_class: SerializerClass | None = None
    pagination_class: PaginationClass | None = None
    request: Any

    @property
    def paginator(self) -> BasePagination | None:
        """The paginator of the last paginated response; the browsable API shows its controls."""
        return vars(self).get("_paginator")

    @paginator.setter
    def paginator(self, paginator: BasePagination | None) -> None:
        vars(self)["_paginator"] = paginator

    @sync
    async def get_context(self) -> dict[str, Any]:
        """Return the context for every serializer that ``get_serializer`` builds.

        Returns:
            A dict with ``request`` and ``view``.
        """
        return {"request": self.request, "view": self}

    @sync
    async def get_serializer_class(self) -> SerializerClass | None:
        """Return the serializer class for both requests and responses.

        Returns:
            ``serializer_class``.
        """
        chosen: SerializerClass | None = await attribute(self, "serializer_class")
        return chosen

    @sync
    async def get_request_serializer_class(self) -> SerializerClass | None:
        """Return the serializer class that validates a request.

        Returns:
            ``request_serializer_class`` if set, otherwise what ``get_serializer_class`` returns.
        """
        chosen: SerializerClass | None = await attribute(self, "request_serializer_class")
        chosen = chosen or await hook(self, "get_serializer_class")
        return chosen

    @sync
    async def get_response_serializer_class(self) -> SerializerClass | None:
        """Return the serializer class that represents a response.

        Returns:
            ``response_serializer_class`` if set, otherwise what ``get_serializer_class`` returns.
        """
        chosen: SerializerClass | None = await attribute(self, "response_serializer_class")
        chosen = chosen or await hook(self, "get_serializer_class")
        return chosen

    @sync
    async def get_pagination_class(self) -> PaginationClass | None:
        """Return the pagination class of ``paginated_response``.

        Returns:
            ``pagination_class``; None or ``OFF`` for no pagination.
        """
        chosen: PaginationClass | None = await attribute(self, "pagination_class")
        return chosen

    @shown_unless(_why_without_serializer)
    @sync
    async def get_serializer(
        self,
        /,
        *args: Any,
        serializer_class: SerializerClass | None = None,
        direction: Literal["request", "response"] | None = None,
        **kwargs: Any,
    ) -> AsyncSerializer[Any]:
        """Build a serializer with the view's context.

        Args:
            args: positional arguments of the serializer (``instance``).
            serializer_class: the class to build instead of the one that the getter of ``direction`` returns.
            direction: which getter to call; by default ``get_serializer_class``.
            kwargs: keyword arguments of the serializer (``data``, ``many``, ``partial``, …).

        Returns:
            The serializer, which has ``ais_valid``, ``asave`` and ``adata`` whatever its class.

        Raises:
            MissingSerializer: the view has no serializer class.
        """
        chosen = serializer_class or await _class_for(self, direction)
        if chosen is None:
            raise _missing(self)
        if "context" not in kwargs:
            kwargs["context"] = await hook(self, "get_context")
        return add_async_methods(await blocking(chosen, *args, **kwargs))

    @sync
    async def validated_serializer(
        self, /, *, data: Any = empty, serializer_class: SerializerClass | None = None, **kwargs: Any
    ) -> AsyncSerializer[Any]:
        """Build a serializer for the request and validate its data.

        Args:
            data: what to validate instead of ``request.data``.
            serializer_class: the class to use instead of the one ``get_request_serializer_class`` returns.
            kwargs: more arguments of the serializer (``instance``, ``partial``, ``many``, …).

        Returns:
            The valid serializer.

        Raises:
            ValidationError: the data are not valid.
            ParseError: the request's body is malformed.
        """
        if data is empty:
            data = await data_of(self.request)
        serializer = await build(self, "request", data=data, serializer_class=serializer_class, **kwargs)
        await validate(serializer)
        return serializer

    @sync
    async def serialized_response(
        self,
        /,
        instance: Any,
        *,
        many: bool = False,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        serializer_class: SerializerClass | None = None,
        post_fetches: Sequence[PostFetch] | None = None,
        **kwargs: Any,
    ) -> Response:
        """Return a response with the representation of an instance, by the response's serializer class.

        Args:
            instance: the instance, or with ``many`` a sequence of them.
            many: whether it is a sequence.
            status: the HTTP status; 200 by default.
            headers: headers of the response.
            serializer_class: the class to use instead of the one ``get_response_serializer_class`` returns.
            post_fetches: the joins to run first.
            kwargs: more arguments of the serializer (``context``, …).
        """
        instance = await hook(self, "perform_post_fetches", instance, post_fetches, many=many)
        if many:
            kwargs["many"] = True
        private = not many or is_filled_list(instance)
        serializer = await build(
            self, "response", instance, private=private, serializer_class=serializer_class, **kwargs
        )
        return Response(await represented(serializer), status=status, headers=headers)

    @sync
    async def paginated_response(
        self,
        /,
        queryset: Any,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        serializer_class: SerializerClass | None = None,
        pagination_class: PaginationClass | None = None,
        post_fetches: Sequence[PostFetch] | None = None,
        **kwargs: Any,
    ) -> Response:
        """Return a response with the representation of one page of a query set, or of all of it without pagination.

        Args:
            queryset: a query set or a sequence.
            status: the HTTP status; the paginator's own by default.
            headers: headers of the response.
            serializer_class: the class to use instead of the one ``get_response_serializer_class`` returns.
            pagination_class: the pagination to use instead of the view's; ``OFF`` for none.
            post_fetches: the joins to run on the page.
            kwargs: more arguments of the serializer (``context``, …).

        Returns:
            The paginator's response.

        Raises:
            NotFound: there is no such page.
        """
        page, pager = await self._page_of(queryset, pagination_class)
        items = await hook(self, "perform_post_fetches", queryset if page is None else page, post_fetches, many=True)
        private = is_filled_list(items)
        serializer = await build(
            self, "response", items, private=private, many=True, serializer_class=serializer_class, **kwargs
        )
        data = await represented(serializer)
        if page is None:
            return Response(data, status=status, headers=headers)
        response: Response = await hook(pager, "get_paginated_response", data)
        response.status_code = status or response.status_code
        for name, value in (headers or {}).items():
            response[name] = value
        return response

    @sync
    async def streamed_response(
        self,
        /,
        items: Any,
        *,
        as_: Literal["sse", "ndjson", "json"] | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        serializer_class: SerializerClass | None = None,
        post_fetches: Sequence[PostFetch] | None = None,
        stream: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> StreamedResponse:
        """Return a response that streams the representations of instances, by the response's serializer class.

        Args:
            items: what the streamed responses of ``restflow.responses`` take: a query set, a generator of instances, or
                a callable that returns one. A ``ServerSentEvent`` has an instance as its ``data``.
            as_: the format; by default that of the negotiated renderer, or a JSON list if that renderer has none.
            status: the HTTP status; 200 by default.
            headers: headers of the response.
            serializer_class: the class to use instead of the one ``get_response_serializer_class`` returns.
            post_fetches: the joins to run on each chunk of instances.
            stream: more arguments of the response (``chunk_size``, ``heartbeat``, ``retry``, ``first_within``).
            kwargs: more arguments of the serializer (``context``, …).

        Raises:
            ValueError: there is no such format.
        """
        serializer_of = partial(build, self, "response", many=True, serializer_class=serializer_class, **kwargs)
        represent = partial(represented_items, self, post_fetches, serializer_of)
        response_class = response_class_for(self.request, as_)
        return response_class(items, status=status, headers=headers, represent=represent, **(stream or {}))

    async def _page_of(self, queryset: Any, pagination_class: PaginationClass | None) -> tuple[Any, Any]:
        """Return a page and the object that makes the paginated response, or None for both."""
        chosen = await hook(self, "get_pagination_class") if pagination_class is None else pagination_class
        if chosen is None or chosen is OFF:
            return None, None
        paginator = self.paginator = await blocking(chosen)
        return await hook(paginator, "paginate_queryset", queryset, self.request, view=self), paginator

    @sync
    async def perform_post_fetches(
        self, items: Any, post_fetches: Iterable[PostFetch] | None, *, many: bool = True
    ) -> Any:
        """Run joins on items before they are represented.

        Args:
            items: one item, or with ``many`` a sequence of them.
            post_fetches: the joins, run by their ``fetch`` or ``afetch``.
            many: whether ``items`` is a sequence.

        Returns:
            The item, or the items as a list.
        """
        if not post_fetches:
            return items
        targets = await blocking(list, items) if many else [items]
        for post_fetch in post_fetches:
            await hook(post_fetch, "fetch", targets)
        return targets if many else targets[0]


async def _class_for(view: Helpers, direction: str | None) -> SerializerClass | None:
    chosen: SerializerClass | None
    if direction is not None:
        chosen = await hook(view, f"get_{direction}_serializer_class")
    else:
        chosen = await hook(view, "get_serializer_class") or await hook(view, "get_request_serializer_class")
    return chosen


def _takes_direction(override: Any) -> bool:
    return callable(override) and "direction" in inspect.signature(override).parameters


_names_direction = remembered(_takes_direction)


@has_fast_version
async def build(
    view: Any,
    direction: str,
    *args: Any,
    private: bool = False,
    serializer_class: SerializerClass | None = None,
    **kwargs: Any,
) -> AsyncSerializer[Any]:
    """Build a serializer through ``get_serializer``, of which an override may have DRF's signature.

    Args:
        view: the view.
        direction: ``"request"`` or ``"response"``.
        private: whether no code of the project will see the serializer, except its own methods. Only the fast version
            makes use of it.
        serializer_class: the class to build instead of the one that the getter of the direction returns.

    Returns:
        The serializer, with the async methods; one that the fast version made private gets them when it is shown.
    """
    if is_overridden(view, "get_serializer", Helpers.get_serializer):
        # DRF's get_serializer has neither keyword. An override gets `direction` only if it has that parameter, and
        # `serializer_class` only if it is another than the one it would choose itself.
        own = vars(view).get("get_serializer")
        of_class = getattr(type(view), "get_serializer", None)
        if _names_direction(of_class) if own is None else _takes_direction(own):
            kwargs["direction"] = direction
        if serializer_class is not None or await has_directions(view):
            chosen = serializer_class or await _class_for(view, direction)
            if chosen is not await hook(view, "get_serializer_class"):
                kwargs["serializer_class"] = chosen
    else:
        kwargs.update(direction=direction, serializer_class=serializer_class)
    return add_async_methods(await hook(view, "get_serializer", *args, **kwargs))


def is_filled_list(items: Any) -> bool:
    """Tell whether ``items`` is a plain list that is not empty: finding out runs no code of a project.

    Args:
        items: what will be represented.
    """
    return type(items) is list and bool(items)


async def has_directions(view: Any) -> bool:
    """Tell whether ``view`` may have different serializer classes for requests and responses."""
    for name, getter in (
        ("request_serializer", Helpers.get_request_serializer_class),
        ("response_serializer", Helpers.get_response_serializer_class),
    ):
        if is_overridden(view, f"get_{name}_class", getter) or await attribute(view, f"{name}_class") is not None:
            return True
    return False


class AsyncHelpers(Helpers):
    """The helper methods and their getters, under their async names as well."""

    aget_context = asynchronous(Helpers.get_context)
    aget_serializer_class = asynchronous(Helpers.get_serializer_class)
    aget_request_serializer_class = asynchronous(Helpers.get_request_serializer_class)
    aget_response_serializer_class = asynchronous(Helpers.get_response_serializer_class)
    aget_pagination_class = asynchronous(Helpers.get_pagination_class)
    aget_serializer = asynchronous(Helpers.get_serializer)
    avalidated_serializer = asynchronous(Helpers.validated_serializer)
    aserialized_response = asynchronous(Helpers.serialized_response)
    apaginated_response = asynchronous(Helpers.paginated_response)
    astreamed_response = asynchronous(Helpers.streamed_response)
    aperform_post_fetches = asynchronous(Helpers.perform_post_fetches)
