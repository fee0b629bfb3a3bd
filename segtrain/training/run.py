"""Setup of a training run: everything is checked and built before the first step."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mindspore import nn

from segdata.errors import InvalidInputError
from segdata.records.reader import RecordSet, open_set
from segtrain.checkpoints.checkpoint import restore
from segtrain.checkpoints.info import CheckpointInfo
from segtrain.checkpoints.pretrained import load_pretrained, other_classes
from segtrain.checkpoints.reading import local_checkpoint
from segtrain.config.config import Config
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.config.networks import DeepLab, SemanticNetwork
from segtrain.config.recipes import write_config
from segtrain.config.unet import UNetSimple
from segtrain.data.classes import check_classes, check_labeled, check_task, check_value_range
from segtrain.data.overlap import shared_images
from segtrain.data.rows import steps_per_epoch
from segtrain.distributed.device import prepare_device
from segtrain.distributed.ranks import Ranks, current
from segtrain.models import build_network
from segtrain.models.normalization import synchronize
from segtrain.tasks import task_of
from segtrain.tasks.task import Task, TrainingSet
from segtrain.training.events import Started
from segtrain.training.freeze import check_loaded, freeze, set_train
from segtrain.training.schedules import learning_rates
from segtrain.training.step import TrainStep, average_gradients, build_train_step
from segtrain.training.train_dir import TrainDir


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training run before its first step.

    Attributes:
        config: resolved settings.
        task: task of the network.
        records: record set to train on.
        training_set: its rows.
        evaluation: record set to evaluate on after each epoch, if any.
        directory: directory for configuration, metrics and checkpoints.
        ranks: processes that train together.
        network: network to train.
        frozen: parts of the network that training leaves unchanged.
        train_step: maps a batch to its losses and updates the network.
        rates: learning rate of every step, float32 ``(steps,)``.
        info: side file of the checkpoints, as of step 0.
        evaluated: whether the network was already evaluated at the first step.
        started: the setup, as reported to the observer.
    """

    config: Config
    task: Task
    records: RecordSet
    training_set: TrainingSet
    evaluation: RecordSet | None
    directory: TrainDir
    ranks: Ranks
    network: nn.Cell
    frozen: tuple[nn.Cell, ...]
    train_step: TrainStep
    rates: npt.NDArray[np.float32]
    info: CheckpointInfo
    evaluated: bool
    started: Started

    def set_train(self) -> None:
        """Set the network to training mode, except its frozen parts."""
        set_train(self.train_step, self.frozen)


@dataclass(frozen=True)
class _Inputs:
    """Inputs of a run, which are known before the processes connect."""

    config: Config
    task: Task
    data: RecordSet
    training_set: TrainingSet
    evaluation: RecordSet | None
    notes: tuple[str, ...]

    def epoch_steps(self, devices: int = 1) -> int:
        others = self.data.manifest.rows - self.training_set.rows
        return steps_per_epoch(self.draws, self.config.batch_size, devices, left_out=others)

    @property
    def draws(self) -> int:
        """Number of rows in an epoch, which may have each row several times."""
        return self.training_set.rows * self.config.repeat


def prepare(
    config: Config,
    data_file: Path,
    train_dir: Path,
    *,
    eval_data_file: Path | None,
    pretrained: Path | None,
    resume: bool,
    overwrite: bool,
    held: ExitStack,
) -> Run:
    """Check record sets, settings and directory, build the network, and start or resume the training directory.

    `segtrain.training.fit.train` explains the arguments. The lock of the directory is held until `held` is closed.

    Raises:
        SegDataError: when settings, record sets and directory do not match, or another run trains in the directory.
    """
    directory = TrainDir(train_dir)
    if config.ckpt_pre_trained and not pretrained:
        pretrained = local_checkpoint(Path(config.ckpt_pre_trained))
    if not resume:
        directory.check_free(overwrite=overwrite, model=config.model.name, pretrained=pretrained)
    inputs = _open(config, data_file, eval_data_file)
    prepare_device(inputs.config.device_target, seed=inputs.config.seed)
    ranks = current()
    if ranks.is_main:
        held.enter_context(directory.in_use())
    return _build(inputs, directory, ranks, pretrained=pretrained, resume=resume)


