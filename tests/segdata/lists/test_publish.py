"""Several lists are published together: whatever fails, no new list is beside an old one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segdata.errors import TargetExistsError
from segdata.files.locks import InUseError, lock_file, locked
from segdata.files.publishing import file_mode
from segdata.lists.publish import write_together

NAMES = ("train.txt", "val.txt", "trainval.txt")
OLD, NEW = b"a.jpg a.png\n", b"b.jpg b.png\n"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def all_of(text: bytes) -> dict[str, bytes]:
    return dict.fromkeys(NAMES, text)


def fail_at(monkeypatch: pytest.MonkeyPatch, call: int, error: BaseException) -> None:
    """Make the rename with this number, from 0, fail."""
    replace, done = Path.replace, []

    def count(self: Path, target: Path) -> Path:
        done.append(target)
        if len(done) == call + 1:
            raise error
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", count)


def kill_after(folder: Path, call: int, data: bytes = NEW) -> None:
    """Write all lists in a process that is killed after the rename with this number, from 0."""
    program = f"""
import os
from pathlib import Path
from segdata.lists.publish import write_together
replace, done = Path.replace, []
def count(self, target):
    replace(self, target)
    done.append(target)
    if len(done) == {call + 1}:
        os.kill(os.getpid(), 9)
Path.replace = count
write_together(Path({str(folder)!r}), dict.fromkeys({NAMES!r}, {data!r}), overwrite=True)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9


def test_all_files_are_written_into_new_folders(tmp_path: Path) -> None:
    write_together(tmp_path / "a" / "b", all_of(NEW), overwrite=False)
    assert contents(tmp_path / "a" / "b") == all_of(NEW)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "a" / "b").iterdir()} == {file_mode()}


def test_all_files_are_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_together(tmp_path, all_of(OLD), overwrite=False)
    write_together(tmp_path, all_of(NEW), overwrite=True)
    assert contents(tmp_path) == all_of(NEW)
    assert sorted(os.listdir(tmp_path)) == sorted(NAMES)


@pytest.mark.parametrize("taken", NAMES)
def test_nothing_is_written_when_one_exists(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_bytes(OLD)
    with pytest.raises(TargetExistsError, match=f"{taken}: already exists"):
        write_together(tmp_path, all_of(NEW), overwrite=False)
    assert contents(tmp_path) == {taken: OLD}


@pytest.mark.parametrize("text", [b"2007_000032\n2007_000039\n", b"Dear Sir or Madam, thesis\n", b"\xff\xfe"])
def test_a_file_that_is_not_a_list_is_not_replaced(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "val.txt").write_bytes(text)
    with pytest.raises(TargetExistsError, match=r"val\.txt: exists and is not a list file") as refused:
        write_together(tmp_path, all_of(NEW), overwrite=True)
    assert refused.value.replaceable is False
    assert contents(tmp_path) == {"val.txt": text}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["disk", "Ctrl-C"])
@pytest.mark.parametrize("call", range(2 * len(NAMES)))
def test_when_any_rename_fails_all_old_files_are_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, error: BaseException
) -> None:
    write_together(tmp_path, all_of(OLD), overwrite=False)
    fail_at(monkeypatch, call, error)
    with pytest.raises(type(error)):
        write_together(tmp_path, all_of(NEW), overwrite=True)
    assert contents(tmp_path) == all_of(OLD)
    assert sorted(os.listdir(tmp_path)) == sorted(NAMES)


@pytest.mark.parametrize("call", range(len(NAMES)))
def test_when_any_rename_fails_new_files_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    fail_at(monkeypatch, call, OSError(5, "Input/output error"))
    with pytest.raises(OSError, match="Input/output error"):
        write_together(tmp_path, all_of(NEW), overwrite=False)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("data", [NEW, OLD], ids=["other lists", "the same lists"])
