"""Functions of the package fit on a page, without their docstrings; files of tests are no longer than one subject."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import restflow

LONGEST = 40
LONGEST_TEST_FILE = 600
FILES = sorted(Path(restflow.__file__).parent.rglob("*.py"))
TESTS = sorted(Path(__file__).parent.rglob("*.py"))


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(file.parts[-2:]))
def test_a_function_fits_on_a_page(file: Path) -> None:
    functions = [
        each
        for each in ast.walk(ast.parse(file.read_text()))
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [each.name for each in functions if lines_of(each) > LONGEST] == []


def test_a_file_of_tests_has_one_subject() -> None:
    lines = {str(file.relative_to(TESTS[0].parent)): len(file.read_text().splitlines()) for file in TESTS}
    assert {name: count for name, count in lines.items() if count > LONGEST_TEST_FILE} == {}
