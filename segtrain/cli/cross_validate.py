"""The `cross-validate` command: train and evaluate fold by fold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from segdata.console.options import (
    ANY_PATH,
    EXISTING_DIR,
    EXISTING_FILE,
    class_options,
    json_option,
    overwrite_option,
    read_classes,
    value_range_option,
)
from segdata.console.render import emit, progress_bar, table
from segdata.errors import InvalidInputError
from segdata.lists.folds import Order
from segtrain.cli.options import TEST_TIME_AUGMENTATION, options_of, resume_hint, with_settings
from segtrain.cli.scores import titled
from segtrain.config.recipes import override, recipe, recipe_names

if TYPE_CHECKING:
    from segdata.images.values import Percentiles, ValueRange
    from segtrain.training.cross_validate import CrossValidationReport


@click.command("cross-validate")
@click.option(
    "--recipe",
    "recipe_name",
    metavar="NAME",
    required=True,
    help=f"Settings to start from: {', '.join(recipe_names())}",
)
@click.option("--data_root", type=EXISTING_DIR, required=True, help="Folder that the list's paths are relative to")
@click.option("--data_lst", type=EXISTING_FILE, required=True, help="List file of all samples, in their natural order")
@class_options
@value_range_option
@click.option(
    "--train_dir",
    "--dst_path",
    type=ANY_PATH,
    required=True,
    help="Directory to write to; each fold gets a subdirectory",
)
@click.option("--folds", type=click.IntRange(min=2), default=5, show_default=True, help="Number of folds")
@click.option(
    "--order",
    type=click.Choice(get_args(Order)),
    default="blocks",
    show_default=True,
    help="Split into contiguous blocks, or shuffled as in the MindSpore courses",
)
@click.option("--fold", "only", type=int, multiple=True, help="Run only this fold, counted from 0; can be repeated")
@options_of(TEST_TIME_AUGMENTATION)
@click.option("--membrane", metavar="CLASS", help="Also score how well this class separates cells (ISBI 2012 scores)")
@click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="Override a setting, such as batch_size=4; segtrain settings lists all; can be repeated",
)
@click.option("--log_steps", type=click.IntRange(min=1), help="Also print a line every so many steps")
@click.option("--resume", is_flag=True, help="Continue where an earlier run stopped")
@overwrite_option
@json_option
def cross_validate_command(
    recipe_name: str,
    data_root: Path,
    data_lst: Path,
    num_classes: int | None,
    class_names: Path | None,
    ignore_label: int | None,
    value_range: ValueRange | Percentiles | None,
    settings: tuple[str, ...],
    log_steps: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train on all folds but one, evaluate on that fold, and repeat for each; report mean and standard deviation.

    Evaluates the last checkpoint of each fold, not the best one, so the held-out fold never influences any choice.

    \b
    Example:
      segtrain cross-validate --recipe unet_isbi_cpu --data_root slices --data_lst slices/all_lst.txt \\
          --class_names names.txt --train_dir folds --folds 5 --membrane membrane
    """
    try:
        config = override(recipe(recipe_name), {}, settings)
    except InvalidInputError as error:
        raise click.UsageError(str(error)) from error

    from segdata.dataset import ListDataset
    from segdata.opening import open_dataset
    from segtrain.cli.progress import TrainingBar
    from segtrain.training import cross_validate as validation

    classes = read_classes(num_classes, class_names, ignore_label)
    dataset = open_dataset(data_lst, data_root=data_root, classes=classes, value_range=value_range)
    if not isinstance(dataset, ListDataset):
        raise click.UsageError(
            f"{data_lst}: not a list file; expected one with an image path and a label path per line"
        )
    with resume_hint(), TrainingBar(log_steps) as bar:
        report = validation.cross_validate(
            config, dataset, observe=bar, progress=progress_bar, **with_settings(options)
        )
    emit(report, as_json, _text)


def _text(report: CrossValidationReport) -> str:
    rows = [
        (title, f"{spread.mean:{form}}", "-" if spread.deviation is None else f"{spread.deviation:{form}}")
        for title, spread, form in titled(report.scores)
    ]
    run = f"fold{'s' if len(report.folds) != 1 else ''} {', '.join(map(str, report.folds))}"
    return "\n".join(
        [f"{report.split}; evaluated {run}", "", table([("score", "mean", "deviation"), *rows], right=(1, 2))]
    )
