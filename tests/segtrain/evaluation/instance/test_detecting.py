from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from drawn_instances import miniature, oracle

from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.config.recipes import override, recipe
from segtrain.distributed.ranks import Ranks
from segtrain.evaluation.instance.detecting import detect_all

SETTINGS = MaskRcnn(image_height=96, image_width=160, max_detections=12)
CONFIG = override(recipe("deeplabv3plus_cpu"), {"batch_size": 3, "workers": 2})


@dataclass(frozen=True)
class Together(Ranks):
    """A rank that is a thread of this process and waits for the others at a barrier."""

    barrier: threading.Barrier = field(kw_only=True)
    counts: dict[int, npt.NDArray[np.int64]] = field(kw_only=True)

    def sum(self, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        self.counts[self.rank] = counts
        self.barrier.wait(60)
        total = np.sum([self.counts[rank] for rank in range(self.size)], axis=0)
        self.barrier.wait(60)
        return total


def test_ranks_have_their_shares_and_all_the_same_results(tmp_path: Path) -> None:
    coco = miniature(tmp_path)
    alone = detect_all(oracle(coco, SETTINGS), coco, CONFIG, SETTINGS, batch_size=2)
    barrier = threading.Barrier(3)
    counts: dict[int, npt.NDArray[np.int64]] = {}
    ranks = [Together(rank, 3, barrier=barrier, counts=counts) for rank in range(3)]

    def work(rank: Together) -> object:
        known = oracle(coco, SETTINGS, rank=rank.rank, ranks=3)
        return detect_all(known, coco, CONFIG, SETTINGS, batch_size=2, ranks=rank)

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(work, ranks)) == [alone] * 3
