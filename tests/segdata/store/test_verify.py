"""Record sets in a real S3 server that are verified."""

from __future__ import annotations

from pathlib import Path

import pytest
from foreign_sets import write_foreign, zoo_rows
from s3_server import put

from segdata.labels.classes import Classes
from segdata.records.adopt import adopt
from segdata.records.reader import open_set
from segdata.records.verify import verify
from segdata.store.transfer import upload
from segdata.store.url import Url


@pytest.mark.parametrize("name", ["voc.mindrecord", "vocaug_mindrecord", "train"])
def test_an_adopted_set_has_the_names_of_its_manifest(url: Url, voc_records: Path, tmp_path: Path, name: str) -> None:
    folder = write_foreign(tmp_path / "zoo", zoo_rows(voc_records), name=name).parent
    adopt(folder, classes=Classes(open_set(voc_records).manifest.class_names))
    upload(folder, [path.name for path in folder.iterdir()], url)
    assert verify(url).problems == ()
    put(url, f"{name}.mindrecord9")
    assert verify(url, quick=True).problems == (f"{name}.mindrecord9: is not in the manifest",)
