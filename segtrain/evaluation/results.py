"""Results of an evaluation for people: a page with the worst and the best images, and a table of all images."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segdata.draw.overlay import Overlay
from segdata.draw.page import Section, check_page, page_html, pictures_html, write_page
from segdata.draw.page_tiles import breakable, chip, keys_html, panels
from segdata.draw.pictures import LegendEntry, legend_of
from segdata.errors import OptionError
from segdata.files.ownership import check_target_file
from segdata.files.publishing import write_file
from segtrain.distributed.ranks import Ranks

#: Command that makes the page; it replaces only its own pages.
_PROGRAM = "segtrain eval"

#: Number of images that a page shows of the worst ones, and of the best ones.
EXAMPLES = 12

#: Longest side of a picture on the page, in pixels.
PICTURE_SIDE = 480

#: Opacity of the overlays at first.
_ALPHA = 0.5


@dataclass(frozen=True)
class Example:
    """An image on the page.

    Attributes:
        name: name of the image.
        about: its scores, one line.
        image: RGB, ``(h, w, 3)`` uint8, scaled to the page.
        overlays: what is drawn over it, by title; the pictures are side by side.
        keys: ids of the classes that it shows; None for pixels without a class.
    """

    name: str
    about: str
    image: npt.NDArray[np.uint8]
    overlays: Mapping[str, Overlay]
    keys: frozenset[int | None]


@dataclass(frozen=True)
class ResultFiles:
    """Files that an evaluation writes besides its report.

    Attributes:
        html: directory of the page, ``index.html``; None for no page.
        per_image: CSV file with the scores of each image; None for no file.
        overwrite: replace those of an earlier evaluation.
    """

    html: Path | None = None
    per_image: Path | None = None
    overwrite: bool = False

    def check(self, *inputs: Path | None) -> None:
        """Check before the evaluation that the files can be written after it.

        Raises:
            TargetExistsError: when a file exists and must not be replaced.
            InvalidInputError: when a file is one of the inputs.
        """
        if self.html:
            check_page(self.html, _PROGRAM, overwrite=self.overwrite)
        if self.per_image:
            check_target_file(self.per_image, overwrite=self.overwrite, inputs=inputs)

    def check_alone(self, ranks: Ranks) -> None:
        """Check that one process sees all images; to be called when the processes have connected.

        Raises:
            OptionError: when several processes evaluate together, each of which sees only a share of the images.
        """
        if ranks.size > 1 and (self.html or self.per_image):
            name = "html" if self.html else "per_image"
            raise OptionError(
                f"{name}: each of {ranks.size} processes sees only a share of the images; expected one process. "
                "Evaluate the checkpoint with segtrain eval on its own."
            )

    def write_table(self, titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Write the scores of each image, if requested; None becomes an empty cell."""
        if self.per_image:
            text = io.StringIO(newline="")
            csv.writer(text, lineterminator="\n").writerows([titles, *rows])
            data = text.getvalue().encode(errors="backslashreplace")
            write_file(self.per_image, data, overwrite=self.overwrite)

    def write_page(self, title: str, what: str, facts: Mapping[str, str], sections: Sequence[Section]) -> None:
        """Write the page, if requested; see `segdata.draw.page.page_html`."""
        if self.html:
            text = page_html(_PROGRAM, title, what, facts, sections, alpha=_ALPHA)
            write_page(self.html, text, overwrite=self.overwrite)


def examples_section(
    worst: Sequence[Example],
    best: Sequence[Example],
    *,
    about: str,
    labels: Mapping[int, str],
    ignore_label: int | None = None,
) -> Section:
    """Return the section with the worst and the best images.

    Args:
        worst: images with the lowest scores, the lowest first.
        best: images with the highest scores, the highest first.
        about: sentence on their order and their colors.
        labels: class name by id.
        ignore_label: label of pixels without a class.
    """
    groups = {"Worst": worst, "Best": best}
    count = Counter(key for examples in groups.values() for example in examples for key in example.keys)
    legend = legend_of(set(count), labels, ignore_label)
    tiles = {
        heading: [_tile(example, legend) for example in examples] for heading, examples in groups.items() if examples
    }
    chips = [chip(entry, count[entry.id]) for entry in legend]
    return Section("images", "Images", pictures_html(about, chips, tiles, alpha=_ALPHA, wide=True))


def _tile(example: Example, legend: Sequence[LegendEntry]) -> str:
    name, about = escape(example.name), escape(example.about)
    entries = [entry for entry in legend if entry.id in example.keys]
    return (
        f'<figure class="tile" data-classes="{keys_html(entries)}">'
        f'<button type="button" class="open" aria-label="Enlarge {name}">'
        f"{panels(example.image, example.overlays, name)}</button>"
        f'<figcaption><span class="name">{breakable(name)}</span><br><span class="about muted">{about}</span>'
        "</figcaption></figure>"
    )


def percent(score: float | None) -> str:
    """Return a score, 0 to 1, in percent; a dash without a score."""
    return "–" if score is None else f"{score:.2%}"
