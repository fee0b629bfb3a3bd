"""Class ids of the pixels of a mask, by a map of its values or colors."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.images.stored import StoredImage
from segdata.labels.colormap import Color, pack_colors, unpack_color
from segdata.labels.mask_mapping import MaskMapping, SourceCounts, count_sources, ignored_ids, known_ids
from segdata.labels.masks import count_values, first_pixel
from segdata.text import plural


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
        ids = ignored_ids(ids, where, described, mapping.expected_colors, pixels, len(unknown), mapping)
    ids = ids.astype(np.uint8)
    found: SourceCounts = Counter()
    for color, id_, count in zip(used.tolist(), ids.tolist(), counts.tolist(), strict=True):
        source: Color | int | str = mapping.source_of(unpack_color(color))
        if isinstance(source, tuple) and source not in mapping.map.colors:
            source = "other colors"
        found[source, id_] += count
    return np.repeat(ids[run], lengths).reshape(samples.shape[:2]), found
