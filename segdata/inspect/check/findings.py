"""Severity of each type of fault, and advice on how to fix it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from segdata.errors import NAMED, Code, Fault

Severity = Literal["error", "warning"]

#: Advice for each fault that stops a conversion, or makes training or its result wrong.
ERRORS: dict[Code, str] = {
    "not_a_dataset": "Check the path, or write the data set again; nothing else could be checked.",
    "broken_line": "Write the list again with voc-list or pair-list; each line needs an image path and a label path.",
    "broken_member": (
        "Fix these objects in the JSON, or with segdata fix; they and all that refers to them were not checked."
    ),
    "duplicate_id": "Give each object in the JSON a unique id; only the first object with each id was checked.",
    "duplicate_image": "Keep one line, or one image object, per image.",
    "record_damaged": "Write the set again with to-mindrecord; the contents of its rows were not checked.",
    "missing_image": "Restore the files, or set their folder with --data_root or --images.",
    "image_prefix": "Remove this prefix from the image names with --strip_prefix.",
    "missing_label": "Restore the files, create the labels with voc-decolor, or set their folder with --data_root.",
    "outside_root": "Choose a data root above all files, and write the paths relative to it.",
    "empty_file": "Download or unpack the files again.",
    "unreadable": "Download or unpack the files again, or remove them from the list or JSON.",
    "truncated": "Download or unpack the files again.",
    "too_large": "Split the files into smaller images, or correct the size in their header or in the JSON.",
    "unsupported_image": "Convert the images to gray or RGB, one image per file; slice stacks with tif-slice.",
    "no_value_range": (
        "Say which samples become black and white with --value_range LOW:HIGH, or --value_range auto for all images."
    ),
    "size_mismatch": (
        "Resize image and label to the same size, labels without interpolation; in a JSON, correct the size."
    ),
    "label_mode": (
        "Convert the labels to class ids with segdata mask-map LABELS --map MAP --dst_path NEW, and list NEW with "
        "pair-list."
    ),
    "gray_from_color": "Start again from the color masks, and convert them with voc-decolor.",
    "value_outside_classes": (
        "Define the values with --num_classes, --class_names or --ignore_label, or map them with segdata mask-map "
        "LABELS --map CLASSES,VALUE:CLASS --dst_path NEW."
    ),
    "binary_mask": (
        "Make 255 a class with segdata mask-map LABELS --map binary --dst_path NEW, and list NEW with pair-list."
    ),
    "orphan_annotation": "Remove these annotations, or add the images and categories they refer to.",
    "no_segmentation": "Draw the masks, or remove these annotations.",
    "bad_polygon": (
        "Redraw these polygons with at least three points, x and y in pixels, or remove the annotations; segdata fix "
        "corrects wrong brackets."
    ),
    "bad_rle": "Encode these masks as RLE again, at the size of the image.",
    "empty_mask": "Remove these annotations; their masks cover no pixels.",
    "bad_box": "Correct or remove these boxes; a missing box is computed from the mask.",
    "label_conflict": "Decide which label is correct, and keep only the image that has it.",
    "overlap": "Remove these images from one of the sets; training images must not be used for evaluation.",
    "overlap_content": "Remove these images from one of the sets; training images must not be used for evaluation.",
    "overlap_near": (
        "Compare both images, and remove one if they show the same; training images must not be used for evaluation."
    ),
    "invalid": "Fix the problem that the message describes.",
}

#: Advice for each fault that may be intended.
WARNINGS: dict[Code, str] = {
    "duplicate_category": "Give each category a unique name; reports cannot distinguish these.",
    "rotated": (
        "Images are read as stored. Check that the labels have the same orientation, or save the images upright."
    ),
    "mixed_modes": "Save all images in one mode; segdata reads all of them as RGB, other programs may not.",
    "binary_among_classes": (
        "If 255 is an object in these labels, give it its class with segdata mask-map LABELS --map 0:0,1:1,255:1 "
        "--dst_path NEW, and list NEW with pair-list."
    ),
    "label_all_ignore": "Remove these samples; a network cannot learn from them.",
    "class_conflict": (
        "Give these classes the same ids in both data sets; a network trained on one is wrong about the other."
    ),
    "class_unused": "List only the classes that the set contains, or add samples of these.",
    "no_size": "Add the width and height of each image to the JSON; many programs need them.",
    "no_annotation": (
        "Ignore this if these images show none of the classes; to-mindrecord --drop-empty leaves them out."
    ),
    "area_mismatch": "Compute the areas from the masks again; evaluation by object size uses them.",
    "box_mismatch": (
        "Compute the boxes from the masks again, or remove them; to-mindrecord --boxes masks does that. Where x and y "
        "are exchanged, the masks are wrong; segdata fix corrects both."
    ),
    "crowd_polygon": "Store crowds as RLE; programs that read COCO expect that.",
    "only_crowds": "If each of them is one object, read them as objects with --crowd object; training ignores crowds.",
    "no_iscrowd": "Add iscrowd, 0 or 1, to each annotation; many programs need it.",
    "no_area": "Add the area of each mask in pixels; evaluation by object size needs it.",
    "overlap_name": "Check with --hash whether they are the same image; folders often use the same numbering.",
    "same_file": "Keep one of these names if both mean one image; --hash compares their contents.",
    "duplicate_content": "Keep one copy of each image; every copy counts in training.",
    "near_duplicate": "Compare both images, and keep one if they show the same, or both in the same part of a split.",
    "dark": "Check the exposure; images of more than 8 bits may need another --value_range.",
    "bright": "Check the exposure; images of more than 8 bits may need another --value_range.",
    "low_contrast": "Check that the image shows something; images of more than 8 bits may need another --value_range.",
    "blurry": "Leave the image out if its objects cannot be distinguished.",
    "odd_aspect": "Check that the image is not a strip or a montage; crop or tile it.",
}


@dataclass(frozen=True)
class Finding:
    """All faults of one type in a data set.

    Attributes:
        code: type of the fault; ``docs/check.md`` explains each.
        severity: an error stops a conversion or makes its result wrong; a warning may be intended.
        count: number of faults.
        examples: the first faults, in the order of the data set.
        advice: how to fix them.
    """

    code: Code
    severity: Severity
    count: int
    examples: tuple[Fault, ...]
    advice: str


class Findings:
    """Counter of faults by type; keeps only the first few of each type in memory."""

    def __init__(self, every: list[Fault] | None = None) -> None:
        """Start without faults; all of them are appended to `every`, if it is given."""
        self._every = every
        self._counts: Counter[Code] = Counter()
        self._examples: dict[Code, list[Fault]] = {}

    def add(self, faults: Iterable[Fault]) -> None:
        """Count `faults`."""
        for fault in faults:
            self._counts[fault.code] += 1
            if self._every is not None:
                self._every.append(fault)
            if self._counts[fault.code] <= NAMED:
                self._examples.setdefault(fault.code, []).append(fault)

    def first(self, code: Code) -> Fault | None:
        """Return the first fault of a type, or None."""
        return next(iter(self._examples.get(code, ())), None)

    def result(self, advice: Mapping[Code, str] | None = None) -> tuple[Finding, ...]:
        """Return the findings, errors first, then by code; `advice` takes the place of the general one."""
        found = [self._finding(code, advice or {}) for code in self._counts]
        return tuple(sorted(found, key=lambda finding: (finding.severity, finding.code)))

    def _finding(self, code: Code, own: Mapping[Code, str]) -> Finding:
        severity: Severity = "error" if code in ERRORS else "warning"
        advice = own.get(code) or (ERRORS[code] if code in ERRORS else WARNINGS[code])
        return Finding(code, severity, self._counts[code], tuple(self._examples[code]), advice)
