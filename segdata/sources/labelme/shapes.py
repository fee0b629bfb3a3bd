"""Masks of labelme's shapes: polygons stay polygons, everything else is drawn as labelme draws it.

Source: ``shape_to_mask`` and ``shapes_to_label`` of labelme. Pillow's polygons include their outline, so that they are
up to a pixel larger than those of `pycocotools`, whose pixels are the ones whose center is inside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from segdata.coco.rle import Rle
from segdata.errors import InvalidInputError
from segdata.sources.instances import Instance, Segmentation, make_instance
from segdata.sources.labelme.document import ToolShape, embedded_mask
from segdata.text import plural

#: Number of points by shape: at least, at most. X-AnyLabeling writes rectangles of four points and rotations.
_POINTS = {
    "polygon": (3, math.inf),
    "rectangle": (2, 4),
    "oriented_rectangle": (4, 4),
    "rotation": (4, 4),
    "circle": (2, 2),
    "line": (2, 2),
    "linestrip": (2, math.inf),
    "mask": (2, 2),
}
_POLYGONS = ("polygon", "rectangle", "oriented_rectangle", "rotation")
_LINES = ("line", "linestrip")
_DRAWN = (*_LINES, "circle", "mask")

#: Points may be outside the image by this many times its longer side; Pillow takes minutes for larger circles.
_OUTSIDE = 2


def check_shape(shape: ToolShape, height: int, width: int, line_width: int | None) -> None:
    """Check that a shape can be a mask in an image of `height` x `width` pixels.

    Raises:
        InvalidInputError: when its type has no area, or its points are too few, too many or far outside the image.
    """
    low, high = _POINTS.get(shape.kind, (1, 0))
    if shape.kind in _LINES and line_width is None:
        raise InvalidInputError("has no area; expected a width. Set it with --line_width.", "no_segmentation")
    if not high:
        raise InvalidInputError(f"this type has no mask; expected {', '.join(_POINTS)}", "no_segmentation")
    if not low <= len(shape.points) <= high or (shape.kind == "rectangle" and len(shape.points) == 3):
        expected = f"{low} or more" if high == math.inf else str(low) if low == high else f"{low} or {high:g}"
        raise InvalidInputError(f"has {plural(len(shape.points), 'point')}; expected {expected}", "bad_polygon")
    if np.abs(shape.points).max() > (1 + _OUTSIDE) * max(height, width):
        raise InvalidInputError("has a point far outside the image", "bad_polygon")


def extent(shape: ToolShape, line_width: int | None) -> list[tuple[float, float]]:
    """Return points whose box contains what a shape may cover, as far as it is known."""
    reach = (line_width or 0) / 2 if shape.kind in _LINES else 0.0
    points = shape.points
    if shape.kind == "circle" and len(points) == 2:
        points, reach = points[:1], math.dist(*points)
    # What labelme draws includes the pixels at its right and lower end.
    end = reach + (shape.kind in _DRAWN)
    return [corner for x, y in points for corner in ((x - reach, y - reach), (x + end, y + end))]


def object_of(shapes: Sequence[ToolShape], height: int, width: int, line_width: int | None) -> Instance:
    """Return the object that consists of `shapes`, in an image of `height` x `width` pixels.

    Polygons and rectangles stay polygons. If there is any other shape, the object becomes the RLE of what
    labelme draws for all of them.

    Raises:
        InvalidInputError: when a mask is damaged, or the object covers no pixel.
    """
    segmentation: Segmentation
    if all(shape.kind in _POLYGONS for shape in shapes):
        segmentation = [list(chain.from_iterable(_corners(shape))) for shape in shapes]
    else:
        drawn = np.zeros((height, width), bool)
        for shape in shapes:
            drawn |= _draw(shape, height, width, line_width or 0)
        segmentation = _run_lengths(drawn)
    return make_instance(shapes[0].label, segmentation, height, width)


def _corners(shape: ToolShape) -> Sequence[tuple[float, float]]:
    if len(shape.points) != 2:
        return shape.points
    (left, right), (top, bottom) = (sorted(ends) for ends in zip(*shape.points, strict=True))
    return (left, top), (right, top), (right, bottom), (left, bottom)


def _draw(shape: ToolShape, height: int, width: int, line_width: int) -> npt.NDArray[np.bool_]:
    from PIL import Image, ImageDraw

    if shape.kind == "mask":
        return _placed(shape, height, width)
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    if shape.kind == "circle":
        center, edge = shape.points
        (x, y), radius = center, math.dist(center, edge)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1, outline=1)
    elif shape.kind == "rectangle" and len(shape.points) == 2:
        corners = _corners(shape)
        draw.rectangle((corners[0], corners[2]), fill=1, outline=1)
    elif shape.kind in _LINES:
        draw.line(shape.points, fill=1, width=line_width)
    else:
        draw.polygon(shape.points, fill=1, outline=1)
    return np.asarray(image) > 0


def _placed(shape: ToolShape, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Return the mask of a shape at its place; what is outside the image is cut off."""
    part = embedded_mask(shape)
    left, top = (int(value) for value in np.round(shape.points[0]))
    placed = np.zeros((height, width), bool)
    rows = slice(max(top, 0), max(top + part.shape[0], 0))
    columns = slice(max(left, 0), max(left + part.shape[1], 0))
    inside = placed[rows, columns]
    first_row, first_column = max(-top, 0), max(-left, 0)
    inside[:] = part[first_row : first_row + inside.shape[0], first_column : first_column + inside.shape[1]]
    return placed


def _run_lengths(drawn: npt.NDArray[np.bool_]) -> Rle:
    from pycocotools import mask

    rle: Rle = mask.encode(np.asfortranarray(drawn, np.uint8))
    return rle
