"""Options whose value is a local path or an object-store URL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from segdata.arguments import local_path
from segdata.errors import InvalidInputError
from segdata.store.url import Location, parse_location
from segdata.text import without_secrets

_C = TypeVar("_C", bound=Callable[..., Any])


class LocalPath(click.Path):
    """Path on this machine. A URL is refused: as a path, it would be a folder with the name ``s3:``."""

    def __init__(self, *, record_set: bool = False, **options: Any) -> None:
        """Take the options of `click.Path`; `record_set` says whether the path may be that of a record set."""
        super().__init__(path_type=Path, **options)
        self._record_set = record_set

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return `value` as a path, or refuse a URL."""
        url = without_secrets(str(value))
        cure = "Copy it to this machine first." if self.exists else ""
        if self._record_set and url.lower().startswith(("s3://", "obs://")):
            cure = f"Copy a record set with segdata unpack {url} --dst_path DIR."
        try:
            local_path(value, cure)
        except InvalidInputError as error:
            self.fail(str(error), param, ctx)
        return super().convert(value, param, ctx)


#: A data set of any kind, which the command reads from this machine only.
LOCAL_DATASET = LocalPath(exists=True, record_set=True)


def read_location(
    context: click.Context | None, parameter: click.Parameter | None, value: str | None
) -> Location | None:
    """Return a path, or an s3:// or obs:// URL; the callback for options that accept both."""
    try:
        return None if value is None else parse_location(value)
    except InvalidInputError as error:
        raise click.BadParameter(str(error), context, parameter) from error


def existing_location(context: click.Context, parameter: click.Parameter, value: str | None) -> Location | None:
    """Return a URL, or the path of an existing file or directory; the callback for what a command reads."""
    place = read_location(context, parameter, value)
    if isinstance(place, Path):
        click.Path(exists=True).convert(value or "", parameter, context)
    return place


def location_option(*names: str, help: str, required: bool = False, exists: bool = False) -> Callable[[_C], _C]:
    """Return an option that accepts a path or a URL; `exists` says that a path must be that of an existing file."""
    callback = existing_location if exists else read_location
    return click.option(*names, metavar="PATH|URL", callback=callback, required=required, help=help)


def check_existing(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return `value` if it is a URL or the path of an existing file or directory."""
    existing_location(context, parameter, value)
    return value


work_dir_option = click.option(
    "--work_dir",
    type=LocalPath(file_okay=False),
    envvar="SEGDATA_WORK_DIR",
    show_envvar=True,
    help="With URLs: directory for local copies [default: ~/.cache/segdata]",
)
