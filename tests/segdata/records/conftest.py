"""A miniature devkit with its lists, and a record set written from it once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from segdata.records.convert import to_mindrecord
from segdata.records.semantic import ListSource
from segdata.sample.voc import write_devkit
from segdata.sources.voc import decolor, make_lists


@pytest.fixture(scope="session")
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("voc") / "data"
    write_devkit(root, train=10, val=3)
    decolor(root)
    make_lists(root)
    return root


@pytest.fixture(scope="session")
def pristine(devkit: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("records") / "train"
    to_mindrecord(ListSource(devkit, devkit / "voc_train_lst.txt"), target, num_shards=3)
    return target


@pytest.fixture
def record_set(pristine: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage; record sets survive being moved as a whole."""
    shutil.copytree(pristine, tmp_path / "train")
    return tmp_path / "train"
