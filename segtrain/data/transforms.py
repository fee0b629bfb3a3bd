"""Geometry and normalisation of image and label, as plain functions on arrays.

An image is uint8 ``(H, W, 3)`` in RGB order, its label uint8 ``(H, W)``. The published models were fed BGR although
their backbones were trained on RGB; here everything is RGB. Labels are resampled by nearest neighbour only, so that
no value appears that was not there.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError

Image = npt.NDArray[np.uint8]
Label = npt.NDArray[np.uint8]
Pixels = npt.NDArray[np.float32]


def decode_image(data: bytes) -> Image:
    """Return an encoded image as RGB, as it is stored: like the label, it is not turned by an EXIF orientation.

    Raises:
        InvalidInputError: when the bytes are no image.
    """
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise InvalidInputError("the image cannot be decoded")
    image: Image = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return image


def rescale(image: Image, label: Label, scale: float) -> tuple[Image, Label]:
    """Resize both to ``int(scale * side)``, at least 1: the image bicubically on uint8, as published."""
    height, width = label.shape
    size = (max(int(scale * width), 1), max(int(scale * height), 1))
    return (
        cv2.resize(image, size, interpolation=cv2.INTER_CUBIC),
        cv2.resize(label, size, interpolation=cv2.INTER_NEAREST),
    )


def crop(image: Image, label: Label, size: int, rng: np.random.Generator) -> tuple[Image, Label]:
    """Cut out the same random window of both, at most ``size`` x ``size``; every position is equally likely."""
    height, width = label.shape
    top = int(rng.integers(max(height - size, 0) + 1))
    left = int(rng.integers(max(width - size, 0) + 1))
    window = slice(top, top + size), slice(left, left + size)
    return image[window], label[window]


def normalise(image: Image, mean: npt.ArrayLike, std: npt.ArrayLike) -> Pixels:
    """Return ``(image - mean) / std`` per channel as float32; `mean` and `std` on the scale 0 to 255."""
    return (image.astype(np.float32) - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)


def pad(pixels: npt.NDArray[Any], size: int, value: float) -> npt.NDArray[Any]:
    """Fill up ``(H, W)`` or ``(H, W, C)`` with `value` at the bottom and on the right, to ``size`` x ``size``."""
    height, width = pixels.shape[:2]
    padded = np.full((size, size, *pixels.shape[2:]), value, pixels.dtype)
    padded[:height, :width] = pixels
    return padded


def resize_long_side(image: Image, target: int) -> Image:
    """Resize bilinearly so that the longer side is `target`, the other in proportion (rounded down, at least 1)."""
    height, width = image.shape[:2]
    longer = max(height, width)
    size = (max(width * target // longer, 1), max(height * target // longer, 1))
    resized: Image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return resized


def channels_first(pixels: Pixels) -> Pixels:
    """Turn ``(H, W, C)`` into contiguous ``(C, H, W)``."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def check_label(label: Label, shape: tuple[int, ...], *, num_classes: int, ignore_label: int) -> None:
    """Check that `label` fits an image of `shape` and holds class ids and the ignore label only.

    Raises:
        InvalidInputError: naming the sizes or the first value that is neither.
    """
    if label.shape != shape[:2]:
        raise InvalidInputError(
            f"the image is {shape[1]} x {shape[0]} pixels and its label {label.shape[1]} x {label.shape[0]}: "
            "expected the same"
        )
    known = np.zeros(256, bool)
    known[:num_classes] = known[ignore_label] = True
    if not known[label].all():
        value = int(label[~known[label]][0])
        raise InvalidInputError(f"the label holds {value}; expected 0 to {num_classes - 1} or {ignore_label}")


def augment(
    image: Image,
    label: Label,
    rng: np.random.Generator,
    *,
    crop_size: int,
    min_scale: float,
    max_scale: float,
    mean: npt.ArrayLike,
    std: npt.ArrayLike,
    ignore_label: int,
) -> tuple[Pixels, npt.NDArray[np.int32]]:
    """Return one random training crop, the published way: scale, pad, crop, mirror with probability one half.

    Cropping and mirroring come before normalising and padding, which gives the same pixels for less work.

    Returns:
        float32 ``(3, crop_size, crop_size)``, 0 (the mean colour) beyond the image, and int32 ``(crop_size,
        crop_size)``, `ignore_label` beyond it.
    """
    image, label = rescale(image, label, rng.uniform(min_scale, max_scale))
    image, label = crop(image, label, crop_size, rng)
    mirrored = rng.random() < 0.5
    pixels = pad(normalise(image, mean, std), crop_size, 0)
    labels = pad(label.astype(np.int32), crop_size, ignore_label)
    if mirrored:
        pixels, labels = pixels[:, ::-1], labels[:, ::-1]
    return channels_first(pixels), np.ascontiguousarray(labels)
