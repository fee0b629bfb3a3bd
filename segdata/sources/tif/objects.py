"""Pages whose values number objects: their instances, or class ids with a class between touching objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.labels.mask_mapping import MaskMapping, known_ids
from segdata.labels.masks import count_values
from segdata.sources.instance_masks.regions import run_lengths
from segdata.sources.instance_masks.values import as_ids
from segdata.sources.instances import make_instance
from segdata.sources.tif.values import PageResult

#: The values of objects in a black-and-white mask of any depth.
_WHITE = ([1], [255], [65535])


def instance_page(pixels: npt.NDArray[Any], *, mapping: MaskMapping) -> tuple[None, PageResult]:
    """Return the objects of a page ``(H, W)`` as instances, in the order of their values.

    Raises:
        InvalidInputError: when a value is not an integer of 0 or more, or has no class.
    """
    numbers, class_of, ids, binary = _numbered(pixels, mapping)
    height, width = numbers.shape
    found = tuple(
        make_instance(mapping.map.name(class_of[number]), rle, height, width) for number, rle in run_lengths(numbers)
    )
    return None, PageResult(count_values(ids), found, binary)


def border_page(
    pixels: npt.NDArray[Any], *, mapping: MaskMapping, distance: int, id_: int
) -> tuple[npt.NDArray[np.uint8], PageResult]:
    """Return the class ids of a page ``(H, W)``, with the class `id_` between touching objects; see `between`.

    Pixels of the ignore label keep it.

    Raises:
        InvalidInputError: when a value is not an integer of 0 or more, or has no class.
    """
    numbers, _, ids, binary = _numbered(pixels, mapping)
    ids[between(numbers, distance) & (ids != mapping.map.ignore_label)] = id_
    return ids, PageResult(count_values(ids), binary=binary)


def between(numbers: npt.NDArray[Any], distance: int) -> npt.NDArray[np.bool_]:
    """Return which pixels are within `distance` of two different objects; a pixel of an object is at 0 from it.

    Args:
        numbers: ``(H, W)``, the number of the object of each pixel, 0 without one.
        distance: Euclidean, between the centers of pixels, 1 or more.

    >>> between(np.array([[0, 1, 1, 1, 2, 2, 0, 3]]), 1).astype(int).tolist()
    [[0, 0, 0, 1, 1, 0, 1, 0]]
    """
    import cv2

    steps = np.arange(-distance, distance + 1) ** 2
    disc = (steps[:, None] + steps <= distance**2).astype(np.uint8)
    # OpenCV has no morphology of 32-bit integers; fractions of 64 bits represent them.
    objects = numbers.astype(np.float64)
    highest = cv2.dilate(objects, disc)
    lowest = cv2.erode(np.where(numbers > 0, objects, np.inf), disc)
    return np.asarray(lowest < highest)


def _numbered(
    pixels: npt.NDArray[Any], mapping: MaskMapping
) -> tuple[npt.NDArray[np.int32], dict[int, int], npt.NDArray[np.uint8], bool | None]:
    """Return the objects numbered in the order of their values, the class of each number, the class ids, and `binary`.

    Values of class 0 and of the ignore label are not objects; their number is 0.
    """
    values = as_ids(pixels)
    # Objects are long runs of one value: only the first pixel of each run is sorted.
    flat = values.ravel()
    starts = np.append(0, np.flatnonzero(flat[1:] != flat[:-1]) + 1)
    used, run = np.unique(flat[starts], return_inverse=True)
    ids = known_ids(values, used, mapping.gray_ids(used), mapping, None)
    objects = np.flatnonzero((ids != 0) & (ids != mapping.map.ignore_label))
    number_of = np.zeros(len(used), np.int32)
    number_of[objects] = np.arange(1, len(objects) + 1)
    lengths = np.diff(starts, append=flat.size)
    numbers = np.repeat(number_of[run], lengths).reshape(values.shape)
    class_of = dict(enumerate(ids[objects].tolist(), start=1))
    binary = used[objects].tolist() in _WHITE if len(objects) else None
    return numbers, class_of, np.repeat(ids[run], lengths).reshape(values.shape), binary
