"""Options and settings that several commands share.

`workers_option` and `json_option` mean the same in every command that has them; `overwrite_option` and
`dry_run_option` stand on every command that writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from segdata.parallel import default_workers

#: The model zoo writes ``--num_shards``, click's users ``--num-shards``: both spellings are one option.
CONTEXT: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "token_normalize_func": lambda token: token.replace("_", "-"),
    "max_content_width": 110,
}

EXISTING_DIR = click.Path(exists=True, file_okay=False, path_type=Path)
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
ANY_PATH = click.Path(path_type=Path)


def _workers(_context: click.Context, _parameter: click.Parameter, value: int | None) -> int:
    return value or default_workers()


workers_option = click.option(
    "--workers", type=click.IntRange(min=1), callback=_workers, help="Parallel workers [default: all processors]"
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what an earlier run wrote")
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done, write nothing")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON")
