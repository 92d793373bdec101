"""The code blocks of the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)(?P<title>[^\n]*)\n(?P<code>.*?)^(?P=indent)```$", re.M | re.S)
_CAPTION = re.compile(r"\*\*`(?P<title>[^`\n]+)`\*\*(?P<rest>[^\n]*)\n\n\Z")
_DIRECTIVE = re.compile(r"<!--\s*(?P<name>skip|run by): *(?P<value>[^>]*?)\s*-->\s*\Z")


@dataclass
class Block:
    """A fenced block: its page, language and code, the line its code begins at, and the comment before it.

    Its title is that of the fence, or stands above it: **`file.py`**
    """

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
        before = text[: fence.start()]
        caption = _CAPTION.search(before)
        named = title[1] if title else "".join(caption.groups()) if caption else ""
        block = Block(page, fence["language"], named, code, before.count("\n") + 2)
        if directive := _DIRECTIVE.search(before):
            block.directive, block.value = directive["name"], directive["value"]
        yield block
