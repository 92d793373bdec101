"""Writes docs/reference/members.md: every public name, with the members that its class has from DRF and Django.

The pages of the reference are made of the source, where what a class inherits from another package is not seen.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from typing import Any

from django.test import SimpleTestCase

from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "reference" / "members.md"
MODULES = {
    "views": "views.md",
    "serializers": "serializers.md",
    "permissions": "permissions.md",
    "authentication": "authentication.md",
    "throttling": "throttling.md",
    "pagination": "pagination.md",
    "filters": "filters.md",
    "request": "request.md",
    "responses": "responses.md",
    "exceptions": "exceptions.md",
    "post_fetch": "post_fetch.md",
    "db": "db.md",
    "asgi": "asgi.md",
    "flow": "flow.md",
    "test": "test.md",
}
# Of `flow`, one name is for users.
PUBLIC = {"flow": ["nonblocking"]}

HEAD = """\
---
search:
  boost: 0.5
---

# All names

Every name of every public module, and every member of its classes, those from DRF and Django too. A member that a base
class above has is not listed again. Where a method has an async twin, both names stand in one row; either may be
overridden, by `def` or `async def`. `restflow.viewsets`, `restflow.generics`, `restflow.mixins` and
`restflow.decorators` have the names of `restflow.views` that DRF has in modules so called.
"""


def names_of(module: str) -> list[str]:
    """The public names of a module, the sync class before the async one."""
    names = PUBLIC.get(module) or importlib.import_module(f"restflow.{module}").__all__
    return sorted(names, key=lambda name: (name.removeprefix("Async"), name))


def origin(cls: type, name: str) -> str:
    """Whose a member is."""
    for base in cls.__mro__:
        if name in vars(base):
            package = base.__module__.partition(".")[0]
            return {"restflow": "restflow", "rest_framework": "DRF", "django": "Django"}.get(package, "Python")
    return "restflow"


def members(cls: type) -> Iterator[tuple[str, str, str]]:
    """Yield the public members of a class: name, twin, and whose it is; of a test case, not those of Django's."""
    shown = {name for name in dir(cls) if not name.startswith("_")}
    twins = {f"a{name}" for name in shown if f"a{name}" in shown}
    for name in sorted(shown - twins):
        whose = origin(cls, name)
        if whose != "Python" and not (issubclass(cls, SimpleTestCase) and whose == "Django"):
            yield name, f"a{name}" if f"a{name}" in twins else "", whose


def sections(module: str) -> list[tuple[str, ...]]:
    """The classes of a module, those in two colours together; bases before what is built on them."""
    found = importlib.import_module(f"restflow.{module}")
    classes = [name for name in names_of(module) if is_ours(getattr(found, name))]
    pairs = [
        (name, f"Async{name}") if f"Async{name}" in classes else (name,)
        for name in classes
        if name.removeprefix("Async") not in classes or not name.startswith("Async")
    ]
    return sorted(pairs, key=lambda pair: (len(getattr(found, pair[-1]).__mro__), pair))


def rows(module: str, listed: dict[type, set[str]]) -> Iterator[str]:
    """Yield the lines of one module's section."""
    found = importlib.import_module(f"restflow.{module}")
    others = [name for name in names_of(module) if not is_ours(getattr(found, name))]
    if others:
        yield ", ".join(f"`{name}`" for name in others)
    for pair in sections(module):
        cls: Any = getattr(found, pair[-1])
        own = list(members(cls))
        above = {member for base in cls.__mro__[1:] for member in listed.get(base, ())}
        listed[cls] = {member for member, *_ in own}
        yield ""
        yield f"### {', '.join(pair)}"
        yield ""
        new = [row for row in own if row[0] not in above]
        if not new:
            nearest = bases(cls, listed)
            yield f"The members of {', '.join(nearest)}." if nearest else "No members to use."
            continue
        yield "| member | async | of |"
        yield "| --- | --- | --- |"
        for member, twin, whose in new:
            yield f"| `{member}` | {f'`{twin}`' if twin else ''} | {whose} |"


def bases(cls: type, listed: dict[type, set[str]]) -> list[str]:
    """The classes above it, the nearest only."""
    above = [base for base in cls.__mro__[1:] if base in listed]
    return [f"`{base.__name__}`" for base in above if not any(base in other.__mro__[1:] for other in above)]


def is_ours(value: Any) -> bool:
    """Tell whether it is a class of restflow's, whose members are listed."""
    return inspect.isclass(value) and value.__module__.startswith("restflow")


def text() -> str:
    """The page."""
    listed: dict[type, set[str]] = {}
    lines = [HEAD]
    for module, page in MODULES.items():
        lines += [f"## [restflow.{module}]({page})", "", *rows(module, listed), ""]
    return "\n".join(lines).replace("\n\n\n", "\n\n").rstrip() + "\n"


if __name__ == "__main__":
    import django

    django.setup()
    PAGE.write_text(text())
    sys.exit(0)
