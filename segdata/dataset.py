"""Data sets as a stream of samples: a list file, a COCO JSON or a record set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from segdata.cluster import Workers
from segdata.coco.annotations import entries
from segdata.coco.file import Coco, read_coco
from segdata.errors import Fault, OptionError
from segdata.images.values import Percentiles, ValueRange
from segdata.labels.classes import Classes
from segdata.lists import Pair, read_list
from segdata.parallel import Progress, default_workers, silent
from segdata.records.instance import Instances, check_annotated_images
from segdata.records.manifest import RecordSet, open_set
from segdata.records.reader import read_columns, read_rows
from segdata.records.rows import Rows
from segdata.records.schema import Row, TaskName
from segdata.records.semantic import check_pairs
from segdata.records.value_range import resolve_value_range
from segdata.samples import File, Sample

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
        value_range: samples of deep images that mean black and white; ``None`` if all images have 8 bits.
    """

    path: Path
    kind: DatasetKind
    task: TaskName
    labels: dict[int, str]
    ignore_label: int | None
    value_range: ValueRange | None

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def samples(self, rows: Sequence[int] | None = None) -> Iterator[Sample]:
        """Yield all samples, or only those with the indices `rows`, in that order."""
        ...


class ListDataset:
    """The samples of a list file."""

    kind: DatasetKind = "list"
    task: TaskName = "semantic"

    value_range: ValueRange | None = None

    def __init__(self, path: Path, root: Path, classes: Classes, faults: list[Fault] | None = None) -> None:
        """Read the list; see `read_list` for `faults` and the errors raised."""
        self.path, self.root, self.classes = path, root, classes
        self.pairs: list[Pair] = read_list(path, faults=faults)
        self.labels = dict(enumerate(classes.names))
        self.ignore_label: int | None = classes.ignore_label

    def __len__(self) -> int:
        return len(self.pairs)

    def check_rows(self, *, decode: bool, drop_empty: bool, workers: Workers, progress: Progress) -> Rows[Pair]:
        """Run `check_pairs` on all samples."""
        if drop_empty:
            raise OptionError(f"{self.path} is a list file, which does not take drop_empty")
        return check_pairs(
            self.pairs,
            self.root,
            self.classes,
            value_range=self.value_range,
            decode=decode,
            workers=workers,
            progress=progress,
        )

    def samples(self, rows: Sequence[int] | None = None) -> Iterator[Sample]:
        """See `Dataset`."""
        for row in range(len(self.pairs)) if rows is None else rows:
            pair = self.pairs[row]
            yield Sample(pair.image, File(self.root, pair.image), File(self.root, pair.label), self.value_range)


class CocoDataset:
    """The images of a COCO JSON with their instances."""

    kind: DatasetKind = "coco"
    task: TaskName = "instance"
    ignore_label: int | None = None
    value_range: ValueRange | None = None

    def __init__(self, path: Path, images: Path, faults: list[Fault] | None = None) -> None:
        """Read the JSON; see `read_coco` for `faults` and the errors raised."""
        self.path, self.images = path, images
        self.coco: Coco = read_coco(path, faults=faults)
        ordered = sorted(self.coco.categories, key=lambda category: category.id)
        self.labels = {label: category.name for label, category in enumerate(ordered, start=1)}

    def __len__(self) -> int:
        return len(self.coco.images)

    def check_rows(self, *, decode: bool, drop_empty: bool, workers: Workers, progress: Progress) -> Rows[Instances]:
        """Run `check_annotated_images` on all images."""
        return check_annotated_images(
            self.coco,
            self.images,
            drop_empty=drop_empty,
            value_range=self.value_range,
            decode=decode,
            workers=workers,
            progress=progress,
        )

    def samples(self, rows: Sequence[int] | None = None) -> Iterator[Sample]:
        """See `Dataset`."""
        for entry in entries(self.coco, rows):
            name = entry.image.file_name
            yield Sample(name, File(self.images, name), entry, self.value_range)


class RecordDataset:
    """The rows of a record set."""

    kind: DatasetKind = "records"

    def __init__(self, path: Path) -> None:
        """Read the manifest; see `open_set` for the errors raised."""
        self.path = path
        self.found: RecordSet = open_set(path)
        manifest = self.found.manifest
        self.task: TaskName = manifest.task
        self.labels = {info.id: info.name for info in manifest.classes}
        self.ignore_label = manifest.ignore_label
        self.value_range = manifest.image_range

    def __len__(self) -> int:
        return self.found.manifest.rows

    def check_rows(self, *, decode: bool, drop_empty: bool, workers: Workers, progress: Progress) -> Rows[Any]:
        """Refuse: a record set is already written."""
        raise OptionError(f"{self.path}: already a record set; expected a list file or a COCO JSON to write one from")

    def samples(self, rows: Sequence[int] | None = None) -> Iterator[Sample]:
        """See `Dataset`; MindSpore reads the rows one at a time."""
        for row in read_rows(self.found, rows=rows):
            label = row["label"] if self.task == "semantic" else _instances(row)
            yield Sample(row["file_name"], row["data"], label, self.value_range)


def _instances(row: Row) -> Instances:
    return Instances(**{name: value for name, value in row.items() if name != "data"})


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


def sample_names(dataset: Dataset) -> list[str]:
    """Return the name of every sample; from a record set, read only the column of names."""
    if isinstance(dataset, RecordDataset):
        shard = dataset.found.shard_paths[0]
        return [columns["file_name"].item() for columns in read_columns(shard, ["file_name"])]
    return [sample.name for sample in dataset.samples()]


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
