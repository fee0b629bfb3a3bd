"""Event files: TensorBoard's own format, read here by its definition (TFRecord and ``event.proto``)."""

from __future__ import annotations

import shutil
import struct
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tensorboardX.proto.event_pb2 import Event as Record

from segdata.errors import SegDataError
from segtrain.training.events import Started, StepDone, tell_all
from segtrain.training.tensorboard import EventFile
from segtrain.training.train_dir import EVENTS, TRAINING, TrainDir

if TYPE_CHECKING:
    from tests.segtrain.conftest import Trained


def _records(path: Path) -> list[Record]:
    data, found = path.read_bytes(), []
    while data:
        # Length, its checksum, the content, its checksum.
        (size,) = struct.unpack("<Q", data[:8])
        found.append(Record.FromString(data[12 : 12 + size]))
        data = data[16 + size :]
    return found


def _scalars(path: Path) -> list[tuple[int, dict[str, float]]]:
    version, *records = _records(path)
    assert version.file_version == "brain.Event:2"
    return [(each.step, {value.tag: value.simple_value for value in each.summary.value}) for each in records]


def test_all_metrics_of_a_training_are_in_its_event_file(quick_run: Trained, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(quick_run.directory, run)
    (started,) = [event for event in quick_run.events if isinstance(event, Started)]
    (*_, step) = [event for event in quick_run.events if isinstance(event, StepDone)]
    lines = TrainDir(run).metrics.lines()
    # What an earlier part of the training wrote there is replaced.
    (run / EVENTS).write_bytes(b"earlier")
    tell = tell_all(EventFile())
    tell(replace(started, train_dir=str(run)))
    tell(step)
    found = _scalars(run / EVENTS)
    assert [each[0] for each in found] == [line["step"] for line in lines] + [step.step]
    assert found[0][1] == {
        "training/loss": pytest.approx(lines[0]["loss"]),
        "training/lr": pytest.approx(lines[0]["lr"]),
        "training/images_per_s": pytest.approx(lines[0]["images_per_s"]),
    }
    assert found[2][1]["evaluation/miou"] == pytest.approx(lines[2]["miou"])
    assert found[2][1]["evaluation/eval_loss"] == pytest.approx(lines[2]["eval_loss"])
    assert (run / EVENTS) in TrainDir(run).own.owned()
    assert TRAINING.takes(EVENTS)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX.record_writer", None)
    with pytest.raises(SegDataError, match=r"needs tensorboardX, .*: pip install 'segdata\[tensorboard\]'"):
        EventFile()
