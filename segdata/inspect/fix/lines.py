"""The lines of a list file while they are cured, and the cures of lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from segdata.errors import Code, Fault
from segdata.inspect.check.whole_set import was_compared
from segdata.lists import Pair, line_fields
from segdata.regular import read_regular
from segdata.text import plain_path

#: The place after each line break; `segdata.text.text_lines` counts lines in the same way.
_AFTER_BREAK = re.compile(rb"(?<=\n)|(?<=\r)(?!\n)")

#: Cure of one kind of fault: takes the draft of a list, and all faults of one code.
ListCure: TypeAlias = Callable[["ListDraft", Sequence[Fault]], None]


class ListDraft:
    """A list file that is cured: its lines with their line breaks, None where one was dropped. Other lines stay."""

    def __init__(self, path: Path, root: Path) -> None:
        """Read a list whose paths are relative to `root`."""
        self.root = root
        self.changed = False
        self._lines: list[bytes | None] = [*_AFTER_BREAK.split(read_regular(path))]
        self.pairs: dict[int, Pair] = {}
        self._rows: dict[str, list[int]] = {}
        for row, line in enumerate(self._lines):
            text = (line or b"").decode("utf-8-sig").strip()
            fields = [] if text.startswith("#") else line_fields(text)
            if len(fields) == 2:
                pair = self.pairs[row] = Pair(*map(plain_path, fields))
                for name in {pair.image, pair.label}:
                    self._rows.setdefault(name, []).append(row)

    def rows(self, name: str) -> list[int]:
        """Return the lines that have this image or label, counted from 0."""
        rows = self._rows.get(name, [])
        return [row for row in rows if (pair := self.pairs.get(row)) and name in (pair.image, pair.label)]

    def line(self, row: int) -> str:
        """Return a line without white space around it."""
        return (self._lines[row] or b"").decode("utf-8-sig").strip()

    def set(self, row: int, pair: Pair) -> None:
        """Replace the paths of a line; its line break stays."""
        line = self._lines[row] or b""
        plain = f"{pair.image} {pair.label}"
        text = plain if len(plain.split()) == 2 else f"{pair.image}\t{pair.label}"
        self._lines[row] = text.encode() + line[len(line.rstrip(b"\r\n")) :]
        self.pairs[row] = pair
        self.changed = True

    def drop(self, row: int) -> None:
        """Remove a line."""
        self._lines[row] = None
        self.pairs.pop(row, None)
        self.changed = True

    def close(self) -> bytes:
        """Return the text of the list."""
        return b"".join(line for line in self._lines if line is not None)

    def names(self) -> list[str]:
        """Return the names of all images and labels."""
        return list(dict.fromkeys(name for pair in self.pairs.values() for name in (pair.image, pair.label)))


def cure_lines(draft: ListDraft, faults: Sequence[Fault]) -> None:
    """Put a TAB between two paths with spaces if both files exist in one way; drop other lines."""
    for fault in faults:
        row = int(fault.where.removeprefix("line ")) - 1
        words = draft.line(row).split()
        splits = [Pair(" ".join(words[:at]), " ".join(words[at:])) for at in range(1, len(words))]
        found = [pair for pair in splits if (draft.root / pair.image).is_file() and (draft.root / pair.label).is_file()]
        if len(found) == 1:
            draft.set(row, found[0])
        else:
            draft.drop(row)


def drop_repeated(draft: ListDraft, faults: Sequence[Fault]) -> None:
    """Drop lines that repeat an earlier one; an image with two labels stays."""
    for fault in faults:
        rows = [row for row in draft.rows(fault.where) if draft.pairs[row].image == fault.where]
        if len({draft.pairs[row].label for row in rows}) == 1:
            for row in rows[1:]:
                draft.drop(row)


def drop_lines(draft: ListDraft, faults: Sequence[Fault]) -> None:
    """Drop samples, unless these are more than half of all; first try a path with slashes in place of backslashes."""
    rows = list(dict.fromkeys(row for fault in faults for row in draft.rows(fault.where)))
    few = 2 * len(rows) <= len(draft.pairs)
    for row in rows:
        pair = draft.pairs[row]
        slashed = Pair(*(plain_path(name.replace("\\", "/")) for name in (pair.image, pair.label)))
        if slashed != pair and all((draft.root / name).is_file() for name in (slashed.image, slashed.label)):
            draft.set(row, slashed)
        elif few:
            draft.drop(row)


def drop_each_line(draft: ListDraft, faults: Sequence[Fault]) -> None:
    """Drop samples, however many they are."""
    for row in dict.fromkeys(row for fault in faults for row in draft.rows(fault.where)):
        draft.drop(row)


def drop_copied_lines(draft: ListDraft, faults: Sequence[Fault]) -> None:
    """Drop copies of an earlier image; those whose labels cannot be compared stay."""
    drop_each_line(draft, [fault for fault in faults if was_compared(fault)])


def cure_absolute(draft: ListDraft, faults: Sequence[Fault]) -> None:
    """Write absolute paths below the data root relative to it."""
    for row in dict.fromkeys(row for fault in faults for row in draft.rows(fault.where)):
        pair = draft.pairs[row]
        inside = Pair(_relative(draft.root, pair.image), _relative(draft.root, pair.label))
        if inside != pair:
            draft.set(row, inside)


def _relative(root: Path, name: str) -> str:
    path = Path(name)
    inside = path.is_absolute() and ".." not in path.parts and path.is_relative_to(root)
    return path.relative_to(root).as_posix() if inside else name


#: Cures by the fault that they cure, in the order in which they are applied.
LIST_CURES: Mapping[Code, ListCure] = {
    "broken_line": cure_lines,
    "duplicate_image": drop_repeated,
    "outside_root": cure_absolute,
    "missing_image": drop_lines,
    "missing_label": drop_lines,
    "empty_file": drop_lines,
    "unreadable": drop_lines,
    "truncated": drop_lines,
    "duplicate_content": drop_copied_lines,
    "label_all_ignore": drop_lines,
}
