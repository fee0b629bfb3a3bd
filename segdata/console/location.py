"""Options whose value is a local path or an object-store URL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from segdata.errors import InvalidInputError
from segdata.store.url import Location, parse_location

_C = TypeVar("_C", bound=Callable[..., Any])


def read_location(context: click.Context, parameter: click.Parameter, value: str | None) -> Location | None:
    """Return a path, or an s3:// or obs:// URL; the callback for options that accept both."""
    try:
        return None if value is None else parse_location(value)
    except InvalidInputError as error:
        raise click.BadParameter(str(error), context, parameter) from error


def location_option(*names: str, help: str, required: bool = False) -> Callable[[_C], _C]:
    """Return an option that accepts a path or a URL."""
    return click.option(*names, metavar="PATH|URL", callback=read_location, required=required, help=help)


def check_existing(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return `value` if it is a URL or the path of an existing file or directory."""
    if isinstance(read_location(context, parameter, value), Path):
        click.Path(exists=True).convert(value or "", parameter, context)
    return value


work_dir_option = click.option(
    "--work_dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="SEGDATA_WORK_DIR",
    show_envvar=True,
    help="With URLs: directory for local copies [default: ~/.cache/segdata]",
)
