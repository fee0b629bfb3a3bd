"""Files of class names: plain lists, maps with colors, labelme's labels.txt."""

from __future__ import annotations

from pathlib import Path

import pytest

from segdata.console.options import read_classes
from segdata.errors import InvalidInputError
from segdata.labels.classes import read_class_names, write_class_names


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "names.txt"


def test_a_label_has_room_for_255_classes(path: Path) -> None:
    path.write_text("\n".join(f"c{index}" for index in range(255)))
    assert len(read_class_names(path)) == 255
    path.write_text("\n".join(f"c{index}" for index in range(256)))
    with pytest.raises(InvalidInputError, match="256 classes"):
        read_class_names(path)


def test_class_names_come_from_plain_names_or_from_a_map(path: Path) -> None:
    path.write_text("background\nroad marking\n")
    assert read_class_names(path) == ("background", "road marking")
    path.write_text("background:0,0,0::\npotted plant:0,64,0:leaf,pot:\nvoid:255,255,255::\n")
    assert read_class_names(path) == ("background", "potted plant")
    path.write_text("cell\ncell\n")
    with pytest.raises(InvalidInputError, match="duplicate class 'cell'"):
        read_class_names(path)


@pytest.mark.parametrize("void", ["__ignore__", "void", "Ignore", "ignored"])
def test_void_has_no_class_id_as_in_a_map(path: Path, void: str) -> None:
    path.write_text(f"{void}\n_background_\ncat\n")
    assert read_class_names(path) == ("_background_", "cat")


def test_void_in_the_place_of_the_ignore_label_names_it(path: Path) -> None:
    path.write_text("void\ncell\nnucleus\n")
    classes = read_classes(None, path, 0)
    assert classes is not None and (classes.names, classes.ignore_label) == (("void", "cell", "nucleus"), 0)
    path.write_text("cell\nnucleus\nvoid\n")
    assert read_class_names(path, ignore_label=2) == ("cell", "nucleus", "void")
    assert read_class_names(path) == ("cell", "nucleus")


def test_names_that_would_be_read_as_others_are_not_written(path: Path) -> None:
    write_class_names(path, ("background", "cell"))
    assert read_class_names(path) == ("background", "cell")


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("background", "", "cat"), "name '' of class 1 is empty"),
        (("background", "cat "), "name 'cat ' of class 1 has white space at an end, or a line break"),
        (("black\rcat", "dog"), r"name 'black\rcat' of class 0 has white space at an end, or a line break"),
        (("#1",), "name '#1' of class 0 begins with #, as comments do"),
        (("background", "void"), "name 'void' of class 1 means pixels without a class"),
        (("background", "cat.png"), "name 'cat.png' of class 1 is like the name of an image"),
        (("a", "b 1 2 3"), "name 'b 1 2 3' of class 1 ends or begins with a color"),
        (("a", "b,1,2,3"), "name 'b,1,2,3' of class 1 ends or begins with a color"),
        (("a", "b", "a"), "name 'a' of class 2 is that of class 0, too"),
        (("- a", "- b"), "2 names such as '- a'"),
        ((), "no names"),
    ],
)
def test_a_name_that_cannot_be_written_is_named_with_the_reason(path: Path, names: tuple[str, ...], why: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        write_class_names(path, names)
    assert str(error.value) == f"names.txt: not valid as class names: {why}. Rename the classes."


@pytest.mark.parametrize(
    "text",
    [
        "name,r,g,b\nAnimal,64,128,64\nSky,0,128,192\n",
        "name; r; g; b\nAnimal; 64; 128; 64\nSky; 0; 128; 192\n",
        "64 128 64\tAnimal\n0 128 192\tSky\n",
    ],
)
def test_a_table_of_colors_is_not_a_list_of_names(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=r"2 of [23] lines have a color in another form: '.*Remove a heading"):
        read_class_names(path)


@pytest.mark.parametrize("name", ["road, 2 lanes", "1,2-dichloroethane", "cell 2", "3 2 1", "12 34 56", "a,b,c,d"])
def test_numbers_and_commas_may_be_in_a_name(path: Path, name: str) -> None:
    path.write_text(f"background\n{name}\n")
    assert read_class_names(path) == ("background", name)
