"""Each writing command is killed once, and system calls fail: the measurements of benchmarks/reliability in small."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks" / "reliability"
sys.path.insert(0, str(BENCHMARKS))

from commands import COMMANDS, make_data  # noqa: E402
from kill import COUNTS, Case  # noqa: E402
from system_calls import calls, fail  # noqa: E402

#: `yolo-seg` publishes as `tif-slice` does, `masks-to-coco` as `pair-list`.
NAMES = [command.name for command in COMMANDS if command.name not in ("yolo-seg", "masks-to-coco")]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("data")
    make_data(folder)
    yield folder


def case_of(name: str, folder: Path, data: Path) -> Case:
    return Case(next(command for command in COMMANDS if command.name == name), folder, data)


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_command_loses_nothing_and_succeeds_the_next_time(name: str, data: Path, tmp_path: Path) -> None:
    case = case_of(name, tmp_path, data)
    case.kill(random.Random(name))
    assert {count: case.counts[count] for count in COUNTS[4:]} == dict.fromkeys(COUNTS[4:], 0)
    assert sum(case.counts[outcome] for outcome in COUNTS[1:4]) == case.counts["kills"] == 1


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is missing")
@pytest.mark.parametrize(("name", "each"), [("voc-decolor", 1), ("split", 2)])
def test_a_failing_system_call_loses_nothing(name: str, each: int, data: Path, tmp_path: Path) -> None:
    case = case_of(name, tmp_path, data)
    chosen = calls(case, each)
    assert {call for call, _ in chosen} & {"rename", "renameat", "renameat2"}
    for call, number in chosen:
        fail(case, call, number)
    assert {count: case.counts[count] for count in (*COUNTS[4:], "false success")} == dict.fromkeys(
        (*COUNTS[4:], "false success"), 0
    )
