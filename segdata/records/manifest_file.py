"""The manifest's file: its text and digest, and what makes it invalid."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec

from segdata.errors import InvalidInputError
from segdata.records.manifest import MANIFEST, MANIFEST_VERSION, Manifest
from segdata.records.schema import SCHEMAS
from segdata.regular import DESCRIPTION_BYTES, read_regular
from segdata.text import plural

#: First format version with a digest of the manifest itself.
_DIGEST_VERSION = 3

#: What is in the place of that digest while it is computed.
_NO_DIGEST = "0" * 64


class _Options(msgspec.Struct):
    """Options that every manifest contains."""

    num_shards: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    shuffle: bool
    seed: int | None


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
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from error
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
