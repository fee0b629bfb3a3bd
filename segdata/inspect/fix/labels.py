"""Cures of labels: color and deep masks become index PNGs, values are mapped, labels of an exact fraction resized."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from segdata.encoded import File
from segdata.errors import Fault, InvalidInputError
from segdata.images.reading import read_image_header
from segdata.inspect.fix.files import NewFiles
from segdata.inspect.fix.lines import ListDraft
from segdata.labels.classes import Classes
from segdata.labels.colormap import VOC_CLASSES
from segdata.labels.mapping import to_index_png
from segdata.labels.mask_mapping import MaskMapping
from segdata.labels.masks import decode_index_png, encode_index_png
from segdata.labels.value_map import ValueMap, ValueSpan, voc_colormap
from segdata.lists import Pair


def scaled_label(label: npt.NDArray[np.uint8], shape: tuple[int, int]) -> npt.NDArray[np.uint8] | None:
    """Return a label ``(H, W)`` at the size of its image, by the nearest pixel; None unless the ratio is an integer.

    >>> scaled_label(np.array([[1, 2]], np.uint8), (2, 4)).tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    (height, width), (rows, columns) = shape, label.shape
    if height % rows == 0 and width % columns == 0 and (factor := height // rows) == width // columns:
        return np.repeat(np.repeat(label, factor, axis=0), factor, axis=1)
    if rows % height == 0 and columns % width == 0 and (factor := rows // height) == columns // width:
        return label[factor // 2 :: factor, factor // 2 :: factor]
    return None


@dataclass
class LabelCures:
    """Cures that write labels.

    Attributes:
        files: takes the new labels.
        classes: the classes of the list.
        map: class of each value of the labels; None if the user did not give it.
        mapped: whether the labels were mapped; class ids are not mapped again.
    """

    files: NewFiles
    classes: Classes
    map: ValueMap | None = None
    mapped: bool = False

    def resize(self, draft: ListDraft, faults: Sequence[Fault]) -> None:
        """Resize labels whose size is an exact multiple or fraction of that of their image."""
        for row in dict.fromkeys(row for fault in faults for row in draft.rows(fault.where)):
            pair = draft.pairs[row]
            try:
                header = read_image_header(File(self.files.root, pair.image).find())
                label = scaled_label(decode_index_png(self.files.read(pair.label)), header.shape)
            except InvalidInputError:
                continue
            # A label of two images may fit only one of them.
            if label is not None and header.orientation == 1 and len(draft.rows(pair.label)) == 1:
                self.files.write(pair.label, encode_index_png(label))
                draft.changed = True

    def convert(self, draft: ListDraft, faults: Sequence[Fault]) -> None:
        """Map all labels by the given map, or none if one has a value without a class; else only certain ones."""
        if not self.map:
            made = self._converted(dict.fromkeys(fault.where for fault in faults), self._certain())
            self._take(draft, made, _new_names(draft, made))
        elif not self.mapped:
            every = dict.fromkeys(pair.label for pair in draft.pairs.values())
            made = self._converted(every, MaskMapping(self.map))
            names = _new_names(draft, made)
            if len(names) == len(every):
                self.mapped = True
                self._take(draft, made, names)

    def _certain(self) -> MaskMapping:
        """Return the mapping of VOC's colors for VOC's classes; for others, each class id means itself."""
        ignore = self.classes.ignore_label
        if self.classes.names == VOC_CLASSES:
            return MaskMapping(voc_colormap(ignore))
        last = len(self.classes.names) - 1
        spans = (ValueSpan(0, last, 0, rising=True), *([ValueSpan(ignore, ignore, ignore)] if ignore > last else ()))
        return MaskMapping(ValueMap(spans=spans, ignore_label=ignore))

    def _converted(self, names: Iterable[str], mapping: MaskMapping) -> dict[str, bytes]:
        made: dict[str, bytes] = {}
        for name in names:
            try:
                made[name] = to_index_png(self.files.read(name), mapping).data
            except InvalidInputError:
                continue
        return made

    def _take(self, draft: ListDraft, made: dict[str, bytes], names: dict[str, str]) -> None:
        for name, target in names.items():
            data = made[name]
            if data != self.files.read(name) or target != name:
                self.files.write(target, data)
                draft.changed = True
                for row in draft.rows(name) if target != name else ():
                    draft.set(row, Pair(draft.pairs[row].image, target))


def _new_names(draft: ListDraft, labels: Iterable[str]) -> dict[str, str]:
    """Return the name of each label with the suffix of a PNG, but for those whose new name another file has."""
    taken = {name for pair in draft.pairs.values() for name in (pair.image, pair.label)}
    names: dict[str, str] = {}
    for name in labels:
        target = PurePosixPath(name).with_suffix(".png").as_posix()
        if target == name or target not in taken:
            taken.add(target)
            names[name] = target
    return names
