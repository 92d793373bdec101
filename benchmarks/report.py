"""What was found: as data, and as a table."""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from benchmarks.case import Case
from benchmarks.measure import Times

Data = dict[str, Any]


def environment() -> Data:
    """Return the versions and the machine that the figures belong to."""
    loop = type(asyncio.get_running_loop())
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        **{name: metadata.version(name) for name in ("django", "djangorestframework", "asgiref")},
        "event_loop": f"{loop.__module__}.{loop.__qualname__}",
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_count": os.cpu_count(),
    }


def summary(
    case: Case, times: dict[str, Times], cpu: dict[str, list[float]], hops: dict[str, float], threads: dict[str, float]
) -> Data:
    """Return what is known of ``case``: figures of each variant, comparisons, and the raw rounds.

    Args:
        case: what was measured.
        times: what the rounds took, by the name of the variant.
        cpu: what they took of the processor's time, likewise.
        hops: hops a request, by the name of the variant.
        threads: threads started a request, by the name of the variant.
    """
    floor = case.floor.name
    compared = cpu if case.by_cpu else {name: of_rounds.medians for name, of_rounds in times.items()}
    variants = [
        {
            "name": variant.name,
            "median_us": statistics.median(times[variant.name].medians),
            "cpu_us": statistics.median(cpu[variant.name]),
            **ratio(compared[variant.name], compared[floor]),
            "goal": variant.goal,
            "hops": hops[variant.name] - hops[floor],
            "hops_total": hops[variant.name],
            "threads_started": threads[variant.name],
            "rounds_us": times[variant.name].medians,
            "rounds_mean_us": times[variant.name].means,
            "rounds_cpu_us": cpu[variant.name],
        }
        for variant in case.variants
    ]
    comparisons = [
        {
            "variant": comparison.variant,
            "against": comparison.against,
            **ratio(compared[comparison.variant], compared[comparison.against]),
            "goal": comparison.goal,
        }
        for comparison in case.comparisons
    ]
    return {"name": case.name, "floor": floor, "variants": variants, "comparisons": comparisons}


def ratio(over: Sequence[float], under: Sequence[float]) -> Data:
    """Return the ratio of the medians of two variants, and the spread of their ratio from round to round."""
    ratios = [a / b for a, b in zip(over, under, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return {
        "ratio": statistics.median(over) / statistics.median(under),
        "round_ratios": {"min": min(ratios), "q1": low, "median": middle, "q3": high, "max": max(ratios)},
    }


def table(case: Data) -> str:
    """Return a case as aligned text."""
    rows = [("µs", "cpu", "ratio", "by round: median [quartiles]", "goal", "hops", "of", "threads", case["name"])]
    rows += [
        (
            f"{variant['median_us']:.0f}",
            f"{variant['cpu_us']:.0f}",
            f"{variant['ratio']:.2f}",
            spread(variant),
            goal(variant),
            number(variant["hops"]),
            number(variant["hops_total"]),
            number(variant["threads_started"]),
            variant["name"],
        )
        for variant in case["variants"]
    ]
    rows += [
        (
            "",
            "",
            f"{comparison['ratio']:.2f}",
            spread(comparison),
            goal(comparison),
            "",
            "",
            "",
            f"{comparison['variant']} / {comparison['against']}",
        )
        for comparison in case["comparisons"]
    ]
    return aligned(rows)


def aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows as columns: each to the right, the last to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([*(cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False)), row[-1]])
        for row in rows
    )


def spread(data: Data) -> str:
    """Return the median and the quartiles of the ratios of the rounds."""
    ratios = data["round_ratios"]
    return f"{ratios['median']:.2f} [{ratios['q1']:.2f} {ratios['q3']:.2f}]"


def goal(data: Data) -> str:
    """Return the goal and whether the ratio of medians keeps to it."""
    if data["goal"] is None:
        return ""
    return f"{data['goal']:.2f} {'met' if data['ratio'] <= data['goal'] else 'MISSED'}"


def number(value: float) -> str:
    """Return a count without a needless fraction."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
