"""What is measured: a case is one piece of work, a variant is one way to write it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Variant:
    """One way to write a case's view.

    Args:
        name: what the report calls it; unique within its case.
        view: the view function, as a URLconf takes it.
        goal: the highest ratio to the case's floor that is good enough, if one is set.
    """

    name: str
    view: Callable[..., Any]
    goal: float | None = None


@dataclass(frozen=True)
class Refusal:
    """A request that every variant but the floor has to turn down: proof that its policies are asked."""

    headers: Headers
    status: int


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
        refusals: asked of each variant but the floor before anything is timed.
        comparisons: variants to set against each other directly.
    """

    name: str
    variants: tuple[Variant, ...]
    headers: Headers = ()
    refusals: tuple[Refusal, ...] = ()
    comparisons: tuple[Comparison, ...] = ()

    @property
    def floor(self) -> Variant:
        """The variant that the others are measured against."""
        return self.variants[0]

    def path(self, variant: Variant) -> str:
        """The URL path of ``variant``, without its leading slash."""
        return f"{self.name}/{self.variants.index(variant)}/"
