"""Colors of classes: VOC's palette, lookup of class ids by color, and diagnosis of colors converted to gray."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

Color = tuple[int, int, int]

# fmt: off
VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car",
    "cat", "chair", "cow", "diningtable", "dog", "horse", "motorbike",
    "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)
# fmt: on

#: The label of pixels that belong to no class (VOC's void border).
IGNORE = 255

#: Names of pixels without a class, in lower case: they are not counted, and get the ignore label. labelme writes the
#: last one, as the class -1 before ``_background_``, its class 0.
IGNORE_NAMES = ("void", "ignore", "ignored", "__ignore__")


def voc_palette() -> npt.NDArray[np.uint8]:
    """Return VOC's 256 colors, ``(256, 3)`` uint8.

    Bits 0, 1, 2 of the index (then 3, 4, 5, …) become bit 7 (then 6, …) of red, green and blue, as in
    ``VOClabelcolormap.m`` of the VOC development kit.
    """
    index = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((index >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return palette


def as_color(row: Iterable[int]) -> Color:
    """Return three samples as a color.

    >>> as_color([128, 0, 0])
    (128, 0, 0)
    """
    red, green, blue = (int(channel) for channel in row)
    return red, green, blue


def pack_colors(colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Pack ``(..., 3)`` colors into ``(...)`` integers 0xRRGGBB."""
    packed = colors[..., 0].astype(np.int32)
    for channel in (1, 2):
        packed <<= 8
        packed |= colors[..., channel]
    return packed


def unpack_color(packed: int) -> Color:
    """Return the color of an integer 0xRRGGBB.

    >>> unpack_color(0x800001)
    (128, 0, 1)
    """
    return packed >> 16, packed >> 8 & 255, packed & 255


def look_up(
    ids: Mapping[Color, int], packed: npt.NDArray[np.int32], nearest: float | None = None
) -> npt.NDArray[np.int16]:
    """Return the class id of each packed color ``(N,)`` as int16; -1 for unknown colors.

    Args:
        ids: class id of each known color, not empty.
        packed: the colors, see `pack_colors`.
        nearest: largest Euclidean distance in RGB at which an unknown color takes the class of the nearest known one;
            of two equally near ones, the first.

    >>> look_up({(0, 0, 0): 0, (255, 0, 0): 1}, np.array([0xFF0000, 0xFA0300], np.int32), 10).tolist()
    [1, 1]
    """
    known = np.array(list(ids), np.uint8)
    values = np.array(list(ids.values()), np.int16)
    keys = pack_colors(known)
    order = np.argsort(keys)
    at = np.minimum(np.searchsorted(keys, packed, sorter=order), len(keys) - 1)
    found = np.where(keys[order][at] == packed, values[order][at], np.int16(-1))
    if nearest is None:
        return found
    unknown = np.flatnonzero(found < 0)
    wanted = np.stack([packed[unknown] >> shift & 255 for shift in (16, 8, 0)], axis=1)
    # No two colors are farther apart than black and white.
    best = np.full(len(unknown), np.int32(min(nearest**2, 3 * 255**2)) + 1)
    for color, id_ in zip(known.astype(np.int32), values, strict=True):
        distances = ((wanted - color) ** 2).sum(axis=1, dtype=np.int32)
        closer = distances < best
        best[closer] = distances[closer]
        found[unknown[closer]] = id_
    return found


def luminances(color: Color) -> set[int]:
    """Return the gray values that a color becomes when a tool converts it to luminance.

    Uses ITU-R BT.601 weights; libpng (OpenCV's PNG reader) truncates, the conversions of OpenCV and Pillow round.

    >>> luminances((128, 0, 0))
    {38}
    """
    red, green, blue = color
    exact = 0.299 * red + 0.587 * green + 0.114 * blue
    return {int(exact), int(exact + 0.5)}
