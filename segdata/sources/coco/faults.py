"""Faults of a COCO file that stop a conversion, and the selection of a subset without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segdata.coco.file import Coco, Image
from segdata.coco.malformed import malformed
from segdata.coco.references import check_image_objects, orphans
from segdata.errors import Fault, FaultsError, InvalidInputError, OnError
from segdata.sources.coco.media import Medium
from segdata.sources.coco.select import Choice, Selection, Unusable, select
from segdata.text import plural


def stop_at_faults(path: Path, faults: Sequence[Fault]) -> None:
    """Stop when there are faults.

    Raises:
        FaultsError: naming each.
    """
    if faults:
        raise FaultsError(
            f"{path}: {plural(len(faults), 'fault')}; nothing was written. Correct the images and annotations "
            "(segdata check says how), or leave them out with --on-error skip",
            faults,
        )


@dataclass(frozen=True)
class UsableSelection:
    """A selection without faults.

    Attributes:
        selection: what to keep.
        media: what is known of each kept image.
        faults: faults of what was left out, because the choice alone would have kept it, and of orphans.
    """

    selection: Selection
    media: list[Medium]
    faults: list[Fault]


def select_usable(
    coco: Coco,
    choice: Choice,
    check: Callable[[Mapping[int, Image], list[Fault]], dict[int, Medium]],
    *,
    on_error: OnError,
) -> UsableSelection:
    """Select as `select` does, and check what is kept; leave out what has faults and select again until nothing has.

    Args:
        coco: the COCO file.
        choice: what to keep.
        check: checks the files of images by row; returns those without faults and appends the faults.
        on_error: ``fail`` stops at faults; ``skip`` leaves out the images and annotations that have them.

    Raises:
        FaultsError: when several image objects name the file of a kept image, or, unless skipped, when kept images or
            annotations have faults, or annotations refer to an image or category that the file does not contain.
        InvalidInputError: see `select`.
    """
    faults = orphans(coco)
    unusable = Unusable(np.zeros(len(coco.images), bool), np.zeros(len(coco.annotations.raw), bool))
    while True:
        try:
            selection = select(coco, choice, unusable)
        except InvalidInputError as error:
            if unusable.images.any():
                raise FaultsError(str(error), faults) from error
            raise
        rows = np.flatnonzero(selection.images)
        check_image_objects(coco, rows)
        media = check({row: coco.images[row] for row in rows.tolist()}, faults)
        annotations = malformed(coco, np.flatnonzero(selection.annotations), faults)
        if on_error == "fail":
            stop_at_faults(coco.path, faults)
        if len(media) == len(rows) and not annotations:
            return UsableSelection(selection, list(media.values()), faults)
        unusable.images[[row for row in rows.tolist() if row not in media]] = True
        unusable.annotations[annotations] = True