def _open(config: Config, data_file: Path, eval_data_file: Path | None) -> _Inputs:
    """Open the record sets, and report errors that do not depend on the number of devices.

    The processes have not connected yet: if one of them ended later, the others would wait for it.
    """
    data, evaluation = open_set(data_file), open_set(eval_data_file) if eval_data_file else None
    task = task_of(config)
    config = task.resolve_config(config, data.manifest)
    if config.early_stopping and not evaluation:
        raise InvalidInputError(
            f"early_stopping = {config.early_stopping}: needs a record set to evaluate on; expected --eval_data_file. "
            "To train without one, use --set early_stopping=null."
        )
    if evaluation:
        check_task(data.manifest.task, evaluation.manifest)
        check_classes(data.manifest.class_names, evaluation.manifest)
        check_labeled(evaluation.manifest)
        check_value_range(data.manifest.value_range, evaluation.manifest)
    notes = shared_images(data, evaluation) if evaluation else ()
    inputs = _Inputs(config, task, data, task.training_set(data, config), evaluation, notes)
    inputs.epoch_steps()
    return inputs


def _build(inputs: _Inputs, directory: TrainDir, ranks: Ranks, *, pretrained: Path | None, resume: bool) -> Run:
    config, task, manifest = inputs.config, inputs.task, inputs.data.manifest
    epoch_steps = inputs.epoch_steps(ranks.size)
    rates = learning_rates(config.schedule, epoch_steps * config.train_epochs)
    info = _info(inputs, devices=ranks.size)
    step, loaded = 0, None
    if resume:
        step, parameters = directory.resume(config, info, rates)
    network = build_network(config, num_classes=manifest.num_classes)
    frozen = freeze(network, config.freeze)
    if isinstance(config.model, DeepLab | UNetSimple | MaskRcnn) and config.model.sync_bn and ranks.size > 1:
        synchronize(network, ranks.size)
    train_step = build_train_step(network, task, config, rates)
    average_gradients(train_step, ranks)
    if resume:
        restore(train_step, parameters)
    else:
        loaded = load_pretrained(network, pretrained) if pretrained else None
        check_loaded(config.freeze, frozen, loaded.loaded if loaded else None)
    evaluated = directory.metrics.evaluated(step, task.SCORE)
    _agree(inputs, ranks, step=step, evaluated=evaluated)
    ranks.broadcast(train_step.get_parameters())
    if ranks.is_main:
        directory.begin(config, resumed_at=step if resume else None)
    return Run(
        config=config,
        task=task,
        records=inputs.data,
        training_set=inputs.training_set,
        evaluation=inputs.evaluation,
        directory=directory,
        ranks=ranks,
        network=network,
        frozen=tuple(frozen),
        train_step=train_step,
        rates=rates,
        info=info,
        evaluated=evaluated,
        started=Started(
            train_dir=str(directory.path),
            config=config,
            devices=ranks.size,
            steps_per_epoch=epoch_steps,
            first_step=step,
            total_steps=len(rates),
            dropped_rows=inputs.draws % (config.batch_size * ranks.size),
            left_out=inputs.training_set.left_out,
            notes=_notes(inputs, directory, None if resume else pretrained, resume=resume),
            parameters=sum(parameter.size for parameter in network.trainable_params()),
            pretrained=loaded,
            pretrained_file=pretrained.name if loaded and pretrained else None,
        ),
    )


def _agree(inputs: _Inputs, ranks: Ranks, *, step: int, evaluated: bool) -> None:
    """Check that all processes will communicate at the same times: if one did not, the others would wait forever."""
    evaluation = inputs.evaluation and inputs.evaluation.manifest.inputs
    course = (write_config(inputs.config), inputs.data.manifest.inputs, evaluation, step, evaluated)
    ranks.check_equal("settings, record sets and checkpoint", repr(course).encode())


def _notes(inputs: _Inputs, directory: TrainDir, pretrained: Path | None, *, resume: bool) -> tuple[str, ...]:
    if not resume:
        return (*inputs.notes, *(other_classes(pretrained, inputs.data.manifest.class_names) if pretrained else ()))
    if inputs.evaluation or not directory.best.is_file():
        return ()
    return (
        "this run was evaluated before, but is not from now on: best.ckpt stays that of the best evaluation so far. "
        "Use --eval_data_file to evaluate again.",
    )


def _info(inputs: _Inputs, *, devices: int) -> CheckpointInfo:
    config, manifest = inputs.config, inputs.data.manifest
    return CheckpointInfo(
        config=config,
        class_names=manifest.class_names,
        original_ids=tuple(each.original_id for each in manifest.classes),
        ignore_label=config.model.ignore_label if isinstance(config.model, SemanticNetwork) else None,
        value_range=manifest.value_range,
        record_set=manifest.name,
        inputs=manifest.inputs,
        evaluation=inputs.evaluation.manifest.inputs if inputs.evaluation else None,
        rows=inputs.training_set.rows,
        devices=devices,
        epoch=0,
        step=0,
        best_score=None,
    )
