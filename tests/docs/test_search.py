"""The site's own search, in a browser: the first hit answers what a team asks before it adopts."""

from __future__ import annotations

import functools
import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.docs.pages import ROOT, blocks_of

pytestmark = pytest.mark.programs

# The section is empty where the whole page is the answer.
ANSWERS = {
    "how do I deploy": ("howto/deployment", "how-do-i-deploy-it"),
    "what happens at 100 concurrent requests": (
        "howto/connections",
        "what-happens-at-100-concurrent-requests-or-at-1000",
    ),
    "can I stream tokens": ("howto/streaming", "a-models-tokens-streamed-to-a-browser"),
    "what does a transaction do in an async handler": (
        "howto/connections",
        "what-does-a-transaction-do-in-an-async-handler",
    ),
    "how do I upload": ("howto/uploads", ""),
    "how do I call five services": ("howto/async", "call-five-services-at-once-one-of-which-fails"),
    "how do I test query counts": ("howto/testing", "query-counts"),
    "how do I move one app of forty": ("howto/coming_from_drf", "how-do-i-move-one-app-of-forty"),
    "what breaks": ("howto/coming_from_drf", "what-breaks"),
    "how fast is it": ("explanation/performance", "how-fast-is-it"),
    "performance": ("explanation/performance", ""),
    "httpx": ("howto/async", "one-client-from-the-servers-start-to-its-end"),
    "background task": ("howto/async", "background-tasks-after-the-response"),
    "websocket": ("howto/coming_from_fastapi", "websockets"),
}
# What a browser asks for by itself, of somebody else.
OTHERS = re.compile(r"""<(?:script|img|iframe)\b[^>]*\bsrc="?(?:https?:)?//|<link\b[^>]*\brel="?stylesheet\b[^>]*//""")
FIRST_HIT = ".md-search-result__item:first-child a.md-search-result__link"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The documentation, built and served: its address."""
    for package in "material", "mkdocstrings":
        pytest.importorskip(package)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, check=True)
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_the_first_hit_of_the_search_answers_and_nobody_else_is_asked(site: str, tmp_path: Path, browser: Any) -> None:
    asked: set[str] = set()
    with closing(browser.new_page()) as page:
        page.on("request", lambda request: asked.add(request.url))
        page.goto(site)
        box, found = page.locator("[data-md-component=search-query]"), page.locator(FIRST_HIT)
        box.click()
        for question, (where, section) in ANSWERS.items():
            for text, state in (("", "detached"), (question, "attached")):
                box.fill(text)
                box.dispatch_event("keyup")
                found.first.wait_for(state=state)
            links = [urlsplit(link.get_attribute("href")) for link in found.all()]
            assert all(link.path.endswith(f"{where}/") for link in links), (question, links)
            assert section in {link.fragment for link in links}, (question, links)
    assert {url for url in asked if not url.startswith(site)} == set()
    for built in tmp_path.rglob("*.html"):
        assert not OTHERS.search(built.read_text()), built
    for where, _ in ANSWERS.values():
        assert list(blocks_of(ROOT / "docs" / f"{where}.md")), where
