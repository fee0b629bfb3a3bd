"""Every command with --json prints a report of the class that the documentation names, with the place of its result."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from command_lines import SEGDATA
from json_reports import checked, kinds

Run = Callable[..., Result]

JSON = "coco/annotations/instances.json"

#: Runs with a report of another class or place than those of the small runs, and the class.
OTHERS = {
    "merge-lists": ("merge voc_train_lst.txt voc_val_lst.txt --dst_path out.txt", "list_merge"),
    "merge-jsons": (f"merge {JSON} --images coco/images --dst_path out.json", "coco_merge"),
    "split-json": (f"split {JSON} --ratio 0.5 --exact --dst_path out", "split"),
    "info-list": ("info voc_train_lst.txt", "source_info"),
    "info-json": (f"info {JSON}", "source_info"),
    "info-bare": ("info bare", "foreign_info"),
    "check-json": (f"check {JSON} --images coco/images", "check"),
    "stats-json": (f"stats {JSON} --images coco/images", "stats"),
    "preview-page": ("preview voc_train_lst.txt --html out", "preview"),
    "slice-objects": ("tif-slice --images tif/train-volume.tif --dst_path out", "slice"),
    "convert-json": (f"to-mindrecord {JSON} --images coco/images --num_shards 1 --dst_path out", "convert"),
    "dry-run": ("to-mindrecord voc_train_lst.txt --num_shards 2 --dst_path out --dry-run", "convert"),
    "failure": ("to-mindrecord voc_train_lst.txt --data_root tif --dst_path out", "error"),
    "usage": ("to-mindrecord voc_train_lst.txt --unheard-of", "error"),
}


@pytest.fixture
def root(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(inputs, tmp_path / "data")
    monkeypatch.chdir(tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize("command", SEGDATA)
def test_the_report_is_that_of_the_documentation_and_its_path_exists(segdata: Run, root: Path, command: str) -> None:
    result = segdata(command, *SEGDATA[command].split(), "--json")
    report = checked(result.stdout, f"segdata {command}")
    assert report["report"] != "error", result.output
    assert (root / report["path"]).exists()
    assert report.get("written", True) is True
    for other in (*report.get("files", {}).values(), *(report.get(key) for key in ("list", "file", "html", "root"))):
        assert other is None or (root / other).exists(), other


@pytest.mark.parametrize(("line", "kind"), OTHERS.values(), ids=OTHERS)
def test_other_inputs_have_a_report_of_the_documentation(segdata: Run, root: Path, line: str, kind: str) -> None:
    result = segdata(*line.split(), "--json")
    report = checked(result.stdout, f"segdata {line.split()[0]}")
    assert report["report"] == kind, result.output
    assert (kind == "error") == (result.exit_code != 0)
    if kind != "error" and report.get("written", True):
        assert (root / report["path"]).exists()


def test_every_command_has_a_small_run_here() -> None:
    for command in SEGDATA:
        assert kinds(f"segdata {command}")
    shown = {kind for _, kind in OTHERS.values()} | {"set_merge", "set_info"}
    assert {*kinds("segdata merge"), *kinds("segdata info")} <= shown


@pytest.mark.parametrize("extra", [{"more": 1}, {"samples": "5"}, {}])
def test_a_report_with_a_key_too_many_or_too_few_or_another_type_is_noticed(
    segdata: Run, root: Path, extra: dict[str, object]
) -> None:
    report = json.loads(segdata("info", "voc_train_lst.txt", "--json").stdout)
    if not extra:
        del report["task"]
    with pytest.raises((AssertionError, ValueError)):
        checked(json.dumps(report | extra), "segdata info")
