"""Advice that names the very command with which the labels of a list become index masks of its classes."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from segdata.dataset import Dataset, ListDataset
from segdata.errors import Code
from segdata.inspect.check.findings import ERRORS
from segdata.labels.classes import Classes
from segdata.labels.colormap import VOC_CLASSES

#: Faults whose advice is a call of mask-map.
_CODES: tuple[Code, ...] = ("label_mode", "value_outside_classes", "binary_mask")

_WORDS = re.compile(r"\b(LABELS|CLASSES|MAP)\b")


def mask_map_advice(dataset: Dataset) -> dict[Code, str]:
    """Return the advice of `ERRORS` with the folder and the classes of a list in place of the words in capitals.

    Other data sets have no folder of labels; their advice stays general.
    """
    if not isinstance(dataset, ListDataset) or not dataset.classes or not dataset.pairs:
        return {}
    root = dataset.root.absolute()
    folder = os.path.commonpath([os.path.normpath((root / pair.label).parent) for pair in dataset.pairs])
    classes = _identity(dataset.classes)
    words = {
        "LABELS": shlex.quote(_shown(Path(folder))),
        "CLASSES": classes,
        "MAP": "voc" if dataset.classes.names == VOC_CLASSES else classes,
    }
    return {code: _WORDS.sub(lambda word: words[word[0]], ERRORS[code]) for code in _CODES}


def _identity(classes: Classes) -> str:
    """Return the map of each class id and the ignore label to itself."""
    last = len(classes.names) - 1
    ids = f"0-{last}:0-{last}" if last else "0:0"
    return ids if classes.ignore_label <= last else f"{ids},{classes.ignore_label}:{classes.ignore_label}"


def _shown(folder: Path) -> str:
    """Return a folder relative to the working directory if it is below it."""
    here = Path.cwd()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else str(folder)
