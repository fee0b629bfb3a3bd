"""The label values of a data set, and messages about others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segdata.errors import Fault, InvalidInputError
from segdata.labels.classes import Classes, read_class_names, write_class_names
from segdata.labels.masks import count_values

FOUR = Classes(("ground", "road", "tree", "house"), ignore_label=100)


def test_the_ids_of_classes_and_the_ignore_label_are_allowed() -> None:
    allowed = FOUR.allowed()
    assert (allowed.shape, np.flatnonzero(allowed).tolist()) == ((256,), [0, 1, 2, 3, 100])


def test_a_label_of_allowed_values_has_no_fault() -> None:
    label = np.array([[0, 1, 2], [3, 100, 0]], np.uint8)
    FOUR.check(label, count_values(label))


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ([[0, 3], [4, 4]], "pixel (x=0, y=1) has value 4; expected 0 to 3 or 100 (1 such value)"),
        ([[255, 0], [9, 4]], "pixel (x=1, y=1) has value 4; expected 0 to 3 or 100 (3 such values)"),
    ],
)
def test_the_first_pixel_of_the_smallest_other_value_is_named(label: list[list[int]], message: str) -> None:
    values = np.array(label, np.uint8)
    with pytest.raises(InvalidInputError) as error:
        FOUR.check(values, count_values(values))
    assert (str(error.value), error.value.code) == (message, "value_outside_classes")


def test_gray_made_from_vocs_colors_is_named_for_what_it_is() -> None:
    label = np.array([[0, 38], [220, 0]], np.uint8)
    with pytest.raises(InvalidInputError, match="gray made from color: 220 is the luminance of void") as error:
        Classes().check(label, count_values(label))
    assert error.value.code == "gray_from_color"


def test_black_and_white_masks_are_a_fault_if_white_is_the_ignore_label() -> None:
    what = "contain only 0 and 255, which is the ignore label, so only class 0 would be left"
    found = Fault("binary_mask", "all labels", what)
    two = Classes(("ground", "road"))
    assert two.check_all([0, 255]) == [found]
    assert two.check_all([0, 1, 255]) == two.check_all([0]) == two.check_all([1, 255]) == []
    assert Classes(("ground", "road"), ignore_label=100).check_all([0, 255]) == []
    assert Classes(("ground",)).check_all([0, 255]) == []


@pytest.mark.parametrize("text", ["images/a.jpg labels/a.png\nimages/b.jpg labels/b.png\n", "a.PNG\n", "x\ny\nb.tif\n"])
def test_a_list_of_images_is_not_a_file_of_class_names(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(InvalidInputError, match=r"name an image: .* This is a list of samples, not of classes"):
        read_class_names(tmp_path / "list.txt")


def test_a_yaml_list_is_not_a_file_of_class_names(tmp_path: Path) -> None:
    (tmp_path / "names.yaml").write_text("- cat\n- dog\n")
    with pytest.raises(InvalidInputError, match=r"every line begins with .*this is a YAML list"):
        read_class_names(tmp_path / "names.yaml")
    (tmp_path / "names.txt").write_text("- cat\ndog\n")
    assert read_class_names(tmp_path / "names.txt") == ("- cat", "dog")


@pytest.mark.parametrize(
    "text",
    [
        "Pixel Value, Class\n0, background\n1, cat\n",
        "id,name\n7,road\n11,building\n",
        "0 background\n1 cat\n",
        "0: background\n1: cat\n",
        "0. background\n1. cat\n",
        "1\tcat\n2\tdog\n",
        "0\t背景\n1\t猫\n",
        "names:\n  0: traffic light\n  1: stop sign\n",
        "void 255\nroad 1\n",
        "name;id\nbackground;0\ncell;128\n",
    ],
)
def test_a_table_of_numbers_and_names_is_not_a_file_of_class_names(tmp_path: Path, text: str) -> None:
    (tmp_path / "names.txt").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"is a table of numbers and names: .* one line for each id from 0 on"):
        read_class_names(tmp_path / "names.txt")


@pytest.mark.parametrize(
    "names",
    [
        ("Boeing 737", "Airbus 320"),
        ("airplane 2", "boat"),
        ("background", "airplane 1", "boat 2"),
        ("grade 0", "grade 1", "grade 2"),
        ("0", "1", "2"),
        ("0.5 mm", "1.5 mm", "2.5 mm"),
        ("cell 1",),
        ("background", "2 wheels", "4 wheels"),
    ],
)
def test_names_with_numbers_are_class_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    write_class_names(tmp_path / "names.txt", names)
    assert read_class_names(tmp_path / "names.txt") == names


def test_names_that_would_be_read_as_a_table_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"the names have numbers, as in a table: '0 cat'\. Rename the classes"):
        write_class_names(tmp_path / "names.txt", ("0 cat", "1 dog"))
