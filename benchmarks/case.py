"""What is measured: a case is one piece of work, a variant is one way to write it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, eq=False)  # each is itself only: finding its URL is part of what is timed
class Variant:
    """One way to write a case's view.

    Args:
        name: what the report calls it; unique within its case.
        view: the view function, as a URLconf takes it.
        goal: the highest ratio to the case's floor that is good enough, if one is set.
        entry: whose ASGI handler serves it, "django", "restflow" or "bound".
    """

    name: str
    view: Callable[..., Any]
    goal: float | None = None
    entry: str = "django"


@dataclass(frozen=True)
class Refusal:
    """A request that every variant but the floor has to turn down: proof that its checks are made."""

    headers: Headers
    status: int
    body: bytes = b""


@dataclass(frozen=True)
class Comparison:
    """Two variants set against each other, by name, and the highest ratio that is good enough."""

    variant: str
    against: str
    goal: float


@dataclass(frozen=True)
class Case:
    """One piece of work, and the ways to write it.

    Args:
        name: what ``--only`` and the report call it; unique.
        variants: the ways to write it; the first is the floor that the others are measured against.
        headers: sent with every timed request.
        method: of every request.
        body: sent with every timed request.
        status: what each of them is answered with.
        route: what follows a variant's own path in the URLconf.
        tail: what follows it in a request's path.
        generated: keys of the answer that differ from one request to the next.
        undo: takes back what a request did to the database; called after each, outside the time.
        refusals: asked of each variant but the floor before anything is timed.
        comparisons: variants to set against each other directly.
        middleware: of the handlers that serve it.
        by_cpu: whether ratios and goals are of the processor's time, which is steadier, and not of the clock's.
    """

    name: str
    variants: tuple[Variant, ...]
    headers: Headers = ()
    method: str = "GET"
    body: bytes = b""
    status: int = 200
    route: str = ""
    tail: str = ""
    generated: frozenset[str] = frozenset()
    undo: Callable[[], Any] | None = None
    refusals: tuple[Refusal, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    middleware: tuple[str, ...] = ()
    by_cpu: bool = False

    @property
    def floor(self) -> Variant:
        """The variant that the others are measured against."""
        return self.variants[0]

    def path(self, variant: Variant) -> str:
        """The path of ``variant`` in the URLconf."""
        return f"{self.prefix(variant)}{self.route}"

    def url(self, variant: Variant) -> str:
        """The path of a request to ``variant``."""
        return f"/{self.prefix(variant)}{self.tail}"

    def prefix(self, variant: Variant) -> str:
        """The first two segments of the paths of ``variant``."""
        return f"{self.name}/{self.variants.index(variant)}/"
