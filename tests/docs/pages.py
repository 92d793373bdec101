"""The code blocks of the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)(?P<title>[^\n]*)\n(?P<code>.*?)^(?P=indent)```$", re.M | re.S)
_DIRECTIVE = re.compile(r"<!--\s*(?P<name>skip|run by): *(?P<value>[^>]*?)\s*-->\s*\Z")


@dataclass
class Block:
    """A fenced block: its page, language and code, the line its code begins at, and the comment before it."""

    page: Path
    language: str
    title: str
    code: str
    line: int
    directive: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of one page, in order."""
    text = page.read_text()
    for fence in _FENCE.finditer(text):
        indent = len(fence["indent"])
        code = "".join(line[indent:] or "\n" for line in fence["code"].splitlines(keepends=True))
        title = re.search(r'title="([^"]*)"', fence["title"])
        line = text.count("\n", 0, fence.start()) + 2
        block = Block(page, fence["language"], title[1] if title else "", code, line)
        if directive := _DIRECTIVE.search(text[: fence.start()]):
            block.directive, block.value = directive["name"], directive["value"]
        yield block
