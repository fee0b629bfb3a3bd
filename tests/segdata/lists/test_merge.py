"""Lists merged into one: the samples of all, each once, with paths that still name the same files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from segdata.errors import FaultsError, InvalidInputError, TargetExistsError
from segdata.lists import Pair, format_list, read_list
from segdata.lists.merge import ListMergeReport, merge_lists


def write(path: Path, *images: str, label: str = ".png") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(format_list([Pair(f"{image}.jpg", f"{image}{label}") for image in images]))
    return path


def merge(*lists: Path, out: Path, roots: tuple[Path, ...] = (), **options: object) -> ListMergeReport:
    return merge_lists(lists, out, data_roots=roots or [path.parent for path in lists], **options)


@settings(max_examples=30)
@given(
    st.lists(st.text("abc/", min_size=1).map("x/{}".format), unique_by=lambda name: Path(name), min_size=1), st.data()
)
def test_a_list_in_two_parts_merges_to_itself(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("lists")
    middle = data.draw(st.integers(0, len(names)))
    parts = [
        write(folder / f"{number}.txt", *part) for number, part in enumerate((names[:middle], names[middle:])) if part
    ]
    expected = read_list(write(folder / "list.txt", *names))
    report = merge(*parts, out=folder / "out.txt")
    assert read_list(folder / "out.txt") == expected
    assert (report.samples, report.repeated, report.root) == (len(names), 0, str(folder))


def test_paths_are_relative_to_the_nearest_folder_above_all_roots(tmp_path: Path) -> None:
    one, two = (
        write(tmp_path / "data" / "a" / "lst.txt", "x"),
        write(tmp_path / "data" / "b" / "c" / "lst.txt", "x", "y"),
    )
    report = merge(one, two, out=tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text() == "a/x.jpg a/x.png\nb/c/x.jpg b/c/x.png\nb/c/y.jpg b/c/y.png\n"
    assert report.root == str(tmp_path / "data")
    assert report.parts == {str(one): 1, str(two): 2}


def test_one_root_inside_the_other_gives_the_same_files_one_name(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1.txt", "b/x"), write(tmp_path / "2.txt", "./x", "y")
    report = merge(one, two, out=tmp_path / "out.txt", roots=(tmp_path, tmp_path / "b"))
    assert (tmp_path / "out.txt").read_text() == "b/x.jpg b/x.png\nb/y.jpg b/y.png\n"
    assert (report.samples, report.repeated) == (2, 1)


def test_a_root_that_is_named_twice_through_a_link_gives_the_same_files_one_name(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a" / "1.txt", "x"), write(tmp_path / "a" / "2.txt", "x", "y")
    (tmp_path / "link").symlink_to("a")
    report = merge(one, two, out=tmp_path / "out.txt", roots=(tmp_path / "a", tmp_path / "link"))
    assert (tmp_path / "out.txt").read_text() == "x.jpg x.png\ny.jpg y.png\n"
    assert (report.samples, report.repeated, report.root) == (2, 1, str(tmp_path / "a"))


def test_an_image_with_two_labels_is_a_conflict_that_names_both(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1.txt", "x", "y"), write(tmp_path / "2.txt", "y", "z", label="_mask.png")
    with pytest.raises(FaultsError, match=r"1 conflict; .*\n  y.jpg: has the label y.png in .*1.txt and y_mask.png in"):
        merge(one, two, out=tmp_path / "out.txt")
    assert not (tmp_path / "out.txt").exists()


def test_a_path_outside_its_root_does_not_become_one_inside(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a" / "1.txt", "x"), write(tmp_path / "b" / "2.txt", "../a/x", "/x")
    with pytest.raises(FaultsError, match="2 conflicts") as caught:
        merge(one, two, out=tmp_path / "out.txt")
    assert [fault.code for fault in caught.value.faults] == ["outside_root"] * 2


def test_white_space_makes_tabs(tmp_path: Path) -> None:
    one, two = write(tmp_path / "my data" / "1.txt", "x"), write(tmp_path / "b" / "2.txt", "x")
    merge(one, two, out=tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text() == "my data/x.jpg\tmy data/x.png\nb/x.jpg\tb/x.png\n"


def test_classes_that_differ_are_refused_with_the_cure(tmp_path: Path) -> None:
    parts = write(tmp_path / "1.txt", "x"), write(tmp_path / "2.txt", "y")
    merge(*parts, out=tmp_path / "out.txt", class_names=[("sky", "cat"), ("sky", "cat")])
    with pytest.raises(InvalidInputError, match=r"2.txt: class 1 is 'dog', but 'cat' in .*1.txt; .*segdata mask-map"):
        merge(*parts, out=tmp_path / "b.txt", class_names=[("sky", "cat"), ("sky", "dog")])
    with pytest.raises(InvalidInputError, match=r"2.txt: class 2 is 'dog', but missing in"):
        merge(*parts, out=tmp_path / "b.txt", class_names=[("sky", "cat"), ("sky", "cat", "dog")])


def test_class_names_beside_the_lists_are_compared_unless_others_are_given(tmp_path: Path) -> None:
    parts = write(tmp_path / "a" / "1.txt", "x"), write(tmp_path / "b" / "2.txt", "y"), write(tmp_path / "c.txt", "z")
    (tmp_path / "a" / "classes.txt").write_text("background\ncat\ndog\n")
    (tmp_path / "b" / "classes.txt").write_text("background\ndog\ncat\n")
    with pytest.raises(InvalidInputError, match=r"2.txt: class 1 is 'dog', but 'cat' in .*1.txt; .*classes\.txt"):
        merge(*parts, out=tmp_path / "out.txt")
    merge(*parts, out=tmp_path / "out.txt", class_names=[("sky", "cat", "dog")] * 3)
    (tmp_path / "b" / "classes.txt").write_text("background\ncat\ndog\n")
    merge(*parts, out=tmp_path / "out.txt", overwrite=True)
    assert len(read_list(tmp_path / "out.txt")) == 3


def test_nothing_of_others_is_replaced(tmp_path: Path) -> None:
    parts = write(tmp_path / "1.txt", "x"), write(tmp_path / "2.txt", "y")
    assert not merge(*parts, out=tmp_path / "out.txt", dry_run=True).written
    assert not (tmp_path / "out.txt").exists()
    merge(*parts, out=tmp_path / "out.txt")
    with pytest.raises(TargetExistsError, match="already exists"):
        merge(*parts, out=tmp_path / "out.txt")
    merge(*parts[:1], out=tmp_path / "out.txt", overwrite=True)
    assert len(read_list(tmp_path / "out.txt")) == 1
    with pytest.raises(InvalidInputError, match="is the target itself"):
        merge(*parts, out=parts[0], overwrite=True)
    (tmp_path / "notes.txt").write_text("my notes of today\n")
    with pytest.raises(TargetExistsError, match="not a list file"):
        merge(*parts, out=tmp_path / "notes.txt", overwrite=True)
