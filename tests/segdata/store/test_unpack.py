"""Record sets in a real S3 server that are taken apart, and files that are published there."""

from __future__ import annotations

from pathlib import Path

import pytest
from foreign_sets import write_foreign, zoo_rows
from s3_server import names

from segdata.errors import InvalidInputError, TargetExistsError
from segdata.lists import read_list
from segdata.records.reader import open_set
from segdata.records.unpack import unpack
from segdata.store.access import reading
from segdata.store.transfer import upload
from segdata.store.url import Url


def test_from_a_url_to_a_url(url: Url, local: Path, tmp_path: Path) -> None:
    source, target = url / "set", url / "files"
    upload(local, [path.name for path in local.iterdir()], source)
    report = unpack(source / "train.mindrecord3", target)
    assert (report.rows, report.path) == (10, str(target))
    with reading(target) as copy:
        pairs = read_list(copy / Path(report.file).name)
        for pair, row in zip(pairs, open_set(local), strict=True):
            assert (copy / pair.image).read_bytes() == row["data"]
            assert (copy / pair.label).read_bytes() == row["label"]
    with pytest.raises(TargetExistsError, match="already exists"):
        unpack(source, target)
    before = names(target)
    unpack(source, target, overwrite=True)
    assert names(target) == before
    assert [path for path in (tmp_path / "work").rglob("files") if path.is_dir()] == []


@pytest.mark.parametrize("name", ["", "voc.mindrecord1"])
def test_a_set_without_a_manifest_at_a_url(url: Url, voc_records: Path, tmp_path: Path, name: str) -> None:
    shard = write_foreign(tmp_path / "zoo", zoo_rows(voc_records))
    upload(shard.parent, [path.name for path in shard.parent.iterdir()], url)
    report = unpack(url / name if name else url, tmp_path / "files")
    assert len(read_list(Path(report.file))) == 10


def test_nothing_at_the_url_is_a_sentence(url: Url, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no such object"):
        unpack(url / "nothing", tmp_path / "files")
