"""Images without labels: which ones a directory, an image list or a single file names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from segdata.errors import FaultsError, InvalidInputError, OptionError
from segdata.files import names_by_stem, resolve
from segdata.image_header import IMAGE_SUFFIXES
from segdata.lists import text_lines


def image_paths(images: Path, data_root: Path | None = None) -> dict[str, Path]:
    """Return the images that `images` names, each under its file name without the ending.

    A directory gives the images in it, by name; a file with the ending of an image gives itself; every other file is
    an image list, one path a line, in its order. A label path behind it, as in a list file, is not looked at. A path
    with white space stands alone in its line or ends at a TAB.

    Args:
        images: directory, image list or image.
        data_root: what the paths of an image list are relative to; the list's folder by default.

    Raises:
        InvalidInputError: when there is no image.
        OptionError: when `data_root` is given without a list.
        FaultsError: when two images have the same file name, or a path of the list leaves its root.
    """
    if images.is_file() and images.suffix.lower() not in IMAGE_SUFFIXES:
        return _by_stem(images, _listed(images, data_root or images.parent))
    if data_root:
        raise OptionError(f"{images} is no image list, which has no use for data_root")
    if images.is_file():
        return {images.stem: images}
    if not images.is_dir():
        raise InvalidInputError(f"{images}: no such file or directory")
    found = names_by_stem(images, IMAGE_SUFFIXES)
    if not found:
        raise InvalidInputError(f"{images}: no image in it (looked for {', '.join(IMAGE_SUFFIXES)})")
    return _by_stem(images, (images / name for names in found.values() for name in names))


def _listed(path: Path, root: Path) -> list[Path]:
    paths, outside = [], []
    for _, line in text_lines(path):
        try:
            paths.append(resolve(root, _image_of(line)))
        except InvalidInputError as error:
            outside.append(str(error))
    if outside:
        raise FaultsError(f"{path}: {len(outside)} paths cannot be followed", outside)
    if not any(image.suffix.lower() in IMAGE_SUFFIXES for image in paths):
        raise InvalidInputError(f"{path}: no image path in it; expected one a line, such as images/1.jpg")
    return paths


def _image_of(line: str) -> str:
    """Return the image path of a line; what follows is a label only where the first word is an image by its ending."""
    first = line.split("\t" if "\t" in line else None, 1)[0].strip()
    return first if "\t" in line or first.lower().endswith(IMAGE_SUFFIXES) else line


def _by_stem(source: Path, paths: Iterable[Path]) -> dict[str, Path]:
    by_stem: dict[str, list[Path]] = {}
    for path in paths:
        by_stem.setdefault(path.stem, []).append(path)
    if clashes := [" and ".join(map(str, same)) for same in by_stem.values() if len(same) > 1]:
        raise FaultsError(f"{source}: results of {len(clashes)} images would have the same name", clashes)
    return {stem: same[0] for stem, same in by_stem.items()}
