"""A record set, and the COCO JSON that it was made from in the folder ``coco``."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawn_instances import miniature

from segdata.records.reader import RecordSet


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("coco")


@pytest.fixture(scope="module")
def coco(folder: Path) -> RecordSet:
    return miniature(folder, images=9)
