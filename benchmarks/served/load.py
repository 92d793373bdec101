"""Requests as fast as the server answers them, over connections that are kept: by wrk, else by a client of our own."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

_SCRIPT = Path(__file__).with_name("wrk.lua")
_prefixes = itertools.count(1)


@dataclass(frozen=True)
class Scenario:
    """One kind of request.

    Args:
        name: what the report calls it.
        path: of the request.
        body: of a POST; ``@`` in it becomes a text of 13 characters that differs in each request. None for a GET.
        status: of the answer.
        generated: keys of the answer that differ.
    """

    name: str
    path: str
    body: str | None = None
    status: int = 200
    generated: frozenset[str] = frozenset()


class Answered(NamedTuple):
    """What came of a load: seconds, and milliseconds for the percentiles."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


def new_prefix() -> str:
    """Return four characters that begin the numbers of one load, as no others in the table do."""
    return f"L{next(_prefixes) % 1000:03}"


def load(port: int, scenario: Scenario, seconds: float, connections: int, *, with_wrk: bool) -> Answered:
    """Send requests for ``seconds`` over ``connections``."""
    if with_wrk:
        return _by_wrk(port, scenario, seconds, connections)
    return asyncio.run(_by_ourselves(port, scenario, seconds, connections))


def _by_wrk(port: int, scenario: Scenario, seconds: float, connections: int) -> Answered:
    variables = {name: value for name, value in os.environ.items() if name != "BENCH_BODY"}
    if scenario.body is not None:
        variables |= {"BENCH_BODY": scenario.body, "BENCH_PREFIX": new_prefix()}
    command = ["wrk", "--threads=1", f"--connections={connections}", f"--duration={max(1, round(seconds))}s"]
    address = f"http://127.0.0.1:{port}{scenario.path}"
    run = subprocess.run(
        [*command, "--timeout=30s", f"--script={_SCRIPT}", address],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return Answered(**json.loads(run.stdout.splitlines()[-1]))


async def _by_ourselves(port: int, scenario: Scenario, seconds: float, connections: int) -> Answered:
    numbers, prefix = itertools.count(), new_prefix()
    latencies: list[float] = []
    errors = 0
    started = perf_counter()

    async def keep_asking() -> None:
        nonlocal errors
        client: Client | None = None
        while (began := perf_counter()) < started + seconds:
            try:
                client = client or await Client.connected(port)
                body = scenario.body and scenario.body.replace("@", f"{prefix}{next(numbers):09}")
                status, _ = await client.fetch("GET" if body is None else "POST", scenario.path, body or "")
                errors += status != scenario.status
                latencies.append((perf_counter() - began) * 1e3)
            except (OSError, EOFError):
                errors, client = errors + 1, None
                await asyncio.sleep(0.01)
        if client is not None:
            client.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(keep_asking())
    took = perf_counter() - started
    percentiles = statistics.quantiles(latencies, n=100) if len(latencies) > 1 else [0.0] * 99
    return Answered(len(latencies), took, percentiles[49], percentiles[98], errors)


class Client:
    """A connection that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connected(cls, port: int) -> Client:
        """Return one to a server of this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def fetch(self, method: str, path: str, body: str = "") -> tuple[int, bytes]:
        """Send a request and return the answer's status and body."""
        self.send(method, path, body)
        return await self.answer()

    def send(self, method: str, path: str, body: str = "") -> None:
        """Send a request."""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        if method == "POST":
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.writer.write(f"{head}\r\n{body}".encode())

    async def answer(self) -> tuple[int, bytes]:
        """Wait for an answer and return its status and body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        if b"transfer-encoding: chunked" in head:
            return status, b"".join([chunk async for chunk in self.chunks()])
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        return status, await self.reader.readexactly(length)

    async def chunks(self):  # type: ignore[no-untyped-def]
        """Give the pieces of a chunked body."""
        while length := int(await self.reader.readline(), 16):
            yield await self.reader.readexactly(length)
            await self.reader.readline()
        await self.reader.readline()

    def close(self) -> None:
        """Leave."""
        self.writer.close()
