"""Count one sample for the statistics of its data set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.coco.rle import to_rle
from segdata.errors import Fault, faults_at
from segdata.images.header import check_size
from segdata.labels.classes import Classes
from segdata.labels.masks import count_values
from segdata.records.schema import unpack_masks
from segdata.samples import Sample

#: The sum and the sum of squares of a channel, for R, G and B.
Sums = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """Counts of one sample.

    Attributes:
        width: image width in pixels.
        height: image height in pixels.
        colors: sum and sum of squares of R, of G and of B over all pixels; exact integers for 8-bit images.
        pixels: number of pixels by label, including the ignore label; in an instance set, the area of the masks
            without crowds.
        instances: number of instances by label, without crowds.
        crowds: number of crowds.
        faults: faults of the annotations that were left out.
    """

    width: int
    height: int
    colors: Sums
    pixels: dict[int, int]
    instances: dict[int, int]
    crowds: int = 0
    faults: tuple[Fault, ...] = ()


def count_labeled(classes: Classes, sample: Sample) -> ClassCounts:
    """Read a sample with a label once and count it.

    Raises:
        FaultsError: when the image or the label cannot be read, they differ in size, or the label has other values.
    """
    image = sample.read_image()
    height, width = image.shape[:2]
    with faults_at(sample.index_png().name):
        label = sample.read_label()
        check_size(label.shape, image.shape[:2], "its image has")
        counts = count_values(label)
        classes.check(label, counts)
    pixels = {id_: count for id_, count in enumerate(counts.tolist()) if count}
    return ClassCounts(width, height, _colors(image), pixels, {})


def count_annotated(sample: Sample) -> ClassCounts:
    """Read a sample with instances once and count it.

    Raises:
        InvalidInputError: when the image cannot be read or does not have the size that the data set says.
    """
    from pycocotools import mask

    image = sample.read_image()
    height, width = image.shape[:2]
    check_size((height, width), sample.annotated().shape, "the JSON says")
    faults: list[Fault] = []
    found = sample.instances(height, width, faults)
    pixels, instances = Counter[int](), Counter[int]()
    for id_, crowd, counts in zip(found.labels.tolist(), found.iscrowd, unpack_masks(found.masks), strict=True):
        if not crowd:
            pixels[id_] += int(mask.area(to_rle({"size": [height, width], "counts": counts}, height, width)))
            instances[id_] += 1
    crowds = int(np.count_nonzero(found.iscrowd))
    return ClassCounts(width, height, _colors(image), pixels, instances, crowds, tuple(faults))


def _colors(image: npt.NDArray[Any]) -> Sums:
    """Return the sums of an ``(H, W, 3)`` image, uint8 or float32, by channel."""
    if image.dtype != np.uint8:
        values = image.reshape(-1, 3).astype(np.float64)
        return tuple(zip(values.sum(0).tolist(), np.square(values).sum(0).tolist(), strict=True))
    from PIL import Image

    levels = np.arange(256)
    counts = np.array(Image.fromarray(image).histogram(), np.int64).reshape(3, 256)
    return tuple(zip((counts @ levels).tolist(), (counts @ levels**2).tolist(), strict=True))
