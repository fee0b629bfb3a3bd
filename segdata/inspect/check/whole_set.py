"""What can only be said of all samples of a data set together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from segdata.coco.annotations import orphans
from segdata.dataset import CocoDataset, Dataset
from segdata.errors import Fault
from segdata.inspect.check.sample import SampleReport
from segdata.labels.colormap import IGNORE, VOC_CLASSES

#: Pillow's names of the kinds of pixel, in words.
_MODES = {"L": "gray", "LA": "gray with alpha", "RGBA": "RGB with alpha", "P": "palette", "1": "1-bit"}

#: Kinds that programs bring to 8-bit gray or RGB each in their own way: Pillow cuts 16 bits off at 255, OpenCV scales.
_UNLIKE = ("CMYK", "I;16", "I;16B", "I;16L", "I;16N", "I", "F")


class WholeSet:
    """Takes the looks at the samples of a data set in their order; keeps of them what the set is judged by."""

    def __init__(self, dataset: Dataset, *, complete: bool) -> None:
        """Begin with no look; `complete` says whether all that the list or JSON holds could be read."""
        self._dataset = dataset
        self._complete = complete
        self._labels: set[int] = set()
        self._modes: list[tuple[str, str]] = []
        self._names: set[str] = set()
        self._contents: dict[bytes, SampleReport] = {}

    def add(self, look: SampleReport) -> Iterator[Fault]:
        """Take the next look; yield how it repeats an earlier one."""
        if look.labels is None:
            self._complete = False
        else:
            self._labels |= look.labels
        if look.mode:
            self._modes.append((look.name, look.mode))
        if look.name in self._names:
            yield Fault("duplicate_image", look.name, "an earlier image has this file, too")
        elif look.content:
            first = self._contents.setdefault(look.content, look)
            if first is not look:
                yield _same_content(first, look)
        self._names.add(look.name)

    def finish(self) -> Iterator[Fault]:
        """Yield what is wrong or odd about all samples together."""
        yield from self._mixed_modes()
        # What a label that cannot be read holds is not known: nothing is then said of what none holds.
        if not self._complete:
            return
        labels = self._dataset.labels
        if self._dataset.ignore_label == IGNORE and self._labels == {0, IGNORE} and len(labels) > 1:
            found = f"hold 0 and {IGNORE} alone, and {IGNORE} is the label of no class: nothing but class 0 is left"
            yield Fault("binary_mask", "all labels", found)
        # VOC's classes are what is assumed where nothing is said.
        elif tuple(labels.values()) != VOC_CLASSES:
            unused = [name for id_, name in labels.items() if id_ not in self._labels]
            yield from (Fault("class_unused", f"class {name!r}", "no sample has it") for name in unused)

    def _mixed_modes(self) -> Iterator[Fault]:
        counts = Counter(mode for _, mode in self._modes)
        usual = max(counts, key=counts.__getitem__, default="")
        for name, mode in self._modes:
            if mode != usual:
                yield Fault(
                    "mixed_modes", name, f"{_MODES.get(mode, mode)}; most images are {_MODES.get(usual, usual)}"
                )
            elif mode in _UNLIKE:
                yield Fault("mixed_modes", name, f"{mode}; programs differ in how they bring that to 8-bit gray or RGB")


def _same_content(first: SampleReport, look: SampleReport) -> Fault:
    if None not in (first.annotated, look.annotated) and first.annotated != look.annotated:
        return Fault("label_conflict", look.name, f"the same content as {first.name}, but another label")
    return Fault("duplicate_content", look.name, f"the same content as {first.name}")


def annotation_faults(dataset: CocoDataset) -> Iterator[Fault]:
    """Yield what is wrong with annotations and categories before any image is looked at."""
    yield from orphans(dataset.coco)
    for name, count in Counter(dataset.labels.values()).items():
        if count > 1:
            yield Fault("duplicate_category", f"category {name!r}", f"{count} categories have this name")
