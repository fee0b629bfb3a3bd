"""Class ids of the pixels of a mask, by a map of its values or colors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.images.stored import StoredImage
from segdata.labels.colormap import Color, as_color, pack_colors, unpack_color
from segdata.labels.masks import count_values, first_pixel
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


def map_samples(stored: StoredImage, mapping: MaskMapping) -> tuple[npt.NDArray[np.uint8], SourceCounts]:
    """Return the class ids ``(H, W)`` uint8 of a mask, and its pixels by value and class.

    Raises:
        InvalidInputError: see `to_index_png`.
    """
    samples = _without_alpha(stored)
    if samples.ndim == 3:
        if stored.bits != 8:
            raise InvalidInputError(
                f"{stored.bits}-bit RGB; expected 8 bits for each color. Save it with 8 bits.", "label_mode"
            )
        return _map_colors(samples, mapping)
    if stored.palette is not None and mapping.by_palette:
        return _map_values(samples, mapping, stored.palette)
    if stored.palette is not None:
        return _map_values(samples, mapping.exact)
    # A mask of black and white may contain 0 and 1 as stored: 1 would be near to black.
    few = stored.bits < 8 and bool(mapping.map.spans)
    return _map_values(_gray(samples, stored, mapping), mapping.exact if few else mapping)


def _without_alpha(stored: StoredImage) -> npt.NDArray[Any]:
    """Return samples without alpha, which must be opaque, or all samples of the pixel zero."""
    samples = stored.samples
    if samples.ndim == 2 or samples.shape[2] == 3:
        return samples
    transparent = (samples[..., -1] != (1 << stored.bits) - 1) & samples.any(axis=2)
    if transparent.any():
        pixel = tuple(samples[transparent][0].tolist())
        raise InvalidInputError(
            f"{first_pixel(transparent)} has color {pixel}, which is not opaque "
            f"({plural(int(np.count_nonzero(transparent)), 'such pixel')}); expected the alpha "
            f"{(1 << stored.bits) - 1}. Save the mask without transparency.",
            "label_mode",
        )
    return samples[..., 0] if samples.shape[2] == 2 else samples[..., :3]


def _gray(samples: npt.NDArray[Any], stored: StoredImage, mapping: MaskMapping) -> npt.NDArray[Any]:
    """Return the gray values that the map is of."""
    highest = (1 << stored.bits) - 1
    by_color = not (mapping.map.spans or mapping.map.other is not None or mapping.by_ids)
    if not (by_color or mapping.shown):
        if stored.white_is_zero:
            raise InvalidInputError(
                "is a TIFF in which 0 is white (MinIsWhite), so its values are ambiguous. Map it with segdata mask-map "
                "--map binary or --threshold, or save it with 0 as black.",
                "label_mode",
            )
        return samples
    if stored.white_is_zero:
        if samples.dtype.kind != "u":
            raise InvalidInputError(
                f"{samples.dtype} samples with 0 as white; expected unsigned samples. Save it with 0 as black.",
                "label_mode",
            )
        samples = (highest - samples).astype(samples.dtype)
    if stored.bits < 8:
        return np.asarray(np.rint(samples * (255 / highest)), np.uint8)
    if mapping.shown or stored.bits == 8:
        return np.asarray(np.floor(samples) if samples.dtype.kind == "f" else samples)
    if samples.dtype != np.uint16 or (samples % 257).any():
        raise InvalidInputError(
            f"{samples.dtype} samples from {samples.min():g} to {samples.max():g} and a map of colors; expected 8 "
            "bits, or 16 with 65535 as white. Give the class of each value, such as --map 0:0,255:1.",
            "label_mode",
        )
    return np.asarray(samples // 257, np.uint8)


def _map_values(
    samples: npt.NDArray[Any], mapping: MaskMapping, palette: npt.NDArray[np.uint8] | None = None
) -> tuple[npt.NDArray[np.uint8], SourceCounts]:
    if samples.dtype in (np.uint8, np.uint16):
        pixels = count_values(samples) if samples.dtype == np.uint8 else np.bincount(samples.ravel())
        used = np.flatnonzero(pixels)
        counts = pixels[used]
    else:
        if samples.dtype.kind == "f" and not np.isfinite(samples).all():
            where = first_pixel(~np.isfinite(samples))
            raise InvalidInputError(f"{where} is NaN or infinite; expected finite values", "label_mode")
        used, counts = np.unique(samples, return_counts=True)
    table = mapping.gray_ids(used) if palette is None else mapping.palette_ids(palette)
    if palette is not None:
        table = np.where(used < len(table), table[np.minimum(used, len(table) - 1)], np.int16(-1))
    ids = known_ids(samples, used, table, mapping, palette)
    if samples.dtype in (np.uint8, np.uint16):
        classes = np.zeros(len(pixels), np.uint8)
        classes[used] = ids
        mapped = np.take(classes, samples)
    else:
        mapped = ids[np.searchsorted(used, samples)]
    return mapped, count_sources(used, ids, counts, mapping, palette)


def _map_colors(samples: npt.NDArray[np.uint8], mapping: MaskMapping) -> tuple[npt.NDArray[np.uint8], SourceCounts]:
    packed = pack_colors(samples).ravel()
    # Masks consist of long runs of one color: only the first pixel of each is looked up.
    starts = np.concatenate([[0], np.flatnonzero(packed[1:] != packed[:-1]) + 1])
    lengths = np.diff(starts, append=len(packed))
    used, run = np.unique(packed[starts], return_inverse=True)
    counts = np.bincount(run, lengths).astype(np.int64)
    ids = mapping.map.color_ids(used, mapping.nearest)
    if (ids < 0).any():
        unknown = used[ids < 0]
        first = packed[np.isin(packed, unknown).argmax()]
        described = f"color {unpack_color(int(first))}"
        where = (packed == first).reshape(samples.shape[:2])
        pixels = int(counts[used == first][0])
        ids = _ignored(ids, where, described, mapping.expected_colors, pixels, len(unknown), mapping)
    ids = ids.astype(np.uint8)
    found: SourceCounts = Counter()
    for color, id_, count in zip(used.tolist(), ids.tolist(), counts.tolist(), strict=True):
        source: Color | int | str = mapping.source_of(unpack_color(color))
        if isinstance(source, tuple) and source not in mapping.map.colors:
            source = "other colors"
        found[source, id_] += count
    return np.repeat(ids[run], lengths).reshape(samples.shape[:2]), found


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
    return _ignored(ids, where, described, expected, int(np.count_nonzero(where)), len(unknown), mapping).astype(
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


def _ignored(
    ids: npt.NDArray[np.int16],
    where: npt.NDArray[np.bool_],
    described: str,
    expected: str,
    pixels: int,
    unknown: int,
    mapping: MaskMapping,
) -> npt.NDArray[np.int16]:
    """Return `ids` with the ignore label for unknown ones, or refuse them."""
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
