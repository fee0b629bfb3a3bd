"""Check the headers of the image files that a COCO file names, and copy or link the files."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from segdata.coco.file import Image
from segdata.coco.hints import prefix_hint
from segdata.encoded import File
from segdata.errors import Fault, SegDataError, collecting
from segdata.files.paths import copy_file, resolve
from segdata.images.header import IMAGE_SUFFIXES, check_size
from segdata.images.reading import read_image_header
from segdata.parallel import Progress, map_faults, progress_map

#: Means by which image files get into the target: copies, links, or none.
Media = Literal["copy", "hardlink", "symlink", "none"]


@dataclass(frozen=True)
class Medium:
    """A usable image file: its stored size and what is unusual about it.

    Attributes:
        size: height and width as stored, in pixels; zeros if it was not read.
        gray: whether it is gray, also with alpha.
        turned: whether its EXIF orientation is not 1.
    """

    size: tuple[int, int] = (0, 0)
    gray: bool = False
    turned: bool = False


def read_medium(folder: Path, image: Image) -> Medium:
    """Read the header of an image file in `folder`, and compare its size with the JSON.

    Raises:
        InvalidInputError: when the file cannot be used.
    """
    header = read_image_header(File(folder, image.file_name).find())
    check_size(header.shape, (image.height, image.width), "the JSON says", orientation=header.orientation)
    return Medium(header.shape, gray=header.bands == 1, turned=header.orientation != 1)


def check_media(
    folder: Path, images: Mapping[int, Image], faults: list[Fault], *, workers: int, progress: Progress
) -> dict[int, Medium]:
    """Run `read_medium` on each image; return the usable ones and append the faults of the others."""
    own: list[Fault] = []
    found = map_faults(
        partial(_read_numbered, partial(read_medium, folder)),
        images.items(),
        own,
        name=_file_name,
        total=len(images),
        label="images",
        progress=progress,
        workers=workers,
    )
    usable = dict(found)
    faults += [*prefix_hint(folder, own, len(images)), *own]
    return usable


def check_names(folder: Path, images: Mapping[int, Image], faults: list[Fault]) -> dict[int, Medium]:
    """Check that image names do not point outside `folder`, as `check_media`; the files need not exist."""
    found = {}
    for row, image in images.items():
        with collecting(faults, image.file_name):
            resolve(folder, image.file_name)
            found[row] = Medium()
    return found


def _read_numbered(read: Callable[[Image], Medium], item: tuple[int, Image]) -> tuple[int, Medium]:
    return item[0], read(item[1])


def _file_name(item: tuple[int, Image]) -> str:
    return item[1].file_name


def place_images(
    folder: Path, target: Path, names: Sequence[str], media: Media, *, workers: int, progress: Progress
) -> None:
    """Copy or link the files `names` from `folder` to `target`, subfolders included; their bytes do not change.

    Raises:
        SegDataError: when hard links are requested and the file system does not support them.
    """
    place = partial(_place, folder.resolve(), target, media)
    deque(progress_map(place, names, total=len(names), label=media, progress=progress, workers=workers), maxlen=0)


def _place(folder: Path, target: Path, media: Media, name: str) -> None:
    # Resolved, so that a link points to the image itself and not to another link.
    source, destination = resolve(folder, name).resolve(), resolve(target, name)
    destination.parent.mkdir(parents=True, exist_ok=True)
    if media == "copy":
        copy_file(source, destination)
    elif media == "symlink":
        destination.symlink_to(source)
    else:
        _hardlink(source, destination)


def _hardlink(source: Path, destination: Path) -> None:
    try:
        os.link(source, destination)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise SegDataError(
                f"{source}: cannot be hard-linked to another file system. Use --media copy or --media symlink."
            ) from error
        raise SegDataError(
            f"{source}: cannot be hard-linked ({error.strerror}). Use --media copy or --media symlink."
        ) from error


def count_unknown_files(folder: Path, images: Iterable[Image]) -> int:
    """Return the number of image files below `folder` that `images` does not name."""
    known = {os.path.normpath(image.file_name) for image in images}
    return sum(
        os.path.relpath(Path(parent, name), folder) not in known
        for parent, _, names in os.walk(folder)
        for name in names
        if Path(name).suffix.lower() in IMAGE_SUFFIXES
    )
