"""Geometry of images with instances: fit an image and its boxes into the network's input, and crop masks to boxes.

Boxes are float32 ``x1, y1, x2, y2`` in pixels with x2 and y2 exclusive: pixel ``i`` extends from ``i`` to ``i + 1``,
and a width is ``x2 - x1``. The published models rounded boxes to integer pixels and counted widths one pixel larger.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from segtrain.data.arrays import Pixels, RgbImage, normalize

#: Largest factor by which a margin in the mean color enlarges an image (as published, after SSD: Liu et al. 2016,
#: "SSD: Single Shot MultiBox Detector", section 3.6).
MAX_EXPANSION = 4.0


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Position of an image in the network's input; lengths in input pixels.

    Attributes:
        height: height of the resized image.
        width: width of the resized image.
        top: rows of the mean color above the image.
        left: columns of the mean color to the left of the image, before mirroring.
        content_height: height of the image with the mean color around it; everything below is padding.
        content_width: width of the image with the mean color around it; everything to the right is padding.
        mirrored: whether the content is mirrored left to right. The padding stays on the right.
    """

    height: int
    width: int
    top: int = 0
    left: int = 0
    content_height: int
    content_width: int
    mirrored: bool = False


def place_image(height: int, width: int, input_height: int, input_width: int) -> Placement:
    """Place an image of `height` x `width` pixels as large as fits the input, keeping its aspect ratio."""
    scale = min(input_height / height, input_width / width)
    rows, columns = max(round(height * scale), 1), max(round(width * scale), 1)
    return Placement(height=rows, width=columns, content_height=rows, content_width=columns)


def fit_at_random(
    height: int, width: int, input_height: int, input_width: int, rng: np.random.Generator, *, expand: bool
) -> Placement:
    """Place an image as `place_image` does, mirrored with a probability of one half.

    With `expand`, the image first gets, with a probability of one half, a margin in the mean color that makes it 1 to
    `MAX_EXPANSION` times as high and wide. Objects then appear smaller than anywhere in the set. The margin is part of
    the content: the network has to learn to find nothing there.
    """
    place = replace(place_image(height, width, input_height, input_width), mirrored=rng.random() < 0.5)
    if expand and rng.random() < 0.5:
        # Expanded and fitted again, the content keeps its size and the image in it shrinks by the ratio.
        ratio = rng.uniform(1, MAX_EXPANSION)
        rows, columns = max(round(place.height / ratio), 1), max(round(place.width / ratio), 1)
        top, left = int(rng.integers(place.height - rows + 1)), int(rng.integers(place.width - columns + 1))
        place = replace(place, height=rows, width=columns, top=top, left=left)
    return place


def fill_input(image: RgbImage, place: Placement, mean: npt.ArrayLike, std: npt.ArrayLike, planes: Pixels) -> None:
    """Write an image ``(h, w, 3)``, resized bilinearly and normalized, to its place in `planes` ``(3, H, W)``.

    `mean` and `std` are on the scale 0 to 255. The area around the image is 0, the mean color.
    """
    resized = cv2.resize(image, (place.width, place.height), interpolation=cv2.INTER_LINEAR)
    left = place.left
    if place.mirrored:
        resized, left = cv2.flip(resized, 1), place.content_width - left - place.width
    planes[:] = 0
    normalize(resized, mean, std, planes[:, place.top : place.content_height, left : place.content_width])


def move_boxes(boxes: npt.NDArray[np.float32], height: int, width: int, place: Placement) -> npt.NDArray[np.float32]:
    """Convert boxes ``(N, 4)`` of an image of `height` x `width` pixels to pixels of the input, float32."""
    scale = np.tile((place.width / width, place.height / height), 2)
    moved = boxes * scale + np.tile((place.left, place.top), 2)
    if place.mirrored:
        moved[:, [0, 2]] = place.content_width - moved[:, [2, 0]]
    result: npt.NDArray[np.float32] = moved.astype(np.float32)
    return result


def crop_mask(mask: npt.NDArray[np.uint8], box: npt.NDArray[np.float32], side: int) -> Pixels:
    """Divide a box into ``side x side`` cells and return the share of each cell that a mask covers.

    The result is exact for boxes that begin and end between pixels, and does not change when image and box are resized.

    Args:
        mask: ``(H, W)`` uint8, 1 inside.
        box: x1, y1, x2, y2, not empty and inside the mask's image.
        side: cells along each side.

    Returns:
        ``(side, side)`` float32, 0 to 1.
    """
    x1, y1, x2, y2 = box.tolist()
    left, top = int(x1), int(y1)
    part = mask[top : int(np.ceil(y2)), left : int(np.ceil(x2))].astype(np.float32)
    rows = _coverage(y1 - top, y2 - top, part.shape[0], side)
    columns = _coverage(x1 - left, x2 - left, part.shape[1], side)
    covered: Pixels = np.clip(rows @ part @ columns.T, 0, 1)
    return covered


def _coverage(start: float, end: float, pixels: int, cells: int) -> Pixels:
    """Return the share of each of the `cells` between `start` and `end` that is in each pixel, ``(cells, pixels)``."""
    bounds = np.linspace(start, end, cells + 1)[:, None]
    pixel = np.arange(pixels)
    overlap = np.minimum(bounds[1:], pixel + 1) - np.maximum(bounds[:-1], pixel)
    shares: Pixels = (np.maximum(overlap, 0) * (cells / (end - start))).astype(np.float32)
    return shares
