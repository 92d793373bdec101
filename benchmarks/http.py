"""``python -m benchmarks.http``: what whole servers answer over HTTP, restflow's, DRF's and the peers'."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import statistics
import sys
from collections.abc import Sequence
from http.client import HTTPConnection
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.data import NEW, ROWS
from benchmarks.options import positive, seconds
from benchmarks.project import NO_POSTGRES, POSTGRES
from benchmarks.report import aligned
from benchmarks.served import database
from benchmarks.served.load import Answered, Scenario, has_wrk, load, new_prefix
from benchmarks.served.servers import NotServed, Running, Server, running

RESULTS = Path("benchmarks", "http.json")
SEED = 20
WARMUP = 1  # seconds

# The first is what the others are measured against.
SERVERS = (
    Server("DRF, gunicorn 2x8 threads", "drf", "wsgi", workers=2, threads=8, pool=0),
    Server("DRF, uvicorn, Django's entry", "drf", "django"),
    Server("Django async def, uvicorn, Django's entry", "plain", "django"),
    Server("restflow, uvicorn, its entry", "restflow", "restflow"),
    Server("restflow, 2 uvicorn workers, its entry", "restflow", "restflow", workers=2),
    Server("restflow, 2 uvicorn workers, its entry, no pool", "restflow", "restflow", workers=2, pool=0),
    Server("restflow, uvicorn, Django's entry", "restflow", "django"),
    Server("adrf, uvicorn, Django's entry", "adrf", "django", needs=("adrf",)),
    Server("django-aiodrf, uvicorn, Django's entry", "aiodrf", "django", needs=("aiodrf",)),
    Server(
        "django-aiodrf tuned, uvicorn, its entry",
        "aiodrf_tuned",
        "aiodrf",
        needs=("aiodrf", "aiodrf_asgi_lifespan", "msgspec"),
    ),
    Server("django-ninja, uvicorn, Django's entry", "ninja", "django", needs=("ninja",)),
    Server("django-modern-rest, uvicorn, Django's entry", "dmr", "django", needs=("dmr", "msgspec")),
)
SCENARIOS = (
    Scenario("ping", "/ping/"),
    Scenario("detail", f"/detail/{ROWS // 2}/"),
    Scenario("list20", "/list20/"),
    Scenario("create", "/create/", json.dumps({**NEW, "isbn": "@"}), 201, frozenset({"id", "isbn"})),
    Scenario("fanout", "/fanout/"),
)
PACKAGES = (
    "django",
    "djangorestframework",
    "uvicorn",
    "gunicorn",
    "uvicorn-worker",
    "uvloop",
    "httptools",
    "adrf",
    "django-aiodrf",
    "django-ninja",
    "django-modern-rest",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table of each scenario, and write the JSON."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped then too
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http", description=__doc__)
    parser.add_argument("--rounds", type=positive, default=5, help="rounds (default: %(default)s)")
    parser.add_argument(
        "--duration", type=seconds, default=3, help="seconds a server and scenario a round (default: %(default)s)"
    )
    parser.add_argument("--connections", type=positive, default=32, help="that are kept (default: %(default)s)")
    names = ", ".join(scenario.name for scenario in SCENARIOS)
    parser.add_argument("--only", metavar="SCENARIO[,SCENARIO]", help=f"of {names} (default: all)")
    parser.add_argument(
        "--servers",
        metavar="TEXT",
        action="append",
        help="those with this in their names; may be repeated (default: all)",
    )
    parser.add_argument(
        "--client", choices=("wrk", "own"), default="wrk" if has_wrk() else "own", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", default=RESULTS, help=f"for all figures (default: {RESULTS})"
    )
    options = parser.parse_args(arguments)
    if not POSTGRES:
        parser.exit(1, f"{NO_POSTGRES}\n")
    known = [scenario.name for scenario in SCENARIOS]
    only = options.only.split(",") if options.only else known
    if unknown := set(only).difference(known):
        parser.error(f"--only must name scenarios of {names}, got {', '.join(sorted(unknown))}")
    chosen = [server for server in SERVERS if any(text in server.name for text in options.servers or [""])]
    absent = {server.name: f"{', '.join(lacks)} not installed" for server in chosen if (lacks := server.missing())}
    chosen = [server for server in chosen if server.name not in absent]
    if not chosen:
        parser.error(f"no server to measure: {absent}")

    scenarios = [scenario for scenario in SCENARIOS if scenario.name in only]
    data = measured(options, chosen, scenarios, absent)
    options.json.write_text(json.dumps(data, indent=2) + "\n")
    print(f"\nAll figures are in {options.json}.")


def measured(
    options: argparse.Namespace, servers: list[Server], scenarios: Sequence[Scenario], absent: dict[str, str]
) -> dict[str, Any]:
    """Measure in rounds: in each, one server after the other is started, asked for each scenario, and stopped.

    Args:
        options: of the command.
        servers: what to measure; a peer that doesn't serve is taken out.
        scenarios: what to ask.
        absent: what is not measured, and why; what is taken out is added.
    """
    environment = {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES if is_installed(name)},
        "cpu_count": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1),
        "client": options.client,
    }
    print(", ".join(f"{key} {value}" for key, value in environment.items()))
    print(f"{options.rounds} rounds of {options.duration:g} s, {options.connections} connections, one server at a time")
    draw = random.Random(SEED)
    rounds: dict[tuple[str, str], list[dict[str, Any]]] = {}
    expected: dict[str, Any] = {}
    with database.made() as name:
        for number in range(options.rounds):
            # The first round in the order of the list: the first answers are what all others are held against.
            for server in draw.sample(servers, len(servers)) if number else list(servers):
                try:
                    with running(server, name) as started:
                        for scenario in scenarios:
                            verify(started, scenario, expected)
                        for scenario in scenarios:
                            rounds.setdefault((scenario.name, server.name), []).append(one(started, scenario, options))
                        if text := started.written():
                            print(f"{server.name} wrote:\n{text}", file=sys.stderr)
                except NotServed as problem:
                    if not server.needs:
                        raise
                    absent[server.name] = str(problem)  # a peer that does not go with this Django, for one
                    servers.remove(server)
                database.tidy()
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    found = [summary(scenario.name, servers, rounds) for scenario in scenarios]
    for each in found:
        print("\n" + table(each), flush=True)
    for name, reason in absent.items():
        print(f"\nNot measured: {name}: {reason}")
    return {
        "environment": environment,
        "rounds": options.rounds,
        "seconds": options.duration,
        "connections": options.connections,
        "not_measured": absent,
        "scenarios": found,
    }


def is_installed(package: str) -> bool:
    """Tell whether the distribution ``package`` is installed."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def verify(started: Running, scenario: Scenario, expected: dict[str, Any]) -> None:
    """Assert that a server answers like the first one, and that it turns down a number which is taken.

    Raises:
        NotServed: naming the server, what it answered and what was expected.
    """
    status, kind, data = ask(started, scenario, f"{new_prefix()}000000000")
    shown = {key: value for key, value in data.items() if key not in scenario.generated}
    got = (status, kind, list(data), shown)
    wanted = expected.setdefault(scenario.name, (scenario.status, "application/json", list(data), shown))
    if got != wanted:
        raise NotServed(f"{scenario.name}: {started.server.name} answered {got}, must be {wanted}")
    if scenario.body is not None and (refused := ask(started, scenario, f"978{1:010}"))[0] != 400:
        raise NotServed(f"{scenario.name}: {started.server.name} answered {refused} to a number that is taken")


