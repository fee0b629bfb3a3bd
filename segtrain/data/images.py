"""Find and read unlabeled images, given as a directory, an image list or a single file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from segdata.errors import FaultsError, InvalidInputError, OptionError
from segdata.files.paths import names_by_stem, resolve
from segdata.images.header import IMAGE_SUFFIXES
from segdata.images.reading import MAX_PAGE_MB, read_image, to_rgb
from segdata.images.tiff import open_stack
from segdata.images.values import ValueRange
from segdata.text import plural, text_lines
from segtrain.data.arrays import RgbImage

#: Extensions of files that may contain several images.
_STACKS = (".tif", ".tiff")


@dataclass(frozen=True)
class Page:
    """A page of a multi-page TIFF; `index` counts from 0."""

    path: Path
    index: int

    def __str__(self) -> str:
        return f"{self.path.name}, page {self.index}"

    @property
    def name(self) -> str:
        """Base name of the results for this page."""
        return f"{self.path.stem}_{self.index:04d}"


def image_paths(images: Path, data_root: Path | None = None) -> dict[str, Path | Page]:
    """Return the images in `images` by file name without the extension.

    A directory yields its images, sorted by name. A file with an image extension yields itself. Any other file is an
    image list with one path per line, and yields its images in the order of the list. A label path after the image
    path, as in a list file, is ignored. A path with spaces must be alone on its line or end at a TAB.

    A multi-page TIFF yields all of its pages, named ``NAME_0007`` and numbered from 0.

    Args:
        images: directory, image list or image.
        data_root: folder that the paths in an image list are relative to; by default, the list's folder.

    Raises:
        InvalidInputError: when there is no image.
        OptionError: when `data_root` is given without an image list.
        FaultsError: when two images have the same file name, or a path in the list is outside the root.
    """
    if images.is_file() and images.suffix.lower() not in IMAGE_SUFFIXES:
        return _by_stem(images, _listed(images, data_root or images.parent))
    if data_root:
        raise OptionError(f"{images}: not an image list; data_root applies to image lists only")
    if images.is_file():
        return _by_stem(images, [images])
    if not images.is_dir():
        raise InvalidInputError(f"{images}: no such file or directory")
    found = names_by_stem(images, IMAGE_SUFFIXES)
    if not found:
        raise InvalidInputError(f"{images}: contains no images; expected files ending in {', '.join(IMAGE_SUFFIXES)}")
    return _by_stem(images, (images / name for names in found.values() for name in names))


def is_stack(paths: Mapping[str, Path | Page]) -> bool:
    """Return whether all images are pages of one multi-page TIFF."""
    files = {path.path if isinstance(path, Page) else None for path in paths.values()}
    return len(files) == 1 and None not in files


def shown(path: Path | Page) -> str:
    """Return how faults name an image: by its file name without the folder, which may be a copy."""
    return path.name if isinstance(path, Path) else str(path)


def read_images(
    paths: Mapping[str, Path | Page], faults: list[str], value_range: ValueRange | None
) -> Iterator[tuple[str, RgbImage | None]]:
    """Yield the name and pixels of each image; if reading fails, add a fault and yield None as the pixels.

    See `segdata.images.reading.read_image`; `value_range` is that of the training set.
    """
    for name, path in paths.items():
        try:
            yield name, read_image(path, value_range) if isinstance(path, Path) else _read_page(path, value_range)
        except InvalidInputError as error:
            faults.append(f"{shown(path)}: {error}")
            yield name, None
        except OSError as error:
            faults.append(f"{shown(path)}: {error.strerror}")
            yield name, None


def _listed(path: Path, root: Path) -> list[Path]:
    paths, outside = [], []
    for _, line in text_lines(path):
        try:
            paths.append(resolve(root, _image_of(line)))
        except InvalidInputError as error:
            outside.append(str(error))
    if outside:
        raise FaultsError(f"{path}: {plural(len(outside), 'invalid path')}", outside)
    if not any(image.suffix.lower() in IMAGE_SUFFIXES for image in paths):
        raise InvalidInputError(f"{path}: contains no image paths; expected one per line, such as images/1.jpg")
    return paths


def _image_of(line: str) -> str:
    """Return the image path in a line; a label can follow only if the first word has an image extension."""
    first = line.split("\t" if "\t" in line else None, 1)[0].strip()
    return first if "\t" in line or first.lower().endswith(IMAGE_SUFFIXES) else line


def _by_stem(source: Path, paths: Iterable[Path]) -> dict[str, Path | Page]:
    by_stem: dict[str, list[Path]] = {}
    for path in paths:
        by_stem.setdefault(path.stem, []).append(path)
    if clashes := [" and ".join(map(str, same)) for same in by_stem.values() if len(same) > 1]:
        raise FaultsError(
            f"{source}: {plural(len(clashes), 'duplicate file name')}, extensions aside; "
            "expected unique names, as results are named after them",
            clashes,
        )
    return {name: image for stem, same in by_stem.items() for name, image in _pages(stem, same[0])}


def _pages(name: str, path: Path) -> Iterator[tuple[str, Path | Page]]:
    """Yield the images in a file with their names."""
    number = 1
    if path.suffix.lower() in _STACKS:
        try:
            with open_stack(path, max_page_mb=MAX_PAGE_MB) as stack:
                number = len(stack)
        except (InvalidInputError, OSError):
            # The fault is reported when the file is read.
            pass
    if number == 1:
        yield name, path
    else:
        for page in (Page(path, index) for index in range(number)):
            yield page.name, page


def _read_page(page: Page, value_range: ValueRange | None) -> RgbImage:
    """Return a page as `read_image` returns an image."""
    with open_stack(page.path, max_page_mb=MAX_PAGE_MB) as stack:
        return to_rgb(stack.read_page(page.index, stack.form(page.index)), value_range)
