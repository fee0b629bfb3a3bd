from __future__ import annotations

from pathlib import Path

import pytest

from segdata.errors import Fault
from segdata.records.unpack_names import plan_names


def plan(*names: str, taken: tuple[str, ...] = ()) -> tuple[list[str], list[str], list[Fault]]:
    """Return the paths of images and labels, and the faults."""
    faults: list[Fault] = []
    found = plan_names(names, Path("root"), faults, taken=taken)
    images = [found.image(number, name) for number, name in enumerate(names)]
    return images, [found.label(image, ".png") for image in images], faults


def test_names_and_folders_stay() -> None:
    images, labels, faults = plan("a.jpg", "b/c.d.jpg", "./b//e.png")
    assert (images, faults) == (["a.jpg", "b/c.d.jpg", "b/e.png"], [])
    assert labels == ["labels/a.png", "labels/b/c.d.png", "labels/b/e.png"]


def test_later_rows_of_one_name_get_a_number_that_is_free() -> None:
    images, labels, faults = plan("a.jpg", "a_2.jpg", "a.jpg", "./a.jpg")
    assert (images, faults) == (["a.jpg", "a_2.jpg", "a_3.jpg", "a_4.jpg"], [])
    assert len(set(labels)) == 4


def test_images_of_one_stem_have_different_labels() -> None:
    assert plan("a.jpg", "a.png", "b.jpg")[1] == ["labels/a.jpg.png", "labels/a.png.png", "labels/b.png"]


@pytest.mark.parametrize(
    "names",
    [
        ("a.jpg", "a.png", "a.jpg.gz"),
        ("a.jpg", "a.png", "a.jpg.gz", "a.jpg.gz.old"),
        ("a.jpg", "a.png/b.jpg"),
        ("a.jpg", "a.jpg", "a_2.png", "a_2.jpg.gz"),
    ],
)
def test_no_label_has_the_path_or_the_folder_of_another(names: tuple[str, ...]) -> None:
    _, labels, faults = plan(*names)
    assert faults == []
    assert len(set(labels)) == len(labels)
    assert {str(parent) for label in labels for parent in Path(label).parents}.isdisjoint(labels)


def test_a_label_that_would_be_a_folder_is_refused_with_the_row_of_its_image() -> None:
    faults = [str(fault) for fault in plan("b/c.jpg", "a", "a.png/b.jpg")[2]]
    assert faults == ["row 1: file name 'a': its label would be named as a folder of labels is"]


def test_labels_are_in_a_folder_without_images() -> None:
    assert plan("labels/a.png", "labels_2/b.png")[1] == ["labels_3/labels/a.png", "labels_3/labels_2/b.png"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../a.jpg", "outside the data root"),
        ("a/../../b.jpg", "outside the data root"),
        ("/etc/passwd", "outside the data root"),
        ("a\0.jpg", "outside the data root"),
        ("", "expected the path of a file"),
        ("./", "expected the path of a file"),
        ("x_lst.txt", "segdata unpack writes a file of this name"),
        ("x_lst.txt/a.jpg", "segdata unpack writes a file of this name"),
    ],
)
def test_a_name_that_no_image_can_have_is_refused_with_its_row(name: str, sentence: str) -> None:
    faults = plan("a.jpg", name, taken=("x_lst.txt",))[2]
    assert [(fault.where, fault.code) for fault in faults] == [("row 1", "outside_root")]
    assert sentence in faults[0].what


def test_a_file_cannot_be_a_folder_too() -> None:
    faults = [str(fault) for fault in plan("a/b.jpg", "a")[2]]
    assert faults == ["row 1: file name 'a' is also a folder in the names of other rows"]
