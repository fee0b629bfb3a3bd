"""Flags of the published training scripts that have another name in `fit`, or that it answers with what to do instead.

Sources: the argument parsers of the model zoo's DeepLabV3+ (``train.py``), Mask R-CNN and U-Net, and of the labs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from segdata.console.location import check_existing, existing_location

_LAUNCH = "start the processes with msrun, which sets it; see docs/ascend.md"

#: What takes the place of flags without a counterpart.
_ANSWERS = {
    "--device_id": "choose the device with the environment variable DEVICE_ID",
    "--device_num": _LAUNCH,
    "--group_size": _LAUNCH,
    "--rank": _LAUNCH,
    "--filter_weight": (
        "a head for another number of classes is always left out. For a new head in any case, start from the backbone "
        "alone: segtrain convert-checkpoint FILE backbone.ckpt --to backbone"
    ),
}


def _answer(_context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value:
        name = parameter.opts[0]
        raise click.UsageError(f"{name}: a flag of the published script; here, {_ANSWERS[name]}. Leave {name} out.")


def published_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags, without a line in the help, to a command with `data_file` and `ckpt_pre_trained`."""

    @wraps(command)
    def translated(dataset_filename: str | None, pretrainedmodel_filename: str | None, **options: Any) -> Any:
        context, folder = click.get_current_context(), options["data_file"]
        parameters = {each.name: each for each in context.command.params}
        if dataset_filename:
            place = str(folder / dataset_filename)
            options["data_file"] = existing_location(context, parameters["dataset_filename"], place)
        if pretrainedmodel_filename:
            if options["ckpt_pre_trained"]:
                raise click.UsageError("--pretrainedmodel_filename and --ckpt_pre_trained both name a file; give one")
            place = str(folder / pretrainedmodel_filename)
            options["ckpt_pre_trained"] = check_existing(context, parameters["pretrainedmodel_filename"], place)
        return command(**options)

    for option in (
        click.option(
            "--modelArts_mode",
            is_flag=True,
            expose_value=False,
            hidden=True,
            help="No effect: URLs are recognized without it",
        ),
        click.option("--dataset_filename", hidden=True, help="Name of the training set in --data_url"),
        click.option("--pretrainedmodel_filename", hidden=True, help="Name of the --ckpt_pre_trained in --data_url"),
        click.option("--lr_decay_step", type=int, hidden=True, help="With --lr_type exp: steps between two drops"),
        click.option("--lr_decay_rate", type=float, hidden=True, help="With --lr_type exp: factor of each drop"),
        click.option(
            "--filter_weight", is_flag=True, expose_value=False, callback=_answer, hidden=True, help="Refused"
        ),
        *(
            click.option(name, type=int, expose_value=False, callback=_answer, hidden=True, help="Refused")
            for name in ("--device_id", "--device_num", "--group_size", "--rank")
        ),
    ):
        translated = option(translated)
    return translated
