"""Traits that tools write into a COCO JSON: prefixes, crowds of a brush, root categories, other folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from segdata.coco.file import Category, Coco, read_coco
from segdata.coco.hints import duplicate_categories, find_image_folder, only_crowds, prefix_hint, root_category
from segdata.errors import Fault, InvalidInputError


def coco(path: Path, *names: str, **options: str) -> Coco:
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    return read_coco(path, **options)  # type: ignore[arg-type]


def files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("name", "prefix", "read"),
    [
        ("images\\3\\a.jpg", "", "images/3/a.jpg"),
        ("..\\..\\media\\upload\\a.jpg", "..\\..\\media\\upload\\", "a.jpg"),
        ("data/upload/a.jpg", "data/upload", "a.jpg"),
        ("/data/local-files/?d=set/a.jpg", "/data/local-files/?d=", "set/a.jpg"),
        ("other/a.jpg", "data/", "other/a.jpg"),
        ("data/", "data/", "data/"),
    ],
)
def test_names_have_slashes_and_no_prefix(tmp_path: Path, name: str, prefix: str, read: str) -> None:
    assert coco(tmp_path / "a.json", name, strip_prefix=prefix).images[0].file_name == read


@pytest.mark.parametrize(
    ("json_file", "image", "folder"),
    [
        ("annotations/i.json", "images/a.jpg", "images"),
        ("train/_annotations.coco.json", "train/a.jpg", "train"),
        ("export/result.json", "export/images/a.jpg", "export/images"),
        ("annotations/i.json", "elsewhere/a.jpg", "images"),
    ],
)
def test_images_are_found_beside_the_json(tmp_path: Path, json_file: str, image: str, folder: str) -> None:
    files(tmp_path, image)
    assert find_image_folder(coco(tmp_path / json_file, "gone.jpg", "a.jpg")) == tmp_path / folder


def test_the_folder_with_more_of_the_images_is_theirs(tmp_path: Path) -> None:
    files(tmp_path, "images/1.jpg", "b/images/1.jpg", "b/images/2.jpg")
    assert find_image_folder(coco(tmp_path / "b/i.json", "1.jpg", "2.jpg")) == tmp_path / "b/images"


def test_two_folders_with_images_of_the_same_names_are_a_question(tmp_path: Path) -> None:
    files(tmp_path, "images/1.jpg", "images/2.jpg", "b/images/1.jpg", "b/images/2.jpg")
    with pytest.raises(InvalidInputError, match=r"/images and .*/b/images both contain images .*, such as 1\.jpg"):
        find_image_folder(coco(tmp_path / "b/i.json", "1.jpg", "2.jpg"))


def test_links_to_one_folder_need_no_choice(tmp_path: Path) -> None:
    files(tmp_path, "images/1.jpg")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/images").symlink_to(tmp_path / "images")
    assert find_image_folder(coco(tmp_path / "b/i.json", "1.jpg")) == tmp_path / "images"


def missing(*names: str) -> list[Fault]:
    return [Fault("missing_image", name, "missing") for name in names]


def test_a_prefix_of_missing_images_is_named_with_its_share(tmp_path: Path) -> None:
    files(tmp_path, "a.jpg", "sub/b.jpg")
    names = ("up/load/a.jpg", "up/load/sub/b.jpg", "up/load/c.jpg")
    (hint,) = prefix_hint(tmp_path, missing(*names), 3)
    assert (hint.code, hint.where) == ("image_prefix", str(tmp_path))
    assert hint.what == "all 3 images are missing; with --strip_prefix up/load/, 2 of 3 exist"
    (hint,) = prefix_hint(tmp_path, [Fault("outside_root", "/my set/a.jpg", "outside"), *missing("d.jpg")], 90)
    assert hint.what == "2 of 90 images are missing; with --strip_prefix '/my set/', 1 of 2 exist"
    (hint,) = prefix_hint(tmp_path, missing("/data/local-files/?d=sub/b.jpg"), 1)
    assert hint.what == "the only image is missing; with --strip_prefix '/data/local-files/?d=', 1 of 1 exist"


def test_no_prefix_is_named_where_none_helps(tmp_path: Path) -> None:
    files(tmp_path, "a.jpg")
    assert prefix_hint(tmp_path, missing("a/b.jpg", "c.jpg"), 2) == []
    assert prefix_hint(tmp_path, [Fault("unreadable", "x/a.jpg", "damaged")], 1) == []


@pytest.mark.parametrize(("objects", "crowds", "found"), [(0, 0, 0), (3, 0, 0), (3, 2, 0), (3, 3, 1), (1, 1, 1)])
def test_only_crowds_means_all_and_at_least_one(objects: int, crowds: int, found: int) -> None:
    assert len(only_crowds(Path("i.json"), objects, crowds)) == found


@pytest.mark.parametrize(
    ("categories", "name"),
    [
        ([Category(0, "fruit", "none"), Category(1, "apple", "fruit"), Category(2, "pear", "fruit")], "fruit"),
        ([Category(2, "apple", "fruit"), Category(0, "fruit", "none")], "fruit"),
        ([Category(0, "fruit", "none")], None),
        ([Category(0, "fruit", "food"), Category(1, "apple", "fruit")], None),
        ([Category(0, "fruit", "none"), Category(1, "apple", "none")], None),
        ([Category(1, "apple"), Category(2, "pear")], None),
        ([], None),
    ],
)
def test_the_root_category_is_the_supercategory_of_all_others(categories: list[Category], name: str | None) -> None:
    root = root_category(categories)
    assert (root and root.name) == name


def test_categories_whose_names_look_the_same_are_one_name(tmp_path: Path) -> None:
    names = ["cat", "caf\xe9", "dog", "cat", "cafe\u0301", " dog", "Dog"]
    categories = [{"id": id_, "name": name} for id_, name in enumerate(names)]
    (tmp_path / "a.json").write_text(json.dumps({"images": [], "annotations": [], "categories": categories}))
    read = read_coco(tmp_path / "a.json")
    assert [str(fault) for fault in duplicate_categories(read)] == [
        "category 'cat': 2 categories have the name 'cat'",
        "category 'caf\xe9': 2 categories have the name 'caf\xe9', apart from spaces or Unicode form (NFC, NFD)",
        "category 'dog': 2 categories have the name 'dog', apart from spaces or Unicode form (NFC, NFD)",
    ]
    assert duplicate_categories(read, [0, 1, 2, 6]) == []
    assert {fault.code for fault in duplicate_categories(read)} == {"duplicate_category"}
