"""A program that keeps two worker processes busy until it is killed; see test_parallel.py."""

from __future__ import annotations

import os
import time

from segdata.parallel import ordered_map


def name_and_wait(item: int) -> None:
    print(os.getpid(), flush=True)
    time.sleep(600)


def run() -> None:
    # Two chunks of items, so that both workers have one.
    for _ in ordered_map(name_and_wait, range(64), workers=2, kind="processes"):
        pass
