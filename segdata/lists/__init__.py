"""List files with one sample per line (image path and label path), and the id lists of VOC's ImageSets."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segdata.arguments import FilePath, local_path
from segdata.errors import Fault, FaultsError, InvalidInputError
from segdata.files.publishing import write_file
from segdata.text import check_unique, is_unicode, plain_path, plural, quoted, text_lines


@dataclass(frozen=True, slots=True)
class Pair:
    """One sample: paths of image and label, relative to the data root, with POSIX slashes; see `plain_path`."""

    image: str
    label: str

    def __reduce__(self) -> tuple[type[Pair], tuple[str, str]]:
        """Pass a pair to another process in a third of the time that a data class with slots takes."""
        return Pair, (self.image, self.label)


def read_list(path: FilePath, *, faults: list[Fault] | None = None) -> list[Pair]:
    """Read a list file.

    The separator is a TAB or, in a line without a TAB, white space. CRLF, a byte order mark, blank lines and
    ``#`` comments are accepted. Paths are returned in their plain form: ``./a//b.jpg`` is the image ``a/b.jpg``.

    Args:
        path: list file.
        faults: when given, invalid lines and duplicate images are skipped and appended here instead of raising an
            error.

    Raises:
        InvalidInputError: when the file cannot be read, is not UTF-8, contains no samples or is an id list.
        FaultsError: when a line does not have two different paths, or when an image appears twice; with `faults`, when
            no line has two.
    """
    path = local_path(path)
    pairs: list[Pair] = []
    broken: list[Fault] = []
    lone = 0
    for number, line in text_lines(path):
        fields = [plain_path(field) for field in line_fields(line)]
        if len(fields) == 2 and fields[0] != fields[1]:
            pairs.append(Pair(*fields))
        else:
            lone += len(fields) == 1
            found = "one path twice" if len(fields) == 2 else plural(len(fields), "path")
            expected = "expected an image path and a label path"
            broken.append(Fault("broken_line", f"line {number}", f"{expected}, found {found}: {quoted(line)}"))
    if broken and lone == len(broken) and not pairs:
        raise InvalidInputError(f"{path}: {_other_file(path, line)}")
    if broken and (faults is None or not pairs):
        what = "1 line is not a sample" if len(broken) == 1 else f"{len(broken)} lines are not samples"
        raise FaultsError(f"{path}: {what}", broken)
    if faults is not None:
        faults += broken
    if not pairs:
        raise InvalidInputError(f"{path}: contains no samples")
    if faults is not None:
        return _first_of_each(pairs, faults)
    check_unique((pair.image for pair in pairs), f"{path}: duplicate images")
    return pairs


def _other_file(path: Path, line: str) -> str:
    """Return what a file is instead of a list file, judged by one of its lines, and what to do."""
    expected = "expected an image path and a label path per line"
    if line.startswith("<"):
        return f"is XML; {expected}. Export the annotations as COCO, masks or labelme, and convert those."
    if line.count(",") == 1 and all(Path(field).suffix for field in line.split(",")):
        table = f"tr , '\\t' < {shlex.quote(str(path))} > NEW.txt"
        return f"has a comma between the paths; {expected}, with a space or TAB. Replace the commas: {table}."
    return (
        f"is an id list or an image list with one name per line; {expected}. Write a list file with segdata voc-list "
        "or pair-list."
    )


def line_fields(line: str) -> list[str]:
    """Return the paths of a line of a list file; see `read_list` for the separator.

    >>> line_fields("a b.jpg\\ta b.png")
    ['a b.jpg', 'a b.png']
    """
    return [field.strip() for field in line.split("\t") if field.strip()] if "\t" in line else line.split()


def _first_of_each(pairs: Sequence[Pair], faults: list[Fault]) -> list[Pair]:
    """Return the first sample of each image; images that appear more than once are appended to `faults`."""
    counts = Counter(pair.image for pair in pairs)
    repeated = {image: count for image, count in counts.items() if count > 1}
    for image, count in repeated.items():
        faults.append(Fault("duplicate_image", image, f"appears {count} times; only the first is checked"))
    first = {pair.image: pair for pair in reversed(pairs)} if repeated else {}
    return [pair for pair in pairs if first.get(pair.image, pair) is pair]


def format_list(pairs: Sequence[Pair]) -> str:
    """Return the text of a list file, with LF and one space between the paths, or a TAB if any path has white space.

    Raises:
        FaultsError: for paths that a list cannot contain: those with a TAB, a line break, leading or trailing white
            space, or a leading ``#``, and those that are not valid Unicode.
    """
    names = [name for pair in pairs for name in (pair.image, pair.label)]
    unfit = [
        repr(name)
        for name in names
        if name != name.strip() or name[:1] == "#" or set("\t\r\n") & set(name) or not is_unicode(name)
    ]
    if unfit:
        noun = "file name" if len(unfit) == 1 else "file names"
        raise FaultsError(f"{len(unfit)} {noun} cannot be used in a list file; rename the files", unfit)
    spaced = any(len(f"{pair.image} {pair.label}".split()) != 2 for pair in pairs)
    separator = "\t" if spaced else " "
    return "".join(f"{pair.image}{separator}{pair.label}\n" for pair in pairs)


def write_list(path: FilePath, pairs: Sequence[Pair], *, overwrite: bool) -> None:
    """Write a list file completely or not at all."""
    write_file(local_path(path), format_list(pairs).encode(), overwrite=overwrite)


def read_ids(path: Path, *, folders: bool = False) -> list[str]:
    """Read an id list (VOC ``ImageSets/Segmentation/train.txt``): one id per line, stripped, without blank lines.

    Args:
        path: id list.
        folders: accept ids with spaces and subfolders, such as ``ride 1/frame 07``.

    Raises:
        InvalidInputError: when the file cannot be read, is not UTF-8 or contains no ids.
        FaultsError: when an id is not a plain file name of one word or, with `folders`, not a path below its folder.
    """
    ids, faults = [], []
    for number, line in text_lines(path):
        unfit = "\\" in line or {"", ".", ".."} & set(line.split("/"))
        if unfit or not (folders or ("/" not in line and len(line.split()) == 1)):
            faults.append(Fault("broken_line", f"line {number}", f"expected one id, found {quoted(line)}"))
        else:
            ids.append(line)
    if faults:
        what = "1 line is not an id" if len(faults) == 1 else f"{len(faults)} lines are not ids"
        raise FaultsError(f"{path}: {what}", faults)
    if not ids:
        raise InvalidInputError(f"{path}: contains no ids")
    return ids
