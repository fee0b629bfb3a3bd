"""A path here or a URL there: read from a location and write to it as if it were local."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from segdata.errors import InvalidInputError, SegDataError, TargetExistsError
from segdata.parallel import Progress, silent
from segdata.store.product import Product
from segdata.store.publishing import check_free, publish
from segdata.store.transfer import fetched, object_size, objects
from segdata.store.url import Location, default_work_dir, local_place, parse_location


@contextmanager
def reading(
    location: Location,
    wanted: Callable[[str], bool] = lambda _name: True,
    *,
    beside: Sequence[str] = (),
    work_dir: Path | None = None,
    progress: Progress = silent,
) -> Iterator[Path]:
    """Yield a local path of the file or directory at `location`: the path itself, or a copy for the block.

    Args:
        location: path or URL, of one object or of all below a prefix.
        wanted: which objects below a prefix to copy, by name relative to it.
        beside: names of objects to copy if they exist next to a single object.
        work_dir: working directory for the copy.
        progress: reports progress in megabytes.

    Raises:
        InvalidInputError: when there is no object.
        SegDataError: when the store cannot be reached or denies access, or the disk is too small for the copy.
    """
    place = parse_location(location)
    if isinstance(place, Path):
        yield place
        return
    size = object_size(place)
    if size is None:
        base, sizes = place, dict(objects(place))
        if not sizes:
            raise InvalidInputError(f"{place}: no such object; expected an object, or a prefix with objects below it")
        sizes = {name: size for name, size in sizes.items() if wanted(name)}
    else:
        base = place.parent
        there = {name: object_size(base / name) for name in beside}
        sizes = {place.name: size} | {name: size for name, size in there.items() if size is not None}
    with fetched(base, sizes, work_dir or default_work_dir(), progress=progress) as copy:
        yield copy if size is None else copy / place.name


@contextmanager
def writing(
    location: Location,
    product: Product,
    *,
    overwrite: bool = False,
    dry_run: bool = False,
    work_dir: Path | None = None,
    progress: Progress = silent,
) -> Iterator[Path]:
    """Yield the local directory to write a product to: the path itself, or one whose content is uploaded.

    The upload begins when the block succeeds; the local directory is removed after it. The block may find there, and
    replace, what an upload that failed has left.

    Args:
        location: path or URL of the product.
        product: kind of product.
        overwrite: whether an existing product at a URL may be replaced; for a path, the block decides.
        dry_run: upload nothing.
        work_dir: working directory for the product before the upload.
        progress: reports progress in megabytes.

    Raises:
        InvalidInputError: when the URL names only a bucket.
        TargetExistsError: when the URL has a product and `overwrite` is false, or objects of something else.
        SegDataError: when the store cannot be reached or denies access. The complete product then stays in the working
            directory.
    """
    place = parse_location(location)
    if isinstance(place, Path):
        yield place
        return
    if not place.key:
        raise InvalidInputError(f"{place}: names only a bucket; expected a prefix in it, such as {place}/train")
    check_free(place, product, overwrite=overwrite)
    local = local_place(place, work_dir)
    yield local
    if dry_run:
        return
    try:
        publish(local, place, product, overwrite=overwrite, progress=progress)
    except TargetExistsError as error:
        raise TargetExistsError(
            f"The complete {product.what} is in {local}, but {error}", replaceable=error.replaceable
        ) from error
    except SegDataError as error:
        raise SegDataError(
            f"{error}\nThe complete {product.what} is in {local}. Run the same command again to complete the upload."
        ) from error
    shutil.rmtree(local)
