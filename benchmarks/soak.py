"""``python -m benchmarks.soak``: restflow's entry under load for long, while its database connections are killed."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import signal
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg

from benchmarks.data import NEW, ROWS
from benchmarks.options import positive
from benchmarks.project import NO_POSTGRES, POSTGRES, POSTGRES_HOST, POSTGRES_PORT, POSTGRES_USER
from benchmarks.report import aligned
from benchmarks.served import database
from benchmarks.served.load import Client
from benchmarks.served.servers import POOL, Running, Server, running

SERVER = Server("restflow, uvicorn, its entry", "soak", "restflow")
APPLICATION_NAME = f"restflow_soak_{os.getpid()}"
PATIENCE = 30  # seconds for an answer
QUIET = 10  # seconds until nothing of a request may be left

BOOK = json.dumps({**NEW, "isbn": "@"})
# How often, the path, the body, and the status of the answer; None where the client leaves before it.
MIX: dict[str, tuple[int, str, str | None, int | None]] = {
    "detail": (30, f"/detail/{ROWS // 2}/", None, 200),
    "create": (20, "/create/", BOOK, 201),
    "waits": (20, "/waits/", None, 200),
    "stream": (10, "/stream/", None, 200),
    "sync": (10, "/sync/", None, 200),
    "leaves": (5, "/waits/", None, None),
    "leaves a stream": (5, "/stream/", None, None),
}
PHASES = ("before", "during", "after")


def main(arguments: Sequence[str] | None = None) -> None:
    """Soak, print what was found, and exit with 1 if it is not as it should be."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then too
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--duration", type=positive, default=600, help="seconds in all (default: %(default)s)")
    parser.add_argument(
        "--kills",
        type=positive,
        default=60,
        help="seconds, in the middle, in which connections are killed (default: %(default)s)",
    )
    parser.add_argument("--clients", type=positive, default=100, help="at once (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="for all that was found, with the samples")
    options = parser.parse_args(arguments)
    if not POSTGRES:
        parser.exit(1, f"{NO_POSTGRES}\n")
    if options.kills >= options.duration:
        parser.error("--kills must be less than --duration")

    environment = {"BENCH_APPLICATION_NAME": APPLICATION_NAME, "BENCH_HEALTH_CHECKS": "1"}
    with database.made() as name, running(SERVER, name, **environment) as started:
        soak = Soak(started, options)
        asyncio.run(soak.run())
        written = started.written()
    print(soak.report())
    if options.json:
        options.json.write_text(json.dumps(soak.data(), indent=2) + "\n")
    if faults := soak.faults():
        print("\n".join(["", "What the server wrote in the end:", written, "", "FAULTS:", *faults]))
        sys.exit(1)
    print("\nNo faults.")


class Soak:
    """One run."""

    def __init__(self, started: Running, options: argparse.Namespace) -> None:
        self.started, self.options = started, options
        self.requests: Counter[tuple[str, str]] = Counter()
        self.errors: Counter[tuple[str, str, str]] = Counter()
        self.samples: list[dict[str, Any]] = []
        self.quiet: list[dict[str, Any]] = []
        self.killed = 0
        self.phase = PHASES[0]
        self.numbers = itertools.count()
        self.server = f"host={POSTGRES_HOST} port={POSTGRES_PORT} user={POSTGRES_USER} dbname=postgres"

    async def run(self) -> None:
        """Serve quietly, under load, and quietly again."""
        with psycopg.connect(self.server, autocommit=True) as self.postgres:
            first = await self.sample()
            self.quiet.append(first)
            self.end = monotonic() + self.options.duration
            watch = asyncio.create_task(self.watch())
            async with asyncio.TaskGroup() as group:
                group.create_task(self.kill())
                for number in range(self.options.clients):
                    group.create_task(self.keep_asking(random.Random(number)))
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
            await self.note()
            patience = monotonic() + QUIET
            while (last := await self.sample())["tasks"] > first["tasks"] or last["taken"]:
                if monotonic() > patience:
                    break
                await asyncio.sleep(0.1)
            self.quiet.append(last)

    async def keep_asking(self, draw: random.Random) -> None:
        """Be a client: it asks, waits for the answer or leaves, and asks again."""
        names, weights = list(MIX), [weight for weight, *_ in MIX.values()]
        client: Client | None = None
        while monotonic() < self.end:
            kind = draw.choices(names, weights)[0]
            began = self.phase
            error = ""
            try:
                async with asyncio.timeout(PATIENCE):
                    client = client or await Client.connected(self.started.port)
                    if (error := await self.ask(client, kind, draw)) is None:
                        client.close()
                        client, error = None, ""
            except (OSError, EOFError, TimeoutError, ValueError) as problem:
                error = type(problem).__name__
                if client is not None:
                    client.close()
                client = None
            phase = began if began == self.phase else PHASES[1]
            self.requests[phase, kind] += 1
            if error:
                self.errors[phase, kind, error] += 1
                await asyncio.sleep(0.01)
        if client is not None:
            client.close()

    async def ask(self, client: Client, kind: str, draw: random.Random) -> str | None:
        """Send a request; return what is wrong with the answer, "" if nothing, None if the client has to leave."""
        _, path, body, expected = MIX[kind]
        method = "GET" if body is None else "POST"
        body = body.replace("@", f"S{next(self.numbers):012}") if body else ""
        if expected is None:
            client.send(method, path, body)
            await asyncio.sleep(draw.uniform(0, 0.12))
            return None
        status, answer = await client.fetch(method, path, body)
        if status != expected:
            return f"{status}"
        return "cut short" if kind == "stream" and answer.count(b"data: ") != 20 else ""

    async def kill(self) -> None:
        """Kill the server's connections once a second, in the middle."""
        begin = monotonic() + (self.options.duration - self.options.kills) / 2
        await asyncio.sleep(begin - monotonic())
        await self.note()
        self.phase = PHASES[1]
        for number in range(self.options.kills):
            await asyncio.sleep(begin + number - monotonic())
            self.killed += len(await asyncio.to_thread(self.all, "SELECT pg_terminate_backend(pid) FROM {}"))
        await self.note()
        self.phase = PHASES[2]

    async def watch(self) -> None:
        """Take a sample once a second."""
        while True:
            try:
                await self.note()
            except (OSError, EOFError, TimeoutError) as problem:
                self.errors[self.phase, "state", type(problem).__name__] += 1
            await asyncio.sleep(1)

    async def note(self) -> None:
        """Take a sample, which belongs to the phase of its beginning."""
        self.samples.append({"phase": self.phase, **await self.sample()})

    async def sample(self) -> dict[str, Any]:
        """Return what the server has at the moment."""
        async with asyncio.timeout(PATIENCE):
            client = await Client.connected(self.started.port)
            _, body = await client.fetch("GET", "/state/")
            client.close()
        (connections,) = (await asyncio.to_thread(self.all, "SELECT count(*) FROM {}"))[0]
        return {**json.loads(body), "connections": connections, "rss_mb": resident(self.started.pid)}

    def all(self, statement: str) -> list[Any]:
        """Return what ``statement`` finds among the server's connections."""
        table = "pg_stat_activity WHERE application_name = %s"
        return self.postgres.execute(statement.format(table), [APPLICATION_NAME]).fetchall()

    def faults(self) -> list[str]:
        """Return what is not as it should be."""
        found = [
            f"{phase} the kills: {kind} failed {count} times: {error}"
            for (phase, kind, error), count in sorted(self.errors.items())
            if phase != PHASES[1]
        ]
        if (most := max(sample["connections"] for sample in self.samples)) > POOL:
            found.append(f"{most} connections, in a pool of {POOL}")
        before, after = self.quiet
        found += [
            f"{name}: {before[name]} at rest before the load, {after[name]} after it"
            for name in ("tasks", "taken")
            if after[name] > before[name]
        ]
        before, after = self.typical(PHASES[0]), self.typical(PHASES[2])
        # A request holds a thread at most, and is a task or two, with that which listens for the client to leave.
        return found + [
            f"{name}: {before[name]:.0f} under load at first, {after[name]:.0f} in the end"
            for name, of_client in (("threads", 1), ("tasks", 2))
            if after[name] > max(before[name], of_client * self.options.clients) * 1.25 + 10
        ]

    def typical(self, phase: str) -> dict[str, float]:
        """Return the medians of the samples of ``phase``: of its second half, when the load is on."""
        samples = [sample for sample in self.samples if sample["phase"] == phase]
        samples = samples[len(samples) // 2 :]
        names = ("threads", "tasks", "taken", "connections", "rss_mb")
        return {name: statistics.median(sample[name] for sample in samples) for name in names}

    def report(self) -> str:
        """Return what was found as text."""
        names = list(MIX)
        rows: list[tuple[str, ...]] = [("", *names, "requests")]
        for phase in PHASES:
            counted = tuple(f"{self.requests[phase, kind]}" for kind in names)
            rows.append((phase, *counted, f"{sum(self.requests[phase, kind] for kind in names)}"))
            failed = Counter(dict.fromkeys(names, 0))
            for (when, kind, _), count in self.errors.items():
                failed[kind] += count if when == phase else 0
            rows.append(("errors", *(f"{failed[kind]}" for kind in names), f"{failed.total()}"))
        have: list[tuple[str, ...]] = [("threads", "tasks", "taken", "connections", "RSS MB", "the server has")]
        states = [
            (self.quiet[0], "at rest, before"),
            *((self.typical(phase), f"{phase} the kills, median") for phase in PHASES),
            (
                {name: max(sample[name] for sample in self.samples) for name in self.samples[0] if name != "phase"},
                "at most",
            ),
            (self.quiet[1], "at rest, after"),
        ]
        have += [
            (*(f"{state[name]:.0f}" for name in ("threads", "tasks", "taken", "connections", "rss_mb")), when)
            for state, when in states
        ]
        kinds = [f"{count} x {kind}: {error} ({phase})" for (phase, kind, error), count in sorted(self.errors.items())]
        return "\n".join(
            [
                f"{self.options.duration} s, {self.options.clients} clients, pool of {POOL}; "
                f"{self.killed} connections killed in {self.options.kills} s",
                "",
                aligned(rows),
                "",
                aligned(have),
                *(["", *kinds] if kinds else []),
            ]
        )

    def data(self) -> dict[str, Any]:
        """Return what was found as data."""
        return {
            "duration": self.options.duration,
            "clients": self.options.clients,
            "killed": self.killed,
            "requests": {f"{phase} {kind}": count for (phase, kind), count in self.requests.items()},
            "errors": {" ".join(key): count for key, count in self.errors.items()},
            "quiet": self.quiet,
            "samples": self.samples,
        }


def resident(pid: int) -> float:
    """Return the megabytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
