"""Choice of how masks become class ids, and what it says about the values that a mask has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError, OptionError
from segdata.labels.colormap import Color, as_color, pack_colors
from segdata.labels.masks import first_pixel
from segdata.labels.value_map import ValueMap
from segdata.text import plural

#: What to do with values that have no class: refuse them, or give them the ignore label.
Unknown = Literal["error", "ignore"]

#: Pixels by what they had (a value, a color, or a word for many colors) and by the class id that they get.
SourceCounts = Counter[tuple[int | float | Color | str, int]]


@dataclass(frozen=True)
class MaskMapping:
    """Choice of how masks become class ids.

    Attributes:
        map: class of each value and color.
        nearest: largest difference of a value, or Euclidean distance of a color in RGB, at which an unknown one takes
            the class of the nearest known one; None allows no difference.
        unknown: what to do with values that have no class.
        shown: whether the map is of shown gray values: a palette is applied, fewer than 8 bits are stretched to
            0 … 255, fractions are rounded down, and compression with loss is accepted.
    """

    map: ValueMap
    nearest: float | None = None
    unknown: Unknown = "error"
    shown: bool = False

    def __post_init__(self) -> None:
        """Refuse a difference that is not a number, which nothing is below."""
        if self.nearest is not None and not self.nearest >= 0:
            raise OptionError(f"--nearest {self.nearest:g}: expected a number of 0 or more")

    @property
    def by_ids(self) -> bool:
        """Return whether gray masks already contain class ids, since the map has only colors."""
        return not self.map.spans and self.map.other is None and not self.map.gray_by_color

    @property
    def by_palette(self) -> bool:
        """Return whether the classes of a palette mask follow from its colors, not from its indices."""
        return bool(self.map.colors) or self.shown

    @property
    def expected_colors(self) -> str:
        """Return in words which colors have a class."""
        return "a class color" if self.map.colors else "a gray value that the map names"

    def source_of(self, color: Color) -> Color | int:
        """Return what is counted for a color: its gray value, if the map is of values."""
        return color[0] if not self.map.colors and len({*color}) == 1 else color

    @cached_property
    def exact(self) -> MaskMapping:
        """Return the mapping of names, such as indices of a palette: neighbors have nothing in common."""
        return replace(self, nearest=None)

    @cached_property
    def byte_table(self) -> npt.NDArray[np.int16]:
        """Return the class ids of the gray values 0 to 255; -1 for unknown ones."""
        return self.gray_ids(np.arange(256))

    def gray_ids(self, values: npt.NDArray[Any]) -> npt.NDArray[np.int16]:
        """Return the class id of each gray value ``(N,)``; -1 for unknown ones."""
        return self.map.ids(values, None if self.by_ids else self.nearest)

    def palette_ids(self, palette: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
        """Return the class id of each index of a palette ``(N, 3)``; -1 for unknown ones."""
        if not self.by_palette:
            return self.exact.byte_table
        ids = np.full(max(256, len(palette)), -1, np.int16)
        ids[: len(palette)] = self.map.color_ids(pack_colors(palette), self.nearest)
        return ids


def known_ids(
    samples: npt.NDArray[Any],
    used: npt.NDArray[Any],
    ids: npt.NDArray[np.int16],
    mapping: MaskMapping,
    palette: npt.NDArray[np.uint8] | None,
) -> npt.NDArray[np.uint8]:
    """Return the class ids of the values of a mask.

    Args:
        samples: the mask ``(H, W)``.
        used: its values ``(N,)``.
        ids: their class ids, -1 for unknown ones.
        mapping: what to do with those.
        palette: colors of the values, if the map is of colors.

    Raises:
        InvalidInputError: when values are unknown, unless they become the ignore label; names the first such pixel.
            Also when a class id has the color that fills the end of the palette.
    """
    if palette is not None and mapping.map.colors:
        _check_padding(used, ids, palette, mapping.map)
    if (ids >= 0).all():
        return ids.astype(np.uint8)
    if palette is None and mapping.by_ids and (diagnosis := mapping.map.gray_diagnosis(used.tolist())):
        raise InvalidInputError(diagnosis, "gray_from_color")
    unknown = used[ids < 0]
    first = samples.flat[np.isin(samples, unknown).argmax()]
    if palette is None or not mapping.by_palette:
        described, expected = f"value {first:g}", mapping.map.expected_values()
    else:
        color = f"color {tuple(palette[first].tolist())}" if first < len(palette) else "without a palette entry"
        described, expected = f"index {first}, {color}", mapping.expected_colors
    where = samples == first
    return ignored_ids(ids, where, described, expected, int(np.count_nonzero(where)), len(unknown), mapping).astype(
        np.uint8
    )


def _check_padding(
    used: npt.NDArray[Any], ids: npt.NDArray[np.int16], palette: npt.NDArray[np.uint8], value_map: ValueMap
) -> None:
    """Refuse pixels whose index is a class id, but has only the color that fills the end of the palette.

    Programs that set the colors of some classes fill the palette with black: all other ids would become background.
    """
    other = np.flatnonzero((palette != palette[-1]).any(axis=1))
    end = int(other[-1]) + 1 if len(other) else 0
    # The first index of the filling may be the one that has this color.
    first = end if (palette[:end] == palette[-1]).all(axis=1).any() else end + 1
    classes = (used < len(value_map.names)) | (used == value_map.ignore_label)
    lost = used[classes & (used >= first) & (used < len(palette)) & (used != ids)]
    if len(lost):
        index, last, void = int(lost[0]), len(value_map.names) - 1, value_map.ignore_label
        raise InvalidInputError(
            f"index {index} is class id {index} ({value_map.name(index)}), but has the color {as_color(palette[-1])}, "
            f"which fills the palette from index {end} on. If indices are class ids, use mask-map --map "
            f"0-{last}:0-{last},{void}:{void}; otherwise, save the mask as RGB.",
            "label_mode",
        )


def ignored_ids(
    ids: npt.NDArray[np.int16],
    where: npt.NDArray[np.bool_],
    described: str,
    expected: str,
    pixels: int,
    unknown: int,
    mapping: MaskMapping,
) -> npt.NDArray[np.int16]:
    """Return `ids` with the ignore label for unknown ones.

    Args:
        ids: class ids of the values of a mask ``(N,)``, -1 for unknown ones.
        where: pixels of the first unknown value ``(H, W)``.
        described: that value.
        expected: values that have a class.
        pixels: number of pixels of that value.
        unknown: number of unknown values.
        mapping: what to do with them.

    Raises:
        InvalidInputError: unless unknown values become the ignore label.
    """
    if mapping.unknown == "ignore":
        return np.where(ids < 0, np.int16(mapping.map.ignore_label), ids)
    others = f", {plural(unknown - 1, 'other value')} without a class" if unknown > 1 else ""
    raise InvalidInputError(
        f"{first_pixel(where)} has {described}; expected {expected} ({plural(pixels, 'such pixel')}{others})",
        "value_outside_classes",
    )


def count_sources(
    used: npt.NDArray[Any],
    ids: npt.NDArray[np.uint8],
    counts: npt.NDArray[np.int64],
    mapping: MaskMapping,
    palette: npt.NDArray[np.uint8] | None,
) -> SourceCounts:
    """Return the pixels of the values `used` by source and class; see `known_ids`."""
    found: SourceCounts = Counter()
    colors = palette if palette is not None and mapping.by_palette else None
    for value, id_, count in zip(used.tolist(), ids.tolist(), counts.tolist(), strict=True):
        if colors is not None and value < len(colors):
            found[mapping.source_of(as_color(colors[value])), id_] += count
        else:
            found[int(value) if value == int(value) else value, id_] += count
    return found
