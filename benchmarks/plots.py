"""``python -m benchmarks.plots``: the figures of ``make bench`` and ``make bench-http``, drawn for the documentation.

Reads the JSON files of the two and writes SVGs that can be read on a light page and on a dark one.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks import http
from benchmarks.__main__ import RESULTS

IMAGES = Path("docs", "images")
CASE = "entry-default"
TEXT, OURS, OTHERS = "#808890", "#0d9488", "#94a3b8"

# What is shown, under what name, from the top.
REQUESTS = {
    "Django's entry: Django async def": "Django async def, Django's handler",
    "Django's entry: DRF APIView": "DRF, Django's handler",
    "Django's entry: restflow AsyncAPIView, sync policies": "restflow, Django's handler",
    "restflow's entry: restflow AsyncAPIView, sync policies": "restflow, sync policies",
    "restflow's entry: restflow AsyncAPIView, async policies": "restflow, async policies",
    "restflow's entry: restflow AsyncAPIView": "restflow, no policies",
    "restflow's entry: Django async def": "Django async def, restflow's handler",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a picture for each file of figures that there is.

    Raises:
        SystemExit: there are no figures.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plots", description=__doc__)
    parser.add_argument("--bench", type=Path, metavar="FILE", default=RESULTS, help="(default: %(default)s)")
    parser.add_argument("--http", type=Path, metavar="FILE", default=http.RESULTS, help="(default: %(default)s)")
    parser.add_argument("--into", type=Path, metavar="FOLDER", default=IMAGES, help="(default: %(default)s)")
    options = parser.parse_args(arguments)

    mpl.use("svg")
    mpl.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "restflow", "font.family": "sans-serif", "font.size": 11}
    )
    mpl.rcParams.update({f"{part}.color": TEXT for part in ("text", "xtick", "ytick")} | {"axes.edgecolor": TEXT})
    written = [
        path
        for source, path, draw in (
            (options.bench, options.into / "cost-of-a-request.svg", requests),
            (options.http, options.into / "requests-per-second.svg", servers),
        )
        if source.exists() and draw(json.loads(source.read_text()), path)
    ]
    if not written:
        parser.error("there are no figures: make bench, make bench-http")
    print("Written:", *written)


def requests(data: dict[str, Any], path: Path) -> bool:
    """Draw what a request costs with the default middleware; false where this was not measured."""
    found = {variant["name"]: variant for case in data["cases"] if case["name"] == CASE for variant in case["variants"]}
    bars = [(shown, found[name]["cpu_us"], "restflow" in name) for name, shown in REQUESTS.items() if name in found]
    if bars:
        _draw([("CPU time of a request in µs, with Django's default middleware", bars)], "{:,.0f}", path)
    return bool(bars)


def servers(data: dict[str, Any], path: Path) -> bool:
    """Draw how many requests a second the servers answer, a part of the picture for each kind of request."""
    parts = [
        (
            f"{scenario['name']}, requests a second",
            [(each["name"], each["rps"], each["name"].startswith("restflow")) for each in scenario["servers"]],
        )
        for scenario in data["scenarios"]
    ]
    _draw(parts, "{:,.0f}", path)
    return bool(parts)


def _draw(parts: Sequence[tuple[str, Sequence[tuple[str, float, bool]]]], form: str, path: Path) -> None:
    rows = [len(bars) for _, bars in parts]
    figure = Figure(figsize=(8.4, sum(rows) * 0.3 + len(rows) * 0.55), layout="constrained")
    found: Any = figure.subplots(len(parts), 1, squeeze=False, height_ratios=rows)
    for axes, (title, bars) in zip(found[:, 0], parts, strict=True):
        names, values, ours = zip(*bars, strict=True)
        drawn = axes.barh(range(len(bars)), values, height=0.66, color=[OURS if own else OTHERS for own in ours])
        axes.bar_label(drawn, labels=[form.format(value) for value in values], padding=4)
        axes.set_yticks(range(len(bars)), labels=names)
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
        axes.invert_yaxis()
        axes.set_xlim(0, max(values) * 1.12)
        axes.xaxis.set_visible(False)
        axes.tick_params(length=0)
        for side in ("top", "right", "bottom"):
            axes.spines[side].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, transparent=True, metadata={"Date": None})


if __name__ == "__main__":
    main()
