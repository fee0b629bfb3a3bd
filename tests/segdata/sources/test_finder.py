"""Files below a folder: links included, each folder once, nothing hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from segdata.errors import InvalidInputError
from segdata.sources.finder import IdFiles, files_below, near_id, no_image


def test_files_below_a_folder(tmp_path: Path) -> None:
    for name in ("set/b.PNG", "set/sub/a.png", "set/.hidden/c.png", "set/.d.png", "set/e.txt", "other/f.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "other")
    (tmp_path / "set" / "sub" / "circle").symlink_to(tmp_path / "set")
    found = [path.relative_to(tmp_path / "set").as_posix() for path in files_below(tmp_path / "set", (".png",))]
    assert found == ["b.PNG", "linked/f.png", "sub/a.png"]


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="gone: cannot be read: No such file or directory"):
        files_below(tmp_path / "gone", (".png",))


@pytest.mark.parametrize(
    ("id_", "near"),
    [
        ("A", "a"),
        ("a.jpg", "a"),
        ("a.PNG", "a"),
        ("a.mat", "a"),
        ("sub/A", "a"),
        ("images/a.tif", "a"),
        ("a  -1", "a"),
        ("b c.D", "B c.d"),
        ("x.jpg", "x"),
        ("x", ""),
        ("x.txt", ""),
        ("a 2", ""),
        ("A 37 2 25", "a"),
        ("b c.D 1 2", "B c.d"),
    ],
)
def test_the_near_form_of_an_id(id_: str, near: str) -> None:
    assert near_id(id_, {"a": "a", "b c.d": "B c.d"}) == near


def test_three_ids_are_shown_and_the_rest_counted() -> None:
    assert no_image(["a", "b"], 5, "") == (
        "2 of 5 ids match no image ('a', 'b'); expected ids of images. Correct the ids, or restore the images."
    )
    assert no_image(["a", "b", "c", "d"], 4, "A").startswith(
        "4 of 4 ids match no image ('a', 'b', 'c', …); expected ids such as 'A'."
    )
    assert no_image(["a"], 1, "A").startswith("1 of 1 id matches no image ('a')")


def test_the_files_of_ids_in_subfolders(tmp_path: Path) -> None:
    for name in ("img/a.jpg", "img/sub/a.png", "img/sub/b.jpg", "img/sub/b.png", "img/other/c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    find = IdFiles(tmp_path, tmp_path / "img", (".jpg", ".png"))
    assert [find("a"), find("sub/a"), find("sub/x"), find("gone/a")] == ["img/a.jpg", "img/sub/a.png", "", ""]
    assert find.near(["a", "sub/A", "sub/c"]) == {"sub/A": "sub/a"}
    find("sub/b")
    assert [str(fault) for fault in find.faults()] == [
        "img/sub/x.jpg: does not exist",
        "img/gone/a.jpg: does not exist",
        "img: sub/b has several files: b.jpg, b.png",
    ]
    assert find.ids() == {"a", "sub/a", "sub/b"}
