"""Huawei Cloud: how its object store OBS differs from S3, and ``moxing``, the ModelArts package for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from segdata.errors import SegDataError
from segdata.store.url import Url
from segdata.worker import Advance


def endpoint_named() -> bool:
    """Return whether the environment sets an S3 endpoint for botocore."""
    return any(os.environ.get(name) for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"))


def obs_options() -> dict[str, Any]:
    """Return the s3fs options for OBS.

    OBS accepts the bucket only in the host name (since the end of 2023), and rejects the checksums that botocore sends
    since 1.36. Endpoint and keys are also read from the variables that ModelArts sets for moxing.

    Raises:
        SegDataError: when no endpoint is set.
    """
    endpoint = os.environ.get("S3_ENDPOINT", "")
    named = endpoint_named()
    if not named and not endpoint:
        raise SegDataError(
            "obs://: no endpoint. Set S3_ENDPOINT, for example to https://obs.cn-north-4.myhuaweicloud.com."
        )
    options: dict[str, Any] = {
        "config_kwargs": {
            "s3": {"addressing_style": "virtual"},
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        }
    }
    if not named:
        options["endpoint_url"] = endpoint if "://" in endpoint else f"https://{endpoint}"
    if "AWS_ACCESS_KEY_ID" not in os.environ and "ACCESS_KEY_ID" in os.environ:
        names = {"key": "ACCESS_KEY_ID", "secret": "SECRET_ACCESS_KEY", "token": "SECURITY_TOKEN"}
        options |= {option: os.environ.get(name) for option, name in names.items()}
    return options


class Moxing:
    """Store based on ``moxing.file`` of ModelArts, written from its documentation; not tested on ModelArts."""

    def __init__(self, file: Any) -> None:
        """Store the module; its platform provides endpoint and credentials."""
        self._file = file

    def objects(self, url: Url) -> Iterator[tuple[str, int]]:
        """See `segdata.store.s3.Store`."""
        if not self._do(url, self._file.exists, str(url)):
            return
        for name in self._do(url, self._file.list_directory, str(url), recursive=True, skip_dir=True):
            relative = name.removeprefix(f"{url}/")
            yield relative, self._do(url, self._file.get_size, str(url / relative))

    def size(self, url: Url) -> int | None:
        """See `segdata.store.s3.Store`."""
        there = self._do(url, self._file.exists, str(url)) and not self._do(url, self._file.is_directory, str(url))
        return int(self._do(url, self._file.get_size, str(url))) if there else None

    def get(self, url: Url, targets: Mapping[str, Path], advance: Advance) -> None:
        """See `segdata.store.s3.Store`."""
        for name, path in targets.items():
            self._do(url, self._file.copy, str(url / name), str(path))
            advance(path.stat().st_size)

    def put(self, sources: Mapping[str, Path], url: Url, advance: Advance) -> None:
        """See `segdata.store.s3.Store`."""
        for name, path in sources.items():
            self._do(url, self._file.copy, str(path), str(url / name))
            advance(path.stat().st_size)

    def remove(self, url: Url, names: Sequence[str]) -> None:
        """See `segdata.store.s3.Store`."""
        for name in names:
            self._do(url, self._file.remove, str(url / name))

    def _do(self, url: Url, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except Exception as error:
            raise SegDataError(f"{url}: moxing failed ({type(error).__name__})") from error
