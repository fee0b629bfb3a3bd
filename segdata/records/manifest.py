"""The manifest, which describes a record set and is written once, next to its shards."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from segdata.errors import InvalidInputError
from segdata.images.values import ValueRange
from segdata.mindrecord.index import INDEX_SUFFIX
from segdata.records.schema import SCHEMAS, Schema, TaskName
from segdata.regular import DESCRIPTION_BYTES, read_regular
from segdata.text import plural

MANIFEST = "manifest.json"
MANIFEST_VERSION = 3

#: Option of a set that another program wrote and `segdata adopt` described.
ADOPTED = "adopted"

#: First format version with a digest of the manifest itself.
_DIGEST_VERSION = 3

#: What is in the place of that digest while it is computed.
_NO_DIGEST = "0" * 64


_Amount = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class _Options(msgspec.Struct):
    """Options that every manifest contains."""

    num_shards: _Count
    shuffle: bool
    seed: int | None


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


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write `manifest` with its digest to `directory`; call this after all other files are written."""
    (directory / MANIFEST).write_bytes(encode_manifest(manifest))


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the text of a manifest with its digest.

    Raises:
        InvalidInputError: when it could not be read again.
    """
    try:
        # With the types that it is read with: a caller may give integers for floats, which have another text.
        manifest = msgspec.convert(msgspec.to_builtins(replace(manifest, sha256=_NO_DIGEST)), Manifest)
        msgspec.convert(manifest.options, _Options)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"{MANIFEST} cannot describe this: {error}") from error
    if contradiction := next(_contradictions(manifest), None):
        raise InvalidInputError(f"{MANIFEST} cannot describe this: {contradiction}")
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    return _put(text, _NO_DIGEST, hashlib.sha256(text).hexdigest()) + b"\n"


def _put(text: bytes, old: str, new: str) -> bytes:
    """Replace the digest of a manifest in its text: it comes last there."""
    before, _, after = text.rpartition(old.encode())
    return before + new.encode() + after


def read_manifest(path: Path, *, named: Path | None = None) -> Manifest:
    """Read and validate a manifest; `named` is the path that the user gave for the set.

    Raises:
        InvalidInputError: when there is no manifest, or it is damaged, inconsistent, was changed or has a newer format.
    """
    try:
        text = read_regular(path, at_most=DESCRIPTION_BYTES)
    except OSError as error:
        if named and not named.exists():
            raise InvalidInputError(f"{named}: does not exist") from error
        raise InvalidInputError(
            f"{named or path}: no record set; expected {path}. Name a set written by segdata to-mindrecord, or adopt "
            "MindRecord files of another program with segdata adopt."
        ) from error
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}", error.code) from error
    version = re.search(rb'"format_version":\s*(\d{1,9})', text)
    if version and int(version[1]) > MANIFEST_VERSION:
        raise InvalidInputError(
            f"{path}: format version {int(version[1])} is newer than this program; "
            f"expected {MANIFEST_VERSION} or lower. Upgrade segdata."
        )
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
        msgspec.convert(manifest.options, _Options)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInputError(f"{path}: not a manifest of a record set: {error}") from error
    if contradiction := next(_contradictions(manifest), None):
        raise InvalidInputError(f"{path}: not a manifest of a record set: {contradiction}")
    if not _is_as_written(text.rstrip(), manifest):
        raise InvalidInputError(
            f"{path}: was changed after segdata wrote it; expected the text that its sha256 belongs to. Restore the "
            "file, or write the set again.",
            "record_damaged",
        )
    return manifest


def _is_as_written(text: bytes, manifest: Manifest) -> bool:
    """Return whether the digest of a manifest belongs to its text; earlier format versions have none."""
    if manifest.sha256 is None:
        return manifest.format_version < _DIGEST_VERSION
    return hashlib.sha256(_put(text, manifest.sha256, _NO_DIGEST)).hexdigest() == manifest.sha256


def _contradictions(manifest: Manifest) -> Iterator[str]:
    """Yield what no manifest that this program writes says, though each value alone would be valid."""
    first = 0 if manifest.task == "semantic" else 1
    ids = [info.id for info in manifest.classes]
    if manifest.schema != SCHEMAS[manifest.task]:
        yield f"schema: differs from that of the task {manifest.task}"
    if ids != [*range(first, first + len(ids))]:
        yield f"classes: the ids are {ids[:10]}; expected {first}, {first + 1}, … in this order"
    # `to-mindrecord` accepts several categories of one name in a JSON, and `check` warns of them.
    if manifest.task == "semantic" and (repeated := _repeated(manifest.class_names)):
        yield f"classes: two have the name {repeated!r}; expected a name for each"
    if (manifest.ignore_label is None) != (manifest.task == "instance"):
        yield f"ignore_label: {manifest.ignore_label} in a set of the task {manifest.task}"
    if manifest.value_range and not manifest.value_range[0] < manifest.value_range[1]:
        yield f"value_range: {list(manifest.value_range)}; expected the lower value first"
    if unsafe := next((name for name in manifest.files if set("/\\\0") & set(name) or name in (".", "..")), None):
        yield f"shards: names a file outside its directory: {unsafe!r}"
    if repeated := _repeated(manifest.files):
        yield f"shards: two have the file {repeated!r}; expected a file for each"
    if (count := manifest.options["num_shards"]) != len(manifest.shards):
        yield f"options: num_shards is {count}, but it lists {plural(len(manifest.shards), 'shard')}"
    if (rows := sum(shard.rows for shard in manifest.shards)) != manifest.rows:
        yield f"rows: {manifest.rows}, but its shards have {rows} together"


def _repeated(names: Iterable[str]) -> str | None:
    """Return the first name that occurs twice."""
    return next((name for name, count in Counter(names).items() if count > 1), None)
