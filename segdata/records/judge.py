"""MindSpore as second judge of a record set: the only module of segdata that imports it.

MindSpore opens a set by any of its shards; the rows must be the same by each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.errors import OptionError
from segdata.mindrecord.shards import allow_open_files
from segdata.parallel import Progress
from segdata.records.reader import RecordSet, read_rows
from segdata.records.schema import KEY

_Columns = dict[str, npt.NDArray[Any]]


def require_mindspore() -> None:
    """Check that MindSpore is installed.

    Raises:
        OptionError: when it is not.
    """
    if not find_spec("mindspore"):
        raise OptionError(
            "--with-mindspore: MindSpore is not installed; expected it to read the rows a second time. Install it with "
            'pip install "segdata[train]".'
        )


def judge(found: RecordSet, progress: Progress) -> Iterator[str]:
    """Yield each difference of what MindSpore reads from what segdata reads: all fields by the first shard, then keys.

    Args:
        found: an intact set; a damaged one can end the process inside MindSpore.
        progress: reports progress.
    """
    key = KEY[found.manifest.task]
    # MindSpore opens all shards and indexes at once.
    allow_open_files(found.directory, 2 * len(found.manifest.shards))
    with progress(total=len(found.shard_paths), label="MindSpore") as advance:
        for number, path in enumerate(found.shard_paths):
            fields = [key] if number else list(found.manifest.schema)
            if problem := _compare(found, path, fields):
                yield f"{path.name}: opened by MindSpore, {problem}"
            advance(1)


def _compare(found: RecordSet, shard: Path, fields: Sequence[str]) -> str | None:
    """Return the first difference between the rows that MindSpore reads and the rows of the set."""
    try:
        pairs = zip_longest(_mindspore_rows(shard, fields), read_rows(found, fields=fields))
        for number, (columns, row) in enumerate(pairs):
            if columns is None or row is None:
                return f"it has {'fewer' if columns is None else 'more'} than {len(found)} rows"
            for name in fields:
                if not _is_same(columns[name], row[name]):
                    return f"field {name!r} of row {number} differs"
    except (RuntimeError, ValueError) as error:
        return f"it cannot be read ({_error_line(error)})"
    return None


def _mindspore_rows(shard: Path, fields: Sequence[str]) -> Iterator[_Columns]:
    from mindspore.dataset import MindDataset

    data = MindDataset(str(shard), columns_list=list(fields), num_parallel_workers=1, shuffle=False)
    read: Callable[..., Iterator[_Columns]] = data.create_dict_iterator
    return read(num_epochs=1, output_numpy=True)


def _is_same(column: npt.NDArray[Any], value: object) -> bool:
    if isinstance(value, bytes):
        # NumPy S<n>, whose .item() strips trailing zero bytes; the buffer keeps them.
        return column.tobytes() == value
    if isinstance(value, np.ndarray):
        # An array without rows comes back as one element of garbage.
        return not value.size or (column.size == value.size and np.array_equal(column.reshape(value.shape), value))
    return bool(column.item() == value)


def _error_line(error: Exception) -> str:
    """Return the line that MindSpore marks as the error, or the first other line of its message."""
    lines = [line.strip() for line in str(error).splitlines()]
    marked = [line.removeprefix("[ERROR] ") for line in lines if line.startswith("[ERROR] ")]
    return next((line for line in [*marked, *lines] if line and not line.startswith("-")), type(error).__name__)
