"""Geometry and normalization of images and labels, as plain functions on arrays.

An image is ``(H, W, 3)`` in RGB order with values of 0 to 255, its label uint8 ``(H, W)``. The published models
received BGR although their backbones were trained on RGB; here everything is RGB. Labels are resampled by nearest
neighbor only, so that no new values appear.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError

#: 8-bit images are uint8; deep ones float32, scaled by the value range of their set to 0 … 255.
RgbImage = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
Label = npt.NDArray[np.uint8]
Pixels = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]


def window(side: int, scale: float, size: int, rng: np.random.Generator) -> tuple[slice, int]:
    """Choose the pixels of a side of `side` pixels that a crop of `size` shows after resizing by `scale`.

    If the resized side fits the crop, all of its pixels are chosen. Otherwise a random window that fills the crop is
    chosen; all positions are equally likely.

    Returns:
        The pixels, and the size to resize them to: `size` for a window, ``int(scale * side)`` as published, at least 1,
        for the full side.
    """
    resized = max(int(scale * side), 1)
    if resized <= size:
        return slice(0, side), resized
    seen = max(round(size / scale), 1)
    start = int(rng.integers(side - seen + 1))
    return slice(start, start + seen), size


def normalize(image: RgbImage, mean: npt.ArrayLike, std: npt.ArrayLike, planes: Pixels) -> None:
    """Fill `planes` ``(3, H, W)`` with ``(image - mean) / std`` per channel, and 0 (the mean) beyond the image.

    The image ``(h, w, 3)`` is at the top left; `mean` and `std` are on the scale 0 to 255. An axis of `planes`
    must not be reversed.
    """
    height, width = image.shape[:2]
    planes[:, height:] = 0
    planes[:, :height, width:] = 0
    inside = planes[:, :height, :width]
    means, stds = np.asarray(mean, np.float32), np.asarray(std, np.float32)
    if image.dtype == np.uint8:
        # A table of the 256 results takes half the time of computing each pixel: the planes are written only once.
        values = np.arange(256, dtype=np.float32)
        for channel, plane in enumerate(inside):
            table = (values - means[channel]) / stds[channel]
            cv2.LUT(cv2.extractChannel(image, channel), table, plane)
        return
    # In place and plane by plane, this is several times as fast as on (h, w, 3).
    inside[:] = image.transpose(2, 0, 1)
    inside -= means[:, None, None]
    inside /= stds[:, None, None]


def resize_long_side(image: RgbImage, target: int) -> RgbImage:
    """Resize bilinearly so that the longer side is `target`; the other keeps the ratio (rounded down, at least 1)."""
    height, width = image.shape[:2]
    longer = max(height, width)
    size = (max(width * target // longer, 1), max(height * target // longer, 1))
    resized: RgbImage = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return resized


def check_label(label: Label, shape: tuple[int, ...], *, num_classes: int, ignore_label: int) -> None:
    """Check that `label` fits an image of `shape` and holds only class ids and the ignore label.

    Raises:
        InvalidInputError: when the sizes differ or a value is invalid. The message names the sizes or the smallest
            invalid value.
    """
    if label.shape != shape[:2]:
        raise InvalidInputError(
            f"the image is {shape[1]} x {shape[0]} pixels, but its label is {label.shape[1]} x {label.shape[0]}; "
            "expected the same size"
        )
    foreign = (label >= num_classes) & (label != ignore_label)
    if foreign.any():
        raise InvalidInputError(
            f"the label holds value {label[foreign].min()}; expected 0 to {num_classes - 1} or {ignore_label}"
        )


def augment(
    image: RgbImage,
    label: Label,
    rng: np.random.Generator,
    pixels: Pixels,
    labels: Ids,
    *,
    min_scale: float,
    max_scale: float,
    mean: npt.ArrayLike,
    std: npt.ArrayLike,
    ignore_label: int,
) -> None:
    """Fill `pixels` and `labels` with a random training crop: scale, pad, crop, mirror with a probability of one half.

    The published program resizes (the image bicubically, as uint8), normalizes and pads the full image, then crops it.
    This function first cuts out the window that the crop shows. The window starts and ends at pixel borders, so that
    the crop's scale is off by up to half a pixel of the image. Otherwise only the outermost pixels differ, where the
    bicubic filter does not see beyond the window.

    Args:
        image: uint8 or float32 ``(H, W, 3)``.
        label: uint8 ``(H, W)``.
        rng: source of randomness.
        pixels: float32 ``(3, size, size)``, filled with the normalized crop, 0 (the mean color) beyond the image.
        labels: int32 ``(size, size)``, filled with the crop's label, `ignore_label` beyond the image.
        min_scale: smallest random scale factor.
        max_scale: largest random scale factor.
        mean: mean of red, green and blue on the scale 0 to 255.
        std: standard deviation of red, green and blue on the same scale.
        ignore_label: label of pixels beyond the image.
    """
    scale = rng.uniform(min_scale, max_scale)
    rows, height = window(image.shape[0], scale, len(labels), rng)
    columns, width = window(image.shape[1], scale, len(labels), rng)
    mirrored = rng.random() < 0.5
    seen = cv2.resize(image[rows, columns], (width, height), interpolation=cv2.INTER_CUBIC)
    ids = cv2.resize(label[rows, columns], (width, height), interpolation=cv2.INTER_NEAREST)
    left = len(labels) - width if mirrored else 0
    if mirrored:
        # In place, and before a byte becomes float32 or int32: the least memory is moved.
        cv2.flip(seen, 1, seen)
        cv2.flip(ids, 1, ids)
    # The cubic filter overshoots; of uint8 OpenCV cuts that off itself.
    normalize(np.clip(seen, 0, 255) if seen.dtype == np.float32 else seen, mean, std, pixels[..., left:])
    pixels[..., :left] = 0
    if ids.shape != labels.shape:
        labels[:] = ignore_label
    labels[:height, left : left + width] = ids
