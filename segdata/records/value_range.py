"""The value range of a set: given, or found in one pass over its images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from segdata.cluster import Workers
from segdata.encoded import File
from segdata.errors import Fault, InvalidInputError
from segdata.images.reading import read_samples
from segdata.images.survey import SampleCounts, by_value, count_samples, find_value_range
from segdata.images.values import Percentiles, ValueRange
from segdata.parallel import Progress, map_faults


def resolve_value_range(
    wanted: ValueRange | Percentiles | None, root: Path, names: Sequence[str], *, workers: Workers, progress: Progress
) -> ValueRange | None:
    """Return the value range of the images `names` below `root`; percentiles are found by reading all of them.

    Images that cannot be read do not count: they are faults of their own. Without names, there is no range.

    Raises:
        InvalidInputError: when no image can be read, all samples are equal, or percentiles are asked of samples of
            more than 16 bits.
    """
    if not isinstance(wanted, Percentiles):
        return wanted
    if not names:
        return None
    faults: list[Fault] = []
    counts = map_faults(
        partial(_count, root.absolute(), by_value(wanted)),
        names,
        faults,
        name=str,
        total=len(names),
        label="value range",
        progress=progress,
        workers=workers,
    )
    found = list(counts)
    for fault in faults:
        if fault.code == "no_value_range":
            raise InvalidInputError(str(fault), fault.code)
    return find_value_range(found, wanted)


def _count(root: Path, values: bool, name: str) -> SampleCounts:
    return count_samples(read_samples(File(root, name).find()), by_value=values)
