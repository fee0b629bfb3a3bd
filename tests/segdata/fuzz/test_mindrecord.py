"""Shards and their indexes, damaged in every way: the rows that were written, or an error message."""

from __future__ import annotations

from pathlib import Path

import pytest
from damaged_files import damaged
from hypothesis import given, settings, strategies as st

import segdata
from segdata.errors import InvalidInputError
from segdata.mindrecord.reader import ShardReader
from segdata.miniature.coco import write_coco

FIELDS = ["image_id", "file_name", "height", "boxes", "labels"]


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mindrecord")
    write_coco(root / "coco", images=6)
    source = segdata.open_dataset(root / "coco" / "annotations" / "instances.json", images=root / "coco" / "images")
    segdata.to_mindrecord(source, root / "set", num_shards=1)
    return root / "set" / "set.mindrecord"


def read(path: Path) -> list[str] | None:
    """Return the rows as text; None for an error message. Every other exception is a failure."""
    try:
        reader = ShardReader(path)
        return [repr(reader.row(index, FIELDS)) for index in range(len(reader))]
    except InvalidInputError as error:
        assert str(path.parent) in str(error)
        return None


def test_the_sound_shard_is_read(shard: Path) -> None:
    rows = read(shard)
    assert rows is not None
    assert len(rows) == 6


@settings(max_examples=3 * settings.default.max_examples)
@given(data=st.data())
def test_damage_to_an_index_is_a_sentence_or_changes_no_row(
    shard: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / shard.name
    path.write_bytes(shard.read_bytes())
    index = shard.with_name(f"{shard.name}.db").read_bytes()
    path.with_name(f"{path.name}.db").write_bytes(data.draw(damaged(index, most=4)))
    found = read(path)
    assert found is None or len(found) <= 6
    if found is not None:
        assert found == read(shard)


@settings(max_examples=3 * settings.default.max_examples)
@given(data=st.data())
def test_damage_to_a_shard_is_a_sentence_or_rows(
    shard: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / shard.name
    path.write_bytes(data.draw(damaged(shard.read_bytes(), most=4)))
    path.with_name(f"{path.name}.db").write_bytes(shard.with_name(f"{shard.name}.db").read_bytes())
    found = read(path)
    # Without its digest, a changed byte of a row is a changed row.
    assert found is None or len(found) == 6
