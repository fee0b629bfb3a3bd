"""The machine a program runs on: device and signals."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from segdata.errors import SegDataError
from segtrain.config.config import DeviceTarget
from segtrain.distributed.ranks import ALONE, current, device_id, join


def prepare_device(target: DeviceTarget, *, seed: int) -> None:
    """Choose the device, meet the other processes of the run, choose graph mode and the seed of all that is random.

    To be called before the first network is built.

    Raises:
        SegDataError: when there is no such device, or the other processes cannot be met.
    """
    if target == "CPU":
        # On AVX-512 processors oneDNN runs MindSpore's convolutions by its reference kernels, 24 to 100 times slower.
        # It reads this at the first convolution; what the user has set stands.
        os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")

    import mindspore as ms

    try:
        # One of several processes has had its device since they met, by a number that MindSpore may have chosen.
        if current() == ALONE:
            ms.set_device(target, device_id() if target == "Ascend" else None)
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().split(". ")[0]
        raise SegDataError(
            f"device {target} cannot be used on this machine: {reason}; is its driver set up?"
        ) from error
    join()
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_seed(seed)


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Take SIGINT and SIGTERM as a request: the yielded function says whether there was one.

    A second signal has its usual effect. Only the main thread can receive signals; elsewhere there is never a request.
    """
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested.is_set
        return
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def request(number: int, _frame: FrameType | None) -> None:
        requested.set()
        signal.signal(number, usual[signal.Signals(number)])

    for number in usual:
        signal.signal(number, request)
    try:
        yield requested.is_set
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
