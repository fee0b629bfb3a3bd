"""No other files are lost: what is replaced is provably ours."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from published import publish, texts

from segdata.errors import InvalidInputError, SegDataError, TargetExistsError
from segdata.files.ownership import RESULT_MARKER, check_inputs_outside, check_target_directory
from segdata.files.paths import names_by_stem
from segdata.files.publishing import staged_directory
from segdata.inspect.preview import preview
from segdata.miniature.tif import write_stacks
from segdata.opening import open_dataset
from segdata.sources.tif.slice import tif_slice


def test_a_result_lists_its_files_and_their_sizes_in_a_hidden_file(result: Path, tmp_path: Path) -> None:
    expected = b'{"version":1,"files":{"list.txt":1,"masks/a.png":3}}'
    assert (result / RESULT_MARKER).read_bytes() == expected
    publish(tmp_path / "again", {"masks/a.png": "123", "list.txt": "a"})
    assert (tmp_path / "again" / RESULT_MARKER).read_bytes() == expected
    assert names_by_stem(result, (".json", ".txt")) == {"list": ["list.txt"]}


def test_a_lock_that_was_left_is_removed_and_a_file_with_such_a_name_stays(tmp_path: Path) -> None:
    publish(tmp_path / "result", {"masks/.a.png.segdata-lock": "", "masks/.b.png.segdata-lock": "123"})
    assert texts(tmp_path / "result") == {
        "masks/.b.png.segdata-lock": "123",
        RESULT_MARKER: '{"version":1,"files":{"masks/.b.png.segdata-lock":3}}',
    }


def test_an_earlier_result_is_replaced_completely_but_only_when_asked(result: Path) -> None:
    with pytest.raises(TargetExistsError, match=r"result: already exists$") as refused:
        publish(result, {"b": "new"})
    assert refused.value.replaceable
    assert (result / "list.txt").read_text() == "a"
    publish(result, {"b": "new"}, overwrite=True)
    assert texts(result) == {"b": "new", RESULT_MARKER: '{"version":1,"files":{"b":3}}'}
    assert os.listdir(result.parent) == ["result"]


def test_a_result_of_which_files_are_missing_is_replaced(result: Path) -> None:
    shutil.rmtree(result / "masks")
    publish(result, {"b": "new"}, overwrite=True)
    assert (result / "b").read_text() == "new"


@pytest.mark.parametrize(
    "name", ["notes.txt", "masks/b.png", "masks/deep/er/b.png", ".DS_Store", f"masks/{RESULT_MARKER}"]
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_result_with_a_file_of_someone_else_is_never_replaced(result: Path, name: str, overwrite: bool) -> None:
    (result / name).parent.mkdir(parents=True, exist_ok=True)
    (result / name).write_text("mine")
    before = texts(result)
    with pytest.raises(TargetExistsError) as refused:
        publish(result, {"b": "new"}, overwrite=overwrite)
    assert str(refused.value) == (
        f"{result}: contains files that this command did not write and would delete:\n  {name}\n"
        "Move them away or choose another target."
    )
    assert not refused.value.replaceable
    assert texts(result) == before
    assert os.listdir(result.parent) == ["result"]


def test_a_file_of_ours_that_changed_in_size_is_someone_elses(result: Path) -> None:
    (result / "masks" / "a.png").write_text("painted by hand")
    with pytest.raises(TargetExistsError, match=r"would delete:\n  masks/a\.png\n"):
        publish(result, {"b": "new"}, overwrite=True)
    assert (result / "masks" / "a.png").read_text() == "painted by hand"


def test_ten_files_of_someone_else_are_named_and_the_rest_counted(result: Path) -> None:
    for number in range(12):
        (result / f"mine_{number:02}").touch()
    with pytest.raises(TargetExistsError, match=r"  mine_09\n  … and 2 more\n"):
        publish(result, {}, overwrite=True)


def test_a_file_that_appears_during_the_run_survives(result: Path) -> None:
    with pytest.raises(TargetExistsError, match=r"notes\.txt"):
        with staged_directory(result, overwrite=True):
            (result / "notes.txt").write_text("mine")
    assert (result / "notes.txt").read_text() == "mine"


def test_a_directory_without_a_marker_is_not_ours_whatever_its_files_are_called(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "b").write_text("a wedding")
    for overwrite in (False, True):
        with pytest.raises(TargetExistsError) as refused:
            publish(tmp_path / "photos", {"b": "new"}, overwrite=overwrite)
        assert str(refused.value) == (
            f"{tmp_path / 'photos'}: has no .segdata-files.json, so another program or another version of this "
            "one wrote it; expected a missing or empty directory, or an earlier result. Choose another target, or "
            "remove this one yourself."
        )
        assert not refused.value.replaceable
    assert texts(tmp_path / "photos") == {"b": "a wedding"}


@pytest.mark.parametrize(
    "marker",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"{}",
        b'{"version":2,"files":{"list.txt":1,"masks/a.png":3}}',
        b'{"version":1,"files":{"list.txt":1,"masks/a.png":3},"folders":[]}',
        b'{"version":1,"files":["list.txt","masks/a.png"]}',
        b'{"version":1,"files":{"list.txt":true,"masks/a.png":null}}',
    ],
)
def test_a_damaged_or_unknown_marker_proves_nothing(result: Path, marker: bytes) -> None:
    (result / RESULT_MARKER).write_bytes(marker)
    with pytest.raises(TargetExistsError, match=r"has a damaged or unknown \.segdata-files\.json") as refused:
        publish(result, {"b": "new"}, overwrite=True)
    assert not refused.value.replaceable
    assert (result / "masks" / "a.png").read_text() == "123"


def test_a_marker_that_is_a_link_proves_nothing(result: Path, tmp_path: Path) -> None:
    (result / RESULT_MARKER).rename(tmp_path / "elsewhere")
    (result / RESULT_MARKER).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TargetExistsError, match=r"has no \.segdata-files\.json"):
        publish(result, {"b": "new"}, overwrite=True)


def test_an_empty_directory_is_always_used(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    publish(tmp_path / "new", {"b": "new"})
    assert (tmp_path / "new" / "b").read_text() == "new"


@pytest.mark.parametrize("target", [".", "..", "../inner", "link"])
def test_the_working_directory_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "outer" / "inner")
    if target == "link":
        target = str(tmp_path / "link")
        Path(target).symlink_to("outer")
    with pytest.raises(SegDataError, match=r"is or contains the working directory.*NAME"):
        check_target_directory(Path(target), overwrite=True)
    check_target_directory(Path(target) / "NAME", overwrite=False)
    check_target_directory(Path("../beside"), overwrite=False)
    assert Path("../../outer/inner").samefile(".")


def test_a_file_is_refused_as_target(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(TargetExistsError, match="file: is a file; expected a directory") as refused:
        publish(tmp_path / "file", {}, overwrite=True)
    assert not refused.value.replaceable


def test_names_that_are_not_unicode_are_ours_too(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    publish(tmp_path / "result", {name: "1"})
    assert json.loads((tmp_path / "result" / RESULT_MARKER).read_bytes())["files"] == {name: 1}
    publish(tmp_path / "result", {"b": "new"}, overwrite=True)
    assert sorted(texts(tmp_path / "result")) == [RESULT_MARKER, "b"]


def test_a_record_set_gets_no_marker_and_is_replaced_by_the_names_in_its_manifest(tmp_path: Path) -> None:
    for overwrite in (False, True):
        with staged_directory(tmp_path / "set", overwrite=overwrite, ours=("a",)) as staging:
            (staging / "a").write_text(str(overwrite))
    assert texts(tmp_path / "set") == {"a": "True"}
    (tmp_path / "set" / "thesis.txt").write_text("years")
    with pytest.raises(TargetExistsError, match=r"would delete:\n  thesis\.txt\n"):
        with staged_directory(tmp_path / "set", overwrite=True, ours=("a",)):
            pass
    assert texts(tmp_path / "set") == {"a": "True", "thesis.txt": "years"}


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_only_a_regular_file_is_a_file_of_a_record_set(tmp_path: Path, kind: str) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("years")
    (tmp_path / "set").mkdir()
    if kind == "folder":
        (tmp_path / "precious").rename(tmp_path / "set" / "a")
    else:
        (tmp_path / "set" / "a").symlink_to(tmp_path / "precious")
    with pytest.raises(TargetExistsError, match=r"would delete:\n  a\n"):
        with staged_directory(tmp_path / "set", overwrite=True, ours=("a",)):
            pass
    assert (tmp_path / "set" / "a" / "thesis.tex").read_text() == "years"


# Links


@pytest.mark.parametrize("kind", ["file", "folder", "nothing"])
def test_a_link_in_a_result_is_someone_elses_and_not_followed(result: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file", tmp_path / "folder" / "thesis.tex"):
        path.write_text("years")
    (result / "masks" / "link").symlink_to(tmp_path / kind)
    with pytest.raises(TargetExistsError, match=r"would delete:\n  masks/link\n"):
        publish(result, {"b": "new"}, overwrite=True)
    assert (result / "masks" / "link").is_symlink()
    assert texts(tmp_path / "folder") == {"thesis.tex": "years"}


def test_a_file_of_ours_that_became_a_link_is_someone_elses(result: Path, tmp_path: Path) -> None:
    (result / "list.txt").rename(tmp_path / "moved")
    (result / "list.txt").symlink_to(tmp_path / "moved")
    with pytest.raises(TargetExistsError, match=r"would delete:\n  list\.txt\n"):
        publish(result, {"b": "new"}, overwrite=True)


def test_links_that_a_command_placed_itself_are_removed_but_not_followed(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_text("an image")
    with staged_directory(tmp_path / "subset", overwrite=False) as staging:
        (staging / "a.jpg").symlink_to(tmp_path / "images" / "a.jpg")
        (staging / "all").symlink_to(tmp_path / "images")
    publish(tmp_path / "subset", {"b": "new"}, overwrite=True)
    assert sorted(texts(tmp_path / "subset")) == [RESULT_MARKER, "b"]
    assert texts(tmp_path / "images") == {"a.jpg": "an image"}


def test_a_link_that_was_pointed_elsewhere_is_someone_elses(tmp_path: Path) -> None:
    with staged_directory(tmp_path / "subset", overwrite=False) as staging:
        (staging / "a.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "subset" / "a.jpg").unlink()
    (tmp_path / "subset" / "a.jpg").symlink_to(tmp_path / "b.jpg")
    with pytest.raises(TargetExistsError, match=r"would delete:\n  a\.jpg\n"):
        publish(tmp_path / "subset", {}, overwrite=True)


def test_a_fifo_in_a_result_is_someone_elses(result: Path) -> None:
    os.mkfifo(result / "queue")
    with pytest.raises(TargetExistsError, match=r"would delete:\n  queue\n"):
        publish(result, {}, overwrite=True)


# Inputs


@pytest.mark.parametrize(("path", "where"), [("", "the target itself"), ("masks", "in the target {}")])
def test_an_input_in_the_target_is_refused_by_whatever_name(
    result: Path, tmp_path: Path, path: str, where: str
) -> None:
    (tmp_path / "other").symlink_to(result)
    with pytest.raises(InvalidInputError) as refused:
        check_inputs_outside(result, None, tmp_path, tmp_path / "other" / path)
    assert str(refused.value) == (
        f"{tmp_path / 'other' / path}: is {where.format(result)}, which would be replaced. Choose another target."
    )


# Commands


def test_a_sliced_stack_is_replaced_completely_but_not_with_files_of_someone_else(tmp_path: Path) -> None:
    stacks = write_stacks(tmp_path / "stacks", pages=3, size=32)
    out = tmp_path / "out"
    tif_slice(Path(stacks.images), dst_path=out)
    tif_slice(Path(stacks.images), dst_path=out, pages=[1], overwrite=True)
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == [
        RESULT_MARKER,
        "all_lst.txt",
        "images/train-volume_0001.png",
    ]
    (out / "images" / "train-volume_0002.png").write_text("mine")
    for dry_run in (False, True):
        with pytest.raises(TargetExistsError, match=r"would delete:\n  images/train-volume_0002\.png\n"):
            tif_slice(Path(stacks.images), dst_path=out, overwrite=True, dry_run=dry_run)
    assert (out / "images" / "train-volume_0002.png").read_text() == "mine"


def test_a_stack_is_not_sliced_into_its_own_folder(tmp_path: Path) -> None:
    stacks = write_stacks(tmp_path / "stacks", pages=3, size=32)
    for inputs in ({"images": stacks.images}, {"images": tmp_path / "none.tif", "labels": stacks.labels}):
        with pytest.raises(InvalidInputError, match=r"is in the target .*, which would be replaced"):
            tif_slice(**{name: Path(path) for name, path in inputs.items()}, dst_path=tmp_path / "stacks")
    assert sorted(os.listdir(tmp_path / "stacks")) == ["train-labels.tif", "train-volume.tif"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_preview_does_not_replace_a_page_of_somebody_else(devkit: Path, tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<!doctype html><title>Welcome</title>")
    with pytest.raises(TargetExistsError, match=r"index\.html: ") as refused:
        preview(open_dataset(devkit / "voc_val_lst.txt"), html=tmp_path / "site", count=1, overwrite=overwrite)
    assert refused.value.replaceable != overwrite
    assert (tmp_path / "site" / "index.html").read_text() == "<!doctype html><title>Welcome</title>"


def test_a_preview_leaves_all_other_files_of_its_folder_alone(devkit: Path, tmp_path: Path) -> None:
    (tmp_path / "site" / "images").mkdir(parents=True)
    for name in ("notes.html", "images/logo.png"):
        (tmp_path / "site" / name).write_text("mine")
    for overwrite in (False, True):
        preview(open_dataset(devkit / "voc_val_lst.txt"), html=tmp_path / "site", count=1, overwrite=overwrite)
    assert sorted(texts(tmp_path / "site")) == ["images/logo.png", "index.html", "notes.html"]
    assert {(tmp_path / "site" / name).read_text() for name in ("notes.html", "images/logo.png")} == {"mine"}
