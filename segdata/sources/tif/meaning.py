"""Meaning of the values of a label stack: classes, or ids of objects that become instances or touching cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from segdata.errors import InvalidInputError, OptionError
from segdata.images.stored import StoredImage, stored_page
from segdata.images.tiff import Stack
from segdata.images.tiff_pixels import PageForm
from segdata.labels.colormap import IGNORE
from segdata.labels.map_pixels import map_samples
from segdata.labels.mask_mapping import MaskMapping, Unknown
from segdata.labels.masks import count_values
from segdata.labels.value_map import ValueMap, ValueSpan
from segdata.sources.instance_masks.convert import DEFAULT_CLASS
from segdata.sources.tif.objects import border_page, instance_page
from segdata.sources.tif.values import PagePixels, PageResult, ValueCounts

#: Name of the class between objects.
BORDER_CLASS = "border"

#: The largest distance of a border: the time for it grows with its square.
MAX_BORDER = 100

#: More values than this are rarely classes.
_MANY_CLASSES = 64

_OBJECT_CURE = (
    "If the values are object ids, add --instances for a COCO JSON, or --border 1 for index masks with a class between "
    "touching objects"
)
_MAP_CURE = "Give the class of these values in --map, or set them to ignore with --unknown ignore"
_NO_MAP_CURE = ". If the labels are class ids already, leave out --map"

_PLAIN_IDS = ValueMap(spans=(ValueSpan(0, 255, 0, rising=True),))


class UnmappedLabelsError(InvalidInputError):
    """The labels contain only 0 and 255: a binary mask whose 255 would be read as the ignore label.

    Attributes:
        proposal: the class of each value that turns them into classes.
    """

    def __init__(self, where: str) -> None:
        """Describe the labels of the file `where`."""
        super().__init__(
            f"{where}: contains only 0 and 255, which is the ignore label; expected class ids. Make 255 class 1 with "
            "--map 0:0,255:1, or ignore these pixels with --map 0:0,255:255."
        )
        self.proposal: Mapping[int, int] = {0: 0, 255: 1}


@dataclass(frozen=True)
class LabelMeaning:
    """Meaning of the values of a label stack.

    Attributes:
        mapping: class of each value.
        mapped: whether the caller chose the classes; otherwise, values are class ids, or any objects.
        instances: whether the values number objects that become instances.
        border: distance from two objects within which pixels get a class of their own; None for no such class.
    """

    mapping: MaskMapping
    mapped: bool
    instances: bool
    border: int | None

    @property
    def objects(self) -> bool:
        """Return whether the values number objects."""
        return self.instances or self.border is not None

    @property
    def border_class(self) -> int | None:
        """Return the class id between touching objects: the one after all classes of the map."""
        return None if self.border is None else _class_count(self.mapping.map)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the class names by id, with that of borders; empty if they are not known."""
        named = self.mapping.map.names
        return (*named, BORDER_CLASS) if named and self.border is not None else named

    @property
    def categories(self) -> tuple[str, ...]:
        """Return the names of the classes of objects, 1 and up."""
        return tuple(self.mapping.map.name(id_) for id_ in range(1, _class_count(self.mapping.map)))

    @property
    def cure(self) -> str:
        """Return what to do about values without a class."""
        if not self.mapped:
            return _OBJECT_CURE
        return _MAP_CURE if self.objects else _MAP_CURE + _NO_MAP_CURE

    def take(self) -> Callable[[Stack, int, PageForm], Any]:
        """Return how a page is read for `convert`."""
        return Stack.read if self.objects else stored_page

    def convert(self) -> Callable[[Any], tuple[PagePixels | None, PageResult]]:
        """Return the conversion of a page; see `to_class_ids`, `instance_page` and `border_page`."""
        if self.instances:
            return partial(instance_page, mapping=self.mapping)
        if self.border is not None:
            return partial(border_page, mapping=self.mapping, distance=self.border, id_=_class_count(self.mapping.map))
        return partial(to_class_ids, mapping=self.mapping)

    def check_classes(self, labels: Path, pixels: ValueCounts) -> None:
        """Check the values of all pages of `labels` together, by their number of pixels ``(256,)``.

        Raises:
            UnmappedLabelsError: when class ids are only 0 and 255.
            InvalidInputError: when there are so many class ids that they are probably objects.
        """
        if self.objects or (self.mapped and not self.mapping.by_ids):
            return
        if pixels[IGNORE] and not pixels[1:IGNORE].any() and self.mapping.map.ignore_label == IGNORE:
            raise UnmappedLabelsError(str(labels))
        used = np.flatnonzero(pixels)
        if not self.mapped and len(used) > _MANY_CLASSES:
            raise InvalidInputError(
                f"{labels}: contains {len(used)} values up to {used[-1]}, probably ids of objects; expected at most "
                f"{_MANY_CLASSES} class ids. {_OBJECT_CURE}. If they are class ids, add --map "
                f"0-{used[-1]}:0-{used[-1]}."
            )

    def check_border(self, labels: Path, *, binary: bool) -> None:
        """Check that objects can touch, so that there is a border; see `SlicedPages` for `binary`.

        Raises:
            InvalidInputError: when each page is one object, because its labels are black and white.
        """
        if binary and self.border is not None:
            raise InvalidInputError(
                f"{labels}: black and white, so all objects of a page have one value and no border; expected a number "
                "for each object. Number them, for example with scipy.ndimage.label.",
                "binary_mask",
            )


