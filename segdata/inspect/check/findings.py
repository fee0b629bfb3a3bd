"""What each kind of fault means for a data set: how grave it is, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from segdata.errors import NAMED, Code, Fault

Severity = Literal["error", "warning"]

#: What to do about each kind that would stop a conversion, or make a training or its result wrong.
ERRORS: dict[Code, str] = {
    "not_a_dataset": "Name the right file, or write it anew; nothing could be looked at.",
    "broken_line": "Write the list anew with voc-list or pair-list: an image path and a label path a line.",
    "broken_member": "Mend the objects in the JSON; they, and what refers to them, were not looked at.",
    "duplicate_id": "Give each object of the JSON an id of its own; only the first with an id was looked at.",
    "duplicate_image": "Keep one line, or one image object, for each image.",
    "record_damaged": "Write the set anew with to-mindrecord; the content of its rows was not looked at.",
    "missing_image": "Restore the files, or name the folder with --data_root or --images.",
    "missing_label": "Restore the files, or make the labels with voc-decolor; --data_root names the folder.",
    "outside_root": "Name a data root above all files, and write paths relative to it.",
    "empty_file": "Fetch or unpack the files again.",
    "unreadable": "Fetch or unpack the files again, or leave them out of the list or JSON.",
    "truncated": "Fetch or unpack the files again.",
    "too_large": "Cut the files into pieces, or correct the size that they or the JSON claim.",
    "size_mismatch": "Bring image and label to one size, labels without interpolation; in a JSON, correct the size.",
    "label_mode": "Make class ids of color masks with voc-decolor, and the list of them with pair-list.",
    "gray_from_color": "Start again from the color masks, with voc-decolor.",
    "value_outside_classes": "Say what values mean: --num_classes, --class_names, --ignore_label; or mend the labels.",
    "binary_mask": "Make 255 a class: by tif-slice --label_map 0:0,255:1 from a stack, else store 1 for it.",
    "orphan_annotation": "Remove these annotations, or add the images and categories that they refer to.",
    "no_segmentation": "Draw the masks, or remove these annotations.",
    "bad_polygon": "Draw these polygons again, or remove the annotations: three points or more, x and y in pixels.",
    "bad_rle": "Make these run lengths again, from masks of the image's own size.",
    "empty_mask": "Remove these annotations: no pixel is theirs.",
    "bad_box": "Correct these boxes, or remove them: a missing box is made from the mask.",
    "label_conflict": "Decide which of the labels is right, and keep one of the images.",
    "overlap": "Remove these images from one of the sets: what is trained on must not measure the result.",
    "overlap_content": "Remove these images from one of the sets: what is trained on must not measure the result.",
    "invalid": "Mend what the sentence names.",
}

#: The same of each kind that may be meant.
WARNINGS: dict[Code, str] = {
    "duplicate_category": "Give each category a name of its own; reports cannot tell these apart.",
    "rotated": "Images are read as stored. See whether the labels were drawn so, or save the images turned.",
    "mixed_modes": "Save all images in one mode, 8-bit gray or RGB; programs differ in how they read these.",
    "label_all_ignore": "Leave these samples out; nothing can be learned from them.",
    "class_unused": "Name only the classes that the set has, or add samples of these.",
    "no_size": "Write width and height of each image into the JSON; many programs need them.",
    "no_annotation": "Nothing, if these images show none of the classes; to-mindrecord keeps them with --keep-empty.",
    "area_mismatch": "Compute the areas again from the masks; evaluation by size goes by them.",
    "box_mismatch": "Compute the boxes again from the masks, or remove them.",
    "crowd_polygon": "Store crowds as run lengths; programs that read COCO expect them so.",
    "no_iscrowd": "Write iscrowd, 0 or 1, into each annotation; many programs need it.",
    "overlap_name": "See with --hash whether they are the same image; folders are often numbered alike.",
    "duplicate_content": "Keep one of the images; several count as often in training.",
}


@dataclass(frozen=True)
class Finding:
    """All faults of one kind in a data set.

    Attributes:
        code: the kind; ``docs/check.md`` says what each means.
        severity: an error would stop a conversion or make its result wrong; a warning may be meant.
        count: how many there are.
        examples: the first of them, ``"where: what"``, in the order of the data set.
        advice: what to do.
    """

    code: Code
    severity: Severity
    count: int
    examples: tuple[str, ...]
    advice: str


class Findings:
    """Faults, counted by kind as they come; only the first of each kind stay in memory."""

    def __init__(self) -> None:
        """Begin with none."""
        self._counts: Counter[Code] = Counter()
        self._examples: dict[Code, list[str]] = {}

    def add(self, faults: Iterable[Fault]) -> None:
        """Count faults."""
        for fault in faults:
            self._counts[fault.code] += 1
            if self._counts[fault.code] <= NAMED:
                self._examples.setdefault(fault.code, []).append(str(fault))

    def result(self) -> tuple[Finding, ...]:
        """Return what was found, errors first, then by code."""
        found = [self._finding(code) for code in self._counts]
        return tuple(sorted(found, key=lambda finding: (finding.severity, finding.code)))

    def _finding(self, code: Code) -> Finding:
        severity: Severity = "error" if code in ERRORS else "warning"
        advice = ERRORS[code] if code in ERRORS else WARNINGS[code]
        return Finding(code, severity, self._counts[code], tuple(self._examples[code]), advice)
