"""Checks of the options of masks-to-coco against the kind of masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segdata.coco.file import CrowdMeaning
from segdata.errors import OptionError
from segdata.sources.instance_masks.meaning import MaskKind
from segdata.sources.instances import is_background
from segdata.text import option_names


def check_mask_options(
    kind: MaskKind,
    class_masks: Path | None,
    class_folders: bool,
    class_name: str | None,
    class_names: Sequence[str] | None,
    crowd: CrowdMeaning,
) -> None:
    """Refuse options of `masks_to_coco` that do not fit the kind of masks, and class names in a wrong order.

    Raises:
        OptionError: when there are some.
    """
    given = {"class_masks": class_masks, "class_folders": class_folders, "class_name": class_name}
    sources = [name for name, value in given.items() if value and (kind, name) != ("folders", "class_name")]
    if kind != "objects" and sources:
        raise OptionError(
            f"{option_names(sources[:1])}: has no effect on these masks; expected masks whose values are objects"
        )
    if len(sources) > 1:
        raise OptionError(f"{option_names(sources)}: each gives the classes; expected only one of them")
    if class_names is not None and kind != "components" and not class_masks:
        raise OptionError("--class_names: these masks have no class ids; expected --components or --class_masks")
    if crowd != "crowd" and kind != "cityscapes":
        raise OptionError("--crowd: only Cityscapes' masks have groups, which are crowds; expected --cityscapes")
    misplaced = [id_ for id_, name in enumerate(class_names or ()) if id_ and is_background(name)]
    if misplaced:
        raise OptionError(
            f"--class_names: {(class_names or ())[misplaced[0]]!r} is class {misplaced[0]}; expected class 0, whose "
            "pixels belong to no object. Put it first, and convert the masks again in this order, such as with segdata "
            "voc-decolor --colormap or segdata mask-map."
        )
