"""Color maps: VOC's 21 classes or your own, lookup of class ids by color, and diagnosis of labels converted to gray."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.errors import Fault, FaultsError, InvalidInputError, collecting
from segdata.text import quoted, text_lines

Color = tuple[int, int, int]

# fmt: off
VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car",
    "cat", "chair", "cow", "diningtable", "dog", "horse", "motorbike",
    "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)
# fmt: on

#: The label of pixels that belong to no class (VOC's void border).
IGNORE = 255

#: Names in a color map for pixels without a class; their id is `IGNORE`.
IGNORE_NAMES = ("void", "ignore", "ignored")


def voc_palette() -> npt.NDArray[np.uint8]:
    """Return VOC's 256 colors, ``(256, 3)`` uint8.

    Bits 0, 1, 2 of the index (then 3, 4, 5, …) become bit 7 (then 6, …) of red, green and blue, as in
    ``VOClabelcolormap.m`` of the VOC development kit.
    """
    index = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((index >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return palette


@dataclass(frozen=True)
class ColorMap:
    """A set of classes with colors.

    Attributes:
        names: class names by id, ``0 … K-1``.
        colors: color of each class id, and of `IGNORE` if it has a color.
    """

    names: tuple[str, ...]
    colors: dict[int, Color]

    @cached_property
    def ids(self) -> dict[Color, int]:
        """Class id by color."""
        return {color: id_ for id_, color in self.colors.items()}

    @cached_property
    def grays(self) -> dict[int, list[str]]:
        """Class names by the gray value that their colors become when a tool converts them to luminance.

        Uses ITU-R BT.601 weights; libpng (OpenCV's PNG reader) truncates, the conversions of OpenCV and Pillow round.
        """
        found: dict[int, list[str]] = {}
        for id_, (red, green, blue) in self.colors.items():
            luminance = 0.299 * red + 0.587 * green + 0.114 * blue
            for value in {int(luminance), int(luminance + 0.5)}:
                found.setdefault(value, []).append(self.name(id_))
        return found

    def name(self, id_: int) -> str:
        """Return the name of a class id or of the ignore label."""
        return self.names[id_] if id_ < len(self.names) else "void"

    def lookup(self, palette: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
        """Return the class id of each color in `palette` ``(N, 3)`` as ``(N,)`` int16; -1 for unknown colors."""
        keys = _pack(np.array(list(self.ids), np.uint8))
        order = np.argsort(keys)
        wanted = _pack(palette)
        at = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
        values = np.array(list(self.ids.values()), np.int16)[order]
        return np.where(keys[order][at] == wanted, values[at], np.int16(-1))

    def allowed(self) -> npt.NDArray[np.bool_]:
        """Return which of the 256 label values are valid for these classes, ``(256,)`` bool."""
        table = np.zeros(256, bool)
        table[: len(self.names)] = True
        table[IGNORE] = True
        return table

    def gray_diagnosis(self, values: npt.NDArray[np.integer[Any]]) -> str | None:
        """Return a message if label `values` contain an invalid one and match this map's colors converted to gray."""
        used = [int(value) for value in values]
        if any(value not in self.grays for value in used) or all(self.allowed()[value] for value in used):
            return None
        example = next(value for value in reversed(used) if not self.allowed()[value])
        return (
            f"gray made from color: {example} is the luminance of {' or '.join(self.grays[example])}; expected class "
            "ids. The conversion merged classes and cannot be undone. Start again from the color masks."
        )


def _pack(colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Pack ``(..., 3)`` colors into ``(...)`` integers 0xRRGGBB."""
    wide = colors.astype(np.int32)
    packed: npt.NDArray[np.int32] = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
    return packed


def voc_colormap() -> ColorMap:
    """Return the color map of VOC's 21 classes and its void border."""
    palette = voc_palette()
    used = [*range(len(VOC_CLASSES)), IGNORE]
    return ColorMap(VOC_CLASSES, {id_: _color(palette[id_]) for id_ in used})


def _color(row: npt.NDArray[np.uint8]) -> Color:
    red, green, blue = (int(channel) for channel in row)
    return red, green, blue


def load_colormap(name: str) -> ColorMap:
    """Return the color map ``"voc"``, or read it from the file `name`."""
    return voc_colormap() if name == "voc" else read_colormap(Path(name))


_CVAT_LINE = re.compile(r"(?P<name>[^:]+):(?P<red>\d{1,9}),(?P<green>\d{1,9}),(?P<blue>\d{1,9})(:.*)?")
# A name must not end in white space: otherwise a line with much white space would backtrack at every position.
_PLAIN_LINE = re.compile(r"(?P<name>.*\S)\s+(?P<red>\d{1,9})\s+(?P<green>\d{1,9})\s+(?P<blue>\d{1,9})")


def read_colormap(path: Path) -> ColorMap:
    """Read a color map: ``name r g b`` per line, or CVAT's ``labelmap.txt`` (``name:r,g,b:parts:actions``).

    Class ids follow the order of the lines. A class named ``void``, ``ignore`` or ``ignored`` is not counted:
    its id is 255. Blank lines and ``#`` comments are skipped.

    Raises:
        InvalidInputError: when the file cannot be read, or has no classes or more than 255.
        FaultsError: for lines in another form, color values above 255, and duplicate names or colors.
    """
    names: list[str] = []
    colors: dict[int, Color] = {}
    faults: list[Fault] = []
    for number, line in text_lines(path):
        with collecting(faults, f"line {number}"):
            name, color = _parse_line(line)
            id_ = IGNORE if name.lower() in IGNORE_NAMES else len(names)
            if name in names or id_ in colors:
                raise InvalidInputError(f"duplicate class {quoted(name)}", "broken_line")
            if color in colors.values():
                used = f"color {color} of class {quoted(name)} is already used by another class"
                raise InvalidInputError(used, "broken_line")
            colors[id_] = color
            names += [name] if id_ != IGNORE else []
    if faults:
        what = "1 line is not a class" if len(faults) == 1 else f"{len(faults)} lines are not classes"
        raise FaultsError(f"{path}: {what}", faults)
    _check_count(path, len(names))
    return ColorMap(tuple(names), colors)


def _parse_line(line: str) -> tuple[str, Color]:
    match = _CVAT_LINE.fullmatch(line) or _PLAIN_LINE.fullmatch(line)
    if match is None:
        found = f"expected 'name r g b' or 'name:r,g,b::', found {quoted(line)}"
        raise InvalidInputError(found, "broken_line")
    color = (int(match["red"]), int(match["green"]), int(match["blue"]))
    if max(color) > 255:
        raise InvalidInputError(f"color value above 255; expected 0 to 255, found {quoted(line)}", "broken_line")
    return match["name"].strip(), color


def read_class_names(path: Path) -> tuple[str, ...]:
    """Read class names by id: one per line, or any file that `read_colormap` accepts.

    Raises:
        InvalidInputError: when the file cannot be read, or has no classes, more than 255, or duplicate ones.
    """
    lines = [line for _, line in text_lines(path)]
    if any(_CVAT_LINE.fullmatch(line) or _PLAIN_LINE.fullmatch(line) for line in lines):
        return read_colormap(path).names
    _check_count(path, len(lines))
    repeated = sorted({name for name in lines if lines.count(name) > 1})
    if repeated:
        raise InvalidInputError(f"{path}: duplicate class {quoted(repeated[0])}")
    return tuple(lines)


def _check_count(path: Path, count: int) -> None:
    if not 1 <= count <= IGNORE:
        raise InvalidInputError(
            f"{path}: names {count} classes; expected 1 to 255 besides the ignore label (8-bit labels)"
        )
