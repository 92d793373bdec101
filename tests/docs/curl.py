"""The curl lines of the documentation, sent without curl."""

from __future__ import annotations

import argparse
import base64
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Command:
    """One ``$`` line of a console block, and what stands below it."""

    line: str
    output: str


def commands(code: str) -> Iterator[Command]:
    """Yield the commands of a console block."""
    for part in ("\n" + code).split("\n$ ")[1:]:
        line, _, output = part.replace("\\\n", " ").partition("\n")
        yield Command(line, output.strip("\n"))


@dataclass
class Sent:
    """What a curl line sends."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    write_out: str

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def path(self) -> str:
        parts = urlsplit(self.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def shown(self, status: int, body: bytes) -> str:
        """What curl prints of an answer."""
        ending = self.write_out.replace("%{http_code}", str(status)).replace("\\n", "\n")
        return (body.decode() + ending).strip("\n")


def parse(line: str) -> Sent:
    """Read a curl line; an option that no page uses is an error."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-X", default=None)
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-d", action="append", default=[])
    parser.add_argument("-u", default=None)
    parser.add_argument("-w", default="")
    parser.add_argument("url")
    name, *rest = shlex.split(line)
    assert name == "curl", line
    given = parser.parse_args(rest)
    headers = dict(header.split(": ", 1) for header in given.H)
    body = "&".join(given.d) if given.d else None
    if body is not None and "Content-Type" not in headers:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    if given.u:
        headers["Authorization"] = "Basic " + base64.b64encode(given.u.encode()).decode()
    return Sent(
        method=given.X or ("GET" if body is None else "POST"),
        url=given.url,
        headers=headers,
        body=None if body is None else body.encode(),
        write_out=given.w,
    )
