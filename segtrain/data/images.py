"""Find and read images to segment, given as a directory, an image list, a single file, a record set or a COCO JSON."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import TypeAlias

from segdata.dataset import Dataset
from segdata.errors import FaultsError, InvalidInputError, OptionError
from segdata.files.paths import names_by_stem, resolve
from segdata.images.header import GIF_SUFFIX, READ_SUFFIXES
from segdata.images.reading import MAX_PAGE_MB, read_image, to_rgb
from segdata.images.tiff import open_stack
from segdata.images.values import ValueRange
from segdata.opening import dataset_kind, open_dataset
from segdata.text import plural, text_lines
from segtrain.data.arrays import RgbImage

#: Extensions of files that may contain several images.
TIFF_SUFFIXES = (".tif", ".tiff")


@dataclass(frozen=True)
class Page:
    """A page of a multi-page TIFF; `index` counts from 0."""

    path: Path
    index: int

    def __str__(self) -> str:
        return f"{self.path.name}, page {self.index}"


@dataclass(frozen=True)
class Recorded:
    """Image `row` of a record set or COCO JSON, which calls it `name`."""

    dataset: Dataset
    row: int
    name: str

    def __str__(self) -> str:
        return self.name


#: Where an image is.
Source: TypeAlias = "Path | Page | Recorded"


def image_paths(images: Path, data_root: Path | None = None, *, recursive: bool = False) -> dict[str, Source]:
    """Return the images in `images` by file name without the extension.

    A directory yields its images, sorted by name. A file with an image extension yields itself. Any other file is an
    image list with one path per line, and yields its images in the order of the list. A label path after the image
    path, as in a list file, is ignored. A path with spaces must be alone on its line or end at a TAB.

    A multi-page TIFF yields all of its pages, named ``NAME_0007`` and numbered from 0. A record set and a COCO JSON
    yield their images, in order.

    Args:
        images: directory, image list, image, record set or COCO JSON.
        data_root: folder that the paths in an image list or COCO JSON are relative to; by default, the list's folder,
            or the image folder of the JSON (see `segdata.open_dataset`).
        recursive: also find the images in the subfolders of a directory, hidden ones aside. Their names begin with
            those of the folders: ``north/7`` for ``north/7.png``.

    Raises:
        InvalidInputError: when there is no image, or the record set or JSON cannot be opened.
        OptionError: when `data_root` is given without a list or JSON, or `recursive` without a directory of images.
        FaultsError: when two images have the same file name, or a path in the list is outside the root.
    """
    is_set = _is_set(images)
    if recursive and (is_set or not images.is_dir()):
        raise OptionError(f"{images}: not a directory of images, so --recursive has no effect. Leave it out.")
    if is_set:
        return _recorded(images, data_root)
    if images.is_file() and images.suffix.lower() not in READ_SUFFIXES:
        return _by_stem(images, _listed(images, data_root or images.parent))
    if data_root:
        raise OptionError(f"{images}: not an image list, so --data_root has no effect. Leave it out.")
    if images.is_file():
        return _by_stem(images, [images])
    if not images.is_dir():
        raise InvalidInputError(f"{images}: does not exist")
    folders = _folders(images) if recursive else [images]
    by_folder = {folder: names_by_stem(folder, READ_SUFFIXES) for folder in folders}
    found = [
        folder / name
        for folder, stems in by_folder.items()
        for names in stems.values()
        for name in _without_previews(names)
    ]
    if not found:
        where = "" if recursive else ". Use --recursive if they are in subfolders."
        endings = ", ".join(READ_SUFFIXES)
        raise InvalidInputError(f"{images}: contains no images; expected files ending in {endings}{where}")
    return _by_stem(images, found, images)


def _without_previews(names: Sequence[str]) -> Sequence[str]:
    """Drop GIFs beside another image of the same name, as `pair_list` does."""
    return [name for name in names if not name.lower().endswith(GIF_SUFFIX)] or names


def _is_set(path: Path) -> bool:
    """Return whether a path names a record set or a COCO JSON, not images."""
    if path.is_dir():
        return any(path.glob("*.mindrecord*"))
    return path.suffix.lower() == ".json" or ".mindrecord" in path.name


def _recorded(path: Path, images: Path | None) -> dict[str, Source]:
    """Return the images of a record set or COCO JSON by file name without folder and extension."""
    if images and dataset_kind(path) == "records":
        raise OptionError(f"{path}: a record set, so --data_root has no effect. Leave it out.")
    dataset = open_dataset(path, images=images)
    names = [name for name, _ in dataset.files()]
    if not names:
        raise InvalidInputError(f"{path}: contains no images")
    by_stem: dict[str, list[Source]] = {}
    for row, name in enumerate(names):
        by_stem.setdefault(PurePath(name).stem, []).append(Recorded(dataset, row, name))
    _check_unique(path, by_stem)
    return {stem: same[0] for stem, same in by_stem.items()}


def _folders(root: Path) -> list[Path]:
    """Return a folder and those below it, sorted; hidden ones and links are not entered."""
    found = []
    for folder, names, _ in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith("."))
        found.append(Path(folder))
    return found


def is_stack(paths: Mapping[str, Source]) -> bool:
    """Return whether all images are pages of one multi-page TIFF."""
    files = {path.path if isinstance(path, Page) else None for path in paths.values()}
    return len(files) == 1 and None not in files


def file_name(name: str, source: Source) -> str:
    """Return the file name of an image, with its subfolder, if any, but without the folder that was given."""
    if isinstance(source, Recorded):
        return source.name
    path = source.path if isinstance(source, Page) else source
    return (PurePosixPath(name).parent / path.name).as_posix()


def shown(name: str, source: Source) -> str:
    """Return how faults name an image: by its file name and page."""
    return f"{file_name(name, source)}, page {source.index}" if isinstance(source, Page) else file_name(name, source)


def read_images(
    paths: Mapping[str, Source], faults: list[str], value_range: ValueRange | None
) -> Iterator[tuple[str, RgbImage | None]]:
    """Yield the name and pixels of each image; if reading fails, add a fault and yield None as the pixels.

    See `segdata.images.reading.read_image`; `value_range` is that of the training set.
    """
    for name, source in paths.items():
        try:
            yield name, _read(source, value_range)
        except InvalidInputError as error:
            faults.append(f"{shown(name, source)}: {error}")
            yield name, None
        except OSError as error:
            faults.append(f"{shown(name, source)}: {error.strerror}")
            yield name, None


def _read(source: Source, value_range: ValueRange | None) -> RgbImage:
    if isinstance(source, Path):
        return read_image(source, value_range)
    if isinstance(source, Page):
        return _read_page(source, value_range)
    (sample,) = source.dataset.samples([source.row])
    return replace(sample, value_range=value_range).read_image()


def _listed(path: Path, root: Path) -> list[Path]:
    paths, outside = [], []
    for _, line in text_lines(path):
        try:
            paths.append(resolve(root, _image_of(line)))
        except InvalidInputError as error:
            outside.append(str(error))
    if outside:
        raise FaultsError(f"{path}: {plural(len(outside), 'invalid path')}", outside)
    if not any(image.suffix.lower() in READ_SUFFIXES for image in paths):
        raise InvalidInputError(f"{path}: contains no image paths; expected one per line, such as images/1.jpg")
    return paths


def _image_of(line: str) -> str:
    """Return the image path in a line; a label can follow only if the first word has an image extension."""
    first = line.split("\t" if "\t" in line else None, 1)[0].strip()
    return first if "\t" in line or first.lower().endswith(READ_SUFFIXES) else line


def _by_stem(source: Path, paths: Iterable[Path], root: Path | None = None) -> dict[str, Source]:
    """Return the images by file name without the extension; with `root`, by their path below it."""
    by_name: dict[str, list[Source]] = {}
    for path in paths:
        stem = path.relative_to(root).with_suffix("").as_posix() if root else path.stem
        # The pages of a stack have names of their own, which other images may have, too.
        for name, image in _pages(stem, path):
            by_name.setdefault(name, []).append(image)
    _check_unique(source, by_name)
    return {name: same[0] for name, same in by_name.items()}


def _check_unique(source: Path, by_name: Mapping[str, Sequence[object]]) -> None:
    if clashes := [" and ".join(map(str, same)) for same in by_name.values() if len(same) > 1]:
        raise FaultsError(
            f"{source}: {plural(len(clashes), 'duplicate file name')}, extensions aside; "
            "expected unique names, as results are named after them. Rename the files, or use --recursive with their "
            "directory if they are in different subfolders",
            clashes,
        )


def _pages(name: str, path: Path) -> Iterator[tuple[str, Source]]:
    """Yield the images in a file with their names."""
    number = 1
    if path.suffix.lower() in TIFF_SUFFIXES:
        try:
            with open_stack(path, max_page_mb=MAX_PAGE_MB) as stack:
                number = len(stack)
        except (InvalidInputError, OSError):
            # The fault is reported when the file is read.
            pass
    if number == 1:
        yield name, path
    else:
        for index in range(number):
            yield f"{name}_{index:04d}", Page(path, index)


def _read_page(page: Page, value_range: ValueRange | None) -> RgbImage:
    """Return a page as `read_image` returns an image."""
    with open_stack(page.path, max_page_mb=MAX_PAGE_MB) as stack:
        return to_rgb(stack.read_page(page.index, stack.form(page.index)), value_range)
