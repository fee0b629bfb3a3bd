"""Index PNGs: 8-bit gray, pixel = class id; reading, counting and writing them."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.images.reading import read_image_header
from segdata.labels import png


def decode_index_png(data: bytes) -> npt.NDArray[np.uint8]:
    """Return the class ids ``(H, W)`` uint8 of an index PNG.

    Raises:
        InvalidInputError: when the file is damaged, not a PNG file, or a color mask.
    """
    return decode_bytes(_parse(data))


def count_index_png(data: bytes) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the class ids as `decode_index_png` does, and their number of pixels as `count_values` does.

    The ids may be a view of longer rows: counting these with their filter types spares a copy of all pixels.

    Raises:
        InvalidInputError: see `decode_index_png`.
    """
    file = _parse(data)
    rows = file.unfiltered_rows()
    if rows is None:
        ids = _decode(file)
        return ids, count_values(ids)
    pixels = count_values(rows)
    pixels[0] -= len(rows)
    return rows[:, 1:], pixels


def _parse(data: bytes) -> png.Png:
    if not data.startswith(png.SIGNATURE) and _is_image(data):
        raise InvalidInputError("not a PNG file", "label_mode")
    file = png.parse(data)
    if (file.header.color_type, file.header.depth) != (png.GRAY, 8):
        raise InvalidInputError(
            f"{file.header.kind} PNG; expected class ids as 8-bit gray. Convert VOC's masks with segdata voc-decolor, "
            "others with segdata mask-map.",
            "label_mode",
        )
    return file


def count_values(label: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Count the pixels of each value in ``(H, W)`` uint8; return ``(256,)`` int64."""
    # A label has few values: comparing all pixels with each of them takes a fifth of the time of np.bincount.
    counts = np.zeros(256, np.int64)
    pixels, left = label.ravel(), label.size
    counted: npt.NDArray[np.bool_] | None = None
    while left:
        value = pixels[0 if counted is None else counted.argmin()]
        found = pixels == value
        counts[value] = count = int(np.count_nonzero(found))
        left -= count
        if left:
            counted = found if counted is None else np.logical_or(counted, found, out=counted)
    return counts


def counts_by_value(counts: npt.NDArray[np.int64]) -> dict[int, int]:
    """Return the values that a label has, with their numbers of pixels; `counts` is that of `count_values`."""
    values = counts.nonzero()[0]
    return dict(zip(values.tolist(), counts[values].tolist(), strict=True))


def decode_bytes(file: png.Png) -> npt.NDArray[np.uint8]:
    """Return the values ``(H, W)`` uint8 of a PNG with one byte for each pixel: gray, or indices of a palette.

    Raises:
        InvalidInputError: when the file is damaged.
    """
    rows = file.unfiltered_rows()
    return _decode(file) if rows is None else np.ascontiguousarray(rows[:, 1:])


def _decode(file: png.Png) -> npt.NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(file.data), formats=["PNG"]) as image:
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


def first_pixel(where: npt.NDArray[np.bool_]) -> str:
    """Return the position of the first true value of ``(H, W)`` or ``(H, W, samples)``, row by row, as text."""
    y, x = np.unravel_index(int(np.argmax(where)), where.shape)[:2]
    return f"pixel (x={x}, y={y})"
