"""Overlays of labels and instances on their image: regions filled with transparency, edges opaque."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from colorsys import hsv_to_rgb, rgb_to_hsv
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segdata.draw.lettering import drawable, load_font, text_width
from segdata.labels.colormap import Color, voc_palette

#: Color index for hatching pixels without a class. No class id is 255, and instance indices stay below it.
HATCH = 255
_WHITE = (255, 255, 255)

#: Distance between hatching lines in pixels.
_PITCH = 8

#: Color variations for instances of one class, used in turn: hue offset, in turns of the color circle, and brightness
#: factor.
_SHADES = ((0, 1), (0.07, 1.7), (-0.07, 1.35), (0.035, 0.7), (-0.035, 2), (0.1, 1.2))


@dataclass(frozen=True)
class Box:
    """The box of an instance: x1, y1, x2, y2 in pixels, its text and its color."""

    corners: tuple[float, float, float, float]
    text: str
    color: Color


@dataclass(frozen=True)
class Overlay:
    """Fill, lines and boxes to draw over an image of ``H x W`` pixels.

    Attributes:
        fill: color index of each pixel, ``(H, W)`` uint8; 0 where the image stays unchanged.
        lines: color index of edges and hatching, ``(H, W)`` uint8; 0 where there is no line.
        colors: color by index, ``(256, 3)`` uint8.
        boxes: boxes of the instances.
    """

    fill: npt.NDArray[np.uint8]
    lines: npt.NDArray[np.uint8]
    colors: npt.NDArray[np.uint8]
    boxes: tuple[Box, ...] = ()


def label_overlay(label: npt.NDArray[np.uint8], ignore_label: int | None = None) -> Overlay:
    """Return the overlay of class ids ``(H, W)`` in VOC's colors.

    Class 0 is the background of nearly every data set, so the image stays unchanged there. Pixels of `ignore_label` are
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
        masks: index in `boxes` and mask ``(height, width)`` of each instance; later masks cover earlier ones.
        boxes: boxes of all instances; masks take their colors.
        height: image height.
        width: image width.
    """
    fill, lines = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    colors = np.zeros((256, 3), np.uint8)
    for number, mask in masks:
        # If there are more instances than indices, they share colors.
        index = 1 + number % (HATCH - 1)
        fill[mask] = index
        lines[mask] = np.where(edges(mask)[mask], index, 0)
        colors[index] = boxes[number].color
    return Overlay(fill, lines, colors, tuple(boxes))


def instance_colors(labels: Sequence[int]) -> list[Color]:
    """Return a color for each instance of an image: close to its class color in VOC, but not that of its neighbor."""
    palette, seen, colors = voc_palette() / 255, Counter[int](), []
    for label in labels:
        hue, saturation, value = rgb_to_hsv(*palette[label % 256].tolist())
        turn, factor = _SHADES[seen[label] % len(_SHADES)]
        seen[label] += 1
        red, green, blue = hsv_to_rgb((hue + turn) % 1, saturation, min(value * factor, 1))
        colors.append((round(red * 255), round(green * 255), round(blue * 255)))
    return colors


def edges(ids: npt.NDArray[np.uint8] | npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which pixels of ``(H, W)`` have a neighbor above, below, left or right with another value."""
    found = np.zeros(ids.shape, bool)
    across, down = ids[:, 1:] != ids[:, :-1], ids[1:] != ids[:-1]
    found[:, 1:] |= across
    found[:, :-1] |= across
    found[1:] |= down
    found[:-1] |= down
    return found


def hatching(height: int, width: int) -> npt.NDArray[np.bool_]:
    """Return diagonal lines, two pixels wide, as ``(height, width)`` bool."""
    lines: npt.NDArray[np.bool_] = (np.arange(height)[:, None] + np.arange(width)) % _PITCH < 2
    return lines


def blend(image: npt.NDArray[np.uint8], overlay: Overlay, alpha: float) -> npt.NDArray[np.uint8]:
    """Blend an RGB image ``(H, W, 3)`` uint8 with an overlay: fill with opacity `alpha`, 0 to 1, lines opaque.

    Boxes are drawn by `draw_boxes`, once the picture has its final, readable size.
    """
    import cv2

    blended: npt.NDArray[np.uint8] = cv2.addWeighted(image, 1 - alpha, overlay.colors[overlay.fill], alpha, 0)
    np.copyto(blended, image, where=overlay.fill[..., None] == 0)
    np.copyto(blended, overlay.colors[overlay.lines], where=overlay.lines[..., None] > 0)
    return blended


def draw_boxes(image: npt.NDArray[np.uint8], boxes: Sequence[Box], size: int) -> npt.NDArray[np.uint8]:
    """Draw boxes and their text, in letters of `size` pixels, on an RGB image ``(H, W, 3)`` uint8.

    Text is inside its box, at the top; it is omitted when the box is too small.
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
    """Return the first and the last pixel of a box, both inside the image."""
    x1, y1, x2, y2 = box.corners
    left, top = min(max(round(x1), 0), width - 1), min(max(round(y1), 0), height - 1)
    return left, top, max(min(round(x2), width) - 1, left), max(min(round(y2), height) - 1, top)


def ink_on(color: Color) -> Color:
    """Return black or white, whichever is more readable on `color`; luminance by ITU-R BT.601."""
    red, green, blue = color
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else _WHITE
