import json
import os
import subprocess
import sys
from pathlib import Path

import restflow
from tests import settings

ROOT = Path(__file__).parents[1]

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
PEERS = {"adrf"}  # measured where they are installed


def test_a_short_run_reports_every_view(tmp_path):
    results = tmp_path / "results.json"
    source = str(Path(restflow.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--rounds", "1", "--requests", "2", "--json", str(results)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )

    assert run.returncode == 0, run.stderr
    cases = {case["name"]: case for case in json.loads(results.read_text())["cases"]}
    databases = ["sqlite", *(["postgres"] if settings.POSTGRES else [])]
    assert {name: {variant["name"] for variant in case["variants"]} - PEERS for name, case in cases.items()} == {
        "ping": PING,
        "policies": POLICIES,
        "entry": ENTRY,
        "entry-default": ENTRY,
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
