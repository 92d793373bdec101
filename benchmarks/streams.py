"""``python -m benchmarks.streams``: many open event streams on one process, clients that leave, and a long list."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any

from benchmarks.options import positive
from benchmarks.project import NO_POSTGRES, POSTGRES
from benchmarks.report import aligned
from benchmarks.served import database
from benchmarks.served.servers import Running, Server, family, running

ENTRIES = ("django", "restflow")
PROGRAMS = ("uvicorn", "granian")
HEARTBEAT = 1.0
MOST = 64 * 1024 * 1024  # bytes above the start that a list may take
SOON = 100  # milliseconds after its client has left in which a generator's ``finally`` has to run
PAGE = os.sysconf("SC_PAGE_SIZE")
FILL = """
INSERT INTO {table} (isbn, title, author, pages, price, published, in_print)
SELECT {isbn}, 'A title of a usual length', 'An author', 300, 9.99, {date}, {true} FROM {series}
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print what was found, and exit with 1 if it is not as it should be."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then too
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    parser.add_argument("--clients", type=positive, default=500, help="open at once (default: %(default)s)")
    parser.add_argument("--duration", type=positive, default=20, help="seconds they are open (default: %(default)s)")
    parser.add_argument("--rows", type=positive, default=1_000_000, help="of the list (default: %(default)s)")
    parser.add_argument("--tries", type=positive, default=50, help="to leave, of each kind (default: %(default)s)")
    parser.add_argument("--leave-threads", action="store_true", help="with RESTFLOW['STREAMS_LEAVE_THREADS']")
    parser.add_argument("--json", type=Path, metavar="FILE", help="for all that was found")
    options = parser.parse_args(arguments)
    if not POSTGRES:
        parser.exit(1, f"{NO_POSTGRES}\n")
    found: dict[str, dict[str, Any]] = {}
    environment = {"BENCH_LEAVE_THREADS": "1"} if options.leave_threads else {}
    with tempfile.TemporaryDirectory() as directory:
        os.environ["BENCH_SQLITE"] = str(Path(directory) / "rows.sqlite3")
        with database.made() as name:
            _fill(options.rows)
            for entry in ENTRIES:
                server = Server(f"restflow, uvicorn, {entry}'s entry", "streams", entry)
                with running(server, name, **environment) as started:
                    found[entry] = asyncio.run(_events(started, options))
                with running(server, name, **environment) as started:
                    found[entry] |= asyncio.run(_rows(started))
                for program in PROGRAMS:
                    server = Server(f"restflow, {program}, {entry}'s entry", "streams", entry, program=program)
                    with running(server, name, **environment) as started:
                        found[entry] |= asyncio.run(_leaving(started, options.tries))
    lines = [(measure, *(str(found[entry][measure]) for entry in ENTRIES)) for measure in found[ENTRIES[0]]]
    print(aligned([("", *ENTRIES), *lines]))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    if faults := [*_faults(found, options)]:
        print("\n".join(["", "FAULTS:", *faults]))
        sys.exit(1)


def _fill(rows: int) -> None:
    """Fill both tables with as many rows."""
    from django.db import connections

    models: Any = import_module("benchmarks.models")
    numbers = f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) SELECT * FROM s"
    parts = {
        "default": {
            "table": models.PostgreSQLBook._meta.db_table,
            "isbn": "'n' || n",
            "date": "DATE '2000-01-01'",
            "true": "true",
            "series": f"generate_series(1, {rows}) AS n",
        },
        "sqlite": {
            "table": models.SQLiteBook._meta.db_table,
            "isbn": "'n' || n",
            "date": "'2000-01-01'",
            "true": "1",
            "series": f"({numbers})",
        },
    }
    for alias, values in parts.items():
        with connections[alias].cursor() as cursor:
            cursor.execute(FILL.format(**values))
        connections[alias].close()


def _memory(started: Running) -> int:
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE for pid in family(started.pid))


class _Client:
    """One connection, with one request."""

    def __init__(self, started: Running, path: str) -> None:
        self.port, self.path = started.port, path

    async def ask(self) -> asyncio.StreamReader:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return self.reader

    def leave(self) -> None:
        self.writer.transport.abort()


async def _state(started: Running) -> dict[str, Any]:
    client = _Client(started, "/state/")
    reader = await client.ask()
    await reader.readuntil(b"\r\n\r\n")
    answer: dict[str, Any] = json.loads(await reader.readuntil(b"}"))
    client.leave()
    return answer


