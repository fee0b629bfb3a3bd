"""Draw samples as pictures: the scaled image and its overlay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from segdata.coco.rle import Rle, decode_rle, to_rle
from segdata.dataset import Dataset
from segdata.draw.lettering import class_text
from segdata.draw.overlay import Box, instance_colors, instance_overlay, label_overlay
from segdata.draw.pictures import Enlarge, LegendEntry, Picture, fitted, legend_of, scaled_ids, scaled_image
from segdata.errors import Fault, collecting, faults_at
from segdata.images.header import check_size
from segdata.images.reading import as_picture
from segdata.labels.masks import count_values
from segdata.parallel import Progress, progress_map
from segdata.records.instance import Instances
from segdata.records.schema import unpack_masks
from segdata.samples import Sample


@dataclass(frozen=True)
class View:
    """Display settings of samples.

    Attributes:
        labels: class name by id.
        ignore_label: label of pixels without a class.
        width: maximum width of a picture in pixels.
        height: maximum height of a picture in pixels.
        enlarge: how to enlarge smaller images; see `fitted`.
    """

    labels: dict[int, str]
    ignore_label: int | None
    width: int
    height: int
    enlarge: Enlarge


@dataclass(frozen=True)
class Tile:
    """The place of a sample on a sheet or page.

    Attributes:
        name: name of the sample.
        picture: None if the sample cannot be shown.
        faults: why it cannot; otherwise the faults of annotations that are not drawn.
    """

    name: str
    picture: Picture | None
    faults: tuple[Fault, ...] = ()

    @property
    def problem(self) -> str:
        """The faults as text; the name of the sample is not repeated."""
        return "; ".join(fault.what if fault.where == self.name else str(fault) for fault in self.faults)


def draw_samples(
    dataset: Dataset, rows: Sequence[int], view: View, *, workers: int, progress: Progress
) -> Iterator[Tile]:
    """Yield the tiles of the samples `rows`, in this order."""
    draw = partial(draw_sample, view, _draw_label if dataset.classes else _draw_instances)
    samples = dataset.samples(rows)
    return progress_map(draw, samples, total=len(rows), label="pictures", progress=progress, workers=workers)


def draw_sample(view: View, draw: Callable[[View, Sample, list[Fault]], Picture], sample: Sample) -> Tile:
    """Return the tile of a sample; faults are in the tile, never raised."""
    faults: list[Fault] = []
    picture = None
    with collecting(faults, sample.name):
        picture = draw(view, sample, faults)
    return Tile(sample.name, picture, tuple(faults))


def _draw_label(view: View, sample: Sample, _faults: list[Fault]) -> Picture:
    image = as_picture(sample.read_image())
    with faults_at(sample.index_png().name):
        label = sample.read_label()
        check_size(label.shape, image.shape[:2], "its image has")
    height, width = label.shape
    values = np.flatnonzero(count_values(label)).tolist()
    size = _fit(view, height, width)
    return Picture(
        width=width,
        height=height,
        image=scaled_image(image, *size),
        overlay=label_overlay(scaled_ids(label, *size), view.ignore_label),
        classes=tuple(id_ for id_ in values if id_ != view.ignore_label),
        ignored=view.ignore_label in values,
    )


def _draw_instances(view: View, sample: Sample, faults: list[Fault]) -> Picture:
    image = as_picture(sample.read_image())
    height, width = image.shape[:2]
    check_size((height, width), sample.annotated().shape, "the JSON says")
    found = sample.instances(height, width, faults)
    size = _fit(view, height, width)
    return Picture(
        width=width,
        height=height,
        image=scaled_image(image, *size),
        overlay=instance_overlay(_masks(found, *size), _boxes(view, found, *size), *size),
        classes=tuple(sorted(set(found.labels.tolist()))),
    )


def _masks(found: Instances, height: int, width: int) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
    """Yield index and mask of each instance, the largest first, so that small ones stay visible on top."""
    from pycocotools import mask

    size = {"size": [found.height, found.width]}
    rles: list[Rle] = [
        to_rle({**size, "counts": counts}, found.height, found.width) for counts in unpack_masks(found.masks)
    ]
    for number in sorted(range(len(rles)), key=lambda number: -int(mask.area(rles[number]))):
        yield number, scaled_ids(decode_rle(rles[number]), height, width) > 0


def _boxes(view: View, found: Instances, height: int, width: int) -> list[Box]:
    labels = found.labels.tolist()
    scale = np.tile((width / found.width, height / found.height), 2)
    boxes = []
    for box, label, crowd, (color, fill) in zip(
        found.boxes, labels, found.iscrowd, instance_colors(labels), strict=True
    ):
        x1, y1, x2, y2 = (box * scale).tolist()
        name, kind = view.labels.get(label, str(label)), " (crowd)" if crowd else ""
        boxes.append(Box((x1, y1, x2, y2), f"{name}{kind}", color, fill, f"{class_text(name, label)}{kind}"))
    return boxes


def _fit(view: View, height: int, width: int) -> tuple[int, int]:
    """Return the height and width of a picture that fits the view."""
    return fitted(height, width, view.height, view.width, enlarge=view.enlarge)


def make_legend(tiles: Sequence[Tile], view: View) -> tuple[LegendEntry, ...]:
    """Return the legend of the pictures of `tiles`."""
    keys = {key for tile in tiles if tile.picture for key in tile.picture.keys}
    return legend_of(keys, view.labels, view.ignore_label)
