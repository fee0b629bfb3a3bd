"""Cures of one annotation: pure functions of its members and the size of its image.

A mask is read in another way than it is written only if the box that the annotation states, or else its area, confirms
the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from segdata.coco.rle import Rle, decode_rle, exchanged, to_rle
from segdata.errors import Code, InvalidInputError

#: Members of a JSON object.
JsonObject: TypeAlias = dict[str, Any]

#: A cure: takes the members of an annotation, and height and width of its image in pixels; returns the members to set,
#: none of them if nothing is certain. None drops the annotation.
AnnotationCure: TypeAlias = Callable[[JsonObject, int, int], JsonObject | None]

#: A confirmed mask: largest distance of an edge of the boxes in pixels, or else their least intersection over union,
#: and the least ratio of the areas.
_EDGE, _OVERLAP, _AREAS = 2, 0.9, 0.9


def cure_polygons(annotation: JsonObject, height: int, width: int) -> JsonObject | None:
    """Drop parts of one or two points if others are left; nest a flat list; flatten points; cut what is far outside."""
    parts = annotation.get("segmentation")
    if not isinstance(parts, list):
        return {}
    if _is_polygon(parts) or (len(parts) > 2 and _is_points(parts)):
        parts = [parts]
    parts = [[value for point in part for value in point] if _is_points(part) else part for part in parts]
    kept = [part for part in parts if not (_is_polygon(part) and len(part) < 6)]
    if kept != annotation["segmentation"] and _draw(kept, height, width):
        return {"segmentation": kept}
    if kept and all(map(_is_polygon, kept)):
        inside = [cut for part in kept if len(cut := clip_polygon(part, height, width)) >= 6]
        if _confirmed(annotation, inside, height, width):
            return {"segmentation": inside}
    return {}


def _is_polygon(part: object) -> bool:
    return isinstance(part, list) and bool(part) and len(part) % 2 == 0 and finite_numbers(part) is not None


def _is_points(part: object) -> bool:
    return isinstance(part, list) and bool(part) and all(finite_numbers(point, 2) is not None for point in part)


def clip_polygon(polygon: Sequence[float], height: int, width: int) -> list[float]:
    """Return the part of a polygon ``[x0, y0, x1, y1, …]`` inside an image, edge by edge (Sutherland and Hodgman).

    >>> clip_polygon([0, 0, 100, 0, 100, 4], 10, 50)
    [50.0, 2.0, 0.0, 0.0, 50.0, 0.0]
    """
    points = np.reshape(np.array(polygon, float), (-1, 2)).tolist()
    for axis, end, sign in ((0, 0.0, 1), (0, float(width), -1), (1, 0.0, 1), (1, float(height), -1)):
        found: list[list[float]] = []
        for before, point in pairwise([*points[-1:], *points]):
            depths = [sign * (one[axis] - end) for one in (before, point)]
            if (depths[0] < 0) != (depths[1] < 0):
                share = depths[0] / (depths[0] - depths[1])
                found.append([a + share * (b - a) for a, b in zip(before, point, strict=True)])
            if depths[1] >= 0:
                found.append(point)
        points = found
    return [value for point in points for value in point]


def cure_rle(annotation: JsonObject, height: int, width: int) -> JsonObject | None:
    """Write counts as integers; read swapped sizes, runs along rows or a missing last run if the box confirms it."""
    mask = annotation.get("segmentation")
    if not isinstance(mask, dict) or (size := finite_numbers(mask.get("size"), 2)) is None:
        return {}
    counts = mask.get("counts")
    if isinstance(counts, list) and finite_numbers(counts) and all(count == int(count) for count in counts):
        integers = list(map(int, counts))
        plain = {"size": list(map(int, size)), "counts": integers}
        if any(isinstance(count, float) for count in counts) and _draw(plain, height, width):
            return {"segmentation": plain}
        counts = integers
    found = [one for one in _other_runs(counts, size, height, width) if _confirmed(annotation, one, height, width)]
    return {"segmentation": found[0]} if len(found) == 1 else {}


def _other_runs(counts: Any, size: Sequence[float], height: int, width: int) -> Iterator[dict[str, object]]:
    """Yield what RLE of another size or with too few pixels may mean."""
    if list(size) == [width, height] and height != width:
        yield {"size": [height, width], "counts": counts}
        if (along := _draw({"size": [width, height], "counts": counts}, width, height)) is not None:
            yield _as_member(np.asfortranarray(decode_rle(along).T))
    if isinstance(counts, list) and finite_numbers(counts) and list(size) == [height, width] and len(counts) % 2 == 0:
        yield {"size": [height, width], "counts": [*counts, height * width - sum(counts)]}


def cure_empty(annotation: JsonObject, height: int, width: int) -> JsonObject | None:
    """Scale polygons that are fractions of the image's size; drop other masks without a pixel."""
    if fractions := _fractions(annotation):
        return _scaled(annotation, fractions, height, width)
    return None


def cure_area(annotation: JsonObject, height: int, width: int) -> JsonObject | None:
    """Compute the area from the mask, after polygons that are fractions of the image's size are scaled."""
    if (fractions := _fractions(annotation)) and (scaled := _scaled(annotation, fractions, height, width)):
        return scaled
    from pycocotools import mask

    drawn = _draw(annotation.get("segmentation"), height, width)
    return {} if drawn is None else {"area": int(mask.area(drawn))}


