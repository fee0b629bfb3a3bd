"""Options and habits that several commands of segtrain share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, get_args

import click

from segdata.console.location import location_option
from segdata.console.render import INTERRUPTED
from segtrain.config.config import DeviceTarget, Model

_F = TypeVar("_F", bound=Callable[..., Any])

#: Spelt out, since the context settings of the commands show underscores in choices as dashes (and accept both).
MODEL_METAVAR = f"[{'|'.join(get_args(Model))}]"


def several(_context: click.Context, _parameter: click.Parameter, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Return what was given for an option that may be repeated; None: nothing was."""
    return values or None


#: How an image is looked at, wherever networks are evaluated.
TEST_TIME_AUGMENTATION = (
    click.option("--scales", type=float, multiple=True, callback=several, help="Repeat for several [default: 1.0]"),
    click.option("--flip", is_flag=True, default=None, help="Also take the mirrored image"),
    click.option("--turn", is_flag=True, default=None, help="Also take the image turned by quarters"),
)

#: What `eval` and `predict` have in common.
INFERENCE = (
    location_option("--ckpt_path", "--checkpoint_url", required=True, help="Checkpoint, its .json beside it"),
    *TEST_TIME_AUGMENTATION,
    click.option("--crop_size", type=int, help="Input size at scale 1 [default: the training's]"),
    click.option(
        "--device_target",
        type=click.Choice(get_args(DeviceTarget)),
        default="CPU",
        show_default=True,
        help="Where the network runs",
    ),
)


def options_of(options: tuple[Callable[[_F], _F], ...]) -> Callable[[_F], _F]:
    """Return a decorator that adds options to a command, in their order."""

    def add(command: _F) -> _F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def given_only(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given: of the others, the functions they go to know the defaults."""
    return {name: value for name, value in options.items() if value is not None}


@contextmanager
def resume_hint() -> Iterator[None]:
    """End as an interrupted program does when a training is interrupted, and say how it goes on."""
    from segtrain.training.fit import TrainingInterrupted

    try:
        yield
    except TrainingInterrupted as stop:
        once(click.echo, f"{stop} The same command with --resume goes on from there.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from stop


def once(show: Callable[..., None], *args: Any, **options: Any) -> None:
    """Show something, unless it is another process of the same run that does."""
    from segtrain.distributed.ranks import current

    if current().is_main:
        show(*args, **options)
