"""Publish a product in an object store, and complete what an interrupted upload left there.

A store has no rename, so a product is published file by file, its index last: files without an index are not a
product. Until then an object ``upload.json`` records which files the upload concerns and which of them are complete.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from segdata.errors import InvalidInputError, TargetExistsError, name_first
from segdata.files.paths import file_digest, resolve
from segdata.parallel import Progress, silent
from segdata.regular import DESCRIPTION_BYTES, read_regular
from segdata.store.product import Product
from segdata.store.transfer import fetched, objects, remove, upload
from segdata.store.url import Url

#: Object beside a product while it is uploaded.
UPLOAD = "upload.json"


@dataclass(frozen=True)
class _Upload:
    """Content of `UPLOAD`: the state of an upload in progress.

    Attributes:
        index: SHA-256 of the index of the product being uploaded.
        files: names of all objects that may exist at the target: those of this product and of the one it replaces.
        done: names of the uploaded files of this product.
    """

    format: Literal["segdata upload"]
    index: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    files: tuple[str, ...]
    done: tuple[str, ...]


@dataclass(frozen=True)
class Published:
    """Objects below a URL, all of them written by this program.

    Attributes:
        sizes: sizes in bytes by name of the product's objects, complete or not, without the note about an upload.
        index: SHA-256 of the product's index; None if it is missing: readers find no product.
        upload: state of an upload that is in progress or was interrupted.
    """

    sizes: dict[str, int]
    index: str | None
    upload: _Upload | None


def find_published(url: Url, product: Product) -> Published:
    """Return the objects of `product` below `url`.

    Raises:
        TargetExistsError: when there are objects that this program did not write.
        InvalidInputError: when the index or the note about an upload is damaged.
        SegDataError: when the store cannot be reached or denies access.
    """
    sizes = {name: size for name, size in objects(url) if product.takes(name) or name == UPLOAD}
    described = {
        name: sizes[name] for name in (product.index, UPLOAD) if sizes.get(name, DESCRIPTION_BYTES) < DESCRIPTION_BYTES
    }
    with fetched(url, described) as found:
        note, index = _read_note(found / UPLOAD, product), None
        ours = {UPLOAD, *note.files} if note else set[str]()
        if product.index in described:
            index = file_digest(found / product.index)
            ours.update(product.owned(found, sizes))
    if foreign := sorted(set(sizes) - ours):
        raise TargetExistsError(
            f"{url}: contains objects that this command did not write and would delete:\n{name_first(foreign)}\n"
            "Move them or choose another URL.",
            replaceable=False,
        )
    sizes.pop(UPLOAD, None)
    return Published(sizes, index, note)


def check_free(url: Url, product: Product, *, overwrite: bool, index: str | None = None) -> Published:
    """Return what is below `url`, and check that a product may be published there.

    Args:
        url: target of the upload.
        product: kind of product.
        overwrite: whether an existing product may be replaced.
        index: SHA-256 of the index to publish, once it is known.

    Raises:
        TargetExistsError: when there is a product and `overwrite` is false; see also `find_published`.
    """
    there = find_published(url, product)
    # Of an upload that was interrupted at its very end, only the note remains to be removed.
    ending = there.upload and there.upload.index == there.index and index in (None, there.index)
    if there.index and not overwrite and not ending:
        raise TargetExistsError(f"{url}: already exists", replaceable=True)
    return there


def publish(
    directory: Path,
    url: Url,
    product: Product,
    *,
    overwrite: bool = False,
    unchanged: Collection[str] = (),
    progress: Progress = silent,
) -> None:
    """Upload the product in `directory` to `url`, its index last; keep the files of an interrupted upload.

    Args:
        directory: local directory of the product; other files in it are not uploaded.
        url: target of the upload.
        product: kind of product.
        overwrite: replace an existing product at `url`.
        unchanged: names of files that are known to be the same at `url`.
        progress: reports progress in megabytes.

    Raises:
        TargetExistsError: see `check_free`.
        SegDataError: when the store cannot be reached or denies access.
    """
    here = {
        path.relative_to(directory).as_posix(): path.stat().st_size for path in directory.rglob("*") if path.is_file()
    }
    files = sorted(product.owned(directory, here))
    digest = file_digest(directory / product.index)
    there = check_free(url, product, overwrite=overwrite, index=digest)
    done = set(unchanged)
    if product.pinned and there.upload and there.upload.index == digest:
        done = {name for name in there.upload.done if name in files and there.sizes.get(name) == here[name]}
    note = _Upload("segdata upload", digest, tuple(sorted({*files, *there.sizes})), tuple(sorted(done)))
    _write_note(url, note)
    # From here to the end, readers find neither the old product nor the new one.
    remove(url, [name for name in there.sizes if name == product.index])
    remove(url, set(there.sizes).difference(files))
    for group in product.upload_groups(set(files) - done):
        upload(directory, group, url, progress=progress)
        done.update(group)
        _write_note(url, replace(note, done=tuple(sorted(done))))
    upload(directory, [product.index], url, progress=progress)
    remove(url, [UPLOAD])


def _read_note(path: Path, product: Product) -> _Upload | None:
    """Return the content of the note, or None if it is missing.

    Raises:
        InvalidInputError: when it is damaged, or something else has its name.
    """
    try:
        note = msgspec.json.decode(read_regular(path), type=_Upload)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_note(path, str(error)) from error
    for name in (*note.files, *note.done):
        try:
            resolve(path.parent, name)
        except InvalidInputError as error:
            raise _no_note(path, f"files: {error}") from error
        if not product.takes(name):
            raise _no_note(path, f"files: {name!r} is not a file of a {product.what}")
    if unknown := sorted(set(note.done).difference(note.files)):
        raise _no_note(path, f"done: {unknown[0]!r} is not in files")
    return note


def _no_note(path: Path, reason: str) -> InvalidInputError:
    return InvalidInputError(
        f"{path}: is not an upload record of this program: {reason}. If an upload of it was interrupted there, remove "
        "this object and those beside it; otherwise choose another URL.",
        "record_damaged",
    )


def _write_note(url: Url, note: _Upload) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        (Path(temporary) / UPLOAD).write_bytes(msgspec.json.encode(note))
        upload(Path(temporary), [UPLOAD], url)
