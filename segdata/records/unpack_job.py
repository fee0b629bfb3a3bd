"""The steps in which a record set is taken apart: choose names, write the files, compare the rows with the manifest."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from segdata.errors import Fault, FaultsError, InvalidInputError, OptionError
from segdata.labels.classes import write_class_names
from segdata.labels.colormap import IGNORE
from segdata.lists import Pair, write_list
from segdata.mindrecord.rows import mark_row
from segdata.parallel import Progress, map_faults
from segdata.records.foreign import ForeignSet, shards_name
from segdata.records.manifest import Manifest
from segdata.records.reader import RecordSet
from segdata.records.schema import ROW_SCHEMAS, SCHEMAS, Row, row_fingerprint
from segdata.records.unpack_names import NamePlan, plan_names
from segdata.records.unpack_rows import JsonLists, ObjectWriter, PairWriter
from segdata.store.product import RESULTS
from segdata.text import plural

_T = TypeVar("_T")

#: Files of the result, beside the images of a semantic set; in an instance set, images are in a folder.
CLASSES = "classes.txt"
_JSON, _IMAGES = "annotations/instances.json", "images"


class UnpackJob:
    """Takes one set apart."""

    def __init__(
        self,
        found: RecordSet | ForeignSet,
        source: str,
        class_names: Sequence[str] | None,
        ignore_label: int | None,
        workers: int,
        progress: Progress,
    ) -> None:
        """Note what is known about the set; see `unpack` for the arguments.

        Raises:
            OptionError: when names or an ignore label are given for a set that has its own, or has none.
        """
        self.found, self.source, self.workers, self.progress = found, source, workers, progress
        self.manifest = found.manifest if isinstance(found, RecordSet) else None
        name = found.manifest.name if isinstance(found, RecordSet) else shards_name(found.reader)
        if self.manifest and class_names:
            raise OptionError(f"{source}: has a manifest, which names its classes; omit --class_names")
        if ignore_label is not None and (self.manifest or found.task == "instance"):
            why = "has a manifest, which names its ignore label" if self.manifest else "instances have no ignore label"
            raise OptionError(f"{source}: {why}; omit --ignore_label")
        self.class_names = self.manifest.class_names if self.manifest else class_names
        self.ignore_label = self.manifest.ignore_label if self.manifest else ignore_label
        self.samples = f"{name}_lst.txt" if found.task == "semantic" else _JSON

    def plan(self, target: Path) -> NamePlan:
        """Choose the names of the images; see `unpack` for the errors raised."""
        if isinstance(self.found, ForeignSet) and not self.found.fields.name:
            return NamePlan()
        faults: list[Fault] = []
        listed = self.found.task == "semantic"
        plan = plan_names(self.found.names(), target, faults, taken=self._taken(), listed=listed)
        self._stop_at(faults, "with names that cannot be written")
        return plan

    def write_pairs(self, staging: Path, names: NamePlan) -> list[Fault]:
        """Write the files of a semantic set; return what is odd about them."""
        pairs: list[Pair] = []
        odd: list[Fault] = []
        for pair, fault in self._each(PairWriter(staging, names)):
            pairs.append(pair)
            odd += [fault] if fault else []
        write_list(staging / self.samples, pairs, overwrite=False)
        if self.class_names:
            odd += self._write_class_names(staging / CLASSES, tuple(self.class_names))
        return odd

    def write_objects(self, staging: Path, names: NamePlan) -> int:
        """Write the files of an instance set; return the number of instances."""
        known = _category_ids(self.manifest) if self.manifest else None
        with tempfile.TemporaryFile(dir=staging) as images, tempfile.TemporaryFile(dir=staging) as annotations:
            lists = JsonLists(images, annotations, known)
            for image, instances in self._each(ObjectWriter(staging / _IMAGES, names)):
                lists.add(image, instances)
            lists.write(staging / _JSON, self._categories(lists.labels))
        return lists.count

    def _taken(self) -> tuple[str, ...]:
        return (self.samples, CLASSES, RESULTS.index) if self.found.task == "semantic" else ()

    def _each(self, write: Callable[[int, Row], _T]) -> Iterator[_T]:
        """Yield what `write` returns for every row."""
        faults: list[Fault] = []
        inputs = hashlib.sha256()
        for result, fingerprint in map_faults(
            partial(self._write, write),
            range(len(self.found)),
            faults,
            name="row {}".format,
            total=len(self.found),
            label="unpack",
            progress=self.progress,
            workers=self.workers,
        ):
            inputs.update(fingerprint)
            yield result
        self._stop_at(faults, "cannot be read")
        if isinstance(self.found, RecordSet):
            self.found.check_unchanged()
            if inputs.hexdigest() != self.found.manifest.inputs:
                raise InvalidInputError(
                    f"{self.source}: its rows are not those that were written; nothing was written. Run segdata verify "
                    "to find the damage.",
                    "record_damaged",
                )

    def _write(self, write: Callable[[int, Row], _T], number: int) -> tuple[_T, bytes]:
        """Return what `write` returns for a row, and the fingerprint of the row if there is one to compare with."""
        row: Row = self.found[number]
        task = self.found.task
        marks = mark_row(ROW_SCHEMAS[task], row) if self.manifest else {}
        return write(number, row), row_fingerprint(marks, SCHEMAS[task] if marks else ())

    def _write_class_names(self, path: Path, names: tuple[str, ...]) -> list[Fault]:
        """Write a file of class names; return a fault instead if it would be read as other names."""
        try:
            write_class_names(path, names, IGNORE if self.ignore_label is None else self.ignore_label)
        except InvalidInputError as error:
            path.unlink()
            return [Fault("invalid", path.name, str(error).removeprefix(f"{path.name}: "))]
        return []

    def _categories(self, labels: set[int]) -> dict[int, str]:
        if self.manifest:
            ids = _category_ids(self.manifest)
            return {ids[each.id]: each.name for each in self.manifest.classes}
        told = dict(enumerate(self.class_names or (), start=1))
        return {label: told.get(label, f"class_{label}") for label in sorted({*labels, *told})}

    def _stop_at(self, faults: Sequence[Fault], what: str) -> None:
        if faults:
            rows = plural(len(faults), "row")
            raise FaultsError(f"{self.source}: {rows} {what}; nothing was written", faults)


def _category_ids(manifest: Manifest) -> dict[int, int]:
    """Return the category id of each label: those of the JSON that the set was written from.

    `to_mindrecord` numbers classes in the order of these ids, which need not be that of the labels of a merged set: its
    labels are the ids.
    """
    ids = [each.original_id for each in manifest.classes]
    return {each.id: each.original_id if ids == sorted(set(ids)) else each.id for each in manifest.classes}
