"""Turn the pages of a stack into files: read, convert, encode and write several at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from segdata.cluster import Workers, check_shared
from segdata.errors import Fault, FaultsError, collecting
from segdata.images.survey import SampleCounts, by_value, count_samples, find_value_range
from segdata.images.tiff import Stack
from segdata.images.tiff_pixels import PageForm
from segdata.images.values import Percentiles, ValueRange
from segdata.parallel import Progress, map_faults, progress_map
from segdata.sources.tif.values import PagePixels, ValueCounts, keep_values
from segdata.text import plural


@dataclass(frozen=True)
class Track:
    """Images or labels: their pages, how to convert them and where to write them.

    Attributes:
        stack: the pages.
        as_image: read pages as images; otherwise their stored values, as those of labels.
        form: the form that every page must have.
        pages: page in the file of each position.
        name: maps a position to a path below the target.
        encode: maps pixels to the bytes of a file.
        convert: maps pixels to the pixels to write, and to counts ``(N,)`` that are summed over all pages.
    """

    stack: Stack
    as_image: bool
    form: PageForm
    pages: Mapping[int, int]
    name: Callable[[int], str]
    encode: Callable[[PagePixels], bytes]
    convert: Callable[[PagePixels], tuple[PagePixels, ValueCounts]] = keep_values

    def read(self, position: int) -> PagePixels:
        """Return the pixels of the page at `position`.

        Raises:
            InvalidInputError: when the page cannot be read; names the file and the page.
        """
        page = self.pages[position]
        return self.stack.read_page(page, self.form) if self.as_image else self.stack.read(page, self.form)

    def slice(self, position: int, staging: Path | None) -> ValueCounts:
        """Write one page below `staging`, or only check it; return its counts.

        Raises:
            InvalidInputError: when the page cannot be read or converted; names the file and the page.
        """
        pixels = self.read(position)
        with self.stack.naming(self.pages[position]):
            converted, counts = self.convert(pixels)
        if staging:
            (staging / self.name(position)).write_bytes(self.encode(converted))
        return counts

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


def slice_all(
    tracks: Sequence[Track], positions: Sequence[int], staging: Path | None, *, workers: Workers, progress: Progress
) -> list[ValueCounts]:
    """Write the pages of all tracks at `positions` below `staging`, or only check them; return the counts by track.

    Raises:
        FaultsError: when pages cannot be read or converted; names each.
    """
    if staging:
        check_shared(workers, staging)
        for track in tracks:
            (staging / track.name(0)).parent.mkdir()
    totals: list[ValueCounts] = [np.zeros(1, np.int64) for _ in tracks]
    faults: list[Fault] = []
    sliced = 0
    for counts in map_faults(
        partial(_slice_position, tracks, staging),
        positions,
        faults,
        name="slice {}".format,
        total=len(positions),
        label="pages",
        progress=progress,
        workers=workers,
    ):
        sliced += 1
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
    if faults:
        bad = len(positions) - sliced
        raise FaultsError(f"{bad} of {plural(len(positions), 'page')} cannot be sliced", faults)
    return totals


def _slice_position(tracks: Sequence[Track], staging: Path | None, position: int) -> list[ValueCounts]:
    """Slice one page of each track; return its counts.

    Raises:
        FaultsError: when pages cannot be read or converted; says the position if it is not the number of the page.
    """
    counts: list[ValueCounts] = []
    faults: list[Fault] = []
    for track in tracks:
        found: list[Fault] = []
        page = track.pages[position]
        where = f"{track.stack.path.name}, page {page}"
        with collecting(found, where):
            counts.append(track.slice(position, staging))
        elsewhere = f" (slice {position})" if page != position else ""
        # The stack names the page in its errors, since most of them are not collected.
        texts = [fault.what.removeprefix(f"{where}: ") for fault in found]
        faults += (replace(fault, what=f"{text}{elsewhere}") for fault, text in zip(found, texts, strict=True))
    if faults:
        raise FaultsError(f"slice {position} cannot be written", faults)
    return counts
