"""The reference has every public name, and every member that a class inherits."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys

import django
import pytest

import restflow
from tests.docs.members import MODULES, PAGE
from tests.docs.pages import ROOT

# Modules with the names of `restflow.views`, and one that is named in settings.
ELSEWHERE = {"viewsets", "generics", "mixins", "decorators", "spectacular"}


def test_every_public_module_is_in_the_reference() -> None:
    modules = [module.name for module in pkgutil.iter_modules(restflow.__path__)]
    public = {name for name in modules if "__dir__" in vars(importlib.import_module(f"restflow.{name}"))}
    assert public == {*MODULES, *ELSEWHERE}


@pytest.mark.skipif(django.VERSION < (6, 1), reason="the page has the members of the newest Django's classes")
def test_all_names_are_on_their_page() -> None:
    # In a process of its own: a class gains a twin when a subclass writes one, as those of other tests do.
    script = "import django; django.setup(); from tests.docs.members import text; print(text(), end='')"
    printed = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, text=True)
    assert PAGE.read_text() == printed, "run: DJANGO_SETTINGS_MODULE=tests.settings python -m tests.docs.members"


_ENTRY = re.compile(r"^::: (?P<name>[\w.]+)\n(?P<options>(?:    .*\n?)*)", re.M)


def test_what_a_page_lists_of_a_class_is_written_in_that_class() -> None:
    """The pages are made of the source of the class; what it inherits would be left out without a word."""
    listed = 0
    for page in PAGE.parent.glob("*.md"):
        for entry in _ENTRY.finditer(page.read_text()):
            found = pkgutil.resolve_name(entry["name"])
            one_line = re.search(r"members: \[(.*)\]", entry["options"])
            names = one_line[1].split(", ") if one_line else re.findall(r"^ +- (\w+)$", entry["options"], re.M)
            listed += len(names)
            for name in names:
                assert name in vars(found), f"{page.name}: {entry['name']} has no {name} of its own"
    assert listed
