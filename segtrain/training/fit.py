"""Training loop: turns a record set and a configuration into checkpoints."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from segdata.errors import SegDataError
from segdata.parallel import Progress, silent
from segtrain.config.config import Config
from segtrain.distributed.device import stop_requests
from segtrain.tasks.task import Scores
from segtrain.training.events import Event, Started, StepDone, ignore
from segtrain.training.log import Clock, Log
from segtrain.training.memory import enough_memory, tried, untried
from segtrain.training.run import Run, prepare
from segtrain.training.step import skipped_steps


@dataclass(frozen=True, kw_only=True)
class FitReport:
    """Result of `train`.

    Attributes:
        path: directory of configuration, metrics and checkpoints.
        started: setup of the training.
        steps: steps done in this run.
        seconds: duration of this run.
        images_per_s: throughput of this run without its first step, which compiles; None if there was only one step.
        loss: mean loss over the steps of the last epoch; None if nothing was left to do.
        skipped_steps: steps since training began that were skipped because gradients overflowed the loss scale.
        stopped_early: whether epochs were left when evaluations got no better; see `Config.early_stopping`.
        score: name of the score that decides which checkpoint is the best.
        best_score: highest value of that score over all evaluations, 0 to 1; None if there was no evaluation.
        scores: last evaluation; None if there was no evaluation in this run.
    """

    path: str
    started: Started
    steps: int
    seconds: float
    images_per_s: float | None
    loss: float | None
    skipped_steps: int
    stopped_early: bool
    score: str
    best_score: float | None
    scores: Scores | None


class TrainingInterrupted(KeyboardInterrupt):
    """Training was asked to stop, and its last checkpoint is complete.

    Attributes:
        signal: number of the signal that asked for it; SIGINT in a process that followed the others.
    """

    def __init__(self, step: int, total_steps: int, checkpoint: Path, signal: int) -> None:
        """Report where training stopped."""
        self.signal = signal
        super().__init__(f"Stopped after step {step} of {total_steps}; {checkpoint} is complete.")


def train(
    config: Config,
    data_file: Path,
    train_dir: Path,
    *,
    eval_data_file: Path | None = None,
    pretrained: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    observe: Callable[[Event], None] = ignore,
    progress: Progress = silent,
) -> FitReport:
    """Train a network on a record set.

    When several processes train together, each has its own batches, gradients are averaged over all processes in every
    step, and only rank 0 writes files and calls `observe`.

    Args:
        config: settings.
        data_file: training set, given as its directory, its manifest or one of its shards.
        train_dir: directory for configuration, metrics and checkpoints.
        eval_data_file: record set to evaluate on after each epoch, at scale 1.
        pretrained: local copy of the checkpoint that the settings name; by default, they name a path.
        resume: resume the training in `train_dir` where it stopped.
        overwrite: replace the training in `train_dir`.
        observe: called with each event as it happens.
        progress: reports the progress of trials with less, if memory is short.

    Raises:
        SegDataError: when settings, record sets and directory do not match, a row cannot be used, the record set is
            replaced meanwhile, memory is short, or the loss or a parameter is no longer finite.
        InUseError: when another run trains in `train_dir`.
        TrainingInterrupted: after SIGINT or SIGTERM to any process, at the end of the step, once the checkpoint is
            written.
    """
    begun = time.perf_counter()
    with ExitStack() as held:
        run = prepare(
            config,
            data_file,
            train_dir,
            eval_data_file=eval_data_file,
            pretrained=pretrained,
            resume=resume,
            overwrite=overwrite,
            held=held,
        )
        observe = observe if run.ranks.is_main else ignore
        observe(run.started)
        log, clock = Log(run, observe), Clock(run.config.batch_size * run.ranks.size)
        # Only a processor can be shared with a trial: this process keeps the memory of a device.
        alone = run.ranks.size == 1 and run.config.device_target == "CPU"
        cure = partial(tried, data_file=data_file, progress=progress) if alone else untried
        with enough_memory(run.config, "a training step", cure):
            step, loss = _train_epochs(run, log, clock)
        return FitReport(
            path=str(train_dir),
            started=run.started,
            steps=step - run.started.first_step,
            seconds=time.perf_counter() - begun,
            images_per_s=clock.images_per_s(),
            loss=loss,
            skipped_steps=skipped_steps(run.train_step),
            stopped_early=step < run.started.total_steps,
            score=run.task.SCORE,
            best_score=log.best_score,
            scores=log.scores,
        )


def _train_epochs(run: Run, log: Log, clock: Clock) -> tuple[int, float | None]:
    """Train to the end, and return the number of steps since training began and the mean loss of the last epoch."""
    config, ranks, epoch_steps, step = run.config, run.ranks, run.started.steps_per_epoch, run.started.first_step
    losses: list[float] = []
    with stop_requests() as requested:
        if run.evaluation and step and step % epoch_steps == 0 and not run.evaluated:
            log.evaluate(run.evaluation, step)
        for epoch in range(step // epoch_steps, config.train_epochs):
            if log.stops_early():
                break
            run.set_train()
            clock.restart()
            first_step = step - epoch * epoch_steps
            losses = [done.loss for done in run.directory.metrics.steps(epoch + 1)] if first_step else []
            for batch in run.training_set.batches(epoch=epoch, first_step=first_step, ranks=ranks):
                loss, *parts = (ranks.mean(float(value.asnumpy())) for value in run.train_step(*batch))
                # Takes the signals back from MindSpore's compiler, before anybody is told that a step is done.
                requested()
                rate, step = float(run.rates[step]), step + 1
                _check_finite(loss, step, rate)
                losses.append(loss)
                by_name = dict(zip(run.task.LOSSES, parts, strict=True))
                speed = clock.tick()
                log.tell(StepDone(epoch=epoch + 1, step=step, loss=loss, parts=by_name, lr=rate, images_per_s=speed))
                stopping = ranks.any(requested() is not None)
                due = config.save_steps != "epoch" and step % config.save_steps == 0
                if due or step % epoch_steps == 0 or stopping:
                    log.save(step)
                if stopping:
                    _interrupt(run, step, requested())
            if run.evaluation:
                log.evaluate(run.evaluation, step)
                if ranks.any(requested() is not None):
                    _interrupt(run, step, requested())
    return step, sum(losses) / len(losses) if losses else None


def _check_finite(loss: float, step: int, rate: float) -> None:
    if not math.isfinite(loss):
        raise SegDataError(
            f"step {step}: the loss is {loss} at learning rate {rate:g}; the training diverged. Lower base_lr. The "
            "last checkpoint, if there is one, was kept."
        )


def _interrupt(run: Run, step: int, requested: int | None) -> None:
    """Stop after `step`, unless it was the last one."""
    if step < run.started.total_steps:
        raise TrainingInterrupted(step, run.started.total_steps, run.directory.last, requested or signal.SIGINT)
