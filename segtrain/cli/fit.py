"""The `fit` command: train a network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from segdata.console.location import check_existing, location_option, work_dir_option
from segdata.console.options import ANY_PATH, json_option, overwrite_option, png_name
from segdata.console.render import emit, progress_bar
from segdata.console.sections import SectionedCommand
from segdata.errors import InvalidInputError
from segdata.files.ownership import check_target_file
from segdata.files.publishing import write_file
from segdata.text import plural
from segtrain.cli.options import NameChoice, once, options_of, resume_hint, several
from segtrain.cli.published import published_flags
from segtrain.config.config import Amp, DeviceTarget, Model
from segtrain.config.recipes import override, recipe, recipe_names
from segtrain.config.settings import choice_names

if TYPE_CHECKING:
    from segtrain.config.config import Config
    from segtrain.training.fit import FitReport

#: The flags of the published training script that are settings: each is the name of one.
_SETTINGS = (
    click.option("--model", type=NameChoice(get_args(Model)), help="Network"),
    click.option("--train_epochs", type=int, help="Passes over the training set"),
    click.option("--batch_size", type=int, help="Images per step"),
    click.option("--crop_size", type=int, help="Side of the square training crop in pixels"),
    click.option("--base_lr", type=float, help="Highest learning rate"),
    click.option("--lr_type", type=click.Choice(choice_names("schedule")), help="Learning rate decay"),
    click.option("--min_scale", type=float, help="Smallest random scaling factor"),
    click.option("--max_scale", type=float, help="Largest random scaling factor"),
    click.option("--ignore_label", type=int, help="Label to ignore [default: the record set's]"),
    click.option("--num_classes", type=int, help="Number of classes, including background [default: the record set's]"),
    # Kept as a string, as in the configuration file.
    click.option(
        "--ckpt_pre_trained",
        "--checkpoint_url",
        "--pre_trained",
        metavar="PATH|URL",
        callback=check_existing,
        help="Checkpoint to load weights from, or a directory that contains one, such as that of a training run",
    ),
    click.option(
        "--save_steps",
        metavar="INT|epoch",
        help="Steps between numbered checkpoints; epoch: one at the end of each epoch",
    ),
    click.option("--keep_checkpoint_max", type=int, help="Number of numbered checkpoints to keep"),
    click.option("--early_stopping", type=int, metavar="N", help="Stop after N evaluations without a better score"),
    click.option("--freeze_bn/--no-freeze_bn", default=None, help="Freeze the batch normalization statistics"),
    click.option(
        "--freeze",
        metavar="PART",
        multiple=True,
        callback=several,
        help="Freeze a part of the network, such as backbone; can be repeated",
    ),
    click.option(
        "--amp", type=click.Choice(get_args(Amp)), help="Mixed precision; O0 is float32, the fastest on a CPU"
    ),
    click.option("--loss_scale", metavar="FLOAT|dynamic", help="Loss scale, fixed or dynamic"),
    click.option("--device_target", type=click.Choice(get_args(DeviceTarget)), help="Device to run the network on"),
    click.option("--workers", type=int, help="Parallel image workers [default: all CPU cores]"),
)


def _check_launched(_context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    from segtrain.distributed.ranks import launched

    if wanted and not launched():
        raise click.UsageError(
            "--is_distributed: this process was started alone; expected several. Start segtrain with msrun, or leave "
            "--is_distributed out."
        )


#: Headings of the options in the help, by the one that is first.
_SECTIONS = {
    "recipe_name": "Recipe, data and results",
    "model": "Settings",
    "is_distributed": "Progress and reports",
}


@click.command("fit", cls=SectionedCommand, sections=_SECTIONS)
@click.option("--recipe", "recipe_name", metavar="NAME", help=f"Settings to start from: {', '.join(recipe_names())}")
# The labs on ModelArts use --data_url, --train_url and --checkpoint_url.
@location_option(
    "--data_file",
    "--data_url",
    required=True,
    exists=True,
    help="Record set to train on: directory, manifest or any shard",
)
@location_option(
    "--train_dir", "--train_url", "--dst_path", required=True, help="Directory for checkpoints and metrics"
)
@location_option("--eval_data_file", exists=True, help="Record set to evaluate on after each epoch")
@options_of(_SETTINGS)
@click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="Override any other setting or choice, such as optimizer=adam; segtrain settings lists all; can be repeated",
)
@click.option(
    "--is_distributed",
    "--distribute",
    "--run_distribute",
    is_flag=True,
    expose_value=False,
    callback=_check_launched,
    help="Refuse to train in a single process; several processes are detected without this flag",
)
@click.option("--log_steps", type=click.IntRange(min=1), help="Also print a line every so many steps")
@click.option(
    "--plot",
    type=ANY_PATH,
    callback=png_name,
    metavar="FILE.png",
    help="Plot loss, learning rate and scores at the end",
)
@click.option("--tensorboard", is_flag=True, help="Also write loss, learning rate and scores for TensorBoard")
@click.option("--resume", is_flag=True, help="Continue where the training run in --train_dir stopped")
@work_dir_option
@overwrite_option
@json_option
@published_flags
def fit_command(
    recipe_name: str | None,
    settings: tuple[str, ...],
    log_steps: int | None,
    plot: Path | None,
    tensorboard: bool,
    resume: bool,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a network on a record set.

    Settings come from the recipe. Flags override them, and --set overrides settings without a flag. Ctrl-C stops
    training after the current step with a complete checkpoint; run the same command with --resume to continue.

    \b
    Example:
      segtrain fit --recipe deeplabv3plus_cpu --data_file records/voc_train --train_dir runs/voc \\
          --eval_data_file records/voc_val --train_epochs 100 --workers 2
    """
    places = {name: options.pop(name) for name in ("data_file", "train_dir", "eval_data_file", "work_dir")}
    if plot and not isinstance(places["train_dir"], Path):
        raise click.UsageError("--plot needs a local --train_dir, not a URL")
    if plot:
        check_target_file(plot, overwrite=overwrite or resume)
    if resume and overwrite:
        raise click.UsageError(
            "--resume continues a training run and --overwrite replaces it; expected only one of the two"
        )
    resumed = None
    if resume:
        from segtrain.remote.outputs import resumed_config

        resumed = partial(resumed_config, places["train_dir"], work_dir=places["work_dir"])
    config = _config(recipe_name, resumed, options, settings)

    from segtrain.cli.progress import TrainingBar
    from segtrain.remote import programs
    from segtrain.training.events import tell_all
    from segtrain.training.tensorboard import EventFile

    observers = [EventFile()] if tensorboard else []
    with resume_hint(), TrainingBar(log_steps, recipe_name) as bar:
        observe = tell_all(bar, *observers)
        report = programs.fit(
            config, **places, resume=resume, overwrite=overwrite, observe=observe, progress=progress_bar
        )
    if plot:
        once(_draw, places["train_dir"], plot)
    once(emit, report, as_json, _fit_text)


