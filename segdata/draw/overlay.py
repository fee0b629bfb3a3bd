"""Overlays of labels and instances on their image: regions filled with transparency, edges opaque.

What is opaque has exactly the color of its class in the legend: edges, boxes and the background of names.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from colorsys import hsv_to_rgb, rgb_to_hsv
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segdata.draw.lettering import can_draw, draw_text, text_width
from segdata.labels.colormap import Color, as_color, voc_palette

#: Color index for hatching pixels without a class. No class id is 255, and instance indices stay below it.
HATCH = 255
_WHITE = (255, 255, 255)

#: Distance between hatching lines in pixels.
_PITCH = 8

#: Longest sides, in pixels, from which on edges are one pixel wider: in a picture that is shown smaller, they stay
#: visible.
_WIDER = (200, 800, 1600)

#: Color variations for the fill of instances of one class, used in turn: factors of saturation and brightness. The hue
#: stays, so that none resembles another class.
_SHADES = ((1, 1), (0.55, 1.9), (1, 0.6), (0.8, 1.4), (0.3, 1.6), (0.75, 2))


@dataclass(frozen=True)
class Box:
    """The box of an instance.

    Attributes:
        corners: x1, y1, x2, y2 in pixels.
        text: its name.
        color: color of the box, of the edge of the mask and behind the name: that of the class.
        fill: color of the mask, which tells instances of one class apart; None for `color`.
        plain: text in place of a name that no font here can draw.
    """

    corners: tuple[float, float, float, float]
    text: str
    color: Color
    fill: Color | None = None
    plain: str = ""

    @property
    def drawn_text(self) -> str:
        """Text for pictures; pages have the fonts of the browser."""
        return self.text if can_draw(self.text) else self.plain or self.text


@dataclass(frozen=True)
class Overlay:
    """Fill, lines and boxes to draw over an image of ``H x W`` pixels.

    Attributes:
        fill: color index of each pixel, ``(H, W)`` uint8; 0 where the image stays unchanged.
        lines: color index of edges and hatching, ``(H, W)`` uint8; 0 where there is no line.
        colors: color of the fill by index, ``(256, 3)`` uint8.
        boxes: boxes of the instances.
        line_colors: color of the lines by index; None for `colors`.
    """

    fill: npt.NDArray[np.uint8]
    lines: npt.NDArray[np.uint8]
    colors: npt.NDArray[np.uint8]
    boxes: tuple[Box, ...] = ()
    line_colors: npt.NDArray[np.uint8] | None = None

    @property
    def colors_of_lines(self) -> npt.NDArray[np.uint8]:
        """Color of the lines by index, ``(256, 3)`` uint8."""
        return self.colors if self.line_colors is None else self.line_colors


def label_overlay(label: npt.NDArray[np.uint8], ignore_label: int | None = None) -> Overlay:
    """Return the overlay of class ids ``(H, W)`` in VOC's colors.

    Class 0 is the background of nearly every data set, so the image stays unchanged there. Pixels of `ignore_label` are
    hatched, not filled.
    """
    wide = edge_width(*label.shape)
    fill, lines, colors = label.copy(), np.where(edges(label, wide), label, np.uint8(0)), voc_palette()
    if ignore_label is not None:
        ignored = label == ignore_label
        fill[ignored] = 0
        lines[ignored & (edges(ignored, wide) | hatching(*label.shape))] = HATCH
        colors[HATCH] = _WHITE
    return Overlay(fill, lines, colors)


def instance_overlay(
    masks: Iterable[tuple[int, npt.NDArray[np.bool_]]], boxes: Sequence[Box], height: int, width: int
) -> Overlay:
    """Return the overlay of instances.

    Args:
        masks: index in `boxes` and mask ``(height, width)`` of each instance; later masks cover earlier ones.
        boxes: boxes of all instances; masks and their edges take their colors.
        height: image height.
        width: image width.
    """
    fill, lines = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    colors, line_colors = np.zeros((256, 3), np.uint8), np.zeros((256, 3), np.uint8)
    wide = edge_width(height, width)
    for number, mask in masks:
        # If there are more instances than indices, they share colors.
        index = 1 + number % (HATCH - 1)
        # Most instances are small: looking only around each saves most of the time.
        near = _around(mask, wide)
        part = mask[near]
        fill[near][part] = index
        lines[near][part] = np.where(edges(part, wide)[part], index, 0)
        colors[index], line_colors[index] = boxes[number].fill or boxes[number].color, boxes[number].color
    return Overlay(fill, lines, colors, tuple(boxes), line_colors)


def instance_colors(labels: Sequence[int]) -> list[tuple[Color, Color]]:
    """Return two colors for each instance of an image: its class color in VOC, and a shade of it for its fill.

    Neighbors of one class differ in the shade.
    """
    palette, seen, colors = voc_palette(), Counter[int](), []
    for label in labels:
        color = as_color(palette[label % 256])
        hue, saturation, value = rgb_to_hsv(*(channel / 255 for channel in color))
        paler, brighter = _SHADES[seen[label] % len(_SHADES)]
        seen[label] += 1
        red, green, blue = hsv_to_rgb(hue, saturation * paler, min(value * brighter, 1))
        colors.append((color, (round(red * 255), round(green * 255), round(blue * 255))))
    return colors


def _around(mask: npt.NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """Return the rows and columns of a mask with `margin` more on each side."""
    ends = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    rows, columns = (slice(max(end[0] - margin, 0), end[-1] + 1 + margin) if end.size else slice(0) for end in ends)
    return rows, columns


def edge_width(height: int, width: int) -> int:
    """Return the width of edges, in pixels, in a picture of `height` x `width`.

    >>> edge_width(24, 24), edge_width(375, 500), edge_width(1024, 2048)
    (1, 2, 4)
    """
    return 1 + bisect_right(_WIDER, max(height, width))


def edges(ids: npt.NDArray[np.uint8] | npt.NDArray[np.bool_], width: int = 1) -> npt.NDArray[np.bool_]:
    """Return which pixels of ``(H, W)`` have another value at most `width` pixels above, below, left or right."""
    import cv2

    found = np.zeros(ids.shape, bool)
    for kernel in ((1, 2 * width + 1), (2 * width + 1, 1)):
        # The gradient of a pixel is the largest value near it minus the smallest one.
        if ids.size:
            found |= cv2.morphologyEx(ids.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones(kernel, np.uint8)) > 0
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
    np.copyto(blended, overlay.colors_of_lines[overlay.lines], where=overlay.lines[..., None] > 0)
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
        text = box.drawn_text
        end = left + text_width(text, size) + 6
        if end <= right and top + size + 5 <= bottom:
            draw.rectangle((left, top, end, top + size + 4), fill=box.color)
            draw_text(draw, left + 3, top + 2, text, size, ink_on(box.color))
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
