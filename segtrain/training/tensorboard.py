"""Metrics of a training for TensorBoard, which shows curves while it runs: tensorboard --logdir TRAIN_DIR."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from time import time
from typing import Any

from segdata.errors import SegDataError
from segtrain.training.events import Event, Started
from segtrain.training.train_dir import EVENTS, TrainDir

#: Content of the first record, by which TensorBoard recognizes the format.
_VERSION = "brain.Event:2"


class EventFile:
    """Observer that writes the metrics of a training to the file `EVENTS` in its directory, besides its own file.

    When a training is resumed, the file begins with the metrics that it already has, so all of them are in it once.
    """

    def __init__(self) -> None:
        """Wait for the event `Started`, which names the directory.

        Raises:
            SegDataError: when tensorboardX is not installed.
        """
        try:
            self._records = importlib.import_module("tensorboardX.record_writer")
            self._events = importlib.import_module("tensorboardX.proto.event_pb2")
        except ImportError as error:
            raise SegDataError(
                "--tensorboard needs tensorboardX, which is not installed: pip install 'segdata[tensorboard]'"
            ) from error

    def __call__(self, event: Event) -> None:
        """Begin the file, or add the metrics of one event, which TensorBoard can then see."""
        if isinstance(event, Started):
            self._begin(Path(event.train_dir))
        else:
            self._add([event.metrics])

    def _begin(self, directory: Path) -> None:
        path = directory / EVENTS
        found = TrainDir(directory)
        path.unlink(missing_ok=True)
        with found.own.writing(path, grows=True):
            self._writer = self._records.RecordWriter(str(path))
            self._write(file_version=_VERSION)
            self._add(found.metrics.lines())

    def _add(self, lines: Iterable[dict[str, Any]]) -> None:
        """Add lines of metrics as TensorBoard's scalars, those of evaluations and of steps apart."""
        for line in lines:
            group = "training" if "loss" in line else "evaluation"
            named = {name: value for name, value in line.items() if name not in ("epoch", "step") and value is not None}
            values = [{"tag": f"{group}/{name}", "simple_value": value} for name, value in named.items()]
            self._write(step=line["step"], summary={"value": values})
        self._writer.flush()

    def _write(self, **content: Any) -> None:
        self._writer.write(self._events.Event(wall_time=time(), **content).SerializeToString())
