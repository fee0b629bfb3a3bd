"""Miniature data sets that most tests read: a devkit, a COCO JSON, and the record sets of both."""

from __future__ import annotations

from pathlib import Path

import pytest

from segdata.miniature.coco import write_coco
from segdata.miniature.voc import write_devkit
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.sources.voc import voc_list
from segdata.sources.voc_decolor import voc_decolor


@pytest.fixture(scope="session")
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A devkit with index masks and its lists: ``voc_train_lst.txt`` (10 samples), ``voc_val_lst.txt`` (3), both."""
    root = tmp_path_factory.mktemp("voc") / "data"
    write_devkit(root, train=10, val=3)
    voc_decolor(root)
    voc_list(root)
    return root


@pytest.fixture(scope="session")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``annotations/instances.json`` with a crowd and an image without instances, and ``images``."""
    root = tmp_path_factory.mktemp("coco") / "data"
    write_coco(root)
    return root


@pytest.fixture(scope="session")
def voc_records(devkit: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("records") / "voc_train"
    to_mindrecord(open_dataset(devkit / "voc_train_lst.txt", data_root=devkit), target, num_shards=3)
    return target


@pytest.fixture(scope="session")
def coco_records(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("records") / "coco"
    source = open_dataset(coco / "annotations" / "instances.json", images=coco / "images")
    to_mindrecord(source, target, num_shards=2)
    return target
