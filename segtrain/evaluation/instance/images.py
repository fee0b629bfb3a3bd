"""Instances of each image, compared with those found in it: matched, missed and false ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segtrain.evaluation.instance.truth import Truth
from segtrain.inference.instance.detections import Result

#: Smallest overlap (IoU of the masks) of a detection with the instance that it has found.
LEAST_IOU = 0.5

#: Smallest score of the detections that are compared, the same as that of `segtrain predict`.
LEAST_SCORE = 0.5


@dataclass(frozen=True)
class ImageMatches:
    """Comparison of one image.

    Attributes:
        image_id: id of the image.
        name: name of the image.
        truth: annotations of the ground truth.
        found: detections with a score of at least `LEAST_SCORE`, the highest first.
        missed: indices in `truth` of the instances that no detection matches.
        false: indices in `found` of the detections that match no instance; those in a crowd region are not false.
        matched: number of instances with a detection.
    """

    image_id: int
    name: str
    truth: tuple[dict[str, Any], ...]
    found: tuple[Result, ...]
    missed: tuple[int, ...]
    false: tuple[int, ...]
    matched: int

    @property
    def crowds(self) -> int:
        """Number of crowd regions."""
        return sum(item["iscrowd"] for item in self.truth)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of the shares of instances matched and of detections that match; None if there are neither."""
        total = 2 * self.matched + len(self.missed) + len(self.false)
        return 2 * self.matched / total if total else None


def match_images(truth: Truth, results: Iterable[Result]) -> list[ImageMatches]:
    """Compare the instances of each image, in the order of the ground truth.

    As in COCO's evaluation, the detection with the highest score comes first. It matches the instance of its class with
    the largest overlap that is still free. A detection that is mostly in a crowd region of its class counts as nothing.
    """
    expected: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for item in truth["annotations"]:
        expected[item["image_id"]].append(item)
    found: dict[int, list[Result]] = defaultdict(list)
    for result in results:
        if result["score"] >= LEAST_SCORE:
            found[result["image_id"]].append(result)
    return [_match(image, expected[image["id"]], found[image["id"]]) for image in truth["images"]]


def _match(image: Mapping[str, Any], truth: Sequence[dict[str, Any]], results: Sequence[Result]) -> ImageMatches:
    found = sorted(results, key=lambda result: -result["score"])
    free = {number for number, item in enumerate(truth) if not item["iscrowd"]}
    instances = len(free)
    false = []
    for number, result in enumerate(found):
        overlaps = _overlaps(result, truth)
        best = max(free, key=lambda at: overlaps[at], default=None)
        if best is not None and overlaps[best] >= LEAST_IOU:
            free.remove(best)
        elif not any(item["iscrowd"] and overlap >= LEAST_IOU for item, overlap in zip(truth, overlaps, strict=True)):
            false.append(number)
    return ImageMatches(
        image_id=image["id"],
        name=image["file_name"],
        truth=tuple(truth),
        found=tuple(found),
        missed=tuple(sorted(free)),
        false=tuple(false),
        matched=instances - len(free),
    )


def _overlaps(result: Result, truth: Sequence[dict[str, Any]]) -> list[float]:
    """Return the overlap of a detection with each annotation: 0 for those of another class."""
    from pycocotools import mask

    overlaps = np.zeros(len(truth))
    same = [number for number, item in enumerate(truth) if item["category_id"] == result["category_id"]]
    if same:
        others = [truth[number]["segmentation"] for number in same]
        # For a crowd region, the share of the detection that is in it.
        overlaps[same] = mask.iou([result["segmentation"]], others, [truth[number]["iscrowd"] for number in same])[0]
    return overlaps.tolist()  # type: ignore[no-any-return]


def image_table(images: Sequence[ImageMatches]) -> tuple[list[str], list[list[object]]]:
    """Return titles and rows of a table of all images, in order."""
    titles = ["image", "instances", "crowds", "detections", "matched", "missed", "false", "f1"]
    rows: list[list[object]] = [
        [
            each.name,
            each.matched + len(each.missed),
            each.crowds,
            len(each.found),
            each.matched,
            len(each.missed),
            len(each.false),
            each.f1,
        ]
        for each in images
    ]
    return titles, rows
