"""Helpers shared by the benchmarks: run several ways alternately, report medians, print tables."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def side_by_side(ways: dict[str, Callable[[], object]], *, repeats: int = 5) -> dict[str, float]:
    """Return the median seconds of each way, run alternately (a b a b …) after one uncounted round."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def print_table(rows: list[tuple[str, ...]]) -> None:
    """Print a Markdown table; the first row is its header."""
    print(*("| " + " | ".join(row) + " |" for row in (rows[0], ("---",) * len(rows[0]), *rows[1:])), sep="\n")
