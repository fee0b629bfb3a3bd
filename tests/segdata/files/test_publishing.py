"""No partial files are written, and an interrupted run leaves nothing that the next one does not clear."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from published import publish, texts

from segdata.errors import SegDataError, TargetExistsError
from segdata.files.locks import InUseError, lock_file, locked
from segdata.files.ownership import RESULT_MARKER, marked_files
from segdata.files.publishing import staged_directory, staged_file, staging_directory, write_file


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


def test_a_lock_that_could_not_be_removed_is_not_published(tmp_path: Path) -> None:
    with staged_directory(tmp_path / "set", overwrite=False) as staging:
        write_file(staging / "list.txt", b"a", overwrite=False)
        lock_file(staging / "list.txt").touch()
    assert sorted(os.listdir(tmp_path / "set")) == [RESULT_MARKER, "list.txt"]
    assert list(marked_files(tmp_path / "set")) == ["list.txt"]


def staging_of(target: Path) -> Path:
    assert staging_directory(target).parent == target.with_name(f".{target.name}.staging")
    return staging_directory(target).parent


@pytest.mark.parametrize("keep", [False, True])
def test_a_link_with_the_name_of_the_staging_directory_is_not_followed(tmp_path: Path, keep: bool) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("years")
    staging_of(tmp_path / "set").symlink_to("precious")
    with pytest.raises(SegDataError) as refused:
        with staged_directory(tmp_path / "set", overwrite=False, ours=(), keep=keep):
            pass
    assert str(refused.value) == (
        f"{tmp_path}/.set.staging: is a link; expected nothing there, because results are staged under this name. "
        "Move it away or choose another target."
    )
    assert texts(tmp_path / "precious") == {"thesis.tex": "years"}
    assert sorted(os.listdir(tmp_path)) == [".set.staging", "precious"]


def test_a_file_with_the_name_of_the_staging_directory_is_refused(tmp_path: Path) -> None:
    staging_of(tmp_path / "set").write_text("mine")
    with pytest.raises(SegDataError, match=r"\.set\.staging: is not a directory; expected nothing there"):
        publish(tmp_path / "set", {})
    assert staging_of(tmp_path / "set").read_text() == "mine"


@pytest.mark.parametrize("keep", [False, True])
def test_a_folder_with_the_name_of_the_staging_directory_is_not_emptied(tmp_path: Path, keep: bool) -> None:
    staging_of(tmp_path / "set").mkdir()
    (staging_of(tmp_path / "set") / "thesis.tex").write_text("years")
    with pytest.raises(SegDataError, match=r"contains files that this program did not write, .*Move it away"):
        with staged_directory(tmp_path / "set", overwrite=False, keep=keep):
            pass
    assert texts(staging_of(tmp_path / "set")) == {"thesis.tex": "years"}


def test_links_in_the_staging_directory_are_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_text("an image")
    with pytest.raises(ZeroDivisionError), staged_directory(tmp_path / "set", overwrite=False, keep=True) as staging:
        (staging / "images").symlink_to(tmp_path / "images")
        raise ZeroDivisionError
    publish(tmp_path / "set", {"b": "new"})
    assert sorted(texts(tmp_path / "set")) == [RESULT_MARKER, "b"]
    assert texts(tmp_path / "images") == {"a.jpg": "an image"}


def test_work_that_is_kept_is_found_by_the_next_run(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            with staged_directory(tmp_path / "set", overwrite=False, keep=True) as staging:
                (staging / "half").write_text("1")
                raise ZeroDivisionError
    with staged_directory(tmp_path / "set", overwrite=False, keep=True) as staging:
        assert (staging / "half").read_text() == "1"
    assert sorted(os.listdir(tmp_path / "set")) == [RESULT_MARKER, "half"]


def test_nothing_is_kept_when_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), staged_directory(tmp_path / "set", overwrite=False, keep=True):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_what_a_killed_run_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    target = tmp_path / "set"
    killed = f"""
import os, pathlib
from segdata.files.publishing import staged_directory
with staged_directory(pathlib.Path({str(target)!r}), overwrite=False, ours=()) as staging:
    (staging / "half").write_text("…")
    (staging / "folder").mkdir()
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", killed]).returncode == -9
    assert not target.exists()
    publish(target, {"complete": "1"})
    assert sorted(os.listdir(target)) == [RESULT_MARKER, "complete"]
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
        publish(tmp_path / "file" / "set", {})


def test_a_file_that_another_run_wrote_after_the_check_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def after_another_run(lock: Path, target: Path) -> Iterator[None]:
        monkeypatch.undo()
        write_file(target, b"first", overwrite=False)
        with locked(lock, target):
            yield

    monkeypatch.setattr("segdata.files.publishing.locked", after_another_run)
    with pytest.raises(TargetExistsError, match="list: already exists"):
        write_file(tmp_path / "list", b"second", overwrite=False)
    assert (tmp_path / "list").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["list"]


def test_a_file_is_written_completely_with_the_umasks_mode(tmp_path: Path) -> None:
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


# What a kill or a failure leaves

