"""Labels and instances laid over their image: regions filled at a strength, their edges in full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from colorsys import hsv_to_rgb, rgb_to_hsv
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segdata.draw.lettering import drawable, load_font, text_width
from segdata.labels.colormap import Color, voc_palette

#: Index of the hatching of pixels of no class. No class id is 255, and an instance's index stays below it.
HATCH = 255
_WHITE = (255, 255, 255)

#: Pixels from one line of the hatching to the next.
_PITCH = 8

#: How the colors of instances of one class differ, in turn: hue, in turns of the color circle, added; brightness
#: multiplied.
_SHADES = ((0, 1), (0.07, 1.7), (-0.07, 1.35), (0.035, 0.7), (-0.035, 2), (0.1, 1.2))


@dataclass(frozen=True)
class Box:
    """The box of an instance: x1, y1, x2, y2 in pixels, what is written at it, and its color."""

    corners: tuple[float, float, float, float]
    text: str
    color: Color


@dataclass(frozen=True)
class Overlay:
    """What is laid over an image of ``H x W`` pixels.

    Attributes:
        fill: index of the color of each pixel, ``(H, W)`` uint8; 0 where the image stays as it is.
        lines: index of the color of edges and hatching, ``(H, W)`` uint8; 0 where there is no line.
        colors: color by index, ``(256, 3)`` uint8.
        boxes: of the instances.
    """

    fill: npt.NDArray[np.uint8]
    lines: npt.NDArray[np.uint8]
    colors: npt.NDArray[np.uint8]
    boxes: tuple[Box, ...] = ()


def label_overlay(label: npt.NDArray[np.uint8], ignore_label: int | None = None) -> Overlay:
    """Return the overlay of class ids ``(H, W)`` in VOC's colors.

    Class 0 is the background of nearly every class set: there the image stays as it is. Pixels of `ignore_label` are
    hatched, not filled.
    """
    fill, lines, colors = label.copy(), np.where(edges(label), label, np.uint8(0)), voc_palette()
    if ignore_label is not None:
        ignored = label == ignore_label
        fill[ignored] = 0
        lines[ignored & (edges(ignored) | hatching(*label.shape))] = HATCH
        colors[HATCH] = _WHITE
    return Overlay(fill, lines, colors)


def instance_overlay(
    masks: Iterable[tuple[int, npt.NDArray[np.bool_]]], boxes: Sequence[Box], height: int, width: int
) -> Overlay:
    """Return the overlay of instances.

    Args:
        masks: the number in `boxes` and the mask ``(height, width)`` of each; later ones are painted over earlier ones.
        boxes: of all instances; their colors are the masks'.
        height: of the image.
        width: of the image.
    """
    fill, lines = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    colors = np.zeros((256, 3), np.uint8)
    for number, mask in masks:
        # More instances than indices share colors.
        index = 1 + number % (HATCH - 1)
        fill[mask] = index
        lines[mask] = np.where(edges(mask)[mask], index, 0)
        colors[index] = boxes[number].color
    return Overlay(fill, lines, colors, tuple(boxes))


def instance_colors(labels: Sequence[int]) -> list[Color]:
    """Return a color for each instance of an image: near its class's in VOC's colors, but not its neighbor's."""
    palette, seen, colors = voc_palette() / 255, Counter[int](), []
    for label in labels:
        hue, saturation, value = rgb_to_hsv(*palette[label % 256].tolist())
        turn, factor = _SHADES[seen[label] % len(_SHADES)]
        seen[label] += 1
        red, green, blue = hsv_to_rgb((hue + turn) % 1, saturation, min(value * factor, 1))
        colors.append((round(red * 255), round(green * 255), round(blue * 255)))
    return colors


def edges(ids: npt.NDArray[np.uint8] | npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which pixels of ``(H, W)`` have a neighbor above, below or beside them of another value."""
    found = np.zeros(ids.shape, bool)
    across, down = ids[:, 1:] != ids[:, :-1], ids[1:] != ids[:-1]
    found[:, 1:] |= across
    found[:, :-1] |= across
    found[1:] |= down
    found[:-1] |= down
    return found


def hatching(height: int, width: int) -> npt.NDArray[np.bool_]:
    """Return diagonal lines of two pixels, ``(height, width)`` bool."""
    lines: npt.NDArray[np.bool_] = (np.arange(height)[:, None] + np.arange(width)) % _PITCH < 2
    return lines


def blend(image: npt.NDArray[np.uint8], overlay: Overlay, alpha: float) -> npt.NDArray[np.uint8]:
    """Return an RGB image ``(H, W, 3)`` uint8 under an overlay: fill at the strength `alpha`, 0 to 1, lines in full.

    Boxes are drawn by `draw_boxes`, which is for pictures of a size to be read.
    """
    import cv2

    blended: npt.NDArray[np.uint8] = cv2.addWeighted(image, 1 - alpha, overlay.colors[overlay.fill], alpha, 0)
    np.copyto(blended, image, where=overlay.fill[..., None] == 0)
    np.copyto(blended, overlay.colors[overlay.lines], where=overlay.lines[..., None] > 0)
    return blended


def draw_boxes(image: npt.NDArray[np.uint8], boxes: Sequence[Box], size: int) -> npt.NDArray[np.uint8]:
    """Return an RGB image ``(H, W, 3)`` uint8 with boxes and their text, in letters of `size` pixels.

    Text stands inside its box, at the top; where that is too small for it, the box stands without.
    """
    from PIL import Image, ImageDraw

    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    for box in boxes:
        draw.rectangle(_inside(box, picture.width, picture.height), outline=box.color)
    for box in boxes:
        left, top, right, bottom = _inside(box, picture.width, picture.height)
        end = left + text_width(box.text, size) + 6
        if end <= right and top + size + 5 <= bottom:
            draw.rectangle((left, top, end, top + size + 4), fill=box.color)
            ink = ink_on(box.color)
            draw.text((left + 3, top + 2), drawable(box.text), fill=ink, font=load_font(size), anchor="la")
    return np.asarray(picture)


def _inside(box: Box, width: int, height: int) -> tuple[float, float, float, float]:
    """Return the first and the last pixel of a box, both within the image."""
    x1, y1, x2, y2 = box.corners
    left, top = min(max(round(x1), 0), width - 1), min(max(round(y1), 0), height - 1)
    return left, top, max(min(round(x2), width) - 1, left), max(min(round(y2), height) - 1, top)


def ink_on(color: Color) -> Color:
    """Return black or white, whichever is read better on `color`; luminance by ITU-R BT.601."""
    red, green, blue = color
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else _WHITE
