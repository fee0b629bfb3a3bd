"""Select the images, annotations and categories of a COCO file that form a subset."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from segdata.arguments import check_choice, check_number, check_several
from segdata.coco.file import Coco
from segdata.errors import FaultsError, InvalidInputError, OptionError, suggest
from segdata.lists import read_ids
from segdata.seeded import seeded_order

#: Whether an image needs any one of the chosen categories, or all of them.
CategoryMatch = Literal["any", "all"]
#: What becomes of annotations with `iscrowd` 1: kept, dropped, kept alone, or turned into objects.
Crowd = Literal["keep", "drop", "only", "object"]

Flags = npt.NDArray[np.bool_]

#: Reasons for which images are left out, in words, and what keeps such images.
IMAGE_REASONS = {
    "unusable": ("with faults", "correct the faults"),
    "not_listed": ("not in --image_ids", "list other images in --image_ids"),
    "only_other_categories": ("with other categories only", "choose another --category"),
    "no_annotations": ("without annotations", "add --keep-empty"),
    "beyond_max_images": ("beyond --max_images", ""),
}


@dataclass(frozen=True)
class Choice:
    """Criteria for a subset.

    Attributes:
        categories: names or ids; keep images with an annotation of one of them. All by default.
        match: whether an image needs any one of `categories`, or all of them.
        only_matching: drop annotations of other categories from the kept images.
        image_ids: ids of the only images to consider; all by default.
        max_images: maximum number of images, drawn at random with `seed`.
        seed: seed of that draw.
        crowd: keep annotations with `iscrowd` 1, drop them, keep only them, or keep them as objects, with `iscrowd` 0.
        keep_empty: also keep images without annotations; an image with other categories only is not empty.
        min_area: drop annotations with a smaller `area`, in pixels.
        drop_unused: drop categories without kept annotations, except chosen ones.

    Raises:
        OptionError: when a value is out of range.
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
    drop_unused: bool = False

    def __post_init__(self) -> None:
        check_several("categories", self.categories)
        check_choice("match", self.match, CategoryMatch)
        check_choice("crowd", self.crowd, Crowd)
        check_number("max_images", self.max_images, 1)
        if not self.min_area >= 0:
            raise OptionError(f"min_area = {self.min_area}: expected 0 or more")


@dataclass(frozen=True)
class Unusable:
    """Flags of the images and annotations that a subset must not contain, because they have faults."""

    images: Flags
    annotations: Flags


@dataclass(frozen=True)
class Selection:
    """A subset: flags of the objects kept in each list, and the number left out by reason.

    The image and category of every kept annotation are kept. An object counts under the first reason that applies
    to it.
    """

    images: Flags
    annotations: Flags
    categories: Flags
    images_left_out: dict[str, int]
    annotations_left_out: dict[str, int]


def select(coco: Coco, choice: Choice, unusable: Unusable | None = None) -> Selection:
    """Decide which objects of `coco` to keep.

    Annotations are dropped first (unknown image or category, unusable, crowd, area); images are judged by the
    annotations that are left. All categories are kept unless some are chosen; then the chosen ones are kept, and those
    that a kept annotation uses.

    Raises:
        InvalidInputError: when a category is unknown, a minimum area is given but annotations have no area, or no
            image is left.
        FaultsError: when image ids are not in the file.
    """
    table = coco.annotations
    annotations, images = _Sieve(len(table.raw)), _Sieve(len(coco.images))
    annotations.drop(table.image < 0, "unknown_image")
    annotations.drop(table.category < 0, "unknown_category")
    if unusable:
        annotations.drop(unusable.annotations, "unusable")
        images.drop(unusable.images, "unusable")
    if choice.crowd in ("drop", "only"):
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
        raise InvalidInputError(f"{coco.path}: {_nothing_left(len(coco.images), images.out)}")

    if chosen and choice.only_matching:
        annotations.drop(~np.isin(table.category, chosen), "other_category")
    annotations.drop(~images.left[table.image], "image_left_out")
    categories = np.ones(len(coco.categories), bool)
    if chosen or choice.drop_unused:
        categories = _marked(table.category[annotations.left], len(coco.categories))
        categories[chosen] = True
    return Selection(images.left, annotations.left, categories, images.out, annotations.out)


def _nothing_left(images: int, out: dict[str, int]) -> str:
    if not images:
        return "contains no images"
    reasons = ", ".join(f"{count} {IMAGE_REASONS[reason][0]}" for reason, count in out.items())
    cures = ", or ".join(IMAGE_REASONS[reason][1] for reason in out)
    return f"no images are left of {images} ({reasons}). {cures[:1].upper()}{cures[1:]}"


def find_categories(coco: Coco, wanted: Sequence[str]) -> list[int]:
    """Return the row in `coco.categories` of each category in `wanted`, found by name or else by id.

    Raises:
        InvalidInputError: when the file does not have a category (suggests the nearest names), or a name is ambiguous.
    """
    return list(dict.fromkeys(_find_category(coco, name) for name in wanted))


def _find_category(coco: Coco, wanted: str) -> int:
    rows = [row for row, category in enumerate(coco.categories) if category.name == wanted]
    rows = rows or [row for row, category in enumerate(coco.categories) if str(category.id) == wanted]
    if len(rows) > 1:
        ids = ", ".join(str(coco.categories[row].id) for row in rows)
        raise InvalidInputError(f"{coco.path}: categories {ids} are all named {wanted!r}. Select one by id.")
    if not rows:
        raise InvalidInputError(
            f"{coco.path}: no category {wanted!r}; {suggest(wanted, [category.name for category in coco.categories])}"
        )
    return rows[0]


def read_image_ids(path: Path) -> tuple[int, ...]:
    """Read image ids, one per line.

    Raises:
        FaultsError: when lines are not integers; names each.
        InvalidInputError: see `read_ids`.
    """
    texts = read_ids(path)
    faults = [repr(text) for text in texts if not re.fullmatch(r"[+-]?[0-9]{1,18}", text)]
    if faults:
        raise FaultsError(
            f"{path}: {len(faults)} {'lines are not image ids' if len(faults) != 1 else 'line is not an image id'}; "
            "expected integers",
            faults,
        )
    return tuple(map(int, texts))


class _Sieve:
    """Flags of the objects that are left, and the number dropped by reason."""

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
        raise InvalidInputError(
            f"{coco.path}: {without} {'annotations have' if without != 1 else 'annotation has'} no area; "
            "expected an area in each, because --min_area compares it. Add them with segdata fix."
        )
    return area < min_area


def _listed(coco: Coco, ids: Sequence[int]) -> Flags:
    rows = {image.id: row for row, image in enumerate(coco.images)}
    unknown = [str(id_) for id_ in ids if id_ not in rows]
    if unknown:
        raise FaultsError(
            f"{coco.path}: does not contain {len(unknown)} of the image ids. Remove them from --image_ids", unknown
        )
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
