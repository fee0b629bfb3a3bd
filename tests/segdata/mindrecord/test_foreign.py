"""Sets that MindSpore's own tests read, of version 2.0."""

from __future__ import annotations

from pathlib import Path

import pytest

from segdata.mindrecord.shards import SetReader


@pytest.mark.parametrize("number", range(4))
def test_a_set_of_jpegs(real_data: Path, number: int) -> None:
    rows = SetReader(real_data / "mindrecord" / f"imagenet.mindrecord{number}")
    assert len(rows) == 20
    assert rows.shards[0].header.version == "2.0"
    for row in rows:
        assert list(row) == ["data", "file_name", "label"]
        assert row["data"].startswith(b"\xff\xd8") and row["data"].endswith(b"\xff\xd9")
        assert row["file_name"].endswith(".jpg")


def test_two_blob_fields(real_data: Path) -> None:
    rows = SetReader(real_data / "mindrecord" / "twobytes.mindrecord")
    assert [row["id"] for row in rows] == list(range(1, 6)) or len(rows) == 5
    assert {row["img_data"][:2] for row in rows} == {b"\xff\xd8"}


def test_all_rows_are_those_of_file_reader(real_data: Path) -> None:
    mindrecord = pytest.importorskip("mindspore.mindrecord")
    for name in ("imagenet.mindrecord0", "twobytes.mindrecord"):
        path = real_data / "mindrecord" / name
        assert list(SetReader(path)) == list(mindrecord.FileReader(str(path)).get_next())
