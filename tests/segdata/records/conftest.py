"""A record set written once from the miniature devkit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord


@pytest.fixture(scope="session")
def pristine(devkit: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("records") / "train"
    to_mindrecord(open_dataset(devkit / "voc_train_lst.txt", data_root=devkit), target, num_shards=3)
    return target


@pytest.fixture
def record_set(pristine: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage; moving all files of a record set together keeps it valid."""
    shutil.copytree(pristine, tmp_path / "train")
    return tmp_path / "train"
