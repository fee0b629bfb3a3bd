"""Random scenes with labels, the images of every miniature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.labels.colormap import IGNORE

#: The drawn classes, each with one shape and one hue: (class id, shape, RGB).
SHAPES = ((1, "ellipse", (200, 60, 50)), (2, "rectangle", (60, 170, 70)), (3, "triangle", (60, 80, 200)))

_BORDER = 2


def draw(rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Draw one scene: an RGB image ``(H, W, 3)`` and its label ``(H, W)``, both uint8; sizes vary as in VOC."""
    from PIL import Image, ImageDraw

    long, short = int(rng.integers(112, 129)), int(rng.integers(80, 97))
    size = (long, short) if rng.random() < 0.7 else (short, long)
    image = Image.fromarray(ground(rng, size))
    label = Image.new("L", size, 0)
    for _ in range(int(rng.integers(1, 4))):
        id_, shape, hue = SHAPES[rng.integers(len(SHAPES))]
        center = [int(rng.integers(side // 5, side - side // 5)) for side in size]
        radius = [int(rng.integers(13, 27)) for _ in size]
        color = tuple(int(channel + rng.integers(-25, 26)) for channel in hue)
        _shape(ImageDraw.Draw(label), shape, center, [r + _BORDER for r in radius], IGNORE)
        _shape(ImageDraw.Draw(label), shape, center, radius, id_)
        _shape(ImageDraw.Draw(image), shape, center, radius, color)
    noise = rng.normal(0, 6, (size[1], size[0], 3))
    return np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8), np.asarray(label)


def ground(rng: np.random.Generator, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return a grayish texture ``(H, W, 3)``: coarse noise, enlarged smoothly."""
    from PIL import Image

    coarse = rng.integers(70, 190, (6, 8, 1)) + rng.integers(-12, 13, (6, 8, 3))
    return np.asarray(Image.fromarray(coarse.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC))


def _shape(draw: Any, shape: str, center: Sequence[int], radius: Sequence[int], fill: Any) -> None:
    (x, y), (rx, ry) = center, radius
    box = (x - rx, y - ry, x + rx, y + ry)
    if shape == "ellipse":
        draw.ellipse(box, fill=fill)
    elif shape == "rectangle":
        draw.rectangle(box, fill=fill)
    else:
        draw.polygon([(x, y - ry), (x + rx, y + ry), (x - rx, y + ry)], fill=fill)
