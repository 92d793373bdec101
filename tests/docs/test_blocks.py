"""Every code block of the README and the documentation, run in the order of its page.

A page's Python blocks share their names, as one module's; its console blocks send their curl lines to the page's
``urlpatterns`` and get the answers that the page shows. A block titled ``settings.py`` holds for the rest of its page.
Test cases in a block are run. A page may leave out a block only by a comment that says why:
``<!-- skip: reason -->``, or ``<!-- run by: tests/….py::test -->`` where another test runs it.
"""

from __future__ import annotations

import ast
import sys
import types
import unittest
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from typing import Any

import pytest
from django.db import connection
from django.test import SimpleTestCase, override_settings
from rest_framework.pagination import PageNumberPagination
from rest_framework.throttling import SimpleRateThrottle

import tests.docs.accounts
import tests.shop.models
from tests.docs.curl import commands, parse
from tests.docs.pages import PAGES, ROOT, Block, blocks_of
from tests.site import Site

# Run whole, by a test of its own.
FOLLOWED = {ROOT / "docs" / "tutorial.md": "tests/docs/test_tutorial.py::test_the_tutorial_works_as_written"}
RUN = {"python", "console"}
PACKAGES = {
    "shop": tests.shop,
    "shop.models": tests.shop.models,
    "accounts": types.ModuleType("accounts"),
    "accounts.models": tests.docs.accounts,
}


class Page:
    """One page as it is run: its names, and the settings in force."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
        self.monkeypatch = monkeypatch
        self.stack = stack
        self.module = types.ModuleType("documented")
        monkeypatch.setitem(sys.modules, "documented", self.module)
        for name, module in PACKAGES.items():
            monkeypatch.setitem(sys.modules, name, module)

    def run(self, block: Block) -> None:
        if block.language == "console":
            self.console(block)
            return
        source = compile("\n" * (block.line - 1) + block.code, str(block.page), "exec")
        if block.title == "settings.py":
            names: dict[str, Any] = {}
            exec(source, names)
            self.settings({name: value for name, value in names.items() if name.isupper()})
            return
        if block.title == "shop/upstream.py":  # is imported by the blocks that come after it
            self.monkeypatch.setitem(sys.modules, "shop.upstream", self.module)
        names = vars(self.module)
        before = dict(names)
        with connection.execute_wrapper(refused) if block.title == "shop/views.py" else nullcontext():
            exec(source, names)
        for name, value in names.items():
            is_new = before.get(name) is not value and getattr(value, "__module__", None) == self.module.__name__
            if is_new and isinstance(value, type) and issubclass(value, SimpleTestCase):
                self.test_case(value)

    def settings(self, settings: dict[str, Any]) -> None:
        self.stack.enter_context(override_settings(**settings))
        if size := settings.get("REST_FRAMEWORK", {}).get("PAGE_SIZE"):
            self.monkeypatch.setattr(PageNumberPagination, "page_size", size)  # DRF read the setting at import
        if rates := settings.get("REST_FRAMEWORK", {}).get("DEFAULT_THROTTLE_RATES"):
            self.monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)

    def console(self, block: Block) -> None:
        with Site(self.module.urlpatterns) as site:
            for command in commands(block.code):
                sent = parse(command.line)
                answer = site.send(sent.method, sent.path, body=sent.body, headers={**sent.headers, "host": sent.host})
                assert sent.shown(answer.status, answer.body) == command.output, f"{block}: {command.line}"

    def test_case(self, case: type[SimpleTestCase]) -> None:
        suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
        result = unittest.TestResult()
        with override_settings(ROOT_URLCONF=tuple(self.module.urlpatterns), MIDDLEWARE=MIDDLEWARE):
            suite.run(result)
        assert not result.errors + result.failures, result.errors + result.failures
        assert result.testsRun


def refused(*args: Any) -> Any:
    raise AssertionError("A module that queries when it is imported breaks `migrate`.")


# What a session needs of those that `startproject` writes.
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]


def outside(block: Block) -> bool:
    return block.language not in RUN or bool(block.directive) or block.page in FOLLOWED


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    with ExitStack() as stack:
        yield Page(monkeypatch, stack)


@pytest.mark.django_db(transaction=True, reset_sequences=True)
@pytest.mark.parametrize(
    "path", [path for path in PAGES if path not in FOLLOWED], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_the_blocks_of_a_page_do_what_it_says(path: Any, page: Page) -> None:
    for block in blocks_of(path):
        if not outside(block):
            page.run(block)


def test_every_block_left_out_says_why() -> None:
    said = [block for path in PAGES for block in blocks_of(path) if block.directive]
    assert said
    for block in said:
        assert block.value, block
        if block.directive == "run by":
            file, _, name = block.value.partition("::")
            functions = {node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if hasattr(node, "name")}
            assert name in functions, block


def test_every_fence_is_closed_and_read() -> None:
    for path in PAGES:
        fences = sum(line.lstrip().startswith("```") for line in path.read_text().splitlines())
        assert fences == 2 * len(list(blocks_of(path))), path
