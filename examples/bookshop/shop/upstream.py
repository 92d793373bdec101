"""Stand-ins for slow servers of others: the sellers, a plain async Django view, and the warehouse."""

import asyncio
from collections.abc import AsyncIterator

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, JsonResponse

from shop.models import Book

SECONDS = 0.3
SECONDS_A_BOOK = 0.01
in_flight = 0


async def offer(request: HttpRequest, seller: str, pk: int) -> JsonResponse:
    """What the seller wants for the book, after a while, and how many requests were being answered meanwhile."""
    global in_flight
    if seller not in settings.SELLERS:
        raise Http404(f"There is no seller {seller}.")
    in_flight += 1
    try:
        await asyncio.sleep(SECONDS)
        price = 450 + 50 * (pk * len(seller) % 23)
        return JsonResponse({"seller": seller, "price_cents": price, "in_flight": in_flight})
    finally:
        in_flight -= 1


async def handed_out(books: QuerySet[Book]) -> AsyncIterator[Book]:
    """Each book, after a while; who reads slowly is waited for."""
    async for book in books:
        yield book
        await asyncio.sleep(SECONDS_A_BOOK)
