"""Statistics of a data set: pixels, images and instances per class, image sizes, mean and deviation of colors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from statistics import median

from segdata.arguments import check_opened
from segdata.cluster import Workers
from segdata.dataset import Dataset
from segdata.errors import Fault, FaultsError, InvalidInputError
from segdata.inspect.stats.counts import ClassCounts, count_annotated, count_labeled
from segdata.parallel import Progress, chosen_workers, if_worth, map_faults, silent
from segdata.records.schema import TaskName
from segdata.samples import DatasetKind
from segdata.text import plural

#: Least number of samples for several processes; fewer are counted faster than a process starts.
_PROCESSES_FROM = 300

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class ClassStats:
    """Statistics of one class.

    Attributes:
        id: class id in the labels.
        name: class name.
        pixels: number of pixels; in an instance set, the total area of the masks, overlaps counted in each.
        share: share of the pixels that have a class, 0 to 1.
        images: number of images that show the class.
        instances: number of instances without crowds; None in a semantic set.
        weight: weight by `class_weights`; None in an instance set, and for a class that no image shows.
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
    """Number of images of one size.

    Attributes:
        width: width in pixels.
        height: height in pixels.
        images: number of images.
    """

    width: int
    height: int
    images: int


@dataclass(frozen=True)
class StatsReport:
    """Statistics of a data set. Samples in `unreadable` count in `samples` only.

    Attributes:
        path: path of the list, JSON or record set.
        kind: type of the data set.
        task: semantic or instance.
        samples: number of samples in the data set.
        classes: statistics of each class, by id.
        ignore_label: label of pixels without a class; None in an instance set.
        ignore_pixels: number of pixels with the ignore label.
        ignore_share: their share of all pixels, 0 to 1.
        sizes: image sizes, the most frequent first.
        instances_per_image: number of images with 0, 1, 2, … instances without crowds; None in a semantic set.
        crowds: number of crowds (COCO's ``iscrowd``), not counted elsewhere; None in a semantic set.
        mean: mean color, R, G, B, 0 to 255, over the pixels of all images.
        std: standard deviation of the colors over the same pixels.
        unreadable: faults of the samples that cannot be read.
        annotations_left_out: faults of annotations.
        unknown: what the data set does not say, such as the names of its classes.
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
    unreadable: tuple[Fault, ...]
    annotations_left_out: tuple[Fault, ...]
    unknown: tuple[str, ...] = ()


@dataclass
class _Totals:
    """Totals over all samples, added in their order: for 8-bit images all are integers."""

    colors: list[list[float]] = field(default_factory=lambda: [[0, 0], [0, 0], [0, 0]])
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    pixels: Counter[int] = field(default_factory=Counter)
    images: Counter[int] = field(default_factory=Counter)
    image_pixels: Counter[int] = field(default_factory=Counter)
    instances: Counter[int] = field(default_factory=Counter)
    per_image: Counter[int] = field(default_factory=Counter)
    crowds: int = 0
    unreadable: list[Fault] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def add(self, counts: ClassCounts) -> None:
        """Add the counts of a sample."""
        for sums, found in zip(self.colors, counts.colors, strict=True):
            sums[0] += found[0]
            sums[1] += found[1]
        self.sizes[counts.width, counts.height] += 1
        self.pixels.update(counts.pixels)
        self.images.update(counts.pixels.keys())
        self.image_pixels.update(dict.fromkeys(counts.pixels, counts.width * counts.height))
        self.instances.update(counts.instances)
        self.per_image[sum(counts.instances.values())] += 1
        self.crowds += counts.crowds
        self.faults += counts.faults


def stats(dataset: Dataset, *, workers: Workers | None = None, progress: Progress = silent) -> StatsReport:
    """Read every sample of a data set once, and compute its statistics.

    Mean and deviation are exact and taken over pixels, so large images weigh more than small ones. Images are
    converted to RGB, as stored; deep ones are scaled by the value range. The report does not depend on the number of
    workers.

    Args:
        dataset: see `open_dataset`.
        workers: number of processes, by default one per CPU core, or a cluster. Small data sets use one process.
        progress: reports progress.

    Raises:
        FaultsError: when no sample can be read.
        InvalidInputError: when the data set contains no samples.
    """
    check_opened("dataset", dataset)
    workers = chosen_workers(workers)
    totals = _Totals(faults=dataset.strays())
    for counts in map_faults(
        partial(count_labeled, dataset.classes) if dataset.classes else count_annotated,
        dataset.samples(),
        totals.unreadable,
        name=attrgetter("name"),
        total=len(dataset),
        label="stats",
        progress=progress,
        workers=if_worth(workers, len(dataset) >= _PROCESSES_FROM),
        kind="processes",
        chunk=8,
    ):
        totals.add(counts)
    if totals.unreadable and not totals.sizes:
        samples = plural(len(dataset), "sample")
        raise FaultsError(f"{dataset.path}: none of its {samples} can be read", totals.unreadable)
    if not totals.sizes:
        raise InvalidInputError(f"{dataset.path}: contains no samples")
    return _report(dataset, totals)


def class_weights(pixels: Mapping[int, int], image_pixels: Mapping[int, int]) -> dict[int, float]:
    """Return the weight of each class that has pixels, by median-frequency balancing.

    The frequency of a class is its share of all pixels in the images that show it. Its weight is the median of all
    frequencies divided by its own (Eigen and Fergus, ICCV 2015; SegNet does the same).

    Args:
        pixels: number of pixels by class id.
        image_pixels: number of pixels in the images that show the class, by class id.
    """
    frequencies = {id_: count / image_pixels[id_] for id_, count in pixels.items() if count}
    middle = median(frequencies.values()) if frequencies else 0.0
    return {id_: middle / frequency for id_, frequency in frequencies.items()}


def _report(dataset: Dataset, totals: _Totals) -> StatsReport:
    instance = dataset.task == "instance"
    every = sum(width * height * images for (width, height), images in totals.sizes.items())
    ignored = 0 if dataset.ignore_label is None else totals.pixels.pop(dataset.ignore_label, 0)
    mean, std = _mean_and_std(totals.colors, every)
    return StatsReport(
        path=str(dataset.path),
        kind=dataset.kind,
        task=dataset.task,
        samples=len(dataset),
        classes=_classes(_labels(dataset, totals), totals, instance=instance),
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
        unreadable=tuple(totals.unreadable),
        annotations_left_out=tuple(totals.faults),
        unknown=dataset.unknown,
    )


def _labels(dataset: Dataset, totals: _Totals) -> dict[int, str]:
    """Return the classes to report: of numbered ones, those up to the last that was seen."""
    last = max(totals.pixels, default=0) if dataset.numbered else max(dataset.labels, default=0)
    return {id_: name for id_, name in dataset.labels.items() if id_ <= last}


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


def _mean_and_std(sums: Sequence[Sequence[float]], number: int) -> tuple[Rgb, Rgb]:
    """Return the mean and standard deviation of R, G and B from their sums over `number` pixels."""
    (r_mean, r_std), (g_mean, g_std), (b_mean, b_std) = (_moments(total, squares, number) for total, squares in sums)
    return (r_mean, g_mean, b_mean), (r_std, g_std, b_std)


def _moments(total: float, squares: float, number: int) -> tuple[float, float]:
    # Python's integers do not overflow; sums of fractions may be off by a rounding error below 0.
    return total / number, math.sqrt(max(number * squares - total * total, 0)) / number
