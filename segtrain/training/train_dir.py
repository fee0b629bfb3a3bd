"""Directory of a training run: configuration, metrics and checkpoints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import mindspore as ms
import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError, SegDataError, TargetExistsError, name_first
from segdata.files.locks import lock_file, locked
from segdata.files.ownership import check_writable
from segdata.files.publishing import write_file
from segdata.store.product import Product
from segtrain.checkpoints.checkpoint import (
    clear_staged,
    link_checkpoint,
    read_checkpoint,
    remove_checkpoint,
    save_checkpoint,
)
from segtrain.checkpoints.info import CheckpointInfo, side_file
from segtrain.checkpoints.weights import Parameters
from segtrain.config.config import Config
from segtrain.config.recipes import write_config
from segtrain.training.metrics import Metrics
from segtrain.training.own_files import OWN_FILES, OwnFiles
from segtrain.training.resuming import check_same_training

CONFIG = "config.yaml"
METRICS = "metrics.jsonl"
LAST = "last.ckpt"
BEST = "best.ckpt"

#: The metrics for TensorBoard, which reads files with ``tfevents`` in their names.
EVENTS = "events.out.tfevents.segtrain"

_FILES = re.compile(
    rf"config\.yaml|metrics\.jsonl|{re.escape(EVENTS)}|{re.escape(OWN_FILES)}|(last|best|[^/.][^/]*-\d+_\d+)\.(ckpt|json)"
)
_NUMBERED = re.compile(r"[^.].*-(\d+)_(\d+)\.ckpt")

#: The files of a training run. A reader must never find a checkpoint whose side file is still missing.
TRAINING = Product(
    "training run",
    OWN_FILES,
    owned=lambda directory, sizes: OwnFiles(directory).among(sizes),
    takes=lambda name: _FILES.fullmatch(name) is not None,
    late=".ckpt",
)


class TrainDir:
    """Reads and writes the files of a training run."""

    def __init__(self, path: Path) -> None:
        """Represent the directory at `path`, which need not exist yet."""
        self.path = path
        self.last = path / LAST
        self.best = path / BEST
        self.own = OwnFiles(path)
        self.metrics = Metrics(path / METRICS)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep other training runs out of the directory while the block runs.

        Raises:
            InUseError: when another run trains in it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            with locked(lock_file(self.path / "training"), self.path):
                yield
        finally:
            with suppress(OSError):
                # Nothing was written.
                self.path.rmdir()

    def check_free(self, *, overwrite: bool, model: str, pretrained: Path | None) -> None:
        """Check that a new training run of `model` may start here.

        A run that was killed before its first checkpoint takes no room: nothing of it can be resumed.

        Raises:
            SegDataError: when the path is a file, or cannot be written to.
            InvalidInputError: when `pretrained`, the checkpoint to start from, would be removed.
            TargetExistsError: when the directory already holds a training run and `overwrite` is false, or files that
                no training wrote have the names of those that this one will write; other files do not matter.
        """
        if self.path.exists() and not self.path.is_dir():
            raise SegDataError(f"{self.path}: is a file; expected a directory to train in")
        check_writable(self.path / CONFIG)
        own = self.own.owned()
        self._check_foreign(own, model)
        taken = [path for path in own if path.suffix == ".ckpt"]
        if taken and not overwrite:
            raise TargetExistsError(
                f"{self.path}: already contains a training run ({self._first(taken)}). Continue it with --resume, or "
                "choose another directory.",
                replaceable=True,
            )
        if pretrained and pretrained.resolve() in [path.resolve() for path in own]:
            raise InvalidInputError(
                f"{pretrained}: is a file of the training run in {self.path}, which would be removed; expected a "
                "checkpoint outside it. Choose another directory to train in."
            )

    def _check_foreign(self, own: list[Path], model: str) -> None:
        """Refuse files that are not in `own` and have the names of those that training writes."""
        wanted = re.compile(
            rf"config\.yaml|metrics\.jsonl|{re.escape(EVENTS)}|(last|best|{re.escape(model)}-\d+_\d+)\.(ckpt|json)"
        )
        names = sorted(path.name for path in self.path.iterdir()) if self.path.is_dir() else []
        known = {path.name for path in own}
        if foreign := [name for name in names if wanted.fullmatch(name) and name not in known]:
            raise TargetExistsError(
                f"{self.path}: contains files that this run would replace, and no training run wrote them as they are "
                f"now:\n{name_first(foreign)}\nMove them away or choose another directory.",
                replaceable=False,
            )

    @staticmethod
    def _first(taken: list[Path]) -> str:
        return next((path.name for path in taken if path.name == LAST), taken[0].name)

    def begin(self, config: Config, *, resumed_at: int | None) -> None:
        """Prepare the directory for a new training run, or for one that resumes after step `resumed_at`.

        A new run removes the files of an earlier one. A resumed run removes the metrics of steps that will be repeated.
        Both remove what a killed run left half written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        for path in (self.last, self.best):
            clear_staged(path)
        with self.own.writing(self.path / CONFIG, self.path / METRICS, grows=True):
            if resumed_at is None:
                removed = self.own.owned()
                for path in removed:
                    path.unlink()
            else:
                self.metrics.keep(resumed_at)
            write_file(self.path / CONFIG, write_config(config).encode(), overwrite=True)
        if resumed_at is None:
            self.own.forget(*(path for path in removed if path.name not in (CONFIG, METRICS)))

    def resume(self, config: Config, info: CheckpointInfo, rates: npt.NDArray[np.float32]) -> tuple[int, Parameters]:
        """Return step and parameters of the last checkpoint, if it is one of the training that is described here.

        Only the number of epochs may differ, if the steps that are done had the learning rates that they would have had
        with the other number.

        Args:
            config: settings.
            info: record set and devices.
            rates: learning rate of every step, float32 ``(steps,)``.

        Raises:
            InvalidInputError: when there is no such checkpoint, or naming the first setting that differs.
        """
        if not self.last.is_file():
            raise InvalidInputError(
                f"{self.path}: contains no {LAST} to resume from. To start a new run, leave --resume out."
            )
        found, parameters = read_checkpoint(self.last)
        check_same_training(self.last, found, config, info, rates)
        return found.step, parameters

    def save_last(self, parameters: Iterable[ms.Parameter], info: CheckpointInfo) -> None:
        """Save the checkpoint to resume from."""
        with self.own.writing(self.last, side_file(self.last)):
            save_checkpoint(self.last, parameters, info)

    def save_best(self, parameters: Iterable[ms.Parameter], info: CheckpointInfo) -> None:
        """Save the checkpoint of the best evaluation."""
        with self.own.writing(self.best, side_file(self.best)):
            save_checkpoint(self.best, parameters, info)

    def keep_last(self, model: str, epoch: int, step_in_epoch: int, keep: int) -> None:
        """Keep the last checkpoint as ``MODEL-EPOCH_STEP.ckpt``, and remove all but the latest `keep` of these.

        Numbered checkpoints that this training did not write are neither counted nor removed.
        """
        path = self.path / f"{model}-{epoch}_{step_in_epoch}.ckpt"
        known = self.own.owned()
        if foreign := [each.name for each in (path, side_file(path)) if each.exists() and each not in known]:
            raise SegDataError(
                f"{self.path}: contains files that this run would replace and did not write:\n"
                f"{name_first(foreign)}\n{LAST} is complete. Move them away and resume."
            )
        with self.own.writing(path, side_file(path)):
            link_checkpoint(self.last, path)
        if old := self._numbered()[:-keep]:
            for each in old:
                remove_checkpoint(each)
            self.own.forget(*old, *map(side_file, old))

    def _numbered(self) -> list[Path]:
        """Return the numbered checkpoints of this training, oldest first."""
        found = [(match, path) for path in self.own.owned() if (match := _NUMBERED.fullmatch(path.name))]
        return [path for match, path in sorted(found, key=lambda each: (int(each[0][1]), int(each[0][2])))]
