"""Five sellers asked for their offers: at once, from async code, and one after the other, from sync code."""

import asyncio
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx
from django.conf import settings
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.reverse import reverse

# Reading the certificates takes a while, so it is done once and not for each request.
TLS = ssl.create_default_context()


class UpstreamUnavailable(APIException):
    """The sellers can't be asked, or did not answer."""

    status_code = 502
    default_detail = "The sellers did not answer."


async def ask_at_once(request: Request, pk: int) -> list[dict[str, Any]]:
    """All sellers' answers, after as long as the slowest takes."""
    with reached_from(request) as client_options:
        async with httpx.AsyncClient(**client_options) as client:
            answers = await asyncio.gather(*(client.get(address) for address in addresses(pk)))
        return [offer_in(answer) for answer in answers]


def ask_in_turn(request: Request, pk: int) -> list[dict[str, Any]]:
    """All sellers' answers, after as long as they take together."""
    with reached_from(request) as client_options, httpx.Client(**client_options) as client:
        return [offer_in(client.get(address)) for address in addresses(pk)]


@contextmanager
def reached_from(request: Request) -> Generator[dict[str, Any], None, None]:
    """How a client reaches the sellers, who are at the address that the request came to; what fails is a 502."""
    origin = request.build_absolute_uri("/").rstrip("/")
    if origin not in settings.UPSTREAM_ORIGINS:
        raise UpstreamUnavailable("No sellers are known at this address.")
    try:
        yield {"base_url": origin, "timeout": 5, "trust_env": False, "verify": TLS}
    except httpx.HTTPError as error:
        raise UpstreamUnavailable from error


def addresses(pk: int) -> list[str]:
    """Where each seller tells what it wants for a book."""
    return [reverse("upstream", [seller, pk]) for seller in settings.SELLERS]


def offer_in(answer: httpx.Response) -> dict[str, Any]:
    """One seller's answer."""
    offer: dict[str, Any] = answer.raise_for_status().json()
    return offer
