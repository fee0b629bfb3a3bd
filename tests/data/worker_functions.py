"""Functions that worker processes run in tests; a process can only be sent functions that it can import."""

from __future__ import annotations

import os
import resource
import signal
import time
import tracemalloc
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from segdata.errors import InvalidInputError
from segdata.mindrecord.shards import SetReader
from segdata.parallel import ordered_map
from segdata.worker import Stopped, check_stopped, report_progress


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


class CountSent:
    """A function that counts how often it is sent to another process, and returns its item."""

    sent = 0

    def __getstate__(self) -> dict[str, object]:
        CountSent.sent += 1
        return {}

    def __call__(self, item: int) -> int:
        return item


def die_while_sending(item: int) -> int:
    """Return a result of which this process sends a half, and then dies."""

    def send_half(connection: Connection, data: bytes) -> None:
        os.write(connection.fileno(), bytes(data)[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    Connection._send = send_half  # type: ignore[attr-defined]
    return item


def which_process(item: int) -> int:
    time.sleep(0.0002)
    return os.getpid()


def name_and_wait(item: int) -> None:
    # One write: the lines of two processes must not run into each other.
    os.write(1, b"%d\n" % os.getpid())
    time.sleep(600)


def squares_by_processes(count: int) -> list[int]:
    return list(ordered_map(square_slowly_first, range(count), workers=2, kind="processes", chunk=3))


def keep_two_workers_busy() -> None:
    for _ in ordered_map(name_and_wait, range(2), workers=2, kind="processes"):
        pass


def count_to(parts: int) -> int:
    for _ in range(parts):
        report_progress(1)
    return parts


def fail_or_work_until_stopped(item: tuple[str, Path]) -> None:
    task, state = item
    if task == "fail":
        # Not before the other one works.
        while not state.exists():
            time.sleep(0.01)
        raise ValueError("a fault")
    state.write_text("started")
    try:
        while True:
            time.sleep(0.01)
            check_stopped()
    except Stopped:
        state.write_text("stopped")
        raise


def fail_with_a_code(_item: int) -> None:
    raise InvalidInputError("not a mask", "label_mode")


def double_if_even(item: int) -> int:
    if item % 2:
        raise InvalidInputError(f"{item} is odd", "label_mode")
    return 2 * item


def die_once(item: tuple[Path, int]) -> int:
    marker, number = item
    if number == 5 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def mask_by_scipy(path: str) -> object:
    from scipy.io import loadmat

    return loadmat(path, variable_names="GTcls")["GTcls"]["Segmentation"][0, 0]


def memory_to_decode(png: bytes) -> int:
    """Return how many bytes it takes to read a mask, whatever it is: asked for in Python or really used."""
    from segdata.labels.mapping import to_index_png
    from segdata.labels.mask_mapping import MaskMapping
    from segdata.labels.masks import decode_index_png
    from segdata.labels.value_map import voc_colormap

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    for decode in (decode_index_png, partial(to_index_png, mapping=MaskMapping(voc_colormap()))):
        with suppress(InvalidInputError):
            decode(png)
    used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    return max(used, tracemalloc.get_traced_memory()[1])


def read_data(rows: SetReader, number: int) -> bytes:
    data: bytes = rows[number]["data"]
    return data
