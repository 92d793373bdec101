"""``python -m benchmarks.rows``: what a list costs by the number of its rows, from the query to the bytes."""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import tracemalloc
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

from benchmarks.data import SHOWN
from benchmarks.measure import SEED
from benchmarks.options import positive
from benchmarks.project import databases, entries
from benchmarks.report import aligned

SIZES = (10, 100, 1_000, 10_000)
LINEAR = 1.5  # times what a row of the shorter list costs
Way = Callable[[int], bytes]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and exit with 1 if a row costs more in a longer list, or a list takes more memory than DRF's."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rows", description=__doc__)
    parser.add_argument("--rounds", type=positive, default=15, help="of each list (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="for all that was found")
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as directory:
        entries(Path(directory))
        with databases():
            _fill(SIZES[-1])
            ways = _ways()
            _verify(ways)
            costs = _costs(ways, options.rounds)
            peaks = {name: _peak(way) for name, way in ways.items()}
    found = {name: {"us_a_row": costs[name], "peak_bytes": peaks[name]} for name in ways}
    print(_table(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    if faults := _faults(found):
        parser.exit(1, "\n".join(["", "FAULTS:", *faults, ""]))


def _fill(rows: int) -> None:
    from benchmarks.models import SQLiteBook

    first = SQLiteBook.objects.values(*[name for name in SHOWN if name not in {"id", "isbn"}])[0]
    more = range(rows - SQLiteBook.objects.count())
    SQLiteBook.objects.bulk_create(SQLiteBook(isbn=f"more{number}", **first) for number in more)


def _ways() -> dict[str, Way]:
    """Return what makes JSON of so many rows: restflow, DRF, the least there could be, and a peer where it is there."""
    from rest_framework import serializers as drf
    from rest_framework.renderers import JSONRenderer

    from benchmarks.generic import serializer_of
    from benchmarks.models import SQLiteBook
    from restflow import serializers
    from restflow.views import APIView

    books, render = SQLiteBook.objects.all(), JSONRenderer().render

    def by_drf(base: Any) -> Way:
        cls = serializer_of(base, SQLiteBook, SHOWN)
        return lambda rows: render(cls(list(books[:rows]), many=True).data)

    def by_view(base: Any) -> Way:
        attributes = {"serializer_class": serializer_of(base, SQLiteBook, SHOWN), "request": None}
        view = type("Books", (APIView,), attributes)()
        return lambda rows: render(view.serialized_response(list(books[:rows]), many=True).data)

    ways = {
        "values() and json.dumps": lambda rows: json.dumps(list(books.values(*SHOWN)[:rows]), default=str).encode(),
        "DRF": by_drf(drf.ModelSerializer),
        "restflow, DRF's serializer": by_view(drf.ModelSerializer),
        "restflow, its own serializer": by_view(serializers.ModelSerializer),
    }
    try:
        import_module("ninja")
    except ImportError:
        return ways
    schema = import_module("ninja.orm").create_schema(SQLiteBook, fields=[*SHOWN])
    response = import_module("ninja.renderers").JSONRenderer()

    def by_ninja(rows: int) -> bytes:
        shown = [schema.from_orm(book).model_dump() for book in books[:rows]]
        rendered: bytes = response.render(None, shown, response_status=200).encode()
        return rendered

    return {**ways, "django-ninja": by_ninja}


def _verify(ways: dict[str, Way]) -> None:
    """Have all give the same."""
    expected, *others = (json.loads(way(SIZES[0])) for way in ways.values())
    assert all(other == expected for other in others), "Two of them don't give the same JSON."


def _costs(ways: dict[str, Way], rounds: int) -> dict[str, list[float]]:
    """Return the processor's time of a row, in microseconds, in lists of each of the sizes: medians of the rounds."""
    draw = random.Random(SEED)
    spent: dict[str, dict[int, list[float]]] = {name: {rows: [] for rows in SIZES} for name in ways}
    for _ in range(rounds):
        for rows in SIZES:
            repeats = max(1, SIZES[2] // rows)
            for name in draw.sample([*ways], len(ways)):
                gc.collect()
                started = process_time()
                for _ in range(repeats):
                    ways[name](rows)
                spent[name][rows].append((process_time() - started) / repeats / rows * 1e6)
    return {name: [*map(statistics.median, by_size.values())] for name, by_size in spent.items()}


def _peak(way: Way) -> int:
    """Return how many bytes the longest list takes at most while it is made."""
    gc.collect()
    tracemalloc.start()
    way(SIZES[-1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _table(found: dict[str, Any]) -> str:
    least = found["values() and json.dumps"]["us_a_row"][-1]
    lines = [
        (
            *(f"{cost:.1f}" for cost in of_one["us_a_row"]),
            f"{of_one['us_a_row'][-1] / least:.2f}",
            f"{of_one['peak_bytes'] / 2**20:.1f}",
            name,
        )
        for name, of_one in found.items()
    ]
    return aligned([(*(f"µs a row of {rows}" for rows in SIZES), "ratio", f"MiB for {SIZES[-1]}", ""), *lines])


def _faults(found: dict[str, Any]) -> list[str]:
    faults = []
    most = found["DRF"]["peak_bytes"]
    for name, of_one in found.items():
        *_, shorter, longer = of_one["us_a_row"]
        if name.startswith("restflow") and longer > shorter * LINEAR:
            faults.append(
                f"{name}: a row costs {longer:.1f} µs in a list of {SIZES[-1]}, {shorter:.1f} in a shorter one"
            )
        if name.startswith("restflow") and of_one["peak_bytes"] > most:
            faults.append(f"{name}: {of_one['peak_bytes']} bytes for {SIZES[-1]} rows, DRF takes {most}")
    return faults


if __name__ == "__main__":
    main()
