"""Pair your own images and labels, from two folders, by name."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from segdata.errors import Code, Fault, FaultsError, InvalidInputError, faults_at
from segdata.files.ownership import check_target_file
from segdata.files.paths import below, normal
from segdata.images.header import IMAGE_SUFFIXES, ImageHeader, check_size
from segdata.images.reading import read_image_header
from segdata.labels import png
from segdata.lists import Pair, write_list
from segdata.parallel import Progress, map_faults, silent
from segdata.text import plural

#: Label kind of an index PNG.
INDEX_KIND = "8-bit gray PNG"


_Names = dict[str, list[Path]]

#: Names of the kinds of fault in the headline.
_KINDS: dict[Code, str] = {
    "duplicate_image": "ambiguous names",
    "missing_label": "images without a label",
    "missing_image": "labels without an image",
    "size_mismatch": "pairs of different sizes",
}


@dataclass(frozen=True)
class FolderReport:
    """Report of `pair_list`.

    Attributes:
        list: path of the list.
        data_root: the folder that the paths in the list are relative to.
        samples: number of samples.
        labels: number of labels by kind (`INDEX_KIND`, ``"8-bit palette PNG"``, ``"TIFF L"``, …).
        left_out: number of files in both folders that are neither images nor labels, by extension.
        left_out_folders: subfolders that were not searched, because they link to a folder that was.
        written: false after a dry run.
    """

    list: str
    data_root: str
    samples: int
    labels: dict[str, int]
    left_out: dict[str, int]
    left_out_folders: tuple[str, ...]
    written: bool


def pair_list(
    images: Path,
    labels: Path,
    dst_path: Path,
    *,
    data_root: Path | None = None,
    image_suffix: str = "",
    label_suffix: str = "",
    recursive: bool = False,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> FolderReport:
    """Write a list of the images in one folder and their labels in another, sorted by name.

    An image and a label belong together when their paths within their folders match, apart from the suffixes. Sizes
    are compared by the files' headers; the pixels of labels are not checked.

    Args:
        images: folder of images.
        labels: folder of labels; may be the folder of images or a folder in it.
        dst_path: the list to write.
        data_root: the folder that the paths in the list are relative to; by default, the nearest one above both
            folders.
        image_suffix: ending of image names, with or without the file extension, such as ``_rgb`` or ``_rgb.png``,
            in upper or lower case. It is removed before pairing; files without it do not count as images. By default,
            only the extension is removed.
        label_suffix: the same for labels.
        recursive: also search sub-folders, also those that are links. A folder that can be reached by several paths is
            searched once, without a link if possible; hidden folders are not searched.
        overwrite: replace the list.
        dry_run: check everything, but write nothing.
        progress: reports progress.

    Raises:
        FaultsError: when folders cannot be read, images or labels have no counterpart, several files share a name,
            headers are damaged, or the sizes of a pair differ; names all at once. Nothing is written.
        InvalidInputError: when there are no images, no labels or no names in common.
        TargetExistsError: when the list already exists.
    """
    check_target_file(dst_path, overwrite=overwrite)
    images, labels = normal(images), normal(labels)
    root = normal(data_root) if data_root else Path(os.path.commonpath([images, labels]))
    image_files, skipped_images = _files(below(root, images), skip=labels, recursive=recursive)
    label_files, skipped_labels = _files(below(root, labels), skip=images, recursive=recursive)
    image_names = _by_name(images, image_files, image_suffix)
    label_names = _by_name(labels, label_files, label_suffix)
    if images == labels:
        image_names, label_names = _tell_apart(images, image_names, label_names, image_suffix, label_suffix)
    _check_common(images, image_names, labels, label_names)

    names = sorted({*image_names, *label_names})
    faults: list[Fault] = []
    files = ((image_names.get(name, []), label_names.get(name, [])) for name in names)
    matches = list(
        map_faults(
            partial(_match, root),
            files,
            faults,
            name=_first_name,
            total=len(names),
            label="pairs",
            progress=progress,
            workers=1,
        )
    )
    if faults:
        kinds = Counter(_KINDS.get(fault.code, "damaged files") for fault in faults).items()
        summary = ", ".join(f"{kind} ({count})" for kind, count in kinds)
        raise FaultsError(f"{plural(len(matches), 'valid pair')}, but also {summary}", faults)
    if not dry_run:
        write_list(dst_path, [match.pair for match in matches], overwrite=overwrite)
    used = {file for files in (*image_names.values(), *label_names.values()) for file in files}
    left_out = Counter(file.suffix.lower() or file.name for file in {*image_files, *label_files} - used)
    return FolderReport(
        list=str(dst_path),
        data_root=str(root),
        samples=len(matches),
        labels=dict(Counter(match.kind for match in matches).most_common()),
        left_out=dict(left_out.most_common()),
        left_out_folders=tuple(sorted({str(folder) for folder in (*skipped_images, *skipped_labels)})),
        written=not dry_run,
    )


def _files(folder: Path, *, skip: Path, recursive: bool) -> tuple[list[Path], list[Path]]:
    """Return the files of a folder, sorted, and the links to subfolders that were searched under another path.

    Hidden files and folders and the folder `skip` are left out.
    """
    if not folder.is_dir():
        raise InvalidInputError(f"{folder}: no such folder")
    search = _Search(folder, skip, recursive)
    if search.faults:
        raise FaultsError(f"{plural(len(search.faults), 'folder')} cannot be searched", sorted(search.faults, key=str))
    return sorted(search.files), search.repeated


class _Search:
    """Files of a folder and its subfolders, links last, so that a folder that links lead to keeps its own path."""

    def __init__(self, folder: Path, skip: Path, recursive: bool) -> None:
        self.files: list[Path] = []
        self.repeated: list[Path] = []
        self.faults: list[Fault] = []
        self._folders, self._links = deque([folder]), deque[Path]()
        seen: set[tuple[int, int]] = set()
        while self._folders or self._links:
            each = (self._folders or self._links).popleft()
            with self._reading(each):
                status = each.stat()
                if (status.st_dev, status.st_ino) in seen:
                    self.repeated.append(each)
                elif not seen or not (skip.exists() and each.samefile(skip)):
                    seen.add((status.st_dev, status.st_ino))
                    self._list(each, recursive)

    def _list(self, folder: Path, recursive: bool) -> None:
        with os.scandir(folder) as entries:
            for entry in sorted((entry for entry in entries if entry.name[0] != "."), key=lambda entry: entry.name):
                path = folder / entry.name
                with self._reading(path):
                    if not entry.is_dir():
                        self.files.append(path)
                    elif recursive:
                        (self._links if entry.is_symlink() else self._folders).append(path)

    @contextmanager
    def _reading(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.faults.append(Fault("unreadable", str(path), f"cannot be read: {error.strerror}"))


def _by_name(folder: Path, files: Sequence[Path], suffix: str) -> _Names:
    """Return the image files among `files` by their name for pairing: their path in `folder` without the suffix."""
    names: _Names = {}
    for file in files:
        stem = file.stem if not suffix else _without(file.name, suffix) or _without(file.stem, suffix)
        if stem and file.suffix.lower() in IMAGE_SUFFIXES:
            names.setdefault((file.parent / stem).relative_to(folder).as_posix(), []).append(file)
    return names


def _without(name: str, suffix: str) -> str:
    """Return `name` without `suffix`; empty if it does not end with it."""
    return name[: -len(suffix)] if name.lower().endswith(suffix.lower()) else ""


def _tell_apart(
    folder: Path, images: _Names, labels: _Names, image_suffix: str, label_suffix: str
) -> tuple[_Names, _Names]:
    """Drop from a folder's images the files that the label suffix marks as labels, or the reverse."""
    if image_suffix.lower() == label_suffix.lower():
        raise InvalidInputError(
            f"{folder}: contains both images and labels. Name the suffix of the labels with --label_suffix."
        )
    if not image_suffix:
        return _minus(images, labels), labels
    return (images, labels) if label_suffix else (images, _minus(labels, images))


