"""Training loop: turns a record set and a configuration into checkpoints."""

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
from segtrain.data.classes import check_classes, check_value_range
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
    """Result of `train`.

    Attributes:
        train_dir: directory of configuration, metrics and checkpoints.
        started: setup of the training.
        steps: steps done in this run.
        seconds: duration of this run.
        images_per_s: throughput of this run without its first step, which compiles; None if there was only one step.
        loss: mean loss over the steps of the last epoch; None if nothing was left to do.
        skipped_steps: steps since training began that were skipped because gradients overflowed the loss scale.
        score: name of the score that decides which checkpoint is the best.
        best_score: highest value of that score over all evaluations, 0 to 1; None if there was no evaluation.
        scores: last evaluation; None if there was no evaluation in this run.
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
    """Training was asked to stop, and its last checkpoint is complete."""

    def __init__(self, step: int, total_steps: int, checkpoint: Path) -> None:
        """Report where training stopped."""
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

    When several processes train together, each has its own batches, gradients are averaged over all processes in every
    step, and only rank 0 writes files and calls `observe`.

    Args:
        config: settings.
        data_file: training set, given as its directory, its manifest or one of its shards.
        train_dir: directory for configuration, metrics and checkpoints.
        eval_data_file: record set to evaluate on after each epoch, at scale 1.
        resume: resume the training in `train_dir` where it stopped.
        overwrite: replace the training in `train_dir`.
        observe: called with each event as it happens.

    Raises:
        SegDataError: when settings, record sets and directory do not match, a row cannot be used, or the loss or a
            parameter is no longer finite.
        TrainingInterrupted: after SIGINT or SIGTERM to any process, at the end of the step, once the checkpoint is
            written.
    """
    begun = time.perf_counter()
    data, evaluation = open_set(data_file), open_set(eval_data_file) if eval_data_file else None
    task = task_of(config)
    config = task.resolve_config(config, data.manifest)
    if evaluation:
        check_classes(data.manifest.class_names, evaluation.manifest)
        check_value_range(data.manifest.value_range, evaluation.manifest)
    # Report errors that do not depend on the number of devices before the processes connect and wait for each other.
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
    # These values decide when processes communicate: if one process skipped an exchange, the others would wait forever.
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
                        f"step {step}: the loss is {loss} at learning rate {rate:g}; training diverged and the last "
                        "checkpoint was kept. Lower base_lr."
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
    """Writes files and notifies the observer on rank 0; the other ranks take part in evaluations."""

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
        """Write the last checkpoint on rank 0 while the other ranks wait: if one of them exited, all would end."""
        if self.ranks.is_main:
            self._save(step)
        self.ranks.wait()

    def _save(self, step: int) -> None:
        """Write the last checkpoint, and a numbered one if it is due."""
        config, info = self.info.config, self._info(step)
        parameters = [each for each in self.train_step.get_parameters() if each.name != RATES]
        self.directory.save_last(parameters, info)
        if step % config.save_steps == 0:
            in_epoch = step - (info.epoch - 1) * self.epoch_steps
            self.directory.keep_last(config.model, info.epoch, in_epoch, config.keep_checkpoint_max)

    def evaluate(self, records: RecordSet, step: int) -> Scores:
        """Evaluate the network, and save it if it is the best so far."""
        with self.train_step.averages_in_place():
            return self._evaluate(records, step)

    def _evaluate(self, records: RecordSet, step: int) -> Scores:
        # Each rank has moving statistics of its own batches; checkpoints contain those of rank 0.
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
        """Log the metrics, and notify the observer."""
        if self.ranks.is_main:
            self.directory.log(done.metrics)
            self.observe(done)

    def _info(self, step: int) -> CheckpointInfo:
        return replace(self.info, epoch=-(-step // self.epoch_steps), step=step, best_score=self.best_score)


class _Clock:
    """Measures throughput; the mean excludes the first step of a run, which compiles."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.times: list[float] = []
        self.restart()

    def restart(self) -> None:
        """Exclude the time between two epochs."""
        self.last = time.perf_counter()

    def tick(self) -> float:
        """Return images per second for the step that ends now."""
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
        value_range=manifest.value_range,
        record_set=manifest.name,
        inputs=manifest.inputs,
        rows=manifest.rows,
        devices=ranks.size,
        epoch=0,
        step=0,
        best_score=None,
    )
