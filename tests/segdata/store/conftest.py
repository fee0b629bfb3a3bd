"""A real S3 server, and record sets to publish on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from s3_server import Server, forget_connections, s3_server, use

from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.store.url import Url


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that this process is configured to use."""
    with s3_server(tmp_path_factory.mktemp("s3")) as running, pytest.MonkeyPatch.context() as patch:
        use(running, patch)
        yield running
    forget_connections()


@pytest.fixture
def url(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Url:
    """Return an unused location."""
    monkeypatch.setenv("SEGDATA_WORK_DIR", str(tmp_path / "work"))
    return Url("s3", "bucket", f"{tmp_path.name}/train")


@pytest.fixture
def reconnect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Return a function that changes the environment for this test; None removes a variable."""

    def change(**settings: str | None) -> None:
        for name, value in settings.items():
            if value is None:
                monkeypatch.delenv(name)
            else:
                monkeypatch.setenv(name, value)
        forget_connections()

    yield change
    forget_connections()


@pytest.fixture(scope="package")
def local(devkit: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a set of 10 shards, 20 files, which are uploaded in three groups."""
    target = tmp_path_factory.mktemp("records") / "train"
    to_mindrecord(open_dataset(devkit / "voc_train_lst.txt", data_root=devkit), target, num_shards=10)
    return target
