"""The rows of record sets that become one: keys kept distinct, labels mapped to the classes of the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from segdata.coco.ids import DistinctIds
from segdata.errors import Fault, FaultsError, InvalidInputError
from segdata.labels.masks import decode_index_png, encode_index_png
from segdata.labels.united import PartClasses
from segdata.mindrecord.rows import mark_row
from segdata.records.reader import RecordSet, read_rows
from segdata.records.rows import change_mark
from segdata.records.schema import ROW_SCHEMAS, SCHEMAS, Row, pack_masks, row_fingerprint, unpack_masks
from segdata.text import plural

#: Number of a part, and number of a row in it.
PartRow = tuple[int, int]


@dataclass(frozen=True)
class SetPart:
    """One of the sets.

    Attributes:
        records: the set.
        prefix: goes before its file names.
        labels: new label by label; None for instances to leave out.
        image_ids: new id by image id, of images whose id changes.
    """

    records: RecordSet
    prefix: str
    labels: Mapping[int, int | None]
    image_ids: Mapping[int, int]

    def map_row(self, row: Row) -> Row:
        """Return a row of the set as a row of the result.

        Raises:
            InvalidInputError: when it has a label that its set has no class for.
        """
        named = row | {"file_name": self.prefix + row["file_name"]}
        if self._keeps_labels:
            mapped: Row = {}
        elif self.records.manifest.task == "semantic":
            mapped = self._map_pixels(row)
        else:
            mapped = self._map_instances(row)
        if "image_id" in row:
            mapped["image_id"] = self.image_ids.get(row["image_id"], row["image_id"])
        return named | mapped

    @cached_property
    def _keeps_labels(self) -> bool:
        return all(new == old for old, new in self.labels.items())

    def foreign_labels(self, labels: Iterable[int]) -> list[int]:
        """Return those of `labels` that the set has no class for."""
        return [label for label in labels if label not in self.labels]

    def _map_pixels(self, row: Row) -> Row:
        """Return the label, encoded again only if a pixel changes."""
        ids = decode_index_png(row["label"])
        table = np.full(256, -1, np.int16)
        for old, new in self.labels.items():
            table[old] = -1 if new is None else new
        found = table[ids]
        if found.min() < 0:
            raise unknown_label(int(ids[found < 0][0]))
        return {} if np.array_equal(found, ids) else {"label": encode_index_png(found.astype(np.uint8))}

    def _map_instances(self, row: Row) -> Row:
        labels = row["labels"].tolist()
        if foreign := self.foreign_labels(labels):
            raise unknown_label(min(foreign))
        kept = [index for index, label in enumerate(labels) if self.labels[label] is not None]
        masks = unpack_masks(row["masks"])
        return {
            "labels": np.array([self.labels[labels[index]] for index in kept], np.int32),
            "boxes": row["boxes"][kept],
            "iscrowd": row["iscrowd"][kept],
            "masks": pack_masks([masks[index] for index in kept]),
        }


def unknown_label(label: int) -> InvalidInputError:
    """Return the error for a label that a set has no class for."""
    return InvalidInputError(f"has the label {label}, which is not a class of its set", "record_damaged")


def content_of(part: SetPart, row: Row) -> bytes:
    """Return what two rows of one file name have in common if one repeats the other: all but the image id."""
    task = part.records.manifest.task
    fields = [name for name in SCHEMAS[task] if name != "image_id"]
    return row_fingerprint(mark_row(ROW_SCHEMAS[task], row), fields)


def row_mark(part: SetPart, row: Row, content: bytes) -> int:
    """Return the change mark of a row of the result, whose `content_of` is given."""
    return change_mark(part.records.manifest.task, row.get("image_id"), content)


def read_part_row(parts: Sequence[SetPart], item: PartRow) -> tuple[Row, int]:
    """Read a row of the result, and its change mark."""
    part = parts[item[0]]
    row = part.map_row(part.records[item[1]])
    return row, row_mark(part, row, content_of(part, row))


def set_classes(name: str, records: RecordSet, *, with_ignored: bool) -> PartClasses:
    """Return the classes of a set; one with the ignore label (ADE20K: 0 is void) has no pixels."""
    manifest = records.manifest
    semantic = manifest.task == "semantic"
    classes = [info for info in manifest.classes if with_ignored or info.id != manifest.ignore_label]
    used = [info.pixels if semantic else info.instances or 0 for info in classes]
    return PartClasses(name, [info.name for info in classes], used, "pixel" if semantic else "instance")


def result_ignore_label(first: RecordSet, names: Sequence[str]) -> int | None:
    """Return the ignore label of the first set, or 255 if a class needs this label; None in an instance set."""
    label = first.manifest.ignore_label
    if label is None or label >= len(names) or dict(enumerate(first.manifest.class_names)).get(label) == names[label]:
        return label
    return 255


def map_labels(
    parts: Sequence[tuple[str, RecordSet]], names: Sequence[str], ignore_label: int | None
) -> list[dict[int, int | None]]:
    """Return for each set the new label of each of its labels; None for instances to leave out.

    Ignored pixels stay ignored. Pixels of classes that are not among `names` become ignored.

    Raises:
        FaultsError: when a class of a set has pixels and the label that the result ignores.
    """
    first = 0 if ignore_label is not None else 1
    ids = {name: id_ for id_, name in enumerate(names, start=first)}
    faults: list[Fault] = []
    maps: list[dict[int, int | None]] = []
    for where, records in parts:
        manifest = records.manifest
        labels: dict[int, int | None] = {info.id: ids.get(info.name, ignore_label) for info in manifest.classes}
        for info in manifest.classes:
            ignored = ignore_label is not None and ids.get(info.name) == ignore_label
            if ignored and info.pixels and info.id != manifest.ignore_label:
                pixels = plural(info.pixels, "pixel")
                faults.append(Fault("invalid", where, f"class {info.name!r} has {pixels}, which the first set ignores"))
        if manifest.ignore_label is not None:
            labels[manifest.ignore_label] = ignore_label
        maps.append(labels)
    if faults:
        raise FaultsError(
            "Sets with pixels of a class that the first set ignores; expected all sets to ignore it. Put another set "
            "first, or name the classes of the result with --class_names",
            faults,
        )
    return maps


def check_alike(sets: Mapping[str, RecordSet]) -> None:
    """Check that sets have one task and one value range.

    Raises:
        FaultsError: naming that of each.
    """
    tasks = {where: records.manifest.task for where, records in sets.items()}
    if len(set(tasks.values())) > 1:
        raise FaultsError(
            "Sets of several tasks; expected one. Turn instance sets into semantic ones with segdata unpack, "
            "coco-to-masks and to-mindrecord",
            [f"{where}: {task}" for where, task in tasks.items()],
        )
    ranges = {where: records.manifest.value_range for where, records in sets.items()}
    if len(set(ranges.values())) > 1:
        raise FaultsError(
            "Sets with several value ranges; expected one, because it decides what samples mean. Write the sets again "
            "with one --value_range",
            [f"{where}: {records.manifest.image_range or 'images of 8 bits'}" for where, records in sets.items()],
        )


def distinct_image_ids(sets: Sequence[RecordSet], prefixes: Sequence[str], names: Counter[str]) -> list[dict[int, int]]:
    """Return the new image ids of each set, for images whose id an earlier set has; count their file names."""
    instance = sets[0].manifest.task == "instance"
    fields = ["file_name", "image_id"] if instance else ["file_name"]
    rows = [list(read_rows(records, fields=fields)) for records in sets]
    distinct = DistinctIds(row["image_id"] for part in rows for row in part if instance)
    changed: list[dict[int, int]] = []
    for part, prefix in zip(rows, prefixes, strict=True):
        changed.append({})
        for row in part:
            name = prefix + row["file_name"]
            if instance and not names[name] and (id_ := distinct.take(row["image_id"])) != row["image_id"]:
                changed[-1][row["image_id"]] = id_
            names[name] += 1
    return changed
