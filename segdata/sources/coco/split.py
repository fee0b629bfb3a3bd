"""Split a COCO JSON into training, validation and perhaps test: each image with all of its annotations on one side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import compress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segdata.arguments import FilePath, local_path
from segdata.coco.file import Coco, read_coco
from segdata.coco.references import check_image_objects, orphans
from segdata.coco.writing import json_parts
from segdata.errors import FaultsError, InvalidInputError
from segdata.lists.draw import Draw, check_test_side, side_files, side_shares
from segdata.lists.groups import group_keys
from segdata.lists.publish import write_together
from segdata.lists.split_report import SplitReport, split_report
from segdata.sources.coco_export import check_target_json
from segdata.text import plain_path, plural

_Flags = npt.NDArray[np.bool_]


def split_coco(
    annotations: FilePath,
    *,
    ratio: float | Sequence[float],
    seed: int = 0,
    exact: bool = False,
    stratify: bool = False,
    group: str | None = None,
    dst_path: FilePath | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> SplitReport:
    """Write ``NAME_train.json``, ``NAME_val.json`` and perhaps ``NAME_test.json``, each in the order of the JSON.

    Every image comes to one side with all of its annotations, also an image without any. All categories, ``info`` and
    other members are in each result; the text of the objects does not change. No image is read or copied.

    The draw is that of `split_list`, by the image's ``file_name``: a list and a JSON of the same names are split alike.

    Args:
        annotations: a COCO instances file. NAME is its stem.
        ratio: see `split_list`, also for the next two.
        seed: seed of the draw.
        exact: give each side its share of the images to within rounding.
        stratify: keep the shares of the categories even on all sides, by the annotations of each image, crowds
            included.
        group: see `split_list`; searched for in the file name.
        dst_path: folder to write to; the JSON's folder by default.
        overwrite: replace existing COCO JSONs.
        dry_run: check everything, write nothing.

    Raises:
        FaultsError: with every file name in which the expression finds no group, every annotation whose image or
            category is not in the file, and every file that several image objects name.
        InvalidInputError: when the file is not COCO or has no images, or for the reasons of `split_list`.
        TargetExistsError: when one of the JSONs exists, or the test JSON of an earlier split would share images with
            them; none is written then.
    """
    annotations, dst_path = local_path(annotations), local_path(dst_path)
    shares = side_shares(ratio)
    files = side_files(annotations, dst_path, shares, ".json")
    _check_targets(files.values(), overwrite=overwrite)
    coco = _read(annotations)
    names = _names(coco)
    check_test_side(files, names, lambda path: _names(read_coco(path)))
    groups = group_keys(names, group)
    classes = _classes(coco) if stratify else None
    sides = Draw(shares, seed, exact).sides(annotations, groups, classes)
    chosen = {side: np.array([found == side for found in sides]) for side in files}
    kept = {side: images[coco.annotations.image] for side, images in chosen.items()}
    if not dry_run:
        texts = {path.name: _text(coco, chosen[side], kept[side]) for side, path in files.items()}
        write_together(dst_path or annotations.parent, texts, overwrite=overwrite, check=_check_targets)
    return split_report(
        files,
        shares,
        sides,
        groups,
        classes,
        written=not dry_run,
        names={category.id: category.name for category in coco.categories},
        annotations={side: int(np.count_nonzero(flags)) for side, flags in kept.items()},
    )


def _names(coco: Coco) -> list[str]:
    return [plain_path(image.file_name) for image in coco.images]


def _check_targets(paths: Collection[Path], *, overwrite: bool) -> None:
    for path in paths:
        check_target_json(path, overwrite=overwrite)


def _read(path: Path) -> Coco:
    coco = read_coco(path)
    if not coco.images:
        raise InvalidInputError(f"{path}: contains no images")
    # Two image objects of one file could come to both sides.
    check_image_objects(coco)
    if faults := orphans(coco):
        raise FaultsError(
            f"{path}: {plural(len(faults), 'annotation')} with an unknown image or category; nothing was written. "
            "Correct the ids, or leave them out with segdata coco-subset --keep-empty --on-error skip",
            faults,
        )
    return coco


def _classes(coco: Coco) -> list[frozenset[int]]:
    """Return the category ids in each image."""
    found: list[set[int]] = [set() for _ in coco.images]
    pairs = Counter(zip(coco.annotations.image.tolist(), coco.annotations.category.tolist(), strict=True))
    for image, category in pairs:
        found[image].add(coco.categories[category].id)
    return list(map(frozenset, found))


def _text(coco: Coco, images: _Flags, annotations: _Flags) -> bytes:
    lists = {
        "images": compress(coco.members["images"], images.tolist()),
        "annotations": compress(coco.members["annotations"], annotations.tolist()),
        "categories": coco.members["categories"],
    }
    return b"".join(json_parts(coco.members, lists))
