"""Data sets as a stream of samples: a list file, a COCO JSON or a record set."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from segdata.cluster import Workers
from segdata.coco.annotations import Boxes, entries, orphans
from segdata.coco.file import Coco, CrowdMeaning, read_coco
from segdata.coco.hints import common_prefix, find_image_folder
from segdata.encoded import File
from segdata.errors import Fault, InvalidInputError, OptionError
from segdata.files.root import check_root
from segdata.images.values import Percentiles, ValueRange
from segdata.labels.classes import Classes
from segdata.lists import Pair, read_list
from segdata.mindrecord.index import index_path
from segdata.parallel import Progress, WorkerKind, default_workers, silent
from segdata.recorded import ForeignDataset, RecordDataset
from segdata.records.foreign import is_foreign
from segdata.records.instance import Instances
from segdata.records.instance_check import check_annotated_images
from segdata.records.manifest import MANIFEST
from segdata.records.rows import Rows
from segdata.records.schema import TaskName
from segdata.records.semantic import check_pairs, pair_files
from segdata.records.value_range import resolve_value_range
from segdata.samples import CocoObjects, DatasetKind, Sample
from segdata.text import option_names

_log = logging.getLogger(__name__)

#: Reports of a list repeat this if its classes are not given.
_ASSUMED = "class names: VOC's 21 are assumed. Give others with --class_names or --num_classes"


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
        path: Path,
        images: Path | None = None,
        faults: list[Fault] | None = None,
        *,
        crowd: CrowdMeaning = "crowd",
        strip_prefix: str = "",
    ) -> None:
        """Read the JSON; see `read_coco` for the options and the errors raised."""
        self.path = path
        self.coco: Coco = read_coco(path, faults=faults, crowd=crowd, strip_prefix=strip_prefix)
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
        for name, count in Counter(self.labels.values()).items():
            if count > 1:
                yield Fault("duplicate_category", f"category {name!r}", f"{count} categories have this name")


def open_dataset(
    path: Path,
    *,
    data_root: Path | None = None,
    images: Path | None = None,
    classes: Classes | None = None,
    value_range: ValueRange | Percentiles | None = None,
    crowd: CrowdMeaning = "crowd",
    strip_prefix: str = "",
    image_field: str | None = None,
    label_field: str | None = None,
    faults: list[Fault] | None = None,
    workers: Workers | None = None,
    progress: Progress = silent,
) -> ListDataset | CocoDataset | RecordDataset | ForeignDataset:
    """Open the data set at `path`.

    A directory, a ``manifest.json``, a file with ``.mindrecord`` in its name or an index ``.db`` beside it is a record
    set, any other ``.json`` is a COCO JSON, and everything else is a list file.

    Args:
        path: list file, COCO JSON or record set.
        data_root: folder that the paths of a list are relative to; the list's folder by default.
        images: folder that the file names of the JSON are relative to; by default ``images`` next to the JSON's folder,
            or the JSON's own folder or ``images`` in it, if its first images are there.
        classes: classes of a list, those of VOC by default; or of a set without a manifest, whose classes are numbered
            by default.
        value_range: samples of deep images that mean black and white; percentiles are found by reading all images, but
            not in a set without a manifest. A record set with one knows its own.
        crowd: what `iscrowd` 1 means in a JSON: a region of objects that cannot be distinguished, or one ``object``, as
            CVAT writes it for each mask of a brush.
        strip_prefix: start of the image names in a JSON to remove.
        image_field: field of the encoded images in a set without a manifest; by default ``data``, or that of a form
            that is known by its fields.
        label_field: field of its index PNGs; by default ``label``.
        faults: if given, lines or members of the file that are not samples are left out and appended to this list
            instead of raised.
        workers: number of threads that find percentiles, by default one per processor, or a cluster.
        progress: reports their progress.

    Raises:
        InvalidInputError: when the data set cannot be opened, its percentiles cannot be found, or all its images are
            below another folder than the one that was named.
        OptionError: when the data set does not take a given option, or the image folder does not exist.
        FaultsError: when lines or members of the file are not samples.
    """
    kind = dataset_kind(path)
    _log.info("open %s: %s", path, kind)
    of_a_json = {"images": images, "crowd": crowd if crowd != "crowd" else None, "strip_prefix": strip_prefix or None}
    fields = {"image_field": image_field, "label_field": label_field}
    foreign = kind == "records" and is_foreign(path)
    given = {"data_root": data_root, "classes": classes, "value_range": value_range, **of_a_json, **fields}
    _check_options(path, "foreign" if foreign else kind, given)
    if foreign:
        return ForeignDataset(path, classes=classes, value_range=value_range, **fields)
    find = partial(resolve_value_range, value_range, workers=workers or default_workers(), progress=progress)
    if kind == "records":
        check_folder(path)
        return RecordDataset(path)
    if kind == "list":
        listed = ListDataset(path, (data_root or path.parent).absolute(), classes or Classes(), faults)
        names = [pair.image for pair in listed.pairs]
        check_root(path, listed.root, names, "--data_root")
        listed.unknown = () if classes else (_ASSUMED,)
        listed.value_range = find(listed.root, names)
        return listed
    dataset = CocoDataset(path, images, faults, crowd=crowd, strip_prefix=strip_prefix)
    names = [image.file_name for image in dataset.coco.images]
    if not common_prefix(dataset.images, names):
        check_root(path, dataset.images, names, "--images")
    if not dataset.images.is_dir():
        raise OptionError(f"{path}: image folder {dataset.images} does not exist. Name the folder with --images.")
    dataset.value_range = find(dataset.images, names)
    return dataset


def dataset_kind(path: Path) -> DatasetKind:
    """Return the type of data set at `path`, judged by its name and by an index of MindRecord beside it."""
    if path.is_dir() or path.name == "manifest.json" or ".mindrecord" in path.name or index_path(path).is_file():
        return "records"
    return "coco" if path.suffix.lower() == ".json" else "list"


def check_folder(path: Path) -> None:
    """Refuse a folder without a manifest: it may contain a list file or a COCO JSON, which must be named itself.

    Raises:
        InvalidInputError: when `path` is such a folder.
    """
    if path.is_dir() and not (path / MANIFEST).exists():
        raise InvalidInputError(
            f"{path}: a folder with no record set; expected a list file, a COCO JSON or a record set. Name the file."
        )


#: What `open_dataset` can be given: a name for messages, and the options that apply.
_OPTIONS = {
    "list": ("a list file", ("data_root", "classes", "value_range")),
    "coco": ("a COCO JSON", ("images", "value_range", "crowd", "strip_prefix")),
    "records": ("a record set", ()),
    "foreign": ("a record set", ("classes", "value_range", "image_field", "label_field")),
}


def _check_options(path: Path, kind: str, given: Mapping[str, object]) -> None:
    what, used = _OPTIONS[kind]
    useless = [name for name, value in given.items() if value is not None and name not in used]
    if useless:
        raise OptionError(f"{path} is {what}, which does not take {option_names(useless)}")
