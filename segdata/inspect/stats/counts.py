"""Count one sample for the statistics of its data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.coco.annotations import Entry
from segdata.coco.rle import to_rle
from segdata.errors import InvalidInputError
from segdata.labels.masks import count_values
from segdata.records.instance import Instances
from segdata.records.schema import unpack_masks
from segdata.samples import File, Sample, check_stated_size, read_instances, read_label

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
        faults: invalid annotations, one message each.
    """

    width: int
    height: int
    colors: Sums
    pixels: dict[int, int]
    instances: dict[int, int]
    crowds: int = 0
    faults: tuple[str, ...] = ()


def count_sample(known: Collection[int | None], sample: Sample) -> ClassCounts | str:
    """Read a sample once and count it; return a message if it cannot be read.

    Args:
        known: valid labels.
        sample: sample of either task.
    """
    where = sample.name
    try:
        image = sample.read_image()
        if isinstance(sample.label, Instances | Entry):
            found = _count_instances(sample, sample.label, image)
        else:
            where = sample.label.name if isinstance(sample.label, File) else f"label of {sample.name}"
            found = _count_label(sample, image)
        _check_labels(found.pixels, known)
    except InvalidInputError as error:
        return f"{where}: {error}"
    return found


def _count_label(sample: Sample, image: npt.NDArray[Any]) -> ClassCounts:
    label = read_label(sample)
    height, width = image.shape[:2]
    check_stated_size(label.shape, image)
    counts = count_values(label)
    pixels = {id_: count for id_, count in enumerate(counts.tolist()) if count}
    return ClassCounts(width, height, _colors(image), pixels, {})


def _count_instances(sample: Sample, label: Instances | Entry, image: npt.NDArray[Any]) -> ClassCounts:
    from pycocotools import mask

    height, width = image.shape[:2]
    told = label.image if isinstance(label, Entry) else label
    check_stated_size((told.height, told.width), image)
    found, faults = read_instances(sample, height, width)
    pixels, instances = Counter[int](), Counter[int]()
    for id_, crowd, counts in zip(found.labels.tolist(), found.iscrowd, unpack_masks(found.masks), strict=True):
        if not crowd:
            pixels[id_] += int(mask.area(to_rle({"size": [height, width], "counts": counts}, height, width)))
            instances[id_] += 1
    crowds = int(np.count_nonzero(found.iscrowd))
    return ClassCounts(width, height, _colors(image), pixels, instances, crowds, tuple(map(str, faults)))


def _check_labels(found: Collection[int], known: Collection[int | None]) -> None:
    if foreign := sorted(id_ for id_ in found if id_ not in known):
        more = f" (and {len(foreign) - 1} more such value{'s' if len(foreign) > 2 else ''})" if len(foreign) > 1 else ""
        raise InvalidInputError(f"has value {foreign[0]}, which is not a class{more}", "value_outside_classes")


def _colors(image: npt.NDArray[Any]) -> Sums:
    """Return the sums of an ``(H, W, 3)`` image, uint8 or float32, by channel."""
    if image.dtype != np.uint8:
        values = image.reshape(-1, 3).astype(np.float64)
        return tuple(zip(values.sum(0).tolist(), np.square(values).sum(0).tolist(), strict=True))
    from PIL import Image

    levels = np.arange(256)
    counts = np.array(Image.fromarray(image).histogram(), np.int64).reshape(3, 256)
    return tuple(zip((counts @ levels).tolist(), (counts @ levels**2).tolist(), strict=True))
