"""Turn the pages of a stack into files: read, convert, encode and write several at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from segdata.cluster import Workers, check_shared
from segdata.errors import FaultsError, InvalidInputError
from segdata.parallel import Progress, ordered_map
from segdata.sources.tif.pages import PageForm, Stack
from segdata.sources.tif.values import PagePixels, ValueCounts
from segdata.text import plural


@dataclass(frozen=True)
class Track:
    """Images or labels: their pages, how to convert them and where to write them.

    Attributes:
        stack: the pages.
        form: the form that every page must have.
        convert: maps pixels to the pixels to write, and to counts ``(N,)`` that are summed over all pages.
        encode: maps pixels to the bytes of a file.
        name: maps a page number to a path below the target.
    """

    stack: Stack
    form: PageForm
    convert: Callable[[PagePixels], tuple[PagePixels, ValueCounts]]
    encode: Callable[[PagePixels], bytes]
    name: Callable[[int], str]

    def slice(self, page: int, staging: Path | None) -> ValueCounts:
        """Write one page below `staging`, or only check it; return its counts.

        Raises:
            InvalidInputError: when the page cannot be read or converted; names the file and the page.
        """
        pixels = self.stack.read(page, self.form)
        with self.stack.naming(page):
            converted, counts = self.convert(pixels)
        if staging:
            (staging / self.name(page)).write_bytes(self.encode(converted))
        return counts


def slice_all(
    tracks: Sequence[Track], pages: Sequence[int], staging: Path | None, *, workers: Workers, progress: Progress
) -> list[ValueCounts]:
    """Write `pages` of all tracks below `staging`, or only check them; return the counts of each track.

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
    with progress(total=len(pages), label="pages") as advance:
        for results in ordered_map(partial(_slice_page, tracks, staging), pages, workers=workers):
            advance(1)
            bad += any(isinstance(result, str) for result in results)
            for index, result in enumerate(results):
                if isinstance(result, str):
                    faults.append(result)
                else:
                    totals[index] = totals[index] + result
    if faults:
        raise FaultsError(f"{bad} of {plural(len(pages), 'page')} cannot be sliced", faults)
    return totals


def _slice_page(tracks: Sequence[Track], staging: Path | None, page: int) -> list[ValueCounts | str]:
    """Slice one page of each track; return its counts, or its fault."""
    results: list[ValueCounts | str] = []
    for track in tracks:
        try:
            results.append(track.slice(page, staging))
        except InvalidInputError as error:
            results.append(str(error))
    return results
