import html
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import restflow
from tests import settings

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[1]
needs_postgres = pytest.mark.skipif(not settings.POSTGRES, reason="PostgreSQL does not answer")

PING = {
    "Django async def",
    "DRF APIView",
    "restflow APIView",
    "restflow AsyncAPIView",
    "bound: DRF's code on the loop",
    "bound: and one hop",
}
POLICIES = {
    "Django async def, no policies",
    "DRF APIView, sync policies",
    "restflow APIView, sync policies",
    "restflow AsyncAPIView, sync policies",
    "restflow AsyncAPIView, async policies",
    "bound: DRF's code, its checks after one hop",
}
ENTRY = {
    f"{entry}'s entry: {view}"
    for entry in ("Django", "restflow")
    for view in (
        "Django async def",
        "Django def",
        "DRF APIView",
        "restflow AsyncAPIView",
        "restflow AsyncAPIView, sync policies",
        "restflow AsyncAPIView, async policies",
    )
} | {"bound: Django async def"}
GENERIC = {
    "DRF",
    "restflow sync",
    "restflow async, DRF's serializer",
    "restflow async, its own serializer",
}
ENTRY_GENERIC = {
    "Django's entry: DRF",
    "restflow's entry: DRF",
    "restflow's entry: restflow async, DRF's serializer",
    "restflow's entry: restflow async, its own serializer",
    "bound: DRF in one trip",
    "bound: Django alone in one trip",
}
SERIALIZE = {
    "bound: DRF's data",
    "bound: restflow's data",
    "bound: a view's, DRF's serializer",
    "bound: a view's, restflow's serializer",
}
PEERS = {"adrf"}  # measured where they are installed


def run_module(*arguments):
    source = str(Path(restflow.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run


def test_a_short_run_reports_every_view(tmp_path):
    results = tmp_path / "results.json"
    run = run_module("benchmarks", "--rounds", "1", "--requests", "1", "--json", str(results))

    cases = {case["name"]: case for case in json.loads(results.read_text())["cases"]}
    databases = ["sqlite", *(["postgres"] if settings.POSTGRES else [])]
    assert {name: {variant["name"] for variant in case["variants"]} - PEERS for name, case in cases.items()} == {
        "ping": PING,
        "policies": POLICIES,
        "entry": ENTRY,
        "entry-default": ENTRY,
        "serialize100": SERIALIZE,
        "serialize1": SERIALIZE,
        **{
            f"{entry}{work}-{database}": views
            for entry, views in (("", GENERIC), ("entry-", ENTRY_GENERIC))
            for database in databases
            for work in ("list100", "detail", "create")
        },
    }
    assert settings.POSTGRES or "PostgreSQL does not answer" in run.stdout
    for case in cases.values():
        for variant in case["variants"]:
            assert variant["name"] in run.stdout
            assert len(variant["rounds_us"]) == 1
            assert variant["ratio"] > 0
            assert variant["cpu_us"] > 0
            assert variant["threads_started"] >= 1 or variant["name"].startswith(("restflow's entry", "bound"))

    run_module("benchmarks.plots", "--bench", str(results), "--http", str(tmp_path / "none"), "--into", str(tmp_path))
    plot = (tmp_path / "cost-of-a-request.svg").read_text()
    assert all(shown in html.unescape(plot) for shown in ("restflow, sync policies", "DRF, Django's handler"))
    assert not (tmp_path / "requests-per-second.svg").exists()


@needs_postgres
def test_servers_are_measured_over_http(tmp_path):
    results = tmp_path / "http.json"
    names = ["DRF, uvicorn, Django's entry", "restflow, uvicorn, its entry"]
    chosen = [part for name in names for part in ("--servers", name)]
    short = ["--rounds", "1", "--duration", "0.1", "--client", "own", "--only", "ping,create"]
    run = run_module("benchmarks.http", *chosen, *short, "--json", str(results))

    scenarios = {scenario["name"]: scenario["servers"] for scenario in json.loads(results.read_text())["scenarios"]}
    assert list(scenarios) == ["ping", "create"]
    for servers in scenarios.values():
        assert [server["name"] for server in servers] == names
        for server in servers:
            assert server["name"] in run.stdout
            assert server["rps"] > 0
            assert server["errors"] == 0

    run_module("benchmarks.plots", "--bench", str(tmp_path / "none"), "--http", str(results), "--into", str(tmp_path))
    plot = html.unescape((tmp_path / "requests-per-second.svg").read_text())
    assert all(shown in plot for shown in ("create, requests a second", *names))


@needs_postgres
def test_a_short_soak_finds_no_faults(tmp_path):
    results = tmp_path / "soak.json"
    run = run_module("benchmarks.soak", "--duration", "3", "--kills", "1", "--clients", "10", "--json", str(results))

    assert "No faults." in run.stdout
    found = json.loads(results.read_text())
    assert found["killed"] > 0
    assert {sample["phase"] for sample in found["samples"]} == {"before", "during", "after"}