PROGRAM = """
import os, sys
from pathlib import Path
from segdata.files import exchange, publishing
kind, when, target = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
if kind == "renames":
    publishing.exchange = lambda first, second: False
calls = 0
def counted(function):
    def call(*args, **options):
        global calls
        result = function(*args, **options)
        calls += 1
        if calls == when:
            os.kill(os.getpid(), 9)
        return result
    return call
for name in ("mkdir", "touch", "rename", "unlink", "rmdir"):
    setattr(Path, name, counted(getattr(Path, name)))
if kind == "exchange":
    publishing.exchange = counted(publishing.exchange)
with publishing.staged_directory(target, overwrite=True) as staging:
    (staging / "new.txt").write_bytes(b"new")
    (staging / "more.txt").write_bytes(b"new")
print(calls)
"""


@pytest.mark.parametrize("there", [False, True], ids=["new", "replaced"])
@pytest.mark.parametrize("kind", ["exchange", "renames"])
def test_wherever_it_is_killed_the_old_or_the_new_result_is_there_after_the_next_run(
    tmp_path: Path, kind: str, there: bool
) -> None:
    def start(target: Path, when: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", PROGRAM, kind, str(when), str(target)]
        return subprocess.run(command, capture_output=True, text=True)

    if there:
        publish(tmp_path / "dry" / "set", {"old.txt": "old"})
    steps = int(start(tmp_path / "dry" / "set", 0).stdout)
    assert steps >= 8
    for when in range(1, steps + 1):
        target = tmp_path / str(when) / "set"
        if there:
            publish(target, {"old.txt": "old"})
        assert start(target, when).returncode == -9
        found = sorted(os.listdir(target)) if target.exists() else []
        states = [[RESULT_MARKER, "more.txt", "new.txt"], [RESULT_MARKER, "old.txt"] if there else []]
        # Only two renames leave a moment in which the target is missing.
        assert found in (states if kind == "exchange" else [*states, []]), when
        publish(target, {"later.txt": "later"}, overwrite=True)
        assert sorted(os.listdir(target)) == [RESULT_MARKER, "later.txt"]
        assert os.listdir(target.parent) == ["set"]


def test_what_was_moved_away_before_a_kill_is_put_back_by_a_run_that_may_not_replace_it(
    result: Path, tmp_path: Path
) -> None:
    (tmp_path / ".result.staging").mkdir()
    (tmp_path / ".result.staging" / ".segdata-staging").touch()
    result.rename(tmp_path / ".result.staging" / "old")
    with pytest.raises(TargetExistsError, match="result: already exists"):
        publish(result, {"b": "new"})
    assert (result / "list.txt").read_text() == "a"


@pytest.mark.parametrize("supported", [False, True])
def test_when_the_rename_fails_the_old_result_is_back(
    result: Path, monkeypatch: pytest.MonkeyPatch, supported: bool
) -> None:
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(5, "Input/output error", str(self))
        return rename(self, target)

    def fail(first: Path, second: Path) -> bool:
        if supported:
            raise OSError(5, "Input/output error", str(second))
        return False

    monkeypatch.setattr(Path, "rename", refuse)
    monkeypatch.setattr("segdata.files.publishing.exchange", fail)
    with pytest.raises(OSError, match="Input/output error"):
        publish(result, {"b": "new"}, overwrite=True)
    assert (result / "list.txt").read_text() == "a"
    assert os.listdir(result.parent) == ["result"]


def test_a_staged_file_of_a_killed_run_is_replaced(tmp_path: Path) -> None:
    staged_file(tmp_path / "list").write_text("half")
    write_file(tmp_path / "list", b"complete", overwrite=False)
    assert texts(tmp_path) == {"list": "complete"}


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    with locked(lock_file(tmp_path / "list"), tmp_path / "list"):
        with pytest.raises(InUseError, match="list: another run is writing to it"):
            write_file(tmp_path / "list", b"1", overwrite=False)
    assert os.listdir(tmp_path) == []


# Where nothing can be published


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A directory on which another one is mounted, such as the volume of a container."""
    (tmp_path / "out side").mkdir()
    (tmp_path / "volume").mkdir()
    command = ["mount", "--bind", str(tmp_path / "volume"), str(tmp_path / "out side")]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    yield tmp_path / "out side"
    subprocess.run(["umount", str(tmp_path / "out side")], check=True)


def test_a_mount_point_is_refused_before_the_work_and_a_directory_in_it_is_not(mounted: Path) -> None:
    with pytest.raises(SegDataError) as refused:
        publish(mounted, {"a": "1"})
    assert str(refused.value) == (
        f"{mounted}: is a mount point, which a rename cannot replace; expected a directory below it. "
        f"Choose {mounted}/NAME."
    )
    assert (os.listdir(mounted), sorted(os.listdir(mounted.parent))) == ([], ["out side", "volume"])
    publish(mounted / "set", {"a": "1"})
    assert (mounted.parent / "volume" / "set" / "a").read_text() == "1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_unwritable_parent_is_found_before_the_work() -> None:
    program = """
import os, sys
from pathlib import Path
from segdata.errors import SegDataError
from segdata.files.ownership import check_target_directory, check_target_file
os.setuid(65534)
for check, name in ((check_target_directory, "set"), (check_target_directory, "b"), (check_target_file, "c")):
    try:
        check(Path(sys.argv[1], name), overwrite=True)
    except SegDataError as error:
        print(error)
"""
    # Somebody else can reach this directory, unlike those of pytest.
    with tempfile.TemporaryDirectory() as folder:
        shelf = Path(folder).resolve()
        publish(shelf / "set", {"a": "1"})
        shelf.chmod(0o555)
        command = [sys.executable, "-c", program, str(shelf)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        f"{shelf / name}: cannot be created: {shelf} is not a writable directory" for name in ("set", "b", "c")
    ]
