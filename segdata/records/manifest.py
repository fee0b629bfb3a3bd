"""The manifest, which describes a record set and is written once, next to its shards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from segdata.images.values import ValueRange
from segdata.mindrecord.index import INDEX_SUFFIX
from segdata.records.schema import Schema, TaskName

MANIFEST = "manifest.json"
MANIFEST_VERSION = 3

#: Option of a set that another program wrote and `segdata adopt` described.
ADOPTED = "adopted"

_Amount = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One shard file and the index next to it (``file + ".db"``).

    Attributes:
        file: its name.
        rows: number of its rows.
        bytes: its size in bytes.
        sha256: its SHA-256, in hex.
        index_bytes: size of the index in bytes.
        index_sha256: SHA-256 of the index, in hex.
    """

    file: _Text
    rows: _Amount
    bytes: _Amount
    sha256: _Digest
    index_bytes: _Amount
    index_sha256: _Digest

    @property
    def files(self) -> tuple[tuple[str, int, str], tuple[str, int, str]]:
        """Name, size in bytes and SHA-256 of the shard file and of the index."""
        return (
            (self.file, self.bytes, self.sha256),
            (self.file + INDEX_SUFFIX, self.index_bytes, self.index_sha256),
        )


@dataclass(frozen=True, kw_only=True)
class ClassInfo:
    """One class.

    Attributes:
        id: its id in the labels.
        name: its name.
        original_id: its id in the source.
        pixels: number of its pixels, those of crowds included.
        images: number of images that show it, those with only crowds included.
        instances: number of its instances, crowds included; None in a semantic set, whose pixels do not belong to
            instances.
    """

    id: _Amount
    name: _Text
    original_id: int
    pixels: _Amount
    images: _Amount
    instances: _Amount | None = None


@dataclass(frozen=True, kw_only=True)
class ImageInfo:
    """Kinds of image in a set.

    Attributes:
        samples: number of images by data type of their samples.
        color: number of images in color.
    """

    samples: dict[str, _Amount]
    color: _Amount


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Description of a record set, readable without opening its shards.

    The manifest contains no time stamp and no absolute path, so the same inputs give the same manifest.

    Attributes:
        format: what the file is.
        format_version: version of its format.
        task: semantic or instance.
        name: what the names of the shards begin with.
        schema: type of each field of a row, as MindRecord has it.
        classes: classes and their counts, by id.
        ignore_label: label of pixels without a class; None in an instance set.
        ignore_pixels: number of pixels with the ignore label.
        rows: number of rows.
        payload_bytes: size of the images and labels.
        inputs: SHA-256 over the fingerprints of all rows in set order (see ``docs/formats.md``).
        options: those that affect the bytes of the set.
        images: kinds of image; sets of format version 1 lack it.
        value_range: the samples of deep images that mean black and white; None without deep images, and in sets of
            format version 1.
        program: versions of the programs that wrote the set, by name.
        shards: in row order.
        sha256: digest of the manifest's own text, with 64 zeros in its place; sets of earlier versions than 3 lack it.
    """

    format: Literal["segdata record set"] = "segdata record set"
    format_version: Annotated[int, msgspec.Meta(ge=1)] = MANIFEST_VERSION
    task: TaskName
    name: _Text
    schema: Schema
    classes: Annotated[tuple[ClassInfo, ...], msgspec.Meta(min_length=1)]
    ignore_label: Annotated[int, msgspec.Meta(ge=0, le=255)] | None
    ignore_pixels: _Amount
    rows: _Count
    payload_bytes: _Amount
    inputs: _Digest
    options: dict[str, Any]
    images: ImageInfo | None = None
    value_range: tuple[float, float] | None = None
    program: dict[str, str]
    shards: Annotated[tuple[Shard, ...], msgspec.Meta(min_length=1)]
    sha256: _Digest | None = None

    @property
    def image_range(self) -> ValueRange | None:
        """Value range to read the images with."""
        return ValueRange(*self.value_range) if self.value_range else None

    @property
    def adopted(self) -> bool:
        """Whether another program wrote the shards."""
        return bool(self.options.get(ADOPTED))

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
        return (*(name for shard in self.shards for name, _, _ in shard.files), MANIFEST)
