"""Pair images and labels by their names, apart from a prefix, a suffix and the extension."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segdata.errors import InvalidInputError
from segdata.images.header import GIF_SUFFIX, IMAGE_SUFFIXES, READ_SUFFIXES
from segdata.lists import read_ids
from segdata.sources.finder import near_id, no_image
from segdata.text import check_unique

#: The files of each name: one, unless the name is ambiguous.
FilesByName = dict[str, list[Path]]


@dataclass(frozen=True)
class Naming:
    """Parts of file names that are removed before pairing, in upper or lower case; files without them do not count."""

    prefix: str = ""
    suffix: str = ""

    def names(self, folder: Path, files: Sequence[Path]) -> FilesByName:
        """Return the image files among `files`, also GIFs, by their path in `folder` without prefix and suffix."""
        names: FilesByName = {}
        for file in files:
            stem = self.stem(file)
            if stem and file.suffix.lower() in READ_SUFFIXES:
                names.setdefault((file.parent / stem).relative_to(folder).as_posix(), []).append(file)
        return names

    def same(self, other: Naming) -> bool:
        """Return whether both match the same files."""
        return (self.prefix.lower(), self.suffix.lower()) == (other.prefix.lower(), other.suffix.lower())

    def stem(self, file: Path) -> str:
        """Return the name of a file without prefix, suffix and extension; empty if it does not have them."""
        stem = file.stem
        if self.suffix:
            # The suffix may include the extension.
            ends = (name for name in (file.name, file.stem) if name.lower().endswith(self.suffix.lower()))
            stem = next(ends, "")[: -len(self.suffix)]
        return stem[len(self.prefix) :] if stem.lower().startswith(self.prefix.lower()) else ""


def tell_apart(
    folder: Path, images: FilesByName, labels: FilesByName, image: Naming, label: Naming
) -> tuple[FilesByName, FilesByName]:
    """Drop from a folder's images the files whose names mark them as labels, or the reverse.

    Raises:
        InvalidInputError: when images and labels have the same prefix and suffix.
    """
    if image.same(label):
        raise InvalidInputError(
            f"{folder}: given for both images and labels. Name the suffix of the labels with --label_suffix, or their "
            "prefix with --label_prefix."
        )
    if image == Naming():
        return _minus(images, labels), labels
    return (images, _minus(labels, images)) if label == Naming() else (images, labels)


def _minus(names: FilesByName, others: FilesByName) -> FilesByName:
    taken = {file for files in others.values() for file in files}
    rest = {name: [file for file in files if file not in taken] for name, files in names.items()}
    return {name: files for name, files in rest.items() if files}


def check_common(image_folder: Path, images: FilesByName, label_folder: Path, labels: FilesByName) -> None:
    """Check that images and labels have names in common.

    Raises:
        InvalidInputError: when there are no images, no labels, or no pairs.
    """
    for what, folder, names in (("images", image_folder, images), ("labels", label_folder, labels)):
        if not names:
            raise InvalidInputError(
                f"{folder}: contains no {what}; expected files that end in {', '.join(IMAGE_SUFFIXES)} and have the "
                "given prefix and suffix, if any. Search subfolders with --recursive."
            )
    if not images.keys() & labels.keys():
        raise InvalidInputError(
            f"no image and label have the same name: images are named like {next(iter(images))}, labels like "
            f"{next(iter(labels))}. Name the suffix in which they differ with --image_suffix or --label_suffix, or the "
            "prefix with --image_prefix or --label_prefix."
        )


def without_spare_gifs(names: FilesByName, others: Collection[str]) -> FilesByName:
    """Drop GIFs beside another file of the same name, and those of names that are not among `others`: previews."""
    kept: FilesByName = {}
    for name, files in names.items():
        usable = [file for file in files if file.suffix.lower() != GIF_SUFFIX]
        if usable or name in others:
            kept[name] = usable or files
    return kept


def refuse_gif(file: Path) -> None:
    """Refuse a GIF.

    Raises:
        InvalidInputError: when the extension of `file` says that it is one.
    """
    if file.suffix.lower() == GIF_SUFFIX:
        raise InvalidInputError(
            "is a GIF, which is not paired; expected another format. Convert it, for example with mogrify -format png",
            "unsupported_image",
        )


def read_wanted(path: Path, images: Mapping[str, object]) -> set[str]:
    """Return the ids in a file; each names one of `images`.

    Raises:
        InvalidInputError: when the file cannot be read, or ids match no image; shows three and a near form.
        FaultsError: when lines are not ids, or an id appears twice.
    """
    ids = read_ids(path, folders=True)
    check_unique(ids, f"{path}: duplicate ids")
    if wrong := [id_ for id_ in ids if id_ not in images]:
        lowered = {name.lower(): name for name in images}
        near = next(filter(None, (near_id(id_, lowered) for id_ in wrong)), "")
        raise InvalidInputError(f"{path}: {no_image(wrong, len(ids), near)}", "missing_image")
    return set(ids)