def _draw(train_dir: Path, path: Path) -> None:
    from segdata.draw.figures import to_png
    from segtrain.training.curves import training_figure
    from segtrain.training.train_dir import TrainDir

    write_file(path, to_png(training_figure(TrainDir(train_dir).metrics.lines(), train_dir.name)), overwrite=True)


def _config(
    recipe_name: str | None,
    resumed: Callable[[], Config] | None,
    flags: dict[str, Any],
    settings: tuple[str, ...],
) -> Config:
    """Apply flags and settings on top of the recipe, or of the settings of the training run to resume."""
    try:
        if recipe_name:
            base = recipe(recipe_name)
        elif resumed:
            base = resumed()
        else:
            model = flags["model"]
            names = [name for name in recipe_names() if model in (None, recipe(name).model.name)]
            raise click.UsageError(f"--recipe is missing; expected one of {', '.join(names)}")
        return override(base, flags, settings)
    except InvalidInputError as error:
        raise click.UsageError(str(error)) from error


def _fit_text(report: FitReport) -> str:
    from segtrain.training.events import TITLES

    speed = f", {report.images_per_s:.1f} images/s" if report.images_per_s else ""
    steps = plural(report.steps, "step")
    lines = [f"{steps} in {report.seconds:.0f} s{speed}; checkpoints and metrics are in {report.path}"]
    if report.loss is not None:
        lines.append(f"mean loss of the last epoch {report.loss:.4f}")
    if report.skipped_steps:
        skipped = plural(report.skipped_steps, "step")
        lines.append(f"{skipped} skipped, because gradients overflowed at this loss scale")
    if report.stopped_early:
        config = report.started.config
        followed = TITLES[report.score] if config.early_stopping_by == "score" else "evaluation loss"
        lines.append(
            f"stopped early: no better {followed} in the last {plural(config.early_stopping or 0, 'evaluation')}"
        )
    if report.best_score is not None:
        lines.append(f"best {TITLES[report.score]} {report.best_score:.2%}")
    return "\n".join(lines)