def cure_box(annotation: JsonObject, height: int, width: int) -> JsonObject | None:
    """Compute the box from the mask, after polygons that are fractions of the image's size are scaled.

    If the box confirms the mask with x and y exchanged, that is the mask.
    """
    if (fractions := _fractions(annotation)) and (scaled := _scaled(annotation, fractions, height, width)):
        return scaled
    parts = annotation.get("segmentation")
    turned = exchanged(parts, height, width) if finite_numbers(annotation.get("bbox"), 4) else None
    if turned and _confirmed(annotation, turned, height, width) and not _confirmed(annotation, parts, height, width):
        return {"segmentation": turned}
    drawn = _draw(parts, height, width)
    return {} if drawn is None else {"bbox": _box_of(drawn)}


def cure_no_mask(annotation: JsonObject, height: int, width: int) -> JsonObject | None:
    """Take RLE that has another name; drop an annotation without mask, box and area."""
    runs = [value for value in annotation.values() if isinstance(value, dict) and "counts" in value]
    if len(runs) == 1 and _draw(runs[0], height, width):
        return {"segmentation": runs[0]}
    nothing = not annotation.get("segmentation") and not any(finite_numbers(annotation.get("bbox")) or ())
    return None if nothing and not annotation.get("area") else {}


def cure_crowd(annotation: JsonObject, height: int, width: int) -> JsonObject | None:
    """Store the polygons of a crowd as RLE."""
    drawn = _draw(annotation.get("segmentation"), height, width)
    return {} if drawn is None else {"segmentation": {"size": drawn["size"], "counts": drawn["counts"].decode()}}


def cure_iscrowd(annotation: JsonObject, height: int, width: int) -> JsonObject | None:
    """Set ``iscrowd`` to 0, which readers assume."""
    return {"iscrowd": 0}


#: Cures by the fault that they cure, in the order in which they are applied: masks before what is computed from them.
ANNOTATION_CURES: Mapping[Code, AnnotationCure] = {
    "no_segmentation": cure_no_mask,
    "bad_polygon": cure_polygons,
    "bad_rle": cure_rle,
    "empty_mask": cure_empty,
    "crowd_polygon": cure_crowd,
    "bad_box": cure_box,
    "box_mismatch": cure_box,
    "area_mismatch": cure_area,
    "no_area": cure_area,
    "no_iscrowd": cure_iscrowd,
}


def finite_numbers(values: object, count: int | None = None) -> list[float] | None:
    """Return `values` if it is a list of finite numbers."""
    if not isinstance(values, list) or count not in (None, len(values)):
        return None
    usual = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return values if usual and np.isfinite(np.array(values, float)).all() else None


def _draw(segmentation: object, height: int, width: int) -> Rle | None:
    """Return a mask; None if it cannot be used or has no pixel."""
    from pycocotools import mask

    try:
        drawn = to_rle(segmentation, height, width)
    except InvalidInputError:
        return None
    return drawn if int(mask.area(drawn)) else None


def _box_of(rle: Rle) -> list[float]:
    from pycocotools import mask

    box: list[float] = mask.toBbox(rle).tolist()
    return box


def _as_member(pixels: Any) -> dict[str, object]:
    from pycocotools import mask

    rle = mask.encode(pixels)
    return {"size": list(rle["size"]), "counts": rle["counts"].decode()}


def _confirmed(annotation: JsonObject, segmentation: object, height: int, width: int) -> bool:
    """Return whether a mask has the box that the annotation states; without a box, whether it has its area."""
    from pycocotools import mask

    drawn = _draw(segmentation, height, width)
    if drawn is None:
        return False
    if stated := finite_numbers(annotation.get("bbox"), 4):
        return _same_box(stated, _box_of(drawn))
    area = finite_numbers([annotation.get("area")])
    return area is not None and _AREAS * area[0] <= int(mask.area(drawn)) <= area[0] / _AREAS


def _same_box(first: Sequence[float], second: Sequence[float]) -> bool:
    a, b = ((x, y, x + w, y + h) for x, y, w, h in (first, second))
    if max(abs(one - other) for one, other in zip(a, b, strict=True)) <= _EDGE:
        return True
    sides = [max(min(a[2 + i], b[2 + i]) - max(a[i], b[i]), 0.0) for i in (0, 1)]
    shared = sides[0] * sides[1]
    return shared > 0 and shared >= _OVERLAP * (first[2] * first[3] + second[2] * second[3] - shared)


def _fractions(annotation: JsonObject) -> list[list[float]] | None:
    """Return the polygons of an annotation if all their coordinates are between 0 and 1, and they have an extent."""
    parts = annotation.get("segmentation")
    if not isinstance(parts, list) or not parts or not all(_is_polygon(part) and len(part) >= 6 for part in parts):
        return None
    values = np.concatenate([np.array(part, float) for part in parts])
    return parts if 0 <= values.min() < values.max() <= 1 else None


def _scaled(annotation: JsonObject, fractions: list[list[float]], height: int, width: int) -> JsonObject:
    """Return polygons in pixels if the box, in pixels or fractions too, or the area confirms them; else nothing."""
    size = np.array([width, height], float)
    polygons = [(np.reshape(part, (-1, 2)) * size).ravel().tolist() for part in fractions]
    if _confirmed(annotation, polygons, height, width):
        return {"segmentation": polygons}
    box = finite_numbers(annotation.get("bbox"), 4)
    if box and min(box) >= 0 and max(box) <= 1:
        scaled = (np.array(box) * np.tile(size, 2)).tolist()
        if _confirmed({"bbox": scaled}, polygons, height, width):
            return {"segmentation": polygons, "bbox": scaled}
    return {}
