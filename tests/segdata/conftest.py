"""The miniature devkit that most tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from segdata.sample.voc import write_devkit
from segdata.sources.voc import decolor, make_lists


@pytest.fixture(scope="session")
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A devkit with index masks and its lists: ``voc_train_lst.txt`` (10 samples), ``voc_val_lst.txt`` (3), both."""
    root = tmp_path_factory.mktemp("voc") / "data"
    write_devkit(root, train=10, val=3)
    decolor(root)
    make_lists(root)
    return root
