"""Value maps: which class each value or color of a mask means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.labels.colormap import IGNORE, VOC_CLASSES, Color, as_color, look_up, luminances, voc_palette
from segdata.text import quoted

_ENTRY = re.compile(r"\s*(?P<values>\*|-?\d{1,16}(--?\d{1,16})?)\s*:\s*(?P<class>\d{1,3}(-\d{1,3})?)\s*")
_RANGE = re.compile(r"(-?\d{1,16})(?:-(-?\d{1,16}))?")


@dataclass(frozen=True, order=True)
class ValueSpan:
    """Values `low` to `high`, inclusive, of the class `id`; if `rising`, each value has the class after the last."""

    low: int
    high: int
    id: int
    rising: bool = False

    def __str__(self) -> str:
        return f"{self.low}" if self.low == self.high else f"{self.low} to {self.high}"


@dataclass(frozen=True)
class ValueMap:
    """The class of each value and color of a mask.

    Values are those of gray masks. Colors are those of palettes and of RGB masks; with none, a palette is not applied,
    and its indices are values. Gray masks of a map that has only colors: see `gray_by_color`.

    Attributes:
        names: class names by id, ``0 … K-1``; empty if they are not known.
        spans: classes of values; they do not overlap.
        colors: class of each color; several colors may have one class.
        other: class of all other values and colors; by default, they have no class.
        ignore_label: label of pixels without a class.

    >>> ValueMap(spans=(ValueSpan(0, 0, 0), ValueSpan(1, 300, 1))).ids(np.array([0, 7, 301])).tolist()
    [0, 1, -1]
    """

    names: tuple[str, ...] = ()
    spans: tuple[ValueSpan, ...] = ()
    colors: Mapping[Color, int] = field(default_factory=dict)
    other: int | None = None
    ignore_label: int = IGNORE

    def name(self, id_: int) -> str:
        """Return the name of a class id or of the ignore label."""
        if id_ < len(self.names):
            return self.names[id_]
        return "void" if id_ == self.ignore_label else f"class_{id_}"

    @cached_property
    def gray_by_color(self) -> bool:
        """Return whether a gray value v means the color (v, v, v), in a map that has only colors.

        It does if all colors are gray, or if a gray color contradicts the class ids: a white class is 255, which would
        otherwise be void. In all other maps, gray masks contain class ids, or the ignore label.
        """
        grays = {color[0]: id_ for color, id_ in self.colors.items() if len({*color}) == 1}
        ids = {value: value for value in (*range(len(self.names)), self.ignore_label)}
        return len(grays) == len(self.colors) or any(ids.get(value, id_) != id_ for value, id_ in grays.items())

    @cached_property
    def gray_spans(self) -> tuple[ValueSpan, ...]:
        """The spans of gray masks, of which those by color have 8 bits."""
        if self.spans or self.other is not None:
            return tuple(sorted(self.spans))
        if self.gray_by_color:
            return tuple(sorted(ValueSpan(c[0], c[0], id_) for c, id_ in self.colors.items() if len({*c}) == 1))
        classes = ValueSpan(0, len(self.names) - 1, 0, rising=True)
        return (classes, ValueSpan(self.ignore_label, self.ignore_label, self.ignore_label))

    @cached_property
    def byte_table(self) -> npt.NDArray[np.int16]:
        """Class ids of the values 0 to 255; -1 for unknown ones."""
        return self.ids(np.arange(256))

    def ids(self, values: npt.NDArray[Any], nearest: float | None = None) -> npt.NDArray[np.int16]:
        """Return the class id of each gray value ``(N,)`` as int16; -1 for unknown ones.

        Args:
            values: numbers of any type; fractions are unknown.
            nearest: largest difference at which an unknown value takes the class of the nearest known one; of two
                equally near ones, the lower.
        """
        exact = values.astype(np.float64)
        found = np.full(len(exact), -1 if self.other is None else self.other, np.int16)
        if not self.gray_spans:
            return found
        low, high, first, rising = np.array([(s.low, s.high, s.id, s.rising) for s in self.gray_spans], float).T

        def distance(at: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
            return np.asarray(np.maximum(np.maximum(low[at] - exact, exact - high[at]), 0))

        after = np.minimum(np.searchsorted(low, exact, side="right"), len(low) - 1)
        at = np.maximum(after - 1, 0)
        at = np.where(distance(after) < distance(at), after, at)
        known = distance(at) <= (nearest or 0)
        if nearest is None:
            known &= exact == np.rint(exact)
        ids = first[at] + rising[at] * (np.clip(np.rint(exact), low[at], high[at]) - low[at])
        found[known] = ids[known].astype(np.int16)
        return found

    def color_ids(self, packed: npt.NDArray[np.int32], nearest: float | None = None) -> npt.NDArray[np.int16]:
        """Return the class id of each packed color ``(N,)``; -1 for unknown ones.

        With a map of values, a color of three equal samples is this value. For `nearest` see `look_up` and `ids`.
        """
        if self.colors:
            found = look_up(self.colors, packed, nearest)
        else:
            gray = (packed & 255) * 0x010101 == packed
            found = np.full(len(packed), -1, np.int16)
            found[gray] = self.ids(packed[gray] & 255, nearest)
        return found if self.other is None else np.where(found < 0, np.int16(self.other), found)

    def expected_values(self) -> str:
        """Return in words which gray values have a class."""
        listed = [str(span) for span in self.gray_spans]
        if len(listed) > 10:
            listed[9:-1] = ["…"]
        return " or ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)

    def gray_diagnosis(self, values: Iterable[float]) -> str | None:
        """Return a message if `values` contain one without a class, and all are this map's colors converted to gray."""
        used = list(values)
        grays: dict[float, list[str]] = {}
        for color, id_ in self.colors.items():
            for value in luminances(color):
                grays.setdefault(value, []).append(self.name(id_))
        foreign = [value for value, id_ in zip(used, self.ids(np.array(used)), strict=True) if id_ < 0]
        if not foreign or any(value not in grays for value in used):
            return None
        return (
            f"gray made from color: {foreign[-1]} is the luminance of {' or '.join(grays[foreign[-1]])}; expected "
            "class ids. The conversion merged classes and cannot be undone. Start again from the color masks."
        )