def _minus(names: _Names, others: _Names) -> _Names:
    taken = {file for files in others.values() for file in files}
    rest = {name: [file for file in files if file not in taken] for name, files in names.items()}
    return {name: files for name, files in rest.items() if files}


def _check_common(image_folder: Path, images: _Names, label_folder: Path, labels: _Names) -> None:
    for what, folder, names in (("images", image_folder, images), ("labels", label_folder, labels)):
        if not names:
            raise InvalidInputError(
                f"{folder}: contains no {what}; expected files that end in {', '.join(IMAGE_SUFFIXES)} and have the "
                "given suffix, if any. Search sub-folders with --recursive."
            )
    if not images.keys() & labels.keys():
        raise InvalidInputError(
            f"no image and label have the same name: images are named like {next(iter(images))}, labels like "
            f"{next(iter(labels))}. Name the suffix in which they differ with --image_suffix or --label_suffix."
        )


@dataclass(frozen=True)
class _Match:
    pair: Pair
    kind: str


def _first_name(files: tuple[Sequence[Path], Sequence[Path]]) -> str:
    return str([*files[0], *files[1]][0])


def _match(root: Path, files: tuple[Sequence[Path], Sequence[Path]]) -> _Match:
    """Check the images and labels of one name.

    Raises:
        FaultsError: when they are not one image and its label.
    """
    images, labels = files
    relative = [file.relative_to(root).as_posix() for file in (*images, *labels)]
    if len(images) > 1 or len(labels) > 1:
        with faults_at("several files have the same name"):
            raise InvalidInputError(", ".join(relative), "duplicate_image")
    with faults_at(relative[0]):
        if not labels:
            raise InvalidInputError("no label", "missing_label")
        if not images:
            raise InvalidInputError("no image", "missing_image")
        image = read_image_header(images[0])
    with faults_at(relative[1]):
        label = read_image_header(labels[0])
        kind = _kind(labels[0], label)
    with faults_at(relative[0]):
        check_size(image.shape, label.shape, f"its label {relative[1]} has", orientation=image.orientation)
    return _Match(Pair(*relative), kind)


def _kind(path: Path, header: ImageHeader) -> str:
    """Return the kind of a label; more exact for PNGs than Pillow, which does not distinguish 1 to 8 bits of gray."""
    if header.format != "PNG":
        return f"{header.format} {header.mode}"
    with path.open("rb") as file:
        return f"{png.probe(file.read(33)).kind} PNG"
