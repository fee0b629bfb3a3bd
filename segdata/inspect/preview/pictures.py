"""Draw samples as pictures: the scaled image and its overlay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from segdata.coco.annotations import Entry
from segdata.coco.rle import Rle, decode_rle, to_rle
from segdata.dataset import Dataset
from segdata.draw.overlay import Box, Overlay, instance_colors, instance_overlay, label_overlay
from segdata.errors import InvalidInputError
from segdata.images.reading import as_picture
from segdata.labels.colormap import Color, voc_palette
from segdata.labels.masks import count_values
from segdata.parallel import ordered_map
from segdata.records.instance import Instances
from segdata.records.schema import unpack_masks
from segdata.samples import File, Sample, check_stated_size, read_instances, read_label


@dataclass(frozen=True)
class View:
    """Display settings of samples.

    Attributes:
        labels: class name by id.
        ignore_label: label of pixels without a class.
        width: maximum width of a picture in pixels.
        height: maximum height of a picture in pixels.
        enlarge: enlarge smaller images to this size.
    """

    labels: dict[int, str]
    ignore_label: int | None
    width: int
    height: int
    enlarge: bool


@dataclass(frozen=True)
class Picture:
    """Sample ready for display.

    Attributes:
        name: name of the sample.
        width: width of the original image in pixels.
        height: height of the original image in pixels.
        image: RGB, ``(h, w, 3)`` uint8, scaled to the view.
        overlay: overlay of the same size.
        classes: class ids in the label or of the instances, ascending, without the ignore label.
        ignored: whether any pixel has the ignore label.
        faults: invalid annotations, one message each.
    """

    name: str
    width: int
    height: int
    image: npt.NDArray[np.uint8]
    overlay: Overlay
    classes: tuple[int, ...]
    ignored: bool = False
    faults: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[int | None, ...]:
        """Ids of its legend entries."""
        return (*self.classes, None) if self.ignored else self.classes


@dataclass(frozen=True)
class Unreadable:
    """Sample that cannot be shown, and the reason."""

    name: str
    problem: str

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}"


def label_name(sample: Sample) -> str:
    """Return the name of a sample's label."""
    return sample.label.name if isinstance(sample.label, File) else "label"


def draw_samples(dataset: Dataset, rows: Sequence[int], view: View, *, workers: int) -> Iterator[Picture | Unreadable]:
    """Yield the pictures of the samples `rows`, in this order."""
    return ordered_map(partial(draw_sample, view), dataset.samples(rows), workers=workers)


def draw_sample(view: View, sample: Sample) -> Picture | Unreadable:
    """Return the picture of a sample; faults are returned as `Unreadable`, never raised."""
    try:
        image = as_picture(sample.read_image())
        if isinstance(sample.label, Instances | Entry):
            return _draw_instances(view, sample, sample.label, image)
        return _draw_label(view, sample, image)
    except InvalidInputError as error:
        return Unreadable(sample.name, str(error))


def _draw_label(view: View, sample: Sample, image: npt.NDArray[np.uint8]) -> Picture:
    try:
        label = read_label(sample)
        check_stated_size(label.shape, image)
    except InvalidInputError as error:
        raise InvalidInputError(f"{label_name(sample)}: {error}") from error
    height, width = label.shape
    values = np.flatnonzero(count_values(label)).tolist()
    size = _fit(view, height, width)
    return Picture(
        name=sample.name,
        width=width,
        height=height,
        image=_resize(image, *size),
        overlay=label_overlay(_nearest(label, *size), view.ignore_label),
        classes=tuple(id_ for id_ in values if id_ != view.ignore_label),
        ignored=view.ignore_label in values,
    )


def _draw_instances(view: View, sample: Sample, told: Instances | Entry, image: npt.NDArray[np.uint8]) -> Picture:
    source = told.image if isinstance(told, Entry) else told
    check_stated_size((source.height, source.width), image)
    height, width = image.shape[:2]
    found, faults = read_instances(sample, height, width)
    size = _fit(view, height, width)
    return Picture(
        name=sample.name,
        width=width,
        height=height,
        image=_resize(image, *size),
        overlay=instance_overlay(_masks(found, *size), _boxes(view, found, *size), *size),
        classes=tuple(sorted(set(found.labels.tolist()))),
        faults=tuple(map(str, faults)),
    )


def _masks(found: Instances, height: int, width: int) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
    """Yield index and mask of each instance, the largest first, so that small ones stay visible on top."""
    from pycocotools import mask

    size = {"size": [found.height, found.width]}
    rles: list[Rle] = [
        to_rle({**size, "counts": counts}, found.height, found.width) for counts in unpack_masks(found.masks)
    ]
    for number in sorted(range(len(rles)), key=lambda number: -int(mask.area(rles[number]))):
        yield number, _nearest(decode_rle(rles[number]), height, width) > 0


def _boxes(view: View, found: Instances, height: int, width: int) -> list[Box]:
    labels = found.labels.tolist()
    scale = np.tile((width / found.width, height / found.height), 2)
    boxes = []
    for box, label, crowd, color in zip(found.boxes, labels, found.iscrowd, instance_colors(labels), strict=True):
        x1, y1, x2, y2 = (box * scale).tolist()
        name = view.labels.get(label, str(label))
        boxes.append(Box((x1, y1, x2, y2), f"{name} (crowd)" if crowd else name, color))
    return boxes


def _fit(view: View, height: int, width: int) -> tuple[int, int]:
    """Return the height and width of a picture that fits the view, with the aspect ratio of the image."""
    scale = min(view.width / width, view.height / height)
    if not view.enlarge:
        scale = min(scale, 1.0)
    return max(round(height * scale), 1), max(round(width * scale), 1)


def _resize(image: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def _nearest(ids: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    from PIL import Image

    return np.asarray(Image.fromarray(ids).resize((width, height), Image.Resampling.NEAREST))


@dataclass(frozen=True)
class LegendEntry:
    """Color of a class: id None stands for pixels without a class, color None for an image without tint."""

    id: int | None
    name: str
    color: Color | None

    @property
    def hatched(self) -> bool:
        """Whether its pixels are hatched instead of filled."""
        return self.id is None


def class_color(id_: int) -> Color | None:
    """Return the color of a class; None for class 0, which does not tint the image."""
    red, green, blue = voc_palette()[id_ % 256].tolist()
    return (red, green, blue) if id_ else None


def make_legend(tiles: Sequence[Picture | Unreadable], view: View) -> tuple[LegendEntry, ...]:
    """Return an entry for each class in the pictures, by id, and one for pixels without a class."""
    keys = {key for tile in tiles if isinstance(tile, Picture) for key in tile.keys}
    entries = [
        LegendEntry(id_, view.labels.get(id_, f"{id_} (not a class)"), class_color(id_))
        for id_ in sorted(key for key in keys if key is not None)
    ]
    if None in keys:
        entries.append(LegendEntry(None, f"ignored ({view.ignore_label})", None))
    return tuple(entries)
