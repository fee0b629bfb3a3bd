"""Assign rows to batches, in the same way for every task and any number of workers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import numpy as np

from segdata.errors import InvalidInputError
from segdata.parallel import default_workers
from segdata.text import plural
from segtrain.config.config import Config
from segtrain.distributed.ranks import Ranks

_T = TypeVar("_T")


def in_batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Yield `items` in lists of `size`; the last list may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def worker_count(config: Config) -> int:
    """Return the number of image workers: MindSpore rejects more than one per processor."""
    return min(config.workers or default_workers(), os.cpu_count() or 1)


def steps_per_epoch(rows: int, batch_size: int, devices: int = 1, *, left_out: int = 0) -> int:
    """Return how many full batches `rows` give on each of `devices`; `left_out` other rows are not trained on.

    Raises:
        InvalidInputError: when there are too few rows for one batch.
    """
    if rows < batch_size * devices:
        each = f" on each of {devices} devices" if devices > 1 else ""
        others = f" ({plural(left_out, 'other')} left out)" if left_out else ""
        most = f"{rows // devices} or less" if rows >= devices else plural(devices, "row")
        raise InvalidInputError(
            f"batch_size = {batch_size}: {plural(rows, 'row')}{others} cannot fill one batch{each}; expected {most}"
        )
    return rows // (batch_size * devices)


def epoch_draws(rows: int, config: Config, *, epoch: int, first_step: int, ranks: Ranks) -> list[int]:
    """Return the draws for this rank's batches of an epoch, in order, starting at `first_step`; both count from 0.

    A draw is ``row + repetition * rows``: an epoch has each of the `rows` rows `config.repeat` times. The order depends
    only on seed and epoch. In each step, the ranks take equal, consecutive parts of one joint batch, the batch that a
    single process with ``ranks.size`` times the batch size would have. Draws that do not fill a joint batch are
    dropped, different ones in each epoch.
    """
    draws = rows * config.repeat
    steps = steps_per_epoch(draws, config.batch_size, ranks.size)
    order = np.random.default_rng([config.seed, epoch]).permutation(draws)[: steps * ranks.size * config.batch_size]
    mine: list[int] = order.reshape(steps, ranks.size, config.batch_size)[first_step:, ranks.rank].ravel().tolist()
    return mine


def epoch_rows(rows: int, config: Config, *, epoch: int, first_step: int, ranks: Ranks) -> list[int]:
    """Return the rows of the draws that `epoch_draws` returns."""
    return [draw % rows for draw in epoch_draws(rows, config, epoch=epoch, first_step=first_step, ranks=ranks)]
