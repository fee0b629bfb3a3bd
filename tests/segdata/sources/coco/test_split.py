"""Splitting a COCO JSON: each image with its annotations on one side, everything else in each result."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from segdata.errors import FaultsError, InvalidInputError, TargetExistsError
from segdata.inspect.check import check
from segdata.lists import Pair, read_list, write_list
from segdata.lists.split import split_list
from segdata.miniature.coco import write_coco
from segdata.opening import open_dataset
from segdata.sources.coco.split import split_coco

Run = Callable[..., Result]

CATEGORIES = [{"id": 7, "name": "cat", "color": [1, 2, 3]}, {"id": 3, "name": "dog"}, {"id": 90, "name": "never"}]


def written(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def document(images: int = 60) -> dict[str, Any]:
    """Return a JSON in which every third image has no annotation, and every tenth has a dog beside its cats."""
    names = [f"ride {index % 6}/{index:03}.jpg" for index in range(images)]
    objects = [(index, 7) for index in range(images) for _ in range(index % 3)]
    objects += [(index, 3) for index in range(0, images, 10)]
    return {
        "info": {"description": "mine", "year": 2026},
        "licenses": [{"id": 1}],
        "images": [
            {"id": index, "file_name": name, "width": 40, "height": 30, "flickr_url": "x"}
            for index, name in enumerate(names)
        ],
        "annotations": [
            {
                "id": number,
                "image_id": image,
                "category_id": category,
                "segmentation": [[5, 5, 15, 5, 15, 15]],
                "bbox": [5, 5, 10, 10],
                "area": 100,
                "iscrowd": 0,
            }
            for number, (image, category) in enumerate(objects)
        ],
        "categories": CATEGORIES,
        "type": "instances",
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return written(tmp_path / "instances.json", document())


def read(path: str | Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("ratio", [0.7, (0.6, 0.2, 0.2)])
def test_every_image_and_its_annotations_come_to_one_side_and_keep_their_order(source: Path, ratio: Any) -> None:
    report, every = split_coco(source, ratio=ratio), read(source)
    parts = {side: read(path) for side, path in report.files.items()}
    assert list(report.files) == ["train", "val", "test"][: len(parts)]
    for key in ("images", "annotations"):
        together = [item for part in parts.values() for item in part[key]]
        assert sorted(together, key=lambda item: item["id"]) == every[key]
    for side, part in parts.items():
        ids = [image["id"] for image in part["images"]]
        assert ids == sorted(ids)
        assert [item for item in every["annotations"] if item["image_id"] in ids] == part["annotations"]
        assert {**part, "images": 0, "annotations": 0} == {**every, "images": 0, "annotations": 0}
        assert list(part) == list(every)
        assert report.annotations is not None
        assert (report.samples[side], report.annotations[side]) == (len(ids), len(part["annotations"]))
        assert report.reached[side] == len(ids) / 60


def test_the_text_of_objects_does_not_change(tmp_path: Path) -> None:
    text = json.dumps(document()).replace('"area": 100', '"area": 1.50e2')
    (tmp_path / "i.json").write_text(text)
    report = split_coco(tmp_path / "i.json", ratio=0.5)
    parts = "".join(Path(path).read_text() for path in report.files.values())
    assert parts.count('"area": 1.50e2') == text.count('"area": 1.50e2')


def test_a_list_and_a_json_of_the_same_names_are_split_alike(source: Path, tmp_path: Path) -> None:
    pairs = [Pair(image["file_name"], f"{image['id']}.png") for image in read(source)["images"]]
    write_list(tmp_path / "l.txt", pairs, overwrite=False)
    as_list, as_json = split_list(tmp_path / "l.txt", ratio=0.7, seed=4), split_coco(source, ratio=0.7, seed=4)
    for side in ("train", "val"):
        names = [image["file_name"] for image in read(as_json.files[side])["images"]]
        assert names == [pair.image for pair in read_list(Path(as_list.files[side]))]


def test_a_group_is_never_divided(source: Path) -> None:
    report = split_coco(source, ratio=0.5, group=r"ride (\d)")
    rides = [{image["file_name"][:6] for image in read(path)["images"]} for path in report.files.values()]
    assert not rides[0] & rides[1]
    assert sum(report.groups.values()) == 6


def test_a_stratified_split_takes_the_ratio_of_each_category(source: Path) -> None:
    report = split_coco(source, ratio=0.5, stratify=True)
    # 6 images have a dog, 36 others only cats, 18 nothing.
    assert report.samples == {"train": 30, "val": 30}
    assert [(item.id, item.name, item.images) for item in report.classes] == [(3, "dog", 6), (7, "cat", 40)]
    assert report.classes[0].shares == {"train": 0.1, "val": 0.1}
    dogs = [sum(item["category_id"] == 3 for item in read(path)["annotations"]) for path in report.files.values()]
    assert dogs == [3, 3]


def test_an_exact_split_counts_images(source: Path) -> None:
    report = split_coco(source, ratio=(0.8, 0.1, 0.1), exact=True)
    assert report.samples == {"train": 48, "val": 6, "test": 6}


def test_names_with_backslashes_have_the_same_groups(tmp_path: Path) -> None:
    content = document()
    for image in content["images"]:
        image["file_name"] = image["file_name"].replace("/", "\\")
    report = split_coco(written(tmp_path / "win.json", content), ratio=0.5, group="^(.*)/")
    assert sum(report.groups.values()) == 6


def test_the_results_of_a_real_looking_set_have_no_faults(tmp_path: Path) -> None:
    write_coco(tmp_path / "coco", images=8)
    report = split_coco(tmp_path / "coco" / "annotations" / "instances.json", ratio=0.5, exact=True)
    for path in report.files.values():
        dataset = open_dataset(Path(path))
        assert (len(dataset), check(dataset).errors) == (4, 0)


def test_annotations_of_no_image_are_named(tmp_path: Path) -> None:
    content = document()
    content["annotations"][4]["image_id"] = 999
    with pytest.raises(FaultsError, match=r"1 annotation with an unknown image or category; .*coco-subset") as error:
        split_coco(written(tmp_path / "i.json", content), ratio=0.5)
    assert [fault.where for fault in error.value.faults] == ["annotation 4"]
    assert [path.name for path in tmp_path.iterdir()] == ["i.json"]


def test_two_objects_of_one_file_never_come_to_two_sides(tmp_path: Path) -> None:
    content = document()
    content["images"][5]["file_name"] = "./" + content["images"][9]["file_name"]
    with pytest.raises(FaultsError, match="1 file with several image objects"):
        split_coco(written(tmp_path / "i.json", content), ratio=0.5)


@pytest.mark.parametrize("content", [{"images": [], "annotations": [], "categories": []}, {"images": []}, {}])
def test_a_json_without_images_or_lists_is_refused(tmp_path: Path, content: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=r"contains no images|not a COCO instances file"):
        split_coco(written(tmp_path / "i.json", content), ratio=0.5)


@pytest.mark.parametrize("name", ["instances_train.json", "instances_val.json"])
def test_no_json_is_written_when_one_exists(source: Path, name: str) -> None:
    old = written(source.parent / name, {"images": [], "annotations": [], "categories": []})
    before = old.read_bytes()
    with pytest.raises(TargetExistsError, match=name):
        split_coco(source, ratio=0.5)
    assert sorted(path.name for path in source.parent.iterdir()) == ["instances.json", name]
    split_coco(source, ratio=0.5, overwrite=True)
    assert old.read_bytes() != before


def test_no_image_stays_in_the_test_json_of_an_earlier_split(source: Path) -> None:
    split_coco(source, ratio=(0.4, 0.3, 0.3), exact=True)
    before = {path: path.read_bytes() for path in source.parent.iterdir()}
    with pytest.raises(TargetExistsError, match=r"instances_test\.json: contains \d+ images that would be in another"):
        split_coco(source, ratio=0.5, exact=True, overwrite=True)
    assert {path: path.read_bytes() for path in source.parent.iterdir()} == before
    written(source.parent / "instances_test.json", {"images": [], "annotations": [], "categories": []})
    split_coco(source, ratio=0.5, exact=True, overwrite=True)


def test_another_json_of_that_name_is_never_replaced(source: Path) -> None:
    mine = written(source.parent / "instances_val.json", {"mine": 1})
    with pytest.raises(TargetExistsError, match=r"instances_val\.json: exists and is not a COCO JSON"):
        split_coco(source, ratio=0.5, overwrite=True)
    assert read(mine) == {"mine": 1}


def test_when_the_second_json_cannot_be_replaced_the_first_is_the_old_one(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split_coco(source, ratio=0.5, seed=1)
    before = {path.name: path.read_bytes() for path in source.parent.iterdir()}
    replace = Path.replace

    def fail_on_val(self: Path, target: Path) -> Path:
        if target.name == "instances_val.json" and self.parent.name == "new":
            raise OSError(28, "No space left on device", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail_on_val)
    with pytest.raises(OSError, match="No space left"):
        split_coco(source, ratio=0.5, seed=2, overwrite=True)
    assert {path.name: path.read_bytes() for path in source.parent.iterdir()} == before


def test_the_command_splits_a_json_and_says_what_it_reached(segdata: Run, source: Path) -> None:
    result = segdata(
        "split", source, "--ratio", "0.8,0.1,0.1", "--exact", "--stratify", "--dst_path", source.parent / "s"
    )
    assert result.exit_code == 0, result.output
    assert "48 images with" in result.output
    assert f"(80.0%, requested 80%) written to {source.parent}/s/instances_train.json" in result.output
    assert "class  images  of train  of val  of test\ndog         6" in result.output


def test_a_dry_run_as_json_writes_nothing(segdata: Run, source: Path) -> None:
    result = segdata("split", source, "--ratio", "0.75,0.25", "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    assert (report["written"], report["ratio"]) == (False, {"train": 0.75, "val": 0.25})
    assert list(source.parent.iterdir()) == [source]


def test_a_data_root_is_for_lists(segdata: Run, source: Path) -> None:
    result = segdata("split", source, "--ratio", 0.5, "--data_root", source.parent)
    assert (result.exit_code, "--data_root is for lists" in result.output) == (2, True), result.output


def test_a_record_set_is_not_split(segdata: Run, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    result = segdata("split", tmp_path / "manifest.json", "--ratio", 0.5)
    assert (result.exit_code, "expected a list or a COCO JSON" in result.output) == (2, True), result.output
