"""Data sets as a stream of samples: a list file, a COCO JSON or a record set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from segdata.arguments import FilePath, check_choice, local_path
from segdata.cluster import Workers
from segdata.coco.annotations import Boxes, entries
from segdata.coco.file import Coco, CrowdMeaning, read_coco
from segdata.coco.hints import duplicate_categories, find_image_folder
from segdata.coco.references import orphans
from segdata.encoded import File
from segdata.errors import Fault, OptionError
from segdata.images.values import ValueRange
from segdata.labels.classes import Classes
from segdata.lists import Pair, read_list
from segdata.parallel import Progress, WorkerKind
from segdata.records.instance import Instances
from segdata.records.instance_check import check_annotated_images
from segdata.records.rows import Rows
from segdata.records.schema import TaskName
from segdata.records.semantic import check_pairs, pair_files
from segdata.samples import CocoObjects, DatasetKind, Sample
from segdata.text import option_names


class Dataset(Protocol):
    """A data set of any kind.

    Attributes:
        path: path that the user gave.
        kind: ``list``, ``coco`` or ``records``.
        task: ``semantic`` or ``instance``.
        labels: class names by label id: 0 to K - 1 (semantic) or 1 to K (instance).
        ignore_label: label of pixels without a class; ``None`` in an instance set.
        classes: valid values of the labels; ``None`` in an instance set.
        value_range: samples of deep images that mean black and white; ``None`` if all images have 8 bits.
        worker_kind: workers that process samples fastest.
        numbered: whether classes have numbers for names; `labels` then has every possible one.
        unknown: what the data set does not say, one sentence for each; reports repeat them.
    """

    path: Path
    kind: DatasetKind
    task: TaskName
    labels: dict[int, str]
    ignore_label: int | None
    classes: Classes | None
    value_range: ValueRange | None
    worker_kind: WorkerKind
    numbered: bool
    unknown: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def samples(self, rows: Sequence[int] | None = None) -> Iterator[Sample]:
        """Yield all samples, or only those with the indices `rows`, in that order."""
        ...

    def files(self) -> Iterator[tuple[str, File | None]]:
        """Yield the name of every sample and the file of its image; None for images in a record set."""
        ...

    def strays(self) -> list[Fault]:
        """Return the faults of annotations that belong to no sample."""
        ...

    def verify(self, progress: Progress) -> Iterator[Fault]:
        """Yield the faults of the set apart from those of its samples."""
        ...


class ListDataset:
    """The samples of a list file."""

    kind: DatasetKind = "list"
    task: TaskName = "semantic"
    value_range: ValueRange | None = None
    worker_kind: WorkerKind = "processes"
    numbered: bool = False
    unknown: tuple[str, ...] = ()

    def __init__(self, path: FilePath, root: FilePath, classes: Classes, faults: list[Fault] | None = None) -> None:
        """Read the list; see `read_list` for `faults` and the errors raised."""
        self.path, self.root = local_path(path), local_path(root)
        self.classes: Classes | None = classes
        self.pairs: list[Pair] = read_list(self.path, faults=faults)
        self.left_out = tuple(faults or ())
        self.labels = dict(enumerate(classes.names))
        self.ignore_label: int | None = classes.ignore_label

    def __len__(self) -> int:
        return len(self.pairs)

    def check_rows(
        self, *, decode: bool, drop_empty: bool, boxes: Boxes, workers: Workers, progress: Progress
    ) -> Rows[Pair]:
        """Run `check_pairs` on all samples."""
        for option, given in (("drop_empty", drop_empty), ("boxes", boxes != "json")):
            if given:
                raise OptionError(f"{self.path} is a list file, which does not take {option_names([option])}")
        rows = check_pairs(
            self.pairs,
            self.root,
            self.classes or Classes(),
            value_range=self.value_range,
            decode=decode,
            workers=workers,
            progress=progress,
        )
        return replace(rows, faults=(*self.left_out, *rows.faults))

    def samples(self, rows: Sequence[int] | None = None) -> Iterator[Sample]:
        """See `Dataset`."""
        for row in range(len(self.pairs)) if rows is None else rows:
            image, label = pair_files(self.root, self.pairs[row])
            yield Sample(image.name, image, label=label, value_range=self.value_range)

    def files(self) -> Iterator[tuple[str, File | None]]:
        """See `Dataset`."""
        return ((pair.image, File(self.root, pair.image)) for pair in self.pairs)

    def strays(self) -> list[Fault]:
        """See `Dataset`."""
        return []

    def verify(self, progress: Progress) -> Iterator[Fault]:
        """See `Dataset`."""
        return iter(())


class CocoDataset:
    """The images of a COCO JSON with their instances."""

    kind: DatasetKind = "coco"
    task: TaskName = "instance"
    ignore_label: int | None = None
    classes: Classes | None = None
    value_range: ValueRange | None = None
    worker_kind: WorkerKind = "processes"
    numbered: bool = False
    unknown: tuple[str, ...] = ()

    def __init__(
        self,
        path: FilePath,
        images: FilePath | None = None,
        faults: list[Fault] | None = None,
        *,
        crowd: CrowdMeaning = "crowd",
        strip_prefix: str = "",
    ) -> None:
        """Read the JSON; see `read_coco` for the options and the errors raised."""
        check_choice("crowd", crowd, CrowdMeaning)
        self.path, images = local_path(path), local_path(images)
        self.coco: Coco = read_coco(self.path, faults=faults, crowd=crowd, strip_prefix=strip_prefix)
        self.images = (images or find_image_folder(self.coco)).absolute()
        self.labels = self.coco.class_names()
        self.left_out = tuple(faults or ())

    def __len__(self) -> int:
        return len(self.coco.images)

    def check_rows(
        self, *, decode: bool, drop_empty: bool, boxes: Boxes, workers: Workers, progress: Progress
    ) -> Rows[Instances]:
        """Run `check_annotated_images` on all images."""
        rows = check_annotated_images(
            self.coco,
            self.images,
            drop_empty=drop_empty,
            boxes=boxes,
            value_range=self.value_range,
            decode=decode,
            workers=workers,
            progress=progress,
        )
        return replace(rows, faults=(*self.left_out, *rows.faults))

    def samples(self, rows: Sequence[int] | None = None) -> Iterator[Sample]:
        """See `Dataset`."""
        for entry in entries(self.coco, rows):
            name = entry.image.file_name
            yield Sample(name, File(self.images, name), objects=CocoObjects(entry), value_range=self.value_range)

    def files(self) -> Iterator[tuple[str, File | None]]:
        """See `Dataset`."""
        return ((image.file_name, File(self.images, image.file_name)) for image in self.coco.images)

    def strays(self) -> list[Fault]:
        """See `Dataset`."""
        return orphans(self.coco)

    def verify(self, progress: Progress) -> Iterator[Fault]:
        """See `Dataset`."""
        yield from self.strays()
        yield from duplicate_categories(self.coco)
