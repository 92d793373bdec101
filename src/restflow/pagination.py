"""DRF's paginators with hooks in two colours, and one that does not count. Paginators written for DRF work unchanged.

DRF's code evaluates the query set, in one step that may block. Called by generic views and the view helpers.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.paginator import EmptyPage, Page, Paginator
from django.db import DataError
from django.utils.translation import gettext_lazy as _
from rest_framework import pagination as drf
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from restflow.flow import TwoColoured, asynchronous, hook, sync, twin

__all__ = [
    "BasePagination",
    "CursorPagination",
    "FastPageNumberPagination",
    "LimitOffsetPagination",
    "PageNumberPagination",
]
__dir__ = __all__.copy

_LINKS = ("get_html_context", "get_next_link", "get_previous_link", "get_results", "to_html")


class BasePagination(TwoColoured, drf.BasePagination, hooks=("paginate_queryset", "get_paginated_response", *_LINKS)):
    """Base class of paginators whose ``paginate_queryset`` and ``get_paginated_response`` may be of either colour.

    Write ``paginate_queryset`` or ``apaginate_queryset``, sync or ``async def``. Whichever name is called, the nearest
    override runs. This is also true of the methods that DRF's paginators call themselves (``get_page_size``,
    ``get_count``, ``get_next_link``, …): DRF's code runs in the worker thread, and an ``async def`` that it calls on
    the event loop.

    Source: DRF 3.18, pagination.py.
    """

    apaginate_queryset = twin("paginate_queryset")
    aget_paginated_response = twin("get_paginated_response")


class PageNumberPagination(drf.PageNumberPagination, BasePagination, hooks=("get_page_number", "get_page_size")):
    """Pages by number: ``?page=4``. Source: DRF 3.18, pagination.py."""


class LimitOffsetPagination(drf.LimitOffsetPagination, BasePagination, hooks=("get_count", "get_limit", "get_offset")):
    """Pages by limit and offset: ``?limit=100&offset=400``. Source: DRF 3.18, pagination.py."""

    def get_limit(self, request: Request) -> int | None:
        """Return the requested number of items.

        Returns:
            The limit, at most ``max_limit``; None for no pagination.

        Raises:
            ParseError: the limit is too large for any database; in DRF this is a 500.

        Source: DRF 3.18, pagination.py, ``LimitOffsetPagination.get_limit``.
        """
        limit: int | None = super().get_limit(request)
        if limit is not None and limit > sys.maxsize // 2:  # leaves room for adding an offset
            raise ParseError(_("Invalid limit."))
        return limit


class CursorPagination(
    drf.CursorPagination, BasePagination, hooks=("decode_cursor", "encode_cursor", "get_ordering", "get_page_size")
):
    """Pages by a cursor into an ordered query set: ``?cursor=cD0…``. Source: DRF 3.18, pagination.py."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """Return the page at the cursor.

        Args:
            queryset: an ordered query set.

        Returns:
            The page; None for no pagination.

        Raises:
            NotFound: the cursor is invalid, or its position can't be compared with the fields that the query set is
                ordered by; in DRF the latter is a 500.

        Source: DRF 3.18, pagination.py, ``CursorPagination.paginate_queryset``.
        """
        self.cursor = None
        try:
            page: list[Any] | None = super().paginate_queryset(queryset, request, view)
        except (DataError, OverflowError, TypeError, ValidationError, ValueError) as error:
            if self.cursor is None or self.cursor.position is None:
                raise
            raise NotFound(self.invalid_cursor_message) from error
        return page


if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator


class _UncountedPaginator(_Paginator):
    """A paginator that reads a page and one more row, to know whether another page follows."""

    num_pages: Any = math.inf
    """Once a page has been read: its number or, if another page follows, the next."""

    def page(self, number: Any) -> Page[Any]:
        """Fetch a page.

        Args:
            number: its number, starting at 1; may be a string of digits.

        Returns:
            The page, with its rows fetched.

        Raises:
            InvalidPage: ``number`` is invalid, or the page is empty and not the first.
        """
        number = self.validate_number(number)
        bottom = (number - 1) * self.per_page
        top = bottom + self.per_page
        # No database takes a limit above 64 bits, and no table has that many rows.
        rows = list(self.object_list[bottom : min(top + 1, sys.maxsize)])
        if not rows and number > 1:
            raise EmptyPage(self.error_messages["no_results"])
        self.num_pages = number + (len(rows) > self.per_page)
        return Page(rows[: self.per_page], number, self)


class FastPageNumberPagination(PageNumberPagination):
    """Pages by number without ``COUNT(*)``: one query reads a page and one more row, to know whether another follows.

    The response has ``next``, ``previous`` and ``results``, and no ``count``. ``?page=last`` is a 404, since the last
    page is not known. Everything else, including all attributes, is as in ``PageNumberPagination``.
    """

    django_paginator_class = _UncountedPaginator
    template = "rest_framework/pagination/previous_and_next.html"
    no_last_page_message: Any = _("The last page is not known: ask for a page by its number.")

    @property
    def has_next(self) -> bool:
        """Whether another page follows the one that was read; False until one is."""
        page: Page[Any] | None = getattr(self, "page", None)
        return page is not None and page.has_next()

    def get_page_number(self, request: Request, paginator: Any) -> int | str:
        """Return the number of the requested page.

        Args:
            paginator: the Django paginator of the query set.

        Returns:
            The number, as the client sent it.

        Raises:
            NotFound: the last page was requested.

        Source: DRF 3.18, pagination.py, ``PageNumberPagination.get_page_number``.
        """
        number = super().get_page_number(request, paginator)
        if number == math.inf:
            raise NotFound(self.no_last_page_message)
        return number

    @sync
    async def get_paginated_response(self, data: Any) -> Response:
        """Return the response for a page: links and results.

        Args:
            data: the serialized items of the page.
        """
        links = {"next": await hook(self, "get_next_link"), "previous": await hook(self, "get_previous_link")}
        return Response({**links, "results": data})

    aget_paginated_response = asynchronous(get_paginated_response)

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        """Return the OpenAPI schema of a page.

        Args:
            schema: the schema of the results.

        Returns:
            DRF's schema, without ``count``.

        Source: DRF 3.18, pagination.py, ``PageNumberPagination.get_paginated_response_schema``.
        """
        page = dict(super().get_paginated_response_schema(schema))
        page["required"] = [name for name in page["required"] if name != "count"]
        page["properties"] = {name: value for name, value in page["properties"].items() if name != "count"}
        return page
