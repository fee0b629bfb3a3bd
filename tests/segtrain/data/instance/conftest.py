"""Record sets that tests of several modules read."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_instances import drawn, rectangle

from segdata.records.reader import RecordSet


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> RecordSet:
    """A white bar, dots inside a crowd region, more squares than there are rows for, and nothing."""
    black = np.zeros((40, 60, 3), np.uint8)
    bar = rectangle((40, 60), 10, 5, 50, 15)
    white = np.where(bar[..., None], np.uint8(255), black)
    dot, region = rectangle((40, 60), 30, 20, 33, 23), rectangle((40, 60), 0, 0, 60, 20)
    squares = [
        (rectangle((40, 60), 8 * n, 3, 8 * n + side, 3 + side), 3, False) for n, side in enumerate([2, 6, 1, 5, 4, 7])
    ]
    rows = [(white, [(bar, 11, False)]), (black, [(dot, 90, False), (region, 90, True)]), (black, squares), (black, [])]
    return drawn(tmp_path_factory.mktemp("crowded"), rows)
