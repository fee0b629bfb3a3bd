"""Training tiles of microscopy images: a window of an image, rotated, cropped and deformed in a single resampling.

One field maps each pixel of the tile to its source in the image. Image and label share this field, and each is
resampled only once: the image bilinearly, the label by nearest neighbor. Beyond its borders the image is extended by
its mirror image (Ronneberger et al. 2015) or by zeros.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from segtrain.config.unet import Fill, Flip, UNet
from segtrain.data.arrays import Ids, Label, Pixels, RgbImage

#: OpenCV's border modes for pixels beyond an image; "mirror" does not repeat the outermost pixel.
_BORDERS: dict[Fill, int] = {"mirror": cv2.BORDER_REFLECT_101, "zero": cv2.BORDER_CONSTANT}

#: Axes to flip for each setting of `flip`.
_FLIPPED: dict[Flip, tuple[int, ...]] = {"none": (), "horizontal": (1,), "both": (0, 1)}

#: Displacement vectors of an elastic deformation on each axis of the tile (Ronneberger et al. 2015, section 3.1).
_GRID = 3


def with_channels(image: RgbImage, channels: int) -> RgbImage:
    """Return an RGB image ``(H, W, 3)`` unchanged, or converted to gray ``(H, W, 1)``."""
    gray: RgbImage = image if channels == 3 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    return gray


def augment_tile(
    image: RgbImage,
    label: Label,
    rng: np.random.Generator,
    *,
    input_size: int,
    output_size: int,
    settings: UNet,
    mean: npt.ArrayLike,
    std: npt.ArrayLike,
    ignore_label: int,
) -> tuple[Pixels, Ids]:
    """Return a random, normalized training tile and the label of its center.

    All positions with the labeled center inside the image are equally likely. Along an axis where the image is too
    small, it is centered.

    Args:
        image: uint8 ``(H, W, C)``.
        label: uint8 ``(H, W)``.
        rng: source of randomness.
        input_size: side of the tile.
        output_size: side of the labeled center, at most `input_size`.
        settings: settings of the augmentation.
        mean: mean of each channel, 0 to 255.
        std: standard deviation of each channel, on the same scale; above 0.
        ignore_label: label of pixels beyond an image that is not mirrored.

    Returns:
        float32 ``(C, input_size, input_size)`` and int32 ``(output_size, output_size)``.
    """
    margin = (input_size - output_size) // 2
    rows, columns = _places(label.shape, rng, input_size, output_size, settings)
    center = slice(margin, margin + output_size)
    border = _BORDERS[settings.fill]
    # Of a large image, only the part that is needed: OpenCV takes no side above 32766.
    seen_rows, rows = _window(rows, label.shape[0], settings.fill)
    seen_columns, columns = _window(columns, label.shape[1], settings.fill)
    part = image[seen_rows, seen_columns].astype(np.float32)
    # The mean becomes 0 after normalization.
    color = np.broadcast_to(np.asarray(mean, np.float64), image.shape[2]).tolist()
    pixels = cv2.remap(part, columns, rows, cv2.INTER_LINEAR, borderMode=border, borderValue=color)
    labels = cv2.remap(
        label[seen_rows, seen_columns],
        np.ascontiguousarray(columns[center, center]),
        np.ascontiguousarray(rows[center, center]),
        cv2.INTER_NEAREST,
        borderMode=border,
        borderValue=ignore_label,
    )
    # OpenCV drops the axis of a single channel.
    planes = pixels.reshape(input_size, input_size, -1).transpose(2, 0, 1)
    if settings.contrast:
        average = planes.mean((1, 2), keepdims=True)
        planes = average + (planes - average) * (1 + rng.uniform(-settings.contrast, settings.contrast))
    if settings.brightness:
        planes = planes + 255 * rng.uniform(-settings.brightness, settings.brightness)
    if settings.contrast or settings.brightness:
        planes = planes.clip(0, 255)
    planes = (planes - np.reshape(mean, (-1, 1, 1))) / np.reshape(std, (-1, 1, 1))
    return np.ascontiguousarray(planes, np.float32), labels.astype(np.int32)


def _places(
    shape: tuple[int, ...], rng: np.random.Generator, size: int, seen: int, settings: UNet
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the unrounded row and column in the image for each pixel of a tile, each float32 ``(size, size)``."""
    axes = []
    for side in shape[:2]:
        start = int(rng.integers(side - seen + 1)) if side > seen else (side - seen) // 2
        before, after = rng.uniform(0, settings.crop, 2) * size
        # These are pixel centers: the outer borders of the tile coincide with those of the window.
        step = (size - before - after) / size
        axes.append(start - (size - seen) // 2 + before - 0.5 + step * (np.arange(size) + 0.5))
    rows, columns = np.meshgrid(*axes, indexing="ij")
    if settings.elastic:
        grid = rng.normal(0, settings.elastic, (_GRID, _GRID, 2))
        shift = cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
        rows, columns = rows + shift[..., 0], columns + shift[..., 1]
    if settings.turn:
        quarters = int(rng.integers(4))
        rows, columns = np.rot90(rows, quarters), np.rot90(columns, quarters)
    for axis in _FLIPPED[settings.flip]:
        if rng.random() < 0.5:
            rows, columns = np.flip(rows, axis), np.flip(columns, axis)
    return np.ascontiguousarray(rows, np.float32), np.ascontiguousarray(columns, np.float32)


def _window(places: Pixels, length: int, fill: Fill) -> tuple[slice, Pixels]:
    """Return the rows (or columns) of an image of `length` that a tile is resampled from, and its places in them."""
    if fill == "mirror":
        period = np.float32(max(2 * (length - 1), 1))
        places = np.mod(np.abs(places), period)
        places = np.minimum(places, period - places)
    # Even, so that OpenCV rounds a half to the same pixel as in the image.
    start = min(max(int(np.floor(places.min())) - 1, 0), length - 1) // 2 * 2
    stop = max(int(np.floor(places.max())) + 3, start + 1)
    return slice(start, stop), places - np.float32(start)
