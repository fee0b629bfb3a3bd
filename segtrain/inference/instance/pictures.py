"""Pictures of found instances: drawn over their image, and cut out of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from segdata.coco.rle import decode_rle
from segdata.draw.lettering import load_font, shorten, text_width
from segdata.draw.overlay import Box, blend, ink_on, instance_colors, instance_overlay
from segtrain.inference.instance.detections import Detections


def draw_instances(
    image: npt.NDArray[np.uint8], found: Detections, names: Sequence[str], *, alpha: float = 0.4
) -> npt.NDArray[np.uint8]:
    """Return an image with its instances filled, outlined, boxed and labeled (name and score), each in its own color.

    Args:
        image: RGB, ``(H, W, 3)`` uint8.
        found: instances in the image.
        names: class names, in the order of the labels 1 to K.
        alpha: opacity of the fill, 0 to 1.

    Returns:
        RGB, ``(H, W, 3)`` uint8.
    """
    height, width = image.shape[:2]
    labels = found.labels.tolist()
    boxes = [
        Box((x1, y1, x2, y2), f"{names[label - 1]} {score:.2f}", color)
        for (x1, y1, x2, y2), score, label, color in zip(
            found.boxes.tolist(), found.scores, labels, instance_colors(labels), strict=True
        )
    ]
    blended = blend(image, instance_overlay(_by_area(found), boxes, height, width), alpha)
    # Draw the highest score last, so that its name is on top where names overlap.
    return _draw_boxes(blended, [boxes[number] for number in np.argsort(found.scores, kind="stable")])


def cut_out(image: npt.NDArray[np.uint8], found: Detections) -> npt.NDArray[np.uint8]:
    """Return an image that shows only its instances: RGBA, ``(H, W, 4)`` uint8, transparent black elsewhere."""
    cut = np.zeros((*image.shape[:2], 4), np.uint8)
    for _, mask in _by_area(found):
        cut[mask, :3] = image[mask]
        cut[mask, 3] = 255
    return cut


def _by_area(found: Detections) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
    """Yield number and mask of each instance, largest first, so that small ones stay visible on top."""
    from pycocotools import mask

    for number in sorted(range(len(found.masks)), key=lambda number: -int(mask.area(found.masks[number]))):
        yield number, decode_rle(found.masks[number]).astype(bool)


def _draw_boxes(image: npt.NDArray[np.uint8], boxes: Sequence[Box]) -> npt.NDArray[np.uint8]:
    """Return an image with boxes, each with its text above it or, at the edge of the image, as close as possible."""
    from PIL import Image, ImageDraw

    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    size = max(round(max(width, height) / 50), 9)
    for box in boxes:
        x1, y1, x2, y2 = box.corners
        draw.rectangle((x1, y1, max(x2 - 1, x1), max(y2 - 1, y1)), outline=box.color)
    for box in boxes:
        text = shorten(box.text, size, width - 4)
        wide, high = text_width(text, size) + 4, size + 3
        left = min(max(box.corners[0], 0), max(width - wide, 0))
        top = min(max(box.corners[1] - high, 0), max(height - high, 0))
        draw.rectangle((left, top, left + wide - 1, top + high - 1), fill=box.color)
        draw.text((left + 2, top + 1), text, fill=ink_on(box.color), font=load_font(size), anchor="la")
    return np.asarray(picture)
