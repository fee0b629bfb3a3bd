"""The lines of YOLO's label files: a class index, and the points of a polygon as fractions of the image's size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segdata.errors import Fault, InvalidInputError, collecting
from segdata.regular import read_regular
from segdata.sources.instances import AnnotatedImage, Instance, crowd_over, make_instance

#: Bytes of the largest label file that is read.
_LABEL_BYTES = 64 << 20

#: Coordinates may exceed the image by 1%, as Ultralytics allows.
_TOLERANCE = 0.01

#: Numbers in a line of a box: class, center and size, and perhaps the confidence of a prediction.
_BOX = (5, 6)

#: Coordinates that exceed the image by more are pixels or the id of a track instead of fractions: they tell no place.
_FAR = 0.5


def read_objects(image: AnnotatedImage, label: Path, names: Sequence[str]) -> AnnotatedImage:
    """Return `image` with the objects and faults of its label file.

    Args:
        image: path and size.
        label: its label file.
        names: class names by index.

    Raises:
        InvalidInputError: when the file cannot be read.
    """
    instances: list[Instance] = []
    faults: list[Fault] = []
    usable = True
    seen = set[tuple[str, ...]]()
    for number, line in enumerate(_text(label).splitlines(), start=1):
        tokens = tuple(line.split())
        if not tokens or tokens in seen:
            image.left_out["repeated lines"] += bool(tokens)
            continue
        seen.add(tokens)
        with collecting(faults, f"{label}: line {number}"):
            instances.append(_object(tokens, names, image))
            continue
        crowd = _crowd(tokens, names, image)
        usable &= bool(crowd)
        instances += crowd
    return replace(image, instances=tuple(instances), faults=tuple(faults), usable=usable)


def _text(label: Path) -> str:
    try:
        return read_regular(label, at_most=_LABEL_BYTES).decode("utf-8-sig")
    except InvalidInputError as error:
        raise InvalidInputError(f"{label.name} {error}", error.code) from error
    except OSError as error:
        raise InvalidInputError(f"{label.name} cannot be read: {error.strerror}", "unreadable") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{label.name} is not UTF-8 text (byte {error.start}). Save it as UTF-8", "unreadable"
        ) from error


def _object(tokens: Sequence[str], names: Sequence[str], image: AnnotatedImage) -> Instance:
    values = _numbers(tokens)
    if values is None:
        raise InvalidInputError(f"is {' '.join(tokens)[:60]!r}; expected a class index and numbers", "broken_line")
    category = _category(values, names)
    if category is None:
        raise InvalidInputError(f"has class {tokens[0]}; expected 0 to {len(names) - 1}", "value_outside_classes")
    if len(values) in _BOX:
        raise InvalidInputError("has only a box; expected a polygon of 3 or more points", "no_segmentation")
    if len(values) < 7 or len(values) % 2 == 0:
        raise InvalidInputError(
            f"has {len(values) - 1} coordinates; expected x and y of 3 or more points", "bad_polygon"
        )
    if not -_TOLERANCE <= min(values[1:]) <= max(values[1:]) <= 1 + _TOLERANCE:
        raise InvalidInputError(
            f"has coordinates from {min(values[1:]):g} to {max(values[1:]):g}; expected fractions of width and height, "
            "0 to 1. Divide pixel coordinates by the size of the image",
            "bad_polygon",
        )
    return make_instance(category, [_pixels(values[1:], image).ravel().tolist()], image.height, image.width)


def _crowd(tokens: Sequence[str], names: Sequence[str], image: AnnotatedImage) -> tuple[Instance, ...]:
    """Return the crowd for a faulty line; nothing if its class or its place in the image is not known."""
    values = _numbers(tokens)
    category = _category(values, names) if values else None
    if values is None or category is None or len(values) < 3:
        return ()
    if not -_FAR <= min(values[1:]) <= max(values[1:]) <= 1 + _FAR:
        return ()
    return crowd_over(category, _pixels(_ends(values), image), image.height, image.width)


def _numbers(tokens: Sequence[str]) -> list[float] | None:
    try:
        values = [float(token) for token in tokens]
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None


def _category(values: Sequence[float], names: Sequence[str]) -> str | None:
    index = values[0]
    return names[int(index)] if index.is_integer() and 0 <= index < len(names) else None


def _ends(values: Sequence[float]) -> Sequence[float]:
    """Return x and y of the points of a polygon, or of the corners of a box."""
    if len(values) not in _BOX:
        return values[1 : len(values) - (len(values) + 1) % 2]
    x, y, width, height = values[1:5]
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _pixels(fractions: Sequence[float], image: AnnotatedImage) -> npt.NDArray[np.float64]:
    """Return points ``(N, 2)`` in pixels."""
    points: npt.NDArray[np.float64] = np.array(fractions, np.float64).reshape(-1, 2)
    return points * np.array((image.width, image.height), np.float64)
