"""Geometry of images with instances: the image fitted into the network's input, its boxes with it, masks by box.

Boxes are float32 ``x1, y1, x2, y2`` in pixels with x2 and y2 exclusive: pixel ``i`` reaches from ``i`` to ``i + 1``,
and a width is ``x2 - x1``. The published models rounded boxes to whole pixels and counted widths with one pixel more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from segtrain.data.arrays import Pixels, RgbImage, normalize

#: Largest factor by which the surroundings of the mean color enlarge an image (as published, after SSD: Liu et al.
#: 2016, "SSD: Single Shot MultiBox Detector", section 3.6).
MAX_EXPANSION = 4.0


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where an image stands in the network's input; lengths in input pixels.

    Attributes:
        height: of the image, resized.
        width: of the image, resized.
        top: rows of the mean color above it.
        left: columns of the mean color left of it, before it is mirrored.
        content_height: of image and mean color around it; what is below them is padding.
        content_width: of the same; what is right of them is padding.
        mirrored: the content is turned left to right. The padding stays on the right.
    """

    height: int
    width: int
    top: int = 0
    left: int = 0
    content_height: int
    content_width: int
    mirrored: bool = False


def place_image(height: int, width: int, input_height: int, input_width: int) -> Placement:
    """Place an image of `height` x `width` pixels as large as the input takes it, in its own proportions."""
    scale = min(input_height / height, input_width / width)
    rows, columns = max(round(height * scale), 1), max(round(width * scale), 1)
    return Placement(height=rows, width=columns, content_height=rows, content_width=columns)


def fit_at_random(
    height: int, width: int, input_height: int, input_width: int, rng: np.random.Generator, *, expand: bool
) -> Placement:
    """Place an image as `place_image` does, mirrored with probability one half.

    With `expand`, with probability one half, the image first gets surroundings of the mean color that make it 1 to
    `MAX_EXPANSION` times as high and wide, so that objects are seen smaller than they ever are in the set. The
    surroundings are content: a network has to find nothing there.
    """
    place = replace(place_image(height, width, input_height, input_width), mirrored=rng.random() < 0.5)
    if expand and rng.random() < 0.5:
        # Enlarged to the ratio and fitted again, the content is as large as before and the image in it so much smaller.
        ratio = rng.uniform(1, MAX_EXPANSION)
        rows, columns = max(round(place.height / ratio), 1), max(round(place.width / ratio), 1)
        top, left = int(rng.integers(place.height - rows + 1)), int(rng.integers(place.width - columns + 1))
        place = replace(place, height=rows, width=columns, top=top, left=left)
    return place


def fill_input(image: RgbImage, place: Placement, mean: npt.ArrayLike, std: npt.ArrayLike, planes: Pixels) -> None:
    """Fill `planes` ``(3, H, W)`` with an image ``(h, w, 3)`` at its place, resized bilinearly and normalized.

    `mean` and `std` are on the scale 0 to 255. Around the image there is 0, the mean color.
    """
    resized = cv2.resize(image, (place.width, place.height), interpolation=cv2.INTER_LINEAR)
    content = planes[:, : place.content_height, : place.content_width]
    if place.mirrored:
        content = content[..., ::-1]
    planes[:] = 0
    normalize(resized, mean, std, content[:, place.top :, place.left :])


def move_boxes(boxes: npt.NDArray[np.float32], height: int, width: int, place: Placement) -> npt.NDArray[np.float32]:
    """Return boxes ``(N, 4)`` of an image of `height` x `width` pixels in pixels of the input, float32."""
    scale = np.tile((place.width / width, place.height / height), 2)
    moved = boxes * scale + np.tile((place.left, place.top), 2)
    if place.mirrored:
        moved[:, [0, 2]] = place.content_width - moved[:, [2, 0]]
    result: npt.NDArray[np.float32] = moved.astype(np.float32)
    return result


def crop_mask(mask: npt.NDArray[np.uint8], box: npt.NDArray[np.float32], side: int) -> Pixels:
    """Return which share of each cell of a box, cut into ``side x side`` cells, a mask covers.

    Exact for boxes that begin and end between pixels, and the same at every scale that image and box are resized to.

    Args:
        mask: ``(H, W)`` uint8, 1 inside.
        box: x1, y1, x2, y2 with an area within the mask's image.
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
    """Return which share of each of the `cells` between `start` and `end` lies in each pixel, ``(cells, pixels)``."""
    bounds = np.linspace(start, end, cells + 1)[:, None]
    pixel = np.arange(pixels)
    overlap = np.minimum(bounds[1:], pixel + 1) - np.maximum(bounds[:-1], pixel)
    shares: Pixels = (np.maximum(overlap, 0) * (cells / (end - start))).astype(np.float32)
    return shares
