"""Faults of a COCO file that stop a conversion, and the selection of a subset without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segdata.coco.annotations import duplicate_images, malformed_masks, orphans
from segdata.coco.file import Coco, Image
from segdata.errors import Fault, FaultsError, OnError
from segdata.sources.coco.media import MediaCheck
from segdata.sources.coco.select import Choice, Selection, Unusable, select
from segdata.text import plural


def check_image_objects(coco: Coco, rows: npt.NDArray[np.int64] | None = None) -> None:
    """Check that only one image object names each file; with `rows`, only for the files of those images.

    Nothing says which of several objects is right, so none of them can be left out.

    Raises:
        FaultsError: when several do; names each file and the ids.
    """
    faults = duplicate_images(coco, rows)
    if faults:
        raise FaultsError(
            f"{coco.path}: {plural(len(faults), 'file')} with several image objects; expected one for each file. "
            "Merge the objects, and set the image_id of their annotations",
            [str(fault) for fault in faults],
        )


def stop_at_faults(path: Path, faults: Sequence[Fault]) -> None:
    """Stop when there are faults.

    Raises:
        FaultsError: naming each.
    """
    if faults:
        raise FaultsError(
            f"{path}: {plural(len(faults), 'fault')}; nothing was written. Correct the images and annotations, or "
            "leave them out with --on-error skip",
            [str(fault) for fault in faults],
        )


@dataclass(frozen=True)
class UsableSelection:
    """A selection without faults.

    Attributes:
        selection: what to keep.
        media: result of checking each kept image.
        faults: faults of what was left out, because the choice alone would have kept it, and of orphans.
    """

    selection: Selection
    media: list[MediaCheck]
    faults: list[Fault]


def select_usable(
    coco: Coco,
    choice: Choice,
    check: Callable[[Sequence[Image]], list[MediaCheck]],
    *,
    on_error: OnError,
) -> UsableSelection:
    """Select as `select` does, and check what is kept; leave out what has faults and select again until nothing has.

    Args:
        coco: the COCO file.
        choice: what to keep.
        check: checks the files of images.
        on_error: ``fail`` stops at faults; ``skip`` leaves out the images and annotations that have them.

    Raises:
        FaultsError: when several image objects name the file of a kept image, or, unless skipped, when kept images or
            annotations have faults, or annotations belong to no image or category of the file.
        InvalidInputError: see `select`.
    """
    faults = orphans(coco)
    unusable = Unusable(np.zeros(len(coco.images), bool), np.zeros(len(coco.annotations.raw), bool))
    while True:
        selection = select(coco, choice, unusable)
        rows = np.flatnonzero(selection.images)
        check_image_objects(coco, rows)
        media = check([coco.images[row] for row in rows])
        images = [(row, one.fault) for row, one in zip(rows.tolist(), media, strict=True) if one.fault]
        annotations = list(malformed_masks(coco, np.flatnonzero(selection.annotations)))
        faults += [fault for _, fault in [*images, *annotations]]
        if on_error == "fail":
            stop_at_faults(coco.path, faults)
        if not images and not annotations:
            return UsableSelection(selection, media, faults)
        unusable.images[[row for row, _ in images]] = True
        unusable.annotations[[row for row, _ in annotations]] = True
