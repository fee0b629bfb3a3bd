"""Check the headers of the image files that a COCO file names, and copy or link the files."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from segdata.coco.file import Image
from segdata.errors import Fault, InvalidInputError, SegDataError
from segdata.files import resolve
from segdata.images.header import IMAGE_SUFFIXES
from segdata.images.reading import read_image_header
from segdata.parallel import Progress, ordered_map

Media = Literal["copy", "hardlink", "symlink", "none"]

#: Pillow's modes with a single channel that is not a palette index.
GRAY_MODES = ("1", "L", "I;16", "I", "F")


@dataclass(frozen=True)
class MediaCheck:
    """Result of checking one image file: a fault, or its stored size and anything unusual about it.

    Attributes:
        size: height and width as stored, in pixels; zeros if it was not read.
        fault: why the file cannot be used; None if it can.
        gray: whether it has a single channel.
        turned: whether its EXIF orientation is not 1.
    """

    size: tuple[int, int] = (0, 0)
    fault: Fault | None = None
    gray: bool = False
    turned: bool = False


def check_medium(folder: Path, image: Image) -> MediaCheck:
    """Check the header of an image file in `folder`, and its size against the JSON; return faults, never raise them."""
    try:
        header = read_image_header(resolve(folder, image.file_name))
    except InvalidInputError as error:
        return MediaCheck(fault=Fault(error.code, image.file_name, str(error)))
    given = (image.width or header.width, image.height or header.height)
    if given != (header.width, header.height):
        turned = f" (EXIF orientation {header.orientation})" if header.orientation != 1 else ""
        sizes = f"{header.size} pixels{turned}, but {given[0]} x {given[1]} in the JSON"
        return MediaCheck(fault=Fault("size_mismatch", image.file_name, sizes))
    return MediaCheck(
        size=(header.height, header.width),
        gray=header.mode in GRAY_MODES,
        turned=header.orientation != 1,
    )


def check_media(folder: Path, images: Sequence[Image], *, workers: int, progress: Progress) -> list[MediaCheck]:
    """Run `check_medium` on each image."""
    with progress(total=len(images), label="images") as advance:
        checks = []
        for check in ordered_map(partial(check_medium, folder), images, workers=workers):
            advance(1)
            checks.append(check)
    return checks


def check_names(folder: Path, images: Iterable[Image]) -> list[MediaCheck]:
    """Check that image names do not point outside `folder`; the files need not exist."""
    fine = MediaCheck()
    return [_name_fault(folder, image) or fine for image in images]


def _name_fault(folder: Path, image: Image) -> MediaCheck | None:
    try:
        resolve(folder, image.file_name)
    except InvalidInputError as error:
        return MediaCheck(fault=Fault(error.code, image.file_name, str(error)))
    return None


def place_images(
    folder: Path, target: Path, names: Sequence[str], media: Media, *, workers: int, progress: Progress
) -> None:
    """Copy or link the files `names` from `folder` to `target`, sub-folders included; their bytes do not change.

    Raises:
        SegDataError: when hard links are requested and the file system does not support them.
    """
    with progress(total=len(names), label=media) as advance:
        for _ in ordered_map(partial(_place, folder.resolve(), target, media), names, workers=workers):
            advance(1)


def _place(folder: Path, target: Path, media: Media, name: str) -> None:
    # Resolved, so that a link points to the image itself and not to another link.
    source, destination = resolve(folder, name).resolve(), resolve(target, name)
    destination.parent.mkdir(parents=True, exist_ok=True)
    if media == "copy":
        shutil.copyfile(source, destination)
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
