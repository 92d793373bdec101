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
    """Use fast versions as long as ``settings.FAST_VERSIONS`` is true."""
    _switch.settings = settings


def has_fast_version(flow: _F) -> _F:
    """Let a flow have fast versions, which are added by ``fast_version_of``.

    Args:
        flow: the general flow.

    Returns:
        A flow that runs a fast version if its condition holds, otherwise the general one.
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
    """Register a flow as the fast version of a general one.

    Args:
        method: the general flow, or a method made from it.
        when: a predicate of the flow's arguments, true if both versions would do the same.

    Returns:
        A decorator for the fast version, which takes the same arguments.
    """

    def decorate(version: _F) -> _F:
        general: Any = facts_of(method).flow or method
        general.fast_versions.append((when, version))
        return version

    return decorate
