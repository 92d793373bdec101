"""Compiles a comparison that tells, as cheaply as Python can, whether attributes are still the same objects.

Reads attributes of classes and modules. Used by ``flow/plan.py`` for classes, and by the modules that know DRF's
functions.
"""

from __future__ import annotations

import builtins
import linecache
import types
from collections.abc import Callable, Sequence
from itertools import count
from keyword import iskeyword
from typing import Any

from restflow.flow.remembered import remembered

_ABSENT = object()


def unchanged(owner: Any, names: Sequence[str], *others: tuple[Any, Sequence[str]]) -> Callable[[], bool]:
    """Record the current values of attributes, and return a function that tells whether they are the same objects.

    Args:
        owner: a class, a module or a namespace.
        names: its attributes; dotted (``"Class.method"``) for an attribute of an attribute. A name that is missing now
            must still be missing later; a dotted name that is missing never counts as unchanged.
        others: more owners, each with its names.

    Returns:
        A function that returns True as long as each name finds the identical object.
    """
    owners = ((owner, names), *others)
    found = tuple(_find(each, name) for each, theirs in owners for name in theirs)
    wanted = tuple((place, name) for place, (_, theirs) in enumerate(owners) for name in theirs)
    absent = frozenset(look for look, value in zip(wanted, found, strict=True) if value is _ABSENT)
    # Each owner gets its own copy of the code, so that CPython specialises the attribute look-ups for that class: they
    # then compare a version number instead of searching the MRO.
    code = _compiled(len(owners), wanted, absent).replace()
    return types.FunctionType(code, _GLOBALS, argdefs=(_ABSENT, *(each for each, _ in owners), *found))


# By name: what Python itself imports meanwhile, to warn of a coroutine for one, it imports by these.
_GLOBALS = {"__builtins__": builtins}


def _find(owner: Any, name: str) -> Any:
    value = owner
    try:
        for part in name.split("."):
            value = getattr(value, part)
    except Exception:  # some descriptors raise when read from the class
        return _ABSENT
    return value


def _look(place: int, name: str, is_absent: bool) -> str:
    parts = name.split(".")
    is_plain = all(part.isidentifier() and not iskeyword(part) for part in parts)
    owner = f"owner_{place}"
    return (
        f"{owner}.{name}" if is_plain and (len(parts) > 1 or not is_absent) else f"getattr({owner}, {name!r}, absent)"
    )


_numbers = count(1)


@remembered
def _compiled(owners: int, wanted: tuple[tuple[int, str], ...], absent: frozenset[tuple[int, str]]) -> types.CodeType:
    looks = [f"{_look(*look, look in absent)} is was_{number}" for number, look in enumerate(wanted)]
    arguments = [*(f"owner_{place}" for place in range(owners)), *(f"was_{number}" for number in range(len(wanted)))]
    source = f"""
def unchanged(absent, {", ".join(arguments)}):
    try:
        return {" and ".join(looks) or True}
    except Exception:
        return False
"""
    made: dict[str, Any] = {}
    filename = f"<restflow unchanged {next(_numbers)}>"
    # For tracebacks and debuggers.
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    exec(compile(source, filename, "exec"), made)
    code: types.CodeType = made["unchanged"].__code__
    return code
