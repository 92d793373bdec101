"""Makes async hooks work on sync views, whose ``dispatch`` is DRF's: it awaits nothing.

Sets methods on the view object for DRF's loop to call. Called by ``base`` when that loop creates its request.
"""

from __future__ import annotations

import types
from operator import attrgetter
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework import views as drf

from restflow.flow import callable_from_sync, plan_of, unchanged
from restflow.views.hooks import CALLED_FOR_EFFECT

_DRFs: Any = drf.APIView
_STEPS = ("initial", "perform_authentication", "perform_content_negotiation", "determine_version")
_DRFS_STEPS = attrgetter(*_STEPS)(_DRFs)
_drf_has_its_steps = unchanged(_DRFs, _STEPS)


def have_checks_awaited(view: Any) -> None:
    """Wrap those checks of a sync view that may be async, so that they run to their end where DRF's loop calls them.

    Raises:
        ImproperlyConfigured: one is a property, which hides the wrapper set on the view.
    """
    own = vars(view)
    for name in {*_not_known_to_be_sync(type(view)), *filter(own.__contains__, CALLED_FOR_EFFECT)}:
        method = getattr(view, name, None)
        if method is not None and (awaiting := callable_from_sync(method)) is not method:
            own[name] = awaiting
            if getattr(view, name) is not awaiting:
                raise ImproperlyConfigured(
                    f"{type(view).__name__}.{name} is a property. Its value may be async, and would never "
                    "be awaited: make it a method."
                )


def have_drfs_steps(view: Any, base: Any) -> None:
    """Call DRF's steps if another package has patched them on DRF's class, as a view of DRF's would.

    Args:
        base: our class; overrides in a subclass of it are kept.
    """
    if not _drf_has_its_steps():
        for name, as_imported in zip(_STEPS, _DRFS_STEPS, strict=True):
            if getattr(_DRFs, name) is not as_imported and getattr(type(view), name) is getattr(base, name):
                vars(view).setdefault(name, types.MethodType(getattr(_DRFs, name), view))


def _not_known_to_be_sync(cls: type) -> list[str]:
    """Return those of ``CALLED_FOR_EFFECT`` for which a class has anything but a function of DRF's or ours."""
    return plan_of(cls).ask("not known to be sync", CALLED_FOR_EFFECT, _look_for_async)


def _look_for_async(cls: type) -> list[str]:
    return [name for name in CALLED_FOR_EFFECT if not _is_known_to_be_sync(getattr(cls, name, None))]


def _is_known_to_be_sync(function: Any) -> bool:
    return function is None or (type(function) is types.FunctionType and callable_from_sync(function) is function)
