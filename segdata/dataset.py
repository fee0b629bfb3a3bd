"""Data sets as a stream of samples: a list file, a COCO JSON or a record set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from segdata.cluster import Workers
from segdata.coco.annotations import Boxes, entries, orphans
from segdata.coco.file import Coco, read_coco
from segdata.encoded import File, Stored
from segdata.errors import Fault, OptionError
from segdata.images.values import Percentiles, ValueRange
from segdata.labels.classes import Classes
from segdata.lists import Pair, read_list
from segdata.parallel import Progress, WorkerKind, default_workers, silent
from segdata.records.instance import Instances, check_annotated_images
from segdata.records.reader import RecordSet, open_set, read_rows
from segdata.records.rows import Rows
from segdata.records.schema import TaskName
from segdata.records.semantic import check_pairs, pair_files
from segdata.records.value_range import resolve_value_range
from segdata.records.verify import verify
from segdata.samples import CocoObjects, Sample, StoredObjects

DatasetKind = Literal["list", "coco", "records"]

#: Image folder next to the folder of the JSON, as written by coco-subset.
_IMAGES = "images"


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
    """

    path: Path
    kind: DatasetKind
    task: TaskName
    labels: dict[int, str]
    ignore_label: int | None
    classes: Classes | None
    value_range: ValueRange | None
    worker_kind: WorkerKind

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

    def __init__(self, path: Path, root: Path, classes: Classes, faults: list[Fault] | None = None) -> None:
        """Read the list; see `read_list` for `faults` and the errors raised."""
        self.path, self.root = path, root
        self.classes: Classes | None = classes
        self.pairs: list[Pair] = read_list(path, faults=faults)
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
                raise OptionError(f"{self.path} is a list file, which does not take {option}")
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

    def __init__(self, path: Path, images: Path, faults: list[Fault] | None = None) -> None:
        """Read the JSON; see `read_coco` for `faults` and the errors raised."""
        self.path, self.images = path, images
        self.coco: Coco = read_coco(path, faults=faults)
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
        for name, count in Counter(self.labels.values()).items():
            if count > 1:
                yield Fault("duplicate_category", f"category {name!r}", f"{count} categories have this name")


class RecordDataset:
    """The rows of a record set."""

    kind: DatasetKind = "records"
    # This process reads the rows; threads avoid sending their bytes to other processes.
    worker_kind: WorkerKind = "threads"

    def __init__(self, path: Path) -> None:
        """Read the manifest; see `open_set` for the errors raised."""
        self.path = path
        self.found: RecordSet = open_set(path)
        manifest = self.found.manifest
        self.task: TaskName = manifest.task
        self.labels = {info.id: info.name for info in manifest.classes}
        self.ignore_label = manifest.ignore_label
        semantic = manifest.ignore_label is not None
        self.classes = Classes(manifest.class_names, manifest.ignore_label or 0) if semantic else None
        self.value_range = manifest.image_range

    def __len__(self) -> int:
        return self.found.manifest.rows

    def check_rows(
        self, *, decode: bool, drop_empty: bool, boxes: Boxes, workers: Workers, progress: Progress
    ) -> Rows[Any]:
        """Refuse: a record set is already written."""
        raise OptionError(f"{self.path}: already a record set; expected a list file or a COCO JSON to write one from")

    def samples(self, rows: Sequence[int] | None = None) -> Iterator[Sample]:
        """See `Dataset`; one row at a time is read."""
        for row in read_rows(self.found, rows=rows):
            name, data = row["file_name"], row.pop("data")
            if self.task == "semantic":
                label = Stored(f"label of {name}", row["label"])
                yield Sample(name, Stored(name, data), label=label, value_range=self.value_range)
            else:
                objects = StoredObjects(Instances(**row))
                yield Sample(name, Stored(name, data), objects=objects, value_range=self.value_range)

    def files(self) -> Iterator[tuple[str, File | None]]:
        """See `Dataset`; only the column of names is read."""
        return ((row["file_name"], None) for row in read_rows(self.found, fields=["file_name"]))

    def strays(self) -> list[Fault]:
        """See `Dataset`."""
        return []

    def verify(self, progress: Progress) -> Iterator[Fault]:
        """See `Dataset`; the files are compared with the manifest."""
        for problem in verify(self.path, progress=progress).problems:
            yield Fault("record_damaged", str(self.path), problem)


def open_dataset(
    path: Path,
    *,
    data_root: Path | None = None,
    images: Path | None = None,
    classes: Classes | None = None,
    value_range: ValueRange | Percentiles | None = None,
    faults: list[Fault] | None = None,
    workers: Workers | None = None,
    progress: Progress = silent,
) -> ListDataset | CocoDataset | RecordDataset:
    """Open the data set at `path`.

    A directory, a ``manifest.json`` or a file with ``.mindrecord`` in its name is a record set, any other ``.json`` is
    a COCO JSON, and everything else is a list file.

    Args:
        path: list file, COCO JSON or record set.
        data_root: folder that the paths of a list are relative to; the list's folder by default.
        images: folder that the file names of the JSON are relative to; ``images`` next to the JSON's folder by default.
        classes: classes of a list; those of VOC by default.
        value_range: samples of deep images that mean black and white; percentiles are found by reading all images. A
            record set knows its own.
        faults: if given, lines or members of the file that are not samples are left out and appended to this list
            instead of raised.
        workers: number of threads that find percentiles, by default one per processor, or a cluster.
        progress: reports their progress.

    Raises:
        InvalidInputError: when the data set cannot be opened, or its percentiles cannot be found.
        OptionError: when the data set does not take a given option, or the image folder does not exist.
        FaultsError: when lines or members of the file are not samples.
    """
    kind = dataset_kind(path)
    _check_options(path, kind, data_root=data_root, images=images, classes=classes, value_range=value_range)
    find = partial(resolve_value_range, value_range, workers=workers or default_workers(), progress=progress)
    if kind == "records":
        return RecordDataset(path)
    if kind == "list":
        listed = ListDataset(path, (data_root or path.parent).absolute(), classes or Classes(), faults)
        listed.value_range = find(listed.root, [pair.image for pair in listed.pairs])
        return listed
    folder = (images or images_beside(path)).absolute()
    if not folder.is_dir():
        raise OptionError(f"{path}: image folder {folder} does not exist. Name the folder with --images.")
    dataset = CocoDataset(path, folder, faults)
    dataset.value_range = find(folder, [image.file_name for image in dataset.coco.images])
    return dataset


def images_beside(path: Path) -> Path:
    """Return the default image folder of a COCO JSON."""
    return path.absolute().parent.parent / _IMAGES


def dataset_kind(path: Path) -> DatasetKind:
    """Return the kind of data set at `path`, judged by its name."""
    if path.is_dir() or path.name == "manifest.json" or ".mindrecord" in path.name:
        return "records"
    return "coco" if path.suffix.lower() == ".json" else "list"


def _check_options(path: Path, kind: DatasetKind, **given: object) -> None:
    used = {"list": ("data_root", "classes", "value_range"), "coco": ("images", "value_range"), "records": ()}[kind]
    useless = [name for name, value in given.items() if value is not None and name not in used]
    if useless:
        what = {"list": "a list file", "coco": "a COCO JSON", "records": "a record set"}[kind]
        raise OptionError(f"{path} is {what}, which does not take {' or '.join(useless)}")
