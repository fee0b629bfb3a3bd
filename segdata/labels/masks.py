"""Convert PNG masks of any form to index PNGs of class ids."""

from __future__ import annotations

import io
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.images.reading import read_image_header
from segdata.labels import png
from segdata.labels.colormap import IGNORE, ColorMap

#: How a mask became an index PNG: chunks rewritten, colors looked up, or copied because it already was one.
Method = Literal["rewritten", "by color", "copied"]


def to_index_png(data: bytes, colormap: ColorMap) -> tuple[bytes, Method]:
    """Return a mask as the bytes of an index PNG: 8-bit, one channel, pixel = class id, 255 = ignore.

    An 8-bit palette PNG whose palette matches the color map is rewritten without decoding, so its pixel values are
    not checked. All other files are decoded, and every pixel is checked.

    Raises:
        InvalidInputError: when the file is damaged, or the color or value of a pixel is not in the color map; the
            message names the first such pixel.
    """
    file = png.parse(data)
    kind = file.header.color_type
    if kind == png.PALETTE:
        ids = colormap.lookup(file.colors())
        if file.header.depth == 8 and _palette_is_the_map(ids, colormap):
            return png.palette_to_gray(file), "rewritten"
        return encode_index_png(_apply(ids, _decode(data), file.colors())), "by color"
    if kind == png.GRAY:
        return _checked_gray(file, colormap)
    if file.header.depth == 16 or kind == png.GRAY_ALPHA:
        raise InvalidInputError(f"{file.header.kind} PNG; expected 8-bit palette, RGB, RGBA or gray")
    return encode_index_png(_by_color(_decode(data), colormap)), "by color"


def decode_index_png(data: bytes) -> npt.NDArray[np.uint8]:
    """Return the class ids ``(H, W)`` uint8 of an index PNG.

    Raises:
        InvalidInputError: when the file is damaged, not a PNG file, or a color mask.
    """
    if not data.startswith(png.SIGNATURE) and _is_image(data):
        raise InvalidInputError("not a PNG file", "label_mode")
    file = png.parse(data)
    if (file.header.color_type, file.header.depth) != (png.GRAY, 8):
        raise InvalidInputError(
            f"{file.header.kind} PNG; expected class ids as 8-bit gray. Convert color masks with segdata voc-decolor.",
            "label_mode",
        )
    pixels = file.unfiltered_bytes()
    return _decode(data) if pixels is None else pixels


def count_values(label: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Count the pixels of each value in ``(H, W)`` uint8; return ``(256,)`` int64."""
    # A label has few values: comparing all pixels with each of them takes a fifth of the time of np.bincount.
    counts = np.zeros(256, np.int64)
    pixels, left = label.ravel(), label.size
    counted = np.zeros(label.size, bool)
    while left:
        value = pixels[counted.argmin()]
        found = pixels == value
        counts[value] = np.count_nonzero(found)
        left -= counts[value]
        if left:
            counted |= found
    return counts


def _palette_is_the_map(ids: npt.NDArray[np.int16], colormap: ColorMap) -> bool:
    """Return whether palette and color map agree: each class color is at its id, no other color at a class id."""
    index = np.arange(len(ids))
    return bool(np.all(np.where(colormap.allowed()[: len(ids)], ids == index, ids == -1)))


def _decode(data: bytes) -> npt.NDArray[Any]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            return np.asarray(image)
    except Exception as error:
        # Decoders may raise any exception on damaged data; Pillow's may even raise IndexError.
        raise InvalidInputError(f"cannot be decoded: {error}", "unreadable") from error


def _is_image(data: bytes) -> bool:
    try:
        read_image_header(data)
    except InvalidInputError:
        return False
    return True


def encode_index_png(ids: npt.NDArray[np.uint8]) -> bytes:
    """Encode class ids ``(H, W)`` uint8 as an index PNG.

    Labels consist of long runs of one value: unfiltered rows with run-length matching take a fifth of the time of the
    usual settings, and no more bytes.
    """
    from imagecodecs import PNG, png_encode

    return bytes(png_encode(np.ascontiguousarray(ids), strategy=PNG.STRATEGY.RLE, filter=PNG.FILTER.NO))


def _apply(
    ids: npt.NDArray[np.int16], indices: npt.NDArray[np.uint8], colors: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    table = np.full(256, -1, np.int16)
    table[: len(ids)] = ids
    classes = table[indices]
    if classes.min() < 0:
        index = int(indices[classes < 0][0])
        found = f"color {tuple(int(c) for c in colors[index])}" if index < len(colors) else "without a palette entry"
        raise InvalidInputError(f"{first_pixel(classes < 0)} has index {index}, {found}; expected a class color")
    return classes.astype(np.uint8)


def _by_color(pixels: npt.NDArray[np.uint8], colormap: ColorMap) -> npt.NDArray[np.uint8]:
    """Look up ``(H, W, 3 or 4)`` colors; alpha must be opaque, or all channels of the pixel zero."""
    classes = colormap.lookup(pixels[..., :3].reshape(-1, 3)).reshape(pixels.shape[:2])
    if pixels.shape[2] == 4:
        classes[(pixels[..., 3] != 255) & (pixels != 0).any(axis=2)] = -1
    if classes.min() < 0:
        unknown = classes < 0
        color = tuple(int(channel) for channel in pixels[unknown][0])
        count = int(np.count_nonzero(unknown))
        raise InvalidInputError(
            f"{first_pixel(unknown)} has color {color} ({count} such pixel{'s' * (count != 1)}); expected a class color"
        )
    return classes.astype(np.uint8)


def _checked_gray(file: png.Png, colormap: ColorMap) -> tuple[bytes, Method]:
    """Use gray values as class ids; a PNG of fewer bits is converted to 8 bits, with the same sample values."""
    depth = file.header.depth
    values = _decode(file.data)
    if depth < 8:
        # Pillow scales 2 and 4 bits to 0…255 and reads 1 bit as bool; the class id is the original sample.
        values = values.astype(np.uint8) // {1: 1, 2: 85, 4: 17}[depth]
    foreign = ~colormap.allowed()[values] if values.max() <= IGNORE else values > IGNORE
    if foreign.any():
        expected = f"expected 0 to {len(colormap.names) - 1} or 255"
        found = f"{first_pixel(foreign)} has value {int(values[foreign][0])}; {expected}"
        raise InvalidInputError(colormap.gray_diagnosis(np.unique(values)) or found)
    if depth == 8:
        return file.data, "copied"
    return encode_index_png(values.astype(np.uint8)), "by color"


def first_pixel(where: npt.NDArray[np.bool_]) -> str:
    """Return the position of the first true value of ``(H, W)`` or ``(H, W, samples)``, row by row, as text."""
    y, x = np.unravel_index(int(np.argmax(where)), where.shape)[:2]
    return f"pixel (x={x}, y={y})"
