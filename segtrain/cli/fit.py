"""The command that trains."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from segdata.console.location import check_existing, location_option, work_dir_option
from segdata.console.options import ANY_PATH, json_option, overwrite_option, png_name
from segdata.console.render import emit, progress_bar
from segdata.errors import InvalidInputError
from segdata.files import check_target_file, write_file
from segtrain.cli.options import MODEL_METAVAR, once, options_of, resume_hint, several
from segtrain.config.config import Amp, DeviceTarget, LrType, Model
from segtrain.config.recipes import override, recipe, recipe_names
from segtrain.remote.outputs import resumed_config

if TYPE_CHECKING:
    from segtrain.config.config import Config
    from segtrain.training.fit import FitReport

#: The flags of the published training script that are settings; each is a field of `Config`.
_SETTINGS = (
    click.option("--model", type=click.Choice(get_args(Model)), metavar=MODEL_METAVAR, help="Network"),
    click.option("--train_epochs", type=int, help="Passes over the training set"),
    click.option("--batch_size", type=int, help="Images in a step"),
    click.option("--crop_size", type=int, help="Side of the square training crop in pixels"),
    click.option("--base_lr", type=float, help="Highest learning rate"),
    click.option("--lr_type", type=click.Choice(get_args(LrType)), help="Decay of the learning rate"),
    click.option("--min_scale", type=float, help="Smallest factor of random scaling"),
    click.option("--max_scale", type=float, help="Largest factor of random scaling"),
    click.option("--ignore_label", type=int, help="Label that does not count [default: the record set's]"),
    click.option("--num_classes", type=int, help="Classes with background [default: the record set's]"),
    # A string, as in the configuration file.
    click.option(
        "--ckpt_pre_trained",
        "--checkpoint_url",
        metavar="PATH|URL",
        callback=check_existing,
        help="Checkpoint to take weights from",
    ),
    click.option("--save_steps", type=int, help="Steps between numbered checkpoints"),
    click.option("--keep_checkpoint_max", type=int, help="Numbered checkpoints that are kept"),
    click.option("--freeze_bn", is_flag=True, default=None, help="Keep the batch statistics as they are"),
    click.option(
        "--freeze",
        metavar="PART",
        multiple=True,
        callback=several,
        help="Leave a part as it is, such as backbone; repeat for several",
    ),
    click.option("--amp", type=click.Choice(get_args(Amp)), help="Mixed precision; O0 is float32, a CPU's fastest"),
    click.option("--loss_scale", metavar="FLOAT|dynamic", help="Factor on the loss, fixed or dynamic"),
    click.option("--device_target", type=click.Choice(get_args(DeviceTarget)), help="Where the network runs"),
)


def _check_launched(_context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    from segtrain.distributed.ranks import launched

    if wanted and not launched():
        raise click.UsageError("nothing started this process as one of several; start segtrain by msrun")


@click.command("fit")
@click.option("--recipe", "recipe_name", metavar="NAME", help=f"Published settings: {', '.join(recipe_names())}")
# On ModelArts the labs say --data_url, --train_url and --checkpoint_url.
@location_option("--data_file", "--data_url", required=True, help="Training set: directory, manifest or any shard")
@location_option("--train_dir", "--train_url", required=True, help="Directory for checkpoints and metrics")
@location_option("--eval_data_file", help="Record set to evaluate on after each epoch")
@options_of(_SETTINGS)
@click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help="Any other setting; may be repeated")
@click.option(
    "--is_distributed",
    is_flag=True,
    expose_value=False,
    callback=_check_launched,
    help="Refuse to train alone; that there are several processes is found out without it",
)
@click.option("--log_steps", type=click.IntRange(min=1), help="Also write a line for every so many steps")
@click.option(
    "--plot", type=ANY_PATH, callback=png_name, metavar="FILE.png", help="Draw loss, rate and scores at the end"
)
@click.option("--resume", is_flag=True, help="Go on where the training in --train_dir stopped")
@work_dir_option
@overwrite_option
@json_option
def fit_command(
    recipe_name: str | None,
    settings: tuple[str, ...],
    log_steps: int | None,
    plot: Path | None,
    resume: bool,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a network on a record set.

    Settings come from the recipe; flags override it, and --set gives those without a flag. Ctrl-C ends the training
    after the current step with a complete checkpoint; the same command with --resume goes on from there.

    \b
    Example:
      segtrain fit --recipe deeplabv3plus_cpu --data_file records/voc_train --train_dir runs/voc \\
          --eval_data_file records/voc_val --train_epochs 100 --set workers=2
    """
    places = {name: options.pop(name) for name in ("data_file", "train_dir", "eval_data_file", "work_dir")}
    if plot and not isinstance(places["train_dir"], Path):
        raise click.UsageError("--plot draws what lies in a directory here, not below a URL")
    if plot:
        check_target_file(plot, overwrite=overwrite or resume)
    if resume and overwrite:
        raise click.UsageError("--resume goes on with a training, --overwrite replaces it: choose one")
    resumed = partial(resumed_config, places["train_dir"], work_dir=places["work_dir"]) if resume else None
    config = _config(recipe_name, resumed, options, settings)

    from segtrain.cli.progress import TrainingBar
    from segtrain.remote import programs

    with resume_hint(), TrainingBar(log_steps) as bar:
        report = programs.fit(config, **places, resume=resume, overwrite=overwrite, observe=bar, progress=progress_bar)
    if plot:
        once(_draw, places["train_dir"], plot)
    once(emit, report, as_json, _fit_text)


def _draw(train_dir: Path, path: Path) -> None:
    from segdata.draw.figures import to_png
    from segtrain.evaluation.plots import training_figure
    from segtrain.training.train_dir import TrainDir

    write_file(path, to_png(training_figure(TrainDir(train_dir).metrics(), train_dir.name)), overwrite=True)


def _config(
    recipe_name: str | None,
    resumed: Callable[[], Config] | None,
    flags: dict[str, Any],
    settings: tuple[str, ...],
) -> Config:
    """Put flags and settings on top of the recipe, or of the settings of the training that is resumed."""
    try:
        if recipe_name:
            base = recipe(recipe_name)
        elif resumed:
            base = resumed()
        else:
            raise click.UsageError(f"--recipe is missing; there are {', '.join(recipe_names())}")
        return override(base, flags, settings)
    except InvalidInputError as error:
        raise click.UsageError(str(error)) from error


def _fit_text(report: FitReport) -> str:
    from segtrain.cli.progress import TITLES

    speed = f", {report.images_per_s:.1f} images/s" if report.images_per_s else ""
    lines = [
        f"{report.steps} steps in {report.seconds:.0f} s{speed}; checkpoints and metrics are in {report.train_dir}"
    ]
    if report.loss is not None:
        lines.append(f"mean loss of the last epoch {report.loss:.4f}")
    if report.skipped_steps:
        lines.append(f"{report.skipped_steps} steps updated nothing: their gradients overflowed the loss scale")
    if report.best_score is not None:
        lines.append(f"best {TITLES[report.score]} {report.best_score:.2%}")
    return "\n".join(lines)
