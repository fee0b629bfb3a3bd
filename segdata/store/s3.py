"""The way into an object store: the S3 protocol by s3fs, or ModelArts' own package."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from segdata.errors import SegDataError
from segdata.parallel import Advance
from segdata.store.modelarts import Moxing, endpoint_named, obs_options
from segdata.store.url import Url

#: Files at a time, requests at a time for one large file, and bytes in one: 160 MiB of memory at the most. S3 takes no
#: part smaller than 5 MiB.
FILES, STREAMS, PART_BYTES = 8, 4, 5 << 20

#: S3's limit of parts in one object.
_MAX_PARTS = 10_000


class Store(Protocol):
    """What `segdata.store.transfer` needs of an object store; names are relative to the URL."""

    def objects(self, url: Url) -> Iterator[tuple[str, int]]:
        """Yield name and size of each object below `url`."""
        ...

    def size(self, url: Url) -> int | None:
        """Return the size of one object, None where there is none."""
        ...

    def get(self, url: Url, targets: Mapping[str, Path], advance: Advance) -> None:
        """Copy objects to files, whose directories are there; `advance` counts bytes."""
        ...

    def put(self, sources: Mapping[str, Path], url: Url, advance: Advance) -> None:
        """Copy files to objects, replacing what is there; `advance` counts bytes."""
        ...

    def remove(self, url: Url, names: Sequence[str]) -> None:
        """Remove objects."""
        ...


def connect(url: Url) -> Store:
    """Return the way to the store of `url`.

    ModelArts' ``moxing`` where it can be imported, as in its labs; s3fs elsewhere, and wherever an S3 endpoint is named
    by the environment.

    Raises:
        SegDataError: when neither is installed.
    """
    if not endpoint_named():
        try:
            import moxing

            # PyPI has another package of this name, which knows nothing of files.
            return Moxing(moxing.file)
        except (ImportError, AttributeError):
            pass
    try:
        import s3fs  # noqa: F401
    except ImportError as error:
        raise SegDataError(f"{url}: object stores need s3fs; install it: pip install 'segdata[remote]'") from error
    return S3(url)


class S3:
    """Any store that speaks S3's protocol."""

    def __init__(self, url: Url) -> None:
        """Connect at the first request; endpoint and credentials are botocore's, from environment or ``~/.aws``."""
        import fsspec

        options = obs_options() if url.scheme == "obs" else {}
        # Instances are fsspec's to keep: one for each set of options and each process.
        self._fs: Any = fsspec.filesystem(
            "s3", use_listings_cache=False, max_concurrency=STREAMS, default_block_size=PART_BYTES, **options
        )

    def objects(self, url: Url) -> Iterator[tuple[str, int]]:
        """See `Store`."""
        prefix = f"{url.key}/" if url.key else ""
        more: dict[str, str] = {}
        while True:
            page = self._call(url, "list_objects_v2", Bucket=url.bucket, Prefix=prefix, **more)
            for entry in page.get("Contents", ()):
                # Consoles mark a folder by an empty object whose name ends with a slash.
                if not entry["Key"].endswith("/"):
                    yield entry["Key"].removeprefix(prefix), entry["Size"]
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def size(self, url: Url) -> int | None:
        """See `Store`."""
        # A list, since the answer to HEAD has no body that could tell a missing bucket from a missing object.
        page = self._call(url, "list_objects_v2", Bucket=url.bucket, Prefix=url.key, MaxKeys=1)
        return next((entry["Size"] for entry in page.get("Contents", ()) if entry["Key"] == url.key), None)

    def get(self, url: Url, targets: Mapping[str, Path], advance: Advance) -> None:
        """See `Store`."""
        for remote, local in _groups(url, targets):
            with self._errors(url):
                self._fs.get(remote, local, callback=_bytes(advance), batch_size=FILES)

    def put(self, sources: Mapping[str, Path], url: Url, advance: Advance) -> None:
        """See `Store`."""
        largest = max(path.stat().st_size for path in sources.values())
        part = max(PART_BYTES, math.ceil(largest / _MAX_PARTS))
        for remote, local in _groups(url, sources):
            with self._errors(url):
                self._fs.put(local, remote, callback=_bytes(advance), batch_size=FILES, chunksize=part)

    def remove(self, url: Url, names: Sequence[str]) -> None:
        """See `Store`."""
        for name in names:
            self._call(url / name, "delete_object", Bucket=url.bucket, Key=(url / name).key)

    def _call(self, url: Url, method: str, **arguments: Any) -> dict[str, Any]:
        with self._errors(url):
            answer: dict[str, Any] = self._fs.call_s3(method, **arguments)
            return answer

    @contextmanager
    def _errors(self, url: Url) -> Iterator[None]:
        """Make a sentence of what goes wrong; of the store's answer only its code, since its text may tell more."""
        try:
            yield
        except Exception as error:
            if reason := self._reason(error, url):
                raise SegDataError(reason) from error
            raise

    def _reason(self, error: Exception, url: Url) -> str | None:
        from aiohttp import ClientError
        from botocore import exceptions as boto

        if code := _code(error):
            return _answer(code, url, denied=isinstance(error, PermissionError))
        if isinstance(error, (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError)):
            return f"{url}: no credentials; {_CREDENTIALS}"
        if isinstance(error, boto.ProfileNotFound):
            return f"{url}: AWS_PROFILE names no profile in ~/.aws"
        if isinstance(error, boto.ParamValidationError):
            return f"{url}: not a name that a bucket or an object can have"
        if isinstance(error, ValueError) and "Invalid endpoint" in str(error):
            return f"{url}: the endpoint that is configured (AWS_ENDPOINT_URL, S3_ENDPOINT) is not a URL"
        if isinstance(error, (boto.BotoCoreError, ClientError, asyncio.TimeoutError)):
            where = urlsplit(self._fs.s3.meta.endpoint_url)
            return (
                f"{url}: no connection to {where.scheme}://{where.netloc.rpartition('@')[2]} ({type(error).__name__})"
            )
        return None


