"""No partial files are written, and no other files are lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segdata.errors import InvalidInputError, SegDataError, TargetExistsError
from segdata.files import names_by_stem, resolve, staged_directory, write_file


def test_a_staged_directory_appears_only_when_its_block_succeeds(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "set"
    with staged_directory(target, overwrite=False, ours=()) as staging:
        (staging / "a").write_text("1")
        assert not target.exists()
    assert (target / "a").read_text() == "1"
    assert os.listdir(target.parent) == ["set"]


def test_a_failing_block_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), staged_directory(tmp_path / "set", overwrite=False, ours=()) as staging:
        (staging / "a").write_text("1")
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_a_taken_directory_is_refused_and_stays(tmp_path: Path) -> None:
    target = tmp_path / "set"
    target.mkdir()
    (target / "a").write_text("old")
    with pytest.raises(TargetExistsError) as refused, staged_directory(target, overwrite=False, ours=("a",)):
        pass
    assert refused.value.replaceable
    assert (target / "a").read_text() == "old"


def test_overwriting_replaces_the_whole_directory(tmp_path: Path) -> None:
    target = tmp_path / "set"
    target.mkdir()
    (target / "a").write_text("old")
    with staged_directory(target, overwrite=True, ours=("a",)) as staging:
        (staging / "b").write_text("new")
    assert os.listdir(target) == ["b"]
    assert os.listdir(tmp_path) == ["set"]


def test_a_directory_with_foreign_files_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "desktop").mkdir()
    (tmp_path / "desktop" / "thesis.txt").write_text("years")
    with pytest.raises(TargetExistsError, match=r"thesis\.txt") as refused:
        with staged_directory(tmp_path / "desktop", overwrite=True, ours=("a",)):
            pass
    assert not refused.value.replaceable
    assert (tmp_path / "desktop" / "thesis.txt").read_text() == "years"


def test_what_a_killed_run_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    target = tmp_path / "set"
    killed = f"""
import os, pathlib
from segdata.files import staged_directory
with staged_directory(pathlib.Path({str(target)!r}), overwrite=False, ours=()) as staging:
    (staging / "half").write_text("…")
    (staging / "folder").mkdir()
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", killed]).returncode == -9
    assert not target.exists()
    with staged_directory(target, overwrite=False, ours=()) as staging:
        (staging / "complete").write_text("1")
    assert os.listdir(target) == ["complete"]
    assert os.listdir(tmp_path) == ["set"]


def test_a_second_run_at_the_same_target_is_refused(tmp_path: Path) -> None:
    with staged_directory(tmp_path / "set", overwrite=False, ours=()) as staging:
        (staging / "a").write_text("1")
        with pytest.raises(SegDataError, match="another run"):
            with staged_directory(tmp_path / "set", overwrite=False, ours=()):
                pass
    assert os.listdir(tmp_path / "set") == ["a"]


def test_a_target_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SegDataError, match="not a writable directory"):
        with staged_directory(tmp_path / "file" / "set", overwrite=False, ours=()):
            pass


def test_a_file_is_written_whole_with_the_umasks_mode(tmp_path: Path) -> None:
    write_file(tmp_path / "sub" / "list", b"abc", overwrite=False)
    assert (tmp_path / "sub" / "list").read_bytes() == b"abc"
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "sub" / "list").stat().st_mode & 0o777 == 0o666 & ~umask
    with pytest.raises(TargetExistsError):
        write_file(tmp_path / "sub" / "list", b"def", overwrite=False)
    write_file(tmp_path / "sub" / "list", b"def", overwrite=True)
    assert (tmp_path / "sub" / "list").read_bytes() == b"def"
    assert os.listdir(tmp_path / "sub") == ["list"]


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "a/../../b", "a/..", "a\0b"])
def test_a_path_that_leaves_the_root_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidInputError, match="is outside the data root"):
        resolve(tmp_path, path)


def test_names_with_dots_stay_below_the_root(tmp_path: Path) -> None:
    assert resolve(tmp_path, "a/..b/c.d") == tmp_path / "a" / "..b" / "c.d"


def test_files_are_found_by_stem_whatever_the_case_of_their_suffix(tmp_path: Path) -> None:
    for name in ("a.JPG", "a.png", "b.jpeg", ".hidden.jpg", "c.txt"):
        (tmp_path / name).touch()
    assert names_by_stem(tmp_path, (".jpg", ".jpeg", ".png")) == {"a": ["a.JPG", "a.png"], "b": ["b.jpeg"]}
