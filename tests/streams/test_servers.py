"""Streams from real servers, to clients that leave, read slowly or never, and through a proxy."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.site import ENTRIES
from tests.test_example import free_port

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[2]
APPLICATION = "tests.streams.served:application"
LARGEST = 64 * 1024  # bytes of each item of the large streams
SERVERS = {
    "uvicorn": ["uvicorn", APPLICATION, "--host=127.0.0.1", "--log-level=warning"],
    "granian": ["granian", APPLICATION, "--interface=asgi", "--host=127.0.0.1", "--no-log", "--workers=1"],
}


@pytest.fixture(scope="module", params=[(server, entry) for server in SERVERS for entry in ENTRIES], ids="-".join)
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a server of each kind, with each entry."""
    server, entry = request.param
    port = free_port()
    variables = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "STREAMS_ENTRY": entry,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
    }
    command = [sys.executable, "-m", *SERVERS[server], f"--port={port}"]
    process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        for _ in range(600):
            with suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/log/")
                break
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@asynccontextmanager
async def asked(port: int, path: str) -> AsyncIterator[asyncio.StreamReader]:
    """Ask for a stream, and leave at the end of the block, whatever was read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    try:
        yield reader
    finally:
        writer.transport.abort()


async def log(port: int) -> Any:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"http://127.0.0.1:{port}/log/", timeout=30)).json()


async def until_logged(port: int, name: str, more_than: int) -> None:
    for _ in range(3000):
        if (await log(port)).get(name, 0) > more_than:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(name)


@pytest.mark.parametrize("name", ["async", "sync", "silent", "swallowing"])
def test_a_generator_ends_when_its_client_leaves_in_the_middle_of_a_chunk(port: int, name: str) -> None:
    async def main() -> None:
        before = (await log(port)).get(f"{name} ended", 0)
        async with asked(port, f"/{name}/") as reader:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(3)
        await until_logged(port, f"{name} ended", before)

    asyncio.run(main())


@pytest.mark.parametrize("name", ["async-large", "sync-large"])
def test_a_client_that_never_reads_stops_the_producer(port: int, name: str) -> None:
    async def main() -> None:
        async with asked(port, f"/{name}/"):
            await until_logged(port, name, 0)
            counts = [0, 1]
            while counts[-1] != counts[-2]:
                await asyncio.sleep(0.5)
                counts.append((await log(port))[name])
                assert counts[-1] * LARGEST < 100_000_000
        await until_logged(port, f"{name} ended", 0)

    asyncio.run(main())


def test_a_client_that_reads_byte_by_byte_has_its_events_and_signs_of_life(port: int) -> None:
    async def main() -> None:
        async with asked(port, "/silent/") as reader:
            seen = b""
            while seen.count(b":\n\n") < 2:
                seen += await reader.readexactly(1)
                await asyncio.sleep(0.001)
            assert seen.index(b"data: first\n\n") < seen.index(b":\n\n")

    asyncio.run(main())


def test_a_failure_in_the_middle_can_be_told(port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    events, lines = (httpx.get(f"{url}/failing-{name}/").content for name in ("events", "lines"))
    assert events.startswith(b"data: 1\n\nevent: error\n")
    assert "error" in json.loads(lines.splitlines()[-1])
    body: list[bytes] = []
    with (
        httpx.stream("GET", f"{url}/failing-list/") as response,
        pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)),
    ):
        body.extend(response.iter_raw())
    assert b"".join(body) == b"[1"
    assert b"secret" not in events + lines


def test_a_client_behind_a_proxy_leaves_too(port: int) -> None:
    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(100):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(forward(reader, their_writer), forward(their_reader, writer))

    async def main() -> None:
        before = (await log(port)).get("async ended", 0)
        async with await asyncio.start_server(connect, "127.0.0.1", 0) as proxy:
            async with asked(proxy.sockets[0].getsockname()[1], "/async/") as reader:
                await reader.readuntil(b"data: x")
            await until_logged(port, "async ended", before)

    asyncio.run(main())
