"""The tutorial, followed in an empty folder: its files written, its commands run, its server started."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.docs.curl import Command, commands, parse
from tests.docs.pages import ROOT, Block, blocks_of

pytestmark = pytest.mark.programs

PAGE = ROOT / "docs" / "tutorial.md"
AT_THE_END = ", at the end"
PORT = "9000"  # of the page
START_SECONDS = 30


class Follower:
    """Someone who does what the tutorial says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = str(listener.getsockname()[1])
        self.server: subprocess.Popen[bytes] | None = None
        inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        self.environment = {**inherited, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(folder)])}

    def follow(self, block: Block) -> None:
        if block.language == "python":
            assert block.title, f"{block}: which file?"
            file = self.folder / block.title.removesuffix(AT_THE_END)
            kept = file.read_text() if block.title.endswith(AT_THE_END) else ""
            file.write_text(kept + block.code)
            return
        for command in commands(block.code):
            if command.line.startswith("curl "):
                self.ask(command, block)
            elif command.line.startswith("uvicorn "):
                self.serve(command)
            else:
                self.run(command)

    def run(self, command: Command) -> None:
        program, *arguments = shlex.split(command.line)
        call = {"python": [sys.executable], "django-admin": [sys.executable, "-m", "django"]}[program]
        done = subprocess.run(
            [*call, *arguments], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "WARNINGS" not in done.stderr, done.stderr

    def serve(self, command: Command) -> None:
        self.stop()
        _, *arguments = shlex.split(command.line.replace(PORT, self.port))
        with (self.folder / "server.log").open("wb") as log:
            self.server = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", *arguments],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", int(self.port)), timeout=1).close()
            except OSError:
                assert self.server.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.05)
            else:
                return

    def ask(self, command: Command, block: Block) -> None:
        sent = parse(command.line.replace(PORT, self.port))
        answer = httpx.request(sent.method, sent.url, headers=sent.headers, content=sent.body, timeout=30)
        shown = sent.shown(answer.status_code, answer.content).replace(self.port, PORT)
        assert shown == command.output, f"{block}: {command.line}\n{self.log()}"

    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def stop(self) -> None:
        if self.server is not None:
            self.server.terminate()
            self.server.wait()


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[Follower]:
    follower = Follower(tmp_path)
    yield follower
    follower.stop()


def test_the_tutorial_works_as_written(follower: Follower) -> None:
    followed = [block for block in blocks_of(PAGE) if not block.directive]
    assert followed
    for block in followed:
        follower.follow(block)
    page = httpx.get(f"http://127.0.0.1:{follower.port}/", headers={"accept": "text/html"}).text
    styles = re.findall(r'href="(/static/[^"]+[.]css)"', page)
    assert styles
    assert {httpx.get(f"http://127.0.0.1:{follower.port}{style}").status_code for style in styles} == {200}
    assert "Traceback" not in follower.log()
