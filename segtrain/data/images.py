"""Images without labels: which ones a directory, an image list or a single file names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segdata.errors import FaultsError, InvalidInputError, OptionError
from segdata.files import names_by_stem, resolve
from segdata.images import IMAGE_SUFFIXES
from segdata.sources.tif.pages import open_stack
from segdata.sources.tif.values import encode_png
from segdata.text import text_lines
from segtrain.data.arrays import RgbImage, decode_image

#: Endings of files that may hold several images, and the megabytes from which a page is refused before it is read.
_STACKS, _MAX_PAGE_MB = (".tif", ".tiff"), 1024


@dataclass(frozen=True)
class Page:
    """A page, from 0, of a multi-page TIFF."""

    path: Path
    index: int

    def __str__(self) -> str:
        return f"{self.path}, page {self.index}"

    @property
    def name(self) -> str:
        """What results of this page are called."""
        return f"{self.path.stem}_{self.index:04d}"


def image_paths(images: Path, data_root: Path | None = None) -> dict[str, Path | Page]:
    """Return the images that `images` names, each under its file name without the ending.

    A TIFF of several pages gives them all, as ``NAME_0007``, numbered from 0.

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
        return _by_stem(images, [images])
    if not images.is_dir():
        raise InvalidInputError(f"{images}: no such file or directory")
    found = names_by_stem(images, IMAGE_SUFFIXES)
    if not found:
        raise InvalidInputError(f"{images}: no image in it (looked for {', '.join(IMAGE_SUFFIXES)})")
    return _by_stem(images, (images / name for names in found.values() for name in names))


def is_stack(paths: Mapping[str, Path | Page]) -> bool:
    """Return whether all images are pages of one multi-page TIFF."""
    files = {path.path if isinstance(path, Page) else None for path in paths.values()}
    return len(files) == 1 and None not in files


def read_images(paths: Mapping[str, Path | Page], faults: list[str]) -> Iterator[tuple[str, RgbImage | None]]:
    """Yield name and pixels of each image, or None where a fault was noted instead."""
    for name, path in paths.items():
        try:
            yield name, decode_image(path.read_bytes() if isinstance(path, Path) else _encoded(path))
        except InvalidInputError as error:
            faults.append(f"{path}: {error}")
            yield name, None
        except OSError as error:
            faults.append(f"{path}: {error.strerror}")
            yield name, None


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


def _by_stem(source: Path, paths: Iterable[Path]) -> dict[str, Path | Page]:
    by_stem: dict[str, list[Path]] = {}
    for path in paths:
        by_stem.setdefault(path.stem, []).append(path)
    if clashes := [" and ".join(map(str, same)) for same in by_stem.values() if len(same) > 1]:
        raise FaultsError(f"{source}: results of {len(clashes)} images would have the same name", clashes)
    return {name: image for stem, same in by_stem.items() for name, image in _pages(stem, same[0])}


def _pages(name: str, path: Path) -> Iterator[tuple[str, Path | Page]]:
    """Yield the images of a file by their names."""
    number = 1
    if path.suffix.lower() in _STACKS:
        try:
            with open_stack(path, max_page_mb=_MAX_PAGE_MB) as stack:
                number = len(stack)
        except (InvalidInputError, OSError):
            # What is wrong with it is told when its turn comes.
            pass
    if number == 1:
        yield name, path
    else:
        for page in (Page(path, index) for index in range(number)):
            yield page.name, page


def _encoded(page: Page) -> bytes:
    """Return a page as the PNG that `segdata tif-slice` would make of it.

    Raises:
        InvalidInputError: when it is damaged, or has values that a PNG cannot hold.
    """
    with open_stack(page.path, max_page_mb=_MAX_PAGE_MB) as stack:
        pixels = stack.read(page.index, stack.form(page.index))
    if pixels.dtype not in (np.uint8, np.uint16):
        raise InvalidInputError(
            f"its values are {pixels.dtype}, expected uint8 or uint16; scale them first: segdata tif-slice --depth 8bit"
        )
    return encode_png(pixels)
