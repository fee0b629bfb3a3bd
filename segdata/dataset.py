"""Data sets as a stream of samples: a list file, a COCO JSON or a record set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from segdata.cluster import Workers
from segdata.coco.annotations import Entry, entries
from segdata.coco.file import Coco, read_coco
from segdata.errors import Fault, InvalidInputError, OptionError
from segdata.files import resolve
from segdata.images.reading import read_image
from segdata.images.values import Percentiles, ValueRange
from segdata.labels.classes import Classes
from segdata.labels.masks import decode_index_png
from segdata.lists import Pair, read_list
from segdata.parallel import Progress, default_workers, silent
from segdata.records.instance import Instances, make_instances
from segdata.records.manifest import RecordSet, open_set
from segdata.records.reader import read_columns, read_rows
from segdata.records.schema import Row, TaskName
from segdata.records.value_range import resolve_value_range

DatasetKind = Literal["list", "coco", "records"]

#: Image folder next to the folder of the JSON, as written by coco-subset.
_IMAGES = "images"


@dataclass(frozen=True, slots=True)
class File:
    """Location of a file: a path relative to its root."""

    root: Path
    name: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample with everything that a worker needs to process it; its files are not yet read or decoded.

    Attributes:
        name: name of the image in the list, JSON or record.
        image: the encoded image, or its location.
        label: semantic: the index PNG, or its location; instance: the instances, or the annotations they come from.
        value_range: value range of the data set.
    """

    name: str
    image: File | bytes
    label: File | bytes | Instances | Entry
    value_range: ValueRange | None = None

    def read_image(self) -> npt.NDArray[Any]:
        """Return the image as RGB ``(H, W, 3)``; see `segdata.images.reading.read_image`.

        Raises:
            InvalidInputError: see `read_encoded`; also when the file is not an image, is damaged or needs a value
                range.
        """
        return read_image(read_encoded(self.image), self.value_range)


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


def read_encoded(file: File | bytes) -> bytes:
    """Return the bytes of a file.

    Raises:
        InvalidInputError: when it is missing, leaves its root or cannot be read.
    """
    if isinstance(file, bytes):
        return file
    try:
        return resolve(file.root, file.name).read_bytes()
    except FileNotFoundError as error:
        raise InvalidInputError("missing") from error
    except OSError as error:
        raise InvalidInputError(f"cannot be read: {error.strerror}", "unreadable") from error


def check_stated_size(told: tuple[int | None, ...], image: npt.NDArray[Any]) -> None:
    """Check that the height and width `told`, stated by a label or by annotations, match the image.

    Raises:
        InvalidInputError: when they differ; a ``None`` matches any size.
    """
    height, width = image.shape[:2]
    if told[0] not in (None, height) or told[1] not in (None, width):
        raise InvalidInputError(
            f"made for an image of {told[1]} x {told[0]} pixels; the image has {width} x {height}", "size_mismatch"
        )


def read_label(sample: Sample) -> npt.NDArray[np.uint8]:
    """Return the class ids ``(H, W)`` uint8 of a semantic sample.

    Raises:
        InvalidInputError: see `read_encoded` and `decode_index_png`.
    """
    if not isinstance(sample.label, File | bytes):
        raise TypeError(f"{sample.name} has instances, not a label")
    return decode_index_png(read_encoded(sample.label))


def read_instances(sample: Sample, height: int, width: int) -> tuple[Instances, tuple[Fault, ...]]:
    """Return the instances of a sample whose image has `height` x `width` pixels, and faults of its annotations."""
    if isinstance(sample.label, Instances):
        return sample.label, ()
    if not isinstance(sample.label, Entry):
        raise TypeError(f"{sample.name} has a label, not instances")
    instances, _, faults = make_instances(sample.label, height, width)
    return instances, faults
