"""Checks that need all samples of a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from segdata.coco.hints import brush_crowds, only_crowds, prefix_hint, root_category
from segdata.dataset import CocoDataset, Dataset
from segdata.errors import Fault
from segdata.inspect.check.same_file import FileNames
from segdata.inspect.check.sample import SampleReport
from segdata.labels.binary import BinaryLabels
from segdata.labels.colormap import VOC_CLASSES
from segdata.text import plain_path

#: Plain names of Pillow's modes.
_MODES = {
    "L": "gray",
    "LA": "gray with alpha",
    "RGBA": "RGB with alpha",
    "P": "palette",
    "1": "1-bit",
    "I;16": "16-bit gray",
    "L;16": "16-bit gray",
    "RGB;16": "16-bit RGB",
}


_UNUSED = "appears in no sample"

#: Said of copies whose labels or instances cannot be compared, because one of them has a fault.
_NOT_COMPARED = "; their labels cannot be compared"

#: Said of the category that Roboflow writes above all others.
_UNUSED_ROOT = "contains the other categories and has no objects; coco-subset --drop-unused leaves it out"


class WholeSet:
    """Checks across all samples; takes the reports on samples in order, and keeps only what the checks need."""

    def __init__(self, dataset: Dataset, *, complete: bool) -> None:
        """Start without reports; `complete` tells whether all of the list or JSON could be read."""
        self._dataset = dataset
        self._complete = complete
        self._labels: set[int] = set()
        self._binary = BinaryLabels(dataset.classes) if dataset.classes else None
        self._modes: list[tuple[str, str]] = []
        self._names: set[str] = set()
        self._files = FileNames()
        self._contents: dict[bytes, SampleReport] = {}
        self._faults: list[Fault] = []
        self._objects = self._crowds = 0

    def add(self, look: SampleReport) -> Iterator[Fault]:
        """Add the next report; yield a fault if it repeats an earlier sample."""
        if look.labels is None:
            self._complete = False
        else:
            self._labels |= look.labels
            if self._binary:
                self._binary.add(look.name, look.labels)
        self._faults += (fault for fault in look.faults if fault.where == look.name)
        self._objects += look.objects
        self._crowds += look.crowds
        if look.mode:
            self._modes.append((look.name, look.mode))
        name = plain_path(look.name)
        first = self._contents.setdefault(look.content, look) if look.content else look
        if name in self._names:
            yield Fault("duplicate_image", look.name, "an earlier sample uses the same file")
        elif first is not look:
            yield _same_content(first, look)
        elif same := self._files.find(look.name, look.file_id):
            yield same
        self._names.add(name)
        self._files.add(look.name, look.file_id)

    def finish(self) -> Iterator[Fault]:
        """Yield faults that only all samples together show."""
        yield from self._mixed_modes()
        only = only_crowds(self._dataset.path, self._objects, self._crowds)
        yield from only
        if isinstance(self._dataset, CocoDataset):
            yield from () if only else brush_crowds(self._dataset.coco)
            yield from prefix_hint(self._dataset.images, self._faults, len(self._dataset))
        # The values of an unreadable label are unknown, so a missing value cannot be reported.
        if not self._complete:
            return
        labels, classes = self._dataset.labels, self._dataset.classes
        if binary := classes.check_all(self._labels) if classes else []:
            yield from binary
            return
        if self._binary:
            yield from self._binary.faults()
        # VOC's classes are the default; unused ones are not reported then.
        if tuple(labels.values()) != VOC_CLASSES and not self._dataset.numbered:
            root = root_category(self._dataset.coco.categories) if isinstance(self._dataset, CocoDataset) else None
            for name in (name for id_, name in labels.items() if id_ not in self._labels):
                yield Fault("class_unused", f"class {name!r}", _UNUSED_ROOT if root and root.name == name else _UNUSED)

    def _mixed_modes(self) -> Iterator[Fault]:
        counts = Counter(mode for _, mode in self._modes)
        usual = max(counts, key=counts.__getitem__, default="")
        for name, mode in self._modes:
            if mode != usual:
                yield Fault(
                    "mixed_modes", name, f"{_MODES.get(mode, mode)}; most images are {_MODES.get(usual, usual)}"
                )


def was_compared(fault: Fault) -> bool:
    """Return whether the labels or instances of a copy are known to be those of the image that it repeats."""
    return not fault.what.endswith(_NOT_COMPARED)


def _same_content(first: SampleReport, look: SampleReport) -> Fault:
    same = f"has the same content as {first.name}"
    if None in (first.annotated, look.annotated):
        return Fault("duplicate_content", look.name, f"{same}{_NOT_COMPARED}")
    if first.annotated != look.annotated:
        return Fault("label_conflict", look.name, f"{same}, but a different label")
    return Fault("duplicate_content", look.name, same)
