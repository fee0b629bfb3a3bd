"""Odd surroundings: right results, or a sentence."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_lines import SEGDATA
from PIL import Image

from segdata.records.reader import open_set, read_rows

#: Runs several command lines in one process, and prints the status and the messages of each.
RUNNER = """
import json
import sys

from click.testing import CliRunner

from segdata.cli import main

if __name__ == "__main__":
    ended = [CliRunner().invoke(main, line) for line in json.loads(sys.argv[1])]
    print(json.dumps([[each.exit_code, each.stderr] for each in ended]))
"""

#: The start of RUNNER if there is no folder for temporary files.
NO_TEMPORARY = """
import tempfile

tempfile._candidate_tempdir_list = lambda: ["/nowhere"]
"""

#: Root without the right to write everywhere.
UNPRIVILEGED = "setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-dac_override,-dac_read_search "


@pytest.fixture
def root(devkit: Path, tmp_path: Path) -> Path:
    shutil.copytree(devkit, tmp_path / "data")
    return tmp_path / "data"


def shell(line: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell, in which ``$SEGDATA`` is the program."""
    environment = {**os.environ, "SEGDATA": f"{sys.executable} -m segdata", **variables}
    return subprocess.run(["bash", "-c", line], cwd=cwd, env=environment, capture_output=True, text=True)


COCO = "--annotations c/annotations/instances.json --images c/images"
WRITE = "$SEGDATA to-mindrecord --data_root . --data_lst voc_train_lst.txt --num_shards 2 --dst_path"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (f"ln -s loop loop; {WRITE} loop", "loop: contains a link that leads back to itself; expected a path"),
        (f"ln -s loop loop; {WRITE} loop/set", "loop/set: contains a link that leads back to itself"),
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


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        # Python names the file that is read, not the copy that cannot be written.
        (
            f"echo 100 > ids; ulimit -f 4; $SEGDATA coco-subset {COCO} --image_ids ids --dst_path out",
            "/.out.staging/new",
        ),
        ("ulimit -f 1; $SEGDATA fix c/annotations/instances.json --dst_path out.json", "/segdata-fix-"),
        # NumPy names neither the file nor the reason.
        ("ulimit -f 1; $SEGDATA sample out --kind tif", "/out: cannot be written: "),
    ],
)
def test_the_file_that_cannot_be_written_is_named(line: str, sentence: str, tmp_path: Path) -> None:
    assert shell("$SEGDATA sample c --kind coco", tmp_path).returncode == 0
    ended = shell(line, tmp_path)
    assert ended.returncode == 1
    assert sentence in ended.stderr
    assert "None" not in ended.stderr
    assert f"{tmp_path}/c/" not in ended.stderr
    assert not (tmp_path / "out").exists()


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


def run_all(folder: Path, lines: list[str], *, before: str = "", program: str = RUNNER) -> list[tuple[int, str]]:
    """Run `lines` in `folder` after the shell code `before`; return the statuses and the messages."""
    (folder.parent / "program.py").write_text(program)
    given = shlex.quote(json.dumps([line.split() for line in lines]))
    ended = shell(f"{before}{sys.executable} ../program.py {given}", folder, PYTHONPATH=os.getcwd())
    assert ended.returncode == 0, ended.stderr
    return [(status, text) for status, text in json.loads(ended.stdout)]


def test_without_a_temporary_folder_what_needs_one_is_refused_and_all_else_works(inputs: Path, tmp_path: Path) -> None:
    shutil.copytree(inputs, tmp_path / "data")
    usual = [name for name in SEGDATA if name not in ("sample", "voc-list", "fix")]
    lines = [f"{name} {SEGDATA[name]}".replace(" out", f" out-{name}") for name in usual]
    workers, fix, *ended = run_all(
        tmp_path / "data",
        [
            "check voc_train_lst.txt --decode --workers 2",
            "fix voc_train_lst.txt --dst_path fixed.txt",
            *lines,
            "check voc_train_lst.txt --decode --workers 1",
        ],
        program=NO_TEMPORARY + RUNNER,
    )
    for (status, words), user in ((workers, "worker processes"), (fix, "cures")):
        assert status == 1
        assert words.startswith(f"Error: no folder for temporary files is writable, and {user} need one;")
    assert {line: end for line, end in zip(lines, ended, strict=False) if end[0]} == {}


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere")
def test_in_a_folder_that_cannot_be_written_to_reading_works_and_writing_is_a_sentence(
    inputs: Path, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    shutil.copytree(inputs, root)
    root.chmod(0o555)
    before = UNPRIVILEGED if os.geteuid() == 0 else ""
    read = ["verify", "info", "check", "stats"]
    write = ["split", *(name for name, line in SEGDATA.items() if {"out", "out.png"} & set(line.split()))]
    try:
        lines = [f"{name} {SEGDATA[name]}" for name in (*read, *write)]
        *ended, elsewhere = run_all(
            root, [*lines, f"labelme {SEGDATA['labelme']}".replace(" out", " ../out")], before=before
        )
    finally:
        root.chmod(0o755)
    assert ended[: len(read)] == [(0, "")] * len(read)
    for name, (status, text) in zip(write, ended[len(read) :], strict=True):
        assert (status, text.count("\n")) == (1, 1), name
        assert "cannot be created: " in text, name
        assert text.endswith(" is not a writable directory\n"), name
    assert elsewhere == (0, "")


def test_few_open_files_are_enough_to_write_a_set_and_to_refuse_its_reading(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    for number in range(100):
        Image.fromarray(np.full((4, 4), number, np.uint8)).save(root / f"{number}.png")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(root / "label.png")
    (root / "list.txt").write_text("".join(f"{number}.png label.png\n" for number in range(100)))
    write, *read = [
        "to-mindrecord list.txt --num_shards 100 --dst_path set",
        "verify set",
        "stats set",
        "preview set --out a.png",
    ]
    written, *refused = run_all(root, [write, *read], before="ulimit -n 64; ")
    assert written == (0, "")
    for status, text in refused:
        assert (status, text.count("\n")) == (1, 1)
        assert text.startswith("Error: set: has 100 files, and this process may open 64 at once")
    assert len(list(read_rows(open_set(root / "set")))) == 100
