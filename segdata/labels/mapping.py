"""Convert masks of any kind to index PNGs, by a map of their values or colors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.images.stored import StoredImage, read_stored
from segdata.labels import png
from segdata.labels.map_pixels import map_samples
from segdata.labels.mask_mapping import MaskMapping, SourceCounts, count_sources, known_ids
from segdata.labels.masks import count_values, decode_bytes, encode_index_png
from segdata.labels.value_map import ValueMap

#: How a mask became an index PNG: chunks rewritten without decoding and encoding pixels, values or colors mapped, or
#: copied because it already was one.
Method = Literal["rewritten", "mapped", "copied"]


@dataclass(frozen=True)
class IndexMask:
    """An index PNG that was made from a mask.

    Attributes:
        data: the PNG.
        method: how it was made.
        counts: pixels by value and class; empty if the pixels were not read.
        ids_found: values of a gray mask that were taken as class ids, because the map has only colors.
    """

    data: bytes
    method: Method
    counts: SourceCounts
    ids_found: frozenset[int] = frozenset()


def to_index_png(data: bytes, mapping: MaskMapping, *, count: bool = True) -> IndexMask:
    """Return a mask as an index PNG: 8-bit, one channel, pixel = class id.

    8-bit PNGs are copied, or get new chunks without encoding, if every value is its own class id.

    Args:
        data: the encoded mask: PNG, TIFF or BMP; others only if `mapping` allows for inexact values.
        mapping: the classes.
        count: read all pixels. Otherwise, an 8-bit palette PNG whose palette is the color map is not decoded, so that
            its pixels are not checked or counted.

    Raises:
        InvalidInputError: when the file is damaged, has transparent pixels, or values without a class; the message
            names the first such pixel.
    """
    if data.startswith(png.SIGNATURE):
        file = png.parse(data)
        if file.header.depth == 8 and file.header.color_type in (png.GRAY, png.PALETTE):
            return _convert_bytes(file, mapping, count)
    stored = read_stored(data)
    _check_exact(stored, mapping)
    ids, counts = map_samples(stored, mapping)
    found = frozenset(int(value) for value, _ in counts if isinstance(value, int)) if mapping.by_ids else frozenset()
    return IndexMask(encode_index_png(ids), "mapped", counts, found)


def _convert_bytes(file: png.Png, mapping: MaskMapping, count: bool) -> IndexMask:
    palette = file.colors() if file.header.color_type == png.PALETTE else None
    table = mapping.byte_table if palette is None else mapping.palette_ids(palette)
    if not count and palette is not None and _palette_is_the_map(table, len(palette), mapping.map):
        return IndexMask(png.palette_to_gray(file), "rewritten", Counter())
    pixels = decode_bytes(file)
    pixel_counts = count_values(pixels)
    used = np.flatnonzero(pixel_counts)
    ids = known_ids(pixels, used, table[used], mapping, palette)
    counts = count_sources(used, ids, pixel_counts[used], mapping, palette)
    found = frozenset(used.tolist()) if palette is None and mapping.by_ids else frozenset()
    if np.array_equal(ids, used):
        if palette is None:
            return IndexMask(file.data, "copied", counts, found)
        return IndexMask(png.palette_to_gray(file), "rewritten", counts)
    classes = np.zeros(256, np.uint8)
    classes[used] = ids
    return IndexMask(encode_index_png(np.take(classes, pixels)), "mapped", counts, found)


def _palette_is_the_map(ids: npt.NDArray[np.int16], colors: int, value_map: ValueMap) -> bool:
    """Return whether palette and map agree: each class color is at its id, no other color at a class id."""
    index = np.arange(colors)
    classes = (index < len(value_map.names)) | (index == value_map.ignore_label)
    return bool(value_map.colors) and bool(np.all(np.where(classes, ids[:colors] == index, ids[:colors] == -1)))


def _check_exact(stored: StoredImage, mapping: MaskMapping) -> None:
    if stored.lossy and mapping.nearest is None and not mapping.shown:
        raise InvalidInputError(
            "values changed by compression (as in JPEG or WebP); expected PNG, BMP or TIFF without it. Map it with "
            "mask-map --nearest (colors) or --threshold (black and white).",
            "label_mode",
        )
    if stored.lossy and stored.samples.ndim == 2 and mapping.by_ids:
        raise InvalidInputError(
            "class ids changed by compression (as in JPEG or WebP); expected class ids as PNG, BMP or TIFF without it",
            "label_mode",
        )
