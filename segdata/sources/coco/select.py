"""Which images, annotations and categories of a COCO file make a subset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from segdata.coco.file import Coco
from segdata.errors import FaultsError, InvalidInputError, suggest
from segdata.lists import read_ids
from segdata.seeded import seeded_order

CategoryMatch = Literal["any", "all"]
Crowd = Literal["keep", "drop", "only"]

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Choice:
    """What a subset is to hold.

    Attributes:
        categories: names or ids; an image is wanted when it has an annotation of one of them. All by default.
        match: whether an image needs any one of `categories`, or all of them.
        only_matching: whether annotations of other categories are left out of the wanted images.
        image_ids: the only images to look at; all by default.
        max_images: keep as many at most, drawn by `seed`.
        seed: of that draw.
        crowd: keep or drop annotations with `iscrowd`, or keep no others.
        keep_empty: also keep images without any annotation; those of other categories only are not empty.
        min_area: drop annotations whose `area` is smaller, in pixels.
    """

    categories: Sequence[str] = ()
    match: CategoryMatch = "any"
    only_matching: bool = False
    image_ids: Sequence[int] | None = None
    max_images: int | None = None
    seed: int = 0
    crowd: Crowd = "keep"
    keep_empty: bool = False
    min_area: float = 0


@dataclass(frozen=True)
class Selection:
    """A subset: which objects of each list are kept, and how many were left out for which reason.

    Every kept annotation's image and category are kept. An object is counted under the first reason that it
    meets.
    """

    images: Flags
    annotations: Flags
    categories: Flags
    images_left_out: dict[str, int]
    annotations_left_out: dict[str, int]


def select(coco: Coco, choice: Choice) -> Selection:
    """Decide what of `coco` is kept.

    First annotations go (unknown image or category, crowd, area); an image is judged by those that are left.
    Without a choice of categories all are kept; with one, those chosen and those that a kept annotation uses.

    Raises:
        InvalidInputError: for an unknown category, a minimum area where annotations have none, and when no image
            is left.
        FaultsError: for image ids that the file does not know.
    """
    table = coco.annotations
    annotations, images = _Sieve(len(table.raw)), _Sieve(len(coco.images))
    annotations.drop(table.image < 0, "unknown_image")
    annotations.drop(table.category < 0, "unknown_category")
    if choice.crowd != "keep":
        annotations.drop(table.crowd == (choice.crowd == "drop"), "crowd" if choice.crowd == "drop" else "not_crowd")
    if choice.min_area > 0:
        annotations.drop(_smaller(coco, annotations.left, choice.min_area), "below_min_area")

    annotated = _marked(table.image[annotations.left], len(coco.images))
    if choice.image_ids is not None:
        images.drop(~_listed(coco, choice.image_ids), "not_listed")
    chosen = find_categories(coco, choice.categories)
    if chosen:
        images.drop(annotated & ~_matching(coco, annotations.left, chosen, choice.match), "only_other_categories")
    if not choice.keep_empty:
        images.drop(~annotated, "no_annotations")
    if choice.max_images is not None:
        images.drop(~_drawn(coco, images.left, choice.max_images, choice.seed), "beyond_max_images")
    if not images.left.any():
        reasons = ", ".join(f"{count} {reason}" for reason, count in images.out.items())
        raise InvalidInputError(f"{coco.path}: no image is left of {len(coco.images)} ({reasons or 'it has none'})")

    if chosen and choice.only_matching:
        annotations.drop(~np.isin(table.category, chosen), "other_category")
    annotations.drop(~images.left[table.image], "image_left_out")
    categories = np.ones(len(coco.categories), bool)
    if chosen:
        categories = _marked(table.category[annotations.left], len(coco.categories))
        categories[chosen] = True
    return Selection(images.left, annotations.left, categories, images.out, annotations.out)


def find_categories(coco: Coco, wanted: Sequence[str]) -> list[int]:
    """Return the row in `coco.categories` of each category of `wanted`: its name or, failing that, its id.

    Raises:
        InvalidInputError: for one that the file does not have, with the nearest names, and for an ambiguous name.
    """
    return list(dict.fromkeys(_find_category(coco, name) for name in wanted))


def _find_category(coco: Coco, wanted: str) -> int:
    rows = [row for row, category in enumerate(coco.categories) if category.name == wanted]
    rows = rows or [row for row, category in enumerate(coco.categories) if str(category.id) == wanted]
    if len(rows) > 1:
        ids = ", ".join(str(coco.categories[row].id) for row in rows)
        raise InvalidInputError(f"{coco.path}: the categories {ids} are all called {wanted!r}; choose by id")
    if not rows:
        raise InvalidInputError(
            f"{coco.path}: no category {wanted!r}; {suggest(wanted, [category.name for category in coco.categories])}"
        )
    return rows[0]


def read_image_ids(path: Path) -> tuple[int, ...]:
    """Read image ids, one a line.

    Raises:
        FaultsError: for lines that are not a whole number.
        InvalidInputError: see `read_ids`.
    """
    ids, faults = [], []
    for text in read_ids(path):
        try:
            ids.append(int(text))
        except ValueError:
            faults.append(f"{text!r}")
    if faults:
        raise FaultsError(f"{path}: {len(faults)} lines are not image ids, which are whole numbers", faults)
    return tuple(ids)


class _Sieve:
    """Which objects are left, and how many went for which reason."""

    def __init__(self, count: int) -> None:
        self.left = np.ones(count, bool)
        self.out: dict[str, int] = {}

    def drop(self, where: Flags, reason: str) -> None:
        count = int(np.count_nonzero(self.left & where))
        if count:
            self.out[reason] = count
            self.left &= ~where


def _marked(rows: npt.NDArray[np.int64], count: int) -> Flags:
    flags = np.zeros(count, bool)
    flags[rows] = True
    return flags


def _smaller(coco: Coco, left: Flags, min_area: float) -> Flags:
    area = coco.annotations.area
    without = int(np.count_nonzero(np.isnan(area) & left))
    if without:
        raise InvalidInputError(f"{coco.path}: {without} annotations have no area; a minimum cannot be applied")
    return area < min_area


def _listed(coco: Coco, ids: Sequence[int]) -> Flags:
    rows = {image.id: row for row, image in enumerate(coco.images)}
    unknown = [str(id_) for id_ in ids if id_ not in rows]
    if unknown:
        raise FaultsError(f"{coco.path}: {len(unknown)} of the image ids are not in it", unknown)
    return _marked(np.array([rows[id_] for id_ in ids], np.int64), len(rows))


def _matching(coco: Coco, left: Flags, chosen: Sequence[int], match: CategoryMatch) -> Flags:
    table = coco.annotations
    having = np.zeros(len(coco.images), np.int64)
    for row in chosen:
        having += _marked(table.image[left & (table.category == row)], len(coco.images))
    return having >= (1 if match == "any" else len(chosen))


def _drawn(coco: Coco, left: Flags, count: int, seed: int) -> Flags:
    rows = np.flatnonzero(left)
    order = seeded_order([str(coco.images[row].id) for row in rows], seed)
    return _marked(rows[order[:count]], len(left))
