"""References of a COCO JSON that lead nowhere, and files that several image objects name."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from segdata.coco.file import Coco, Image
from segdata.coco.objects import object_id
from segdata.errors import Fault, FaultsError
from segdata.text import plain_path, plural


def orphans(coco: Coco) -> list[Fault]:
    """Return a fault for each annotation whose image or category is not in the file."""
    rows = np.flatnonzero((coco.annotations.image < 0) | (coco.annotations.category < 0))
    faults = []
    for row in rows.tolist():
        unknown = "an image" if coco.annotations.image[row] < 0 else "a category"
        where = f"annotation {object_id(coco.annotations.raw[row])}"
        faults.append(Fault("orphan_annotation", where, f"refers to {unknown} that the file does not contain"))
    return faults


def duplicate_images(coco: Coco, rows: npt.NDArray[np.int64] | None = None) -> list[Fault]:
    """Return a fault for each file that several image objects name; with `rows`, only for the files of those images."""
    names = [_plain_name(image) for image in coco.images]
    counts = Counter(names)
    wanted = names if rows is None else [names[row] for row in rows]
    ids: dict[str, list[str]] = {name: [] for name in wanted if counts[name] > 1}
    for image, name in zip(coco.images, names, strict=True) if ids else ():
        if name in ids:
            ids[name].append(str(image.id))
    return [Fault("duplicate_image", name, f"named by the image ids {', '.join(ids[name])}") for name in ids]


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
            "Join the objects with segdata fix",
            faults,
        )


def _plain_name(image: Image) -> str:
    return plain_path(image.file_name) if "/" in image.file_name else image.file_name
