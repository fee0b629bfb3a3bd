"""Find the masks of each image by name."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segdata.errors import Fault, InvalidInputError
from segdata.files.paths import normal
from segdata.images.header import IMAGE_SUFFIXES, LOSSY_SUFFIXES
from segdata.sources.finder import files_below
from segdata.sources.instance_masks.values import MASK_SUFFIXES
from segdata.sources.pairing import Naming

#: The file that belongs to a mask.
_SAME = "one of the same name in the same subfolder"

#: Folders that are not named after an image.
_GENERAL = ("masks", "images")


@dataclass(frozen=True)
class MaskedImage:
    """An image and its masks.

    Attributes:
        image: the image.
        masks: each mask, with the folder that names its category, or an empty text.
        class_mask: mask of its classes, if they are in another folder.
    """

    image: Path
    masks: tuple[tuple[Path, str], ...]
    class_mask: Path | None = None


@dataclass(frozen=True)
class Names:
    """Rules by which files are paired.

    Attributes:
        mask: what is removed from the names of masks, such as ``_masks``.
        image: the same for images.
        class_folders: whether the first folder in the path of a mask is its category.
        mask_folders: whether the folder of masks has the name of their image; see `_image_of`.
    """

    mask: Naming
    image: Naming
    class_folders: bool
    mask_folders: bool = False


def pair_masks(
    masks: Sequence[Path],
    images: Path,
    class_masks: Path | None,
    names: Names,
    faults: list[Fault],
    left_out: Counter[str],
) -> list[MaskedImage]:
    """Return the images that have masks, sorted by name.

    The name of a mask is its path below its folder, or the file name of a single file, without the suffix.

    Args:
        masks: a folder of masks, or files.
        images: folder of the images.
        class_masks: folder of masks of classes.
        names: how files are paired.
        faults: list to append masks without an image to, and names that several files have.
        left_out: counts images without a mask, and masks without the prefix or the suffix.

    Raises:
        InvalidInputError: when there are no masks.
    """
    found: dict[str, list[tuple[Path, str]]] = {}
    for folder in masks:
        for path in files_below(folder, MASK_SUFFIXES) if folder.is_dir() else [folder]:
            relative = path.relative_to(folder) if folder.is_dir() else Path(path.name)
            category, key = _key(relative, names.mask, names.class_folders)
            if not key:
                left_out[f"masks not named {names.mask.prefix}*{names.mask.suffix}"] += 1
            elif key := _image_of(normal(path)) if names.mask_folders else key:
                found.setdefault(key, []).append((normal(path), category))
    if not found:
        name = f"{names.mask.prefix}NAME{names.mask.suffix}{MASK_SUFFIXES[0]}"
        raise InvalidInputError(
            f"{masks[0]}: contains no masks; expected files such as {name}, or TIFF or NPY{_lossy_cure(masks[0])}"
        )
    taken = {path for pairs in found.values() for path, _ in pairs}
    pictures = _by_key(images, IMAGE_SUFFIXES, names.image, taken, inner=not names.mask_folders)
    classes = _by_key(class_masks, MASK_SUFFIXES, Naming(), set()) if class_masks else {}
    left_out["images without a mask"] += len(pictures.keys() - found.keys())
    paired = []
    for key, pairs in sorted(found.items()):
        candidates = pictures.get(key, [])
        class_files = classes.get(key, [])
        if len(candidates) != 1:
            expected = f"one named {key}" if names.mask_folders else _SAME
            if not names.mask_folders and Path(key).name in pictures:
                expected += ". If the folder is the class of the objects, use --class-folders."
            faults.append(_unpaired(pairs[0][0], "image", candidates, images, expected))
        elif len({category for _, category in pairs}) < len(pairs) and not names.mask_folders:
            files = ", ".join(str(path) for path, _ in pairs)
            faults.append(Fault("duplicate_image", key, f"has several masks: {files}; expected one"))
        elif class_masks and len(class_files) != 1:
            faults.append(_unpaired(pairs[0][0], "mask of classes", class_files, class_masks))
        else:
            paired.append(
                MaskedImage(candidates[0], tuple(dict.fromkeys(pairs)), class_files[0] if class_files else None)
            )
    return paired


def _lossy_cure(folder: Path) -> str:
    """Return what to do if a folder has masks in formats that change values; empty if it has none."""
    if not folder.is_dir() or not files_below(folder, LOSSY_SUFFIXES):
        return ""
    return (
        ". JPEG and WebP change ids: export the masks in another format, or make masks of black and white ones with "
        f"segdata mask-map {shlex.quote(str(folder))} --threshold 128 --dst_path NEW, and convert NEW with "
        "--components --class_names NEW/classes.txt."
    )


def _unpaired(mask: Path, what: str, files: Sequence[Path], folder: Path, expected: str = _SAME) -> Fault:
    if files:
        return Fault("duplicate_image", str(mask), f"has several files as {what}: {', '.join(map(str, files))}")
    return Fault("missing_image", str(mask), f"has no {what} in {folder}; expected {expected}")


def _by_key(
    folder: Path, suffixes: Sequence[str], naming: Naming, taken: set[Path], *, inner: bool = True
) -> dict[str, list[Path]]:
    """Return files by their path below `folder` or, unless `inner`, by their name alone, without prefix and suffix."""
    found: dict[str, list[Path]] = {}
    for path in files_below(folder, suffixes):
        _, key = _key(path.relative_to(folder) if inner else Path(path.name), naming, False)
        if key and normal(path) not in taken:
            found.setdefault(key, []).append(normal(path))
    return found


def _key(relative: Path, naming: Naming, class_folder: bool) -> tuple[str, str]:
    """Return the category and the name of a file; no name if it does not have the prefix and the suffix."""
    category = relative.parts[0] if class_folder and len(relative.parts) > 1 else ""
    inner = relative.relative_to(category) if category else relative
    stem = naming.stem(inner)
    return category, (inner.parent / stem).as_posix() if stem else ""


def _image_of(mask: Path) -> str:
    """Return the name of the image whose masks a folder contains; empty if the file itself is this image.

    It is the nearest folder that does not have a general name.

    >>> _image_of(Path("set/7b/masks/1.png")), _image_of(Path("masks/7b/1.png")), _image_of(Path("7b/images/7b.png"))
    ('7b', '7b', '')
    """
    name = next((part for part in reversed(mask.parts[:-1]) if part not in _GENERAL), "")
    return name if name != mask.stem else ""