_CREDENTIALS = "they are read from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from ~/.aws"


def _code(error: BaseException | None) -> str | None:
    """Return the code that the store answered with; s3fs makes an `OSError` of it and keeps the answer as its cause."""
    while error is not None:
        if answer := getattr(error, "response", None):
            return str(answer.get("Error", {}).get("Code"))
        error = error.__cause__
    return None


def _answer(code: str, url: Url, *, denied: bool) -> str:
    if code == "NoSuchBucket":
        return f"{url}: there is no bucket {url.bucket}"
    if code in ("NoSuchKey", "404"):
        return f"{url}: an object of it is missing"
    if denied:
        return f"{url}: access denied ({code}); check the credentials: {_CREDENTIALS}"
    return f"{url}: the store refused with {code}"


def _groups(url: Url, files: Mapping[str, Path]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield objects, as fsspec names them, and files: as many as are copied at a time.

    What fsspec has not begun when something fails it leaves to Python, which complains about it.
    """
    names = list(files)
    for start in range(0, len(names), FILES):
        group = names[start : start + FILES]
        yield [f"{url.bucket}/{(url / name).key}" for name in group], [str(files[name]) for name in group]


def _bytes(advance: Advance) -> Any:
    """Return fsspec's kind of `advance`: it counts files, and the callback it makes for each of them counts bytes."""
    from fsspec.callbacks import Callback

    class Bytes(Callback):  # type: ignore[misc]
        def relative_update(self, inc: int = 1) -> None:
            advance(inc)

    class Files(Callback):  # type: ignore[misc]
        def branched(self, path_1: str, path_2: str, **_kwargs: Any) -> Bytes:
            return Bytes()

    return Files()
