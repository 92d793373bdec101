"""``python -m benchmarks``: from the root of the repository, with restflow importable."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import measure, report
from benchmarks.case import Case
from benchmarks.options import positive
from benchmarks.project import NO_POSTGRES, POSTGRES, Entries, databases, entries

RESULTS = Path("benchmarks", "results.json")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table of each case, and write the JSON if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=positive, default=100, help="rounds that are kept (default: %(default)s)")
    parser.add_argument(
        "--requests", type=positive, default=25, help="requests a variant a round (default: %(default)s)"
    )
    parser.add_argument("--only", metavar="CASE[,CASE]", help="the cases to measure (default: all)")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", default=RESULTS, help=f"for all figures (default: {RESULTS})"
    )
    parser.add_argument("--uvloop", action="store_true", help="run on uvloop, which has to be installed")
    options = parser.parse_args(arguments)

    with TemporaryDirectory() as directory:
        measured(parser, options, entries(Path(directory)))


def measured(parser: argparse.ArgumentParser, options: argparse.Namespace, handlers: Entries) -> None:
    """Measure what ``options`` ask for."""
    from benchmarks.cases import CASES  # Views can be imported once Django is set up.

    names = [case.name for case in CASES]
    only = options.only.split(",") if options.only else names
    if unknown := set(only).difference(names):
        parser.error(f"--only must name cases of {', '.join(names)}, got {', '.join(sorted(unknown))}")
    try:
        loop_factory: Callable[[], Any] | None = import_module("uvloop").new_event_loop if options.uvloop else None
    except ImportError:
        parser.error("--uvloop needs uvloop, which is not installed")

    chosen = [case for case in CASES if case.name in only]
    with databases(), asyncio.Runner(loop_factory=loop_factory) as runner:
        data = runner.run(run(handlers, chosen, options.rounds, options.requests))
    options.json.write_text(json.dumps(data, indent=2) + "\n")
    print(f"\nAll figures are in {options.json}.")


async def run(handlers: Entries, cases: Sequence[Case], rounds: int, requests: int) -> dict[str, Any]:
    """Measure ``cases``, printing each as it is done, and return all that was found."""
    warmup = max(1, rounds // 10)
    environment = report.environment()
    print(", ".join(f"{key} {value}" for key, value in environment.items()))
    print(f"{rounds} rounds of {requests} requests a variant, after {warmup} to warm up")
    if not POSTGRES:
        print(NO_POSTGRES)
    data: dict[str, Any] = {
        "environment": environment,
        "rounds": rounds,
        "warmup": warmup,
        "requests": requests,
        "seed": measure.SEED,
        "cases": [],
    }
    for case in cases:
        await measure.verify(handlers, case)
        hops = {variant.name: await measure.hops(handlers, case, variant, requests) for variant in case.variants}
        threads = {variant.name: await measure.threads(handlers, case, variant, requests) for variant in case.variants}
        times = await measure.times(handlers, case, rounds, warmup, requests)
        cpu = await measure.cpu(handlers, case, rounds, warmup, requests)
        data["cases"].append(report.summary(case, times, cpu, hops, threads))
        print("\n" + report.table(data["cases"][-1]), flush=True)
    return data


if __name__ == "__main__":
    main()
