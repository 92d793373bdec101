"""DRF's filter backends, with hooks in two colours. Backends written for DRF work unchanged.

Only classes: the filtering is DRF's code. Called by ``views/generics.py``.
"""

from __future__ import annotations

from rest_framework import filters as drf

from restflow.flow import TwoColoured, twin

__all__ = ["BaseFilterBackend", "OrderingFilter", "SearchFilter", "UnaccentedSearchFilter"]
__dir__ = __all__.copy


class BaseFilterBackend(TwoColoured, drf.BaseFilterBackend, hooks=("filter_queryset",)):
    """Base class of filter backends whose ``filter_queryset`` may be of either colour.

    Write ``filter_queryset`` or ``afilter_queryset``, sync or ``async def``. Whichever name is called, the nearest
    override runs.

    Source: DRF 3.18, filters.py.
    """

    afilter_queryset = twin("filter_queryset")


class SearchFilter(
    drf.SearchFilter,
    BaseFilterBackend,
    hooks=("construct_search", "get_search_fields", "get_search_terms", "must_call_distinct"),
):
    """Searches the view's ``search_fields`` for ``?search=``; its own hooks may be of either colour too.

    Source: DRF 3.18, filters.py.
    """


class UnaccentedSearchFilter(drf.UnaccentedSearchFilter, SearchFilter):
    """Searches as ``SearchFilter`` does, ignoring accents, on PostgreSQL. Source: DRF 3.18, filters.py."""


class OrderingFilter(
    drf.OrderingFilter,
    BaseFilterBackend,
    hooks=(
        "get_default_ordering",
        "get_default_valid_fields",
        "get_ordering",
        "get_valid_fields",
        "remove_invalid_fields",
    ),
):
    """Orders by ``?ordering=``, one of the view's ``ordering_fields``; its own hooks may be of either colour too.

    Source: DRF 3.18, filters.py.
    """
