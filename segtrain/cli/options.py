"""Options and behavior that several segtrain commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, get_args

import click

from segdata.console.location import location_option
from segdata.console.render import INTERRUPTED
from segtrain.config.config import DeviceTarget, Model

_F = TypeVar("_F", bound=Callable[..., Any])

#: Spelled out because the commands' context settings show underscores in choices as dashes (and accept both).
MODEL_METAVAR = f"[{'|'.join(get_args(Model))}]"


def several(_context: click.Context, _parameter: click.Parameter, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Return the values of an option that can be repeated; None if it was not given."""
    return values or None


#: Test-time augmentation, for every command that runs a trained network on images.
TEST_TIME_AUGMENTATION = (
    click.option(
        "--scales", type=float, multiple=True, callback=several, help="Image scale; can be repeated [default: 1.0]"
    ),
    click.option("--flip", is_flag=True, default=None, help="Also predict on the mirrored image"),
    click.option(
        "--turn", is_flag=True, default=None, help="Also predict on the image rotated by 90, 180 and 270 degrees"
    ),
)

#: Options that `eval` and `predict` share.
INFERENCE = (
    location_option("--ckpt_path", "--checkpoint_url", required=True, help="Checkpoint, with its .json next to it"),
    *TEST_TIME_AUGMENTATION,
    click.option("--crop_size", type=int, help="Input size at scale 1 [default: as in training]"),
    click.option(
        "--device_target",
        type=click.Choice(get_args(DeviceTarget)),
        default="CPU",
        show_default=True,
        help="Device to run the network on",
    ),
)


def options_of(options: tuple[Callable[[_F], _F], ...]) -> Callable[[_F], _F]:
    """Return a decorator that adds options to a command in the given order."""

    def add(command: _F) -> _F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def given_only(options: dict[str, Any]) -> dict[str, Any]:
    """Return only the options that were given; the called functions have defaults for the others."""
    return {name: value for name, value in options.items() if value is not None}


@contextmanager
def resume_hint() -> Iterator[None]:
    """Exit with the status of an interrupt if a training run is interrupted, and say how to continue it."""
    from segtrain.training.fit import TrainingInterrupted

    try:
        yield
    except TrainingInterrupted as stop:
        once(click.echo, f"{stop} Run the same command with --resume to continue.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from stop


def once(show: Callable[..., None], *args: Any, **options: Any) -> None:
    """Call `show` in only one of the processes of a run."""
    from segtrain.distributed.ranks import current

    if current().is_main:
        show(*args, **options)