async def _until(started: Running, name: str, value: int, patience: float = 60) -> tuple[float, dict[str, Any]]:
    began, state = monotonic(), await _state(started)
    for _ in range(int(patience * 100)):
        if state[name] == value:
            break
        await asyncio.sleep(0.01)
        state = await _state(started)
    return monotonic() - began, state


async def _events(started: Running, options: argparse.Namespace) -> dict[str, Any]:
    """Have many clients listen, then leave at once."""
    await _state(started)
    empty, late = _memory(started), list[float]()
    clients = [_Client(started, f"/events/?heartbeat={HEARTBEAT}") for _ in range(options.clients)]
    for client in clients:
        await (await client.ask()).readuntil(b"data: first\n\n")

    async def listen(client: _Client) -> None:
        last = None
        while True:
            await client.reader.readuntil(b":\n\n")
            now = monotonic()
            if last is not None:
                late.append(now - last - HEARTBEAT)
            last = now

    listening = [asyncio.create_task(listen(client)) for client in clients]
    await asyncio.sleep(options.duration / 4)
    opened = _memory(started)
    await asyncio.sleep(options.duration * 3 / 4)
    kept, state = _memory(started), await _state(started)
    for task, client in zip(listening, clients, strict=True):
        task.cancel()
        client.leave()
    seconds, after = await _until(started, "open", 0)
    late.sort()
    return {
        "clients": state["open"],
        "MiB with them": round((opened - empty) / 2**20, 1),
        "MiB they grew by": round((kept - opened) / 2**20, 1),
        "connections held": state["taken"],
        "threads": state["threads"],
        "heartbeats": len(late),
        "late by (median, ms)": round(statistics.median(late) * 1000, 1),
        "late by (99%, ms)": round(late[int(len(late) * 0.99)] * 1000, 1),
        "seconds until all were closed": round(seconds, 2),
        "open in the end": after["open"],
    }


async def _rows(started: Running) -> dict[str, Any]:
    """Read a long list from each database."""
    found: dict[str, Any] = {}
    for alias, title in (("default", "PostgreSQL"), ("sqlite", "SQLite")):
        await _state(started)
        empty = most = _memory(started)
        began, length, rest = monotonic(), 0, b""
        client = _Client(started, f"/rows/{alias}/")
        reader = await client.ask()
        while not rest.endswith(b"0\r\n\r\n"):
            chunk = await reader.read(2**20)
            length, rest = length + len(chunk), (rest + chunk)[-5:]
            most = max(most, _memory(started))
            if not chunk:
                break
        client.leave()
        found[f"{title}: MB"] = round(length / 1e6, 1)
        found[f"{title}: seconds"] = round(monotonic() - began, 1)
        found[f"{title}: MiB above the start"] = round((most - empty) / 2**20, 1)
    return found


async def _leaving(started: Running, tries: int) -> dict[str, Any]:
    """Have clients leave one by one; how long after that the generator's ``finally`` ran."""
    found: dict[str, Any] = {}
    for path in (f"{form}/{source}" for form in ("sse", "ndjson") for source in ("silent", "busy", "sync")):
        taken: list[float] = []
        for number in range(tries):
            before = (await _state(started))["ended"]
            client = _Client(started, f"/leaving/{path}/")
            await (await client.ask()).readuntil(b"first")
            await asyncio.sleep(0.01 + number / 10_000)  # so that it leaves at any time between two items
            left = monotonic()
            client.leave()
            _, state = await _until(started, "ended", before + 1)
            taken.append((state["last ended"] - left) * 1000)
        name = f"{started.server.program}, {path}: ended after"
        found[f"{name} (median, ms)"] = round(statistics.median(taken), 1)
        found[f"{name} (most, ms)"] = round(max(taken), 1)
    return found


def _faults(found: dict[str, dict[str, Any]], options: argparse.Namespace) -> Iterator[str]:
    for entry, measures in found.items():
        expected = {
            "clients": measures["clients"] == options.clients,
            "connections held": measures["connections held"] == 0,
            "threads": measures["threads"] < 100 or entry == "django" or not options.leave_threads,
            "MiB they grew by": measures["MiB they grew by"] < 5,
            "seconds until all were closed": measures["seconds until all were closed"] < 1,
            "open in the end": measures["open in the end"] == 0,
            **{name: value * 2**20 < MOST for name, value in measures.items() if name.endswith("above the start")},
            **{name: value < SOON for name, value in measures.items() if name.endswith("ended after (most, ms)")},
        }
        yield from (f"{entry}: {name}: {measures[name]}" for name, holds in expected.items() if not holds)


if __name__ == "__main__":
    main()
