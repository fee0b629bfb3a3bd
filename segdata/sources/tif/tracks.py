"""Turn the pages of a stack into files: read, convert, encode and write several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from segdata.cluster import Workers, check_shared
from segdata.errors import FaultsError, InvalidInputError
from segdata.images.survey import SampleCounts, by_value, count_samples, find_value_range
from segdata.images.tiff import Stack
from segdata.images.tiff_pixels import PageForm
from segdata.images.values import Percentiles, ValueRange
from segdata.parallel import Advance, Progress, ordered_map
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
    with progress(total=len(positions), label="value range") as advance:
        count = partial(track.count, by_value=by_value(wanted))
        return find_value_range(_advancing(ordered_map(count, positions, workers=workers), advance), wanted)


def _advancing(counts: Iterable[SampleCounts], advance: Advance) -> Iterator[SampleCounts]:
    for count in counts:
        advance(1)
        yield count


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
    faults: list[str] = []
    bad = 0
    with progress(total=len(positions), label="pages") as advance:
        for results in ordered_map(partial(_slice_position, tracks, staging), positions, workers=workers):
            advance(1)
            bad += any(isinstance(result, str) for result in results)
            for index, result in enumerate(results):
                if isinstance(result, str):
                    faults.append(result)
                else:
                    totals[index] = totals[index] + result
    if faults:
        raise FaultsError(f"{bad} of {plural(len(positions), 'page')} cannot be sliced", faults)
    return totals


def _slice_position(tracks: Sequence[Track], staging: Path | None, position: int) -> list[ValueCounts | str]:
    """Slice one page of each track; return its counts, or its fault with the position if the page has another."""
    results: list[ValueCounts | str] = []
    for track in tracks:
        try:
            results.append(track.slice(position, staging))
        except InvalidInputError as error:
            elsewhere = f" (slice {position})" if track.pages[position] != position else ""
            results.append(f"{error}{elsewhere}")
    return results
