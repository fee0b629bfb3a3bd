"""Access to object stores: the S3 protocol through s3fs, or the ``moxing`` package of ModelArts."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from segdata.errors import SegDataError
from segdata.store.modelarts import Moxing, endpoint_named, obs_options
from segdata.store.url import Url
from segdata.worker import Advance

#: Concurrent files, concurrent requests per large file, and bytes per request: at most 160 MiB of memory. S3 accepts no
#: parts smaller than 5 MiB.
FILES, STREAMS, PART_BYTES = 8, 4, 5 << 20

#: Maximum number of parts of an object in S3.
_MAX_PARTS = 10_000


class Store(Protocol):
    """Operations of an object store that `segdata.store.transfer` needs; names are relative to the URL."""

    def objects(self, url: Url) -> Iterator[tuple[str, int]]:
        """Yield name and size of each object below `url`."""
        ...

    def size(self, url: Url) -> int | None:
        """Return the size of one object; None if it does not exist."""
        ...

    def get(self, url: Url, targets: Mapping[str, Path], advance: Advance) -> None:
        """Copy objects to files in existing directories; `advance` counts bytes."""
        ...

    def put(self, sources: Mapping[str, Path], url: Url, advance: Advance) -> None:
        """Copy files to objects, replacing existing ones; `advance` counts bytes."""
        ...

    def remove(self, url: Url, names: Sequence[str]) -> None:
        """Remove objects."""
        ...


def connect(url: Url) -> Store:
    """Connect to the store of `url`.

    Uses ``moxing`` where it can be imported, as in ModelArts; uses s3fs elsewhere, and whenever the environment sets an
    S3 endpoint.

    Raises:
        SegDataError: when neither is installed.
    """
    if not endpoint_named():
        try:
            import moxing

            # PyPI has an unrelated package of this name, without file access.
            return Moxing(moxing.file)
        except (ImportError, AttributeError):
            pass
    try:
        import s3fs  # noqa: F401
    except ImportError as error:
        raise SegDataError(f"{url}: object stores need s3fs. Install it with: pip install 'segdata[remote]'") from error
    return S3(url)


class S3:
    """Any store that supports the S3 protocol."""

    def __init__(self, url: Url) -> None:
        """Set up the connection; botocore reads endpoint and credentials from environment or ``~/.aws``.

        Raises:
            SegDataError: when a setting there is invalid. Nothing is sent yet, except requests for credentials.
        """
        import fsspec

        options = obs_options() if url.scheme == "obs" else {}
        try:
            # fsspec caches instances: one per set of options and process.
            self._fs: Any = fsspec.filesystem(
                "s3", use_listings_cache=False, max_concurrency=STREAMS, default_block_size=PART_BYTES, **options
            )
            self._fs.connect()
        except Exception as error:
            raise SegDataError(_setting(error, url)) from error

    def objects(self, url: Url) -> Iterator[tuple[str, int]]:
        """See `Store`."""
        prefix = f"{url.key}/" if url.key else ""
        more: dict[str, str] = {}
        while True:
            page = self._call(url, "list_objects_v2", Bucket=url.bucket, Prefix=prefix, **more)
            for entry in page.get("Contents", ()):
                # Web consoles mark folders with empty objects whose names end with a slash.
                if not entry["Key"].endswith("/"):
                    yield entry["Key"].removeprefix(prefix), entry["Size"]
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def size(self, url: Url) -> int | None:
        """See `Store`."""
        # List objects, because a HEAD response has no body to distinguish a missing bucket from a missing object.
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
        """Turn exceptions into messages with only the code of the store's response: its text may hold secrets."""
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
            return f"{url}: no credentials; expected {_CREDENTIALS}"
        if isinstance(error, boto.ParamValidationError):
            return f"{url}: invalid name of a bucket or an object"
        if isinstance(error, boto.EndpointResolutionError) and "not a valid URI" in str(error):
            return f"{url}: {_ENDPOINT}"
        if isinstance(error, (boto.BotoCoreError, ClientError, asyncio.TimeoutError)):
            where = urlsplit(self._fs.s3.meta.endpoint_url)
            return (
                f"{url}: cannot connect to {where.scheme}://{where.netloc.rpartition('@')[2]} ({type(error).__name__})"
            )
        return None


_CREDENTIALS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or a profile in ~/.aws"
_ENDPOINT = (
    "the configured endpoint (AWS_ENDPOINT_URL, S3_ENDPOINT) is not a URL of a store; expected http://HOST:PORT or "
    "https://HOST"
)


def _setting(error: Exception, url: Url) -> str:
    """Return the message for an exception before the first request: something in the environment is invalid."""
    from botocore import exceptions as boto

    if isinstance(error, (boto.PartialCredentialsError, boto.CredentialRetrievalError)):
        return f"{url}: no credentials; expected {_CREDENTIALS}"
    if isinstance(error, boto.ProfileNotFound):
        return f"{url}: the profile in AWS_PROFILE does not exist in ~/.aws"
    if isinstance(error, ValueError) and ("Invalid endpoint" in str(error) or "Invalid IPv6" in str(error)):
        return f"{url}: {_ENDPOINT}"
    # An endpoint may hold a password.
    reason = type(error).__name__ if "://" in str(error) else f"{type(error).__name__}: {error}"
    return f"{url}: invalid setting of the connection ({reason}). Check the AWS_* variables and ~/.aws/config."


def _code(error: BaseException | None) -> str | None:
    """Return the error code of the store's response, which s3fs keeps as the cause of its `OSError`."""
    while error is not None:
        if answer := getattr(error, "response", None):
            return str(answer.get("Error", {}).get("Code"))
        error = error.__cause__
    return None


def _answer(code: str, url: Url, *, denied: bool) -> str:
    if code == "NoSuchBucket":
        return f"{url}: bucket {url.bucket} does not exist"
    if code in ("NoSuchKey", "404"):
        return f"{url}: an object is missing"
    if denied:
        return f"{url}: access denied ({code}). Check the credentials: {_CREDENTIALS}."
    return f"{url}: the store rejected the request ({code})"


def _groups(url: Url, files: Mapping[str, Path]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield batches of objects, as fsspec names them, and files: as many as are copied concurrently.

    If a copy fails, fsspec abandons the copies that it has not started, and Python warns about them.
    """
    names = list(files)
    for start in range(0, len(names), FILES):
        group = names[start : start + FILES]
        yield [f"{url.bucket}/{(url / name).key}" for name in group], [str(files[name]) for name in group]


def _bytes(advance: Advance) -> Any:
    """Wrap `advance` as an fsspec callback: it counts files and creates a callback for each file that counts bytes."""
    from fsspec.callbacks import Callback

    class Bytes(Callback):  # type: ignore[misc]
        def relative_update(self, inc: int = 1) -> None:
            advance(inc)

    class Files(Callback):  # type: ignore[misc]
        def branched(self, path_1: str, path_2: str, **_kwargs: Any) -> Bytes:
            return Bytes()

    return Files()
