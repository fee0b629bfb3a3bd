"""Advice that names the very command with which the labels of a list become index masks of its classes."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from segdata.dataset import Dataset, ListDataset
from segdata.encoded import File
from segdata.errors import Code, InvalidInputError
from segdata.images.header import ImageHeader
from segdata.images.reading import read_image_header
from segdata.inspect.check.findings import ERRORS, Findings
from segdata.labels.colormap import VOC_CLASSES
from segdata.labels.value_map import identity_entries

#: Faults whose advice is a call of mask-map.
_CODES: tuple[Code, ...] = ("label_mode", "value_outside_classes", "binary_mask")

_WORDS = re.compile(r"\b(LABELS|CLASSES|MAP)\b")

#: Ends of the names of Cityscapes' masks; ``_labelTrainIds`` are index masks.
_CITYSCAPES = re.compile(r"_gt(?:Fine|Coarse)(_labelIds|_color)$")

#: Formats that change values, as Pillow names them.
_LOSSY = ("JPEG", "MPO", "WEBP")

_AND_LIST = "--dst_path NEW, and list NEW with pair-list."
_COLORS = "FILE has a line 'name r g b' for each class, in the order of the class ids."
_LOSSY_GRAY = (
    f"Convert black and white labels with segdata mask-map LABELS --threshold 128 {_AND_LIST} JPEG and WebP change "
    "class ids: export labels of more classes as PNG."
)
_LOSSY_COLOR = (
    f"Convert the labels to class ids with segdata mask-map LABELS --map FILE --nearest 30 {_AND_LIST} {_COLORS} If "
    "the labels are photographs, images and labels are swapped: list them again."
)
_COLOR = f"Convert the labels to class ids with segdata mask-map LABELS --map FILE {_AND_LIST} {_COLORS}"


def mask_map_advice(dataset: Dataset, findings: Findings) -> dict[Code, str]:
    """Return the advice of `ERRORS` with the folder and the classes of a list in place of the words in capitals.

    The first label in `findings` that is not an index mask tells how to convert them. Other data sets have no
    folder of labels; their advice stays general.
    """
    if not isinstance(dataset, ListDataset) or not dataset.classes or not dataset.pairs:
        return {}
    root = dataset.root.absolute()
    folder = Path(os.path.commonpath([os.path.normpath((root / pair.label).parent) for pair in dataset.pairs]))
    classes = identity_entries(len(dataset.classes.names), dataset.classes.ignore_label)
    words = {
        "LABELS": shlex.quote(_shown(folder)) + _mask_suffix(dataset, folder),
        "CLASSES": classes,
        "MAP": "voc" if dataset.classes.names == VOC_CLASSES else classes,
    }
    texts = {code: ERRORS[code] for code in _CODES}
    if cityscapes := _of_cityscapes([pair.label for pair in dataset.pairs]):
        texts["label_mode"] = texts["value_outside_classes"] = cityscapes
    elif own := _of_format(_first_header(dataset, findings), voc=dataset.classes.names == VOC_CLASSES):
        texts["label_mode"] = own
    return {code: _WORDS.sub(lambda word: words[word[0]], text) for code, text in texts.items()}


def _first_header(dataset: ListDataset, findings: Findings) -> ImageHeader | None:
    fault = findings.first("label_mode")
    try:
        return read_image_header(File(dataset.root, fault.where).find()) if fault else None
    except InvalidInputError:
        return None


def _of_format(header: ImageHeader | None, *, voc: bool) -> str | None:
    """Return the advice for labels of a format; None if a map of values, or that of VOC's colors, fits them."""
    if header is None:
        return None
    if header.format in _LOSSY:
        return _LOSSY_GRAY if header.bands == 1 else _LOSSY_COLOR
    return _COLOR if header.mode.startswith("RGB") and not voc else None


def _of_cityscapes(labels: Sequence[str]) -> str:
    """Return the advice for labels named as Cityscapes' label ids or colors are; empty for others."""
    suffixes = {match[1] if (match := _CITYSCAPES.search(PurePosixPath(label).stem)) else "" for label in labels}
    suffix = suffixes.pop()
    if suffixes or not suffix:
        return ""
    option = "" if suffix == "_labelIds" else f" --mask_suffix {suffix}"
    call = f"segdata mask-map LABELS --map cityscapes{option}"
    return f"Convert the labels to Cityscapes' 19 classes with {call} {_AND_LIST}"


def _mask_suffix(dataset: ListDataset, folder: Path) -> str:
    """Return the option that distinguishes labels from the images in their folder, or an empty text."""
    root = dataset.root.absolute()
    if not any(Path(os.path.normpath(root / pair.image)).is_relative_to(folder) for pair in dataset.pairs):
        return ""
    stems = [(PurePosixPath(pair.image).stem, PurePosixPath(pair.label).stem) for pair in dataset.pairs]
    suffixes = {label.removeprefix(image) if label.startswith(image) else "" for image, label in stems}
    suffix = suffixes.pop()
    return f" --mask_suffix {shlex.quote(suffix)}" if suffix and not suffixes else ""


def _shown(folder: Path) -> str:
    """Return a folder relative to the working directory if it is below it."""
    here = Path.cwd()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else str(folder)