def label_meaning(
    map: ValueMap | None,
    unknown: Unknown,
    *,
    instances: bool = False,
    border: int | None = None,
    class_name: str | None = None,
    class_names: Sequence[str] | None = None,
) -> LabelMeaning:
    """Return the meaning that options of `tif_slice` choose; see there.

    Raises:
        OptionError: when options contradict each other, or the map has no classes of objects or no room for borders.
    """
    if instances and border is not None:
        raise OptionError("--instances and --border: each says what to write; expected only one of them")
    objects = instances or border is not None
    if border is not None and not 1 <= border <= MAX_BORDER:
        raise OptionError(f"--border {border}: expected a distance of 1 to {MAX_BORDER} pixels")
    if map is None and unknown != "error":
        raise OptionError("--unknown: without --map, no values are unknown. Add --map.")
    if class_name is not None and (map is not None or not objects):
        raise OptionError("--class_name: names the class of all objects; expected --instances or --border, and no map")
    if class_names is not None and (map is None or map.names):
        raise OptionError("--class_names: names the classes of a map without names; expected --map VALUE:CLASS,…")
    if map is None:
        names = ("background", class_name or DEFAULT_CLASS)
        chosen = ValueMap(names, (ValueSpan(0, 0, 0),), other=1) if objects else _PLAIN_IDS
    else:
        chosen = map if class_names is None else replace(map, names=tuple(class_names))
    _check_names(chosen)
    if objects:
        _check_objects(chosen, border)
    return LabelMeaning(MaskMapping(chosen, unknown=unknown), map is not None, instances, border)


def _check_names(map: ValueMap) -> None:
    unnamed = [id_ for id_ in _class_ids(map) if id_ >= len(map.names)]
    if map.names and unnamed:
        raise OptionError(f"--map: class {unnamed[0]} has no name; expected 0 to {len(map.names) - 1}")


def _check_objects(map: ValueMap, border: int | None) -> None:
    if map.colors:
        raise OptionError("--map: has colors, but object ids are numbers; expected a class for each value")
    if not any(_class_ids(map)):
        raise OptionError("--map: no value has a class above 0, so there are no objects; expected 0:0,*:1 or another")
    if border is not None and _class_count(map) >= IGNORE:
        raise OptionError(f"--border: would be class {_class_count(map)}; expected a map of classes up to {IGNORE - 2}")


def _class_ids(map: ValueMap) -> list[int]:
    """Return the classes of the values of a map, without the ignore label."""
    ids = {span.id + step for span in map.spans for step in range(span.high - span.low + 1 if span.rising else 1)}
    ids |= set() if map.other is None else {map.other}
    return sorted(ids - {map.ignore_label})


def _class_count(map: ValueMap) -> int:
    return max(len(map.names), *(id_ + 1 for id_ in _class_ids(map)))


def to_class_ids(stored: StoredImage, *, mapping: MaskMapping) -> tuple[PagePixels, PageResult]:
    """Return the class ids ``(H, W)`` uint8 of a label page, and how many pixels each has ``(256,)``.

    Raises:
        InvalidInputError: when a value has no class; names the first such pixel.
    """
    # Values count as stored, whatever the header says about color, unless the map is of colors.
    by_value = mapping.map.spans or mapping.map.other is not None or mapping.by_ids
    ids, _ = map_samples(replace(stored, white_is_zero=False) if by_value else stored, mapping)
    return ids, PageResult(count_values(ids))
