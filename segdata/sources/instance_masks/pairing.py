"""Find the masks of each image by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segdata.errors import Fault, InvalidInputError
from segdata.files.paths import normal
from segdata.images.header import IMAGE_SUFFIXES
from segdata.sources.finder import files_below
from segdata.sources.instance_masks.values import MASK_SUFFIXES


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
        mask_suffix: ending of the names of masks, such as ``_masks``.
        image_suffix: ending of the names of images.
        class_folders: whether the first folder in the path of a mask is its category.
    """

    mask_suffix: str
    image_suffix: str
    class_folders: bool


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
        left_out: counts images without a mask, and masks without the suffix.

    Raises:
        InvalidInputError: when there are no masks.
    """
    found: dict[str, list[tuple[Path, str]]] = {}
    for folder in masks:
        for path in files_below(folder, MASK_SUFFIXES) if folder.is_dir() else [folder]:
            relative = path.relative_to(folder) if folder.is_dir() else Path(path.name)
            category, key = _key(relative, names.mask_suffix, names.class_folders)
            if key is None:
                left_out[f"masks not named *{names.mask_suffix}"] += 1
            else:
                found.setdefault(key, []).append((normal(path), category))
    if not found:
        ending = f"{names.mask_suffix}{MASK_SUFFIXES[0]}"
        raise InvalidInputError(f"{masks[0]}: contains no masks; expected files such as NAME{ending}, or TIFF or NPY")
    taken = {path for pairs in found.values() for path, _ in pairs}
    pictures = _by_key(images, IMAGE_SUFFIXES, names.image_suffix, taken)
    classes = _by_key(class_masks, MASK_SUFFIXES, "", set()) if class_masks else {}
    left_out["images without a mask"] += len(pictures.keys() - found.keys())
    paired = []
    for key, pairs in sorted(found.items()):
        candidates = pictures.get(key, [])
        class_files = classes.get(key, [])
        if len(candidates) != 1:
            faults.append(_unpaired(pairs[0][0], "image", candidates, images))
        elif len({category for _, category in pairs}) < len(pairs):
            files = ", ".join(str(path) for path, _ in pairs)
            faults.append(Fault("duplicate_image", key, f"has several masks: {files}; expected one"))
        elif class_masks and len(class_files) != 1:
            faults.append(_unpaired(pairs[0][0], "mask of classes", class_files, class_masks))
        else:
            paired.append(MaskedImage(candidates[0], tuple(pairs), class_files[0] if class_files else None))
    return paired


def _unpaired(mask: Path, what: str, files: Sequence[Path], folder: Path) -> Fault:
    if files:
        return Fault("duplicate_image", str(mask), f"has several files as {what}: {', '.join(map(str, files))}")
    expected = "expected one of the same name in the same subfolder"
    return Fault("missing_image", str(mask), f"has no {what} in {folder}; {expected}")


def _by_key(folder: Path, suffixes: Sequence[str], suffix: str, taken: set[Path]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in files_below(folder, suffixes):
        _, key = _key(path.relative_to(folder), suffix, False)
        if key is not None and normal(path) not in taken:
            found.setdefault(key, []).append(normal(path))
    return found


def _key(relative: Path, suffix: str, class_folder: bool) -> tuple[str, str | None]:
    """Return the category and the name of a file; no name if it does not end in the suffix."""
    category = relative.parts[0] if class_folder and len(relative.parts) > 1 else ""
    inner = relative.relative_to(category) if category else relative
    if not inner.stem.endswith(suffix):
        return category, None
    return category, inner.with_name(inner.stem[: len(inner.stem) - len(suffix)] or inner.name).as_posix()