def voc_colormap(ignore_label: int = IGNORE) -> ValueMap:
    """Return the map of VOC's 21 classes and its void border, by color."""
    palette = voc_palette()
    colors = {as_color(palette[id_]): id_ for id_ in range(len(VOC_CLASSES))}
    return ValueMap(VOC_CLASSES, (), {**colors, as_color(palette[IGNORE]): ignore_label}, ignore_label=ignore_label)


def threshold_map(threshold: int, ignore_label: int = IGNORE) -> ValueMap:
    """Return the map of gray values below `threshold` to class 0, and of all others to class 1.

    >>> threshold_map(128).ids(np.array([0, 127, 128, 255])).tolist()
    [0, 0, 1, 1]
    """
    return ValueMap(
        ("background", "foreground"),
        (ValueSpan(0, threshold - 1, 0), ValueSpan(threshold, 2**53, 1)),
        ignore_label=ignore_label,
    )


def parse_value_map(text: str, ignore_label: int = IGNORE) -> ValueMap:
    """Return the map that a list of ``VALUE:CLASS`` names.

    A value may be a range, such as ``1-300``; ``*`` is every other value. The class of a range may be a range of equal
    length, which gives each value a class of its own. The class `ignore_label` means no class.

    Raises:
        InvalidInputError: when an entry has another form, a class is above 255, or two entries name one value.

    >>> parse_value_map("0:255,1-3:0-2").ids(np.array([0, 1, 2, 3])).tolist()
    [255, 0, 1, 2]
    """
    spans: list[ValueSpan] = []
    other = None
    for entry in text.split(","):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise InvalidInputError(
                f"map entry {quoted(entry)}: expected VALUE:CLASS, such as 0:0, 1-300:1, 1-3:0-2 or *:1"
            )
        first, last = _bounds(match["class"])
        if last > 255 or (match["values"] == "*" and (other is not None or first != last)):
            raise InvalidInputError(f"map entry {quoted(entry)}: expected one entry for *, and classes of 0 to 255")
        if match["values"] == "*":
            other = first
            continue
        low, high = _bounds(match["values"])
        if low > high or (first != last and last - first != high - low):
            raise InvalidInputError(
                f"map entry {quoted(entry)}: expected a rising range, and one class or as many classes as values"
            )
        spans.append(ValueSpan(low, high, first, rising=first != last))
    check_spans(spans)
    return ValueMap((), tuple(sorted(spans)), other=other, ignore_label=ignore_label)


def identity_entries(classes: int, ignore_label: int) -> str:
    """Return the entries of `parse_value_map` that leave `classes` class ids and the ignore label as they are.

    >>> identity_entries(2, 255), identity_entries(3, 2)
    ('0-1:0-1,255:255', '0-2:0-2')
    """
    last = classes - 1
    ids = f"0-{last}:0-{last}" if last else "0:0"
    return ids if ignore_label <= last else f"{ids},{ignore_label}:{ignore_label}"


def is_value_list(text: str) -> bool:
    """Return whether `text` is meant as a list of ``VALUE:CLASS`` and not as a name."""
    return re.match(r"\s*[-*\d]+\s*:", text) is not None


def parse_values(text: str) -> tuple[int, int] | None:
    """Return the lowest and highest value of ``VALUE`` or ``LOW-HIGH``; None for another text."""
    return _bounds(text) if _RANGE.fullmatch(text) else None


def check_spans(spans: Sequence[ValueSpan]) -> None:
    """Raise `InvalidInputError` if two spans contain the same value."""
    ordered = sorted(spans)
    for span, after in pairwise(ordered):
        if after.low <= span.high:
            raise InvalidInputError(f"value {after.low} has two classes, {span.id} and {after.id}; expected one")


def _bounds(text: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a range: {text}")
    low = int(match[1])
    return low, low if match[2] is None else int(match[2])
