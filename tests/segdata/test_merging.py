"""One function merges lists, JSONs and sets; what does not fit together gets a sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from segdata.errors import FaultsError, InvalidInputError, OptionError
from segdata.lists.merge import ListMergeReport
from segdata.merging import merge
from segdata.records.merge import SetMergeReport
from segdata.sources.coco.merge import CocoMergeReport


@pytest.fixture
def lists(tmp_path: Path) -> list[Path]:
    for name in ("one", "two"):
        (tmp_path / f"{name}.txt").write_text(f"{name}.jpg {name}.png\n")
    return [tmp_path / "one.txt", tmp_path / "two.txt"]


def test_the_type_of_the_parts_decides_what_is_written(
    lists: list[Path], coco: Path, voc_records: Path, coco_records: Path, tmp_path: Path
) -> None:
    assert isinstance(merge(lists, tmp_path / "out.txt"), ListMergeReport)
    assert isinstance(merge([coco / "annotations" / "instances.json"], str(tmp_path / "out.json")), CocoMergeReport)
    for records in (voc_records, coco_records):
        report = merge([records / "manifest.json"], tmp_path / records.name, num_shards=2)
        assert isinstance(report, SetMergeReport)
        assert len(report.shard_rows) == 2


def test_one_root_is_that_of_all_lists(lists: list[Path], tmp_path: Path) -> None:
    report = merge(lists, tmp_path / "out.txt", data_root=[tmp_path / "data"])
    assert isinstance(report, ListMergeReport)
    assert report.root == str(tmp_path / "data")
    merge(lists, tmp_path / "out.txt", data_root=[tmp_path / "data" / name for name in "ab"], overwrite=True)
    assert (tmp_path / "out.txt").read_text() == "a/one.jpg a/one.png\nb/two.jpg b/two.png\n"
    with pytest.raises(OptionError, match="3 data roots for 2 parts; expected one for all or one for each"):
        merge(lists, tmp_path / "b.txt", data_root=[tmp_path] * 3)


def test_parts_of_several_types_are_refused_with_the_cure(
    lists: list[Path], coco: Path, voc_records: Path, tmp_path: Path
) -> None:
    parts = [lists[0], coco / "annotations" / "instances.json", voc_records]
    with pytest.raises(
        FaultsError, match=r"segdata unpack takes one apart, .*:\n  .*one.txt: list\n  .*COCO JSON\n  .*set$"
    ):
        merge(parts, tmp_path / "out.txt")


def test_a_part_that_is_named_twice_is_refused(lists: list[Path], tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match=r"one.txt \(2 times\)"):
        merge([*lists, lists[0]], tmp_path / "out.txt")
    with pytest.raises(InvalidInputError, match="nothing to merge"):
        merge([], tmp_path / "out.txt")


@pytest.mark.parametrize(
    ("target", "sentence"),
    [("out.json", "which are lists; expected a path"), (".", "does not fit"), ("s3://bucket/lst.txt", "does not fit")],
)
def test_the_target_must_have_a_name_of_its_type(lists: list[Path], tmp_path: Path, target: str, sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        merge(lists, target if "://" in target else tmp_path / target)


@pytest.mark.parametrize("option", ["images", "unknown", "prefix", "num_shards", "seed", "resume"])
def test_an_option_of_another_type_is_refused(lists: list[Path], tmp_path: Path, option: str) -> None:
    value = {"images": [tmp_path], "unknown": "ignore", "num_shards": 3, "seed": 1}.get(option, True)
    with pytest.raises(OptionError, match=f"a merge of lists does not take --{option}"):
        merge(lists, tmp_path / "out.txt", **{option: value})


def test_class_names_fit_the_parts(lists: list[Path], coco: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--class_names: 1 file for 2 lists"):
        merge(lists, tmp_path / "out.txt", class_names=[("sky",)])
    shutil.copy(coco / "annotations" / "instances.json", tmp_path / "b.json")
    with pytest.raises(OptionError, match="--class_names: 2 files; expected one"):
        merge([tmp_path / "b.json"], tmp_path / "out.json", images=[coco], class_names=[("sky",), ("sea",)])
