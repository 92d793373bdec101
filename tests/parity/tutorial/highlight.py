"""Code as HTML, coloured a little."""

from __future__ import annotations

import html
import keyword
import re

LANGUAGES = [("python", "Python"), ("text", "Plain text")]
STYLES = [("friendly", "friendly"), ("plain", "plain")]

_WORD = re.compile(r"[A-Za-z_]+|&\w+;")
_CSS = {"friendly": "b { color: green }", "plain": ""}


def highlight(code: str, *, language: str, style: str, title: str, linenos: bool) -> str:
    """Return an HTML document of ``code``."""
    shown = html.escape(code)
    if language == "python":
        shown = _WORD.sub(lambda word: f"<b>{word[0]}</b>" if keyword.iskeyword(word[0]) else word[0], shown)
    if linenos:
        shown = "\n".join(f"{number} {line}" for number, line in enumerate(shown.splitlines(), 1))
    heading = f"<h2>{html.escape(title)}</h2>" if title else ""
    return f"<!DOCTYPE html>\n<style>{_CSS[style]}</style>\n{heading}<pre>{shown}</pre>\n"
