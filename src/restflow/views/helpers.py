"""The helper methods that make views short: serializers, pages and responses by one call.

Flows that users' handlers call, and the model mixins.
"""

from __future__ import annotations

import enum
import inspect
import types
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from django.core.exceptions import ImproperlyConfigured
from rest_framework.fields import empty
from rest_framework.pagination import BasePagination
from rest_framework.serializers import BaseSerializer

from restflow.flow import (
    Descriptor,
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
from restflow.views.hooks import OF_HELPERS, names

if TYPE_CHECKING:
    from restflow.serializers import AsyncSerializer

_F = TypeVar("_F", bound=Callable[..., Any])


class _Off(enum.Enum):
    OFF = "OFF"

    def __repr__(self) -> str:
        return self.value

    def __bool__(self) -> bool:
        return False  # as None, to code of others that asks a class whether it pages


OFF: Final = _Off.OFF
"""As ``pagination_class``: no pagination, where None would leave the choice to the class."""

SerializerClass = type[BaseSerializer[Any]]
PaginationClass = type[BasePagination] | Literal[_Off.OFF]


class MissingSerializer(ImproperlyConfigured, AttributeError):
    """A helper needs a serializer class, and the view names none."""


class _ShownWithSerializer(Descriptor):
    """``get_serializer``, which a view without a serializer class does not show to DRF's introspection.

    DRF's metadata, browsable API and schemas take a view that has ``get_serializer`` for one that has a serializer. A
    handler may still call it with ``serializer_class=``.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __get__(self, view: Any, owner: type) -> Any:
        if view is None:
            return self.function
        if not (_is_handling(view) or _has_serializer(view)):
            raise _missing(view)
        return types.MethodType(self.function, view)


def _shown_with_serializer(function: _F) -> _F:
    descriptor: Any = _ShownWithSerializer(function)
    method: _F = descriptor
    return method


def _has_serializer(view: Any) -> bool:
    return (
        view.serializer_class is not None
        or is_overridden(view, "get_serializer_class", Helpers.get_serializer_class)
        or run(has_directions(view))
    )


def _is_handling(view: Any) -> bool:
    # DRF sets `response` when the handler is done; what asks then is the browsable API. Schemas have no request.
    state = vars(view)
    return state.get("request") is not None and "response" not in state and not state.get("_restflow_hides_serializer")


@contextmanager
def no_serializer_on_show(view: Any) -> Generator[None, None, None]:
    """Hide ``get_serializer`` from the metadata of a view without a serializer class.

    Args:
        view: the view whose metadata are determined.
    """
    view._restflow_hides_serializer = True
    try:
        yield
    finally:
        del view._restflow_hides_serializer


def _missing(view: Any) -> MissingSerializer:
    name = type(view).__name__
    return MissingSerializer(
        f"{name} has no serializer class. Set {name}.serializer_class, override get_serializer_class(), or pass "
        f"serializer_class= to the helper."
    )


class Helpers(TwoColoured, hooks=names(OF_HELPERS)):
    """The helper methods and their getters, in sync colour."""

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
        """Return the context of every serializer that ``get_serializer`` builds.

        Returns:
            A dict with ``request`` and ``view``.
        """
        return {"request": self.request, "view": self}

    @sync
    async def get_serializer_class(self) -> SerializerClass | None:
        """Return the serializer class of either direction.

        Returns:
            ``serializer_class``.
        """
        chosen: SerializerClass | None = await attribute(self, "serializer_class")
        return chosen

    @sync
    async def get_request_serializer_class(self) -> SerializerClass | None:
        """Return the serializer class that validates a request.

        Returns:
            ``request_serializer_class``, else what ``get_serializer_class`` returns.
        """
        chosen: SerializerClass | None = await attribute(self, "request_serializer_class")
        chosen = chosen or await hook(self, "get_serializer_class")
        return chosen

    @sync
    async def get_response_serializer_class(self) -> SerializerClass | None:
        """Return the serializer class that represents a response.

        Returns:
            ``response_serializer_class``, else what ``get_serializer_class`` returns.
        """
        chosen: SerializerClass | None = await attribute(self, "response_serializer_class")
        chosen = chosen or await hook(self, "get_serializer_class")
        return chosen

    @sync
    async def get_pagination_class(self) -> PaginationClass | None:
        """Return the pagination class of ``paginated_response``.

        Returns:
            ``pagination_class``; None or ``OFF`` where pages are not wanted.
        """
        chosen: PaginationClass | None = await attribute(self, "pagination_class")
        return chosen

    @_shown_with_serializer
    @sync
    async def get_serializer(
        self,
        /,
        *args: Any,
        serializer_class: SerializerClass | None = None,
        direction: Literal["request", "response"] | None = None,
        **kwargs: Any,
    ) -> AsyncSerializer:
        """Build a serializer with the view's context.

        Args:
            args: positional arguments of the serializer (``instance``).
            serializer_class: the class to build instead of the one that the getter of ``direction`` returns.
            direction: which getter to ask; without it, ``get_serializer_class``.
            kwargs: keyword arguments of the serializer (``data``, ``many``, ``partial``, …).

        Returns:
            The serializer, with ``ais_valid``, ``asave`` and ``adata`` whatever its class.

        Raises:
            MissingSerializer: there is no class to build.
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
    ) -> AsyncSerializer:
        """Build a serializer of the request direction and validate its data.

        Args:
            data: what to validate instead of ``request.data``.
            serializer_class: the class to use instead of the one ``get_request_serializer_class`` returns.
            kwargs: further arguments of the serializer (``instance``, ``partial``, ``many``, …).

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
        """Represent an instance by the serializer of the response direction.

        Args:
            instance: the instance, or with ``many`` a sequence of them.
            many: whether it is a sequence.
            status: the HTTP status; 200 by default.
            headers: headers of the response.
            serializer_class: the class to use instead of the one ``get_response_serializer_class`` returns.
            post_fetches: joins to run first.
            kwargs: further arguments of the serializer (``context``, …).
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
        """Represent one page of a query set, or all of it where there is no pagination.

        Args:
            queryset: a query set or a sequence.
            status: the HTTP status; the paginator's own by default.
            headers: headers of the response.
            serializer_class: the class to use instead of the one ``get_response_serializer_class`` returns.
            pagination_class: the pagination to use instead of the view's; ``OFF`` for none.
            post_fetches: joins to run on the page.
            kwargs: further arguments of the serializer (``context``, …).

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

    async def _page_of(self, queryset: Any, pagination_class: PaginationClass | None) -> tuple[Any, Any]:
        """Return a page, or None, and who makes the paged response."""
        chosen = await hook(self, "get_pagination_class") if pagination_class is None else pagination_class
        if chosen is None or chosen is OFF:
            return None, None
        paginator = self.paginator = await blocking(chosen)
        return await hook(paginator, "paginate_queryset", queryset, self.request, view=self), paginator

    @sync
    async def perform_post_fetches(
        self, items: Any, post_fetches: Iterable[PostFetch] | None, *, many: bool = True
    ) -> Any:
        """Run joins on items that are about to be represented.

        Args:
            items: one item, or with ``many`` a sequence of them.
            post_fetches: the joins; each is asked by ``fetch`` or ``afetch``.
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
) -> AsyncSerializer:
    """Build a serializer through ``get_serializer``, which may be an override in DRF's form.

    Args:
        view: whose serializer it is.
        direction: ``"request"`` or ``"response"``.
        private: whether no code of a user's will see the serializer, unless it has some itself.
        serializer_class: the class to build instead of the one that the getter of the direction returns.

    Returns:
        The serializer, with the async surface; one that is private and runs DRF's code only may have none.
    """
    if is_overridden(view, "get_serializer", Helpers.get_serializer):
        # DRF's get_serializer knows neither keyword. An override is told the direction where it names it, and given a
        # class only where that is not its own choice.
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
    """Tell whether there are items to represent, where telling runs no code.

    Args:
        items: what is to be represented.
    """
    return type(items) is list and bool(items)


async def has_directions(view: Any) -> bool:
    """Tell whether ``view`` may represent a response by another serializer class than it validates a request by."""
    for name, getter in (
        ("request_serializer", Helpers.get_request_serializer_class),
        ("response_serializer", Helpers.get_response_serializer_class),
    ):
        if is_overridden(view, f"get_{name}_class", getter) or await attribute(view, f"{name}_class") is not None:
            return True
    return False


class AsyncHelpers(Helpers):
    """The helper methods and their getters, in async colour as well."""

    aget_context = asynchronous(Helpers.get_context)
    aget_serializer_class = asynchronous(Helpers.get_serializer_class)
    aget_request_serializer_class = asynchronous(Helpers.get_request_serializer_class)
    aget_response_serializer_class = asynchronous(Helpers.get_response_serializer_class)
    aget_pagination_class = asynchronous(Helpers.get_pagination_class)
    aget_serializer = asynchronous(Helpers.get_serializer)
    avalidated_serializer = asynchronous(Helpers.validated_serializer)
    aserialized_response = asynchronous(Helpers.serialized_response)
    apaginated_response = asynchronous(Helpers.paginated_response)
    aperform_post_fetches = asynchronous(Helpers.perform_post_fetches)
