"""A stand-in for the sellers' own slow servers: a plain async Django view."""

import asyncio

from django.conf import settings
from django.http import Http404, HttpRequest, JsonResponse

SECONDS = 0.3
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
