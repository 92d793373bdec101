"""Who may do what, how often, and how much of it on one page: DRF's classes and restflow's, sync and async."""

from typing import Any

from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from restflow.pagination import FastPageNumberPagination
from restflow.permissions import BasePermission
from restflow.throttling import UserRateThrottle
from shop.models import Book, Review


class Pages(PageNumberPagination):
    """Pages of a size that the client may choose."""

    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100


class FastPages(FastPageNumberPagination):
    """Pages that are not counted: one query each."""

    page_size = 2


class ShelfHasRoom(BasePermission):
    """A reader may list three books. Sync, and asks the database: restflow runs it in the worker thread."""

    message = "Your shelf is full: three books are the most that a reader may list."
    limit = 3

    def has_permission(self, request: Request, view: Any) -> bool:
        """Allow reading always, listing while there is room."""
        return request.method in SAFE_METHODS or Book.objects.filter(listed_by=request.user.pk).count() < self.limit


class FirstReview(BasePermission):
    """One review of a book by each reader. Async: restflow awaits it on the event loop."""

    message = "You have already reviewed this book."

    async def ahas_permission(self, request: Request, view: Any) -> bool:
        """Allow reading always, writing once."""
        if request.method in SAFE_METHODS:
            return True
        written = Review.objects.filter(book=view.kwargs["pk"], reader=request.user.get_username())
        return not await written.aexists()


class IsListerOrReadOnly(BasePermission):
    """Only the reader who listed a book may change it."""

    message = "Only the reader who listed this book may change it."

    def has_object_permission(self, request: Request, view: Any, obj: Book) -> bool:
        """Allow reading always, changing one's own."""
        lister: int = obj.listed_by_id  # pyright: ignore[reportAttributeAccessIssue]  # made by Django, which mypy's plugin knows
        return request.method in SAFE_METHODS or lister == request.user.pk


class OffersThrottle(UserRateThrottle):
    """Asking every seller costs more than reading a page, so it has a rate of its own."""

    scope = "offers"
