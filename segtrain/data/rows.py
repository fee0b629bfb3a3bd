"""Which rows make which batch, the same for every task and whatever the number of workers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import numpy as np

from segdata.errors import InvalidInputError
from segdata.parallel import default_workers
from segtrain.config.config import Config
from segtrain.distributed.ranks import Ranks

_T = TypeVar("_T")


def in_batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Yield `items` in lists of `size`, the last of which may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def worker_count(config: Config) -> int:
    """Return the number of image workers: MindSpore refuses more than there are processors."""
    return min(config.workers or default_workers(), os.cpu_count() or 1)


def steps_per_epoch(rows: int, batch_size: int, devices: int = 1) -> int:
    """Return how often `rows` fill a whole batch on each of `devices`.

    Raises:
        InvalidInputError: when they do not once.
    """
    if rows < batch_size * devices:
        each = f" on each of {devices} devices" if devices > 1 else ""
        raise InvalidInputError(f"{rows} rows do not fill one batch of {batch_size}{each}; use a smaller batch_size")
    return rows // (batch_size * devices)


def epoch_draws(rows: int, config: Config, *, epoch: int, first_step: int, ranks: Ranks) -> list[int]:
    """Return what this rank's batches of an epoch (from 0) are drawn from, from a step (from 0) on, in order.

    A draw is ``row + time * rows`` of the `rows` rows, each of which an epoch has `config.repeat` times. The order
    depends on seed and epoch only. In each step the ranks have equal parts, in their order, of the batch that one
    process with as many times the batch size would have. Draws that do not fill such a batch are left out, other ones
    in each epoch.
    """
    draws = rows * config.repeat
    steps = steps_per_epoch(draws, config.batch_size, ranks.size)
    order = np.random.default_rng([config.seed, epoch]).permutation(draws)[: steps * ranks.size * config.batch_size]
    mine: list[int] = order.reshape(steps, ranks.size, config.batch_size)[first_step:, ranks.rank].ravel().tolist()
    return mine


def epoch_rows(rows: int, config: Config, *, epoch: int, first_step: int, ranks: Ranks) -> list[int]:
    """Return the rows of `epoch_draws`."""
    return [draw % rows for draw in epoch_draws(rows, config, epoch=epoch, first_step=first_step, ranks=ranks)]
