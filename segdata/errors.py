"""What can go wrong, as exceptions that know nothing of a command line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

#: What kind of thing is wrong with a sample; ``segdata check`` counts by it. ``docs/check.md`` says what each means.
Code = Literal[
    # The list, the JSON or the set itself.
    "not_a_dataset",
    "broken_line",
    "broken_member",
    "duplicate_id",
    "duplicate_image",
    "duplicate_category",
    "record_damaged",
    # Files.
    "missing_image",
    "missing_label",
    "outside_root",
    "empty_file",
    "unreadable",
    "truncated",
    "too_large",
    "size_mismatch",
    "rotated",
    "mixed_modes",
    # Labels.
    "label_mode",
    "gray_from_color",
    "value_outside_classes",
    "binary_mask",
    "label_all_ignore",
    "class_unused",
    # Annotations.
    "orphan_annotation",
    "no_size",
    "no_annotation",
    "no_segmentation",
    "bad_polygon",
    "bad_rle",
    "empty_mask",
    "area_mismatch",
    "bad_box",
    "box_mismatch",
    "crowd_polygon",
    "no_iscrowd",
    # Samples among each other.
    "duplicate_content",
    "label_conflict",
    "overlap",
    "overlap_name",
    "overlap_content",
    # What is told by its sentence alone.
    "invalid",
]

#: How many faults of one kind are named; the rest are counted.
NAMED = 10


class SegDataError(Exception):
    """Base of every error a caller is expected to show: one sentence, no traceback."""


class InvalidInputError(SegDataError):
    """The data does not have the form it should have.

    Attributes:
        code: what kind of fault it is, where the kinds are told apart.
    """

    def __init__(self, message: str, code: Code = "invalid") -> None:
        """Keep the sentence and the kind."""
        super().__init__(message)
        self.code = code


class OptionError(InvalidInputError):
    """An option does not fit the data that it is given with: nothing is wrong with the data."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one thing of a data set: the kind, where it is, and the rest of the sentence."""

    code: Code
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class TargetExistsError(SegDataError):
    """The place to write to is taken.

    Attributes:
        replaceable: whether all that lies there is ours, so that it may be replaced when the caller says so.
    """

    def __init__(self, message: str, *, replaceable: bool) -> None:
        """Keep the sentence and whether replacing is open to the caller."""
        super().__init__(message)
        self.replaceable = replaceable


class FaultsError(InvalidInputError):
    """Several similar faults, found in one pass and reported once.

    Attributes:
        what: the headline, such as ``"3 of 90 masks cannot be converted"``.
        faults: one sentence each, in input order.
    """

    def __init__(self, what: str, faults: Sequence[str]) -> None:
        """Keep every fault; the text names the first ten."""
        super().__init__(what)
        self.args = (what, faults)
        self.what = what
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return f"{self.what}:\n{name_first(self.faults)}"


def name_first(faults: Sequence[str]) -> str:
    """Return the first ten faults as indented lines and count the rest."""
    lines = [f"  {fault}" for fault in faults[:NAMED]]
    if len(faults) > NAMED:
        lines.append(f"  … and {len(faults) - NAMED} more")
    return "\n".join(lines)


def suggest(name: str, known: Iterable[str]) -> str:
    """Return which of the `known` names `name` may have been meant for, and the first of all that there are."""
    # Case is the usual slip, and difflib takes "d" and "D" for different letters.
    lowered = {candidate.lower(): candidate for candidate in known}
    matches = [lowered[match] for match in difflib.get_close_matches(name.lower(), lowered)]
    names = sorted(lowered.values())
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    listed = f"known are {', '.join(names[:NAMED])}{more}"
    return f"did you mean {' or '.join(matches)}? {listed}" if matches else listed
