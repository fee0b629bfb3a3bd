"""Pair your own images and labels, from two folders, by name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from segdata.arguments import FilePath, check_choice, local_path
from segdata.errors import Code, Fault, FaultsError, InvalidInputError, faults_at
from segdata.files.paths import below, normal
from segdata.images.header import ImageHeader, check_size
from segdata.images.reading import read_image_header
from segdata.labels import png
from segdata.lists import Pair, write_list
from segdata.lists.publish import check_target_lists
from segdata.parallel import Progress, map_faults, silent
from segdata.sources.finder import folded
from segdata.sources.folder_search import search_folder
from segdata.sources.pairing import (
    FilesByName,
    Naming,
    check_common,
    read_wanted,
    refuse_gif,
    tell_apart,
    without_spare_gifs,
)
from segdata.text import plural

#: Label kind of an index PNG.
INDEX_KIND = "8-bit gray PNG"

#: What to do with images without a label and labels without an image: stop, or leave them out and count them.
Unpaired = Literal["error", "skip"]

#: FilesByName of the kinds of fault in the headline.
_KINDS: dict[Code, str] = {
    "duplicate_image": "ambiguous names",
    "missing_label": "images without a label",
    "missing_image": "labels without an image",
    "size_mismatch": "pairs of different sizes",
    "unsupported_image": "unsupported files",
}


@dataclass(frozen=True)
class FolderReport:
    """Report of `pair_list`.

    Attributes:
        path: path of the list.
        root: folder that the paths in the list are relative to; `--data_root` of later commands.
        samples: number of samples.
        labels: number of labels by kind (``"8-bit gray PNG"``, ``"8-bit palette PNG"``, ``"TIFF L"``, …).
        left_out: number of files in both folders that are neither images nor labels, by extension.
        unpaired: number of files left out with ``unpaired="skip"``: ``"images without a label"`` and
            ``"labels without an image"``.
        unlisted: number of names left out because the file of ids does not have them.
        left_out_folders: subfolders that were not searched, because they link to a folder that was.
        written: false after a dry run.
    """

    path: str
    root: str
    samples: int
    labels: dict[str, int]
    left_out: dict[str, int]
    unpaired: dict[str, int]
    unlisted: int
    left_out_folders: tuple[str, ...]
    written: bool


def pair_list(
    images: FilePath,
    labels: FilePath,
    dst_path: FilePath,
    *,
    data_root: FilePath | None = None,
    ids: FilePath | None = None,
    image_prefix: str = "",
    image_suffix: str = "",
    label_prefix: str = "",
    label_suffix: str = "",
    unpaired: Unpaired = "error",
    recursive: bool = False,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> FolderReport:
    """Write a list of the images in one folder and their labels in another, sorted by name.

    An image and a label belong together when their paths within their folders match, apart from prefixes and suffixes.
    Sizes are compared by the files' headers; the pixels of labels are not checked.

    Args:
        images: folder of images.
        labels: folder of labels; may be the folder of images or a folder in it.
        dst_path: the list to write.
        data_root: the folder that the paths in the list are relative to; by default, the nearest one above both
            folders.
        ids: file with the names to list, one per line: paths within the folder of images, without prefix, suffix and
            extension. By default, all are listed.
        image_prefix: start of image names, such as ``img_``, in upper or lower case. It is removed before pairing;
            files without it do not count as images.
        image_suffix: ending of image names, with or without the file extension, such as ``_rgb`` or ``_rgb.png``,
            in upper or lower case. It is removed before pairing; files without it do not count as images. By default,
            only the extension is removed.
        label_prefix: the same as `image_prefix` for labels.
        label_suffix: the same as `image_suffix` for labels.
        unpaired: ``skip`` leaves out images without a label and labels without an image, and counts them. Names that
            differ only by case or Unicode form stay an error.
        recursive: also search subfolders, also those that are links. A folder that can be reached by several paths is
            searched once, without a link if possible; hidden folders are not searched.
        overwrite: replace the list.
        dry_run: check everything, but write nothing.
        progress: reports progress.

    Raises:
        FaultsError: when folders cannot be read, images or labels have no counterpart, several files share a name,
            headers are damaged, files are GIFs, or the sizes of a pair differ; names all at once. Nothing is written.
        InvalidInputError: when there are no images, no labels or no names in common, or ids match no image.
        TargetExistsError: when the list already exists.
    """
    images, labels, dst_path = local_path(images), local_path(labels), local_path(dst_path)
    data_root, ids = local_path(data_root), local_path(ids)
    check_choice("unpaired", unpaired, Unpaired)
    check_target_lists([dst_path], overwrite=overwrite)
    images, labels = normal(images), normal(labels)
    root = normal(data_root) if data_root else Path(os.path.commonpath([images, labels]))
    image_files, skipped_images = search_folder(below(root, images), skip=labels, recursive=recursive)
    label_files, skipped_labels = search_folder(below(root, labels), skip=images, recursive=recursive)
    image_names, label_names = _names(
        images, image_files, Naming(image_prefix, image_suffix), labels, label_files, Naming(label_prefix, label_suffix)
    )
    every = image_names.keys() | label_names.keys()
    listed = every & read_wanted(ids, image_names) if ids else every
    near = listed & _near(image_names.keys() - label_names.keys(), label_names.keys() - image_names.keys())
    alone = _alone(listed, image_names, label_names, near) if unpaired == "skip" else {}
    names = sorted(listed.difference(*alone.values()))
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
        alone_too = any(fault.code in ("missing_label", "missing_image") for fault in faults)
        cure = ". Leave out images and labels that have no partner with --unpaired skip" if alone_too else ""
        if near:
            cure = f". Rename files whose names differ only by case or Unicode form, such as {min(near)}"
        raise FaultsError(
            f"{plural(len(matches), 'valid pair')}, but also {summary}; nothing was written{cure}", faults
        )
    if not dry_run:
        write_list(dst_path, [match.pair for match in matches], overwrite=overwrite)
    used = {file for files in (*image_names.values(), *label_names.values()) for file in files}
    left_out = Counter(file.suffix.lower() or file.name for file in {*image_files, *label_files} - used)
    return FolderReport(
        path=str(dst_path),
        root=str(root),
        samples=len(matches),
        labels=dict(Counter(match.kind for match in matches).most_common()),
        left_out=dict(left_out.most_common()),
        unpaired={kind: len(found) for kind, found in alone.items() if found},
        unlisted=len(every) - len(listed),
        left_out_folders=tuple(sorted({str(folder) for folder in (*skipped_images, *skipped_labels)})),
        written=not dry_run,
    )


def _names(
    images: Path, image_files: Sequence[Path], image: Naming, labels: Path, label_files: Sequence[Path], label: Naming
) -> tuple[FilesByName, FilesByName]:
    """Return images and labels by name, without GIFs that are neither."""
    image_names, label_names = image.names(images, image_files), label.names(labels, label_files)
    if images == labels:
        image_names, label_names = tell_apart(images, image_names, label_names, image, label)
    check_common(images, image_names, labels, label_names)
    return without_spare_gifs(image_names, label_names), without_spare_gifs(label_names, image_names)


def _near(images: Collection[str], labels: Collection[str]) -> set[str]:
    """Return the names without a partner of which one differs from the other only by case or Unicode form."""
    forms = {folded(name) for name in images}.intersection(map(folded, labels))
    return {name for name in (*images, *labels) if folded(name) in forms}


def _alone(listed: set[str], images: FilesByName, labels: FilesByName, near: set[str]) -> dict[str, set[str]]:
    """Return the names without a label, and those without an image, by the name of this fault, without `near` ones."""
    rest = listed - near
    return {_KINDS["missing_label"]: rest - labels.keys(), _KINDS["missing_image"]: rest - images.keys()}


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
        refuse_gif(images[0])
        image = read_image_header(images[0])
    with faults_at(relative[1]):
        refuse_gif(labels[0])
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
