"""Exceptions, independent of any command line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

#: Kind of fault in a sample; ``segdata check`` counts faults by it. ``docs/check.md`` explains each one.
Code = Literal[
    # The list, the JSON or the data set itself.
    "not_a_dataset",
    "broken_line",
    "broken_member",
    "duplicate_id",
    "duplicate_image",
    "duplicate_category",
    "record_damaged",
    # Files.
    "missing_image",
    "image_prefix",
    "missing_label",
    "outside_root",
    "empty_file",
    "unreadable",
    "truncated",
    "too_large",
    "unsupported_image",
    "no_value_range",
    "size_mismatch",
    "rotated",
    "mixed_modes",
    # Labels.
    "label_mode",
    "gray_from_color",
    "value_outside_classes",
    "binary_mask",
    "binary_among_classes",
    "label_all_ignore",
    "class_unused",
    "class_conflict",
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
    "only_crowds",
    "no_iscrowd",
    "no_area",
    # Quality of images.
    "dark",
    "bright",
    "low_contrast",
    "blurry",
    "odd_aspect",
    # Samples compared with each other.
    "duplicate_content",
    "near_duplicate",
    "same_file",
    "label_conflict",
    "overlap",
    "overlap_name",
    "overlap_content",
    "overlap_near",
    # Faults that only their message describes.
    "invalid",
]

#: Number of faults of one kind that are listed; the rest are only counted.
NAMED = 10

#: What to do with samples that have faults: stop, or leave them out and count them.
OnError = Literal["fail", "skip"]


class SegDataError(Exception):
    """Base class of all errors to show to the user as a message, without a traceback."""


class InvalidInputError(SegDataError):
    """The data does not have the expected form.

    Attributes:
        code: kind of fault, where kinds are distinguished.
    """

    def __init__(self, message: str, code: Code = "invalid") -> None:
        """Store the message and the kind of fault."""
        super().__init__(message)
        self.code = code


class OptionError(InvalidInputError):
    """An option has a wrong value or does not match the data; the data itself is valid."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in a data set.

    Attributes:
        code: kind of fault, as in ``docs/check.md``; ``invalid`` if only the message describes it.
        where: image, label, line or annotation; empty if `what` names it.
        what: what is wrong and what is expected.
    """

    code: Code
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class TargetExistsError(SegDataError):
    """The target already exists.

    Attributes:
        replaceable: whether everything there was written by this program, so that the caller may replace it.
    """

    def __init__(self, message: str, *, replaceable: bool) -> None:
        """Store the message and whether the caller may replace the target."""
        super().__init__(message)
        self.replaceable = replaceable


class FaultsError(InvalidInputError):
    """Several similar faults, found in one pass and reported together.

    Attributes:
        what: the headline, such as ``"3 of 90 masks cannot be converted"``.
        faults: all of them, in input order. A fault that has no place of its own, such as a name that appears twice,
            is only a text.
    """

    def __init__(self, what: str, faults: Sequence[Fault | str]) -> None:
        """Store every fault; the text lists the first ten."""
        super().__init__(what)
        self.args = (what, faults)
        self.what = what
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return f"{self.what}:\n{name_first(self.faults)}"


@contextmanager
def collecting(faults: list[Fault], where: str) -> Iterator[None]:
    """Append to `faults` what the block refuses, instead of letting it raise `InvalidInputError`.

    An `OptionError` is raised: it concerns no sample.

    Args:
        faults: the faults found so far.
        where: place of a fault that does not name its own.

    >>> found = []
    >>> with collecting(found, "a.png"):
    ...     raise InvalidInputError("is empty", "empty_file")
    >>> found
    [Fault(code='empty_file', where='a.png', what='is empty')]
    """
    try:
        yield
    except OptionError:
        raise
    except FaultsError as error:
        faults += [fault if isinstance(fault, Fault) else Fault(error.code, where, fault) for fault in error.faults]
    except InvalidInputError as error:
        faults.append(Fault(error.code, where, str(error)))
    except MemoryError:
        # Sizes have upper limits, but a small machine may have less memory.
        faults.append(Fault("too_large", where, "needs more memory than is available"))


@contextmanager
def faults_at(where: str) -> Iterator[None]:
    """Name the place of what the block refuses, for `collecting` further up.

    Args:
        where: a part of the sample, such as its label.

    Raises:
        FaultsError: instead of `InvalidInputError`.
    """
    faults: list[Fault] = []
    with collecting(faults, where):
        yield
    if faults:
        raise FaultsError(f"{where}: cannot be used", faults)


def name_first(faults: Sequence[Fault | str]) -> str:
    """Return the first ten faults as indented lines and count the rest."""
    lines = [f"  {fault}" for fault in faults[:NAMED]]
    if len(faults) > NAMED:
        lines.append(f"  … and {len(faults) - NAMED} more")
    return "\n".join(lines)


def suggest(name: str, known: Iterable[str]) -> str:
    """Return a hint: the `known` names that are close to `name`, and the first ten of all known names."""
    # A wrong case is a common mistake, and difflib treats "d" and "D" as different letters.
    lowered = {candidate.lower(): candidate for candidate in known}
    matches = [lowered[match] for match in difflib.get_close_matches(name.lower(), lowered)]
    names = sorted(lowered.values())
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    listed = f"one of {', '.join(names[:NAMED])}{more}"
    return f"did you mean {' or '.join(matches)}? Expected {listed}" if matches else f"expected {listed}"
