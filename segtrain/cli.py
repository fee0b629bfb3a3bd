"""The command line of segtrain: each command collects its options, makes one call and renders the report."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from segdata.cli.location import check_existing, location_option, work_dir_option
from segdata.cli.options import ANY_PATH, CONTEXT, EXISTING_DIR, EXISTING_FILE, json_option, overwrite_option, png_name
from segdata.cli.render import FAILED, INTERRUPTED, CommandGroup, emit, progress_bar, table
from segdata.errors import InvalidInputError, name_first
from segdata.files import check_target_file, write_file
from segtrain.cli_convert import convert_checkpoint
from segtrain.cli_export import export
from segtrain.cli_rank_table import rank_table
from segtrain.cli_recipes import recipes
from segtrain.config import Amp, DeviceTarget, Model, override, recipe, recipe_names
from segtrain.copy_out import resumed_config
from segtrain.schedules import LrType

if TYPE_CHECKING:
    from segdata.remote import Location
    from segtrain.config import Config
    from segtrain.evaluate import EvalReport, SampleList
    from segtrain.fit import FitReport
    from segtrain.metrics import SegmentationReport
    from segtrain.predict import PredictReport

F = TypeVar("F", bound=Callable[..., Any])

#: Spelt out, since the context settings below show underscores in choices as dashes (and accept both).
_MODELS = f"[{'|'.join(get_args(Model))}]"

#: The flags of the published training script that are settings; each is a field of `Config`.
_SETTINGS = (
    click.option("--model", type=click.Choice(get_args(Model)), metavar=_MODELS, help="Network"),
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
        callback=lambda _context, _parameter, parts: parts or None,
        help="Leave a part as it is, such as backbone; repeat for several",
    ),
    click.option("--amp", type=click.Choice(get_args(Amp)), help="Mixed precision; O0 is float32, a CPU's fastest"),
    click.option("--loss_scale", metavar="FLOAT|dynamic", help="Factor on the loss, fixed or dynamic"),
    click.option("--device_target", type=click.Choice(get_args(DeviceTarget)), help="Where the network runs"),
)

#: What `eval` and `predict` have in common.
_INFERENCE = (
    location_option("--ckpt_path", "--checkpoint_url", required=True, help="Checkpoint, its .json beside it"),
    click.option("--scales", type=float, multiple=True, default=(1.0,), show_default=True, help="Repeat for several"),
    click.option("--flip", is_flag=True, help="Also take the mirrored image"),
    click.option("--crop_size", type=int, help="Input size at scale 1 [default: the training's]"),
    click.option(
        "--device_target",
        type=click.Choice(get_args(DeviceTarget)),
        default="CPU",
        show_default=True,
        help="Where the network runs",
    ),
)


def _options(options: tuple[Callable[[F], F], ...]) -> Callable[[F], F]:
    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _once(show: Callable[..., None], *args: Any, **options: Any) -> None:
    """Show something, unless it is another process of the same run that does."""
    from segtrain.distributed import current

    if current().is_main:
        show(*args, **options)


def _check_launched(_context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    from segtrain.distributed import launched

    if wanted and not launched():
        raise click.UsageError("nothing started this process as one of several; start segtrain by msrun")


@click.group(cls=CommandGroup, context_settings=CONTEXT)
@click.version_option(package_name="segdata")
def main() -> None:
    """Train, evaluate and use segmentation networks on record sets."""


main.add_command(convert_checkpoint)
main.add_command(export)
main.add_command(rank_table)
main.add_command(recipes)


@main.command("fit")
@click.option("--recipe", "recipe_name", metavar="NAME", help=f"Published settings: {', '.join(recipe_names())}")
# On ModelArts the labs say --data_url, --train_url and --checkpoint_url.
@location_option("--data_file", "--data_url", required=True, help="Training set: directory, manifest or any shard")
@location_option("--train_dir", "--train_url", required=True, help="Directory for checkpoints and metrics")
@location_option("--eval_data_file", help="Record set to evaluate on after each epoch")
@_options(_SETTINGS)
@click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help="Any other setting; may be repeated")
@click.option(
    "--is_distributed",
    is_flag=True,
    expose_value=False,
    callback=_check_launched,
    help="Refuse to train alone; that there are several processes is found out without it",
)
@click.option("--resume", is_flag=True, help="Go on where the training in --train_dir stopped")
@work_dir_option
@overwrite_option
@json_option
def fit(
    recipe_name: str | None, settings: tuple[str, ...], resume: bool, overwrite: bool, as_json: bool, **options: Any
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
    if resume and overwrite:
        raise click.UsageError("--resume goes on with a training, --overwrite replaces it: choose one")
    resumed = partial(resumed_config, places["train_dir"], work_dir=places["work_dir"]) if resume else None
    config = _config(recipe_name, resumed, options, settings)

    from segtrain import fit as training
    from segtrain import remote
    from segtrain.progress import TrainingBar

    try:
        with TrainingBar() as bar:
            report = remote.fit(
                config, **places, resume=resume, overwrite=overwrite, observe=bar, progress=progress_bar
            )
    except training.TrainingInterrupted as stop:
        _once(click.echo, f"{stop} The same command with --resume goes on from there.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from stop
    _once(emit, report, as_json, _fit_text)


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
    speed = f", {report.images_per_s:.1f} images/s" if report.images_per_s else ""
    lines = [
        f"{report.steps} steps in {report.seconds:.0f} s{speed}; checkpoints and metrics are in {report.train_dir}"
    ]
    if report.loss is not None:
        lines.append(f"mean loss of the last epoch {report.loss:.4f}")
    if report.skipped_steps:
        lines.append(f"{report.skipped_steps} steps updated nothing: their gradients overflowed the loss scale")
    if report.best_miou is not None:
        lines.append(f"best mIoU {report.best_miou:.2%}")
    return "\n".join(lines)


@main.command("eval")
@location_option("--data_file", "--data_url", help="Record set: directory, manifest or any shard")
@click.option("--data_root", type=EXISTING_DIR, help="Instead: what the list's paths are relative to")
@click.option("--data_lst", type=EXISTING_FILE, help="and the list file")
@_options(_INFERENCE)
@click.option("--batch_size", type=int, help="Images in a batch [default: the training's]")
@click.option(
    "--model", type=click.Choice(get_args(Model)), metavar=_MODELS, help="Refuse a checkpoint of another network"
)
@click.option("--num_classes", type=int, help="Refuse a checkpoint with another number of classes")
@click.option("--ignore_label", type=int, help="Refuse a checkpoint with another ignore label")
# The published evaluation scripts pass it, although no training of theirs froze anything.
@click.option("--freeze_bn", is_flag=True, expose_value=False, help="Changes nothing: statistics never move here")
@click.option("--plot", type=ANY_PATH, callback=png_name, metavar="FILE.png", help="Draw the confusion matrix too")
@work_dir_option
@overwrite_option
@json_option
def evaluate(
    data_file: Location | None,
    data_root: Path | None,
    data_lst: Path | None,
    ckpt_path: Location,
    plot: Path | None,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Evaluate a checkpoint on every row of a record set, or every sample of a list file.

    The longer side of an image is resized to crop size times scale; probabilities of all scales, and of the mirrored
    image, are summed at the image's own size. One confusion matrix is kept over the whole set.

    \b
    Example:
      segtrain eval --data_file records/voc_val --ckpt_path runs/voc/best.ckpt --scales 0.75 --scales 1.0 --flip
    """
    from segtrain import evaluate as evaluation
    from segtrain import remote

    data: Location | SampleList
    if data_file and not data_root and not data_lst:
        data = data_file
    elif data_root and data_lst and not data_file:
        data = evaluation.SampleList(data_root, data_lst)
    else:
        raise click.UsageError("give --data_file, or --data_root and --data_lst")
    if plot:
        check_target_file(plot, overwrite=overwrite)
    expected = {key: options.pop(key) for key in ("model", "num_classes", "ignore_label")}
    report = remote.evaluate(ckpt_path, data, expected=expected, progress=progress_bar, **options)
    if plot:
        _once(_draw, report, plot, overwrite)
    _once(emit, report, as_json, partial(_eval_text, plot=plot))


