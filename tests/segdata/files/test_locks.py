"""One run at a time holds a lock, and nothing is left of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from segdata.errors import SegDataError
from segdata.files.locks import InUseError, lock_file, locked


def test_a_lock_is_refused_while_it_is_held_and_its_file_goes_away(tmp_path: Path) -> None:
    target = tmp_path / "set"
    with locked(lock_file(target), target):
        assert os.listdir(tmp_path) == [".set.segdata-lock"]
        with pytest.raises(InUseError, match=r"set: another run is writing to it\. Wait until that run has finished"):
            with locked(lock_file(target), target):
                pass
    assert os.listdir(tmp_path) == []


def test_another_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = f"""
from pathlib import Path
from segdata.files.locks import InUseError, locked
try:
    with locked(Path({str(path)!r}), Path("set")):
        print("locked")
except InUseError:
    print("refused")
"""
    run = [sys.executable, "-c", program]
    with locked(path, tmp_path / "set"):
        assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "refused\n"
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "locked\n"


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = f"""
import os
from pathlib import Path
from segdata.files.locks import locked
with locked(Path({str(path)!r}), Path("set")):
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert path.exists()
    with locked(path, tmp_path / "set"):
        pass
    assert not path.exists()


def test_never_two_hold_it_although_its_file_is_removed_each_time(tmp_path: Path) -> None:
    holders, most, guard = [0], [0], threading.Lock()

    def hold(_number: int) -> None:
        with locked(tmp_path / "lock", tmp_path, wait=True):
            with guard:
                holders[0] += 1
                most[0] = max(most[0], holders[0])
            os.sched_yield()
            with guard:
                holders[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hold, range(40)))
    assert most == [1]


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_something_else_of_that_name_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "lock").mkdir() if kind == "folder" else (tmp_path / "lock").symlink_to("precious")
    with pytest.raises(SegDataError, match=r"lock: is not a file; segdata needs this name for a lock file"):
        with locked(tmp_path / "lock", tmp_path):
            pass
    assert (tmp_path / "lock").exists()


def test_a_file_with_contents_is_locked_but_not_removed(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("mine")
    with locked(tmp_path / "lock", tmp_path):
        pass
    assert (tmp_path / "lock").read_text() == "mine"
