"""What these tests share: the same URLs over DRF's base classes and restflow's, asked the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.test import override_settings

from tests.colours import ASYNC, BASES, DRF, SYNC, THROUGHOUT, alike
from tests.databases import fresh
from tests.matrix import LONG
from tests.parity.harness import ASGI, OVER, WSGI, Answer, Ask
from tests.site import Site

OURS = {name: BASES[name] for name in (SYNC, ASYNC, THROUGHOUT)}


def nothing() -> None:
    """Put nothing into the database."""


def same(
    urls: Callable[[Any], list[Any]],
    asks: Iterable[Ask],
    database: str,
    populate: Callable[[], None] = nothing,
    mask: Callable[[Answer], Answer] = lambda answer: answer,
    ours: dict[str, Any] = OURS,
    **settings: Any,
) -> list[Answer]:
    """Return DRF's answers, once restflow's classes of every colour were found to give the same.

    Args:
        urls: makes the URL patterns over base classes.
        asks: the requests, sent in order.
        database: the alias of the database, emptied each time.
        populate: fills the database.
        mask: hides in an answer what no two have alike.
        ours: restflow's base classes.
        settings: Django settings meanwhile.
    """
    asks = list(asks)

    def answers(bases: Any, transport: str) -> list[Answer]:
        with fresh(database), override_settings(**settings), Site(urls(bases)) as site:
            populate()
            return [mask(OVER[transport](site, ask)) for ask in asks]

    # What the transport and the database change does not depend on the colour.
    for transport in (ASGI, WSGI) if database == "default" else (ASGI,):
        theirs = answers(BASES[DRF], transport)
        each = list(ours) if LONG or (transport, database) == (ASGI, "default") else [*ours][-1:]
        for name in each:
            alike(asks, answers(ours[name], transport), theirs, name)
    return theirs
