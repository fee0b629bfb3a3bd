"""Progress of a training run on the command line."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from segdata.console.messages import notify
from segdata.console.progress import ProgressBar
from segdata.errors import name_first
from segdata.text import plural
from segtrain.config.published import differences
from segtrain.config.unet import UNet
from segtrain.training.events import EVAL_LOSS, TITLES, Event, Started, StepDone

if TYPE_CHECKING:
    from segtrain.checkpoints.checkpoint import LoadReport
    from segtrain.training.events import Evaluated


class TrainingBar:
    """A bar on standard error if it is a terminal, and lines for epochs and, on request, for steps."""

    def __init__(self, log_steps: int | None = None, recipe_name: str | None = None) -> None:
        """Print a line every `log_steps` steps, and say how the training differs from that of a published recipe.

        The bar starts with the event `Started`.
        """
        self._bar: ProgressBar | None = None
        self._log_steps = log_steps
        self._recipe_name = recipe_name
        self._done: list[StepDone] = []

    def __enter__(self) -> TrainingBar:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Started):
            self._start(event)
        elif isinstance(event, StepDone):
            self._step(event)
        else:
            self._evaluated(event)

    def _start(self, started: Started) -> None:
        self._started = started
        if self._bar is not None:
            self._bar.close()
        config = started.config
        rows = plural(started.dropped_rows, "row")
        left_out = f", {rows} left out of each epoch" if started.dropped_rows else ""
        devices = f" on {started.devices} devices" if started.devices > 1 else ""
        backbone = "" if isinstance(config.model, UNet) else f", {config.model.backbone}"
        notify(
            f"{config.model.name}{backbone}, {started.parameters / 1e6:.1f} M parameters{devices}: "
            f"{plural(config.train_epochs, 'epoch')} of {started.steps_per_epoch} "
            f"step{'s' if started.steps_per_epoch != 1 else ''}{left_out}, into {started.train_dir}"
        )
        for sentence in (*started.left_out, *started.notes):
            notify(sentence)
        if started.first_step:
            self._resume(started)
        elif self._recipe_name:
            for sentence in differences(self._recipe_name, config, started.devices):
                notify(sentence)
        if started.pretrained:
            notify(_loaded(started.pretrained, started.pretrained_file))
        self._bar = ProgressBar(started.total_steps, "training", unit="step", done=started.first_step)

    def _resume(self, started: Started) -> None:
        from segtrain.training.train_dir import TrainDir

        notify(f"resuming after step {started.first_step} of {started.total_steps}")
        epochs, steps = divmod(started.first_step, started.steps_per_epoch)
        # The mean loss of an epoch is that of all its steps, those before the interruption included.
        self._done = TrainDir(Path(started.train_dir)).metrics.steps(epochs + 1) if steps else []

    def _step(self, done: StepDone) -> None:
        assert self._bar is not None
        self._done.append(done)
        detail = f"loss {done.loss:.4f}, lr {done.lr:.3g}, {done.images_per_s:.1f} images/s"
        self._bar.describe(f"epoch {done.epoch}", detail)
        logged = self._log_steps is not None and done.step % self._log_steps == 0
        ended = done.step % self._started.steps_per_epoch == 0
        self._bar.advance(told=logged or ended)
        if logged:
            self._bar.line(
                f"step {done.step} of {self._started.total_steps}: loss {_losses([done])}, lr {done.lr:.3g}, "
                f"{done.images_per_s:.1f} images/s"
            )
        if ended:
            self._bar.line(
                f"epoch {done.epoch} of {self._started.config.train_epochs}: mean loss {_losses(self._done)}, "
                f"{done.images_per_s:.1f} images/s"
            )
            self._done.clear()

    def _evaluated(self, done: Evaluated) -> None:
        scores = (
            f"loss {value:.4f}" if name == EVAL_LOSS else f"{TITLES[name]} {value:.2%}"
            for name, value in done.scores.items()
        )
        assert self._bar is not None
        self._bar.line(f"epoch {done.epoch}: {', '.join(scores)}")


def _losses(done: list[StepDone]) -> str:
    """Return the mean loss, followed by its parts."""
    count = len(done)
    parts = (f"{name} {sum(each.parts[name] for each in done) / count:.4f}" for name in done[0].parts)
    listed = f" ({', '.join(parts)})" if done[0].parts else ""
    return f"{sum(each.loss for each in done) / count:.4f}{listed}"


def _loaded(report: LoadReport, file: str | None) -> str:
    """Report what was loaded from a checkpoint, and what was not."""
    total = len(report.loaded) + len(report.missing) + len(report.mismatched)
    lines = [f"{len(report.loaded)} of {total} parameters loaded from {file}"]
    for what, names in (
        ("not in the file, initialized from scratch", report.missing),
        ("with a different shape, initialized from scratch", report.mismatched),
        ("in the file but not in the network", report.unexpected),
    ):
        if names:
            lines += [f"{len(names)} {what}:", name_first(names)]
    return "\n".join(lines)
