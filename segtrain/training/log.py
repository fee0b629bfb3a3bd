"""Output of a training: metrics and checkpoints, the events of the observer, and the time that steps take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from segdata.errors import InvalidInputError
from segdata.records.reader import RecordSet
from segtrain.checkpoints.checkpoint import RATES
from segtrain.checkpoints.info import CheckpointInfo
from segtrain.tasks.task import Scores
from segtrain.training.events import EVAL_LOSS, Evaluated, Event, StepDone
from segtrain.training.memory import enough_memory, untried
from segtrain.training.run import Run


class Log:
    """Writes files and notifies the observer on rank 0; the other ranks take part in evaluations."""

    def __init__(self, run: Run, observe: Callable[[Event], None]) -> None:
        """Continue with the scores that the directory of `run` has."""
        self.directory = run.directory
        self.records = run.records
        self.network = run.network
        self.train_step = run.train_step
        self.info = run.info
        self.epoch_steps = run.started.steps_per_epoch
        self.ranks = run.ranks
        self.observe = observe
        self.score = run.task.SCORE
        self.best_score = run.directory.metrics.best(run.task.SCORE)
        self.scores: Scores | None = None
        self.evaluator = run.task.evaluator(run.network, run.config, run.info.class_names)

    def save(self, step: int) -> None:
        """Write the last checkpoint on rank 0 while the other ranks wait: if one of them exited, all would end."""
        self.records.check_unchanged()
        if self.ranks.is_main:
            self._save(step)
        self.ranks.wait()

    def _save(self, step: int) -> None:
        """Write the last checkpoint, and a numbered one if it is due."""
        config, info = self.info.config, self._info(step)
        parameters = [each for each in self.train_step.get_parameters() if each.name != RATES]
        self.directory.save_last(parameters, info)
        if step % (self.epoch_steps if config.save_steps == "epoch" else config.save_steps) == 0:
            in_epoch = step - (info.epoch - 1) * self.epoch_steps
            self.directory.keep_last(config.model.name, info.epoch, in_epoch, config.keep_checkpoint_max)

    def evaluate(self, records: RecordSet, step: int) -> None:
        """Evaluate the network, and save it if it is the best so far."""
        with self.train_step.averages_in_place(), enough_memory(self.info.config, "an evaluation", untried):
            self.scores = self._evaluate(records, step)

    def _evaluate(self, records: RecordSet, step: int) -> Scores:
        # Each rank has moving statistics of its own batches; checkpoints contain those of rank 0.
        self.ranks.broadcast(each for each in self.network.get_parameters() if not each.requires_grad)
        scores = self.evaluator(records, self.ranks)
        self._check_followed(scores)
        reached = scores.metrics[self.score]
        if self.best_score is None or reached > self.best_score:
            self.best_score = reached
            if self.ranks.is_main:
                counter = self.train_step.optimizer.global_step
                self.directory.save_best([*self.network.get_parameters(), counter], self._info(step))
        self.tell(Evaluated(epoch=-(-step // self.epoch_steps), step=step, scores=scores.metrics))
        return scores

    def _check_followed(self, scores: Scores) -> None:
        if self.info.config.early_stopping_by == "eval_loss" and EVAL_LOSS not in scores.metrics:
            raise InvalidInputError(
                "early_stopping_by = eval_loss: the record set to evaluate on has no loss, because it has no labeled "
                "pixel or object. Use another record set, or leave early_stopping_by out."
            )

    def stops_early(self) -> bool:
        """Return whether the last evaluations brought nothing better, as many as the settings allow."""
        config = self.info.config
        by_loss, most = config.early_stopping_by == "eval_loss", config.early_stopping
        # All ranks must stop together, and only the files of rank 0 are those of the training.
        if most is None or not self.ranks.is_main:
            return self.ranks.any(False)
        waited = self.directory.metrics.waited(EVAL_LOSS if by_loss else self.score, lowest=by_loss)
        return self.ranks.any(waited >= most)

    def tell(self, done: StepDone | Evaluated) -> None:
        """Log the metrics, and notify the observer."""
        if self.ranks.is_main:
            self.directory.metrics.append(done.metrics)
            self.observe(done)

    def _info(self, step: int) -> CheckpointInfo:
        return replace(self.info, epoch=-(-step // self.epoch_steps), step=step, best_score=self.best_score)


class Clock:
    """Measures throughput; the mean excludes the first step of a run, which compiles."""

    def __init__(self, batch_size: int) -> None:
        """Start the clock; a step has `batch_size` images on all devices together."""
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
        """Return images per second of all steps but the first; None if there are no others."""
        times = self.times[1:]
        return self.batch_size * len(times) / sum(times) if times else None