def _draw(report: EvalReport, path: Path, overwrite: bool) -> None:
    from segdata.inspect.plots import to_png
    from segtrain.plots import confusion_figure

    title = f"{report.model} on {Path(report.data).name}, {report.rows} images"
    write_file(path, to_png(confusion_figure(report.scores, title)), overwrite=overwrite)


def _eval_text(report: EvalReport, plot: Path | None) -> str:
    protocol = report.protocol
    scales = ", ".join(f"{scale:g}" for scale in protocol.scales)
    flip = ", mirrored too" if protocol.flip else ""
    drawn = [f"plot            {plot}"] if plot else []
    return "\n".join(
        [
            f"{report.model}, {report.checkpoint} (epoch {report.epoch}, step {report.step}) on {report.data}",
            f"{report.rows} images, scales {scales} of {protocol.crop_size}{flip}; {report.images_per_s:.1f} images/s",
            "",
            _score_table(report.scores),
            "",
            f"mIoU            {report.scores.mean_iou:.2%}",
            f"pixel accuracy  {report.scores.pixel_accuracy:.2%}",
            *drawn,
        ]
    )


def _score_table(scores: SegmentationReport) -> str:
    rows = [
        (str(id_), score.name, str(score.pixels), "-" if score.iou is None else f"{score.iou:.2%}")
        for id_, score in enumerate(scores.classes)
    ]
    return table([("id", "class", "pixels", "IoU"), *rows], right=(0, 2, 3))


@main.command("predict")
@location_option("--images", required=True, help="A directory of images, an image list or an image")
@click.option(
    "--data_root", type=EXISTING_DIR, help="Of a list: what its paths are relative to [default: the list's folder]"
)
@location_option("--out", required=True, help="Directory to write")
@_options(_INFERENCE)
@work_dir_option
@overwrite_option
@json_option
@click.pass_context
def predict(context: click.Context, /, as_json: bool, **options: Any) -> None:
    """Segment images: class ids, the same in colour, and an overlay, each at the image's own size.

    They go to index, palette and overlay below --out. An image list has one path a line; of a list file its images
    are taken. Images that cannot be read are named at the end; exit 1 then.

    \b
    Example:
      segtrain predict --images photos --ckpt_path runs/voc/best.ckpt --out segmented
    """
    from segtrain import remote

    report = remote.predict(progress=progress_bar, **options)
    emit(report, as_json, _predict_text)
    context.exit(FAILED if report.faults else 0)


def _predict_text(report: PredictReport) -> str:
    lines = [f"{report.images} images segmented into {report.directory}; found {', '.join(report.classes)}"]
    if report.faults:
        lines += [f"{len(report.faults)} images cannot be read:", name_first(report.faults)]
    return "\n".join(lines)
