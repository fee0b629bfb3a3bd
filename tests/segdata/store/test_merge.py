"""Sets in an object store are merged like those on disk, also into the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from segdata.errors import InvalidInputError
from segdata.merging import merge
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.records.fetch import find_set
from segdata.records.merge import SetMergeReport
from segdata.records.verify import verify
from segdata.store.url import Url


def test_parts_and_target_may_be_urls(url: Url, devkit: Path, tmp_path: Path) -> None:
    to_mindrecord(open_dataset(devkit / "voc_train_lst.txt"), url, num_shards=2)
    to_mindrecord(open_dataset(devkit / "voc_val_lst.txt"), tmp_path / "val", num_shards=1)
    target = url.parent / "all"
    report = merge([f"{url}/manifest.json", tmp_path / "val"], str(target), num_shards=3, prefix=True)
    assert isinstance(report, SetMergeReport)
    assert (report.rows, report.path, find_set(target)[0]) == (13, str(target), target)
    assert verify(target).ok
    with pytest.raises(InvalidInputError, match="is one of the sets to merge"):
        merge([url, tmp_path / "val"], url, overwrite=True)
