"""Options and behavior that several segtrain commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, TypeVar, get_args

import click

from segdata.console.location import location_option
from segdata.console.messages import say
from segdata.errors import suggest
from segtrain.config.config import DeviceTarget
from segtrain.inference.settings import EvalSettings, Fit

_F = TypeVar("_F", bound=Callable[..., Any])


class NameChoice(click.Choice[str]):
    """Choice whose help and errors spell names with underscores, where click shows dashes; commands accept both."""

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return the names as the help shows them."""
        return f"[{'|'.join(self.choices)}]"

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Return the message for a name that is not among the choices."""
        return f"unknown name {value!r}; {suggest(str(value), self.choices)}"


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
    location_option(
        "--ckpt_path",
        "--checkpoint_url",
        required=True,
        exists=True,
        help="Checkpoint, with its .json next to it, or the directory of a training run",
    ),
    *TEST_TIME_AUGMENTATION,
    click.option("--crop_size", type=int, help="Input size at scale 1 [default: as in training]"),
    click.option(
        "--fit",
        type=NameChoice(get_args(Fit)),
        help="Resize the longer side to --crop_size, or cut tiles of that size [default: longer_side; U-Net: tiles]",
    ),
    click.option(
        "--overlap",
        type=int,
        help="Tiles: overlap of neighbors in pixels [default: a quarter of --crop_size; U-Net: the smallest possible]",
    ),
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


def with_settings(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given, those of `EvalSettings` as one, `settings`.

    Raises:
        OptionError: when a setting is out of range or has no effect.
    """
    given = given_only(options)
    settings = {each.name: given.pop(each.name) for each in fields(EvalSettings) if each.name in given}
    return {**given, "settings": EvalSettings(**settings)}


@contextmanager
def resume_hint() -> Iterator[None]:
    """Exit with the usual status for the signal that stopped a training run, and say how to continue it."""
    from segtrain.training.fit import TrainingInterrupted

    try:
        yield
    except TrainingInterrupted as stop:
        once(say, f"{stop} Run the same command with --resume to continue.")
        raise click.exceptions.Exit(128 + stop.signal) from stop


def once(show: Callable[..., None], *args: Any, **options: Any) -> None:
    """Call `show` in only one of the processes of a run."""
    from segtrain.distributed.ranks import current

    if current().is_main:
        show(*args, **options)
