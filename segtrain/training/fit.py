"""Training: from a record set and a configuration to checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mindspore import nn

from segdata.errors import SegDataError
from segdata.records.manifest import RecordSet, open_set
from segtrain.checkpoints.checkpoint import RATES, CheckpointInfo, load_pretrained, restore
from segtrain.config.config import Config
from segtrain.config.recipes import write_config
from segtrain.data.classes import check_classes
from segtrain.data.rows import steps_per_epoch
from segtrain.distributed.device import prepare_device, stop_requests
from segtrain.distributed.ranks import Ranks, current
from segtrain.models import build_network
from segtrain.models.normalization import synchronize
from segtrain.tasks import task_of
from segtrain.tasks.task import Scores, Task
from segtrain.training.events import Evaluated, Event, Started, StepDone, ignore
from segtrain.training.freeze import freeze
from segtrain.training.schedules import learning_rates
from segtrain.training.step import TrainStep, average_gradients, build_train_step, skipped_steps
from segtrain.training.train_dir import TrainDir


@dataclass(frozen=True, kw_only=True)
class FitReport:
    """What `train` did.

    Attributes:
        train_dir: where configuration, metrics and checkpoints are.
        started: how the training was set up.
        steps: steps done in this run.
        seconds: time of this run.
        images_per_s: throughput of this run's steps but its first, which compiles; None: there was no other.
        loss: mean loss of the last epoch's steps; None: nothing was left to do.
        skipped_steps: steps of the whole training that updated nothing, as gradients overflowed the loss scale.
        score: name of the score that decides which checkpoint is the best.
        best_score: its highest value in all evaluations, 0 to 1; None: there was no evaluation.
        scores: the last evaluation; None: there was none in this run.
    """

    train_dir: str
    started: Started
    steps: int
    seconds: float
    images_per_s: float | None
    loss: float | None
    skipped_steps: int
    score: str
    best_score: float | None
    scores: Scores | None


class TrainingInterrupted(KeyboardInterrupt):
    """The training was asked to stop, and its last checkpoint is complete."""

    def __init__(self, step: int, total_steps: int, checkpoint: Path) -> None:
        """Say where it stopped."""
        super().__init__(f"Stopped after step {step} of {total_steps}; {checkpoint} is complete.")


def train(
    config: Config,
    data_file: Path,
    train_dir: Path,
    *,
    eval_data_file: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    observe: Callable[[Event], None] = ignore,
) -> FitReport:
    """Train a network on a record set.

    Where several processes do so together, each has batches of its own, the gradients of all are averaged in every
    step, and rank 0 alone writes and calls `observe`.

    Args:
        config: the settings.
        data_file: the training set, by any of its names.
        train_dir: the directory for configuration, metrics and checkpoints.
        eval_data_file: a record set to evaluate on after each epoch, at scale 1.
        resume: go on where the training in `train_dir` stopped.
        overwrite: replace the training in `train_dir`.
        observe: is told of each step and evaluation as it happens.

    Raises:
        SegDataError: when settings, sets and directory do not fit together, a row cannot be used, or loss or
            parameters are not finite any more.
        TrainingInterrupted: after SIGINT or SIGTERM to any process, at the end of the step, when the checkpoint is
            written.
    """
    begun = time.perf_counter()
    data, evaluation = open_set(data_file), open_set(eval_data_file) if eval_data_file else None
    task = task_of(config)
    config = task.resolve_config(config, data.manifest)
    if evaluation:
        check_classes(data.manifest.class_names, evaluation.manifest)
    # What is wrong on any number of devices is told before the processes meet: after that, one waits for the other.
    draws = data.manifest.rows * config.repeat
    steps_per_epoch(draws, config.batch_size)
    directory = TrainDir(train_dir)
    if not resume:
        directory.check_free(overwrite=overwrite)

    prepare_device(config.device_target, seed=config.seed)
    ranks = current()
    epoch_steps = steps_per_epoch(draws, config.batch_size, ranks.size)
    rates = _rates(config, epoch_steps)
    info, step, pretrained = _info(config, data, ranks), 0, None
    if resume:
        step, parameters = directory.resume(config, info)
    network = build_network(config, num_classes=data.manifest.num_classes)
    frozen = freeze(network, config.freeze)
    if config.sync_bn and ranks.size > 1:
        synchronize(network, ranks.size)
    train_step = build_train_step(network, task, config, rates)
    average_gradients(train_step, ranks)
    if resume:
        restore(train_step, parameters)
    elif config.ckpt_pre_trained:
        pretrained = load_pretrained(network, Path(config.ckpt_pre_trained))
    evaluated = directory.evaluated(step, task.SCORE)
    # What decides when the processes exchange something: one that leaves it out would let the others wait for ever.
    course = (write_config(config), data.manifest.inputs, evaluation and evaluation.manifest.inputs, step, evaluated)
    ranks.check_equal("settings, record sets and checkpoint", repr(course).encode())
    ranks.broadcast(train_step.get_parameters())
    if ranks.is_main:
        directory.begin(config, resumed_at=step if resume else None)
    else:
        observe = ignore

    started = Started(
        train_dir=str(train_dir),
        config=config,
        devices=ranks.size,
        steps_per_epoch=epoch_steps,
        first_step=step,
        total_steps=len(rates),
        dropped_rows=draws % (config.batch_size * ranks.size),
        left_out=task.left_out(data, config),
        parameters=sum(parameter.size for parameter in network.trainable_params()),
        pretrained=pretrained,
    )
    observe(started)
    log = _Log(directory, network, train_step, task, info, epoch_steps, ranks, observe)
    clock = _Clock(config.batch_size * ranks.size)
    scores: Scores | None = None
    losses: list[float] = []
    with stop_requests() as stop_requested:
        if evaluation and step and step % epoch_steps == 0 and not evaluated:
            scores = log.evaluate(evaluation, step)
        for epoch in range(step // epoch_steps, config.train_epochs):
            train_step.set_train(True)
            for part in frozen:
                part.set_train(False)
            losses = []
            clock.restart()
            first_step = step - epoch * epoch_steps
            for batch in task.training_batches(data, config, epoch=epoch, first_step=first_step, ranks=ranks):
                loss, *parts = (ranks.mean(float(value.asnumpy())) for value in train_step(*batch))
                rate, step = float(rates[step]), step + 1
                if not math.isfinite(loss):
                    raise SegDataError(
                        f"step {step}: the loss is {loss} at learning rate {rate:g}: the training diverged, the last "
                        "checkpoint was kept; use a lower base_lr"
                    )
                losses.append(loss)
                by_name = dict(zip(task.LOSSES, parts, strict=True))
                speed = clock.tick()
                log.tell(StepDone(epoch=epoch + 1, step=step, loss=loss, parts=by_name, lr=rate, images_per_s=speed))
                stopping = ranks.any(stop_requested())
                if step % config.save_steps == 0 or step % epoch_steps == 0 or stopping:
                    log.save(step)
                if stopping and step < len(rates):
                    raise TrainingInterrupted(step, len(rates), directory.last)
            if evaluation:
                scores = log.evaluate(evaluation, step)
                if ranks.any(stop_requested()) and step < len(rates):
                    raise TrainingInterrupted(step, len(rates), directory.last)

    return FitReport(
        train_dir=str(train_dir),
        started=started,
        steps=step - started.first_step,
        seconds=time.perf_counter() - begun,
        images_per_s=clock.images_per_s(),
        loss=sum(losses) / len(losses) if losses else None,
        skipped_steps=skipped_steps(train_step),
        score=task.SCORE,
        best_score=log.best_score,
        scores=scores,
    )


class _Log:
    """Tells files and observer what happens, on rank 0; the others take part in evaluations."""

    def __init__(
        self,
        directory: TrainDir,
        network: nn.Cell,
        train_step: TrainStep,
        task: Task,
        info: CheckpointInfo,
        epoch_steps: int,
        ranks: Ranks,
        observe: Callable[[Event], None],
    ) -> None:
        self.directory = directory
        self.network = network
        self.train_step = train_step
        self.info = info
        self.epoch_steps = epoch_steps
        self.ranks = ranks
        self.observe = observe
        self.score = task.SCORE
        self.best_score = directory.best_score(task.SCORE)
        self.evaluator = task.evaluator(network, info.config, info.class_names)

    def save(self, step: int) -> None:
        """Let rank 0 write the last checkpoint; no other goes on before: the end of one would be the end of all."""
        if self.ranks.is_main:
            self._save(step)
        self.ranks.wait()

    def _save(self, step: int) -> None:
        """Write the last checkpoint, and where it is due, a numbered one."""
        config, info = self.info.config, self._info(step)
        parameters = [each for each in self.train_step.get_parameters() if each.name != RATES]
        self.directory.save_last(parameters, info)
        if step % config.save_steps == 0:
            in_epoch = step - (info.epoch - 1) * self.epoch_steps
            self.directory.keep_last(config.model, info.epoch, in_epoch, config.keep_checkpoint_max)

    def evaluate(self, records: RecordSet, step: int) -> Scores:
        """Evaluate, and keep the network if it is the best one so far."""
        with self.train_step.averages_in_place():
            return self._evaluate(records, step)

    def _evaluate(self, records: RecordSet, step: int) -> Scores:
        # Each rank has moving statistics of its own batches; those of rank 0 are in the checkpoints.
        self.ranks.broadcast(each for each in self.network.get_parameters() if not each.requires_grad)
        scores = self.evaluator(records, self.ranks)
        reached = scores.metrics[self.score]
        if self.best_score is None or reached > self.best_score:
            self.best_score = reached
            if self.ranks.is_main:
                counter = self.train_step.optimizer.global_step
                self.directory.save_best([*self.network.get_parameters(), counter], self._info(step))
        self.tell(Evaluated(epoch=-(-step // self.epoch_steps), step=step, scores=scores.metrics))
        return scores

    def tell(self, done: StepDone | Evaluated) -> None:
        """Write a line of metrics, and tell the observer."""
        if self.ranks.is_main:
            self.directory.log(done.metrics)
            self.observe(done)

    def _info(self, step: int) -> CheckpointInfo:
        return replace(self.info, epoch=-(-step // self.epoch_steps), step=step, best_score=self.best_score)


class _Clock:
    """Measures throughput; the first step of a run, which compiles, is left out of the mean."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.times: list[float] = []
        self.restart()

    def restart(self) -> None:
        """Leave out what happened between two epochs."""
        self.last = time.perf_counter()

    def tick(self) -> float:
        """Return the images per second of the step that ends now."""
        now = time.perf_counter()
        self.times.append(now - self.last)
        self.last = now
        return self.batch_size / self.times[-1]

    def images_per_s(self) -> float | None:
        times = self.times[1:]
        return self.batch_size * len(times) / sum(times) if times else None


def _rates(config: Config, epoch_steps: int) -> npt.NDArray[np.float32]:
    return learning_rates(
        config.lr_type,
        base_lr=config.base_lr,
        total_steps=epoch_steps * config.train_epochs,
        decay_steps=config.lr_decay_step,
        decay_rate=config.lr_decay_rate,
        warmup_steps=config.warmup_steps,
        warmup_start=config.warmup_start,
    )


def _info(config: Config, data: RecordSet, ranks: Ranks) -> CheckpointInfo:
    manifest = data.manifest
    return CheckpointInfo(
        config=config,
        class_names=manifest.class_names,
        original_ids=tuple(each.original_id for each in manifest.classes),
        ignore_label=config.ignore_label,
        record_set=manifest.name,
        inputs=manifest.inputs,
        rows=manifest.rows,
        devices=ranks.size,
        epoch=0,
        step=0,
        best_score=None,
    )