def ask(started: Running, scenario: Scenario, number: str) -> tuple[int, str, Any]:
    """Send a request and return the answer's status, content type and JSON, without the server's port."""
    connection = HTTPConnection("127.0.0.1", started.port, timeout=30)
    body = scenario.body and scenario.body.replace("@", number)
    headers = {"Content-Type": "application/json"} if body else {}
    connection.request("GET" if body is None else "POST", scenario.path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode().replace(f":{started.port}", "")
    connection.close()
    kind = (answer.headers["Content-Type"] or "").partition(";")[0]
    try:
        return answer.status, kind, json.loads(text)
    except json.JSONDecodeError:
        raise NotServed(f"{scenario.name}: {started.server.name} answered {answer.status}: {text[:500]}") from None


def one(started: Running, scenario: Scenario, options: argparse.Namespace) -> dict[str, Any]:
    """Measure a scenario on a server once, after a short while that is thrown away."""
    by_wrk = options.client == "wrk"
    load(started.port, scenario, min(WARMUP, options.duration), options.connections, with_wrk=by_wrk)
    before = started.cpu()
    answered: Answered = load(started.port, scenario, options.duration, options.connections, with_wrk=by_wrk)
    after = started.cpu()
    return {
        "rps": answered.requests / answered.seconds,
        "p50_ms": answered.p50,
        "p99_ms": answered.p99,
        "errors": answered.errors,
        "cpu_ms": None
        if before is None or after is None or not answered.requests
        else (after - before) / answered.requests * 1e3,
    }


def summary(
    name: str, servers: Sequence[Server], rounds: dict[tuple[str, str], list[dict[str, Any]]]
) -> dict[str, Any]:
    """Return the figures of a scenario: medians of the rounds, and the rounds."""
    found = []
    for server in servers:
        of_server = rounds[name, server.name]
        medians = {
            key: statistics.median(values)
            if (values := [each[key] for each in of_server if each[key] is not None])
            else None
            for key in ("rps", "p50_ms", "p99_ms", "cpu_ms")
        }
        errors = sum(each["errors"] for each in of_server)
        found.append({"name": server.name, **medians, "errors": errors, "rounds": of_server})
    for each in found:
        each["ratio"] = each["rps"] / found[0]["rps"]
    return {"name": name, "against": found[0]["name"], "servers": found}


def table(scenario: dict[str, Any]) -> str:
    """Return a scenario as aligned text."""
    rows = [
        (
            "req/s",
            "ratio",
            "p50 ms",
            "p99 ms",
            "cpu ms",
            "errors",
            f"{scenario['name']}; ratio to {scenario['against']}",
        )
    ]
    rows += [
        (
            f"{each['rps']:.0f}",
            f"{each['ratio']:.2f}",
            f"{each['p50_ms']:.1f}",
            f"{each['p99_ms']:.1f}",
            "" if each["cpu_ms"] is None else f"{each['cpu_ms']:.2f}",
            f"{each['errors']}",
            each["name"],
        )
        for each in scenario["servers"]
    ]
    return aligned(rows)


if __name__ == "__main__":
    main()
