"""Pairs of similar images on the page: both images side by side, their names, and how one is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from segdata.dataset import Dataset
from segdata.draw.page_tiles import breakable, photograph_html
from segdata.draw.pictures import fitted, scaled_image
from segdata.errors import Fault, collecting
from segdata.images.reading import as_picture
from segdata.inspect.check import CheckReport
from segdata.inspect.check.near import NearFault
from segdata.parallel import Progress, progress_map
from segdata.samples import Sample
from segdata.text import plural

#: Maximum number of pairs on the page; the others are counted.
MAX_PAIRS = 50

#: Longest side of an image of a pair, in pixels.
_SIDE = 400


@dataclass(frozen=True)
class SimilarImage:
    """An image of a pair.

    Attributes:
        name: name of its sample.
        size: width and height in pixels.
        image: RGB, ``(h, w, 3)`` uint8, scaled to the page; None if it cannot be read any more.
        faults: why it cannot.
    """

    name: str
    size: tuple[int, int] = (0, 0)
    image: npt.NDArray[np.uint8] | None = None
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class SimilarPairs:
    """Similar images as the page shows them.

    Attributes:
        pairs: the first `MAX_PAIRS`: the earlier image, the one similar to it, and the change (`NearFault`).
        count: number of all pairs.
    """

    pairs: tuple[tuple[SimilarImage, SimilarImage, str], ...]
    count: int


def similar_faults(check: CheckReport) -> tuple[NearFault, ...] | None:
    """Return the faults of similar images of a check with `every`; None if it did not search for them."""
    if not check.near or any(finding.code == "record_damaged" for finding in check.findings):
        return None
    return tuple(fault for fault in check.faults if isinstance(fault, NearFault))


def draw_similar(dataset: Dataset, faults: Sequence[NearFault], *, workers: int, progress: Progress) -> SimilarPairs:
    """Read the images of the first `MAX_PAIRS` faults again."""
    shown = faults[:MAX_PAIRS]
    names = [name for fault in shown for name in (fault.other, fault.where)]
    rows: dict[str, int] = {}
    for row, (name, _) in enumerate(dataset.files()):
        # A name that appears again was not compared again.
        rows.setdefault(name, row)
    samples = dataset.samples([rows[name] for name in names])
    images = list(progress_map(_draw, samples, total=len(names), label="similar", progress=progress, workers=workers))
    changes = [fault.change for fault in shown]
    return SimilarPairs(tuple(zip(images[::2], images[1::2], changes, strict=True)), len(faults))


def _draw(sample: Sample) -> SimilarImage:
    faults: list[Fault] = []
    with collecting(faults, sample.name):
        image = as_picture(sample.read_image())
        height, width = image.shape[:2]
        small = scaled_image(image, *fitted(height, width, _SIDE, _SIDE))
        return SimilarImage(sample.name, (width, height), small)
    return SimilarImage(sample.name, faults=tuple(faults))


def describe_similar(count: int) -> str:
    """Return how many pairs there are, and where those are that the page does not show.

    >>> describe_similar(2)
    '2 pairs of similar images'
    """
    pairs = f"{plural(count, 'pair')} of similar images"
    if count <= MAX_PAIRS:
        return pairs
    return f"{pairs}; the first {MAX_PAIRS} are shown, segdata check --near --out FILE.csv names all"


def similar_html(similar: SimilarPairs | None) -> str:
    """Return the pairs as HTML; None stands for a record set that is too damaged to be searched."""
    if similar is None:
        return '<p class="error">The record set is damaged; its images were not compared.</p>'
    if not similar.count:
        return '<p class="fine">No similar images found among those that can be read.</p>'
    pairs = "\n".join(_pair_html(*pair) for pair in similar.pairs)
    return f'<p class="muted">{describe_similar(similar.count)}</p>\n<div class="pairs">\n{pairs}\n</div>'


def _pair_html(earlier: SimilarImage, later: SimilarImage, change: str) -> str:
    what = change.capitalize() or "Neither mirrored nor rotated"
    return f'<figure class="pair">{_image_html(earlier)}{_image_html(later)}<figcaption>{what}</figcaption></figure>'


def _image_html(shown: SimilarImage) -> str:
    name = escape(shown.name)
    caption = f'<span class="name">{breakable(name)}</span>'
    if shown.image is None:
        problem = escape("; ".join(map(str, shown.faults)))
        return f'<div><div class="problem">{problem}</div><p>{caption}</p></div>'
    size = f"{shown.size[0]} × {shown.size[1]}"
    photograph = photograph_html(shown.image, f"{name}, {size}")
    return f'<div>{photograph}<p>{caption}<br><span class="muted">{size}</span></p></div>'
