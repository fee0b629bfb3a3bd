"""What worker processes are given to do in tests; a process can only be sent functions that it can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from segdata.errors import InvalidInputError
from segdata.parallel import ordered_map


def square_slowly_first(item: int) -> int:
    time.sleep(0.05 if item == 0 else 0)
    return item * item


def fail_at_three(item: int) -> int:
    if item == 3:
        raise ValueError("three")
    return item


def die_at_three(item: int) -> int:
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def name_and_wait(item: int) -> None:
    # One write: the lines of two processes must not run into each other.
    os.write(1, b"%d\n" % os.getpid())
    time.sleep(600)


def keep_two_workers_busy() -> None:
    for _ in ordered_map(name_and_wait, range(2), workers=2, kind="processes"):
        pass


def fail_with_a_code(_item: int) -> None:
    raise InvalidInputError("this is no mask", "label_mode")


def die_once(item: tuple[Path, int]) -> int:
    marker, number = item
    if number == 5 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number
