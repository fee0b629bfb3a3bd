"""Helpers shared by the benchmarks: run several ways alternately, report medians, print tables."""

from __future__ import annotations

import ctypes
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress

#: prctl(2): processes whose parent has ended become children of this one, so that their time is counted.
_SET_CHILD_SUBREAPER = 36


def side_by_side(ways: dict[str, Callable[[], object]], *, repeats: int = 5) -> dict[str, float]:
    """Return the median seconds of each way, run alternately (a b a b …) after one uncounted round."""
    return {name: seconds for name, (seconds, _) in costs_side_by_side(ways, repeats=repeats).items()}


def costs_side_by_side(ways: dict[str, Callable[[], object]], *, repeats: int = 5) -> dict[str, tuple[float, float]]:
    """Return the median seconds of each way, and of its processor time, with all processes that it starts (on Linux).

    Only processor time can be compared on a machine with other work.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1)
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(repeats + 1):
        for name, way in ways.items():
            start, before = time.perf_counter(), _processor_seconds()
            way()
            seconds = time.perf_counter() - start
            with suppress(ChildProcessError):
                while True:
                    os.waitpid(-1, 0)
            costs[name].append((seconds, _processor_seconds() - before))
    return {
        name: (statistics.median(pair[0] for pair in pairs[1:]), statistics.median(pair[1] for pair in pairs[1:]))
        for name, pairs in costs.items()
    }


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def print_table(rows: list[tuple[str, ...]]) -> None:
    """Print a Markdown table; the first row is its header."""
    print(*("| " + " | ".join(row) + " |" for row in (rows[0], ("---",) * len(rows[0]), *rows[1:])), sep="\n")
