"""Settings that must be the same when a run is resumed: all that decided the steps which are done."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.text import plural
from segtrain.checkpoints.info import CheckpointInfo
from segtrain.config.config import Config
from segtrain.config.settings import flat
from segtrain.training.schedules import learning_rates

#: Settings that do not affect what is learned, so that they may change when training is resumed.
_WITHOUT_EFFECT = ("workers", "save_steps", "keep_checkpoint_max", "early_stopping", "early_stopping_by")

#: The setting that may change if the steps done had the rates that they would have had with the other value.
_EPOCHS = "train_epochs"


def check_same_training(
    last: Path, found: CheckpointInfo, config: Config, info: CheckpointInfo, rates: npt.NDArray[np.float32]
) -> None:
    """Check that a training can be resumed with these settings, on these record sets and these devices.

    Args:
        last: checkpoint to resume from.
        found: its side file.
        config: settings to resume with.
        info: record sets and devices to resume with.
        rates: learning rate of every step, those that are done included, float32 ``(steps,)``.

    Raises:
        InvalidInputError: naming the first difference.
    """
    where = last.parent
    trained, wanted = (dict(flat(msgspec.to_builtins(each))) for each in (found.config, config))
    for name in trained | wanted:
        before, now = trained.get(name), wanted.get(name)
        if before != now and name not in (*_WITHOUT_EFFECT, _EPOCHS):
            raise InvalidInputError(
                f"{where}: was trained with {name} = {before!r}, so it cannot resume with {now!r}; expected the same "
                "settings. Resume without --recipe and --set to use those of the run, or choose another --train_dir."
            )
    if found.devices != info.devices:
        raise InvalidInputError(
            f"{where}: was trained on {plural(found.devices, 'device')}, so it cannot resume on {info.devices}; "
            f"expected the same number. Start it on {plural(found.devices, 'device')}, or choose another --train_dir."
        )
    for what in ("rows", "class_names", "inputs"):
        before, now = getattr(found, what), getattr(info, what)
        if before != now:
            raise InvalidInputError(
                f"{where}: was trained on a different record set ({what}: {before}, not {now}). Resume with the "
                "record set of the run, or choose another --train_dir."
            )
    if found.evaluation and info.evaluation and found.evaluation != info.evaluation:
        raise InvalidInputError(
            f"{where}: was evaluated on a different record set, so its best score so far cannot be compared with those "
            "to come. Resume with the --eval_data_file of the run, or choose another --train_dir."
        )
    if found.config.train_epochs != config.train_epochs:
        _check_epochs(last, found, config, rates)


def _check_epochs(last: Path, found: CheckpointInfo, config: Config, rates: npt.NDArray[np.float32]) -> None:
    """Check that the steps done would have been the same ones with the number of epochs in `config`."""
    before, now = found.config.train_epochs, config.train_epochs
    if found.step > len(rates):
        raise InvalidInputError(
            f"{last.parent}: was already trained for {plural(found.step, 'step')}, and {_EPOCHS} = {now} has only "
            f"{len(rates)}; expected {found.epoch} epochs or more"
        )
    earlier = learning_rates(found.config.schedule, len(rates) // now * before)
    if not np.array_equal(earlier[: found.step], rates[: found.step]):
        raise InvalidInputError(
            f"{last.parent}: was trained with {_EPOCHS} = {before}, not {now}. With the schedule "
            f"{config.schedule.name}, all learning rates depend on the number of epochs, even those of the steps "
            f"already done. To train longer, start another run from this one: --ckpt_pre_trained {last} and another "
            "--train_dir. Only runs with the schedules constant and exp can be extended."
        )
