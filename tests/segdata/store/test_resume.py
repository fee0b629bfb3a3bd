"""A set in an object store that the same conversion finished is kept by resume; any other one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segdata.errors import TargetExistsError
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.records.convert_report import ConvertReport
from segdata.records.fetch import find_set
from segdata.records.verify import verify
from segdata.store.transfer import remove
from segdata.store.url import Url


def convert(devkit: Path, url: Url, **options: Any) -> ConvertReport:
    return to_mindrecord(open_dataset(devkit / "voc_train_lst.txt"), url, **({"num_shards": 2} | options))


def test_a_finished_set_is_kept_and_another_one_refused(url: Url, devkit: Path, tmp_path: Path) -> None:
    assert not convert(devkit, url, resume=True).finished
    before = find_set(url)[1]
    again = convert(devkit, url, resume=True, work_dir=tmp_path / "work")
    assert (again.finished, again.written, again.rows) == (True, False, 10)
    assert not (tmp_path / "work").exists()
    with pytest.raises(TargetExistsError, match=r"already exists with other contents: seed is 0 there"):
        convert(devkit, url, resume=True, seed=3)
    assert find_set(url)[1] == before and verify(url).ok


def test_a_set_without_one_of_its_files_is_not_kept(url: Url, devkit: Path) -> None:
    convert(devkit, url)
    remove(url, [find_set(url)[1].shards[1].file])
    with pytest.raises(TargetExistsError, match=r"is damaged: .*1: does not exist"):
        convert(devkit, url, resume=True)
    assert convert(devkit, url, resume=True, overwrite=True).written
    assert verify(url).ok
