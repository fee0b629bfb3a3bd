"""Record sets as data sets: those of segdata, and MindRecord files that another program wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from segdata.arguments import FilePath, local_path
from segdata.cluster import Workers
from segdata.coco.annotations import Boxes
from segdata.encoded import File, Stored
from segdata.errors import Fault, InvalidInputError, OptionError
from segdata.images.values import Percentiles, ValueRange
from segdata.labels.classes import Classes
from segdata.labels.colormap import IGNORE
from segdata.parallel import Progress, WorkerKind
from segdata.records.foreign import ForeignSet, open_foreign
from segdata.records.instance import Instances
from segdata.records.reader import RecordSet, open_set, read_rows
from segdata.records.rows import Rows
from segdata.records.schema import Row, TaskName
from segdata.records.verify import verify
from segdata.samples import DatasetKind, Sample, StoredObjects


class RecordDataset:
    """The rows of a record set."""

    kind: DatasetKind = "records"
    # This process reads the rows; threads avoid sending their bytes to other processes.
    worker_kind: WorkerKind = "threads"
    numbered: bool = False
    unknown: tuple[str, ...] = ()

    def __init__(self, path: FilePath) -> None:
        """Read the manifest; see `open_set` for the errors raised."""
        self.path = local_path(path)
        self.found: RecordSet = open_set(self.path)
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
        raise _already_written(self.path)

    def samples(self, rows: Sequence[int] | None = None) -> Iterator[Sample]:
        """See `Dataset`; one row at a time is read."""
        return (_sample(self.task, row, self.value_range) for row in read_rows(self.found, rows=rows))

    def files(self) -> Iterator[tuple[str, File | None]]:
        """See `Dataset`; only the column of names is read."""
        return ((name, None) for name in self.found.names())

    def strays(self) -> list[Fault]:
        """See `Dataset`."""
        return []

    def verify(self, progress: Progress) -> Iterator[Fault]:
        """See `Dataset`; the files are compared with the manifest."""
        for problem in verify(self.path, progress=progress).problems:
            yield Fault("record_damaged", str(self.path), problem)


class ForeignDataset:
    """The rows of MindRecord files without a manifest.

    Its classes are told or numbered: the rows do not name them.
    """

    kind: DatasetKind = "records"
    worker_kind: WorkerKind = "threads"

    def __init__(
        self,
        path: FilePath,
        *,
        classes: Classes | None = None,
        value_range: ValueRange | Percentiles | None = None,
        image_field: str | None = None,
        label_field: str | None = None,
    ) -> None:
        """Open the files; see `open_foreign` for the errors raised.

        The labels of all instances are read at once: nothing else tells how many classes there are.
        """
        if isinstance(value_range, Percentiles):
            raise OptionError(
                f"{path}: percentiles need image files, not a record set; expected LOW:HIGH for --value_range. Give "
                "both values, or take the set apart with segdata unpack."
            )
        self.path = local_path(path)
        self.found: ForeignSet = open_foreign(self.path, image_field=image_field, label_field=label_field)
        self.task: TaskName = self.found.task
        self.value_range = value_range
        semantic = self.task == "semantic"
        self._instances = frozenset[int]() if semantic else self.found.instance_labels()
        self.classes: Classes | None = (classes or numbered_classes()) if semantic else None
        self.ignore_label = self.classes.ignore_label if self.classes else None
        names = classes.names if classes else self.classes.names if self.classes else ()
        numbered = {label: f"class_{label}" for label in range(1, max(self._instances, default=0) + 1)}
        self.labels = dict(enumerate(names, start=0 if semantic else 1)) or numbered
        self.numbered = classes is None
        self.unknown = unknown_facts(self.found, classes)

    def __len__(self) -> int:
        return len(self.found)

    def check_rows(
        self, *, decode: bool, drop_empty: bool, boxes: Boxes, workers: Workers, progress: Progress
    ) -> Rows[Any]:
        """Refuse: a record set is already written."""
        raise _already_written(self.path)

    def samples(self, rows: Sequence[int] | None = None) -> Iterator[Sample]:
        """See `Dataset`; one row at a time is read."""
        numbers = range(len(self)) if rows is None else rows
        return (_sample(self.task, self.found[number], self.value_range) for number in numbers)

    def files(self) -> Iterator[tuple[str, File | None]]:
        """See `Dataset`."""
        return ((name, None) for name in self.found.names())

    def strays(self) -> list[Fault]:
        """See `Dataset`."""
        return []

    def verify(self, progress: Progress) -> Iterator[Fault]:
        """See `Dataset`; without a manifest, all that can be told is whether every row can be read."""
        with progress(total=len(self), label="rows") as advance:
            for number in range(len(self)):
                try:
                    self.found[number]
                except InvalidInputError as error:
                    yield Fault("record_damaged", f"row {number}", str(error))
                advance(1)
        if outside := sorted(self._instances.difference(self.labels)):
            found = f"labels {', '.join(map(str, outside[:10]))}; expected 1 to {len(self.labels)}"
            yield Fault("value_outside_classes", str(self.path), found)


def numbered_classes() -> Classes:
    """Return classes that allow every label value; 255 is taken for the ignore label."""
    return Classes(tuple(f"class_{id_}" for id_ in range(IGNORE)))


def unknown_facts(found: ForeignSet, classes: Classes | None) -> tuple[str, ...]:
    """Return what a set without a manifest does not say."""
    facts = []
    if classes is None:
        facts.append("class names: classes are numbered. Give names with --class_names")
        if found.task == "semantic":
            facts.append(f"ignore label: {IGNORE} is assumed. Set it with --ignore_label")
    if found.fields.name is None:
        facts.append("image names: images are numbered by row")
    return (*facts, "fingerprint of the inputs: there is no manifest. Write one with segdata adopt")


def _sample(task: TaskName, row: Row, value_range: ValueRange | None) -> Sample:
    name, data = row["file_name"], row.pop("data")
    if task == "semantic":
        label = Stored(f"label of {name}", row["label"])
        return Sample(name, Stored(name, data), label=label, value_range=value_range)
    return Sample(name, Stored(name, data), objects=StoredObjects(Instances(**row)), value_range=value_range)


def _already_written(path: Path) -> OptionError:
    return OptionError(
        f"{path}: is a record set already; expected a list file or a COCO JSON. To write it again, take it apart with "
        "segdata unpack first."
    )
