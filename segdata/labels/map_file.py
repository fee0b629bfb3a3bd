"""Map files: lines ``name r g b`` or ``name value``, CVAT's ``labelmap.txt``, and the maps of known data sets."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from segdata.arguments import FilePath, check_number
from segdata.errors import Fault, FaultsError, InvalidInputError, collecting
from segdata.labels.colormap import IGNORE, IGNORE_NAMES, Color
from segdata.labels.value_map import (
    ValueMap,
    ValueSpan,
    check_spans,
    is_value_list,
    parse_value_map,
    parse_values,
    voc_colormap,
)
from segdata.text import quoted, text_lines

_MAPS = Path(__file__).with_name("maps")

#: Names of the maps of known data sets; ``docs/sources.md`` says where each comes from.
MAP_NAMES = ("voc", *sorted(path.stem for path in _MAPS.glob("*.txt")))

_CVAT_LINE = re.compile(r"(?P<name>[^:]+):(?P<red>\d{1,9}),(?P<green>\d{1,9}),(?P<blue>\d{1,9})(:.*)?")
# A name must not end in white space: otherwise a line with much white space would backtrack at every position.
_COLOR_LINE = re.compile(r"(?P<name>.*\S)\s+(?P<red>\d{1,9})\s+(?P<green>\d{1,9})\s+(?P<blue>\d{1,9})")
_VALUE_LINE = re.compile(r"(?P<name>.*\S)\s+(?P<values>\*|-?\d{1,9}(--?\d{1,9})?)")

# Tables such as class_dict.csv, and Roboflow's _classes.csv.
_COLOR_ROW = re.compile(r"[^,]*[^,\s]\s*(,\s*\d{1,3}\s*){3}")
_VALUE_ROW = re.compile(r"\d{1,5}\s*,\s*[^,]*[^,\s]")


def load_map(text: FilePath, ignore_label: int = IGNORE) -> ValueMap:
    """Return the map that `text` names: ``VALUE:CLASS`` entries, one of `MAP_NAMES`, or a file.

    Args:
        text: see `parse_value_map` and `read_map`.
        ignore_label: label of pixels without a class.

    Raises:
        InvalidInputError: see `parse_value_map` and `read_map`; also when a class of a name or file has the id
            `ignore_label`.

    >>> load_map("voc").names[:2]
    ('background', 'aeroplane')
    """
    check_number("ignore_label", ignore_label, 0, IGNORE)
    text = os.fspath(text)
    if is_value_list(text):
        return parse_value_map(text, ignore_label)
    if text == "voc":
        found = voc_colormap(ignore_label)
    elif text in MAP_NAMES:
        found = read_map(_MAPS / f"{text}.txt", ignore_label)
    elif not Path(text).exists():
        raise InvalidInputError(
            f"{text}: neither a file nor the name of a map; expected VALUE:CLASS entries, a file, or one of "
            f"{', '.join(MAP_NAMES)}"
        )
    else:
        found = read_map(Path(text), ignore_label)
    if ignore_label < len(found.names):
        raise InvalidInputError(
            f"{text}: class {ignore_label} ({found.names[ignore_label]}) has the ignore label {ignore_label}; expected "
            f"an ignore label of {len(found.names)} to 255"
        )
    return found


def read_map(path: Path, ignore_label: int = IGNORE) -> ValueMap:
    """Read a map file.

    A line is ``name r g b`` or ``name:r,g,b:parts:actions`` (CVAT) for a color, or ``name value`` for a value, which
    may be a range ``LOW-HIGH`` or ``*`` for all others. Class ids follow the order in which names appear first; a class
    may have several lines. Classes named ``void``, ``ignore``, ``ignored`` or ``__ignore__`` are not counted: their id
    is `ignore_label`. Blank lines and ``#`` comments are skipped.

    Raises:
        InvalidInputError: when the file cannot be read, or has no classes or more than 255.
        FaultsError: for lines in another form, color values above 255, and colors or values of two classes.
    """
    classes: dict[str, int] = {}
    spans: list[ValueSpan] = []
    colors: dict[Color, int] = {}
    other: int | None = None
    faults: list[Fault] = []
    lines = list(text_lines(path))
    for number, line in lines:
        with collecting(faults, f"line {number}"):
            name, meant = _parse_line(line)
            id_ = ignore_label if name.lower() in IGNORE_NAMES else classes.setdefault(name, len(classes))
            if meant is None:
                if other is not None:
                    raise InvalidInputError("* is already used by another line", "broken_line")
                other = id_
            elif isinstance(meant, ValueSpan):
                check_spans([*spans, replace(meant, id=id_)])
                spans.append(replace(meant, id=id_))
            elif colors.setdefault(meant, id_) != id_:
                raise InvalidInputError(
                    f"color {meant} of class {quoted(name)} is already used by another class", "broken_line"
                )
    if faults:
        what = "1 line is not a class" if len(faults) == 1 else f"{len(faults)} lines are not classes"
        raise FaultsError(f"{path}: {what}{_table_cure(path, [line for _, line in lines])}", faults)
    check_class_count(path, len(classes))
    return ValueMap(tuple(classes), tuple(sorted(spans)), colors, other, ignore_label)


def _table_cure(path: Path, lines: Sequence[str]) -> str:
    """Return the command that makes a map file of a table with commas; empty if the lines are not such a table."""
    source = shlex.quote(str(path))
    rows = lines[1:] or lines
    if all(_COLOR_ROW.fullmatch(row) for row in rows):
        heading = "" if _COLOR_ROW.fullmatch(lines[0]) else "1d; "
        return f". Write spaces for commas, without a heading (sed '{heading}s/,/ /g' {source} > NEW.txt)"
    if all(_VALUE_ROW.fullmatch(row) for row in rows):
        heading = "" if _VALUE_ROW.fullmatch(lines[0]) else "1d; "
        command = rf"sed -E '{heading}s/\r//; s/^([0-9]+) *, *(.*)/\2 \1/' {source} > NEW.txt"
        return f". Write names before values, without a heading ({command})"
    return ""


def has_colors(line: str) -> bool:
    """Return whether a line of a file names the color of a class."""
    return bool(_CVAT_LINE.fullmatch(line) or _COLOR_LINE.fullmatch(line))


def check_class_count(path: Path, count: int) -> None:
    """Raise `InvalidInputError` unless 8-bit labels have room for `count` classes."""
    if not 1 <= count <= IGNORE:
        raise InvalidInputError(
            f"{path}: names {count} classes; expected 1 to 255 besides the ignore label (8-bit labels)"
        )


def _parse_line(line: str) -> tuple[str, Color | ValueSpan | None]:
    """Return the name in a line and what it means: a color, values (of the class 0), or None for all others."""
    if match := _CVAT_LINE.fullmatch(line) or _COLOR_LINE.fullmatch(line):
        color = (int(match["red"]), int(match["green"]), int(match["blue"]))
        if max(color) > 255:
            raise InvalidInputError(f"color value above 255; expected 0 to 255, found {quoted(line)}", "broken_line")
        return match["name"].strip(), color
    match = _VALUE_LINE.fullmatch(line)
    # Two numbers are more probably an incomplete color than a name that ends in a number.
    if match is None or match["name"].split()[-1].isdigit():
        raise InvalidInputError(
            f"expected 'name r g b', 'name value' or 'name:r,g,b::', found {quoted(line)}", "broken_line"
        )
    bounds = parse_values(match["values"])
    if bounds is None:
        return match["name"].strip(), None
    if bounds[0] > bounds[1]:
        raise InvalidInputError(f"expected a rising range, found {quoted(line)}", "broken_line")
    return match["name"].strip(), ValueSpan(*bounds, 0)
