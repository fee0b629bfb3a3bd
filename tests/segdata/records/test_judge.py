"""MindSpore as second judge: it reads the same rows, by any shard, or its difference is named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from segdata.errors import OptionError
from segdata.opening import open_dataset
from segdata.parallel import silent
from segdata.records import judge
from segdata.records.convert import to_mindrecord
from segdata.records.reader import RecordSet, open_set
from segdata.records.schema import Row
from segdata.records.verify import verify

COMMANDS = """
import sys
from collections.abc import Iterator
from click.testing import CliRunner
from segdata.cli import main
for command in sys.argv[1:]:
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == 0, result.output
print("mindspore" in sys.modules)
"""


def test_mindspore_reads_the_same_rows(pristine: Path) -> None:
    pytest.importorskip("mindspore")
    report = verify(pristine, with_mindspore=True)
    assert (report.problems, report.with_mindspore) == ((), True)


def test_arrays_without_rows_are_the_same(coco: Path, tmp_path: Path) -> None:
    pytest.importorskip("mindspore")
    to_mindrecord(open_dataset(coco / "annotations" / "instances.json"), tmp_path / "set", num_shards=2)
    assert any(not len(row["labels"]) for row in open_set(tmp_path / "set"))
    assert verify(tmp_path / "set", with_mindspore=True).problems == ()


def test_other_rows_are_named(pristine: Path, record_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mindspore")
    rows = list(open_set(pristine))
    rows[4]["label"] += b"\0"
    monkeypatch.setattr(judge, "read_rows", lambda found, fields: iter(rows))
    (problem,) = judge.judge(open_set(record_set), silent)
    assert problem == "train.mindrecord0: opened by MindSpore, field 'label' of row 4 differs"


def test_without_mindspore_the_way_to_install_it_is_named(pristine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "find_spec", lambda name: None)
    with pytest.raises(OptionError) as refused:
        verify(pristine, with_mindspore=True)
    assert str(refused.value) == (
        "--with-mindspore: MindSpore is not installed; expected it to read the rows a second time. Install it with "
        'pip install "segdata[train]".'
    )


def test_no_command_of_segdata_imports_mindspore(devkit: Path, coco: Path, tmp_path: Path) -> None:
    listed, records = devkit / "voc_train_lst.txt", tmp_path / "train"
    commands = [
        f"to-mindrecord {listed} --data_root {devkit} --dst_path {records} --num_shards 2",
        f"to-mindrecord {coco / 'annotations' / 'instances.json'} --dst_path {tmp_path / 'coco'} --num_shards 1",
        f"verify {records}",
        f"info {records}",
        f"check {records}",
        f"stats {records}",
        f"preview {records} --out {tmp_path / 'sheet.png'} --html {tmp_path / 'page'}",
    ]
    command = [sys.executable, "-c", COMMANDS, *commands]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr[-2000:]) == ("False\n", "")


@pytest.mark.parametrize(("rows", "problem"), [(9, "it has more than 10 rows"), (11, "it has fewer than 10 rows")])
def test_another_number_of_rows_is_named(
    pristine: Path, monkeypatch: pytest.MonkeyPatch, rows: int, problem: str
) -> None:
    pytest.importorskip("mindspore")
    all_rows = list(open_set(pristine))
    monkeypatch.setattr(judge, "read_rows", lambda found, fields: iter([*all_rows, all_rows[0]][:rows]))
    assert next(judge.judge(open_set(pristine), silent)) == f"train.mindrecord0: opened by MindSpore, {problem}"


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("\n----\nException: no\n[ERROR] the header is damaged\n----", "the header is damaged"),
        ("\n----\n  the header is damaged\nmore", "the header is damaged"),
        ("\n----\n", "RuntimeError"),
    ],
)
def test_the_line_of_mindspores_message_that_says_something_is_shown(
    pristine: Path, monkeypatch: pytest.MonkeyPatch, message: str, line: str
) -> None:
    pytest.importorskip("mindspore")

    def fail(found: RecordSet, fields: list[str]) -> Iterator[Row]:
        raise RuntimeError(message)

    monkeypatch.setattr(judge, "read_rows", fail)
    problems = list(judge.judge(open_set(pristine), silent))
    assert problems[0] == f"train.mindrecord0: opened by MindSpore, it cannot be read ({line})"
