"""Instances of an image that an annotation tool exports, with what is wrong with them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segdata.coco.rle import Rle, to_rle
from segdata.errors import Fault, InvalidInputError
from segdata.images.header import ImageHeader
from segdata.images.reading import read_image_header

#: COCO's polygons of an object, or its RLE.
Segmentation = list[list[float]] | Rle


@dataclass(frozen=True, slots=True)
class Instance:
    """One object of an image.

    Attributes:
        category: name of its category.
        segmentation: polygons ``[x0, y0, x1, y1, …]`` in pixels, or RLE.
        area: pixels of its mask.
        bbox: x, y, width and height of its mask in pixels.
        crowd: whether the region contains objects that cannot be distinguished.
    """

    category: str
    segmentation: Segmentation
    area: int
    bbox: tuple[float, float, float, float]
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """One image, or a file about it, with its objects and faults.

    Attributes:
        path: the image.
        height: in pixels.
        width: in pixels.
        instances: its objects, in the order of the export.
        faults: what is wrong with it.
        usable: whether it can be kept in spite of its faults: each faulty object has become a crowd.
        left_out: number of things that are not objects, by what they are.
        found: number of other things to report, by what they are.
        embedded: file that contains the image, which must be written to `path` first.
    """

    path: Path
    height: int = 0
    width: int = 0
    instances: tuple[Instance, ...] = ()
    faults: tuple[Fault, ...] = ()
    usable: bool = True
    left_out: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    embedded: Path | None = None


def is_background(name: str) -> bool:
    """Return whether a class name says that its pixels belong to no object; labelme writes ``_background_``."""
    return name.strip("_ ").lower() == "background"


def make_instance(
    category: str, segmentation: Segmentation, height: int, width: int, *, crowd: bool = False
) -> Instance:
    """Return an object of an image of `height` x `width` pixels, with the area and box of its mask.

    Raises:
        InvalidInputError: see `to_rle`; also when the mask is empty.
    """
    from pycocotools import mask

    rle = to_rle(segmentation, height, width)
    area = int(mask.area(rle))
    if not area:
        raise InvalidInputError("mask covers no pixels; expected at least 1", "empty_mask")
    x, y, w, h = mask.toBbox(rle).tolist()
    return Instance(category, segmentation, area, (x, y, w, h), crowd)


def crowd_over(category: str, points: npt.ArrayLike, height: int, width: int) -> tuple[Instance, ...]:
    """Return a crowd over the pixels of the box of `points` ``(N, 2)``, x and y; nothing if it is outside the image.

    A faulty object becomes one, so that its pixels are not taken for background: training and evaluation ignore crowds.
    """
    from pycocotools import mask

    corners: npt.NDArray[np.float64] = np.asarray(points, np.float64).reshape(-1, 2)
    low = np.floor(corners.min(0))
    high = np.maximum(np.ceil(corners.max(0)), low + 1)
    (x0, y0), (x1, y1) = np.clip(low, 0, (width, height)), np.clip(high, 0, (width, height))
    if x0 >= x1 or y0 >= y1:
        return ()
    rle: Rle = mask.frPyObjects([[x0, y0, x1, y0, x1, y1, x0, y1]], height, width)[0]
    return (make_instance(category, rle, height, width, crowd=True),)


def read_upright(image: Path | bytes) -> ImageHeader:
    """Return the header of an image on whose upright view somebody drew.

    Raises:
        InvalidInputError: when it cannot be read, or its EXIF orientation is not 1: tools show the image rotated, but
            its pixels are read as stored.
    """
    header = read_image_header(image)
    if header.orientation != 1:
        raise InvalidInputError(
            f"has EXIF orientation {header.orientation}: annotation tools show it rotated, but pixels are read as "
            "stored; expected an upright image. Save it upright, for example with mogrify -auto-orient; its "
            "annotations remain valid.",
            "rotated",
        )
    return header