@pytest.mark.parametrize("call", range(2 * len(NAMES)))
def test_after_a_kill_the_next_run_has_the_old_lists_or_all_new_ones(tmp_path: Path, call: int, data: bytes) -> None:
    write_together(tmp_path, all_of(OLD), overwrite=False)
    kill_after(tmp_path, call, data)
    there = {data for name, data in contents(tmp_path).items() if name in NAMES}
    assert len(there) <= 1
    # A run that writes another list of the folder puts the old ones back, too.
    write_together(tmp_path, {"other.txt": NEW}, overwrite=False)
    complete = call == 2 * len(NAMES) - 1
    assert contents(tmp_path) == {**all_of(data if complete else OLD), "other.txt": NEW}
    write_together(tmp_path, all_of(NEW), overwrite=True)
    assert sorted(os.listdir(tmp_path)) == sorted([*NAMES, "other.txt"])


def test_a_list_that_was_written_after_a_kill_is_kept(tmp_path: Path) -> None:
    write_together(tmp_path, all_of(OLD), overwrite=False)
    kill_after(tmp_path, 3)
    for name in ("train.txt", "val.txt"):
        (tmp_path / name).write_bytes(b"mine.jpg mine.png\n")
    write_together(tmp_path, {"other.txt": NEW}, overwrite=False)
    assert contents(tmp_path) == {
        "train.txt": b"mine.jpg mine.png\n",
        "val.txt": b"mine.jpg mine.png\n",
        "trainval.txt": OLD,
        "other.txt": NEW,
    }


def test_at_no_moment_is_a_new_file_beside_an_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_together(tmp_path, all_of(OLD), overwrite=False)
    replace, seen = Path.replace, []

    def look(self: Path, target: Path) -> Path:
        moved = replace(self, target)
        seen.append({data for name, data in contents(tmp_path).items() if name in NAMES})
        return moved

    monkeypatch.setattr(Path, "replace", look)
    write_together(tmp_path, all_of(NEW), overwrite=True)
    assert len(seen) == 2 * len(NAMES)
    assert {OLD, NEW} not in seen


def test_a_full_disk_changes_nothing_and_the_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_together(tmp_path, all_of(OLD), overwrite=False)
    open_file = Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda path, mode="r", **kw: (
            open_file(Path("/dev/full"), "wb", 0) if mode == "xb" else open_file(path, mode, **kw)
        ),
    )
    with pytest.raises(OSError, match=r"No space left on device: '.*train\.txt'"):
        write_together(tmp_path, all_of(NEW), overwrite=True)
    assert contents(tmp_path) == all_of(OLD)


def test_a_link_is_replaced_and_the_file_behind_it_kept(tmp_path: Path) -> None:
    (tmp_path / "behind").write_bytes(OLD)
    (tmp_path / "val.txt").symlink_to("behind")
    write_together(tmp_path, {"val.txt": NEW}, overwrite=True)
    assert contents(tmp_path) == {"behind": OLD, "val.txt": NEW}
    assert not (tmp_path / "val.txt").is_symlink()


def test_a_second_run_is_refused_with_the_name_of_the_folder(tmp_path: Path) -> None:
    with locked(lock_file(tmp_path / ".lists.staging"), Path("other")):
        with pytest.raises(InUseError) as error:
            write_together(tmp_path, all_of(NEW), overwrite=False)
    assert str(error.value).startswith(f"{tmp_path}: another run is writing to it.")
    assert contents(tmp_path) == {}


def test_a_disk_that_is_full_after_the_lists_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_together(tmp_path, all_of(OLD), overwrite=False)
    open_file = Path.open
    full = {"lists.json": Path("/dev/full")}
    monkeypatch.setattr(
        Path,
        "open",
        lambda path, mode="r", **kw: (
            open_file(full[path.name], "wb", 0) if mode == "xb" and path.name in full else open_file(path, mode, **kw)
        ),
    )
    with pytest.raises(OSError, match=r"No space left on device: '.*lists\.json'"):
        write_together(tmp_path, all_of(NEW), overwrite=True)
    assert contents(tmp_path) == all_of(OLD)
    assert sorted(os.listdir(tmp_path)) == sorted(NAMES)


@pytest.mark.parametrize("text", [b"a.jpg a.png\nb.jpg\n", b"a.jpg a.png\na.jpg a.png\n"], ids=["a line", "an image"])
def test_a_list_with_faults_is_a_list_that_may_be_replaced(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "val.txt").write_bytes(text)
    write_together(tmp_path, all_of(NEW), overwrite=True)
    assert contents(tmp_path) == all_of(NEW)
