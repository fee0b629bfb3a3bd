"""Several files are published together: whatever fails, no new file is beside an old one."""

from __future__ import annotations

from pathlib import Path

import pytest

from segdata.errors import TargetExistsError
from segdata.files import file_mode
from segdata.lists.publish import write_files

NAMES = ("train.txt", "val.txt", "trainval.txt")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def all_of(folder: Path, text: bytes) -> dict[Path, bytes]:
    return {folder / name: text for name in NAMES}


def fail_at(monkeypatch: pytest.MonkeyPatch, call: int, error: BaseException) -> None:
    """Make the rename with this number, from 0, fail."""
    replace, done = Path.replace, []

    def count(self: Path, target: Path) -> Path:
        done.append(target)
        if len(done) == call + 1:
            raise error
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", count)


def test_all_files_are_written_into_new_folders(tmp_path: Path) -> None:
    write_files(all_of(tmp_path / "a" / "b", b"new"), overwrite=False)
    assert contents(tmp_path / "a" / "b") == dict.fromkeys(NAMES, b"new")
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "a" / "b").iterdir()} == {file_mode()}


def test_all_files_are_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_files(all_of(tmp_path, b"old"), overwrite=False)
    write_files(all_of(tmp_path, b"new"), overwrite=True)
    assert contents(tmp_path) == dict.fromkeys(NAMES, b"new")


@pytest.mark.parametrize("taken", NAMES)
def test_nothing_is_written_when_one_exists(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_bytes(b"mine")
    with pytest.raises(TargetExistsError, match=f"{taken}: already exists"):
        write_files(all_of(tmp_path, b"new"), overwrite=False)
    assert contents(tmp_path) == {taken: b"mine"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["disk", "Ctrl-C"])
@pytest.mark.parametrize("call", range(2 * len(NAMES)))
def test_when_any_rename_fails_all_old_files_are_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, error: BaseException
) -> None:
    write_files(all_of(tmp_path, b"old"), overwrite=False)
    fail_at(monkeypatch, call, error)
    with pytest.raises(type(error)):
        write_files(all_of(tmp_path, b"new"), overwrite=True)
    assert contents(tmp_path) == dict.fromkeys(NAMES, b"old")


@pytest.mark.parametrize("call", range(len(NAMES)))
def test_when_any_rename_fails_new_files_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    fail_at(monkeypatch, call, OSError(5, "Input/output error"))
    with pytest.raises(OSError, match="Input/output error"):
        write_files(all_of(tmp_path, b"new"), overwrite=False)
    assert contents(tmp_path) == {}


def test_at_no_moment_is_a_new_file_beside_an_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(all_of(tmp_path, b"old"), overwrite=False)
    replace, seen = Path.replace, []

    def look(self: Path, target: Path) -> Path:
        moved = replace(self, target)
        seen.append({data for name, data in contents(tmp_path).items() if name in NAMES})
        return moved

    monkeypatch.setattr(Path, "replace", look)
    write_files(all_of(tmp_path, b"new"), overwrite=True)
    assert len(seen) == 2 * len(NAMES)
    assert {b"old", b"new"} not in seen


def test_a_full_disk_changes_nothing_and_the_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(all_of(tmp_path, b"old"), overwrite=False)
    files = dict.fromkeys(all_of(tmp_path, b"new"), b"x")
    full = Path("/dev/full")
    monkeypatch.setattr("os.fdopen", lambda handle, mode: full.open(mode, buffering=0))
    with pytest.raises(OSError, match=r"No space left on device: '.*train\.txt'"):
        write_files(files, overwrite=True)
    assert contents(tmp_path) == dict.fromkeys(NAMES, b"old")


def test_a_link_is_replaced_and_the_file_behind_it_kept(tmp_path: Path) -> None:
    (tmp_path / "behind").write_bytes(b"mine")
    (tmp_path / "val.txt").symlink_to("behind")
    write_files({tmp_path / "val.txt": b"new"}, overwrite=True)
    assert contents(tmp_path) == {"behind": b"mine", "val.txt": b"new"}
    assert not (tmp_path / "val.txt").is_symlink()
