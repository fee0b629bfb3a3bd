"""Turn the pages of a stack into files: read, convert, encode and write several at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from segdata.cluster import Workers, check_shared
from segdata.errors import Fault, FaultsError, collecting
from segdata.images.survey import SampleCounts, by_value, count_samples, find_value_range
from segdata.images.tiff import Stack
from segdata.images.tiff_pixels import PageForm
from segdata.images.values import Percentiles, ValueRange
from segdata.parallel import Progress, map_faults, progress_map
from segdata.sources.instances import Instance
from segdata.sources.tif.values import PagePixels, PageResult, ValueCounts, keep_values
from segdata.text import plural


@dataclass(frozen=True)
class Track:
    """Images or labels: their pages, how to convert them and where to write them.

    Attributes:
        stack: the pages.
        form: the form that every page must have.
        pages: page in the file of each position.
        name: maps a position to a path below the target.
        encode: maps pixels to the bytes of a file.
        convert: maps what was read to the pixels to write, or None to write none, and to the result of the page.
        take: reads a page, as an image or as stored.
    """

    stack: Stack
    form: PageForm
    pages: Mapping[int, int]
    name: Callable[[int], str]
    encode: Callable[[PagePixels], bytes]
    convert: Callable[[Any], tuple[PagePixels | None, PageResult]] = keep_values
    take: Callable[[Stack, int, PageForm], Any] = Stack.read_page

    def read(self, position: int) -> Any:
        """Return what `take` reads of the page at `position`.

        Raises:
            InvalidInputError: when the page cannot be read; names the file and the page.
        """
        return self.take(self.stack, self.pages[position], self.form)

    def slice(self, position: int, staging: Path | None) -> PageResult:
        """Write one page below `staging`, or only check it.

        Raises:
            InvalidInputError: when the page cannot be read or converted; names the file and the page.
        """
        stored = self.read(position)
        with self.stack.naming(self.pages[position]):
            converted, result = self.convert(stored)
        if staging and converted is not None:
            path = staging / self.name(position)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(self.encode(converted))
        return result

    def count(self, position: int, *, by_value: bool) -> SampleCounts:
        """Return the samples of the page at `position` for `find_value_range`."""
        pixels = self.read(position)
        with self.stack.naming(self.pages[position]):
            return count_samples(pixels, by_value=by_value)


def track_range(
    track: Track, positions: Sequence[int], wanted: Percentiles, *, workers: Workers, progress: Progress
) -> ValueRange:
    """Return the value range that `wanted` names over the pages at `positions`.

    Raises:
        InvalidInputError: when a page cannot be read, all samples are equal, or there are too many values to count.
    """
    counts = progress_map(
        partial(track.count, by_value=by_value(wanted)),
        positions,
        total=len(positions),
        label="value range",
        progress=progress,
        workers=workers,
    )
    return find_value_range(counts, wanted)


@dataclass(frozen=True)
class SlicedPages:
    """All pages after conversion: the sums of their counts by track, and their objects by position.

    `binary` tells whether all pages with objects are black-and-white masks; see `PageResult`.
    """

    counts: list[ValueCounts]
    instances: dict[int, tuple[Instance, ...]]
    binary: bool


def slice_all(
    tracks: Sequence[Track],
    positions: Sequence[int],
    staging: Path | None,
    value_cure: str,
    *,
    workers: Workers,
    progress: Progress,
) -> SlicedPages:
    """Write the pages of all tracks at `positions` below `staging`, or only check them.

    Args:
        tracks: images and labels.
        positions: the pages.
        staging: directory to write to; None only checks.
        value_cure: what to do about label values without a class.
        workers: number of threads, or a cluster.
        progress: reports progress.

    Raises:
        FaultsError: when pages cannot be read or converted; names each.
    """
    if staging:
        check_shared(workers, staging)
    totals: list[ValueCounts] = [np.zeros(1, np.int64) for _ in tracks]
    instances: dict[int, tuple[Instance, ...]] = {}
    binary: set[bool | None] = {None}
    faults: list[Fault] = []
    for position, results in map_faults(
        partial(_slice_position, tracks, staging),
        positions,
        faults,
        name="slice {}".format,
        total=len(positions),
        label="pages",
        progress=progress,
        workers=workers,
    ):
        totals = [total + result.counts for total, result in zip(totals, results, strict=True)]
        instances[position] = sum((result.instances for result in results), ())
        binary.update(result.binary for result in results)
    if faults:
        bad = len(positions) - len(instances)
        cure = f". {value_cure}" if any(fault.code == "value_outside_classes" for fault in faults) else ""
        raise FaultsError(f"{bad} of {plural(len(positions), 'page')} cannot be sliced{cure}", faults)
    return SlicedPages(totals, instances, binary == {None, True})


def _slice_position(tracks: Sequence[Track], staging: Path | None, position: int) -> tuple[int, list[PageResult]]:
    """Slice one page of each track; return the position and the results.

    Raises:
        FaultsError: when pages cannot be read or converted; says the position if it is not the number of the page.
    """
    results: list[PageResult] = []
    faults: list[Fault] = []
    for track in tracks:
        found: list[Fault] = []
        page = track.pages[position]
        where = f"{track.stack.path.name}, page {page}"
        with collecting(found, where):
            results.append(track.slice(position, staging))
        elsewhere = f" (slice {position})" if page != position else ""
        # The stack names the page in its errors, since most of them are not collected.
        texts = [fault.what.removeprefix(f"{where}: ") for fault in found]
        faults += (replace(fault, what=f"{text}{elsewhere}") for fault, text in zip(found, texts, strict=True))
    if faults:
        raise FaultsError(f"slice {position} cannot be written", faults)
    return position, results
