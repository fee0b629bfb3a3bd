"""Test-time augmentation: the mean over mirrored and rotated inputs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from segtrain.data.arrays import Pixels

#: Maps images ``(N, C, size, size)`` to class probabilities ``(N, K, h, w)``, both float32; h and w at most size.
Network = Callable[[Pixels], Pixels]


def with_test_time_augmentation(network: Network, *, flip: bool, turn: bool) -> Network:
    """Return a network that averages its result over mirrored and rotated inputs (test-time augmentation).

    Args:
        network: maps square inputs to class probabilities.
        flip: average over the input and its mirror image.
        turn: average over their rotations by 0, 90, 180 and 270 degrees.
    """
    looks = list(product(range(4 if turn else 1), (False, True) if flip else (False,)))

    def mean(batch: Pixels) -> Pixels:
        total: Pixels | None = None
        for quarters, mirrored in looks:
            seen = np.rot90(batch, quarters, (2, 3))
            scores = network(np.ascontiguousarray(seen[..., ::-1] if mirrored else seen))
            scores = np.rot90(scores[..., ::-1] if mirrored else scores, -quarters, (2, 3))
            total = scores if total is None else total + scores
        assert total is not None
        return total / np.float32(len(looks))

    return mean if len(looks) > 1 else network
