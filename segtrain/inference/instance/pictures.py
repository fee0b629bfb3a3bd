"""Pictures of found instances: drawn over their image, and cut out of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from segdata.coco.rle import decode_rle
from segdata.draw.lettering import class_text, draw_text, shorten, text_width
from segdata.draw.overlay import Box, blend, edge_width, ink_on, instance_colors, instance_overlay
from segdata.draw.pictures import scaled_ids, scaled_image
from segtrain.inference.instance.detections import Detections

#: Largest share of a picture that labels cover.
MOST_COVERED = 0.15

#: Size of the smallest letters in pixels.
LEAST_LETTERS = 10

#: Longest sides in pixels: an image below half of the first is enlarged for its labels, no image beyond the second.
_READABLE_SIDE, _LARGEST_SIDE = 480, 2048


def draw_instances(
    image: npt.NDArray[np.uint8], found: Detections, names: Sequence[str], *, alpha: float = 0.4
) -> npt.NDArray[np.uint8]:
    """Return an image with its instances filled, outlined, boxed and labeled (name and score).

    Outline, box and label have the color of the class, the fill a shade of it. A small image, or one with many
    instances, is enlarged by an integer factor, so that labels do not cover it.

    Args:
        image: RGB, ``(H, W, 3)`` uint8.
        found: instances in the image.
        names: class names, in the order of the labels 1 to K.
        alpha: opacity of the fill, 0 to 1.

    Returns:
        RGB, ``(n * H, n * W, 3)`` uint8.
    """
    labels = found.labels.tolist()
    texts = [
        f"{class_text(names[label - 1], label)} {score:.2f}" for label, score in zip(labels, found.scores, strict=True)
    ]
    size, times = _fit_labels(texts, *image.shape[:2])
    height, width = times * image.shape[0], times * image.shape[1]
    boxes = [
        Box((x1, y1, x2, y2), text, color, fill)
        for (x1, y1, x2, y2), text, (color, fill) in zip(
            (times * found.boxes).tolist(), texts, instance_colors(labels), strict=True
        )
    ]
    masks = ((number, scaled_ids(mask, height, width) > 0) for number, mask in _by_area(found))
    enlarged = scaled_image(image, height, width) if times > 1 else image
    blended = blend(enlarged, instance_overlay(masks, boxes, height, width), alpha)
    # Draw the highest score last, so that its name is on top where names overlap.
    return _draw_boxes(blended, [boxes[number] for number in np.argsort(found.scores, kind="stable")], size)


def _fit_labels(texts: Sequence[str], height: int, width: int) -> tuple[int, int]:
    """Return the size of letters, and by which number to enlarge an image of `height` x `width` for its labels.

    Letters grow with the image. If labels cover too much of it, they get smaller; if they are small already, the image
    grows.
    """
    side, times = max(height, width), 1
    size = max(round(side / 50), LEAST_LETTERS)
    if not texts:
        return size, times
    times = max(_READABLE_SIDE // side, 1)
    area = sum(_label_area(text, size) for text in texts)
    while area > MOST_COVERED * height * width * times**2:
        if size > LEAST_LETTERS:
            size -= 1
            area = sum(_label_area(text, size) for text in texts)
        elif (times + 1) * side <= _LARGEST_SIDE:
            times += 1
        else:
            break
    return size, times


def _label_area(text: str, size: int) -> float:
    return (text_width(text, size) + 4) * (size + 3)


def cut_out(image: npt.NDArray[np.uint8], found: Detections) -> npt.NDArray[np.uint8]:
    """Return an image that shows only its instances: RGBA, ``(H, W, 4)`` uint8, transparent black elsewhere."""
    cut = np.zeros((*image.shape[:2], 4), np.uint8)
    for _, mask in _by_area(found):
        cut[mask > 0, :3] = image[mask > 0]
        cut[mask > 0, 3] = 255
    return cut


def _by_area(found: Detections) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """Yield number and mask of each instance, largest first, so that small ones stay visible on top."""
    from pycocotools import mask

    for number in sorted(range(len(found.masks)), key=lambda number: -int(mask.area(found.masks[number]))):
        yield number, decode_rle(found.masks[number])


def _draw_boxes(image: npt.NDArray[np.uint8], boxes: Sequence[Box], size: int) -> npt.NDArray[np.uint8]:
    """Return an image with boxes, each with its text above it or, at the edge of the image, as close as possible.

    Texts are in letters of `size` pixels. Where they would cover too much of the image, those of the first boxes are
    left out.
    """
    from PIL import Image, ImageDraw

    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    line = (edge_width(height, width) + 1) // 2
    for box in boxes:
        x1, y1, x2, y2 = box.corners
        draw.rectangle((x1, y1, max(x2 - 1, x1), max(y2 - 1, y1)), outline=box.color, width=line)
    texts = [shorten(box.text, size, width - 4) for box in boxes]
    covered = np.cumsum([_label_area(text, size) for text in reversed(texts)])[::-1]
    for box, text, so_far in zip(boxes, texts, covered, strict=True):
        if so_far > MOST_COVERED * width * height and box is not boxes[-1]:
            continue
        wide, high = text_width(text, size) + 4, size + 3
        left = min(max(box.corners[0], 0), max(width - wide, 0))
        top = min(max(box.corners[1] - high, 0), max(height - high, 0))
        draw.rectangle((left, top, left + wide - 1, top + high - 1), fill=box.color)
        draw_text(draw, left + 2, top + 1, text, size, ink_on(box.color))
    return np.asarray(picture)
