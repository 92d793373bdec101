"""Whose code a class or function is: DRF's, Django's, ours, or a project's.

Looks only at module names. A function that another package has put into one of these classes is recognised by its
globals (``is_frameworks_function``), or by identity (``restflow.drf``).
"""

from __future__ import annotations

import types
from typing import Any

_DRF, _OURS = "rest_framework.", "restflow."
_FRAMEWORKS = (_DRF, "django.", _OURS)


def is_drfs(cls: type) -> bool:
    """Tell whether a class is defined in DRF."""
    return cls.__module__.startswith(_DRF)


def is_ours(cls: type) -> bool:
    """Tell whether a class is defined in restflow."""
    return cls.__module__.startswith(_OURS)


def is_frameworks(cls: type) -> bool:
    """Tell whether a class is defined in DRF, Django or restflow."""
    return cls.__module__.startswith(_FRAMEWORKS)


def is_trusted(cls: type) -> bool:
    """Tell whether a class is defined in DRF, Django or restflow, or is one of Python's built-in classes."""
    return cls.__module__.startswith((*_FRAMEWORKS, "builtins"))


def is_frameworks_function(function: Any) -> bool:
    """Tell whether a function's code is defined in DRF, Django or restflow, whichever class holds it."""
    is_function = type(function) is types.FunctionType  # wrapt's proxies show the globals of the function they wrap
    return is_function and str(function.__globals__.get("__name__")).startswith(_FRAMEWORKS)
