"""The classes of a data set: class names, the files that name them, and the ignore label."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segdata.arguments import FilePath, check_number, check_several, local_path
from segdata.errors import Fault, InvalidInputError
from segdata.images.header import IMAGE_SUFFIXES
from segdata.labels.colormap import IGNORE, IGNORE_NAMES, VOC_CLASSES
from segdata.labels.map_file import check_class_count, has_colors, read_map
from segdata.labels.masks import first_pixel
from segdata.labels.value_map import voc_colormap
from segdata.text import plural, quoted, text_lines

#: Colors in other forms than those of map files: ``name,r,g,b``, as in ``class_dict.csv``, and ``r g b name``.
_OTHER_COLORS = re.compile(r"[^,;]+([,;]\s*\d{1,3}){3}|\d{1,3}([\s,;]\s*\d{1,3}){2}[\s,;]+\D.*")

#: What separates a number from a name in a table: white space, or the punctuation of CSV, YAML and numbered lists.
_SEPARATOR = re.compile(r"[\s,;:=|.)]+")
_NUMBER = re.compile(r"\d{1,9}")

#: File of the class names beside index masks.
CLASS_NAMES = "classes.txt"


@dataclass(frozen=True)
class Classes:
    """The valid label values of a data set: class names by id, and the id of pixels without a class."""

    names: tuple[str, ...] = VOC_CLASSES
    ignore_label: int = IGNORE

    def __post_init__(self) -> None:
        check_several("names", self.names)
        check_number("ignore_label", self.ignore_label, 0, IGNORE)

    def allowed(self) -> npt.NDArray[np.bool_]:
        """Return which of the 256 label values are valid, ``(256,)`` bool."""
        return _allowed(len(self.names), self.ignore_label)

    def check(self, label: npt.NDArray[np.uint8], pixels: npt.NDArray[np.int64]) -> None:
        """Check that a label ``(H, W)`` uint8 has valid values only.

        Args:
            label: the class ids.
            pixels: their number of pixels by value, ``(256,)``; see `segdata.labels.masks.count_values`.

        Raises:
            InvalidInputError: when it has others; names the first such pixel.
        """
        values = pixels.nonzero()[0]
        foreign = values[~self.allowed()[values]]
        if not len(foreign):
            return
        # The colors of other classes are not known here.
        if self.names == VOC_CLASSES and (gray := voc_colormap().gray_diagnosis(values)):
            raise InvalidInputError(gray, "gray_from_color")
        expected = f"expected 0 to {len(self.names) - 1} or {self.ignore_label}"
        count = plural(len(foreign), "such value")
        raise InvalidInputError(
            f"{first_pixel(label == foreign[0])} has value {foreign[0]}; {expected} ({count})",
            "value_outside_classes",
        )

    def check_all(self, values: Collection[int]) -> list[Fault]:
        """Return a fault if the `values` of all labels together are those of black-and-white masks."""
        if self.ignore_label == IGNORE and set(values) == {0, IGNORE} and len(self.names) > 1:
            found = f"contain only 0 and {IGNORE}, which is the ignore label, so only class 0 would be left"
            return [Fault("binary_mask", "all labels", found)]
        return []


@cache
def _allowed(classes: int, ignore_label: int) -> npt.NDArray[np.bool_]:
    table = np.arange(256) < classes
    table[ignore_label] = True
    table.flags.writeable = False
    return table


def read_class_names(path: FilePath, ignore_label: int = IGNORE) -> tuple[str, ...]:
    """Read class names by id: one per line, or a map file with colors.

    Lines named ``void``, ``ignore``, ``ignored`` or ``__ignore__`` are not counted, as in a map file: their pixels have
    the ignore label. labelme's ``labels.txt`` begins with such a line. One in the place of the id `ignore_label` stays:
    it names this label.

    Args:
        path: the file.
        ignore_label: label of pixels without a class.

    Raises:
        InvalidInputError: when the file cannot be read, has no classes, more than 255 or duplicate ones, or is a list
            of images, of YAML, of colors in another form or of numbers and names.
    """
    path = local_path(path)
    check_number("ignore_label", ignore_label, 0, IGNORE)
    lines = [line for _, line in text_lines(path)]
    if any(has_colors(line) for line in lines):
        return read_map(path).names
    _check_names(path, lines)
    names: list[str] = []
    for line in lines:
        if line.lower() not in IGNORE_NAMES or len(names) == ignore_label:
            names.append(line)
    check_class_count(path, len(names))
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InvalidInputError(f"{path}: duplicate class {quoted(repeated[0])}")
    return tuple(names)


def _check_names(path: Path, lines: list[str]) -> None:
    """Refuse lines that are not class names, but a list of something else."""
    if paths := [line for line in lines if line.lower().endswith(IMAGE_SUFFIXES)]:
        raise InvalidInputError(
            f"{path}: {len(paths)} of {plural(len(lines), 'line')} name an image: {quoted(paths[0])}; expected class "
            "names, one per line. This is a list of samples, not of classes."
        )
    if lines and all(line.startswith("- ") for line in lines):
        raise InvalidInputError(
            f"{path}: every line begins with {quoted('- ')}; expected class names, one per line. Remove it: this is a "
            "YAML list."
        )
    if colors := [line for line in lines if _OTHER_COLORS.fullmatch(line)]:
        raise InvalidInputError(
            f"{path}: {len(colors)} of {plural(len(lines), 'line')} have a color in another form: {quoted(colors[0])}; "
            "expected class names, one per line, or 'name r g b'. Remove a heading, and write spaces for commas."
        )
    check_not_numbered(path, lines)


def check_not_numbered(path: Path, lines: Sequence[str]) -> None:
    """Refuse a table of numbers and names: its numbers would become parts of names, and its heading a class.

    Raises:
        InvalidInputError: when all lines, apart from a heading, have a number and a name.
    """
    if row := _numbered_row(lines):
        raise InvalidInputError(
            f"{path}: is a table of numbers and names: {quoted(row)}; expected class names, one per line. Write only "
            "the names, one line for each id from 0 on, without a heading."
        )


def _numbered_row(lines: Sequence[str]) -> str | None:
    """Return the first row of a table of numbers and names, such as ``0, background`` or ``road 1``; or None.

    Names may have numbers, too: ``grade 0`` and ``grade 1`` are one name without them, ``Boeing 737`` and ``Airbus
    320`` do not count from 0 or 1, and a list with any line without a number is not a table.
    """
    table = [_SEPARATOR.split(line) for line in lines]
    for at, rest in ((0, slice(1, None)), (-1, slice(-1))):
        rows = [row for row, words in enumerate(table) if _NUMBER.fullmatch(words[at]) and _is_name(words[rest])]
        heading = len(table) > 1 and rows[:1] == [1] and len(table[0]) > 1
        if len(rows) < 2 or len(rows) + heading != len(table):
            continue
        numbers = {int(table[row][at]) for row in rows}
        names = {tuple(table[row][rest]) for row in rows}
        if len(numbers) == len(names) == len(rows) and (at == 0 or min(numbers) <= 1):
            return lines[rows[0]]
    return None


def _is_name(words: Sequence[str]) -> bool:
    return any(letter.isalpha() for word in words for letter in word)


def write_class_names(path: Path, names: tuple[str, ...], ignore_label: int = IGNORE) -> None:
    """Write class names, one per line.

    Raises:
        InvalidInputError: when `read_class_names` would read others, such as a name that means no class.
    """
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    found = None
    with suppress(InvalidInputError):
        found = read_class_names(path, ignore_label)
    if found != names:
        raise InvalidInputError(f"{path.name}: not valid as class names: {_unfit(names)}. Rename the classes.")


def _unfit(names: tuple[str, ...]) -> str:
    """Return the first name that a file of class names cannot contain, and why."""
    for id_, name in enumerate(names):
        why = ""
        if not name.strip():
            why = "is empty"
        elif name != name.strip() or {"\r", "\n"} & {*name}:
            why = "has white space at an end, or a line break"
        elif name.startswith("#"):
            why = "begins with #, as comments do"
        elif name.lower() in IGNORE_NAMES:
            why = "means pixels without a class"
        elif name.lower().endswith(IMAGE_SUFFIXES):
            why = "is like the name of an image"
        elif has_colors(name) or _OTHER_COLORS.fullmatch(name):
            why = "ends or begins with a color"
        elif name in names[:id_]:
            why = f"is that of class {names.index(name)}, too"
        if why:
            return f"name {quoted(name)} of class {id_} {why}"
    if row := _numbered_row(names):
        return f"the names have numbers, as in a table: {quoted(row)}"
    return f"{plural(len(names), 'name')} such as {quoted(names[0])}" if names else "no names"
