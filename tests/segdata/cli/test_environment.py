"""Odd surroundings: right results, or a sentence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def root(devkit: Path, tmp_path: Path) -> Path:
    shutil.copytree(devkit, tmp_path / "data")
    return tmp_path / "data"


def shell(line: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell, in which ``$SEGDATA`` is the program."""
    environment = {**os.environ, "SEGDATA": f"{sys.executable} -m segdata", **variables}
    return subprocess.run(["bash", "-c", line], cwd=cwd, env=environment, capture_output=True, text=True)


WRITE = "$SEGDATA to-mindrecord --data_root . --data_lst voc_train_lst.txt --num_shards 2 --dst_path"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (f"ln -s loop loop; {WRITE} loop", "loop: is or contains a link that leads back to itself; expected a path"),
        (f"ln -s loop loop; {WRITE} loop/set", "loop/set: is or contains a link that leads back to itself"),
        (f"{WRITE} $'s\\xe9t'", "s\\udce9t: the name is not valid Unicode"),
        (
            f"mkdir {'x' * 90}; TMPDIR=$PWD/{'x' * 90} $SEGDATA check voc_train_lst.txt --decode",
            "Set TMPDIR to a shorter",
        ),
        (f"ulimit -f 8; {WRITE} set", "set.mindrecord0"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(line: str, sentence: str, root: Path) -> None:
    ended = shell(line, root)
    assert ended.returncode == 1
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (root / "set").exists()


@pytest.mark.parametrize("line", ["unset HOME", "export TERM=dumb", "ulimit -n 64", "export LC_ALL=C"])
def test_what_can_be_done_is_done(line: str, root: Path) -> None:
    ended = shell(f"{line}; {WRITE} set && $SEGDATA verify set --quick", root)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr


def test_a_folder_whose_name_is_not_unicode_can_be_checked_and_shown(root: Path, tmp_path: Path) -> None:
    name = b"caf\xe9".decode(errors="surrogateescape")
    root.rename(tmp_path / name)
    ended = shell(
        "$SEGDATA check caf*/voc_train_lst.txt && $SEGDATA preview caf*/voc_train_lst.txt --html page", tmp_path
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "caf\\udce9/voc_train_lst.txt: 0 errors" in ended.stdout
    assert "caf\\udce9" in (tmp_path / "page" / "index.html").read_text()
