"""Record sets of one task as one data set to convert."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from segdata.cluster import Workers
from segdata.coco.annotations import Boxes
from segdata.coco.ids import DistinctIds
from segdata.errors import Fault, FaultsError, InvalidInputError
from segdata.labels.colormap import IGNORE
from segdata.labels.mask_mapping import Unknown
from segdata.labels.united import classes_left_out, unite_classes
from segdata.mindrecord.rows import RowSize, measure_row
from segdata.parallel import Progress, map_faults
from segdata.records.layout import row_faults
from segdata.records.manifest import ClassInfo
from segdata.records.merge_rows import (
    PartRow,
    SetPart,
    check_alike,
    content_of,
    distinct_image_ids,
    map_labels,
    read_part_row,
    result_ignore_label,
    row_mark,
    set_classes,
    unknown_label,
)
from segdata.records.reader import RecordSet
from segdata.records.recount import RowCount, count_row, row_payload
from segdata.records.rows import ImageTotals, Rows, odd_image
from segdata.records.schema import KEY, ROW_SCHEMAS, SCHEMAS
from segdata.text import plural


@dataclass(frozen=True)
class _RowCheck:
    """A row of the result: what it has, with the labels of its set, its size, and marks to recognize it by."""

    item: PartRow
    key: str
    name: str
    before: RowCount
    payload: int
    size: RowSize
    content: bytes
    change_mark: int
    labels_changed: bool


@dataclass
class _Totals:
    """The sums over all rows, by label of the result."""

    pixels: Counter[int] = field(default_factory=Counter)
    images: Counter[int] = field(default_factory=Counter)
    instances: Counter[int] = field(default_factory=Counter)
    kinds: ImageTotals = field(default_factory=ImageTotals)
    payload: int = 0

    def add(self, part: SetPart, row: _RowCheck) -> None:
        for counts, totals in ((row.before.pixels, self.pixels), (row.before.instances, self.instances)):
            for label, count in counts.items():
                if (new := part.labels[label]) is not None:
                    totals[new] += count
        self.images.update({new for label in row.before.pixels if (new := part.labels[label]) is not None})
        self.kinds.add(row.before.header)
        self.payload += row.payload


class MergedSets:
    """Record sets as one data set to convert."""

    def __init__(
        self,
        sets: dict[str, RecordSet],
        class_names: Sequence[str] | None,
        unknown: Unknown,
        prefixes: Sequence[str],
    ) -> None:
        """Unite the classes and keys; only the file names and image ids of the rows are read.

        Args:
            sets: the sets by their name in messages.
            class_names: the classes of the result; by default those of all sets.
            unknown: what to do with pixels and instances of other classes.
            prefixes: what goes before the file names of each set.

        Raises:
            FaultsError: when the sets do not fit together.
        """
        first = next(iter(sets.values()))
        self.path = first.directory
        self.repeated = self.labels_changed = 0
        self._wheres = list(sets)
        check_alike(sets)
        classes = [set_classes(where, each, with_ignored=each is first) for where, each in sets.items()]
        self._names = unite_classes(classes, class_names, unknown=unknown)
        self.left_out = classes_left_out(classes, self._names)
        self._manifest = first.manifest
        self._ignore_label = result_ignore_label(first, self._names)
        if self._ignore_label is not None and len(self._names) > IGNORE:
            raise InvalidInputError(f"{len(self._names)} classes together; expected at most {IGNORE} (8-bit labels)")
        maps = map_labels(list(sets.items()), self._names, self._ignore_label)
        # Only these names can repeat a row, or contradict one.
        counts: Counter[str] = Counter()
        ids = distinct_image_ids(list(sets.values()), prefixes, counts)
        self._several = {name for name, count in counts.items() if count > 1}
        self.parts = tuple(map(SetPart, sets.values(), prefixes, maps, ids))

    def check_rows(
        self, *, decode: bool, drop_empty: bool, boxes: Boxes, workers: Workers, progress: Progress
    ) -> Rows[PartRow]:
        """Read every row; `decode`, `drop_empty` and `boxes` do not apply to rows that are written already.

        Raises:
            FaultsError: when rows are damaged, or two of one name differ.
        """
        items, keys, marks, sizes = list[PartRow](), list[str](), list[int](), array("q")
        totals, faults, warnings = _Totals(), list[Fault](), list[Fault]()
        for row in self._distinct_rows(faults, workers, progress):
            items.append(row.item)
            keys.append(row.key)
            marks.append(row.change_mark)
            sizes.extend(row.size)
            totals.add(self.parts[row.item[0]], row)
            self.labels_changed += row.labels_changed
            warnings += odd_image(row.name, row.before.header)
        if faults:
            cure = "" if any(part.prefix for part in self.parts) else ", or keep rows of one name apart with --prefix"
            raise FaultsError(
                f"{plural(len(faults), 'fault')}; nothing was written. Run segdata verify on the sets{cure}", faults
            )
        manifest = self._manifest
        ignored = 0
        if self._ignore_label is not None:
            # Ignored pixels have no class, also if the ignore label is among the class ids.
            ignored = totals.pixels.pop(self._ignore_label, 0)
            totals.images.pop(self._ignore_label, 0)
        boxes_of = {part.records.manifest.options.get("boxes", "json") for part in self.parts}
        return Rows(
            task=manifest.task,
            schema=SCHEMAS[manifest.task],
            items=tuple(items),
            keys=tuple(keys),
            read=partial(read_part_row, self.parts),
            sizes=np.array(sizes, np.int64).reshape(-1, 3),
            change_marks=np.array(marks, np.uint64),
            payload_bytes=totals.payload,
            classes=self._class_infos(totals),
            ignore_label=self._ignore_label,
            ignore_pixels=ignored,
            samples=sum(len(part.records) for part in self.parts),
            empty=0,
            fatal=(),
            faults=(),
            warnings=tuple(warnings),
            images=totals.kinds.summary(),
            value_range=manifest.image_range,
            # `json` makes the boxes from the masks where a JSON has none.
            options={"boxes": "masks" if boxes_of == {"masks"} else "json"} if manifest.task == "instance" else {},
        )

    def _distinct_rows(self, faults: list[Fault], workers: Workers, progress: Progress) -> Iterator[_RowCheck]:
        """Yield each row once; append the faults of the others."""
        first: dict[str, tuple[bytes, int]] = {}
        inputs = [hashlib.sha256() for _ in self.parts]
        total = sum(len(part.records) for part in self.parts)
        every = ((number, row) for number, part in enumerate(self.parts) for row in range(len(part.records)))
        for row in map_faults(
            self._check_row,
            every,
            faults,
            name=self._row_name,
            total=total,
            label="check",
            progress=progress,
            workers=workers,
            chunk=32,
        ):
            number = row.item[0]
            inputs[number].update(row.before.fingerprint)
            content, owner = (
                first.setdefault(row.name, (row.content, number)) if row.name in self._several else (b"", -1)
            )
            if owner in (number, -1):
                yield row
            elif content == row.content:
                self.repeated += 1
            else:
                where = f"its content differs in {self._wheres[owner]} and {self._wheres[number]}"
                faults.append(Fault("duplicate_image", row.name, where))
        for where, part, found in zip(self._wheres, self.parts, inputs, strict=True):
            part.records.check_unchanged()
            if not faults and found.hexdigest() != part.records.manifest.inputs:
                faults.append(Fault("record_damaged", where, "its rows differ from those that were written"))

    def _row_name(self, item: PartRow) -> str:
        return f"{self._wheres[item[0]]}: row {item[1]}"

    def _check_row(self, item: PartRow) -> _RowCheck:
        part = self.parts[item[0]]
        task = part.records.manifest.task
        row = part.records[item[1]]
        before = count_row(task, row)
        if foreign := part.foreign_labels(before.pixels.keys() | before.instances.keys()):
            raise unknown_label(min(foreign))
        mapped = part.map_row(row)
        size = measure_row(ROW_SCHEMAS[task], mapped)
        if faults := row_faults(mapped["file_name"], size):
            raise FaultsError(self._row_name(item), faults)
        content = content_of(part, mapped)
        changed = (
            mapped["label"] is not row["label"]
            if task == "semantic"
            else not np.array_equal(mapped["labels"], row["labels"])
        )
        return _RowCheck(
            item=item,
            key=str(mapped[KEY[task]]),
            name=mapped["file_name"],
            before=before,
            payload=row_payload(mapped),
            size=size,
            content=content,
            change_mark=row_mark(part, mapped, content),
            labels_changed=changed,
        )

    def _class_infos(self, totals: _Totals) -> tuple[ClassInfo, ...]:
        instance = self._manifest.task == "instance"
        originals = [info for part in self.parts for info in part.records.manifest.classes]
        distinct = DistinctIds(info.original_id for info in originals)
        known = {info.name: info.original_id for info in reversed(originals)}
        return tuple(
            ClassInfo(
                id=id_,
                name=name,
                original_id=distinct.take(known.get(name)) if instance else id_,
                pixels=totals.pixels[id_],
                images=totals.images[id_],
                instances=totals.instances[id_] if instance else None,
            )
            for id_, name in enumerate(self._names, start=int(instance))
        )
