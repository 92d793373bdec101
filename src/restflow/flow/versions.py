"""Flows with a fast version: a switch enters it if its condition holds, otherwise the general version.

Knows nothing else of the two. The condition is written with the fast version (``views/fast.py``); the general version
is written where it belongs, and reads like DRF.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeVar

from restflow.flow.natures import Flow, facts_of

_F = TypeVar("_F", bound=Callable[..., Any])


class _Switch:
    settings: Any


_switch = _Switch()


def switch_fast_versions_by(settings: Any) -> None:
    """Have fast versions taken as long as ``settings.FAST_VERSIONS`` is true."""
    _switch.settings = settings


def has_fast_version(flow: _F) -> _F:
    """Let a flow have a fast version, which ``fast_version_of`` gives it.

    Args:
        flow: the general flow.

    Returns:
        A flow that enters the fast version where that may be taken, and else the general one.
    """
    fast: list[tuple[Callable[..., bool], Flow]] = []

    def chosen(*args: Any, **kwargs: Any) -> Any:
        if _switch.settings.FAST_VERSIONS:
            for when, version in fast:
                if when(*args, **kwargs):
                    return version(*args, **kwargs)
        return flow(*args, **kwargs)

    made: Any = update_wrapper(chosen, flow)
    made.fast_versions = fast
    return made  # type: ignore[no-any-return]


def fast_version_of(method: Any, *, when: Callable[..., bool]) -> Callable[[_F], _F]:
    """Have a flow taken in place of a general one, of which it is the fast version.

    Args:
        method: the general flow, or a method made of it.
        when: tells, of the flow's arguments, whether both would come to the same.

    Returns:
        A decorator of the fast version, which has the same arguments.
    """

    def decorate(version: _F) -> _F:
        general: Any = facts_of(method).flow or method
        general.fast_versions.append((when, version))
        return version

    return decorate
