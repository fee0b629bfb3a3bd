"""A data set with the wrong folder of images names the right one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from segdata.errors import InvalidInputError
from segdata.files.root import check_root
from segdata.opening import open_dataset


def _list(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "list.txt").write_text("".join(f"{name} {name}.png\n" for name in names))
    return folder / "list.txt"


@pytest.mark.parametrize(
    ("right", "given"),
    [("data", "data/images"), ("data", "."), ("data/raw", "data"), ("lists", "data"), (".", "data/images/deep")],
)
def test_the_folder_that_has_all_images_is_named(tmp_path: Path, right: str, given: str) -> None:
    for folder in ("data/images/deep", "data/raw", "lists"):
        (tmp_path / folder).mkdir(parents=True)
    path = _list(tmp_path / "lists", ["a/0.jpg", "a/1.jpg"])
    root = tmp_path / right
    (root / "a").mkdir(parents=True, exist_ok=True)
    for number in range(2):
        (root / "a" / f"{number}.jpg").touch()
    with pytest.raises(InvalidInputError) as caught:
        open_dataset(path, data_root=tmp_path / given)
    assert str(caught.value) == (
        f"{path}: none of 2 images is below {tmp_path / given}; all are below {root}. Use --data_root {root}."
    )
    assert len(open_dataset(path, data_root=root)) == 2


def test_of_several_folders_with_such_names_two_are_named(tmp_path: Path) -> None:
    path = _list(tmp_path / "lists", ["0.jpg"])
    for folder in ("train", "val"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "0.jpg").touch()
    train, val = tmp_path / "train", tmp_path / "val"
    with pytest.raises(InvalidInputError) as caught:
        check_root(path, path.parent, ["0.jpg"], "--data_root")
    assert f"files of these names are below {train} and {val}. Use the right one: --data_root {train}." in str(
        caught.value
    )


def test_the_folder_beside_a_json_is_named_before_others_further_away(tmp_path: Path) -> None:
    for folder in ("a/pictures", "b/photos"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "0.jpg").touch()
    (tmp_path / "0.jpg").touch()
    path, near = tmp_path / "b" / "x.json", tmp_path / "b" / "photos"
    images = [{"id": 1, "file_name": "0.jpg", "height": 2, "width": 2}]
    path.write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    with pytest.raises(InvalidInputError, match=f"Use the right one: --images {near}."):
        open_dataset(path)
    assert len(open_dataset(path, images=near)) == 1


@pytest.mark.parametrize("given", ["raw", "gone", None], ids=["another folder", "no folder", "by default"])
def test_the_image_folder_of_a_json_is_named(tmp_path: Path, given: str | None) -> None:
    for folder in ("raw", "pictures", "annotations"):
        (tmp_path / folder).mkdir()
    path = tmp_path / "annotations" / "train.json"
    images = [{"id": number, "file_name": f"{number}.jpg", "height": 2, "width": 2} for number in range(2)]
    path.write_text(json.dumps({"images": images, "annotations": [], "categories": [{"id": 1, "name": "cat"}]}))
    for number in range(2):
        (tmp_path / "pictures" / f"{number}.jpg").touch()
    root = tmp_path / "pictures"
    with pytest.raises(InvalidInputError, match=f"none of 2 images is .*; all are below {root}. Use --images {root}."):
        open_dataset(path, images=given and tmp_path / given)
    assert len(open_dataset(path, images=root)) == 2


def test_missing_images_are_left_to_the_samples(tmp_path: Path) -> None:
    path = _list(tmp_path, ["0.jpg", "1.jpg"])
    # No image is anywhere; then one of them is in another folder, and then one is in the named one.
    assert len(open_dataset(path)) == 2
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "0.jpg").touch()
    assert len(open_dataset(path)) == 2
    (tmp_path / "near" / "1.jpg").touch()
    with pytest.raises(InvalidInputError, match="all are below"):
        open_dataset(path)
    (tmp_path / "0.jpg").touch()
    assert len(open_dataset(path)) == 2


def test_names_and_folders_that_cannot_be_read_do_no_harm(tmp_path: Path) -> None:
    check_root(tmp_path / "list.txt", tmp_path / "none", ["x" * 5000, "/abs.jpg"], "--images")
    with pytest.raises(InvalidInputError, match=r"its only image is not below .*; it is below"):
        (tmp_path / "a.jpg").touch()
        check_root(tmp_path / "list.txt", tmp_path / "none", ["a.jpg"], "--images")
