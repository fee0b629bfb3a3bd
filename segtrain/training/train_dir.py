"""Directory of a training run: configuration, metrics and checkpoints."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mindspore as ms
import msgspec

from segdata.errors import InvalidInputError, SegDataError, TargetExistsError
from segdata.files import write_file
from segdata.text import plural
from segtrain.checkpoints.checkpoint import (
    CheckpointInfo,
    link_checkpoint,
    read_checkpoint,
    remove_checkpoint,
    save_checkpoint,
    side_file,
)
from segtrain.checkpoints.weights import Parameters
from segtrain.config.config import Config
from segtrain.config.recipes import write_config

CONFIG = "config.yaml"
METRICS = "metrics.jsonl"
LAST = "last.ckpt"
BEST = "best.ckpt"

#: Settings that do not affect what is learned, so that they may change when training is resumed.
_WITHOUT_EFFECT = ("workers", "save_steps", "keep_checkpoint_max")


class TrainDir:
    """Reads and writes the files of a training run."""

    def __init__(self, path: Path) -> None:
        """Represent the directory at `path`, which need not exist yet."""
        self.path = path
        self.last = path / LAST
        self.best = path / BEST

    def check_free(self, *, overwrite: bool) -> None:
        """Check that a new training run may start here.

        Raises:
            SegDataError: when the path is a file.
            TargetExistsError: when the directory already holds a training run and `overwrite` is false; other files
                do not matter.
        """
        if self.path.exists() and not self.path.is_dir():
            raise SegDataError(f"{self.path} is a file; expected a directory to train in")
        if (taken := self._files()) and not overwrite:
            raise TargetExistsError(
                f"{self.path} already holds a training run ({taken[0].name}). Resume it or choose another directory.",
                replaceable=True,
            )

    def begin(self, config: Config, *, resumed_at: int | None) -> None:
        """Prepare the directory for a new training run, or for one that resumes after step `resumed_at`.

        A new run removes the files of an earlier one. A resumed run removes the metrics of steps that will be repeated.
        """
        if resumed_at is None:
            for path in self._files():
                path.unlink(missing_ok=True)
        else:
            kept = [line for line in self.metrics() if line["step"] <= resumed_at]
            write_file(self.path / METRICS, "".join(map(_line, kept)).encode(), overwrite=True)
        self.path.mkdir(parents=True, exist_ok=True)
        write_file(self.path / CONFIG, write_config(config).encode(), overwrite=True)

    def resume(self, config: Config, info: CheckpointInfo) -> tuple[int, Parameters]:
        """Return step and parameters of the last checkpoint, if it matches `config` and the record set in `info`.

        Raises:
            InvalidInputError: when there is no such checkpoint, or naming the first setting that differs.
        """
        if not self.last.is_file():
            raise InvalidInputError(f"{self.path}: no {LAST} to resume from")
        found, parameters = read_checkpoint(self.last)
        for field in dataclasses.fields(Config):
            before, now = getattr(found.config, field.name), getattr(config, field.name)
            if before != now and field.name not in _WITHOUT_EFFECT:
                raise InvalidInputError(f"{self.path}: was trained with {field.name} = {before!r}, not {now!r}")
        if found.devices != info.devices:
            raise InvalidInputError(
                f"{self.path}: was trained on {plural(found.devices, 'device')}, not {info.devices}"
            )
        for what in ("rows", "class_names", "inputs"):
            before, now = getattr(found, what), getattr(info, what)
            if before != now:
                raise InvalidInputError(
                    f"{self.path}: was trained on a different record set ({what}: {before}, not {now})"
                )
        return found.step, parameters

    def log(self, metrics: dict[str, Any]) -> None:
        """Append one line of metrics."""
        with (self.path / METRICS).open("a", encoding="utf-8") as file:
            file.write(_line(metrics))

    def metrics(self) -> list[dict[str, Any]]:
        """Return all lines of metrics, except a last one that was cut off when the process was killed.

        Raises:
            InvalidInputError: naming the first line that is invalid.
        """
        path = self.path / METRICS
        text = path.read_text("utf-8") if path.exists() else ""
        lines = []
        for number, line in enumerate(text.split("\n")[:-1], start=1):
            try:
                lines.append(msgspec.json.decode(line, type=dict[str, Any]))
            except msgspec.DecodeError as error:
                raise InvalidInputError(f"{path}: line {number} is not a line of metrics: {error}") from error
        return lines

    def best_score(self, name: str) -> float | None:
        """Return the highest score called `name` over the evaluations so far."""
        return max((line[name] for line in self.metrics() if name in line), default=None)

    def evaluated(self, step: int, name: str) -> bool:
        """Return whether the network at `step` was already evaluated, with a score called `name`."""
        return any(name in line and line["step"] == step for line in self.metrics())

    def save_last(self, parameters: Iterable[ms.Parameter], info: CheckpointInfo) -> None:
        """Save the checkpoint to resume from."""
        save_checkpoint(self.last, parameters, info)

    def save_best(self, parameters: Iterable[ms.Parameter], info: CheckpointInfo) -> None:
        """Save the checkpoint of the best evaluation."""
        save_checkpoint(self.best, parameters, info)

    def keep_last(self, model: str, epoch: int, step_in_epoch: int, keep: int) -> None:
        """Keep the last checkpoint as ``MODEL-EPOCH_STEP.ckpt``, and remove all but the latest `keep` of these."""
        link_checkpoint(self.last, self.path / f"{model}-{epoch}_{step_in_epoch}.ckpt")
        for path in self._numbered()[:-keep]:
            remove_checkpoint(path)

    def _numbered(self) -> list[Path]:
        """Return the numbered checkpoints, oldest first."""
        found = []
        for path in self.path.glob("*.ckpt"):
            if match := re.fullmatch(r"[^.].*-(\d+)_(\d+)\.ckpt", path.name):
                found.append(((int(match[1]), int(match[2])), path))
        return [path for _, path in sorted(found)]

    def _files(self) -> list[Path]:
        """Return the files of a training run in this directory."""
        checkpoints = [self.last, self.best, *self._numbered()]
        candidates = [self.path / CONFIG, self.path / METRICS]
        candidates += [file for path in checkpoints for file in (path, side_file(path))]
        return [path for path in candidates if path.exists()]


def _line(metrics: dict[str, Any]) -> str:
    return msgspec.json.encode(metrics).decode() + "\n"
