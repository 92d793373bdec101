"""docs/explanation/specification.md maps each sentence of the specification to its tests."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT
from tests.spec.support import SPECIFICATION

TABLE = ROOT / "docs" / "explanation" / "specification.md"


def sentences() -> list[str]:
    """Every sentence, list item and table row of the specification, in order."""
    text = re.sub(r"^```.*?^```$", "", SPECIFICATION.read_text(), flags=re.M | re.S)
    found: list[str] = []
    for line in text.splitlines():
        if not line or line.startswith(("#", "<!--", "| ---")):
            continue
        if line.startswith("|"):
            found.append(" / ".join(cell.strip() for cell in line.strip("|").split("|")))
        else:
            found += re.split(r"(?<=\.)\s+(?=[A-Z])", line.removeprefix("- "))
    return found


def rows() -> list[tuple[str, list[str]]]:
    """The sentences of the table, each with the tests it names."""
    found = []
    for line in TABLE.read_text().splitlines():
        if line.startswith("| ") and "`tests/spec/" in line:
            sentence, tests = line.strip("| ").split(" | ")
            found.append((sentence, re.findall(r"`(tests/spec/\w+\.py::\w+)`", tests)))
    return found


def test_every_sentence_is_in_the_table() -> None:
    wanted = [sentence for sentence in sentences() if sentence not in {"Direction / Getter / Falls back to"}]
    wanted = [sentence for sentence in wanted if sentence != "Hook / Override to"]
    assert len(wanted) > 70
    assert [sentence for sentence, _ in rows()] == wanted
    assert all(tests for _, tests in rows())


def test_every_test_of_the_table_exists_and_every_test_is_in_it() -> None:
    existing = {
        f"tests/spec/{file.name}::{name}"
        for file in (ROOT / "tests" / "spec").glob("test_*.py")
        for name in re.findall(r"^(?:(?:async )?def|class) ([tT]est\w*)", file.read_text(), flags=re.M)
    }
    named = {test for _, tests in rows() for test in tests}
    unmapped = {test for test in existing - named if not test.startswith("tests/spec/test_table.py")}
    assert (named - existing, unmapped) == (set(), set())
