"""The value range of a set: given, or found in one pass over its images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from segdata.cluster import Workers
from segdata.errors import InvalidInputError
from segdata.files import resolve
from segdata.images.reading import read_samples
from segdata.images.survey import SampleCounts, by_value, count_samples, find_value_range
from segdata.images.values import Percentiles, ValueRange
from segdata.parallel import Progress, ordered_map


def resolve_value_range(
    wanted: ValueRange | Percentiles | None, root: Path, names: Sequence[str], *, workers: Workers, progress: Progress
) -> ValueRange | None:
    """Return the value range of the images `names` below `root`; percentiles are found by reading all of them.

    Images that cannot be read do not count: they are faults of their own.

    Raises:
        InvalidInputError: when there is no image to read, all samples are equal, or percentiles are asked of samples of
            more than 16 bits.
    """
    if not isinstance(wanted, Percentiles):
        return wanted
    count = partial(_count, root.absolute(), by_value(wanted))
    found: list[SampleCounts] = []
    with progress(total=len(names), label="value range") as advance:
        for counts in ordered_map(count, names, workers=workers):
            advance(1)
            if counts:
                found.append(counts)
    return find_value_range(found, wanted)


def _count(root: Path, values: bool, name: str) -> SampleCounts | None:
    try:
        samples = read_samples(resolve(root, name))
    except (InvalidInputError, OSError):
        return None
    return count_samples(samples, by_value=values)
