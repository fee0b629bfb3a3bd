"""The list file: one sample a line, image path and label path; and the id lists of VOC's ImageSets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segdata.errors import Fault, FaultsError, InvalidInputError
from segdata.files import write_file
from segdata.text import check_unique, quoted, text_lines


@dataclass(frozen=True, slots=True)
class Pair:
    """One sample: image and label, relative to the data root, with POSIX slashes."""

    image: str
    label: str


def read_list(path: Path, *, faults: list[Fault] | None = None) -> list[Pair]:
    """Read a list file.

    The separator is a TAB or, in a line without one, white space. CRLF, a byte order mark, blank lines and
    ``#`` comments are accepted.

    Args:
        path: of the list.
        faults: lines that are no samples, and images that stand there twice, are left out and appended to this,
            instead of being raised.

    Raises:
        InvalidInputError: when the file cannot be read, is not UTF-8 or holds no sample.
        FaultsError: when a line does not give exactly two paths (an id list is told apart), or when an image
            stands there twice.
    """
    pairs: list[Pair] = []
    broken: list[Fault] = []
    lone = 0
    for number, line in text_lines(path):
        fields = [field.strip() for field in line.split("\t") if field.strip()] if "\t" in line else line.split()
        if len(fields) == 2:
            pairs.append(Pair(*fields))
        else:
            lone += len(fields) == 1
            found = f"expected an image path and a label path, found {len(fields)}: {quoted(line)}"
            broken.append(Fault("broken_line", f"line {number}", found))
    if broken and lone == len(broken) and not pairs:
        raise InvalidInputError(
            f"{path}: an id list or an image list, one name a line; expected a list file with an image path and a "
            "label path a line, as voc-list writes it"
        )
    if broken and faults is None:
        raise FaultsError(f"{path}: {len(broken)} lines are not samples", [str(fault) for fault in broken])
    if faults is not None:
        faults += broken
    if not pairs:
        raise InvalidInputError(f"{path}: holds no sample")
    if faults is not None:
        return _first_of_each(pairs, faults)
    check_unique((pair.image for pair in pairs), f"{path}: images that stand there more than once")
    return pairs


def _first_of_each(pairs: Sequence[Pair], faults: list[Fault]) -> list[Pair]:
    """Return the first line of each image; `faults` get the images that have more."""
    counts = Counter(pair.image for pair in pairs)
    repeated = {image: count for image, count in counts.items() if count > 1}
    for image, count in repeated.items():
        faults.append(Fault("duplicate_image", image, f"stands there {count} times; the first is looked at"))
    first = {pair.image: pair for pair in reversed(pairs)} if repeated else {}
    return [pair for pair in pairs if first.get(pair.image, pair) is pair]


def format_list(pairs: Sequence[Pair]) -> str:
    """Return the text of a list file: LF, one space between the paths, or a TAB if any path has white space.

    Raises:
        FaultsError: for paths that no list can hold: with a TAB, a line break, white space at an end, or ``#`` first.
    """
    names = [name for pair in pairs for name in (pair.image, pair.label)]
    unfit = [repr(name) for name in names if name != name.strip() or name[:1] == "#" or set("\t\r\n") & set(name)]
    if unfit:
        raise FaultsError(f"{len(unfit)} file names cannot stand in a list file; rename them", unfit)
    spaced = any(len(f"{pair.image} {pair.label}".split()) != 2 for pair in pairs)
    separator = "\t" if spaced else " "
    return "".join(f"{pair.image}{separator}{pair.label}\n" for pair in pairs)


def write_list(path: Path, pairs: Sequence[Pair], *, overwrite: bool) -> None:
    """Write a list file, whole or not at all."""
    write_file(path, format_list(pairs).encode(), overwrite=overwrite)


def read_ids(path: Path) -> list[str]:
    """Read an id list (VOC ``ImageSets/Segmentation/train.txt``): one id a line, stripped, blank lines left out.

    Raises:
        InvalidInputError: when the file cannot be read, is not UTF-8 or holds no id.
        FaultsError: when a line holds more than one word or an id is not a plain file name.
    """
    ids, faults = [], []
    for number, line in text_lines(path):
        if len(line.split()) > 1 or "/" in line or "\\" in line or line in (".", ".."):
            faults.append(f"line {number}: expected one id, found {quoted(line)}")
        else:
            ids.append(line)
    if faults:
        raise FaultsError(f"{path}: {len(faults)} lines are not ids", faults)
    if not ids:
        raise InvalidInputError(f"{path}: holds no id")
    return ids
