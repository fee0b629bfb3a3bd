"""A stack on its way into files: pages are read, converted, encoded and written, several at once."""

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
from segdata.sources.tif.values import Page, ValueCounts


@dataclass(frozen=True)
class Track:
    """Images or labels: where pages come from, what becomes of them and where they go.

    Attributes:
        stack: the pages.
        form: what every one of them must be.
        convert: pixels to those that are written, and something to be counted over all pages, ``(N,)``.
        encode: pixels to the bytes of a file.
        name: page number to a path below the target.
    """

    stack: Stack
    form: PageForm
    convert: Callable[[Page], tuple[Page, ValueCounts]]
    encode: Callable[[Page], bytes]
    name: Callable[[int], str]

    def slice(self, page: int, staging: Path | None) -> ValueCounts:
        """Write one page below `staging`, or only check it; return what was counted.

        Raises:
            InvalidInputError: naming file and page, when the page cannot be read or converted.
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
    """Write `pages` of all tracks below `staging`, or only check them; return what each track counted.

    Raises:
        FaultsError: naming every page that cannot be read or converted.
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
        raise FaultsError(f"{bad} of {len(pages)} pages cannot be sliced", faults)
    return totals


def _slice_page(tracks: Sequence[Track], staging: Path | None, page: int) -> list[ValueCounts | str]:
    """Slice one page of each track; return what it counted, or what is wrong with it."""
    results: list[ValueCounts | str] = []
    for track in tracks:
        try:
            results.append(track.slice(page, staging))
        except InvalidInputError as error:
            results.append(str(error))
    return results
