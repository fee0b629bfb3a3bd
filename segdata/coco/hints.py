"""Traits of COCO JSONs that tools write: prefixes of image names, crowds from brushes, root categories, folders."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Raw

from segdata.coco.file import Category, Coco
from segdata.errors import Code, Fault, InvalidInputError
from segdata.text import same_name, spellings

#: Faults of images that are not where their names say.
_NOT_THERE: tuple[Code, ...] = ("missing_image", "outside_root")

#: Number of missing images whose names are searched for a prefix, and of images that tell whether a folder is theirs.
_SEARCHED = 20

#: Folder of the images beside the JSON or its folder, as `coco-subset` and many tools name it.
_IMAGES = "images"


def find_image_folder(coco: Coco) -> Path:
    """Return the folder of the images when nobody names it.

    It is ``images`` next to the JSON's folder; or, if more of the first images are there instead, the JSON's own folder
    or ``images`` in it.

    Raises:
        InvalidInputError: when as many of them are in another of these folders: several sets often use the same names.
    """
    inner = coco.path.absolute().parent
    usual = inner.parent / _IMAGES
    names = [image.file_name for image in coco.images[:_SEARCHED]]
    found = {folder: _files_in(folder, names) for folder in (usual, inner, inner / _IMAGES)}
    best = max(found, key=lambda folder: len(found[folder]))
    for other, files in found.items():
        if files and len(files) == len(found[best]) and files.isdisjoint(found[best]):
            raise InvalidInputError(
                f"{coco.path}: {best} and {other} both contain images of these names, such as "
                f"{next(iter(sorted(files))).name}. Say which folder has its images, with --images.",
            )
    return best


def _files_in(folder: Path, names: Iterable[str]) -> set[Path]:
    """Return the files of these names in `folder`, after links."""
    return {place.resolve() for name in names if (place := folder / name).is_file()}


def prefix_hint(folder: Path, faults: Iterable[Fault], images: int) -> list[Fault]:
    """Return a fault if images are missing in `folder`, but exist under their names without a common prefix.

    Args:
        folder: folder that image names are relative to.
        faults: faults of images, named by `where`.
        images: number of all images.
    """
    names = list(dict.fromkeys(fault.where for fault in faults if fault.code in _NOT_THERE))
    prefix = common_prefix(folder, names)
    if not prefix:
        return []
    found = sum(name.startswith(prefix) and (folder / name[len(prefix) :]).is_file() for name in names)
    missing = f"all {images} images are" if len(names) == images else f"{len(names)} of {images} images are"
    missing = "the only image is" if images == 1 else missing
    what = f"{missing} missing; with --strip_prefix {shlex.quote(prefix)}, {found} of {len(names)} exist"
    return [Fault("image_prefix", str(folder), what)]


def common_prefix(folder: Path, names: Sequence[str]) -> str:
    """Return the start of the most of the first `names` without which the files exist in `folder`; or an empty text."""
    counts = Counter(prefix for name in names[:_SEARCHED] for prefix in _prefixes_of(folder, name))
    return counts.most_common(1)[0][0] if counts else ""


def _prefixes_of(folder: Path, name: str) -> Iterator[str]:
    """Yield the shortest start of a name without which the file exists: folders, or the rest of a URL up to ``=``."""
    for end, character in enumerate(name, start=1):
        if character in "/=" and name[end:] and not name[end:].startswith("/") and (folder / name[end:]).is_file():
            yield name[:end]
            return


def only_crowds(path: Path, objects: int, crowds: int) -> list[Fault]:
    """Return a fault if all objects of a data set are crowds, which no training learns from."""
    if not crowds or objects > crowds:
        return []
    every = f"all {crowds} annotations are crowds" if crowds > 1 else "the only annotation is a crowd"
    return [Fault("only_crowds", str(path), f"{every} (iscrowd 1), as tools write brush masks")]


class _Attributes(msgspec.Struct, gc=False):
    attributes: Raw = Raw()


def brush_crowds(coco: Coco) -> list[Fault]:
    """Return a fault if some annotations, not all, are crowds with the member ``attributes``.

    CVAT writes it, and makes each brush mask a crowd; those of COCO do not have it. If all are crowds, see
    `only_crowds`.
    """
    table, decoder = coco.annotations, msgspec.json.Decoder(_Attributes)
    crowds = np.flatnonzero(table.crowd).tolist()
    brushed = sum(bool(bytes(decoder.decode(table.raw[row]).attributes)) for row in crowds)
    if not brushed or len(crowds) == len(table.raw):
        return []
    verb = "are crowds" if brushed > 1 else "is a crowd"
    what = f"{brushed} of {len(table.raw)} annotations {verb} (iscrowd 1) with attributes, as CVAT writes brush masks"
    return [Fault("only_crowds", str(coco.path), what)]


def duplicate_categories(coco: Coco, rows: Iterable[int] | None = None) -> list[Fault]:
    """Return a fault for each name that several categories have; with `rows`, of these only."""
    names = [coco.categories[row].name for row in (range(len(coco.categories)) if rows is None else rows)]
    return [
        Fault("duplicate_category", f"category {group[0]!r}", same_name(group, "categories"))
        for group in spellings(names)
    ]


def root_category(categories: Sequence[Category]) -> Category | None:
    """Return the category that contains all others, as Roboflow writes it; None if there is no such category.

    It has the first id, the supercategory ``none``, and its name is the supercategory of all others.
    """
    if not categories:
        return None
    first, *others = sorted(categories, key=lambda category: category.id)
    if first.supercategory == "none" and others and all(one.supercategory == first.name for one in others):
        return first
    return None
