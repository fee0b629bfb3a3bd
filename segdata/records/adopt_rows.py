"""Check the rows of a record set as the samples that they were made from."""

from __future__ import annotations

from dataclasses import dataclass

from segdata.encoded import Stored
from segdata.errors import Fault, FaultsError
from segdata.images.header import ImageHeader
from segdata.images.values import ValueRange
from segdata.labels.classes import Classes
from segdata.mindrecord.shards import SetReader
from segdata.records.entry import check_instances, stored_entry
from segdata.records.instance import Instances
from segdata.records.instance_check import inspect_image_entry
from segdata.records.recount import RowCount, count_row
from segdata.records.rows import odd_image
from segdata.records.schema import Row, TaskName
from segdata.records.semantic import inspect_pair


@dataclass(frozen=True)
class RowInspector:
    """Checks a row by its number, as `to_mindrecord` checks its files.

    Attributes:
        reader: the rows.
        task: their task.
        classes: the valid labels; in an instance set, the names of the labels 1 to K.
        value_range: samples of deep images that mean black and white.
        decode: decode the image instead of reading only its header.
    """

    reader: SetReader
    task: TaskName
    classes: Classes
    value_range: ValueRange | None
    decode: bool

    def __call__(self, number: int) -> tuple[RowCount, list[Fault]]:
        """Return what a row has, and a warning if its image is stored rotated.

        Raises:
            FaultsError: with all faults of the row.
            InvalidInputError: when it cannot be read.
        """
        row = self.reader.row(number)
        header, faults = self._semantic(row) if self.task == "semantic" else self._instance(row)
        if faults:
            raise FaultsError(f"row {number}", faults)
        return count_row(self.task, row), odd_image(row["file_name"], header)

    def _semantic(self, row: Row) -> tuple[ImageHeader | None, tuple[Fault, ...]]:
        name = row["file_name"]
        image, label = Stored(name, row["data"]), Stored(f"label of {name}", row["label"])
        found = inspect_pair(image, label, self.classes, self.value_range, decode=self.decode)
        return found.header, found.faults

    def _instance(self, row: Row) -> tuple[ImageHeader | None, tuple[Fault, ...]]:
        check_instances(row)
        item = Instances(**{name: value for name, value in row.items() if name != "data"})
        image = Stored(item.file_name, row["data"])
        found = inspect_image_entry(image, stored_entry(item), self.value_range, decode=self.decode)
        last = len(self.classes.names)
        outside = sorted({label for label in item.labels.tolist() if not 1 <= label <= last})
        foreign = [
            Fault("value_outside_classes", item.file_name, f"has label {label}; expected 1 to {last}")
            for label in outside
        ]
        return found.header, (*found.image_faults, *found.annotation_faults, *foreign)
