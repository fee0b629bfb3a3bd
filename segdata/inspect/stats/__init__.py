"""What a data set holds: pixels, images and instances of each class, sizes of images, mean and deviation of colors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median

import numpy as np
import numpy.typing as npt

from segdata.cluster import Workers
from segdata.coco.annotations import orphans
from segdata.dataset import CocoDataset, Dataset, DatasetKind
from segdata.errors import FaultsError, InvalidInputError
from segdata.inspect.stats.counts import ClassCounts, count_sample
from segdata.parallel import Progress, default_workers, if_worth, ordered_map, silent
from segdata.records.schema import TaskName

#: Fewer samples are counted before a process has started.
_PROCESSES_FROM = 300

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class ClassStats:
    """One class of a data set.

    Attributes:
        id: what labels call it.
        name: its name.
        pixels: of the class; in an instance set the areas of its masks, overlaps counted in each.
        share: of the pixels that have a class, 0 to 1.
        images: how many show it.
        instances: of the class, crowds not counted; None in a semantic set.
        weight: by `class_weights`; None in an instance set, and for a class that no image shows.
    """

    id: int
    name: str
    pixels: int
    share: float
    images: int
    instances: int | None
    weight: float | None


@dataclass(frozen=True)
class SizeCount:
    """How many images have a size in pixels."""

    width: int
    height: int
    images: int


@dataclass(frozen=True)
class StatsReport:
    """What a data set holds. Samples that are left out are in no other number than `samples`.

    Attributes:
        path: of the list, JSON or record set.
        kind: which of these it is.
        task: semantic or instance.
        samples: in the data set.
        classes: by id.
        ignore_label: label of pixels of no class; None in an instance set.
        ignore_pixels: that have it.
        ignore_share: of all pixels, 0 to 1.
        sizes: of the images, the most frequent first.
        instances_per_image: how many images have 0, 1, 2, … instances, crowds not counted; None in a semantic set.
        crowds: regions of many objects (COCO's ``iscrowd``), in no other number; None in a semantic set.
        mean: of the colors, R, G, B, 0 to 255, over the pixels of all images.
        std: their standard deviation, over the same pixels.
        left_out: samples that cannot be read, one sentence each.
        annotations_left_out: annotations that are no instances, one sentence each.
    """

    path: str
    kind: DatasetKind
    task: TaskName
    samples: int
    classes: tuple[ClassStats, ...]
    ignore_label: int | None
    ignore_pixels: int
    ignore_share: float
    sizes: tuple[SizeCount, ...]
    instances_per_image: tuple[int, ...] | None
    crowds: int | None
    mean: Rgb
    std: Rgb
    left_out: tuple[str, ...]
    annotations_left_out: tuple[str, ...]


@dataclass
class _Totals:
    """What all samples add up to; integers, so that the order of addition has no part in it."""

    colors: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((3, 256), np.int64))
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    pixels: Counter[int] = field(default_factory=Counter)
    images: Counter[int] = field(default_factory=Counter)
    image_pixels: Counter[int] = field(default_factory=Counter)
    instances: Counter[int] = field(default_factory=Counter)
    per_image: Counter[int] = field(default_factory=Counter)
    crowds: int = 0
    left_out: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, counts: ClassCounts | str) -> None:
        """Add a sample, or the sentence why it has none."""
        if isinstance(counts, str):
            self.left_out.append(counts)
            return
        self.colors += counts.colors
        self.sizes[counts.width, counts.height] += 1
        self.pixels.update(counts.pixels)
        self.images.update(counts.pixels.keys())
        self.image_pixels.update(dict.fromkeys(counts.pixels, counts.width * counts.height))
        self.instances.update(counts.instances)
        self.per_image[sum(counts.instances.values())] += 1
        self.crowds += counts.crowds
        self.faults += counts.faults


def stats(dataset: Dataset, *, workers: Workers | None = None, progress: Progress = silent) -> StatsReport:
    """Look at every sample of a data set once, and count.

    Mean and deviation are exact, over pixels: a large image counts for more than a small one. Images are taken as
    RGB, as stored. Everything is summed in integers, so that the report does not depend on the number of workers.

    Args:
        dataset: see `open_dataset`.
        workers: processes, where there are samples enough for them, all processors by default; or a cluster.
        progress: shows how far it is.

    Raises:
        FaultsError: when no sample can be read.
        InvalidInputError: when there is none.
    """
    totals = _Totals()
    if isinstance(dataset, CocoDataset):
        totals.faults += map(str, orphans(dataset.coco))
    look = partial(count_sample, {*dataset.labels, dataset.ignore_label})
    workers = if_worth(workers or default_workers(), len(dataset) >= _PROCESSES_FROM)
    with progress(total=len(dataset), label="stats") as advance:
        for result in ordered_map(look, dataset.samples(), workers=workers, kind="processes", chunk=8):
            totals.add(result)
            advance(1)
    if totals.left_out and not totals.sizes:
        raise FaultsError(f"{dataset.path}: none of its {len(dataset)} samples can be read", totals.left_out)
    if not totals.sizes:
        raise InvalidInputError(f"{dataset.path}: holds no sample")
    return _report(dataset, totals)


def class_weights(pixels: Mapping[int, int], image_pixels: Mapping[int, int]) -> dict[int, float]:
    """Return the weight of each class that has pixels, by median-frequency balancing.

    The frequency of a class is its pixels over all pixels of the images that show it; its weight is the median of
    the frequencies over its own (Eigen and Fergus, ICCV 2015; SegNet uses the same).

    Args:
        pixels: of each class.
        image_pixels: of the images that show it.
    """
    frequencies = {id_: count / image_pixels[id_] for id_, count in pixels.items() if count}
    middle = median(frequencies.values()) if frequencies else 0.0
    return {id_: middle / frequency for id_, frequency in frequencies.items()}


def _report(dataset: Dataset, totals: _Totals) -> StatsReport:
    instance = dataset.task == "instance"
    every = sum(width * height * images for (width, height), images in totals.sizes.items())
    ignored = 0 if dataset.ignore_label is None else totals.pixels.pop(dataset.ignore_label, 0)
    mean, std = _mean_and_std(totals.colors)
    return StatsReport(
        path=str(dataset.path),
        kind=dataset.kind,
        task=dataset.task,
        samples=len(dataset),
        classes=_classes(dataset.labels, totals, instance=instance),
        ignore_label=dataset.ignore_label,
        ignore_pixels=ignored,
        ignore_share=ignored / every,
        sizes=tuple(
            SizeCount(*size, images)
            for size, images in sorted(totals.sizes.items(), key=lambda item: (-item[1], item[0]))
        ),
        instances_per_image=tuple(totals.per_image[n] for n in range(max(totals.per_image) + 1)) if instance else None,
        crowds=totals.crowds if instance else None,
        mean=mean,
        std=std,
        left_out=tuple(totals.left_out),
        annotations_left_out=tuple(totals.faults),
    )


def _classes(labels: Mapping[int, str], totals: _Totals, *, instance: bool) -> tuple[ClassStats, ...]:
    weights = {} if instance else class_weights(totals.pixels, totals.image_pixels)
    total = max(totals.pixels.total(), 1)
    return tuple(
        ClassStats(
            id=id_,
            name=name,
            pixels=totals.pixels[id_],
            share=totals.pixels[id_] / total,
            images=totals.images[id_] if totals.pixels[id_] else 0,
            instances=totals.instances[id_] if instance else None,
            weight=weights.get(id_),
        )
        for id_, name in labels.items()
    )


def _mean_and_std(colors: npt.NDArray[np.int64]) -> tuple[Rgb, Rgb]:
    """Return mean and standard deviation of each channel of ``(3, 256)`` counts."""
    (r_mean, r_std), (g_mean, g_std), (b_mean, b_std) = (_moments(counts) for counts in colors.tolist())
    return (r_mean, g_mean, b_mean), (r_std, g_std, b_std)


def _moments(counts: Sequence[int]) -> tuple[float, float]:
    # Python's integers: a sum of squares over millions of images passes 64 bits.
    number = sum(counts)
    total = sum(value * count for value, count in enumerate(counts))
    squares = sum(value * value * count for value, count in enumerate(counts))
    return total / number, math.sqrt(number * squares - total * total) / number
