"""The manifest, which describes a record set and is written once, next to its shards."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from segdata.errors import InvalidInputError
from segdata.images.values import ValueRange
from segdata.records.schema import SCHEMAS, Schema, TaskName

MANIFEST = "manifest.json"
MANIFEST_VERSION = 2

#: Options that every manifest must contain.
_OPTIONS = {"num_shards", "shuffle", "seed"}

#: Suffix of MindRecord's SQLite index, one next to each shard.
INDEX_SUFFIX = ".db"


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One shard file and the index next to it (``file + ".db"``); sizes in bytes, digests in hex."""

    file: str
    rows: int
    bytes: int
    sha256: str
    index_bytes: int
    index_sha256: str


@dataclass(frozen=True, kw_only=True)
class ClassInfo:
    """One class: its id in the labels, its name and id in the source, and its counts of pixels, images and instances.

    `instances` is ``None`` in a semantic set, whose pixels do not belong to instances.
    """

    id: int
    name: str
    original_id: int
    pixels: int
    images: int
    instances: int | None = None


@dataclass(frozen=True, kw_only=True)
class ImageInfo:
    """Kinds of image in a set: number of images by data type of their samples, and number of images in color."""

    samples: dict[str, int]
    color: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Description of a record set, readable without opening its shards.

    `inputs` is the SHA-256 over the fingerprints of all rows in set order (see ``docs/formats.md``); `options` are
    those that affect the bytes of the set; `ignore_label` is ``None`` in an instance set. `value_range` has the samples
    of deep images that mean black and white; sets of format version 1 lack it and `images`. The manifest contains no
    time stamp and no absolute path, so the same inputs give the same manifest.
    """

    format: Literal["segdata record set"] = "segdata record set"
    format_version: int = MANIFEST_VERSION
    task: TaskName
    name: str
    schema: Schema
    classes: tuple[ClassInfo, ...]
    ignore_label: int | None
    ignore_pixels: int
    rows: int
    payload_bytes: int
    inputs: str
    options: dict[str, Any]
    images: ImageInfo | None = None
    value_range: tuple[float, float] | None = None
    program: dict[str, str]
    shards: tuple[Shard, ...]

    @property
    def image_range(self) -> ValueRange | None:
        """Value range to read the images with."""
        return ValueRange(*self.value_range) if self.value_range else None

    @property
    def num_classes(self) -> int:
        """Number of classes: ids ``0 … K - 1`` (semantic), ``1 … K`` (instance)."""
        return len(self.classes)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names, ordered by id."""
        return tuple(info.name for info in self.classes)

    @property
    def files(self) -> tuple[str, ...]:
        """All files of the set, including the manifest."""
        shards = [name for shard in self.shards for name in (shard.file, shard.file + INDEX_SUFFIX)]
        return (*shards, MANIFEST)


@dataclass(frozen=True)
class RecordSet:
    """A record set on disk: its directory and its manifest."""

    directory: Path
    manifest: Manifest = field(repr=False)

    @property
    def shard_paths(self) -> list[Path]:
        """Paths of the shards, in row order."""
        return [self.directory / shard.file for shard in self.manifest.shards]


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write `manifest` to `directory`; call this after all other files are written."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (directory / MANIFEST).write_bytes(text + b"\n")


def open_set(path: Path) -> RecordSet:
    """Open the record set that `path` names: its directory, its manifest or any single shard.

    Raises:
        InvalidInputError: when there is no set, or its manifest is damaged or has a newer format.
    """
    directory = path if path.is_dir() else path.parent
    manifest = read_manifest(directory / MANIFEST, named=path)
    if path not in (directory, directory / MANIFEST) and path.name not in manifest.files:
        raise InvalidInputError(f"{path}: not a file of the record set in {directory}")
    return RecordSet(directory, manifest)


def read_manifest(path: Path, *, named: Path | None = None) -> Manifest:
    """Read and validate a manifest; `named` is the path that the user gave for the set.

    Raises:
        InvalidInputError: when there is no manifest, or it is damaged, has a newer format or is inconsistent.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(
            f"{named or path}: no record set; expected {path}. Name a set written by segdata to-mindrecord."
        ) from error
    version = re.search(rb'"format_version":\s*(\d{1,9})', text)
    if version and int(version[1]) > MANIFEST_VERSION:
        raise InvalidInputError(
            f"{path}: format version {int(version[1])} is newer than this program; "
            f"expected {MANIFEST_VERSION} or lower. Upgrade segdata."
        )
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInputError(f"{path}: not a manifest of a record set: {error}") from error
    if not manifest.shards or manifest.schema != SCHEMAS[manifest.task] or not manifest.options.keys() >= _OPTIONS:
        raise InvalidInputError(
            f"{path}: not a manifest of a record set: shards or options are missing, or the schema differs"
        )
    unsafe = [name for name in manifest.files if set("/\\\0") & set(name) or name in ("", ".", "..")]
    if unsafe:
        raise InvalidInputError(f"{path}: names a file outside its directory: {unsafe[0]!r}")
    return manifest
